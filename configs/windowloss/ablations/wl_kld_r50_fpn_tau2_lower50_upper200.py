_base_ = '../wl_kld_r50_fpn.py'
# Table 3: AUROC .983, recall@0.1 85.4, FROC 89.6
bounds = dict(type='PointToBoundTransform', lower_radius=50, upper_radius=200, softness=2)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.augmented, bounds, _base_.pack]))
