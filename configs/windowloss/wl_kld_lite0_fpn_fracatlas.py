_base_ = ['../_base_/models/dense_point_lite0_fpn.py', '../_base_/datasets/fracatlas.py',
          '../_base_/schedules/adamw_cosine.py', '../_base_/default_runtime.py']
# Every second epoch is validated: a validation takes a quarter of an epoch's time.
train_cfg = dict(val_interval=2)
