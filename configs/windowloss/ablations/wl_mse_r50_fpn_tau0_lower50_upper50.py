_base_ = '../wl_mse_r50_fpn.py'
# Table 2: AUROC .976, recall@0.1 81.8, FROC 86.1
dataset = dict(window=dict(lower_radius=50, upper_radius=50, softness=0))
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
