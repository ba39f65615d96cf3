_base_ = ['../_base_/models/faster_rcnn_r50_fpn.py', '../_base_/datasets/points.py',
          '../_base_/schedules/paper_100e.py', '../_base_/default_runtime.py']
# Table 1: AUROC .961, recall@0.1 82.5, FROC 86.3
train_dataloader = dict(dataset=dict(pipeline=_base_.box_pipeline))
