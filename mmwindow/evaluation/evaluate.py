"""The one call: predictions and targets in, a result object out; no mmdet, no torch.

    result = evaluate(maps_by_image_id, targets)
    print(result.metrics)
"""
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .components import box_events, map_events
from .froc import CONVENTIONS, DEFAULT_BUDGETS, froc_curve
from .predictions import (
    MAP_EXTENTS,
    Prediction,
    check_boxes,
    check_maps,
    check_target,
)
from .records import write_record
from .roc import auroc, roc_curve
from .targets import FRAME_SIDE

# FP rates by name: the paper's, and those of LUNA16 (Setio et al. 2017).
BUDGETS = dict(paper=DEFAULT_BUDGETS, luna16=(0.125, 0.25, 0.5, 1., 2., 4., 8.))
MISSING = ('refuse', 'empty')


@dataclass(frozen=True)
class EvaluationResult:
    """All classes, how they were scored, and what was counted on the way.

    Attributes:
        classes (dict[str, ClassResult]): By name.
        metrics (dict[str, float]): As those of a class; with several classes the mean over those
            that have a number, then one set for each, ``<class>_<metric>``.
        settings (dict): Hit rule and its numbers, frame side, budgets, convention, denominator,
            extent of the maps, what was done with missing images.
        counts (dict[str, int]): ``images``, ``positives`` (images with a point), ``points``,
            ``missing`` (images without a prediction, counted as without a finding) and
            ``boxes_left_out`` (wholly outside their image, or without area).
    """

    classes: dict
    metrics: dict
    settings: dict
    counts: dict = field(default_factory=dict)

    def write(self, path, source=None):
        """Write the record; see :func:`~mmwindow.evaluation.write_record`."""
        return write_record(path, {name: entry.events for name, entry in self.classes.items()},
                            self.settings, self.metrics,
                            source={**(source or {}), 'counts': self.counts})


@dataclass(frozen=True)
class ClassResult:
    """The numbers of one class.

    Attributes:
        events (list[ImageEvents]): One per image, normals included.
        froc (FROCCurve): Exact.
        roc (ROCCurve): Of the image scores; None with one kind of image.
        metrics (dict[str, float]): ``auroc``, ``recall@<budget>`` and ``froc_score``; NaN where
            there is none.
        thresholds (dict[float, float]): The score behind each budget: the lowest threshold such
            that the FP rate keeps to it there and at every higher one; inf where none does.
        notes (list[str]): Why a number is missing.
    """

    events: list
    froc: object
    roc: object
    metrics: dict
    thresholds: dict
    notes: list


