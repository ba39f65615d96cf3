_base_ = '../wl_kld_r50_fpn.py'
# Table 3: AUROC .982, recall@0.1 85.5, FROC 89.7
dataset = dict(window=dict(lower_radius=50, upper_radius=200, softness=0.4))
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
