_base_ = '../wl_mse_r50_fpn.py'
# Table 2: AUROC .979, recall@0.1 87.4, FROC 88.2
bounds = dict(type='PointToBoundTransform', lower_radius=50, upper_radius=200, softness=5)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.augmented, bounds, _base_.pack]))
