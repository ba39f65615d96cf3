# An image classifier for machines without a GPU and without a model hub; config files name the head.
_base_ = './classifier_r50.py'
model = dict(
    data_preprocessor=dict(mean=[127., 127., 127.], std=[128., 128., 128.]),
    backbone=dict(
        _delete_=True, type='EfficientNetLite', out_indices=(3, ), frozen_stages=3,
        norm_eval=True),
    bbox_head=dict(in_channels=320))
# Depthwise 5 x 5 convolutions train up to 400 times slower in the default memory layout on CPUs.
custom_hooks = [dict(type='ChannelsLastHook')]
