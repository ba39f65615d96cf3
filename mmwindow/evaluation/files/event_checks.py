"""The events of one image checked against each other: counts, hits, targets recalled, the score."""
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.events.image_events import KINDS, ImageEvents
from mmwindow.evaluation.files.record_digests import AGAIN
from mmwindow.evaluation.hit_rules import HIT_RULES
from mmwindow.utils.messages import quote

FROM_FINDINGS, OWN = 'findings', 'own'  # where image scores come from
PAPER_RULE = 'disk_overlap'  # hits are never lost, and a finding can be a hit and a false positive


def count_at(levels: NDArray[Any], changes: NDArray[Any], thresholds: NDArray[Any]) -> NDArray[Any]:
    """Return a count at thresholds ``(T,)``: the sum of the changes at levels ``>= t``."""
    sums = np.concatenate([[0], np.cumsum(changes)])
    return np.asarray(sums[np.searchsorted(-levels, -thresholds, 'right')])


def check_image(where: str, img: ImageEvents, rule: str) -> None:
    """Raise ``ValueError`` where the events of an image contradict each other.

    Args:
        where: Names the file, the class and the image.
        img: Its arrays are pairs of one length, the levels finite and descending.
        rule: The hit rule of the record.
    """
    check_floor(where, img)
    recalls = np.sort(np.asarray(img.recall_levels, np.float64))
    recalls = recalls[recalls > -np.inf]
    pairs = {kind: (getattr(img, f'{kind}_levels'), getattr(img, f'{kind}_changes'))
             for kind in (*KINDS, 'recalled')}
    pairs = {kind: pair for kind, pair in pairs.items() if pair[0] is not None}
    thresholds = np.unique(np.concatenate([recalls, *(levels for levels, _ in pairs.values())]))
    counts = {kind: count_at(*pair, thresholds) for kind, pair in pairs.items()}
    reached = len(recalls) - np.searchsorted(recalls, thresholds, 'left')

    def reject(wrong: NDArray[np.bool_], what: str) -> None:
        if wrong.any():
            raise ValueError(f'{where}: at the level {thresholds[wrong][-1]:.9g} its {what}; {AGAIN}')

    for kind, count in counts.items():
        reject(count < 0, f'{kind}_changes come to {count.min(initial=0)}, and no count is negative')
    recalled = counts.get('recalled', reached)
    reject(recalled > reached, 'recalled_changes come to more targets than recall_levels')
    if 'recalled' in counts:
        reject((recalled == 0) & (reached > 0) & (thresholds == recalls[-1:].max(initial=-np.inf)),
               'recall_levels say that a target is hit, its recalled_changes that none is')
    if 'hit' not in counts:
        return
    hits, known_to_last = counts['hit'], 'recalled' in counts or rule == PAPER_RULE
    reject((hits > 0) & (recalled == 0), 'hit_changes say that a finding hits, its recall_levels '
                                         'that no target is hit')
    if known_to_last:  # before format 2, maps of other rules do not say where a hit is lost
        reject((hits == 0) & (recalled > 0), 'recall_levels say that a target is hit, its '
                                             'hit_changes that no finding hits')
    if 'both' in counts:
        reject(counts['both'] > np.minimum(hits, counts['fp']),
               'both_changes come to more findings than hit_changes or fp_changes')
        if rule in HIT_RULES and rule != PAPER_RULE:
            reject(counts['both'] > 0, f'both_changes are not 0; by the rule {rule} a hit is no '
                                       'false positive')


def check_floor(where: str, img: ImageEvents) -> None:
    """Raise ``ValueError`` where events lie below the level down to which they are known."""
    if img.floor is None:
        return
    for name in ('recall_levels', *(f'{kind}_levels' for kind in (*KINDS, 'recalled'))):
        levels = getattr(img, name)
        if levels is not None and (levels[levels > -np.inf] < img.floor).any():
            raise ValueError(f'{where}: its {name} go below its floor {img.floor:.9g}; {AGAIN}')


def best_level(img: ImageEvents) -> float:
    """Return the score of the best finding; -inf where there is none."""
    levels = [getattr(img, f'{kind}_levels') for kind in KINDS]
    return float(max([-np.inf, *img.recall_levels, *(level for row in levels if row is not None
                                                     for level in row[:1])]))


def scores_findings(img: ImageEvents) -> bool:
    """Tell whether the score of an image can be that of its best finding."""
    best = best_level(img)
    if any(getattr(img, f'{kind}_levels') is None for kind in KINDS) or (
            img.floor is not None and img.score < img.floor):
        return best <= img.score  # the best finding may be one that is not told of
    return best == img.score


def score_source(events: Sequence[ImageEvents]) -> str:
    """Return where the scores of images come from, as a record says it."""
    return FROM_FINDINGS if all(map(scores_findings, events)) else OWN


def check_scores(where: str, source: Any, events: Sequence[ImageEvents]) -> None:
    """Raise ``ValueError`` where an image's score is not that of its best finding, but should be.

    Args:
        where: Names the file and the class.
        source: What the record says of it. None in one of before version 0.2: where all images but
            one agree exactly, and three at least at different scores, that one is an error. Scores
            of a classifier agree with findings by chance alone.
        events: The images of the class.
    """
    if source not in (None, FROM_FINDINGS, OWN):
        raise ValueError(f'{where} has image_scores {quote(source)}; {FROM_FINDINGS!r} or {OWN!r} is '
                         f'expected: {AGAIN}')
    if source == OWN:
        return
    others = [img for img in events if not scores_findings(img)]
    if source is None:
        agreeing = {img.score for img in events if np.isfinite(img.score)
                    and best_level(img) == img.score}
        if len(others) != 1 or len(agreeing) < 3:
            return
    if others:
        raise ValueError(f'{where}, image {quote(others[0].image_id)}: its score is '
                         f'{others[0].score:.9g}, its best finding {best_level(others[0]):.9g}, '
                         f'though image scores are those of the best finding; {AGAIN}')
