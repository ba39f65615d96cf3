"""Boxes decoded and suppressed in numpy are those of mmdet and mmcv, and of brute force."""
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmcv.ops import batched_nms
from mmdet.models.task_modules import AnchorGenerator, MlvlPointGenerator
from mmdet.models.task_modules.coders.delta_xywh_bbox_coder import delta2bbox
from mmdet.models.utils import filter_scores_and_topk

from mmwindow.runtime import boxes as ours


def random_boxes(generator, number, side=100):
    corners = generator.uniform(0, side, (number, 2))
    sides = generator.uniform(1, side / 2, (number, 2))
    return np.hstack([corners, corners + sides]).astype(np.float32)


def test_anchors_and_points_are_mmdets():
    generator = AnchorGenerator(strides=[8, 16], ratios=[.5, 1., 2.], octave_base_scale=4,
                                scales_per_octave=3)
    for level, (rows, columns) in enumerate([(3, 5), (2, 1)]):
        theirs = generator.grid_priors([(3, 5), (2, 1)], device='cpu')[level].numpy()
        base = generator.base_anchors[level].numpy()
        anchors = ours.grid_anchors(base, rows, columns, generator.strides[level])
        assert np.array_equal(anchors, theirs)
    theirs = MlvlPointGenerator([8], offset=.5).grid_priors([(3, 5)], device='cpu')[0].numpy()
    assert np.array_equal(ours.grid_points(3, 5, (8, 8), .5), theirs)


def test_decoded_boxes_are_mmdets():
    generator = np.random.default_rng(0)
    anchors, deltas = random_boxes(generator, 50), generator.normal(0, 3, (50, 4)).astype(np.float32)
    for means, deviations, shape in (((0., ) * 4, (1., ) * 4, (90, 110)),
                                     ((.1, 0, .2, 0), (.1, .1, .2, .2), None)):
        theirs = delta2bbox(torch.from_numpy(anchors), torch.from_numpy(deltas), means, deviations,
                            max_shape=shape).numpy()
        # Exponentials of numpy and torch differ in the last bit.
        assert np.allclose(ours.decode_deltas(anchors, deltas, means, deviations, shape), theirs,
                           rtol=1e-5, atol=1e-3)
    assert ours.decode_deltas(np.float32([[0, 0, 10, 20]]), np.float32([[.1, -.1, 0, np.log(2)]]),
                              (0, ) * 4, (1, ) * 4, None) == pytest.approx(
                                  np.array([[1, -12, 11, 28]]), abs=1e-5)


@pytest.mark.parametrize('number, num_groups', [(0, 1), (1, 1), (60, 1), (60, 3), (400, 5)])
def test_suppression_is_mmcvs(number, num_groups):
    generator = np.random.default_rng(number)
    boxes = random_boxes(generator, number)
    scores = generator.permutation(number).astype(np.float32) / max(number, 1)
    groups = generator.integers(0, num_groups, number)
    kept = ours.suppress(boxes, scores, groups, .5, 1000)
    if number:
        _, theirs = batched_nms(torch.from_numpy(boxes), torch.from_numpy(scores),
                                torch.from_numpy(groups), dict(type='nms', iou_threshold=.5))
        assert kept.tolist() == theirs.tolist()
    assert ours.suppress(boxes, scores, groups, .5, 7).tolist() == kept[:7].tolist()


def overlap(first, second):
    """Return the intersection over union of two boxes, by hand."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((first[2] - first[0]) * (first[3] - first[1])
                     + (second[2] - second[0]) * (second[3] - second[1]) - shared)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(1, 9),
                          st.integers(0, 1)), max_size=12))
def test_suppression_is_brute_force(rows):
    boxes = np.float32([[x, y, x + w, y + h] for x, y, w, h, _ in rows]).reshape(-1, 4)
    groups = np.array([row[4] for row in rows], dtype=int)
    scores = np.linspace(1, .5, len(rows), dtype=np.float32)
    expected = []
    for index in range(len(rows)):  # best first already
        if all(groups[index] != groups[other] or overlap(boxes[index], boxes[other]) <= .45001
               for other in expected):
            expected.append(index)
    assert ours.suppress(boxes, scores, groups, .45001, 100).tolist() == expected


def test_two_boxes_without_area_stay():
    boxes = np.float32([[3, 3, 3, 3], [3, 3, 3, 3]])
    assert ours.suppress(boxes, np.float32([.9, .8]), np.zeros(2, int), .5, 9).tolist() == [0, 1]
    assert ours.is_large(boxes, 0).tolist() == [False, False]
    assert ours.is_large(boxes, -1).tolist() == [True, True]


def test_candidates_are_mmdets():
    scores = np.random.default_rng(0).permutation(60).reshape(20, 3).astype(np.float32) / 60
    for threshold, limit in ((.3, 7), (0., 1000), (1., 5)):
        values, labels, rows, _ = filter_scores_and_topk(torch.from_numpy(scores), threshold, limit)
        found_rows, found_labels = ours.best_candidates(scores, threshold, limit)
        assert found_rows.tolist() == rows.tolist() and found_labels.tolist() == labels.tolist()
        assert scores[found_rows, found_labels].tolist() == values.tolist()


def test_sigmoid_and_softmax_do_not_overflow():
    assert ours.sigmoid(np.float32([-1000, 0, 1000])).tolist() == [0, .5, 1]
    assert ours.softmax(np.float32([[1000, 0], [0, 0]])).tolist() == [[1, 0], [.5, .5]]
    assert ours.softmax(np.zeros((0, 2), dtype=np.float32)).shape == (0, 2)
    values = np.linspace(-20, 20, 101, dtype=np.float32)
    theirs = torch.sigmoid(torch.from_numpy(values)).numpy()
    assert np.allclose(ours.sigmoid(values), theirs, atol=1e-7)
