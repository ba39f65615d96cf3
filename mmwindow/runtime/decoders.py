"""From the outputs of an exported graph to the findings of each image, one class per kind of system.

A decoder is made of the numbers that the file holds (:attr:`ModelInfo.decoder`), which an export
takes from the model.
"""
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from mmwindow.runtime.boxes import (
    Floats,
    best_candidates,
    decode_deltas,
    decode_distances,
    flatten_level,
    grid_anchors,
    grid_points,
    is_large,
    sigmoid,
    softmax,
    suppress,
)
from mmwindow.runtime.model_info import numbers
from mmwindow.structures.findings import findings_in_pixels
from mmwindow.structures.image_prediction import best_box_scores, box_middles
from mmwindow.utils.json_fields import FLAG, NUMBER, WHOLE, Kind
from mmwindow.utils.messages import quote

# Decoders are made with neither comparison nor text: each would be compiled at every start.
Outputs = Mapping[str, np.ndarray]
Tuples = tuple[tuple[float, ...], ...]


class Place(NamedTuple):
    """Where an image lies in the frame of the network.

    Attributes:
        frame: Height and width of the frame, pixels.
        image_size: Height and width of the image, its pixels.
        factors: Of x and y, from pixels of the image to those of the frame.
    """

    frame: tuple[int, int]
    image_size: tuple[int, int]
    factors: tuple[float, float]

    def to_image(self, boxes: Floats) -> Floats:
        """Return boxes ``(N, 4)`` of the frame in pixels of the image."""
        return boxes * np.array([1 / factor for factor in self.factors] * 2, dtype=np.float32)


class Decoded(NamedTuple):
    """What a network says about one image; as in ImagePrediction."""

    image_scores: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    peaks: np.ndarray
    heatmap: np.ndarray | None = None

    @classmethod
    def of_boxes(cls, boxes: Floats, scores: Floats, labels: np.ndarray, num_classes: int
                 ) -> 'Decoded':
        """Return what boxes say: the score of the image is that of its best box."""
        return cls(best_box_scores(scores, labels, num_classes), boxes, scores, labels,
                   box_middles(boxes))


class Decoder(Protocol):
    """What turns the outputs of one graph into findings."""

    def output_names(self) -> list[str]:
        """Return the outputs that the graph must have."""

    def decode(self, outputs: Outputs, index: int, place: Place) -> Decoded:
        """Return what the outputs say about the image in row ``index`` of the batch."""


@dataclass(eq=False, repr=False)
class MapDecoder:
    """Findings are the components of a map at a threshold.

    Attributes:
        score_threshold: A cell belongs to a finding from this score on.
        max_findings: Only the highest-scored ones are kept.
    """

    kind: ClassVar[str] = 'map'
    score_threshold: float
    max_findings: int

    def output_names(self) -> list[str]:
        """Return the outputs that the graph must have."""
        return ['map', 'score']

    def decode(self, outputs: Outputs, index: int, place: Place) -> Decoded:
        """Return findings, image scores and the map."""
        heatmap = outputs['map'][index]
        found = findings_in_pixels(heatmap, self.score_threshold, self.max_findings, place.frame,
                                   place.image_size, place.factors)
        return Decoded(outputs['score'][index], *found, heatmap)  # type: ignore[arg-type]


