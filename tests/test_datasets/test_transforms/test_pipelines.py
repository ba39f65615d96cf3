"""The pipelines of configs/_base_/datasets/points.py from the file to the packed sample."""
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmwindow.apis.config import merge_options

CONFIG = Path(__file__).parents[3] / 'configs' / '_base_' / 'datasets' / 'points.py'
# A soft window: with the paper's, floats are 1.0 for many cells around a point.
WINDOW = dict(lower_radius=50, upper_radius=200, softness=20)
SIDE = 256
FILMS = {  # file name: height, width and points of a disk each
    'two.png': (300, 420, [(150.5, 110.25), (260., 190.)]),
    'one.png': (420, 300, [(140., 215.5)]),
    'normal.png': (200, 200, [])}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A data set of dark films with a bright disk at each point."""
    folder = tmp_path_factory.mktemp('disks')
    (folder / 'images').mkdir()
    (folder / 'annotations').mkdir()
    images, annotations = [], []
    for number, (name, (height, width, points)) in enumerate(FILMS.items()):
        rows, columns = np.mgrid[:height, :width] + 0.5
        film = np.zeros((height, width))
        for x, y in points:
            film += 250 * np.clip(12.5 - np.hypot(columns - x, rows - y), 0, 1)
            annotations.append(dict(id=len(annotations) + 1, image_id=number, category_id=1,
                                    keypoints=[x, y, 2], num_keypoints=1))
        cv2.imwrite(str(folder / 'images' / name), film)
        images.append(dict(id=number, file_name=name, height=height, width=width))
    for split in ('train', 'val'):
        (folder / 'annotations' / f'{split}.json').write_text(json.dumps(dict(
            images=images, annotations=annotations, categories=[dict(id=1, name='fracture')])))
    return folder


def build(folder, split):
    cfg = Config.fromfile(str(CONFIG))
    init_default_scope('mmdet')
    merge_options(cfg, dict(input_size=SIDE, window=WINDOW, data_root=f'{folder}/'))
    return DATASETS.build(cfg[f'{split}_dataloader'].dataset)


def find_disks(pixels):
    """Return the centres of the bright disks ``(N, 2)``, x and y in pixels of the frame."""
    _, _, stats, centres = cv2.connectedComponentsWithStats((pixels > 128).astype(np.uint8))
    return centres[1:][stats[1:, cv2.CC_STAT_AREA] > 20] + 0.5


def expected_bound(points, radius, stride):
    """Eq. 1 and 2 written as they stand, in numpy, for the scaled lengths."""
    size = SIDE // stride
    rows, columns = (np.mgrid[:size, :size] + 0.5) * stride
    bound = np.zeros((size, size))
    for x, y in points:
        distance = np.hypot(columns - x, rows - y)
        bound = np.maximum(bound, 1 / (1 + np.exp(-(radius - distance) * 1024 / SIDE / 20)))
    return bound


@pytest.mark.parametrize('seed', range(6))
def test_bounds_lie_where_the_findings_went(folder, seed):
    dataset = build(folder, 'train')
    for index, (_, _, points) in enumerate(FILMS.values()):
        np.random.seed(seed)
        packed = dataset[index]
        sample = packed['data_samples']
        assert packed['inputs'].shape == (3, SIDE, SIDE)
        disks = find_disks(packed['inputs'][0].numpy())
        moved = sample.gt_instances.bboxes.tensor.double().numpy()
        assert len(disks) == len(moved) == len(points)  # a normal stays one
        for point in moved:
            nearest = min(disks, key=lambda disk, point=point: np.hypot(*(disk - point)))
            # The disk's edge is cut at a grey level, its centre is good to a fifth of a pixel.
            np.testing.assert_allclose(point, nearest, atol=0.2)
        for stride in (4, 8, 16, 32):
            level = sample.gt_bounds.get(f'stride{stride}')
            for bound, radius in ((level.lower, 50), (level.upper, 200)):
                np.testing.assert_allclose(
                    bound[0], expected_bound(moved, radius * SIDE / 1024, stride), atol=1e-4)
        if len(moved):
            lower = sample.gt_bounds.stride4.lower[0]
            row, column = divmod(int(lower.argmax()), SIDE // 4)
            top = np.array([(column + 0.5) * 4, (row + 0.5) * 4])
            # The maximum is the cell that holds a disk's centre: half a cell along each axis.
            assert np.abs(disks - top).max(axis=1).min() <= 2.2


def test_the_original_points_reach_the_metric_unmoved(folder):
    for split in ('train', 'val'):
        dataset = build(folder, split)
        for index, (height, width, points) in enumerate(FILMS.values()):
            sample = dataset[index]['data_samples']
            assert sample.ori_points == [list(point) for point in points]
            assert sample.ori_shape == (height, width) and sample.input_size == (SIDE, SIDE)
            assert sample.ori_point_labels == [0] * len(points)


def test_testing_changes_nothing_but_the_size(folder):
    dataset = build(folder, 'val')
    for index, (height, width, points) in enumerate(FILMS.values()):
        packed = dataset[index]
        assert 'gt_bounds' not in packed['data_samples']
        scale = SIDE / max(height, width)
        disks = sorted(find_disks(packed['inputs'][0].numpy()).tolist())
        expected = sorted([x * scale, y * scale] for x, y in points)
        assert len(disks) == len(expected)
        np.testing.assert_allclose(np.reshape(disks, (-1, 2)), np.reshape(expected, (-1, 2)),
                                   atol=0.2)
        assert torch.equal(packed['inputs'], dataset[index]['inputs'])  # nothing is random
