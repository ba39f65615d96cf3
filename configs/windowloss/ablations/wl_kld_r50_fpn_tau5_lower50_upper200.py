_base_ = '../wl_kld_r50_fpn.py'
# Table 3: AUROC .984, recall@0.1 82.0, FROC 86.6
dataset = dict(window=dict(lower_radius=50, upper_radius=200, softness=5))
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
