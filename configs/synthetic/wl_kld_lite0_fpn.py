_base_ = '../windowloss/wl_kld_lite0_fpn_synthetic.py'  # old path, goes with version 0.3
