_base_ = '../wl_kld_r50_fpn.py'
# Table 3: AUROC .986, recall@0.1 69.2, FROC 80.6
dataset = dict(window=dict(lower_radius=50, upper_radius=200, softness=10))
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
