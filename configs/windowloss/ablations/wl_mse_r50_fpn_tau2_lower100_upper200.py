_base_ = '../wl_mse_r50_fpn.py'
# Table 2: AUROC .978, recall@0.1 83.4, FROC 86.4
bounds = dict(type='PointToBoundTransform', lower_radius=100, upper_radius=200, softness=2)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.augmented, bounds, _base_.pack]))
