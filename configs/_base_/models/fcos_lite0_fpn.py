# FCOS with fewer channels, for CPUs.
_base_ = ['./fcos_r50_fpn.py', './lite0.py']
channels = 64
model = dict(
    data_preprocessor=dict(mean=[127., 127., 127.], std=[128., 128., 128.]),
    backbone=dict(_delete_=True, **_base_.lite0),
    neck=dict(in_channels=_base_.lite0_channels, out_channels=channels),
    bbox_head=dict(in_channels=channels, feat_channels=channels))
# Depthwise 5 x 5 convolutions train up to 400 times slower in the default memory layout on CPUs.
custom_hooks = [dict(type='ChannelsLastHook')]
