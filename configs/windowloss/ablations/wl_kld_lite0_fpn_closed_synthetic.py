_base_ = '../wl_kld_lite0_fpn_synthetic.py'
# Control of the study (docs/study.md): both bounds are one disk, with no room between them.
bounds = dict(type='PointToBoundTransform', lower_radius=50, upper_radius=50, softness=2)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.augmented, bounds, _base_.pack]))
