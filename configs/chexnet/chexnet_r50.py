_base_ = ['../_base_/models/classifier_r50.py', '../_base_/datasets/points.py',
          '../_base_/schedules/paper_100e.py', '../_base_/default_runtime.py']
model = dict(bbox_head=dict(type='CheXNetHead'))  # Table 1: AUROC .971, recall@0.1 28.9, FROC 54.9
train_dataloader = dict(dataset=dict(pipeline=_base_.label_pipeline))
