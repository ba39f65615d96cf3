_base_ = '../wl_mse_r50_fpn.py'
# Table 2: AUROC .979, recall@0.1 87.4, FROC 88.2
dataset = dict(window=dict(lower_radius=50, upper_radius=200, softness=5))
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
