_base_ = '../chexnet/chexnet_lite0_synthetic.py'  # old path, goes with version 0.3
