_base_ = '../wl_plus_lite0_fpn_fracatlas.py'
# Both bounds are one disk, with no room between them (docs/fracatlas_settings.md).
bounds = dict(type='PointToBoundTransform', lower_radius=50, upper_radius=50, softness=2)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.augmented, bounds, _base_.pack]))
