_base_ = ['../_base_/models/fcos_lite0_fpn.py', '../_base_/datasets/fracatlas.py',
          '../_base_/schedules/adamw_cosine.py', '../_base_/default_runtime.py']
train_dataloader = dict(dataset=dict(pipeline=_base_.box_pipeline))
train_cfg = _base_.length
fit_boxes = True  # docs/fracatlas_settings.md, The settings of the baselines
