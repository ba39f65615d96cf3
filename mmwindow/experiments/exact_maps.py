"""What the hit rule gives a perfect prediction: maps that the Window Loss cannot be lower for.

The paper's Tables 2 and 3 lose localisation as the lower radius grows. A map within the window costs
nothing, whatever the network learned; scored as a test is, it tells what of a drop the hit rule makes
alone (docs/ablations.md).
"""
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from mmwindow.evaluation import FROCSettings, ImageEvents, map_events
from mmwindow.evaluation.events.image_events import EVENT_PAIRS
from mmwindow.evaluation.files.ground_truth import read_annotations
from mmwindow.evaluation.files.predictions import Target
from mmwindow.evaluation.hit_rules import DiskOverlap, Distance, HitRule
from mmwindow.evaluation.metric_names import FROC_SCORE, recall_name
from mmwindow.experiments.summaries import fold_metrics
from mmwindow.structures.bounds import bounds_from_distance, check_window, distance_to_nearest
from mmwindow.utils.frame import FRAME_SIDE
from mmwindow.utils.messages import count_words
from mmwindow.utils.progress import track

STRIDE = 4  # of the maps that are scored, frame pixels at the paper's input of 1024
RULES: dict[str, HitRule] = {
    'paper': DiskOverlap(), 'overlap 4 %': DiskOverlap(max_overlap=.04), 'distance': Distance()}
MAPS = ('lower', 'middle', 'slope', 'upper')
READ_FROM, READ_TO = .05, .95  # scores beyond are not told apart: no network is as exact
LEAST_CONFIDENCE = .5  # of an image, where they differ in confidence
NUM_DRAWS = 20
METRICS = (recall_name(.1), FROC_SCORE)


class Window(NamedTuple):
    """A window in pixels of a frame of side 1024: paper, eq. 1 and 2."""

    softness: float
    lower_radius: float
    upper_radius: float


@dataclass(frozen=True)
class ExactScore:
    """What one rule gives one kind of exact maps.

    Attributes:
        window: Of the maps.
        kind: One of :data:`MAPS`.
        rule: One of :data:`RULES`.
        box_side: Of the box around a lone point at a threshold of .5, frame pixels.
        false_positives: Per image at a threshold of .5.
        recall: At a threshold of .5.
        exact: The metrics of the maps as they are: all findings come in at one threshold.
        unequal: Mean metrics where each image's map is multiplied by a chance factor from
            :data:`LEAST_CONFIDENCE` to 1: a network that finds everything in the shape that the
            window asks for, but is not equally sure on all images.
    """

    window: Window
    kind: str
    rule: str
    box_side: float
    false_positives: float
    recall: float
    exact: Mapping[str, float]
    unequal: Mapping[str, float]


def exact_map(distance: torch.Tensor, window: Window, kind: str) -> np.ndarray:
    """Return a map that lies within the window everywhere, so that its Window Loss is 0.

    Args:
        distance: ``(H, W)`` of each cell to the nearest point, frame pixels; +inf without points.
        window: The window.
        kind: 'lower' and 'upper': the bounds themselves. 'middle': the bound of the radius half way.
            'slope': from 1 at the lower radius straight to 0 at the upper one, cut to the bounds.

    Returns:
        ``(H, W)`` float64.

    Raises:
        ValueError: The kind is unknown, or the window makes no sense.
    """
    check_window(window.lower_radius, window.upper_radius, window.softness)
    lower, upper = (bounds_from_distance(distance, radius, window.softness)
                    for radius in (window.lower_radius, window.upper_radius))
    if kind == 'lower':
        found = lower
    elif kind == 'upper':
        found = upper
    elif kind == 'middle':
        found = bounds_from_distance(distance, (window.lower_radius + window.upper_radius) / 2,
                                     window.softness)
    elif kind == 'slope':
        width = max(window.upper_radius - window.lower_radius, 1e-6)
        found = ((window.upper_radius - distance) / width).clip(lower, upper)
    else:
        raise ValueError(f'the kind of map is {kind!r}; expected one of {", ".join(MAPS)}')
    return np.asarray(found.double().numpy())


def exact_events(target: Target, windows: Sequence[Window], rules: Mapping[str, HitRule] = RULES
                 ) -> dict[tuple[Window, str, str], ImageEvents]:
    """Return the events of the exact maps of one image, by window, kind and rule.

    A score below :data:`READ_FROM` counts as 0, one above :data:`READ_TO` as that. At a threshold of
    1e-9 a soft disk is half as wide again, at .999999 it is narrow; neither is a way to read a map.

    Args:
        target: The image's points, of one class.
        windows: Those of the maps.
        rules: By name.
    """
    points = np.asarray(target.points, float).reshape(-1, 2) * target.scale
    rows, columns = (int(np.ceil(side * target.scale / STRIDE))
                     for side in (target.height, target.width))
    distance = distance_to_nearest(torch.from_numpy(points), rows, columns, STRIDE)
    found: dict[tuple[Window, str, str], ImageEvents] = {}
    for window, kind in itertools.product(windows, MAPS):
        for name, rule in rules.items():
            if not len(points) and (windows[0], MAPS[0], name) in found:  # all maps are 0
                found[window, kind, name] = found[windows[0], MAPS[0], name]
            else:
                scores = exact_map(distance, window, kind)
                found[window, kind, name] = map_events(
                    np.where(scores < READ_FROM, 0., scores.clip(max=READ_TO)), points, rule=rule,
                    cells_along=(FRAME_SIDE / STRIDE,) * 2, image_id=target.image_id,
                    group=target.group)
    return found


