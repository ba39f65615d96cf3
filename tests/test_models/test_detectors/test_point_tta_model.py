"""Test-time augmentation: views are put back where they belong, averaged or merged."""
import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmdet.models.test_time_augs import DetTTAModel
from mmdet.registry import TRANSFORMS
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData

import mmwindow  # noqa: F401  (registers the models)
from mmwindow.models import PointTTAModel
from mmwindow.models.utils import average_maps, check_upright, view_matrix, vote_boxes

SIDE, STRIDE = 128, 4
FLIPS = [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0),
         dict(type='RandomFlip', prob=1.0, direction='vertical'),
         dict(type='RandomFlip', prob=1.0, direction='diagonal')]


def turn(angle):
    """Return the rotation by an angle; for mmdet a ``reversal_prob`` of 1 never reverses."""
    return dict(type='Rotate', prob=1.0, min_mag=float(abs(angle)), max_mag=float(abs(angle)),
                reversal_prob=float(angle >= 0), img_border_value=0)


class MapDetector(BaseModel):
    """Its map is the image, averaged within cells; ``weights`` along x make it asymmetric."""

    def __init__(self, weights=None, with_image_score=False):
        super().__init__()
        self.weights, self.with_image_score = weights, with_image_score

    def forward(self, inputs, data_samples=None, mode='predict'):
        for img, sample in zip(inputs, data_samples, strict=True):
            check_upright(sample.metainfo)      # as our heads do
            scores = F.avg_pool2d(img[:1].float() / 255, STRIDE)
            if self.weights is not None:
                scores = scores * self.weights
            sample.pred_heatmap = PixelData(scores=scores)
            sample.pred_instances = InstanceData(bboxes=torch.zeros(0, 4))
            if self.with_image_score:
                sample.image_score = scores[..., 0].double().mean(dim=1)
        return data_samples


class BoxDetector(BaseModel):
    """A box of 20 x 12 input pixels around the brightest pixel, in pixels of the original image."""

    def forward(self, inputs, data_samples=None, mode='predict'):
        for img, sample in zip(inputs, data_samples, strict=True):
            weights = (img[0].double() - 100).clamp(min=0)
            axes = [torch.arange(size) + 0.5 for size in weights.shape]
            y = (weights.sum(dim=1) * axes[0]).sum() / weights.sum()
            x = (weights.sum(dim=0) * axes[1]).sum() / weights.sum()
            factors = torch.tensor([*sample.scale_factor] * 2)
            sample.pred_instances = InstanceData(
                bboxes=(torch.stack([x - 10, y - 6, x + 10, y + 6]).float() / factors)[None],
                scores=torch.ones(1), labels=torch.zeros(1, dtype=torch.long))
        return data_samples


def make_batch(imgs, *views):
    """Return what a data loader yields for images ``(H, W)``, each in these lists of transforms."""
    init_default_scope('mmdet')
    pad = [TRANSFORMS.build(dict(type='ResizeToInput', input_size=SIDE)),
           TRANSFORMS.build(dict(type='PadToInput'))]
    augment = TRANSFORMS.build(dict(type='TestTimeAug', transforms=[
        *views, [dict(type='PackPointInputs')]]))
    batch = []
    for number, img in enumerate(imgs):
        results = dict(img=np.repeat(img[..., None], 3, axis=2), img_id=number,
                       img_path=f'film{number}.png', ori_shape=img.shape, img_shape=img.shape,
                       ori_points=[], ori_point_labels=[])
        for transform in pad:
            results = transform(results)
        batch.append(augment(results))
    return pseudo_collate(batch)


def make_img(height, width, x=None, y=None, seed=0):
    """Return noise, or black with a blob around ``(x, y)`` in continuous pixels."""
    if x is None:
        noise = np.random.default_rng(seed).integers(0, 256, (height, width))
        return noise.astype(np.uint8)
    rows, columns = np.mgrid[:height, :width] + 0.5
    return (255 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 2 / 8 ** 2)).astype(np.uint8)


def centroid(scores, shape):
    """Return x and y of the blob of a map in pixels of the image."""
    scores = scores.double().numpy()
    rows, columns = (np.arange(size) + 0.5 for size in scores.shape)
    cell = max(shape) / len(scores)
    return (np.array([(scores.sum(axis=0) * columns).sum(), (scores.sum(axis=1) * rows).sum()])
            / scores.sum() * cell)


# Maps: a black image first.

def test_a_black_image_has_no_score():
    sample, = PointTTAModel(MapDetector()).test_step(
        make_batch([np.zeros((50, 70), np.uint8)], FLIPS, [turn(0), turn(5)]))
    assert (sample.pred_heatmap.scores == 0).all() and len(sample.pred_instances) == 0


