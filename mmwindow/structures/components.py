"""From a score map to its findings at one threshold (numpy and OpenCV)."""
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray


class Components(NamedTuple):
    """Components of a map, in the order of their first cells.

    Attributes:
        boxes: ``(N, 4)`` float64: x1, y1, x2, y2 in cells, spanning whole cells.
        scores: ``(N,)``, the highest score within each, in the dtype of the map.
        peaks: ``(N, 2)`` float64: x and y in cells of the centre of the first cell of this score.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.floating]
    peaks: NDArray[np.float64]


def component_boxes(scores: np.ndarray, threshold: float) -> Components:
    """Return the 8-connected components of ``{scores >= threshold}``.

    Args:
        scores: ``(h, w)``.
        threshold: A cell belongs to a finding from this score on.

    Example:
        >>> component_boxes(np.array([[.9, .1, .1], [.1, .6, .1], [.1, .1, .1]]), 0.5)
        Components(boxes=array([[0., 0., 2., 2.]]), scores=array([0.9]), peaks=array([[0.5, 0.5]]))
    """
    is_finding = scores >= threshold
    # Of OpenCV's algorithms this one counts components in the order of their first cells.
    num, labels, statistics, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        np.ascontiguousarray(is_finding, dtype=np.uint8), 8, cv2.CV_32S, cv2.CCL_WU)
    left_top, sizes = statistics[1:, :2], statistics[1:, 2:4]
    cells = np.flatnonzero(is_finding)
    values, owners = scores.ravel()[cells], labels.ravel()[cells]
    order = np.lexsort((cells, -values, owners))
    first = order[np.searchsorted(owners[order], np.arange(1, num))]
    rows, columns = np.divmod(cells[first], scores.shape[1])
    return Components(np.hstack([left_top, left_top + sizes]).astype(np.float64), values[first],
                      np.stack([columns, rows], axis=1) + 0.5)
