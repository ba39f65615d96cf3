"""The heads of CheXNet, WSPL and UFDet: labels, losses, maps, and the image's score."""
import math

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

import mmwindow  # noqa: F401  (registers the heads)
from mmwindow.models import CheXNetHead, UFDetHead, WSPLHead
from mmwindow.models.heads import image_labels
from mmwindow.models.utils import log_sum_exp_pool

HEADS = [CheXNetHead, WSPLHead, UFDetHead]
# 100 x 128 pixels, scaled by one half to 50 x 64 and padded below to 64 x 64.
META = dict(ori_shape=(100, 128), img_shape=(64, 64), scale_factor=(0.5, 0.5))


def make_sample(labels=()):
    sample = DetDataSample(metainfo=META)
    sample.gt_instances = InstanceData(labels=torch.tensor(labels, dtype=torch.long))
    return sample


def make_head(kind, num_classes=1, in_channels=8, **options):
    torch.manual_seed(0)
    head = kind(num_classes=num_classes, in_channels=in_channels, **options)
    head.init_weights()
    return head


def make_features(num_imgs=2, channels=8, size=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num_imgs, channels, size, size, generator=generator),


def predict(head, features, num_imgs=1):
    """Return what the head predicts of each image, as it does within a detector."""
    samples = [make_sample() for _ in range(num_imgs)]
    instances = head.predict(features, samples)
    for sample, own in zip(samples, instances, strict=True):
        sample.pred_instances = own
    return samples


def set_weights(head, weights, bias):
    """Give a head of one class these weights, one per channel."""
    with torch.no_grad():
        head.classifier.weight.copy_(torch.tensor(weights)[None, :, None, None])
        head.classifier.bias.fill_(bias)
    return head


# No ground truth first.

@pytest.mark.parametrize('kind', HEADS)
def test_normals_cost_log_two_at_the_start(kind):
    head = make_head(kind)
    features = tuple(torch.zeros_like(level) for level in make_features())
    losses = head.loss(features, [make_sample(), make_sample()])
    assert list(losses) == ['loss_image']         # every score is 1/2: -log(1/2)
    assert losses['loss_image'].item() == pytest.approx(math.log(2), rel=1e-6)
    losses['loss_image'].backward()
    assert head.classifier.bias.grad.item() == pytest.approx(0.5, rel=1e-5)


def test_image_labels_of_normals_and_of_no_image():
    empty = torch.zeros(0, dtype=torch.long)
    assert image_labels([empty, empty], 3).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert image_labels([], 3).shape == (0, 3)


def test_image_labels_say_which_classes_are_there():
    labels = [torch.tensor([2, 0, 2]), torch.tensor([], dtype=torch.long), torch.tensor([1])]
    assert image_labels(labels, 3).tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize('label', [3, -1])
def test_a_label_that_the_head_does_not_know(label):
    with pytest.raises(ValueError, match='the head has 3 classes'):
        image_labels([torch.tensor([0, label])], 3)


@pytest.mark.parametrize('kind', HEADS)
def test_a_point_outside_the_frame_leaves_the_image_positive(kind):
    """Points, wherever they are, do not reach the head: only their labels do."""
    head, features = make_head(kind), make_features(num_imgs=1)
    inside, outside = make_sample([0]), make_sample([0])
    inside.gt_instances.bboxes = torch.tensor([[32., 32.]])
    outside.gt_instances.bboxes = torch.tensor([[-5., 32.]])
    torch.testing.assert_close(head.loss(features, [inside])['loss_image'],
                               head.loss(features, [outside])['loss_image'], rtol=1e-6, atol=0)


@pytest.mark.parametrize('kind', HEADS)
def test_loss_is_the_binary_cross_entropy_of_the_image_score(kind):
    head, features = make_head(kind, num_classes=3), make_features()
    samples = [make_sample([2, 2]), make_sample()]
    scores = torch.stack([prediction.image_score for prediction in predict(head, features, 2)])
    labels = torch.tensor([[0., 0., 1.], [0., 0., 0.]])
    expected = -torch.where(labels == 1, scores, 1 - scores).log().mean()
    assert head.loss(features, samples)['loss_image'].item() == pytest.approx(
        expected.item(), rel=1e-5)


