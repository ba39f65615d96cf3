_base_ = ['../_base_/models/classifier_r50.py', '../_base_/datasets/fracatlas_512.py',
          '../_base_/schedules/adamw_cosine_r50.py', '../_base_/default_runtime.py']
model = dict(bbox_head=dict(type='WSPLHead'))
train_dataloader = dict(dataset=dict(pipeline=_base_.label_pipeline))
train_cfg = _base_.length
