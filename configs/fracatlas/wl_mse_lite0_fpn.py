_base_ = '../windowloss/wl_mse_lite0_fpn_fracatlas.py'  # old path, goes with version 0.3
