_base_ = '../wl_kld_r50_fpn.py'
# Table 3: AUROC .981, recall@0.1 83.0, FROC 87.3
bounds = dict(type='PointToBoundTransform', lower_radius=50, upper_radius=50, softness=2)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.augmented, bounds, _base_.pack]))
