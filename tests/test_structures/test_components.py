"""Components of a map at a threshold: boxes, scores, peaks."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from mmwindow.structures.components import component_boxes
from mmwindow.structures.findings import findings_in_pixels


def label_by_scipy(scores, threshold):
    """Return boxes, scores and peaks by another library, in its order."""
    labels, num = ndimage.label(scores >= threshold, structure=np.ones((3, 3)))
    boxes = [(columns.start, rows.start, columns.stop, rows.stop)
             for rows, columns in ndimage.find_objects(labels)]
    peaks = []
    for label in range(1, num + 1):
        masked = np.where(labels == label, scores, -1)
        row, column = np.unravel_index(masked.argmax(), masked.shape)
        peaks.append((column + .5, row + .5))
    return boxes, [scores[labels == label].max() for label in range(1, num + 1)], peaks


@given(arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)),
              elements=st.sampled_from(np.float32([0, .2, .5, .7, .9]))))
def test_components_are_scipys_in_the_same_order(scores):
    found = component_boxes(scores, 0.5)
    boxes, highest, peaks = label_by_scipy(scores, 0.5)
    assert found.boxes.tolist() == [list(map(float, box)) for box in boxes]
    assert found.scores.tolist() == [float(score) for score in highest]
    assert found.peaks.tolist() == [list(peak) for peak in peaks]


def test_a_large_map_has_the_same_components():
    scores = np.random.default_rng(0).random((256, 320), dtype=np.float32)
    found = component_boxes(scores, 0.8)
    boxes, highest, _ = label_by_scipy(scores, 0.8)
    assert np.array_equal(found.boxes, boxes) and np.array_equal(found.scores, highest)
    assert len(boxes) > 1000


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_a_map_without_a_finding_has_none(dtype):
    found = component_boxes(np.zeros((4, 5), dtype=dtype), 0.5)
    assert found.boxes.shape == (0, 4) and found.peaks.shape == (0, 2)
    assert found.scores.dtype == dtype and found.scores.shape == (0,)


def test_findings_are_in_pixels_of_the_image_and_those_of_the_padding_are_gone():
    # A frame of 64 x 64 at half the size of an image of 64 x 128: its lower half is padding.
    scores = np.zeros((1, 16, 16))
    scores[0, 1, 2], scores[0, 1, 3], scores[0, 12, 2] = .6, .9, .8
    found = findings_in_pixels(scores, .5, 100, (64, 64), (64, 128), (.5, .5))
    assert found.boxes.tolist() == [[16, 8, 32, 16]]  # cells of 8 pixels of the image
    assert found.peaks.tolist() == [[28, 12]] and found.labels.tolist() == [0]
    assert found.scores.tolist() == [np.float32(.9)]
    assert len(findings_in_pixels(scores, .95, 100, (64, 64), (64, 128), (.5, .5)).scores) == 0
