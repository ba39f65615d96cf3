# Short trainings from pretrained weights on a CPU: AdamW, 50 iterations of warm-up under a cosine
# to zero. A config file changes the length by train_cfg.max_epochs alone:
# the cosine ends where it ends.
optim_wrapper = dict(
    type='OptimWrapper',
    # fused: the same step in one pass over memory, a quarter of the time on a CPU.
    optimizer=dict(type='AdamW', lr=8e-4, weight_decay=0.02, fused=True),
    clip_grad=dict(max_norm=5.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=8, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
