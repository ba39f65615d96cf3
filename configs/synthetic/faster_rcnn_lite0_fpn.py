_base_ = ['../_base_/models/faster_rcnn_lite0_fpn.py', '../_base_/datasets/synthetic.py',
          '../_base_/schedules/adamw_cosine.py', '../_base_/default_runtime.py']
# Anchors of 50 pixels at stride 8, a pseudo-box at input 256 (scale 8 has an IoU of 0.61 with it).
model = dict(rpn_head=dict(anchor_generator=dict(scales=[6.25])))
train_dataloader = dict(dataset=dict(pipeline=_base_.box_pipeline))
train_cfg = dict(max_epochs=5)
