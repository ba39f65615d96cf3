"""THE way from predictions and targets to events and numbers; no mmdet, no torch.

    result = evaluate(maps_by_image_id, targets)
    print(result.metrics)

The metric of mmengine's runner, ``tools/evaluate.py`` and :func:`evaluate` all reduce images by
:func:`reduce_image` and summarise them by :func:`~mmwindow.evaluation.results.summarise`.
"""
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmwindow.evaluation.events.components import (
    box_events,
    check_scores,
    map_events,
    point_events,
)
from mmwindow.evaluation.events.grid import grid_edges, place_on_grid
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.events.targets import Floats
from mmwindow.evaluation.files.finding_counts import NOTHING_COUNTED, FindingCounts
from mmwindow.evaluation.files.predictions import (
    Prediction,
    Target,
    check_boxes,
    check_finding_points,
    check_maps,
    check_target,
    order_classes,
)
from mmwindow.evaluation.froc_settings import BUDGETS, MAP_EXTENTS, MISSING, FROCSettings
from mmwindow.evaluation.hit_rules import HitRule, make_hit_rule
from mmwindow.evaluation.results import EvaluationResult, summarise
from mmwindow.utils.messages import count_words, quote, shorten

__all__ = ['BUDGETS', 'MAP_EXTENTS', 'MISSING', 'ReducedImage', 'evaluate', 'reduce_image']


def evaluate(predictions: Iterable[Prediction] | Mapping[Any, Any], targets: Iterable[Target], *,
             classes: Sequence[str] | str = ('finding',), rule: str | HitRule = 'disk_overlap',
             hit_radius: float = 50., max_overlap: float = 0.1, min_iou: float = 0.5,
             budgets: Sequence[float] | str = 'paper', convention: str = 'first_crossing',
             fp_denominator: str = 'all', map_extent: str = 'frame', missing: str = 'refuse',
             num_resamples: int = 0, seed: int = 0, statistics: Sequence[str] | None = None
             ) -> EvaluationResult:
    """Score predictions of any detector against points or boxes.

    Args:
        predictions: One per image, in any order; read one at a time, so that maps need not be in
            memory together. A mapping from image id to a map ``(n, m)`` or ``(C, n, m)`` will do.
        targets: The images, negative ones included.
        classes: Names that labels count.
        rule: What a hit and a false positive are: a name of
            :data:`~mmwindow.evaluation.hit_rules.HIT_RULES`, the paper's by default, or a rule
            object, which has its own numbers.
        hit_radius: Of the rule, in pixels of a frame of side 1024; see
            :mod:`~mmwindow.evaluation.hit_rules`.
        max_overlap: Of the rule.
        min_iou: Of the rule.
        budgets: FP rates at which recall is reported, or a name of :data:`BUDGETS`.
        convention: See :meth:`~mmwindow.evaluation.FROCCurve.recall_at`.
        fp_denominator: 'all' or 'normals'; see :class:`~mmwindow.evaluation.FROCSettings`.
        map_extent: What a map covers: 'frame', what the network sees, padding included, or 'image',
            the image alone.
        missing: What to do with an image without a prediction: 'refuse' raises, 'empty' counts it
            as one without a finding.
        num_resamples: Of the bootstrap behind the intervals; 0 gives none.
        seed: Of the bootstrap.
        statistics: Names of additional statistics; see
            :class:`~mmwindow.evaluation.FROCSettings`.

    Returns:
        EvaluationResult

    Raises:
        ValueError: An image is predicted twice or never, is unknown or of another size; a score
            is not finite; some images have a score of their own and others none; a point lies
            outside its image; a setting is unknown. The message names the image.

    Example:
        >>> import numpy as np
        >>> from mmwindow.evaluation import Target
        >>> maps = {1: np.eye(8) / 2, 2: np.zeros((8, 8))}
        >>> result = evaluate(maps, [Target(1, 80, 80, points=[[5., 5.]]), Target(2, 80, 80)])
        >>> result.metrics['auroc'], result.counts['points']
        (1.0, 1)

    Definitions: docs/method.md, sections 6 to 8.
    """
    settings = FROCSettings(
        budgets, convention, fp_denominator,
        make_hit_rule(rule, hit_radius=hit_radius, max_overlap=max_overlap, min_iou=min_iou),
        map_extent, missing, num_resamples, seed, statistics)
    classes = check_classes(classes)
    by_id = index_targets(targets, len(classes))
    events: dict[Any, list[ImageEvents]] = {}
    total, frame = NOTHING_COUNTED, None
    has_score: dict[bool, Target] = {}  # an image with a score of its own, and one without
    for prediction in iterate_predictions(predictions):
        target = find_target(prediction, by_id, events)
        frame = check_frame(frame, prediction, target, settings)
        has_score.setdefault(prediction.image_scores is not None, target)
        if len(has_score) == 2:
            raise ValueError(f'{has_score[True].name} has image scores, {has_score[False].name} has '
                             'none: they would be ranked together; give those of all images or none')
        reduced = reduce_image(prediction, target, classes, settings)
        events[target.image_id] = reduced.events
        total += reduced.counted
    absent = [target for target in by_id.values() if target.image_id not in events]
    if absent and missing == 'refuse':
        raise ValueError(
            f'{len(absent)} of {count_words(len(by_id), "image has", "images have")} no prediction: '
            f'{", ".join(target.name for target in absent[:5])}{", ..." if absent[5:] else ""}; '
            'predict them, or, where a detector leaves out an image without a finding, count them as '
            'such: --missing empty')
    for target in absent:
        events[target.image_id] = reduce_image(
            Prediction(target.image_id, boxes=()), target, classes, settings).events
    num_points = [np.shape(target.points)[0] for target in by_id.values()]
    counts = dict(images=len(by_id), positives=sum(num > 0 for num in num_points),
                  points=sum(num_points), missing=len(absent), **total.as_dict())
    rows = [events[image_id] for image_id in by_id]
    return summarise({name: [row[label] for row in rows] for label, name in enumerate(classes)},
                     settings, counts)


