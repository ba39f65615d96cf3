_base_ = '../wl_kld_r50_fpn.py'
# Table 3: AUROC .980, recall@0.1 78.3, FROC 85.4
dataset = dict(window=dict(lower_radius=50, upper_radius=50, softness=0))
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
