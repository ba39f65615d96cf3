"""One row per image at one threshold: what a radiologist sorts to find the images to look at."""
import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.utils.files import atomic_file

HEAD = ('class', 'image', 'file_name', 'group', 'label', 'score', 'threshold', 'findings',
        'false_alarms', 'points', 'hits', 'misses', 'hit_levels', 'false_alarm_levels')
COUNTED = ('findings', 'false_alarms', 'hits', 'misses', 'false_alarm_levels')  # at the threshold


def image_rows(events: Sequence[ImageEvents], threshold: float | None, name: str = 'finding',
               of_findings: bool = True) -> list[dict[str, Any]]:
    """Return what each image holds at a threshold.

    Args:
        events: The images of one class.
        threshold: Findings of this score or better count; inf for none, -inf for all. None where
            there is no threshold, so that nothing is counted at it.
        name: Of the class.
        of_findings: False for a threshold of image scores that lie on a scale of their own:
            it says nothing of findings, so all that is counted at it is None.

    Returns:
        list[dict]: One per image: ``label`` 1 with a point and 0 without; ``score`` of the image,
        -inf without a finding; ``findings`` and ``false_alarms`` at the threshold (a finding can
        be a hit and a false positive, or neither; findings are None where the events do not tell);
        ``points``, of these ``hits`` and ``misses``; ``hit_levels``, the score at which each
        point is first hit, -inf for never; ``false_alarm_levels``, the scores at which the number
        of false positives changes, at the threshold or above. Fields of the images come last.
    """
    keys = sorted({key for img in events for key in img.fields} - {'file_name'})
    rows = []
    for img in events:
        counts: dict[str, Any] = {'points': len(img.recall_levels)}
        if of_findings and threshold is not None:
            hits = img.num_recalled(threshold)
            counts.update({
                'findings': None if img.neither_levels is None else img.num_findings(threshold),
                'false_alarms': img.num_false_positives(threshold), 'hits': hits,
                'misses': len(img.recall_levels) - hits,
                'false_alarm_levels': img.fp_levels[img.fp_levels >= threshold].tolist()})
        rows.append({
            'class': name, 'image': img.image_id, 'file_name': img.fields.get('file_name', ''),
            'group': img.group, 'label': int(img.is_positive), 'score': float(img.score),
            'threshold': None if threshold is None else float(threshold),
            **dict.fromkeys(COUNTED), **counts,
            'hit_levels': sorted(img.recall_levels.tolist(), reverse=True),
            **{f'field {key}': img.fields.get(key, '') for key in keys}})
    return rows


def write_image_table(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write rows of :func:`image_rows` as CSV, the worst images first.

    These have most misses and false positives together.

    Lists are separated by blanks; a point that is not hit has the level 'never'; the score of an
    image without a finding, and a threshold that calls nothing, are 'none', one that calls
    everything is 'all'; what is not counted is left empty. Written atomically.

    Returns:
        Path: The file.

    Raises:
        ValueError: There is no row.
    """
    path, rows = Path(path), list(rows)
    if not rows:
        raise ValueError(f'{path}: there is no image to write')
    keys = list(dict.fromkeys([*HEAD, *(key for row in rows for key in row)]))
    rows.sort(key=lambda row: (-((row['misses'] or 0) + (row['false_alarms'] or 0)), -row['score']))
    with atomic_file(path) as part, open(part, 'w', encoding='utf-8', newline='') as stream:
        writer = csv.DictWriter(stream, keys, restval='')
        writer.writeheader()
        writer.writerows({key: _cell(value, 'all' if key == 'threshold' else 'none')
                          for key, value in row.items()} for row in rows)
    return path


def _cell(value: Any, lowest: Any) -> Any:
    """Return what a cell says; ``lowest`` in place of -inf."""
    if isinstance(value, list):
        return ' '.join('never' if entry == -math.inf else f'{entry:.6g}' for entry in value)
    if isinstance(value, float):
        return lowest if value == -math.inf else f'{value:.6g}' if math.isfinite(value) else 'none'
    return '' if value is None else value