def check_classes(classes: Sequence[str] | str) -> tuple[str, ...]:
    """Return the names of the classes.

    Raises:
        ValueError: There is none, or two have one name: results are named by class.
    """
    names = (classes, ) if isinstance(classes, str) else tuple(classes)
    if not names or len(set(names)) != len(names):
        raise ValueError(f'the classes are {names}; at least one, each with a name of its own, is '
                         'expected')
    return names


def index_targets(targets: Iterable[Target], num_classes: int) -> dict[Any, Target]:
    """Return checked targets by image id.

    Raises:
        ValueError: There is none, one occurs twice, or one makes no sense.
    """
    by_id: dict[Any, Target] = {}
    for target in targets:
        if target.image_id in by_id:
            raise ValueError(f'{target.name} occurs twice among the targets; an image counts once')
        by_id[target.image_id] = check_target(target, num_classes)
    if not by_id:
        raise ValueError('there is no target image; an evaluation needs at least one')
    return by_id


def iterate_predictions(predictions: Iterable[Any] | Mapping[Any, Any]) -> Iterator[Prediction]:
    """Yield predictions of an iterable, or of a mapping from image id to map.

    Raises:
        ValueError: A prediction lies under the id of another image, or an entry is none.
    """
    if isinstance(predictions, Mapping):
        for image_id, value in predictions.items():
            if isinstance(value, Prediction) and value.image_id != image_id:
                raise ValueError(f'the prediction under {image_id!r} is of image '
                                 f'{value.image_id!r}; which of the two is meant?')
            yield value if isinstance(value, Prediction) else Prediction(image_id, maps=value)
        return
    for value in predictions:
        if not isinstance(value, Prediction):
            raise ValueError(f'a prediction is of type {type(value).__name__}; Prediction objects, '
                             'or a mapping from image id to map, are expected')
        yield value


def find_target(prediction: Prediction, by_id: Mapping[Any, Target],
                done: Mapping[Any, Any]) -> Target:
    """Return the target of a prediction.

    Raises:
        ValueError: The image is unknown, of another size, or was predicted before.
    """
    image_id = prediction.image_id
    if image_id not in by_id:
        known = ', '.join(quote(key) for key in list(by_id)[:3])
        raise ValueError(f'image {quote(image_id)} is predicted but not among the targets '
                         f'({known}, ...); are the predictions of another set?')
    target = by_id[image_id]
    if image_id in done:
        raise ValueError(f'{target.name} is predicted twice; keep one')
    size = (prediction.height, prediction.width)
    if size != (None, None) and size != (target.height, target.width):
        raise ValueError(f'{target.name} was predicted at {shorten(size[0])} x {shorten(size[1])} '
                         f'pixels (height x width) but is annotated at {target.height} x '
                         f'{target.width}; are they the same image?')
    return target


def check_frame(frame: tuple[int, ...] | None, prediction: Prediction, target: Target,
                settings: FROCSettings) -> tuple[int, ...] | None:
    """Return the shape of the maps of rectangular frames, None while there is none.

    A rectangular frame is that of a network, so it is the same for every image.

    Raises:
        ValueError: A map has another rectangular shape than those before it.
    """
    shape = np.asarray(prediction.maps).shape[-2:] if prediction.maps is not None else ()
    if settings.map_extent == 'image' or len(shape) < 2 or shape[0] == shape[1]:
        return frame
    if frame not in (None, shape):
        raise ValueError(
            f'{target.name}: the map has {shape[0]} x {shape[1]} cells, one before it '
            f'{frame[0]} x {frame[1]}; the frame of a network has one shape (rows x columns). '
            'Are maps over the image alone (--map-extent image)?')
    return shape


