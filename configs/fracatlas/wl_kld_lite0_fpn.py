_base_ = '../windowloss/wl_kld_lite0_fpn_fracatlas.py'  # old path, goes with version 0.3