@dataclass(eq=False, repr=False)
class DenseDecoder:
    """What the box detectors of one stage share: a score and a box for each prior of each level.

    Attributes:
        num_classes: Each with scores of its own.
        strides: Of x and y, of each level.
        candidates_per_level: So many of the best go on.
        score_threshold: Boxes are above it.
        min_size: Boxes are wider and higher, where it is not negative.
        max_overlap: Intersection over union from which the worse of two boxes goes.
        max_findings: Only the highest-scored ones are kept.
        clips: Whether boxes are clipped to the frame.
    """

    kind: ClassVar[str] = ''
    factors: ClassVar[bool] = False  # whether a second score is multiplied with the first
    num_classes: int
    strides: Tuples
    candidates_per_level: int
    score_threshold: float
    min_size: float
    max_overlap: float
    max_findings: int
    clips: bool

    def output_names(self) -> list[str]:
        """Return the outputs that the graph must have."""
        kinds = ('class', 'box', 'factor') if self.factors else ('class', 'box')
        return [f'{kind}_{level}' for kind in kinds for level in range(len(self.strides))]

    def level_boxes(self, level: int, rows: np.ndarray, distances: Floats,
                    grid: tuple[int, int], shape: Sequence[int] | None) -> Floats:
        """Return the boxes of some priors of a level.

        Args:
            level: Counted from the finest.
            rows: Which priors.
            distances: What the head gives for them, ``(N, 4)``.
            grid: Rows and columns of the level.
            shape: Height and width to which boxes are clipped; None: they are not.
        """
        raise NotImplementedError

    def candidates(self, outputs: Outputs, index: int, frame: Sequence[int]
                   ) -> tuple[Floats, Floats, np.ndarray, np.ndarray]:
        """Return boxes in the frame, scores, labels and levels of an image's best candidates."""
        found = []
        for level in range(len(self.strides)):
            logits = outputs[f'class_{level}'][index]
            scores = sigmoid(flatten_level(logits, self.num_classes))
            rows, labels = best_candidates(scores, self.score_threshold, self.candidates_per_level)
            boxes = self.level_boxes(
                level, rows, flatten_level(outputs[f'box_{level}'][index], 4)[rows],
                (logits.shape[1], logits.shape[2]), frame if self.clips else None)
            values = scores[rows, labels]
            if self.factors:
                factors = flatten_level(outputs[f'factor_{level}'][index], 1)
                values = values * sigmoid(factors)[rows, 0]
            found.append((boxes, values, labels, np.full(len(rows), level)))
        boxes, values, labels, levels = (np.concatenate(part) for part in zip(*found, strict=True))
        return boxes, values, labels, levels

    def decode(self, outputs: Outputs, index: int, place: Place) -> Decoded:
        """Return the boxes that are left after suppression, in pixels of the image."""
        boxes, scores, labels, _ = self.candidates(outputs, index, place.frame)
        boxes = place.to_image(boxes)
        large = is_large(boxes, self.min_size)
        boxes, scores, labels = boxes[large], scores[large], labels[large]
        kept = suppress(boxes, scores, labels, self.max_overlap, self.max_findings)
        return Decoded.of_boxes(boxes[kept], scores[kept], labels[kept], self.num_classes)


