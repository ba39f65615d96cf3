_base_ = '../faster_rcnn/faster_rcnn_lite0_fpn_synthetic.py'  # old path, goes with version 0.3
