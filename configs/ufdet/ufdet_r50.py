_base_ = ['../_base_/models/classifier_r50.py', '../_base_/datasets/points.py',
          '../_base_/schedules/paper_100e.py', '../_base_/default_runtime.py']
model = dict(bbox_head=dict(type='UFDetHead'))  # Table 1: AUROC .972, recall@0.1 64.9, FROC 75.4
train_dataloader = dict(dataset=dict(pipeline=_base_.label_pipeline))
