_base_ = '../retinanet_lite0_fpn_fracatlas.py'
# Pseudo-boxes of the closed window's width, and anchors of that size (docs/fracatlas_settings.md).
boxes = dict(type='PointsToPseudoBoxes', size=100)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.augmented, boxes, _base_.pack]))
