"""A sheet of pictures of training samples, with captions and a legend."""
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import NamedTuple

import numpy as np

from mmwindow.visualization.figures import new_figure, save_figure
from mmwindow.visualization.overlay import COLOURS

DPI = 100


class Tile(NamedTuple):
    """One picture of a sheet.

    Attributes:
        picture: ``(H, W, 3)`` RGB, uint8.
        caption: Above it.
    """

    picture: np.ndarray
    caption: str


def save_sheet(tiles: Sequence[Tile], path: str | Path, title: str = '', side: int = 320,
               columns: int = 4, has_bounds: bool = False, has_boxes: bool = False,
               point_label: str = 'point') -> Path:
    """Write a sheet of pictures.

    Args:
        tiles: In rows from the top left.
        path: .png, .jpg, .pdf or .svg.
        title: Above all.
        side: Long edge of a picture in the sheet, pixels.
        columns: Pictures in a row.
        has_bounds: Explain the contours of the bounds.
        has_boxes: Explain pseudo-boxes.
        point_label: What a cross is.

    Returns:
        The sheet.

    Raises:
        ValueError: There is no picture.
        ImportError: matplotlib is not installed.
    """
    if not tiles:
        raise ValueError('save_sheet: there is no picture to draw')
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    shape = np.max([tile.picture.shape[:2] for tile in tiles], axis=0)
    height, width = shape * side / shape.max()
    lines = max(fill(tile.caption, max(10, int(width / 6))).count('\n') for tile in tiles) + 1
    figure = new_figure(max(columns * (width + 12), 480) / DPI,
                        (rows * (height + 12 + 13 * lines) + 110) / DPI)
    for axes in figure.subplots(rows, columns, squeeze=False).ravel():
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, tile in zip(figure.axes, tiles, strict=False):
        axes.imshow(tile.picture, interpolation='antialiased')
        axes.set_title(fill(tile.caption, max(10, int(width / 6))), fontsize=8)
    if title:
        figure.suptitle(title, fontsize=11)
    _add_legend(figure, has_bounds, has_boxes, point_label)
    return save_figure(figure, path, dpi=DPI)


def _add_legend(figure: object, has_bounds: bool, has_boxes: bool, point_label: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def colour(name: str) -> tuple[float, float, float]:
        red, green, blue = COLOURS[name]
        return red / 255, green / 255, blue / 255

    entries: list[Line2D | Patch] = [Line2D(
        [], [], linestyle='', marker='+', markersize=9, markeredgewidth=2.5,
        color=colour('found'), label=point_label)]
    if has_bounds:
        entries += [Line2D([], [], color=colour(name), linewidth=2, label=label)
                    for name, label in (('lower', 'lower bound, .5'), ('upper', 'upper bound, .5'))]
    if has_boxes:
        entries.append(Patch(facecolor='0.2', edgecolor=colour('finding'), linewidth=2,
                             label='pseudo-box'))
    figure.legend(handles=entries, loc='outside lower center',  # type: ignore[attr-defined]
                  ncols=len(entries), fontsize=9, facecolor='0.2', edgecolor='none', framealpha=1,
                  labelcolor='white')
