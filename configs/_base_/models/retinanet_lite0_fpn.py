# mmdet's own RetinaNet, for one class, with fewer channels for CPUs.
_base_ = ['mmdet::_base_/models/retinanet_r50_fpn.py', './lite0.py']
channels = 64
model = dict(
    data_preprocessor=dict(mean=[127., 127., 127.], std=[128., 128., 128.]),
    backbone=dict(_delete_=True, **_base_.lite0),
    neck=dict(in_channels=_base_.lite0_channels, out_channels=channels),
    bbox_head=dict(num_classes=1, in_channels=channels, feat_channels=channels),
    # No score is too low: every image has a score, and nothing but the 100 boxes cuts the FROC.
    test_cfg=dict(score_thr=0.))
# Depthwise 5 x 5 convolutions train up to 400 times slower in the default memory layout on CPUs.
custom_hooks = [dict(type='ChannelsLastHook')]
