_base_ = ['../_base_/models/classifier_lite0.py', '../_base_/datasets/fracatlas.py',
          '../_base_/schedules/adamw_cosine_classifier.py', '../_base_/default_runtime.py']
model = dict(bbox_head=dict(type='UFDetHead'))
train_dataloader = dict(dataset=dict(pipeline=_base_.label_pipeline))
train_cfg = _base_.length
