"""Points stay on what they mark through every stock geometric transform, or are refused.

Each of three points has its disk in a colour channel of its own, so that after a transform the
centroid of each channel tells where that point has to be. Centroids are of pixel centres, (j + 0.5,
i + 0.5): half a pixel of confusion, the difference between the two conventions that meet in mmdet,
is ten times the tolerance.
"""
import numpy as np
import pytest
import torch
from mmcv.transforms import TRANSFORMS as MMCV_TRANSFORMS
from mmdet.registry import TRANSFORMS
from mmdet.structures.mask import BitmapMasks
from mmengine.registry import init_default_scope

from mmwindow.structures import PointBoxes

# OpenCV's warps compute source places in steps of 1/32 pixel and grey levels are whole numbers:
# the largest difference over all cases and seeds below was 0.038 pixels (the one that shrinks most).
TOLERANCE = 0.05
HEIGHT, WIDTH, RADIUS = 120, 160, 7
POINTS = [[60.3, 50.7], [98.25, 58.5], [80.9, 71.4]]
SEEDS = range(4)

MOVES = [  # what moves points with the image
    dict(type='Resize', scale=(200, 170), keep_ratio=True),
    dict(type='Resize', scale=(199, 91), keep_ratio=False),
    dict(type='Resize', scale_factor=0.75),
    dict(type='Resize', scale=(333, 250), backend='pillow'),
    dict(type='FixScaleResize', scale=(211, 97), keep_ratio=True),
    dict(type='FixScaleResize', scale=(211, 97), keep_ratio=False),
    dict(type='FixShapeResize', width=200, height=190, keep_ratio=True),
    dict(type='FixShapeResize', width=190, height=105, keep_ratio=False),
    dict(type='ResizeShortestEdge', scale=133, max_size=170),
    dict(type='RandomResize', scale=(160, 120), ratio_range=(0.7, 1.9), keep_ratio=True),
    dict(type='RandomChoiceResize', scales=[(120, 120), (333, 190)], keep_ratio=False),
    dict(type='RandomFlip', prob=1.0, direction='horizontal'),
    dict(type='RandomFlip', prob=1.0, direction='vertical'),
    dict(type='RandomFlip', prob=1.0, direction='diagonal'),
    dict(type='Pad', size=(190, 150)),
    dict(type='Pad', pad_to_square=True),
    dict(type='Expand', prob=1.0, ratio_range=(1.3, 2)),
    dict(type='RandomCrop', crop_size=(140, 105), allow_negative_crop=True),
    dict(type='RandomCrop', crop_size=(105, 120), crop_type='absolute_range',
         allow_negative_crop=True),
    dict(type='RandomCrop', crop_size=(0.85, 0.9), crop_type='relative', allow_negative_crop=True),
    dict(type='RandomCrop', crop_size=(0.85, 0.85), crop_type='relative_range',
         allow_negative_crop=True),
    dict(type='Rotate', min_mag=5., max_mag=30., img_border_value=0),
    dict(type='Rotate', min_mag=90., max_mag=90., img_border_value=0),
    dict(type='ShearX', min_mag=5., max_mag=15., img_border_value=0),
    dict(type='ShearY', min_mag=5., max_mag=15., img_border_value=0),
    dict(type='TranslateX', min_mag=0.05, max_mag=0.2, img_border_value=0),
    dict(type='TranslateY', min_mag=0.05, max_mag=0.2, img_border_value=0),
    dict(type='RandomAffine', border_val=(0, 0, 0), scaling_ratio_range=(0.8, 1.2)),
    dict(type='RandomAffine', border_val=(0, 0, 0), border=(30, 20), bbox_clip_border=False,
         max_rotate_degree=25, max_shear_degree=10, scaling_ratio_range=(0.6, 0.9))]
