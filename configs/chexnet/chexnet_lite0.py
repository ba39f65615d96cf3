_base_ = ['../_base_/models/classifier_lite0.py', '../_base_/datasets/points_cpu.py',
          '../_base_/schedules/adamw_cosine_classifier.py', '../_base_/default_runtime.py']
model = dict(bbox_head=dict(type='CheXNetHead'))
# Twice the other classifiers' rate, by validation on FracAtlas (results/fracatlas/choices).
optim_wrapper = dict(optimizer=dict(lr=2e-4))
train_dataloader = dict(dataset=dict(pipeline=_base_.label_pipeline))
