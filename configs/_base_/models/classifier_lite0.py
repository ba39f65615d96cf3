# An image classifier for machines without a GPU and without a model hub; config files name the head.
_base_ = ['./classifier_r50.py', './lite0.py']
model = dict(
    data_preprocessor=dict(mean=[127., 127., 127.], std=[128., 128., 128.]),
    backbone=dict(_delete_=True, **_base_.lite0, out_indices=(3, )),
    bbox_head=dict(in_channels=_base_.lite0_channels[3]))
# Depthwise 5 x 5 convolutions train up to 400 times slower in the default memory layout on CPUs.
custom_hooks = [dict(type='ChannelsLastHook')]
