"""A literal reading of the definitions, slow and plain, to compare the fast code with.

Nothing here is shared with the package: components come from ``scipy.ndimage.label`` at every
distinct value, the mask is drawn pixel by pixel over the whole frame, and a box counts it with
one weight a pixel column and row.
"""
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import find_objects, label

SLACK = 1e-6  # square pixels: an area that meets a limit exactly is not to be lost to rounding


def draw_mask(points, radius, side):
    """Return the union of disks as ``(side, side)`` bool: a pixel's centre decides."""
    centres = np.arange(side) + 0.5
    mask = np.zeros((side, side), dtype=bool)
    for x, y, *_ in points:
        mask |= (centres[None, :] - x) ** 2 + (centres[:, None] - y) ** 2 <= radius ** 2
    return mask


def covered_area(mask, box):
    """Return the mask's area in a box; a pixel that a box cuts counts by its part inside."""
    pixels = np.arange(len(mask))
    x0, y0, x1, y1 = box
    columns = (np.minimum(pixels + 1, x1) - np.maximum(pixels, x0)).clip(0)
    rows = (np.minimum(pixels + 1, y1) - np.maximum(pixels, y0)).clip(0)
    return rows @ mask @ columns


def hits_of(box, targets, rule, limit):
    """Return the numbers of the targets that a finding's box hits."""
    x0, y0, x1, y1 = box
    centre_x, centre_y = (x0 + x1) / 2, (y0 + y1) / 2
    hits = set()
    for number, target in enumerate(targets):
        if rule == 'disk_overlap':
            hit = x0 <= target[0] <= x1 and y0 <= target[1] <= y1
        elif rule == 'distance':
            hit = (centre_x - target[0]) ** 2 + (centre_y - target[1]) ** 2 <= limit ** 2
        elif rule == 'centre_in_box':
            hit = target[0] <= centre_x <= target[2] and target[1] <= centre_y <= target[3]
        else:
            width = min(x1, target[2]) - max(x0, target[0])
            height = min(y1, target[3]) - max(y0, target[1])
            common = max(width, 0) * max(height, 0)
            union = ((x1 - x0) * (y1 - y0) + (target[2] - target[0]) * (target[3] - target[1])
                     - common)
            hit = common >= limit * union - SLACK
        if hit:
            hits.add(number)
    return hits


def judge(findings, targets, mask, rule, limit):
    """Return the counts at one threshold, and the targets hit there."""
    counts = dict(fp=0, hit=0, both=0, neither=0)
    found = set()
    for box in findings:
        hits = hits_of(box, targets, rule, limit)
        if rule == 'disk_overlap':
            area = (box[2] - box[0]) * (box[3] - box[1])
            is_fp = covered_area(mask, box) < limit * area - SLACK
        else:
            is_fp = not hits
        found |= hits
        counts['fp'] += is_fp
        counts['hit'] += bool(hits)
        counts['both'] += is_fp and bool(hits)
        counts['neither'] += not is_fp and not hits
    return counts, found


def map_findings(scores, threshold, side):
    """Return the boxes of the 8-connected components of ``{scores >= threshold}``."""
    cell = side / len(scores)
    labels, _ = label(scores >= threshold, structure=np.ones((3, 3)))
    return [(x.start * cell, y.start * cell, x.stop * cell, y.stop * cell)
            for y, x in find_objects(labels)]


def literal_sweep(findings_at, thresholds, targets, rule, limit, radius, side):
    """Judge the findings at each threshold from the highest down.

    Returns:
        SimpleNamespace: thresholds descending; one count each of fp, hit, both, neither and
        recalled (targets); recall, the highest threshold at which each target was hit.
    """
    mask = draw_mask(targets, radius, side) if rule == 'disk_overlap' else None
    recall = [-np.inf] * len(targets)
    rows = []
    for threshold in thresholds:
        counts, found = judge(findings_at(threshold), targets, mask, rule, limit)
        rows.append(dict(counts, recalled=len(found)))
        for number in found:
            recall[number] = max(recall[number], threshold)
    return SimpleNamespace(thresholds=thresholds, recall=recall,
                           **{name: [row[name] for row in rows]
                              for name in ('fp', 'hit', 'both', 'neither', 'recalled')})


def literal_map(scores, targets, rule='disk_overlap', limit=0.1, radius=50., side=1024):
    """Sweep a map literally over all its distinct values."""
    return literal_sweep(lambda threshold: map_findings(scores, threshold, side),
                         np.unique(scores)[::-1].tolist(), targets, rule, limit, radius, side)


def literal_boxes(boxes, scores, targets, rule='disk_overlap', limit=0.1, radius=50., side=1024):
    """Sweep scored boxes literally over all their distinct scores."""
    return literal_sweep(
        lambda threshold: [box for box, score in zip(boxes, scores, strict=True)
                           if score >= threshold],
        np.unique(scores)[::-1].tolist(), targets, rule, limit, radius, side)


def assert_equals_literal(events, expected):
    """Compare events with a literal sweep at each of its thresholds, and between them."""
    for name in ('fp', 'hit', 'both', 'neither'):
        levels = getattr(events, f'{name}_levels', None)
        if levels is None:
            continue
        changes = getattr(events, f'{name}_changes')
        assert set(levels.tolist()) <= set(expected.thresholds), name
        assert (np.diff(levels) < 0).all() and (changes != 0).all(), name
        counted = [int(changes[levels >= threshold].sum()) for threshold in expected.thresholds]
        assert counted == getattr(expected, name), name
    assert events.recall_levels.tolist() == expected.recall
    # Recall at t is that of the findings at t, though some have merged.
    assert [events.num_recalled(threshold) for threshold in expected.thresholds] == expected.recalled
    if events.recalled_levels is not None:
        assert (np.diff(events.recalled_levels) < 0).all() and (events.recalled_changes != 0).all()


@pytest.fixture(scope='session')
def literal():
    """The literal sweeps, and the comparison with them."""
    return SimpleNamespace(map=literal_map, boxes=literal_boxes, same=assert_equals_literal,
                           mask=draw_mask, covered=covered_area, hits=hits_of,
                           findings=map_findings)
