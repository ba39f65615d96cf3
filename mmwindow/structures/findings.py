"""From the score map of an image to findings in its pixels (numpy): the same for all that predict."""
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwindow.structures.components import component_boxes


class MapFindings(NamedTuple):
    """Findings of one image, highest score first.

    Attributes:
        boxes: ``(N, 4)`` float32: x1, y1, x2, y2.
        scores: ``(N,)`` float32, the highest score within each.
        labels: ``(N,)`` int64.
        peaks: ``(N, 2)`` float32: x and y of the centre of the highest cell.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    peaks: NDArray[np.float32]

    def take(self, index: NDArray[np.bool_] | NDArray[np.intp] | slice) -> 'MapFindings':
        """Return some of the findings."""
        return MapFindings(self.boxes[index], self.scores[index], self.labels[index],
                           self.peaks[index])


def findings_in_cells(scores: NDArray[np.floating], threshold: float, max_findings: int = 100
                      ) -> MapFindings:
    """Return the 8-connected components of ``{scores >= threshold}``, in cells of the map.

    Args:
        scores: ``(C, h, w)``, scores of one image. They are compared as float32.
        threshold: A cell belongs to a finding from this score on.
        max_findings: Only the highest-scored ones are kept.
    """
    found = [component_boxes(class_scores, threshold)
             for class_scores in np.asarray(scores, dtype=np.float32)]
    values = np.concatenate([components.scores for components in found])
    labels = np.repeat(np.arange(len(found)), [len(components.scores) for components in found])
    order = np.argsort(-values, kind='stable')[:max_findings]
    boxes, peaks = (np.concatenate([getattr(components, name) for components in found])
                    for name in ('boxes', 'peaks'))
    return MapFindings(boxes[order].astype(np.float32), values[order], labels[order],
                       peaks[order].astype(np.float32))


def findings_in_pixels(scores: NDArray[np.floating], threshold: float, max_findings: int,
                       frame: Sequence[int], shown: Sequence[int], factors: Sequence[float]
                       ) -> MapFindings:
    """Return the findings of one image's map, in pixels of the image.

    Args:
        scores: ``(C, h, w)``, scores over exactly the frame.
        threshold: A cell belongs to a finding from this score on.
        max_findings: Only the highest-scored ones are kept.
        frame: Height and width of what the network sees, pixels.
        shown: Height and width to which boxes are clipped, pixels of the image.
        factors: Of x and y, from pixels of the image to those of the frame.
    """
    findings = findings_in_cells(scores, threshold, max_findings)
    for axis in (0, 1):  # x, then y
        factor = frame[1 - axis] / scores.shape[2 - axis] / factors[axis]
        for values in (findings.boxes, findings.peaks):
            sides = values[:, axis::2]
            sides *= factor
            np.clip(sides, 0, shown[1 - axis], out=sides)
    # A component that lies in the padding alone is clipped to nothing.
    has_area = (findings.boxes[:, 2:] > findings.boxes[:, :2]).all(axis=1)
    return findings.take(np.asarray(has_area))
