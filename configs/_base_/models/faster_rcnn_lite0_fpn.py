# mmdet's own Faster R-CNN, for one class and CPUs: fewer channels, proposals and samples.
_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py', './lite0.py']
channels = 64
model = dict(
    data_preprocessor=dict(mean=[127., 127., 127.], std=[128., 128., 128.]),
    backbone=dict(_delete_=True, **_base_.lite0),
    neck=dict(in_channels=_base_.lite0_channels, out_channels=channels),
    rpn_head=dict(in_channels=channels, feat_channels=channels),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=channels),
        bbox_head=dict(in_channels=channels, fc_out_channels=256, num_classes=1)),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=400, max_per_img=200), rcnn=dict(sampler=dict(num=64))),
    # No score is too low: every image has a score, and nothing but the 100 boxes cuts the FROC.
    test_cfg=dict(rpn=dict(nms_pre=400, max_per_img=200), rcnn=dict(score_thr=0.)))
# Depthwise 5 x 5 convolutions train up to 400 times slower in the default memory layout on CPUs.
custom_hooks = [dict(type='ChannelsLastHook')]