# What a head says of features 1 and 3 in one channel, weight 2, bias -1: cells of 1 and 5.

CELLS = torch.tensor([[[[1., 3.]]]])


def test_chexnet_by_hand():
    head = set_weights(make_head(CheXNetHead, in_channels=1), [2.], -1.)
    output = head((CELLS, ))
    assert output.map_logits.flatten().tolist() == [1., 5.]
    assert output.image_logits.item() == 3.    # 2 * mean(1, 3) - 1


def test_wspl_by_hand():
    head = set_weights(make_head(WSPLHead, in_channels=1, sharpness=1.), [2.], -1.)
    output = head((CELLS, ))
    assert output.map_logits.flatten().tolist() == [1., 5.]
    # 2 log((e + e^3) / 2) - 1
    assert output.image_logits.item() == pytest.approx(
        2 * math.log((math.e + math.e ** 3) / 2) - 1, rel=1e-6)


def test_ufdet_by_hand():
    head = set_weights(make_head(UFDetHead, in_channels=1, sharpness=2.), [2.], -1.)
    output = head((CELLS, ))
    assert output.map_logits.flatten().tolist() == [1., 5.]
    first, second = 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(-5))
    probability = math.log((math.exp(2 * first) + math.exp(2 * second)) / 2) / 2
    assert output.image_logits.sigmoid().item() == pytest.approx(probability, rel=1e-6)


def test_the_class_activation_map_is_the_layer_at_every_cell():
    """Zhou et al. 2016: its mean is the logit of an image whose features are pooled by the mean."""
    head, features = make_head(CheXNetHead, num_classes=3), make_features(size=4)
    with torch.no_grad():
        head.classifier.bias.copy_(torch.tensor([0.5, -1., 2.]))
    output = head(features)
    weights, bias = head.classifier.weight[..., 0, 0], head.classifier.bias
    literal = torch.stack([sum(weights[label, channel] * features[0][:, channel]
                               for channel in range(8)) + bias[label] for label in range(3)], dim=1)
    torch.testing.assert_close(output.map_logits, literal)
    torch.testing.assert_close(output.image_logits, literal.mean(dim=(2, 3)))


def test_ufdet_scores_lie_between_the_mean_and_the_maximum_of_the_map():
    head, features = make_head(UFDetHead, num_classes=2), (20 * make_features(size=4)[0], )
    maps = head(features).map_logits.double().sigmoid()
    scores = torch.stack([prediction.image_score for prediction in predict(head, features, 2)])
    assert (scores >= maps.mean(dim=(2, 3))).all() and (scores <= maps.amax(dim=(2, 3))).all()
    torch.testing.assert_close(scores, log_sum_exp_pool(maps, 10.), rtol=1e-5, atol=0)


# Prediction.

@pytest.mark.parametrize('kind', HEADS)
def test_a_prediction_has_map_findings_and_score(kind):
    head = make_head(kind, num_classes=2)
    prediction, = predict(head, make_features(num_imgs=1))
    scores = prediction.pred_heatmap.scores
    assert scores.shape == (2, 16, 16)   # 64 pixels by 4
    assert scores.dtype == (torch.float32 if kind is UFDetHead else torch.float64)
    assert 0 <= scores.min() and scores.max() <= 1
    assert prediction.image_score.shape == (2, )
    assert prediction.image_score.dtype == torch.float64
    assert set(prediction.pred_instances.keys()) == {'bboxes', 'scores', 'labels', 'peaks'}


