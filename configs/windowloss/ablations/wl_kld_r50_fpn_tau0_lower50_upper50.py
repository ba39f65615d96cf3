_base_ = '../wl_kld_r50_fpn.py'
# Table 3: AUROC .980, recall@0.1 78.3, FROC 85.4
bounds = dict(type='PointToBoundTransform', lower_radius=50, upper_radius=50, softness=0)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.augmented, bounds, _base_.pack]))
