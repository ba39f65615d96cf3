"""The one call: predictions and targets in, a result object out; no mmdet, no torch.

    result = evaluate(maps_by_image_id, targets)
    print(result.metrics)
"""
from collections.abc import Mapping

import numpy as np

from mmwindow.evaluation.events.components import box_events, map_events
from mmwindow.evaluation.events.targets import FRAME_SIDE
from mmwindow.evaluation.files.predictions import (
    MAP_EXTENTS,
    Prediction,
    check_boxes,
    check_maps,
    check_target,
)
from mmwindow.evaluation.froc import DEFAULT_BUDGETS
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.hit_rules import RULE_NUMBERS, HitRule
from mmwindow.evaluation.results import summarise

# FP rates by name: the paper's, and those of LUNA16 (Setio et al. 2017).
BUDGETS = dict(paper=DEFAULT_BUDGETS, luna16=(0.125, 0.25, 0.5, 1., 2., 4., 8.))
MISSING = ('refuse', 'empty')


def evaluate(predictions, targets, *, classes=('finding',), rule='disk_overlap', hit_radius=50.,
             max_overlap=0.1, min_iou=0.5, budgets='paper', convention='first_crossing',
             fp_denominator='all', map_extent='frame', missing='refuse', num_resamples=0, seed=0):
    """Score predictions of any detector against points or boxes.

    Args:
        predictions (Iterable[Prediction] | Mapping): One per image, in any order; read one at a
            time, so that maps need not be in memory together. A mapping from image id to a map
            ``(n, m)`` or ``(C, n, m)`` will do.
        targets (Iterable[Target]): The images, normals included.
        classes (Sequence[str]): Names that labels count.
        rule (str): What a hit and a false positive are, one of
            :data:`~mmwindow.evaluation.hit_rules.HIT_RULES`; the paper's by default.
        hit_radius, max_overlap, min_iou (float): Of the rule, lengths in pixels of a frame of side
            1024; see :class:`~mmwindow.evaluation.hit_rules.HitRule`.
        budgets (Sequence[float] | str): FP rates at which recall is reported, or a name of
            :data:`BUDGETS`.
        convention (str): See :meth:`~mmwindow.evaluation.FROCCurve.recall_at`.
        fp_denominator (str): 'all' or 'normals'; see
            :class:`~mmwindow.evaluation.froc_settings.FROCSettings`.
        map_extent (str): What a map covers: 'frame', the padded square, or 'image', the image
            alone, with its aspect.
        missing (str): What to do with an image without a prediction: 'refuse', or 'empty': it
            counts as one without a finding.
        num_resamples (int): Of the bootstrap behind the intervals; 0 gives none.
        seed (int): Of the bootstrap.

    Returns:
        EvaluationResult

    Raises:
        ValueError: An image is predicted twice or never, is unknown or of another size; a score
            is not finite; a point lies outside its image; a setting is unknown. The message
            names the image.

    Definitions: docs/method.md, sections 6 to 8.
    """
    settings = check_settings(
        rule=rule, hit_radius=hit_radius, max_overlap=max_overlap, min_iou=min_iou, budgets=budgets,
        convention=convention, fp_denominator=fp_denominator, map_extent=map_extent,
        missing=missing)
    classes = check_classes(classes)
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
                     settings, counts, num_resamples, seed)


def check_settings(*, rule, hit_radius, max_overlap, min_iou, budgets, convention, fp_denominator,
                   map_extent, missing):
    """Return the settings of an evaluation as a record holds them, budgets spelt out.

    Raises:
        ValueError: One of them is unknown or makes no sense.
    """
    for name, value, allowed in (('map_extent', map_extent, MAP_EXTENTS),
                                 ('missing', missing, MISSING)):
        if value not in allowed:
            raise ValueError(f'{name} is {value!r}; it must be one of {allowed}')
    if isinstance(budgets, str):
        if budgets not in BUDGETS:
            raise ValueError(f'budgets are {budgets!r}; numbers, or one of {sorted(BUDGETS)}, are '
                             'expected')
        budgets = BUDGETS[budgets]
    how = FROCSettings(budgets, convention, fp_denominator)
    return dict(**HitRule(rule, hit_radius, max_overlap, min_iou).settings, frame_side=FRAME_SIDE,
                budgets=how.budgets, convention=convention, fp_denominator=fp_denominator,
                map_extent=map_extent, missing=missing)


def check_classes(classes):
    """Return the names of the classes.

    Raises:
        ValueError: There is none, or two have one name: results are named by class.
    """
    names = (classes, ) if isinstance(classes, str) else tuple(classes)
    if not names or len(set(names)) != len(names):
        raise ValueError(f'the classes are {names}; at least one, each with a name of its own, is '
                         'expected')
    return names


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
        image_scores = _image_scores(prediction, num_classes)
        events = []
        for label in range(num_classes):
            common = dict(
                targets=frame_targets(target, label, settings['rule']), rule=settings['rule'],
                image_score=image_scores[label], image_id=target.image_id, group=target.group,
                fields=target.fields,
                **{name: settings[name] for name in RULE_NUMBERS[settings['rule']]})
            if prediction.maps is None:
                mine = found['labels'] == label
                events.append(box_events(found['boxes'][mine] * target.scale, found['scores'][mine],
                                         **common))
            else:
                events.append(map_events(maps[label], **common))
    except ValueError as error:
        raise ValueError(f'{target.name}: {error}') from error
    return dict(events=events, num_left_out=found['num_left_out'])


def frame_targets(target, label, rule):
    """Return the points ``(N, 2)`` or boxes ``(N, 4)`` of one class in frame pixels.

    Raises:
        ValueError: The rule asks for boxes and the points have none.
    """
    if not HitRule(rule).needs_boxes:
        return target.points[target.labels == label] * target.scale
    if target.boxes is None and len(target.points):
        raise ValueError(f'the hit rule {rule} asks for target boxes, and the points have none; use '
                         "'disk_overlap' or 'distance', or annotations with a bbox")
    boxes = np.zeros((0, 4)) if target.boxes is None else target.boxes[target.labels == label]
    return boxes.clip(0, [target.width, target.height] * 2) * target.scale


def _image_scores(prediction, num_classes):
    if prediction.image_scores is None:
        return [None] * num_classes
    scores = np.asarray(prediction.image_scores, dtype=np.float64).reshape(-1)
    if len(scores) != num_classes:
        raise ValueError(f'there are {len(scores)} image scores for {num_classes} classes')
    return scores.tolist()
