"""RetinaNet with an image term: where the image's logit goes, and what it learns from."""
import math

import pytest
import torch
from mmdet.models.dense_heads import RetinaHead
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from mmwindow.models import RetinaImageHead

SIDE = 64
OPTIONS = dict(
    num_classes=2, in_channels=4, stacked_convs=1, feat_channels=4,
    anchor_generator=dict(type='AnchorGenerator', scales=[4], ratios=[.5, 2.], strides=[8, 16]),
    bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
    loss_cls=dict(type='FocalLoss', use_sigmoid=True), loss_bbox=dict(type='L1Loss'),
    train_cfg=ConfigDict(
        assigner=dict(type='MaxIoUAssigner', pos_iou_thr=.5, neg_iou_thr=.4, min_pos_iou=0,
                      ignore_iof_thr=-1),
        sampler=dict(type='PseudoSampler'), allowed_border=-1, pos_weight=-1, debug=False),
    test_cfg=ConfigDict(nms_pre=100, min_bbox_size=0, score_thr=0.,
                        nms=dict(type='nms', iou_threshold=.5), max_per_img=10))


def make_head(kind=RetinaImageHead, **options):
    torch.manual_seed(0)
    head = kind(**{**OPTIONS, **options})
    head.init_weights()
    return head


def make_features(seed=1):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(2, 4, SIDE // stride, SIDE // stride, generator=generator)
                 for stride in (8, 16))


def make_samples(*boxes_and_labels):
    samples = []
    for boxes, labels in boxes_and_labels:
        sample = DetDataSample(metainfo=dict(
            img_shape=(SIDE, SIDE), pad_shape=(SIDE, SIDE), ori_shape=(SIDE, SIDE),
            scale_factor=(1., 1.), batch_input_shape=(SIDE, SIDE)))
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            labels=torch.tensor(labels, dtype=torch.long))
        samples.append(sample)
    return samples


NEGATIVES = make_samples(([], []), ([], []))
MIXED = make_samples(([], []), ([[10., 10., 40., 40.]], [1]))


def test_negative_images_cost_a_tenth_of_log_two_at_the_start():
    head = make_head()
    losses = head.loss(tuple(torch.zeros_like(level) for level in make_features()), NEGATIVES)
    # A bias of 0: each image's score is one half. -log(.5) by 0.1.
    assert losses['loss_image'].item() == pytest.approx(.1 * math.log(2), rel=1e-6)
    assert set(losses) == {'loss_cls', 'loss_bbox', 'loss_image'}


def test_the_logit_of_a_class_is_added_to_every_anchor_of_it_alone():
    head, plain = make_head(), make_head(RetinaHead)
    assert set(head.state_dict()) - set(plain.state_dict()) == {
        'image_classifier.weight', 'image_classifier.bias'}
    head.load_state_dict(plain.state_dict(), strict=False)
    with torch.no_grad():
        head.image_classifier.weight.zero_()
        head.image_classifier.bias.copy_(torch.tensor([.75, -.5]))
    ours, theirs = head(make_features()), plain(make_features())
    for level, reference in zip(ours[0], theirs[0], strict=True):
        assert level.shape == reference.shape and level.shape[1] == 4
        # Channels: both classes of the first anchor, both of the second.
        difference = (level - reference).mean((0, 2, 3)).tolist()
        assert difference == pytest.approx([.75, -.5, .75, -.5], abs=1e-6)
    for level, reference in zip(ours[1], theirs[1], strict=True):
        assert torch.equal(level, reference)


def test_the_logit_is_of_the_mean_of_the_coarsest_level():
    head, features = make_head(), make_features()
    expected = torch.einsum('ck,bk->bc', head.image_classifier.weight[..., 0, 0],
                            features[1].mean((2, 3))) + head.image_classifier.bias
    torch.testing.assert_close(head.image_logits(features)[..., 0, 0], expected)


def test_labels_of_images_teach_it_and_anchors_do_not():
    head = make_head(image_window=dict(type='WindowLoss', loss_weight=2.))
    losses = head.loss(make_features(), MIXED)
    logits = head.image_logits(make_features())[..., 0, 0]
    expected = 2 * torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.tensor([[0., 0.], [0., 1.]]))
    torch.testing.assert_close(losses['loss_image'], expected)
    sum(sum(losses[name]) for name in ('loss_cls', 'loss_bbox')).backward(retain_graph=True)
    assert head.image_classifier.weight.grad is None
    losses['loss_image'].backward()
    assert head.image_classifier.weight.grad.abs().sum() > 0


def test_a_sure_image_lifts_the_scores_of_its_boxes():
    head, features = make_head(), make_features()
    metas = [sample.metainfo for sample in NEGATIVES]

    def best():
        found = head.predict_by_feat(*head(features), batch_img_metas=metas)
        return torch.stack([instances.scores.max() for instances in found]).logit()
    with torch.no_grad():
        head.image_classifier.weight.zero_()
        before = best()
        head.image_classifier.bias.fill_(3.)
        torch.testing.assert_close(best(), before + 3, rtol=0, atol=1e-4)


def test_a_softmax_is_rejected():
    with pytest.raises(ValueError, match='use_sigmoid=False'):
        make_head(loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False))
