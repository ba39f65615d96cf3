# The paper's schedule (its section 4.1): Adam, 4e-5, weight decay 1e-3, 100 epochs, no decay.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=4e-5, weight_decay=1e-3))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=48)  # 4 GPUs x 12
