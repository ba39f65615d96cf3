_base_ = '../wl_mse_r50_fpn.py'
# Table 2: AUROC .982, recall@0.1 69.6, FROC 84.3
bounds = dict(type='PointToBoundTransform', lower_radius=50, upper_radius=200, softness=10)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.augmented, bounds, _base_.pack]))