class ReducedImage(NamedTuple):
    """What one image contributes.

    Attributes:
        events: One per class.
        counted: Findings that were not taken as they are.
    """

    events: list[ImageEvents]
    counted: FindingCounts


def reduce_image(prediction: Prediction, target: Target, classes: Sequence[str],
                 settings: FROCSettings) -> ReducedImage:
    """Return what one image contributes: the step from image pixels to the 1024 frame.

    Args:
        prediction: Maps, boxes or points.
        target: Checked.
        classes: Names that labels count.
        settings: Of these the rule and what a map covers.

    Raises:
        ValueError: The prediction makes no sense; the message names the image.
    """
    try:
        given = (prediction.maps, prediction.boxes, prediction.points)
        if sum(value is not None for value in given) != 1:
            raise ValueError('a prediction has either maps or boxes, or points')
        prediction = order_classes(prediction, classes)
        image_scores = _image_scores(prediction, len(classes))
        identity = dict(rule=settings.rule, image_id=target.image_id, group=target.group,
                        fields=target.fields)
        if prediction.maps is not None:
            maps = check_maps(prediction.maps, target, len(classes), settings.map_extent)
            return ReducedImage([
                map_events(maps[label], image_score=image_scores[label], **identity,
                           **_targets_on_map(target, label, settings, maps.shape[1:]))
                for label in range(len(classes))], NOTHING_COUNTED)
        make_events, found = (
            (point_events, check_finding_points(prediction, target, len(classes)))
            if prediction.boxes is None else
            (box_events, check_boxes(prediction, target, len(classes))))
        events = []
        for label in range(len(classes)):
            places = found.boxes[found.labels == label] * target.scale
            events.append(make_events(
                places[:, :2] if prediction.boxes is None else places,
                found.scores[found.labels == label], frame_targets(target, label, settings.rule),
                image_score=image_scores[label], **identity))
    except ValueError as error:
        raise ValueError(f'{target.name}: {error}') from error
    return ReducedImage(events, FindingCounts(
        found.num_left_out, found.num_clipped, prediction.num_repeated))


def frame_targets(target: Target, label: int, rule: HitRule) -> Floats:
    """Return the points ``(N, 2)`` or boxes ``(N, 4)`` of one class in frame pixels.

    Raises:
        ValueError: The rule asks for boxes and the points have none.
    """
    targets: Floats = _image_targets(target, label, rule) * target.scale
    return targets


def _image_targets(target: Target, label: int, rule: HitRule) -> Floats:
    """Return the points ``(N, 2)`` or boxes ``(N, 4)`` of one class in pixels of the image."""
    points, own = np.asarray(target.points).reshape(-1, 2), np.asarray(target.labels) == label
    if not rule.needs_boxes:
        return np.asarray(points[own])
    if target.boxes is None and len(points):
        raise ValueError(f'the hit rule {rule.name} asks for target boxes, and the points have none; '
                         "use 'disk_overlap' or 'distance', or annotations with a bbox")
    boxes = np.zeros((0, 4)) if target.boxes is None else np.asarray(target.boxes)[own]
    return boxes.clip(0, [target.width, target.height] * 2)


def _targets_on_map(target: Target, label: int, settings: FROCSettings,
                    shape: tuple[int, ...]) -> dict[str, Any]:
    """Return ``targets`` in frame pixels and ``cells_along`` of a map of rows and columns.

    Over the frame the image is scaled to fit the map (docs/method.md, section 1): the side that
    fills it tells how many cells a pixel is. Where a target lies among the cells is computed in
    pixels of the image: one on an edge is on it in the frame as well.
    """
    nums, pixels = shape[::-1], (target.width, target.height)
    if settings.map_extent == 'frame':
        axis = int(pixels[1] * nums[0] >= pixels[0] * nums[1])
        nums, pixels = (nums[axis],) * 2, (pixels[axis],) * 2
    along = [max(target.width, target.height) * num / side
             for num, side in zip(nums, pixels, strict=True)]
    targets = _image_targets(target, label, settings.rule)
    placed = targets * target.scale
    for column in range(placed.shape[1]):
        axis = column % 2
        edges = grid_edges(shape[1 - axis], along[axis])
        placed[:, column] = place_on_grid(
            placed[:, column], targets[:, column] * nums[axis] / pixels[axis], edges)
    return dict(targets=placed, cells_along=tuple(along))


def _image_scores(prediction: Prediction, num_classes: int) -> list[float | None]:
    if prediction.image_scores is None:
        return [None] * num_classes
    scores = np.asarray(prediction.image_scores)
    if scores.dtype.kind == 'f' and scores.dtype.itemsize < 4:
        check_scores(scores, 'image scores')  # says why half precision is none
    scores = scores.astype(np.float64).reshape(-1)
    if len(scores) != num_classes:
        raise ValueError(f'{count_words(len(scores), "image score")} for '
                         f'{count_words(num_classes, "class", "classes")}')
    return [float(score) for score in scores]