def evaluate(predictions, targets, *, classes=('finding',), hit_radius=50., max_overlap=0.1,
             budgets='paper', convention='first_crossing', map_extent='frame', missing='refuse'):
    """Score predictions of any detector against points.

    Args:
        predictions (Iterable[Prediction] | Mapping): One per image, in any order; read one at a
            time, so that maps need not be in memory together. A mapping from image id to a map
            ``(n, m)`` or ``(C, n, m)`` will do.
        targets (Iterable[Target]): The images, normals included.
        classes (Sequence[str]): Names that labels count.
        hit_radius (float): Radius of the disk around a point in pixels of a frame of side 1024.
        max_overlap (float): A box that overlaps the disks by less than this fraction of its area
            is a false positive.
        budgets (Sequence[float] | str): False positives per image at which recall is reported, or
            a name of :data:`BUDGETS`.
        convention (str): See :meth:`FROCCurve.recall_at`.
        map_extent (str): What a map covers: 'frame', the padded square, or 'image', the image
            alone, with its aspect.
        missing (str): What to do with an image without a prediction: 'refuse', or 'empty': it
            counts as one without a finding.

    Returns:
        EvaluationResult

    Raises:
        ValueError: An image is predicted twice or never, is unknown or of another size; a score
            is not finite; a point lies outside its image; a setting is unknown. The message
            names the image.

    Definitions: docs/method.md, sections 6 and 7.
    """
    settings = check_settings(hit_radius=hit_radius, max_overlap=max_overlap, budgets=budgets,
                              convention=convention, map_extent=map_extent, missing=missing)
    classes = tuple(classes)
    by_id = index_targets(targets, len(classes))
    events, left_out = {}, 0
    for prediction in iterate_predictions(predictions):
        target = find_target(prediction, by_id, events)
        reduced = reduce_image(prediction, target, len(classes), settings)
        events[target.image_id] = reduced['events']
        left_out += reduced['num_left_out']
    absent = [target for target in by_id.values() if target.image_id not in events]
    if absent and missing == 'refuse':
        raise ValueError(
            f'{len(absent)} of {len(by_id)} images have no prediction: '
            f'{", ".join(target.name for target in absent[:5])}{", ..." if absent[5:] else ""}; '
            "predict them, or say missing='empty' where a detector that found nothing leaves an "
            'image out')
    for target in absent:
        events[target.image_id] = reduce_image(
            Prediction(target.image_id, boxes=()), target, len(classes), settings)['events']
    num_points = [len(target.points) for target in by_id.values()]
    counts = dict(images=len(by_id), positives=sum(num > 0 for num in num_points),
                  points=sum(num_points), missing=len(absent), boxes_left_out=left_out)
    rows = [events[image_id] for image_id in by_id]
    return summarise({name: [row[label] for row in rows] for label, name in enumerate(classes)},
                     settings, counts)


def check_settings(**settings):
    """Return the settings of an evaluation with the budgets spelt out.

    Raises:
        ValueError: One of them is unknown or makes no sense.
    """
    for name, allowed in (('convention', CONVENTIONS), ('map_extent', MAP_EXTENTS),
                          ('missing', MISSING)):
        if settings[name] not in allowed:
            raise ValueError(f'{name} is {settings[name]!r}; it must be one of {allowed}')
    budgets = settings['budgets']
    if isinstance(budgets, str):
        if budgets not in BUDGETS:
            raise ValueError(f'budgets are {budgets!r}; numbers, or one of {sorted(BUDGETS)}, are '
                             'expected')
        budgets = BUDGETS[budgets]
    budgets = tuple(float(budget) for budget in budgets)
    if not budgets or not all(0 <= budget < np.inf for budget in budgets):
        raise ValueError(f'budgets are {budgets}; at least one number of false positives per image '
                         'is expected, none negative')
    return {**settings, 'budgets': budgets, 'frame_side': FRAME_SIDE}


def index_targets(targets, num_classes):
    """Return checked targets by image id.

    Raises:
        ValueError: There is none, one occurs twice, or one makes no sense.
    """
    by_id = {}
    for target in targets:
        if target.image_id in by_id:
            raise ValueError(f'{target.name} occurs twice among the targets; an image counts once')
        by_id[target.image_id] = check_target(target, num_classes)
    if not by_id:
        raise ValueError('there is no target image; an evaluation needs at least one')
    return by_id


def iterate_predictions(predictions):
    """Yield predictions of an iterable, or of a mapping from image id to map."""
    if isinstance(predictions, Mapping):
        for image_id, value in predictions.items():
            yield value if isinstance(value, Prediction) else Prediction(image_id, maps=value)
        return
    yield from predictions


def find_target(prediction, by_id, done):
    """Return the target of a prediction.

    Raises:
        ValueError: The image is unknown, of another size, or was predicted before.
    """
    image_id = prediction.image_id
    if image_id not in by_id:
        known = ', '.join(repr(key) for key in list(by_id)[:3])
        raise ValueError(f'image {image_id!r} is predicted but not among the targets ({known}, ...); '
                         'are the predictions of another set?')
    target = by_id[image_id]
    if image_id in done:
        raise ValueError(f'{target.name} is predicted twice; keep one')
    size = (prediction.height, prediction.width)
    if size != (None, None) and size != (target.height, target.width):
        raise ValueError(f'{target.name} was predicted at {size[0]} x {size[1]} pixels (height x '
                         f'width) but is annotated at {target.height} x {target.width}; are they '
                         'the same image?')
    return target


