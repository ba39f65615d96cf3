"""A contact sheet: many synthetic radiographs at a glance."""
from pathlib import Path

import cv2
import numpy as np

from mmwindow.synthetic.radiograph import generate_radiograph


def contact_sheet(path, seed=0, rows=4, columns=4, side=256, show_points=False):
    """Write rows x columns radiographs of the seeds ``seed``, ``seed + 1`` ... as one image.

    Args:
        path (str | Path): Image file, ``.png``.
        seed (int): Of the first radiograph.
        rows, columns (int): Of the sheet.
        side (int): Long edge of each, pixels.
        show_points (bool): Ring the points and outline the fractures.

    Returns:
        Path: The file.

    Raises:
        ValueError: The file cannot be written.
    """
    tiles = []
    for number in range(rows * columns):
        made = generate_radiograph(seed + number, side)
        tile = np.zeros((side, side, 3), np.uint8)
        tile[:made.img.shape[0], :made.img.shape[1]] = made.img[..., None]
        if show_points:
            mark(tile, made)
        tiles.append(tile)
    sheet = np.vstack([np.hstack(tiles[start:start + columns])
                       for start in range(0, len(tiles), columns)])
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), sheet):
        raise ValueError(f'{path}: the contact sheet could not be written; expected a name like '
                         'sheet.png in a folder that can be written to')
    return path


def mark(tile, made):
    """Draw the outlines and points of a radiograph into its BGR tile, in place."""
    for outline in made.polygons:
        cv2.polylines(tile, [np.round(outline - .5).astype(np.int32)], True, (0, 190, 255), 1)
    for point in made.points:
        cv2.circle(tile, np.floor(point).astype(int).tolist(), 3, (60, 60, 255), 1, cv2.LINE_AA)
