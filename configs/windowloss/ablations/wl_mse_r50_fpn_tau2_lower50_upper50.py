_base_ = '../wl_mse_r50_fpn.py'
# Table 2: AUROC .975, recall@0.1 83.9, FROC 87.2
bounds = dict(type='PointToBoundTransform', lower_radius=50, upper_radius=50, softness=2)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.augmented, bounds, _base_.pack]))