@dataclass(eq=False, repr=False)
class AnchorDecoder(DenseDecoder):
    """RetinaNet, and the first stage of Faster R-CNN: boxes shift and scale anchors.

    Attributes:
        base_anchors: Of each level, x1, y1, x2, y2 around the corner of a cell.
        means: That the shifts were normalised by.
        deviations: Likewise.
        ratio_clip: Sides change by a factor from this to its inverse.
    """

    kind: ClassVar[str] = 'anchors'
    base_anchors: tuple[Tuples, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    ratio_clip: float

    def level_boxes(self, level: int, rows: np.ndarray, distances: Floats,
                    grid: tuple[int, int], shape: Sequence[int] | None) -> Floats:
        """Return the boxes of some anchors of a level."""
        base = np.asarray(self.base_anchors[level], dtype=np.float32)
        anchors = grid_anchors(base, *grid, self.strides[level])
        return decode_deltas(anchors[rows], distances, self.means, self.deviations, shape,
                             self.ratio_clip)


@dataclass(eq=False, repr=False)
class PointDecoder(DenseDecoder):
    """FCOS: boxes by the distances of their sides from points; a second score is the centredness.

    Attributes:
        offset: Of the points in their cells.
    """

    kind: ClassVar[str] = 'points'
    factors: ClassVar[bool] = True
    offset: float

    def level_boxes(self, level: int, rows: np.ndarray, distances: Floats,
                    grid: tuple[int, int], shape: Sequence[int] | None) -> Floats:
        """Return the boxes of some points of a level."""
        points = grid_points(*grid, self.strides[level], self.offset)
        return decode_distances(points[rows], distances, shape)


@dataclass(eq=False, repr=False)
class ProposalDecoder(AnchorDecoder):
    """The first stage of Faster R-CNN: regions to look at again."""

    kind: ClassVar[str] = 'proposals'

    def proposals(self, outputs: Outputs, index: int, frame: Sequence[int]) -> Floats:
        """Return regions ``(N, 4)`` of an image in pixels of the frame, best first."""
        boxes, scores, _, levels = self.candidates(outputs, index, frame)
        large = is_large(boxes, self.min_size)
        boxes, scores, levels = boxes[large], scores[large], levels[large]
        return boxes[suppress(boxes, scores, levels, self.max_overlap, self.max_findings)]


@dataclass(eq=False, repr=False)
class RegionDecoder:
    """The second stage of Faster R-CNN: classes and boxes of regions.

    Attributes:
        num_classes: Without the background, the last column of the scores.
        strides: Of the levels that regions are read from.
        finest_scale: A region of this side times two is read from the second level, and so on.
        means: That the shifts were normalised by.
        deviations: Likewise.
        ratio_clip: Sides change by a factor from this to its inverse.
        class_agnostic: Whether all classes share one box.
        score_threshold: Boxes are above it.
        max_overlap: Intersection over union from which the worse of two boxes goes.
        max_findings: Only the highest-scored ones are kept.
        clips: Whether boxes are clipped to the frame.
    """

    kind: ClassVar[str] = 'regions'
    num_classes: int
    strides: tuple[float, ...]
    finest_scale: float
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    ratio_clip: float
    class_agnostic: bool
    score_threshold: float
    max_overlap: float
    max_findings: int
    clips: bool

    def levels(self, regions: Floats) -> np.ndarray:
        """Return the level that each region is read from, ``(N,)``."""
        sides = np.sqrt((regions[:, 2] - regions[:, 0]) * (regions[:, 3] - regions[:, 1]))
        levels = np.floor(np.log2(sides / np.float32(self.finest_scale) + np.float32(1e-6)))
        return levels.clip(0, len(self.strides) - 1).astype(np.int64)

    def decode_regions(self, regions: Floats, logits: Floats, deltas: Floats, place: Place
                       ) -> Decoded:
        """Return the boxes of an image.

        Args:
            regions: ``(N, 4)`` in pixels of the frame.
            logits: ``(N, num_classes + 1)``.
            deltas: ``(N, 4)``, or four for each class.
            place: Of the image.
        """
        scores = softmax(logits)[:, :-1]
        deltas = deltas.reshape(len(regions), -1, 4)
        each = np.repeat(regions, deltas.shape[1], axis=0)
        boxes = decode_deltas(each, deltas.reshape(-1, 4), self.means, self.deviations,
                              place.frame if self.clips else None, self.ratio_clip)
        boxes = place.to_image(boxes)
        boxes = np.broadcast_to(boxes.reshape(*deltas.shape), (*scores.shape, 4))
        rows, labels = np.nonzero(scores > self.score_threshold)
        boxes, values = boxes[rows, labels], scores[rows, labels]
        kept = suppress(boxes, values, labels, self.max_overlap, self.max_findings)
        return Decoded.of_boxes(boxes[kept], values[kept], labels[kept], self.num_classes)


DECODERS: dict[str, type] = {
    decoder.kind: decoder for decoder in (MapDecoder, AnchorDecoder, PointDecoder, ProposalDecoder,
                                          RegionDecoder)}
NUMBERS: dict[str, Kind] = dict(
    num_classes=WHOLE, candidates_per_level=WHOLE, max_findings=WHOLE, score_threshold=NUMBER,
    min_size=NUMBER, max_overlap=NUMBER, clips=FLAG, ratio_clip=NUMBER, offset=NUMBER,
    finest_scale=NUMBER, class_agnostic=FLAG)
SHAPES: dict[str, tuple[int | None, ...]] = dict(
    strides=(None, 2), base_anchors=(None, None, 4), means=(4,), deviations=(4,))


def describe_decoder(decoder: Any) -> dict[str, Any]:
    """Return a decoder as JSON data."""
    content: dict[str, Any] = json.loads(json.dumps(asdict(decoder)))  # lists for tuples
    return dict(kind=decoder.kind, **content)


def make_decoder(content: Any, kinds: Sequence[str], name: str) -> Any:
    """Return the decoder that JSON data describes.

    Args:
        content: From :func:`describe_decoder`.
        kinds: That are expected.
        name: Of the file, for the messages.

    Raises:
        ValueError: A number is missing, or none that it can be.
    """
    kind = content.get('kind') if isinstance(content, Mapping) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f'{name}: the decoder is of the kind {quote(kind)}; one of '
                         f'{", ".join(kinds)} is expected')
    decoder, values = DECODERS[kind], {}
    for key in (each.name for each in fields(decoder)):
        value = content.get(key)
        shape = (None,) if (kind, key) == ('regions', 'strides') else SHAPES.get(key)
        if not (NUMBERS[key].fits(value) if shape is None else numbers(value, *shape)):
            raise ValueError(f'{name}: "{key}" of the decoder is {quote(value)}; what mmwindow '
                             'export writes is expected')
        values[key] = freeze(value)
    if 'base_anchors' in values and len(values['base_anchors']) != len(values['strides']):
        raise ValueError(f'{name}: the decoder has anchors of {len(values["base_anchors"])} levels, '
                         f'strides of {len(values["strides"])}; as many are expected')
    return decoder(**values)


def freeze(value: Any) -> Any:
    """Return nested lists as tuples."""
    return tuple(map(freeze, value)) if isinstance(value, list | tuple) else value
