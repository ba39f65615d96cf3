_base_ = '../wl_plus_lite0_fpn_fracatlas.py'
model = dict(bbox_head=dict(loss=dict(focus=1)))