def scale_events(event: ImageEvents, factor: float) -> ImageEvents:
    """Return the events of a map times a positive factor."""
    levels: dict[str, Any] = {name: getattr(event, name) * factor for name in (
        'recall_levels', *(pair[0] for pair in EVENT_PAIRS)) if getattr(event, name) is not None}
    return replace(event, score=event.score * factor, **levels)


def vary_confidence(events: Sequence[ImageEvents], seed: int) -> list[ImageEvents]:
    """Return events of maps times chance factors, one for each image."""
    factors = np.random.default_rng(seed).uniform(LEAST_CONFIDENCE, 1, len(events))
    return [scale_events(event, factor) for event, factor in zip(events, factors, strict=True)]


def lone_box_side(window: Window, kind: str) -> float:
    """Return the side of the box around a lone point at a threshold of .5, frame pixels."""
    distance = torch.arange(0, 2 * FRAME_SIDE, .5)
    inside = exact_map(distance[None], window, kind)[0] >= .5
    return 2 * float(distance[torch.from_numpy(inside)].max()) if inside.any() else 0.


def score_exact_maps(targets: Sequence[Target], windows: Sequence[Window],
                     rules: Mapping[str, HitRule] = RULES, num_draws: int = NUM_DRAWS,
                     show_progress: bool = False) -> list[ExactScore]:
    """Score the exact maps of all images by each rule.

    Args:
        targets: Images of one class, negative ones included: on these a perfect map is 0.
        windows: Of the maps.
        rules: By name.
        num_draws: Draws of the images' factors, whose mean 'unequal' is.
        show_progress: Say how far it is.

    Returns:
        One for each window, kind and rule.

    Raises:
        ValueError: There is no image, or none with a point.
    """
    if not any(np.asarray(target.points).size for target in targets):
        raise ValueError(f'{count_words(len(targets), "image")} without any point; recall needs one')
    events: dict[tuple[Window, str, str], list[ImageEvents]] = {}
    shown = track(targets, len(targets)) if show_progress else targets
    for target in shown:
        for key, event in exact_events(target, windows, rules).items():
            events.setdefault(key, []).append(event)
    settings = FROCSettings()
    scores = []
    for (window, kind, rule), found in events.items():
        draws = [fold_metrics(vary_confidence(found, seed), settings) for seed in range(num_draws)]
        scores.append(ExactScore(
            window, kind, rule, lone_box_side(window, kind),
            sum(event.num_false_positives(.5) for event in found) / len(found),
            sum(event.num_recalled(.5) for event in found) / sum(
                event.num_points for event in found),
            {name: fold_metrics(found, settings)[name] for name in METRICS},
            {name: float(np.mean([draw[name] for draw in draws])) for name in METRICS}))
    return scores


def paper_windows(paper: Mapping[str, Any]) -> list[Window]:
    """Return the windows of the paper's Tables 2 and 3, in their order."""
    return list(dict.fromkeys(Window(*(float(row[name]) for name in Window._fields))
                              for table in ('table2', 'table3') for row in paper[table]))


def describe_exact_maps(path: str | Path, paper: Mapping[str, Any], show_progress: bool = False
                        ) -> dict[str, Any]:
    """Return the result file of the exact maps of a point file.

    Args:
        path: The point file.
        paper: Content of ``results/paper.json``.
        show_progress: Say how far it is.

    Raises:
        ValueError: The file is no point file, has several classes, or no point.
    """
    truth = read_annotations(path)
    if len(truth.classes) > 1:
        raise ValueError(f'{path}: its classes are {", ".join(truth.classes)}; exact maps are of one '
                         'class')
    scores = score_exact_maps(truth.targets, paper_windows(paper), show_progress=show_progress)
    positives = [target for target in truth.targets if np.asarray(target.points).size]
    return dict(
        data=dict(file=Path(path).name, num_images=len(truth.targets), num_positives=len(positives),
                  num_points=sum(len(np.asarray(target.points)) for target in positives)),
        stride=STRIDE, num_draws=NUM_DRAWS, least_confidence=LEAST_CONFIDENCE,
        read_from=READ_FROM, read_to=READ_TO,
        rules={name: rule.settings for name, rule in RULES.items()},
        scores=[dict(window=score.window._asdict(), map=score.kind, rule=score.rule,
                     box_side=score.box_side, false_positives=round(score.false_positives, 6),
                     recall=round(score.recall, 6),
                     exact={name: round(value, 6) for name, value in score.exact.items()},
                     unequal={name: round(value, 6) for name, value in score.unequal.items()})
                for score in scores])