MIXES = [  # what also takes in other images; sides that scale without rounding
    dict(type='Mosaic', img_scale=(120, 90), pad_val=0, center_ratio_range=(0.9, 1.1)),
    dict(type='CachedMosaic', img_scale=(120, 90), pad_val=0, center_ratio_range=(0.9, 1.1)),
    dict(type='MixUp', img_scale=(160, 120), pad_val=0, ratio_range=(0.75, 0.75)),
    dict(type='CachedMixUp', img_scale=(160, 120), pad_val=0, ratio_range=(0.75, 0.75))]
REFUSING = {  # what needs boxes, and with which error it says so
    'RandomShift': (dict(prob=1.0), ValueError),
    'FilterAnnotations': (dict(), ValueError),
    'MinIoURandomCrop': (dict(), ValueError),
    'CopyPaste': (dict(paste_by_box=True), ValueError),
    'RandomErasing': (dict(n_patches=1, ratio=0.2), AssertionError),
    'GTBoxSubOne_GLIP': (dict(), NotImplementedError),
    'CenterCrop': (dict(crop_size=100), Exception)}  # mmcv's: knows no box types at all
# What cannot be refused from within a box type, or needs a package that is not here.
UNUSABLE = {'RandomCenterCropPad', 'RandomFlip_GLIP', 'Albu', 'InstaBoost'}
# What only calls other transforms, and what changes no coordinates.
WRAPPERS = {
    'AutoAugment', 'Compose', 'KeyMapper', 'MultiBranch', 'MultiScaleFlipAug',
    'ProposalBroadcaster', 'RandAugment', 'RandomApply', 'RandomChoice', 'RandomOrder',
    'TestTimeAug', 'TransformBroadcaster', 'GeomTransform'}
NOT_GEOMETRIC = {
    'AutoContrast', 'BaseFrameSample', 'Brightness', 'Color', 'ColorTransform', 'Contrast',
    'Corrupt', 'CutOut', 'Equalize', 'ImageToTensor', 'InferencerLoader', 'Invert',
    'LoadAnnotations', 'LoadEmptyAnnotations', 'LoadImageFromFile', 'LoadImageFromNDArray',
    'LoadMultiChannelImageFromFiles', 'LoadPanopticAnnotations', 'LoadProposals',
    'LoadTextAnnotations', 'LoadTrackAnnotations', 'Normalize', 'PackDetInputs', 'PackReIDInputs',
    'PackTrackInputs', 'PhotoMetricDistortion', 'Posterize', 'RandomGrayscale',
    'RandomSamplingNegPos', 'SegRescale', 'Sharpness', 'Solarize', 'SolarizeAdd', 'ToTensor',
    'Transpose', 'UniformRefFrameSample', 'WrapFieldsToLists', 'YOLOXHSVRandomAug'}


