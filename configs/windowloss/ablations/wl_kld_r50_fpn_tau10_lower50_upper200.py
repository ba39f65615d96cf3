_base_ = '../wl_kld_r50_fpn.py'
# Table 3: AUROC .986, recall@0.1 69.2, FROC 80.6
bounds = dict(type='PointToBoundTransform', lower_radius=50, upper_radius=200, softness=10)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.augmented, bounds, _base_.pack]))