def reduce_image(prediction, target, num_classes, settings):
    """Return what one image contributes: the step from image pixels to the 1024 frame.

    Args:
        prediction (Prediction): Maps or boxes.
        target (Target): Checked.
        num_classes (int): Number of classes.
        settings (dict): Of :func:`check_settings`.

    Returns:
        dict: ``events``, a list of ImageEvents over the classes, and ``num_left_out`` boxes.

    Raises:
        ValueError: The prediction makes no sense; the message names the image.
    """
    if (prediction.maps is None) == (prediction.boxes is None):
        raise ValueError(f'{target.name}: a prediction has either maps or boxes')
    try:
        found = dict(num_left_out=0)
        if prediction.maps is None:
            found = check_boxes(prediction, target, num_classes)
        else:
            maps = check_maps(prediction.maps, target, num_classes, settings['map_extent'])
        scores = _image_scores(prediction, num_classes)
        events = []
        for label in range(num_classes):
            common = dict(
                targets=target.points[target.labels == label] * target.scale,
                hit_radius=settings['hit_radius'], max_overlap=settings['max_overlap'],
                image_score=scores[label], image_id=target.image_id, group=target.group,
                fields=target.fields)
            if prediction.maps is None:
                mine = found['labels'] == label
                events.append(box_events(found['boxes'][mine] * target.scale, found['scores'][mine],
                                         **common))
            else:
                events.append(map_events(maps[label], **common))
    except ValueError as error:
        raise ValueError(f'{target.name}: {error}') from error
    return dict(events=events, num_left_out=found['num_left_out'])


def _image_scores(prediction, num_classes):
    if prediction.image_scores is None:
        return [None] * num_classes
    scores = np.asarray(prediction.image_scores, dtype=np.float64).reshape(-1)
    if len(scores) != num_classes:
        raise ValueError(f'there are {len(scores)} image scores for {num_classes} classes')
    return scores.tolist()


def summarise(classes, settings, counts=None):
    """Return the result of images that are reduced to events already.

    Args:
        classes (dict[str, list[ImageEvents]]): As in a record.
        settings (dict): With ``budgets`` and ``convention``.
        counts (dict, optional): As in :class:`EvaluationResult`.
    """
    results = {name: summarise_class(events, settings) for name, events in classes.items()}
    return EvaluationResult(classes=results, metrics=merge_metrics(results), settings=dict(settings),
                            counts=dict(counts or {}))


def summarise_class(events, settings):
    """Return the curves and numbers of one class (docs/method.md, sections 6 and 7)."""
    notes = []
    labels, scores = [img.is_positive for img in events], [img.score for img in events]
    curve = froc_curve(events)
    try:
        metrics, roc = dict(auroc=auroc(labels, scores)), roc_curve(labels, scores)
    except ValueError as error:
        metrics, roc = dict(auroc=float('nan')), None
        notes.append(f'no AUROC: {error}')
    if curve.num_points == 0:
        notes.append(f'no recall: the {len(events)} images have no point')
    for budget in settings['budgets']:
        metrics[f'recall@{budget:g}'] = curve.recall_at(budget, settings['convention'])
    metrics['froc_score'] = curve.score(settings['budgets'], settings['convention'])
    return ClassResult(
        events=list(events), froc=curve, roc=roc, metrics=metrics, notes=notes,
        thresholds={budget: curve.threshold_at(budget) for budget in settings['budgets']})


def merge_metrics(results):
    """Return the mean of each metric over the classes that have it, then each class's own."""
    rows = {name: result.metrics for name, result in results.items()}
    metrics = {}
    for key in next(iter(rows.values())):
        known = [row[key] for row in rows.values() if not np.isnan(row[key])]
        metrics[key] = float(np.mean(known)) if known else float('nan')
    if len(rows) > 1:
        for name, row in rows.items():
            metrics.update({f'{name}_{key}': value for key, value in row.items()})
    return metrics
