_base_ = ['../_base_/models/dense_point_lite0_fpn.py', '../_base_/datasets/fracatlas.py',
          '../_base_/schedules/adamw_cosine.py', '../_base_/default_runtime.py']
train_cfg = _base_.length
