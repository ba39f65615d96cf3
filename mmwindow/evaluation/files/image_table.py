"""One row per image at one threshold: what a radiologist sorts to find the films to look at."""
import csv
import math
from pathlib import Path

from mmwindow.utils.files import atomic_file

HEAD = ('class', 'image', 'file_name', 'group', 'label', 'score', 'threshold', 'findings',
        'false_alarms', 'points', 'hits', 'misses', 'hit_levels', 'false_alarm_levels')
COUNTED = ('findings', 'false_alarms', 'hits', 'misses', 'false_alarm_levels')  # at the threshold


def image_rows(events, threshold, name='finding', of_findings=True):
    """Return what each image holds at a threshold.

    Args:
        events (Sequence[ImageEvents]): The images of one class.
        threshold (float): Findings of this score or better count; inf for none, -inf for all.
        name (str): Of the class.
        of_findings (bool): False for a threshold of image scores that lie on a scale of their own:
            it says nothing of findings, so all that is counted at it is None.

    Returns:
        list[dict]: One per image: ``label`` 1 with a point and 0 without; ``score`` of the image,
        -inf without a finding; ``findings`` and ``false_alarms`` at the threshold (a finding can
        be a hit and a false alarm, or neither; findings are None where the events do not tell);
        ``points``, of these ``hits`` and ``misses``; ``hit_levels``, the score at which each
        point is first hit, -inf for never; ``false_alarm_levels``, the scores at which the number
        of false alarms changes, at the threshold or above. Fields of the images come last.
    """
    keys = sorted({key for img in events for key in img.fields} - {'file_name'})
    rows = []
    for img in events:
        hits = img.num_recalled(threshold)
        counts = {
            'findings': None if img.neither_levels is None else img.num_findings(threshold),
            'false_alarms': img.num_false_positives(threshold), 'points': len(img.recall_levels),
            'hits': hits, 'misses': len(img.recall_levels) - hits,
            'false_alarm_levels': img.fp_levels[img.fp_levels >= threshold].tolist(),
        } if of_findings else {'points': len(img.recall_levels)}
        rows.append({
            'class': name, 'image': img.image_id, 'file_name': img.fields.get('file_name', ''),
            'group': img.group, 'label': int(img.is_positive), 'score': float(img.score),
            'threshold': float(threshold), **dict.fromkeys(COUNTED), **counts,
            'hit_levels': sorted(img.recall_levels.tolist(), reverse=True),
            **{f'field {key}': img.fields.get(key, '') for key in keys}})
    return rows


def write_image_table(path, rows):
    """Write rows of :func:`image_rows` as CSV, the worst films first: most misses and false alarms.

    Lists are separated by blanks; a point that is not hit has the level 'never'; the score of an
    image without a finding, and a threshold that calls nothing, are 'none', one that calls
    everything is 'all'; what is not counted is left empty. Written beside, then renamed.

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


def _cell(value, lowest):
    """Return what a cell says; ``lowest`` in place of -inf."""
    if isinstance(value, list):
        return ' '.join('never' if entry == -math.inf else f'{entry:.6g}' for entry in value)
    if isinstance(value, float):
        return lowest if value == -math.inf else f'{value:.6g}' if math.isfinite(value) else 'none'
    return '' if value is None else value
