_base_ = ['../_base_/models/dense_point_r50_fpn.py', '../_base_/models/wl_plus.py',
          '../_base_/datasets/fracatlas_512.py',
          '../_base_/schedules/adamw_cosine_r50.py', '../_base_/default_runtime.py']
model = _base_.wl_plus
train_cfg = _base_.length
