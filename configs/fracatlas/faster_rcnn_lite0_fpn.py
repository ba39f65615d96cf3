_base_ = '../faster_rcnn/faster_rcnn_lite0_fpn_fracatlas.py'  # old path, goes with version 0.3
