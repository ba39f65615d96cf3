_base_ = ['../_base_/models/faster_rcnn_lite0_fpn.py', '../_base_/datasets/fracatlas.py',
          '../_base_/schedules/adamw_cosine.py', '../_base_/default_runtime.py']
# Boxes as wide as these fractures (see the window) rather than the paper's pelvic ones.
train_dataloader = dict(dataset=dict(pipeline=[
    *_base_.augmented, dict(type='PointsToPseudoBoxes', size=100), dict(type='PackPointInputs')]))
train_cfg = dict(max_epochs=8, val_interval=2)