def make_sample(channels=(0, 1, 2)):
    """Return an image with a disk in each of these channels, and its points."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    img = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for channel in channels:
        x, y = POINTS[channel]
        distance = np.hypot(columns - x, rows - y)
        img[..., channel] = np.round(240 * np.clip(RADIUS + 0.5 - distance, 0, 1))
    return dict(
        img=img, img_shape=(HEIGHT, WIDTH), ori_shape=(HEIGHT, WIDTH),
        gt_bboxes=PointBoxes([POINTS[channel] for channel in channels], dtype=torch.float32),
        gt_bboxes_labels=np.array(channels, dtype=np.int64),
        gt_ignore_flags=np.zeros(len(channels), dtype=bool))


def centroid(img):
    """Return x and y of the centre of mass of one channel, in continuous pixels."""
    rows, columns = np.mgrid[:img.shape[0], :img.shape[1]] + 0.5
    return np.array([(img * columns).sum(), (img * rows).sum()]) / img.sum()


def build(cfg):
    init_default_scope('mmdet')
    return TRANSFORMS.build(cfg)


def assert_points_lie_on_their_disks(results):
    """The label of a point is the channel of its disk."""
    height, width = results['img'].shape[:2]
    assert results['img_shape'][:2] == (height, width)
    points = results['gt_bboxes'].tensor.double().numpy()
    labels = results['gt_bboxes_labels'].tolist()
    assert sorted(labels) == [0, 1, 2] and len(points) == 3
    for (x, y), label in zip(points, labels, strict=True):
        # The case is chosen so that no disk is cut, or its centroid would not be its centre.
        assert 13 < x < width - 13 and 13 < y < height - 13
        np.testing.assert_allclose((x, y), centroid(results['img'][..., label].astype(float)),
                                   atol=TOLERANCE)


def name_case(cfg):
    return '-'.join(str(value).replace(' ', '') for value in list(cfg.values())[:3])


def test_disks_are_drawn_at_their_points():
    assert_points_lie_on_their_disks(make_sample())


@pytest.mark.parametrize('cfg', MOVES, ids=name_case)
def test_several_points_move_with_the_image(cfg):
    transform = build(cfg)
    for seed in SEEDS:
        np.random.seed(seed)
        before = make_sample()
        results = transform(make_sample())
        assert (results['img'].shape != before['img'].shape
                or not np.array_equal(results['img'], before['img']))
        assert_points_lie_on_their_disks(results)


def mix(cfg, samples):
    """Run a transform that mixes: the first sample with the others."""
    transform = build(cfg)
    if not cfg['type'].startswith('Cached'):
        return transform(dict(samples[0], mix_results=samples[1:]))
    # The caches draw from what they have seen; the draw is fixed to the others, one each.
    transform.results_cache = samples[1:] * (2 if len(samples) < 3 else 1) + samples[:1]
    transform.get_indexes = lambda cache: list(range(3)) if len(samples) > 2 else 0
    return transform(samples[0])


def mixed_samples(cfg, channels):
    """Return two samples for MixUp and four for Mosaic, one of which is a normal."""
    first, second, third = channels
    if 'MixUp' in cfg['type']:
        return [make_sample(first), make_sample(second + third)]
    return [make_sample(first), make_sample(second), make_sample(()), make_sample(third)]


@pytest.mark.parametrize('cfg', MIXES, ids=name_case)
def test_points_of_mixed_images_move_with_their_image(cfg):
    for seed in SEEDS:
        np.random.seed(seed)
        results = mix(cfg, mixed_samples(cfg, ((0, ), (1, ), (2, ))))
        assert_points_lie_on_their_disks(results)


@pytest.mark.parametrize('cfg', MOVES + MIXES, ids=name_case)
def test_a_normal_comes_out_as_a_normal(cfg):
    np.random.seed(0)
    if cfg in MIXES:
        results = mix(cfg, mixed_samples(cfg, ((), (), ())))
    else:
        results = build(cfg)(make_sample(()))
    assert isinstance(results['gt_bboxes'], PointBoxes)
    assert results['gt_bboxes'].tensor.shape == (0, 2)
    assert len(results['gt_bboxes_labels']) == len(results['gt_ignore_flags']) == 0
    assert results['img'].any() == False  # noqa: E712


def test_a_point_that_leaves_the_frame_is_kept_where_it_went():
    cfg = dict(type='RandomCrop', crop_size=(40, 30), allow_negative_crop=True)
    transform = build(cfg)
    transform._rand_offset = lambda margin: (90, 120)
    results = transform(make_sample())
    np.testing.assert_allclose(results['gt_bboxes'].tensor, np.array(POINTS) - (120, 90), atol=1e-4)


def test_without_allow_negative_crop_random_crop_drops_normals():
    # The reason why PointBoxes' docstring asks for allow_negative_crop=True.
    assert build(dict(type='RandomCrop', crop_size=(100, 100)))(make_sample(())) is None


@pytest.mark.parametrize('name', REFUSING)
def test_what_needs_boxes_is_refused_aloud(name):
    options, error = REFUSING[name]
    transform = build(dict(type=name, **options))
    np.random.seed(0)
    with pytest.raises(error) as caught:
        for _ in range(50):  # MinIoURandomCrop leaves one of seven images as it is
            transform(dict(make_sample(), mix_results=[make_sample()]))
    if error is ValueError:
        assert 'points have no size' in str(caught.value)


def test_copy_paste_is_refused_with_masks_too():
    masks = BitmapMasks(np.ones((3, HEIGHT, WIDTH), np.uint8), HEIGHT, WIDTH)
    transform = build(dict(type='CopyPaste', selected=False))
    with pytest.raises(ValueError, match='points cannot be derived from masks'):
        transform(dict(make_sample(), gt_masks=masks,
                       mix_results=[dict(make_sample(), gt_masks=masks)]))


def test_rounded_sizes_cost_less_than_a_pixel():
    # 160 x 120 to 190 x 142.5: the image becomes 190 x 143 high, its points are moved for 142.5,
    # at y = 50.7, 58.5 and 71.4 by 0.5 / 120 of that too little: 0.21, 0.24 and 0.30.
    transform = build(dict(type='FixShapeResize', width=190, height=190, keep_ratio=True))
    results = transform(make_sample())
    for (_, y), missing, channel in zip(results['gt_bboxes'].tensor.tolist(), (.21, .24, .30),
                                        range(3), strict=True):
        measured = centroid(results['img'][..., channel].astype(float))
        assert measured[1] - y == pytest.approx(missing, abs=0.02)


def test_glip_flip_is_a_pixel_off():
    # It subtracts the one pixel of its own box convention.
    results = build(dict(type='RandomFlip_GLIP', prob=1.0, direction='horizontal'))(make_sample())
    expected = [[WIDTH - 1 - x, y] for x, y in POINTS]
    np.testing.assert_allclose(results['gt_bboxes'].tensor, expected, atol=1e-4)


def test_random_center_crop_pad_drops_points_beyond_the_crop():
    transform = build(dict(
        type='RandomCenterCropPad', crop_size=(60, 60), ratios=(1.0, ), border=20, mean=[0, 0, 0],
        std=[1, 1, 1], to_rgb=True, test_pad_mode=None))
    np.random.seed(0)
    sample = make_sample()
    results = transform(dict(sample, img=sample['img'].astype(np.float32)))
    assert 0 < len(results['gt_bboxes']) < 3


def test_albu_refuses_points_when_its_package_is_there():
    from mmdet.datasets.transforms import Albu
    transform = Albu.__new__(Albu)  # the constructor wants the package
    with pytest.raises(NotImplementedError, match='only supports horizontal boxes'):
        transform._preprocess_results(dict(bboxes=make_sample()['gt_bboxes']))


def test_instaboost_refuses_points_when_its_package_is_there():
    from mmdet.datasets.transforms import InstaBoost
    transform = InstaBoost.__new__(InstaBoost)
    instance = dict(bbox=[1., 2.], bbox_label=0, ignore_flag=0, mask=[])
    with pytest.raises(ValueError, match='not enough values to unpack'):
        transform._load_anns(dict(instances=[instance]))


def test_every_stock_transform_is_accounted_for():
    stock = {name for registry in (TRANSFORMS, MMCV_TRANSFORMS)
             for name, module in registry.module_dict.items()
             if module.__module__.split('.')[0] in ('mmdet', 'mmcv')}
    moving = {cfg['type'] for cfg in MOVES + MIXES}
    groups = [moving, set(REFUSING), UNUSABLE, WRAPPERS, NOT_GEOMETRIC]
    assert sum(map(len, groups)) == len(set().union(*groups))  # each stands in one group
    assert stock == set().union(*groups)


@pytest.mark.parametrize('name', sorted(UNUSABLE | set(REFUSING)))
def test_the_docstring_names_what_cannot_be_used(name):
    assert name in PointBoxes.__doc__
