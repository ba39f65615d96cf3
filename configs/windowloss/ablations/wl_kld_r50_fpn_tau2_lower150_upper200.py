_base_ = '../wl_kld_r50_fpn.py'
# Table 3: AUROC .984, recall@0.1 82.8, FROC 82.8
bounds = dict(type='PointToBoundTransform', lower_radius=150, upper_radius=200, softness=2)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.augmented, bounds, _base_.pack]))
