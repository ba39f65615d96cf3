_base_ = ['../_base_/models/fcos_r50_fpn.py', '../_base_/datasets/fracatlas_512.py',
          '../_base_/schedules/adamw_cosine_r50.py', '../_base_/default_runtime.py']
train_dataloader = dict(dataset=dict(pipeline=_base_.box_pipeline))
fit_boxes = True  # docs/fracatlas_settings.md, The settings of the baselines
train_cfg = _base_.length
