_base_ = '../chexnet/chexnet_lite0_fracatlas.py'  # old path, goes with version 0.3
