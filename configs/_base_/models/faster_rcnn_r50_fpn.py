# mmdet's own Faster R-CNN, for one class.
_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'
model = dict(
    # Trained as for the Window Loss: no frozen stage, batch statistics.
    backbone=dict(frozen_stages=-1, norm_eval=False),
    roi_head=dict(bbox_head=dict(num_classes=1)),
    # No score is too low: every image has a score, and nothing but the 100 boxes cuts the FROC.
    test_cfg=dict(rcnn=dict(score_thr=0.)))
