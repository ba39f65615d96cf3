"""What the levels of the study look like in numbers, measured on their training images."""
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.experiments.study.data import describe_data, read_from
from mmwindow.experiments.study.design import BASE, PARTS, Cell, Sizes, make_cells
from mmwindow.utils.files import load_json, write_json
from mmwindow.utils.frame import FRAME_SIDE
from mmwindow.utils.markdown import format_number

NAME = 'levels.json'
HEAD = ['level', 'training images', 'findings', 'points', 'points a finding',
        'spread of the extent', 'points moved']


def measure_level(cell: Cell, folder: Path) -> dict[str, Any] | None:
    """Measure the annotations that a level is trained with.

    Args:
        cell: Which.
        folder: From :func:`~.data.write_sets`.

    Returns:
        ``images``; ``findings`` with a point, ``points`` and ``points_per_finding``;
        ``extent_spread``, the standard deviation of the natural logarithm of the longer side of the
        findings' outlines, with branches and chips; ``moved``, the root mean square distance of
        points from those of the level without jitter, in frame pixels, for jittered levels alone.
        None where the images are not there.
    """
    images, annotations = read_from(cell, 'train')
    path = folder / images / annotations
    if not path.is_file():
        return None
    content = load_json(path)
    points = content['annotations']
    extents = {(one['image_id'], one['fracture']): max(one['bbox'][2:]) for one in points}
    moved = None
    if cell.annotators.startswith('jitter'):
        unmoved = load_json(folder / images / 'annotations' / 'train.json')['annotations']
        sides = {image['id']: max(image['width'], image['height']) for image in content['images']}
        moved = measure_moves(points, unmoved, sides)
    return dict(
        images=len(content['images']), findings=len(extents), points=len(points),
        points_per_finding=len(points) / len(extents) if extents else None,
        extent_spread=float(np.std(np.log(list(extents.values())), ddof=1))
        if len(extents) > 1 else None, moved=moved)


def measure_moves(points: Iterable[Mapping[str, Any]], unmoved: Iterable[Mapping[str, Any]],
                  sides: Mapping[int, int]) -> float | None:
    """Return how far points lie from the same points without jitter.

    Args:
        points, unmoved: Annotations; those of one finding come in one order.
        sides: Image id -> long edge in image pixels.

    Returns:
        Root mean square distance, frame pixels; None without points.

    Raises:
        ValueError: The two files differ in more than where points lie.
    """
    ordered: dict[tuple[int, int], list[list[float]]] = defaultdict(list)
    for one in unmoved:
        ordered[one['image_id'], one['fracture']].append(one['keypoints'][:2])
    squares = []
    for one in points:
        rest = ordered[one['image_id'], one['fracture']]
        if not rest:
            raise ValueError(f'image {one["image_id"]}: a jittered level has points that the level '
                             'without jitter has not; make the images again')
        shift = np.subtract(one['keypoints'][:2], rest.pop(0)) * FRAME_SIDE / sides[one['image_id']]
        squares.append(float(shift @ shift))
    return float(np.sqrt(np.mean(squares))) if squares else None


def file_levels(cells: Iterable[Cell], folder: Path, results: Path, sizes: Sizes) -> None:
    """Measure the levels whose images are there; keep what is filed of the others of this study.

    Args:
        cells: Which.
        folder: From :func:`~.data.write_sets`.
        results: Receives ``levels.json``.
        sizes: Of the study: what is filed of another one is dropped.
    """
    data = {cell.name: describe_data(cell, sizes) for cell in make_cells(sizes, PARTS)}
    found = {cell.name: dict(numbers, data=data[cell.name]) for cell in cells
             if (numbers := measure_level(cell, folder)) is not None}
    if found:
        write_json(results / NAME, {**{
            name: one for name, one in read_levels(results).items()
            if one.get('data') == data.get(name)}, **found})


def read_levels(results: Path) -> dict[str, dict[str, Any]]:
    """Return what is filed, by name of the level."""
    path = results / NAME
    return load_json(path) if path.is_file() else {}


def level_rows(levels: Mapping[str, Mapping[str, Any]]) -> list[list[Any]]:
    """Return the table of all levels that are filed, the base first."""
    rows: list[list[Any]] = [HEAD]
    for name in sorted(levels, key=lambda name: (name != BASE, name)):
        one = levels[name]
        moved = '' if one['moved'] is None else format_number(one['moved'], 0)
        rows.append([name, one['images'], one['findings'], one['points'],
                     format_number(one['points_per_finding'], 1),
                     format_number(one['extent_spread'], 2), moved])
    return rows
