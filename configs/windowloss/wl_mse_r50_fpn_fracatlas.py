_base_ = ['../_base_/models/dense_point_r50_fpn.py', '../_base_/datasets/fracatlas_512.py',
          '../_base_/schedules/adamw_cosine_mse.py', '../_base_/default_runtime.py']
model = dict(bbox_head=dict(loss=dict(divergence='mse')))
train_cfg = _base_.length
