_base_ = '../wl_plus_lite0_fpn_fracatlas.py'
model = dict(bbox_head=dict(maximum_window=dict(type='MaximumWindowLoss', loss_weight=0.1)))
