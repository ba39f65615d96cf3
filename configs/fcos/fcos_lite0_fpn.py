_base_ = ['../_base_/models/fcos_lite0_fpn.py', '../_base_/datasets/points_cpu.py',
          '../_base_/schedules/adamw_cosine.py', '../_base_/default_runtime.py']
train_dataloader = dict(dataset=dict(pipeline=_base_.box_pipeline))
fit_boxes = True  # docs/fracatlas_settings.md, The settings of the baselines
