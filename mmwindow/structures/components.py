"""From a score map to its findings at one threshold (numpy)."""
import numpy as np
from scipy import ndimage

EIGHT_CONNECTED = np.ones((3, 3), dtype=int)


def component_boxes(scores: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the 8-connected components of ``{scores >= threshold}`` as boxes, and their scores.

    Args:
        scores: ``(h, w)``.
        threshold: A cell belongs to a finding from this score on.

    Returns:
        ``(N, 4)`` float64: x1, y1, x2, y2 in cells, spanning whole cells; and ``(N,)``: the highest
        score within each component, in the dtype of the map.

    Example:
        >>> component_boxes(np.array([[.9, .1, .1], [.1, .6, .1], [.1, .1, .1]]), 0.5)
        (array([[0., 0., 2., 2.]]), array([0.9]))
    """
    components, num = ndimage.label(scores >= threshold, structure=EIGHT_CONNECTED)
    boxes = [(columns.start, rows.start, columns.stop, rows.stop)
             for rows, columns in ndimage.find_objects(components)]
    highest = ndimage.maximum(scores, components, np.arange(1, num + 1)) if num else ()
    return (np.array(boxes, dtype=np.float64).reshape(-1, 4),
            np.array(highest, dtype=np.asarray(scores).dtype))
