_base_ = '../wl_kld_r50_fpn.py'
# Table 3: AUROC .982, recall@0.1 85.5, FROC 89.7
bounds = dict(type='PointToBoundTransform', lower_radius=50, upper_radius=200, softness=0.4)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.augmented, bounds, _base_.pack]))
