# Short trainings from pretrained weights on a CPU: AdamW, one-cycle learning rate.
max_epochs = 8
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=8e-4, weight_decay=0.02),
    clip_grad=dict(max_norm=5.0))
param_scheduler = [
    dict(type='OneCycleLR', eta_max=8e-4, total_steps=max_epochs, pct_start=0.25,
         by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
