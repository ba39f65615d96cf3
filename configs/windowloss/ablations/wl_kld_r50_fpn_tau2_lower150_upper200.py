_base_ = '../wl_kld_r50_fpn.py'
# Table 3: AUROC .984, recall@0.1 82.8, FROC 82.8
dataset = dict(window=dict(lower_radius=150, upper_radius=200, softness=2))
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