@pytest.mark.parametrize('kind', HEADS)
def test_a_normal_map_gives_empty_instances(kind):
    head = set_weights(make_head(kind, in_channels=1), [0.], -3.)
    prediction, = predict(head, (torch.zeros(1, 1, 2, 2), ))
    assert prediction.pred_instances.bboxes.shape == (0, 4)
    expected = 1 / (1 + math.exp(3)) if kind is UFDetHead else 0.5 - 0.5 * 3 / 4
    assert prediction.pred_heatmap.scores.unique().tolist() == pytest.approx([expected])
    assert prediction.image_score.item() == pytest.approx(1 / (1 + math.exp(3)), rel=1e-6)


@pytest.mark.parametrize('kind', HEADS)
def test_findings_are_in_pixels_of_the_original_image(kind):
    head = set_weights(make_head(kind, in_channels=1), [1.], 0.)
    features = torch.tensor([[[[-9., 9.], [-9., -9.]]]])    # the upper right quarter speaks
    instances = predict(head, (features, ))[0].pred_instances
    assert len(instances) == 1
    # Along the top row logits (and probabilities) fall from right to left through 0 (1/2) half-way
    # between the centres of the two columns: at 32 of 64 input pixels, 64 of 128 original ones.
    assert instances.bboxes[0].tolist()[:3] == [64, 0, 128]
    assert instances.bboxes[0, 3] == 64 and instances.labels.tolist() == [0]


def test_scores_do_not_tie_where_float32_sigmoids_would():
    head = set_weights(make_head(CheXNetHead, in_channels=1), [1.], 0.)
    features = torch.tensor([30., 31.]).reshape(2, 1, 1, 1).expand(2, 1, 2, 2)
    first, second = predict(head, (features, ), 2)
    assert first.image_score < second.image_score < 1
    assert first.pred_heatmap.scores.max() < second.pred_heatmap.scores.max() < 1


@pytest.mark.parametrize('kind', HEADS)
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_mixed_precision_computes_in_float32(kind, dtype):
    head, samples = make_head(kind), [make_sample(), make_sample([0])]
    features = make_features()[0].to(dtype)
    with torch.autocast('cpu', dtype=dtype):
        mixed = head.loss((features, ), samples)['loss_image']
        maps = predict(head, (features, ), 2)[0].pred_heatmap.scores
    assert mixed.dtype == torch.float32
    assert maps.dtype == (torch.float32 if kind is UFDetHead else torch.float64)
    # float32 to its rounding, which a convolution's kernel decides; float16 would be off by 1e-3.
    torch.testing.assert_close(mixed, head.loss((features.float(), ), samples)['loss_image'],
                               rtol=1e-6, atol=0)


# Settings.

@pytest.mark.parametrize('name', ['CheXNetHead', 'WSPLHead', 'UFDetHead'])
def test_heads_are_registered(name):
    init_default_scope('mmdet')
    head = MODELS.build(dict(type=name, num_classes=2, in_channels=4, test_cfg=dict(score_thr=0.3)))
    assert head.classifier.weight.shape == (2, 4, 1, 1)
    assert head.test_cfg == dict(score_thr=0.3, max_per_img=100)


@pytest.mark.parametrize('kind', HEADS)
@pytest.mark.parametrize('options, message', [
    (dict(num_classes=0), 'num_classes is 0'),
    (dict(stride=2), 'stride is 2'),
    (dict(stride=18), 'stride is 18; a multiple of 4'),
])
def test_settings_that_cannot_be_meant(kind, options, message):
    with pytest.raises(ValueError, match=message):
        make_head(kind, **options)


@pytest.mark.parametrize('kind', [WSPLHead, UFDetHead])
def test_a_sharpness_that_cannot_be_meant(kind):
    with pytest.raises(ValueError, match='sharpness is 0'):
        make_head(kind, sharpness=0)


@pytest.mark.parametrize('kind', HEADS)
def test_several_levels_are_refused(kind):
    level = make_features()[0]
    with pytest.raises(ValueError, match=r'gives 2 levels, one is needed: .*out_indices=\(3, \)'):
        make_head(kind)((level, level))