@pytest.mark.parametrize('shape', [(128, 128), (90, 128), (128, 77), (333, 200)])
def test_an_equivariant_model_gives_the_maps_that_it_gives_without(shape):
    imgs = [make_img(*shape, seed=seed) for seed in range(2)]
    batch = {key: value[0] for key, value in make_batch(imgs, FLIPS[:1]).items()}
    plain = [sample.pred_heatmap.scores for sample in MapDetector().test_step(batch)]
    merged = PointTTAModel(MapDetector()).test_step(make_batch(imgs, FLIPS))
    for sample, scores in zip(merged, plain, strict=True):
        assert sample.pred_heatmap.scores.dtype == scores.dtype
        torch.testing.assert_close(sample.pred_heatmap.scores, scores, rtol=0, atol=1e-6)


def test_mirrored_views_are_averaged():
    weights = torch.linspace(0, 1, SIDE // STRIDE)         # no longer symmetric
    imgs = [make_img(SIDE, SIDE)]
    sample, = PointTTAModel(MapDetector(weights, True)).test_step(make_batch(imgs, FLIPS[:2]))
    cells = F.avg_pool2d(torch.from_numpy(imgs[0])[None].float() / 255, STRIDE)
    torch.testing.assert_close(sample.pred_heatmap.scores, cells * (weights + weights.flip(0)) / 2)
    # Of each view the mean of its own first column.
    expected = (cells[..., 0].mean() * weights[0] + cells[..., -1].mean() * weights[0]) / 2
    assert sample.image_score.item() == pytest.approx(expected.item())
    assert sample.flip is False and 'view_matrix' not in sample


@pytest.mark.parametrize('angle', [-30, -5, 0, 5, 15, 90])
@pytest.mark.parametrize('flip', FLIPS, ids=['upright', 'horizontal', 'vertical', 'diagonal'])
def test_a_blob_lands_where_it_is(flip, angle):
    """One view alone, with the upright one for what it does not see; the image is 150 x 200."""
    sample, = PointTTAModel(MapDetector()).test_step(
        make_batch([make_img(150, 200, 120.3, 81.6)], [flip], [turn(angle), turn(0)]))
    assert centroid(sample.pred_heatmap.scores[0], (150, 200)) == pytest.approx(
        [120.3, 81.6], abs=0.15)
    single, = PointTTAModel(MapDetector()).merge_preds([[view] for view in MapDetector().test_step(
        upright(make_batch([make_img(150, 200, 110, 110)], [flip], [turn(0)])))])
    assert centroid(single.pred_heatmap.scores[0], (150, 200)) == pytest.approx([110, 110], abs=0.1)


def upright(batch):
    """Return the only view of a batch as PointTTAModel hands it to the detector."""
    sample = batch['data_samples'][0][0]
    sample.set_metainfo(dict(view_matrix=view_matrix(sample.metainfo), flip=False,
                             homography_matrix=None))
    return dict(inputs=batch['inputs'][0], data_samples=[sample])


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_plateaus_stay_plateaus(dtype):
    maps = [torch.full((1, 9, 12), 0.1, dtype=dtype) for _ in range(3)]
    angle = np.deg2rad(7)
    rotation = np.array([[np.cos(angle), -np.sin(angle), 1.], [np.sin(angle), np.cos(angle), -.7],
                         [0, 0, 1]])
    merged = average_maps(maps, [np.eye(3), rotation, np.linalg.inv(rotation)])
    assert (merged == maps[0][0, 0, 0]).all()


def test_cells_that_no_view_sees_are_rejected():
    with pytest.raises(ValueError, match=r'film0.png: .* cells are seen by none of the views'):
        PointTTAModel(MapDetector()).test_step(make_batch([make_img(90, 128)], [turn(20)]))


def test_each_class_has_its_map():
    maps = torch.rand(3, 8, 8)
    mirrored = np.array([[-1, 0, 8], [0, 1, 0], [0, 0, 1.]])
    torch.testing.assert_close(average_maps([maps, maps.flip(2)], [np.eye(3), mirrored]), maps)


# Boxes.

@pytest.mark.parametrize('flip', FLIPS, ids=['upright', 'horizontal', 'vertical', 'diagonal'])
@pytest.mark.parametrize('angle', [0, -8, 15])
def test_the_centre_of_a_box_is_turned_back_and_its_size_is_kept(flip, angle):
    sample, = PointTTAModel(BoxDetector()).test_step(
        make_batch([make_img(150, 200, 120.3, 81.6)], [flip], [turn(angle)]))
    box, = sample.pred_instances.bboxes.tolist()
    # 20 x 12 pixels of an input of 128, so by 200 / 128 of the image.
    assert box == pytest.approx([120.3 - 15.625, 81.6 - 9.375, 120.3 + 15.625, 81.6 + 9.375], abs=0.3)


def test_no_box_in_any_view():
    empty = InstanceData(bboxes=torch.zeros(0, 4), scores=torch.zeros(0),
                         labels=torch.zeros(0, dtype=torch.long))
    merged = vote_boxes(empty)
    assert merged.bboxes.shape == (0, 4) and merged.labels.dtype == torch.long


def vote_slowly(boxes, scores, labels, threshold, most):
    """The definition, box by box."""
    def overlap(first, second):
        width = min(first[2], second[2]) - max(first[0], second[0])
        height = min(first[3], second[3]) - max(first[1], second[1])
        common = max(width, 0) * max(height, 0)
        areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
        return common / (sum(areas) - common)

    left = sorted(range(len(boxes)), key=lambda index: -scores[index])
    merged = []
    while left and len(merged) < most:
        best = left[0]
        cluster = [index for index in left if index == best or (
            labels[index] == labels[best] and overlap(boxes[index], boxes[best]) > threshold)]
        left = [index for index in left if index not in cluster]
        total = sum(scores[index] for index in cluster)
        merged.append([sum(scores[index] * boxes[index][side] for index in cluster) / total
                       for side in range(4)] + [scores[best], labels[best]])
    return merged


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('threshold, most', [(0.5, 100), (0.3, 4)])
def test_voting_against_its_definition(seed, threshold, most):
    generator = np.random.default_rng(seed)
    corners = generator.uniform(0, 40, (30, 2))
    boxes = np.concatenate([corners, corners + generator.uniform(8, 25, (30, 2))], axis=1)
    scores, labels = generator.random(30), generator.integers(0, 2, 30)
    merged = vote_boxes(InstanceData(
        bboxes=torch.tensor(boxes), scores=torch.tensor(scores), labels=torch.tensor(labels)),
        threshold, most)
    expected = np.array(vote_slowly(boxes.tolist(), scores.tolist(), labels.tolist(), threshold,
                                    most))
    assert merged.bboxes.numpy() == pytest.approx(expected[:, :4])
    assert merged.scores.numpy() == pytest.approx(expected[:, 4])
    assert merged.labels.tolist() == expected[:, 5].tolist()


# What cannot be undone.

META = dict(img_path='film.png', ori_shape=(100, 128), img_shape=(128, 128), scale_factor=(1., 1.))


@pytest.mark.parametrize('meta, message', [
    (dict(flip=True, flip_direction='vertical'), 'mirrored and padded'),
    (dict(flip=True, flip_direction='left'), "flip_direction is 'left'"),
    (dict(flip=True, flip_direction='horizontal', homography_matrix=np.eye(3)), 'says otherwise'),
    (dict(homography_matrix=np.diag([-1., 1, 1])), 'says otherwise'),
    (dict(homography_matrix=np.diag([2., 2, 1])), 'scales or shears'),
    (dict(homography_matrix=np.array([[1, .2, 0], [0, 1, 0], [0, 0, 1]])), 'scales or shears'),
    (dict(homography_matrix=np.array([[1, 0, 0], [0, 1, 0], [.01, 0, 1]])), 'scales or shears'),
])
def test_geometry_that_cannot_be_undone(meta, message):
    with pytest.raises(ValueError, match=f'film.png: .*{message}'):
        view_matrix({**META, **meta})


def test_a_mirror_image_without_a_matrix_is_that_of_the_frame():
    matrix = view_matrix({**META, 'flip': True, 'flip_direction': 'horizontal'})
    assert (matrix @ (10, 20, 1)).tolist() == [118, 20, 1]


def test_scaling_is_counted_once_wherever_it_is_recorded():
    meta = dict(scale_factor=(0.5, 0.25), ori_shape=(400, 200), img_shape=(100, 100))
    for matrix in (None, np.eye(3), np.diag([0.5, 0.25, 1])):
        assert (view_matrix({**meta, 'homography_matrix': matrix}) @ (20, 40, 1)).tolist() == [
            10, 10, 1]


def test_a_warp_acts_on_pixel_indices():
    """A right angle about the middle of a frame of 4: pixel (0, 0) comes to a corner, exactly."""
    matrix = cv2.getRotationMatrix2D((1.5, 1.5), 90, 1)
    meta = dict(homography_matrix=np.vstack([matrix, [0, 0, 1]]))
    assert view_matrix(meta) @ (0.5, 0.5, 1) == pytest.approx([0.5, 3.5, 1])


def test_maps_of_mirrored_images_are_rejected_without_augmentation():
    batch = make_batch([make_img(90, 128)], FLIPS[1:2])
    with pytest.raises(ValueError, match='film0.png: it was mirrored.*PointTTAModel'):
        MapDetector().test_step({key: value[0] for key, value in batch.items()})
    check_upright({**META, 'flip': False, 'homography_matrix': None})


def test_the_model_of_mmdet_is_rejected_for_maps():
    """Here its views differ by nothing that could be recorded; it would keep the first one's map."""
    model = DetTTAModel(module=MapDetector())
    with pytest.raises(ValueError, match='keep the map of the first view.*PointTTAModel'):
        model.test_step(make_batch([make_img(90, 128)], [FLIPS[0], FLIPS[0]]))


def test_unknown_settings():
    with pytest.raises(ValueError, match=r"tta_cfg has \['nms'\]"):
        PointTTAModel(MapDetector(), tta_cfg=dict(nms=dict(iou_threshold=0.5)))
