_base_ = '../retinanet_lite0_fpn_synthetic.py'
# Control of the study (docs/study.md): anchors that overlap a pseudo-box by .1 to .5 count neither
# way, as the pixels between the two radii of a window do.
model = dict(train_cfg=dict(assigner=dict(neg_iou_thr=0.1)))
