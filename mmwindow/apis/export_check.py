"""Comparing an exported model with torch before it is kept."""
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mmwindow.structures.image_prediction import ImagePrediction
from mmwindow.utils.messages import count_words, shorten

MAX_SCORE_DIFFERENCE = 1e-5
# A class activation map is that of unbounded logits, whose float32 sums differ by more.
MAX_MAP_DIFFERENCE = {'float32': 1e-5, 'float64': 1e-4}
MAX_BOX_DIFFERENCE = 0.01  # pixels of the image
# The second stage of Faster R-CNN scores what it reads at such a box.
MAX_FINDING_DIFFERENCE = 1e-4


@dataclass(frozen=True)
class ExportCheck:
    """How an exported model differs from torch.

    Attributes:
        images: That were compared.
        source: Of the images, in words.
        score_difference: Largest of image scores.
        map_difference: Largest of maps; 0 without maps.
        finding_difference: Largest of the scores of findings.
        box_difference: Largest of the findings' boxes, pixels of the image.
        num_findings: That were compared.
        num_ties: Findings that one of the two has alone, since their score is another's, or since a
            cell of the map is as high as the threshold, to what rounding differs.
    """

    images: int = 0
    source: str = ''
    score_difference: float = 0.
    map_difference: float = 0.
    finding_difference: float = 0.
    box_difference: float = 0.
    num_findings: int = 0
    num_ties: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the check as JSON data."""
        return asdict(self)

    def describe(self) -> str:
        """Return the check as one line."""
        maps = f', maps by {self.map_difference:.1e}' if self.map_difference else ''
        return (f'{self.images} images ({self.source}): image scores differ by at most '
                f'{self.score_difference:.1e}{maps}, {count_words(self.num_findings, "finding")} by '
                f'{self.finding_difference:.1e} and {self.box_difference:.1e} pixels, '
                f'{self.num_ties} ties')


def compare_predictions(ours: Sequence[ImagePrediction], theirs: Sequence[ImagePrediction],
                        source: str, threshold: float) -> ExportCheck:
    """Return how the predictions of an exported model differ from torch's.

    Args:
        ours: Of the exported model.
        theirs: Of torch, on the same images, with maps.
        source: Of the images, in words.
        threshold: Of findings on maps.

    Raises:
        ValueError: They differ by more than rounding; the message names the image.
    """
    check = ExportCheck(len(ours), source)
    for our, their in zip(ours, theirs, strict=True):
        check = compare_images(check, our, their, threshold)
    return check


def compare_images(check: ExportCheck, our: ImagePrediction, their: ImagePrediction, threshold: float
                   ) -> ExportCheck:
    """Return a check with one more image in it.

    Raises:
        ValueError: As :func:`compare_predictions`.
    """
    name = shorten(their.name)
    score = largest(our.image_scores, their.image_scores, name, 'image scores')
    expect(score <= MAX_SCORE_DIFFERENCE, f'{name}: image scores differ by {score:.2g}')
    map_difference, is_tied = 0., False
    if their.heatmap is not None:
        assert our.heatmap is not None
        map_difference = largest(our.heatmap, their.heatmap, name, 'maps')
        limit = MAX_MAP_DIFFERENCE[their.heatmap.dtype.name]
        expect(map_difference <= limit, f'{name}: maps differ by {map_difference:.2g}')
        # A cell as high as the threshold belongs to a finding or not, by its last bit.
        is_tied = bool((np.abs(their.heatmap - threshold) <= map_difference).any())
    finding = box = 0.
    ties = 0
    matches = match_findings(our, their)
    for prediction, others in ((their, matches), (our, match_findings(their, our))):
        for index, match in enumerate(others):
            if match is None:
                ties += 1
                expect(is_tied or has_equal(prediction, index), f'{name}: a finding of score '
                       f'{prediction.scores[index]:.5f} at {prediction.boxes[index].tolist()} '
                       'is found by one of the two alone')
    for index, match in enumerate(matches):
        if match is not None:
            finding = max(finding, float(abs(our.scores[match] - their.scores[index])))
            box = max(box, float(np.abs(our.boxes[match] - their.boxes[index]).max()))
    return ExportCheck(
        check.images, check.source, max(check.score_difference, score),
        max(check.map_difference, map_difference), max(check.finding_difference, finding),
        max(check.box_difference, box), check.num_findings + len(their.boxes), check.num_ties + ties)


def match_findings(ours: ImagePrediction, theirs: ImagePrediction) -> list[int | None]:
    """Return for each of their findings the index of ours that is the same, None where none is."""
    matches: list[int | None] = []
    for box, score, label in zip(theirs.boxes, theirs.scores, theirs.labels, strict=True):
        is_same = ((np.abs(ours.boxes - box).max(axis=1, initial=0) <= MAX_BOX_DIFFERENCE)
                   & (np.abs(ours.scores - score) <= MAX_FINDING_DIFFERENCE) & (ours.labels == label))
        matches.append(int(is_same.argmax()) if is_same.any() else None)
    return matches


def has_equal(prediction: ImagePrediction, index: int) -> bool:
    """Tell whether another finding of a prediction has the score of one, to what rounding differs."""
    differences = np.abs(np.delete(prediction.scores, index) - prediction.scores[index])
    return bool((differences <= MAX_FINDING_DIFFERENCE).any())


def largest(our: np.ndarray, their: np.ndarray, name: str, what: str) -> float:
    """Return the largest difference of two arrays.

    Raises:
        ValueError: Their shapes differ.
    """
    expect(our.shape == their.shape, f'{name}: {what} of shapes {our.shape} and {their.shape}')
    return float(np.abs(np.asarray(our, dtype=np.float64) - their).max(initial=0))


def expect(is_right: bool, text: str) -> None:
    """Raise an error where an exported model differs from torch.

    Raises:
        ValueError: It does.
    """
    if not is_right:
        raise ValueError(f'the exported model is not the one of torch: {text}; nothing was written')
