# FCOS with fewer channels, for CPUs. Its ranges stay mmdet's: a cell learns a pseudo-box of 50 to 75
# pixels at stride 8 where no side lies further than 64 pixels from it, else at stride 16.
_base_ = './fcos_r50_fpn.py'
channels = 64
model = dict(
    data_preprocessor=dict(mean=[127., 127., 127.], std=[128., 128., 128.]),
    backbone=dict(_delete_=True, type='EfficientNetLite', frozen_stages=3, norm_eval=True),
    neck=dict(in_channels=[24, 40, 112, 320], out_channels=channels),
    bbox_head=dict(in_channels=channels, feat_channels=channels))
# Depthwise 5 x 5 convolutions train up to 400 times slower in the default memory layout on CPUs.
custom_hooks = [dict(type='ChannelsLastHook')]
