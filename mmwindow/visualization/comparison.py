"""A figure of several systems next to each other on the same images (the paper's Figure 3)."""
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import NamedTuple

import numpy as np

from mmwindow.evaluation.hit_rules import HitRule
from mmwindow.utils.messages import count_words
from mmwindow.visualization.examples import Example, JudgedFindings, judge_example
from mmwindow.visualization.figures import new_figure, save_figure
from mmwindow.visualization.overlay import overlay_heatmap
from mmwindow.visualization.panels import PAPERS_RULE, add_legend, shrink_example

DPI = 150
TITLE_ROOM, LEGEND_ROOM, TEXT_ROOM = 70, 110, 34  # pixels


class Outcome(NamedTuple):
    """How one system does on one image, of all classes together.

    Attributes:
        num_found: Points that are recalled.
        num_points: Of the image.
        num_hits: Findings that hit a point.
        num_false_positives: Findings that are false positives; by the paper's rule a wide one is also
            a hit.
    """

    num_found: int
    num_points: int
    num_hits: int
    num_false_positives: int

    def describe(self) -> str:
        """Return the outcome in words.

        >>> Outcome(1, 2, 1, 2).describe(), Outcome(0, 0, 0, 0).describe()
        ('1 of 2 found, 2 false positives', 'no finding')
        """
        parts = [f'{self.num_found} of {self.num_points} found'] if self.num_points else []
        if self.num_false_positives:
            parts.append(f'{self.num_false_positives} false positive'
                         + 's' * (self.num_false_positives > 1))
        return ', '.join(parts) or 'no finding'


def judge_cell(cell: Sequence[Example], rule: HitRule = PAPERS_RULE) -> JudgedFindings:
    """Return what the rule says of one image, of all classes together.

    Args:
        cell: The image once for each class.
        rule: What a hit is.

    Raises:
        ValueError: The cell is empty, or the rule asks for target boxes.
    """
    if not cell:
        raise ValueError('there is no class to judge')
    judged = [judge_example(example, rule) for example in cell]
    return JudgedFindings(*(np.concatenate([getattr(one, name) for one in judged])
                            for name in JudgedFindings._fields))


def outcome_of(judged: JudgedFindings) -> Outcome:
    """Return the counts of what was judged."""
    return Outcome(int(judged.found.sum()), len(judged.found), int(judged.is_hit.sum()),
                   int(judged.is_false_positive.sum()))


def paint_cell(cell: Sequence[Example], side: int, rule: HitRule = PAPERS_RULE) -> np.ndarray:
    """Return an image with the map, the points and the findings of all classes.

    Args:
        cell: The image once for each class.
        side: Long edge of the result, pixels.
        rule: What a hit is.
    """
    judged = judge_cell(cell, rule)
    small = shrink_example(cell[0], side)
    factor = side / max(cell[0].img.shape[:2])
    maps = [example.scores for example in cell if example.scores is not None]
    points = np.concatenate([np.asarray(example.points, float).reshape(-1, 2) for example in cell])
    return overlay_heatmap(small.img, np.max(maps, axis=0) if maps else None, points * factor,
                           judged.boxes * factor, judged.found, judged.is_hit,
                           judged.is_false_positive)


def paint_points(cell: Sequence[Example], side: int) -> np.ndarray:
    """Return an image with its points alone."""
    points = np.concatenate([np.asarray(example.points, float).reshape(-1, 2) for example in cell])
    small = shrink_example(replace(cell[0], points=points, boxes=None), side)
    return overlay_heatmap(small.img, points=small.points)


def save_comparison(systems: Sequence[str], rows: Sequence[Sequence[Sequence[Example]]],
                    path: str | Path, side: int = 320, title: str = '', rule: HitRule = PAPERS_RULE
                    ) -> Path:
    """Write a grid: a row for each image, its points in the first column, then a column a system.

    Args:
        systems: Names of the columns.
        rows: Of each image and system its cell: the image once for each class, with what the system
            found at its own threshold.
        path: .png, .jpg, .pdf or .svg.
        side: Long edge of an image in the figure, pixels.
        title: Above all panels.
        rule: What a hit is.

    Returns:
        The figure.

    Raises:
        ValueError: There is no image or no system, or a row has another number of cells.
        ImportError: matplotlib is not installed.
    """
    if not rows or not systems:
        raise ValueError(f'{count_words(len(rows), "image")} and '
                         f'{count_words(len(systems), "system is", "systems are")} to be compared; '
                         f'at '
                         'least one of each is expected')
    for row in rows:
        if len(row) != len(systems):
            raise ValueError(f'a row has {count_words(len(row), "cell")}, there are '
                             f'{count_words(len(systems), "system")}')
    pictures = [[paint_points(row[0], side), *(paint_cell(cell, side, rule) for cell in row)]
                for row in rows]
    heights = [max(len(picture) for picture in row) + TEXT_ROOM for row in pictures]
    width = max(picture.shape[1] for row in pictures for picture in row) + 14
    figure = new_figure(max((len(systems) + 1) * width, 620) / DPI,
                        (sum(heights) + TITLE_ROOM + LEGEND_ROOM) / DPI)
    grid = figure.subplots(len(rows), len(systems) + 1, squeeze=False,
                           gridspec_kw=dict(height_ratios=heights))
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for line, row, painted in zip(grid, rows, pictures, strict=True):
        line[0].set_xlabel(row[0][0].name, fontsize=6)
        for axes, picture in zip(line, painted, strict=True):
            axes.imshow(picture, interpolation='none')
        for axes, cell in zip(line[1:], row, strict=True):
            axes.set_xlabel(outcome_of(judge_cell(cell, rule)).describe(), fontsize=6)
    for axes, name in zip(grid[0], ('annotated points', *systems), strict=True):
        axes.set_title('\n'.join(fill(line, 26) for line in name.splitlines()), fontsize=7)
    if title:
        figure.suptitle(fill(title, 34 * (len(systems) + 1)), fontsize=7)
    add_legend(figure, any(example.scores is not None for row in rows for cell in row
                           for example in cell))
    for legend in figure.legends:
        for text in legend.get_texts():
            text.set_fontsize(6)
    return save_figure(figure, path, dpi=DPI)
