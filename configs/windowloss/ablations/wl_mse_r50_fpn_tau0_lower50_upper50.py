_base_ = '../wl_mse_r50_fpn.py'
# Table 2: AUROC .976, recall@0.1 81.8, FROC 86.1
bounds = dict(type='PointToBoundTransform', lower_radius=50, upper_radius=50, softness=0)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.augmented, bounds, _base_.pack]))
