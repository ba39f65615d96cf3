_base_ = '../retinanet/retinanet_lite0_fpn_synthetic.py'  # old path, goes with version 0.3
