_base_ = ['../_base_/models/classifier_lite0.py', '../_base_/datasets/synthetic.py',
          '../_base_/schedules/adamw_cosine_classifier.py', '../_base_/default_runtime.py']
model = dict(bbox_head=dict(type='CheXNetHead'))
# Twice the other classifiers' rate, by validation on FracAtlas (results/fracatlas/choices): at
# half of it five epochs of 480 images leave it at chance, at this one the AUROC is .85.
optim_wrapper = dict(optimizer=dict(lr=2e-4))
train_dataloader = dict(dataset=dict(pipeline=_base_.label_pipeline))
train_cfg = dict(max_epochs=5)
