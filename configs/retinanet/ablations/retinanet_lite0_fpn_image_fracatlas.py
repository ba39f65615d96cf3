_base_ = '../retinanet_lite0_fpn_fracatlas.py'
# The image window of WL+ on boxes: what of WL+ is the image's label alone.
model = dict(bbox_head=dict(
    type='RetinaImageHead', image_window=dict(type='WindowLoss', loss_weight=0.1)))
