"""A figure to look at: what a model finds, what it misses, and its false positives."""
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from mmwindow.evaluation.hit_rules import DiskOverlap, HitRule
from mmwindow.visualization.examples import Example, JudgedFindings, judge_example
from mmwindow.visualization.figures import new_figure, save_figure
from mmwindow.visualization.overlay import COLOURS, overlay_heatmap, side_by_side

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPERS_RULE = DiskOverlap()
GROUPS = ('hits', 'misses', 'false positives', 'hits that are false positives',
          'negative images without findings')


def group_of(judged: JudgedFindings) -> str:
    """Return the group of an image; a missed point weighs more than a false positive."""
    if not judged.found.all():
        return 'misses'
    if (judged.is_false_positive & ~judged.is_hit).any():
        return 'false positives'
    if judged.is_false_positive.any():
        return 'hits that are false positives'
    return 'hits' if len(judged.found) else 'negative images without findings'


def sort_examples(examples: Iterable[Example], num_per_group: int | None = None,
                  rule: HitRule = PAPERS_RULE) -> dict[str, list[Example]]:
    """Sort examples into the groups of :data:`GROUPS`.

    Args:
        examples: Read one by one; their order is kept, so that nobody chooses the pretty ones.
        num_per_group: Keep only the first of each group.
        rule: The run's hit rule.

    Returns:
        All groups, also empty ones.
    """
    groups: dict[str, list[Example]] = {name: [] for name in GROUPS}
    for example in examples:
        group = groups[group_of(judge_example(example, rule))]
        if num_per_group is None or len(group) < num_per_group:
            group.append(example)
    return groups


def shrink_example(example: Example, side: int) -> Example:
    """Return an example whose long edge is ``side``: lines are drawn at the size seen."""
    height, width = example.img.shape[:2]
    factor = side / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return replace(
        example, img=cv2.resize(example.img, size, interpolation=cv2.INTER_AREA),
        points=np.asarray(example.points, dtype=np.float64).reshape(-1, 2) * factor,
        boxes=None if example.boxes is None else np.asarray(example.boxes) * factor)


def draw_panel(example: Example, side: int, rule: HitRule = PAPERS_RULE) -> np.ndarray:
    """Return the image, and next to it the image with map, points and findings."""
    judged = judge_example(example, rule)
    factor = side / max(example.img.shape[:2])
    small = shrink_example(example, side)
    painted = overlay_heatmap(small.img, small.scores, small.points, judged.boxes * factor,
                              judged.found, judged.is_hit, judged.is_false_positive)
    return side_by_side([small.img, painted])


def describe(example: Example, rule: HitRule = PAPERS_RULE) -> str:
    """Return one line: name, points found, findings that are false positives, highest score."""
    judged = judge_example(example, rule)
    parts = [example.name] if example.name else []
    if len(judged.found):
        parts.append(f'{judged.found.sum()} of {len(judged.found)} found')
    num_false = int((judged.is_false_positive & ~judged.is_hit).sum())
    num_both = int((judged.is_false_positive & judged.is_hit).sum())
    if num_false:
        parts.append(f'{num_false} false positive{"s" if num_false > 1 else ""}')
    if num_both:
        parts.append(f'{num_both} hit and false positive')
    if example.scores is not None:
        parts.append(f'max {np.max(example.scores):.2f}')
    return ', '.join(parts)


def add_legend(figure: 'Figure', has_map: bool) -> None:
    """Explain crosses, boxes and colours below all panels."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def colour(name: str) -> tuple[float, float, float]:
        red, green, blue = COLOURS[name]
        return red / 255, green / 255, blue / 255

    def cross(name: str, label: str, marker: str) -> Line2D:
        return Line2D([], [], linestyle='', marker=marker, markersize=9, markeredgewidth=2.5,
                      color=colour(name), label=label)

    def box(name: str, label: str, linestyle: Literal['-', '--']) -> Patch:
        return Patch(facecolor='0.2', edgecolor=colour(name), linewidth=2,
                     linestyle=linestyle, label=label)

    entries = [cross('found', 'point, found', '+'), cross('missed', 'point, missed', 'x'),
               box('finding', 'hit', '-'), box('false_positive', 'false positive', '--'),
               box('false_positive', 'hit and false positive', '-'),
               box('finding', 'neither', '--')]
    if has_map:
        entries.append(Patch(facecolor='#f57d15', label='score: red low, yellow high'))
    # Dark like a radiograph: white boxes would vanish on white paper.
    figure.legend(handles=entries, loc='outside lower center', ncols=3, fontsize=9,
                  facecolor='0.2', edgecolor='none', framealpha=1, labelcolor='white')


def save_overlays(examples: Iterable[Example], path: str | Path, num_per_group: int = 3,
                  side: int = 300, title: str | None = None, rule: HitRule = PAPERS_RULE) -> Path:
    """Write a grid with a row for each group of :data:`GROUPS`.

    Each panel shows the image, and the same image with map, points and findings. The first examples
    of each group are shown, in their order; rows without any are left out.

    Args:
        examples: Read one by one.
        path: .png, .jpg, .pdf or .svg.
        num_per_group: Panels in a row.
        side: Long edge of an image in the figure, in pixels.
        title: Above all panels.
        rule: The run's hit rule.

    Returns:
        The figure.

    Raises:
        ValueError: There is no example.
        ImportError: matplotlib is not installed.
    """
    groups = {name: group for name, group in sort_examples(examples, num_per_group, rule).items()
              if group}
    if not groups:
        raise ValueError('save_overlays: there is no example to draw')
    dpi = 100
    columns = max(len(group) for group in groups.values())
    panels = [[draw_panel(example, side, rule) for example in group]
              for group in groups.values()]
    heights = [max(len(panel) for panel in row) + 26 for row in panels]
    width = max(panel.shape[1] for row in panels for panel in row) + 12
    figure = new_figure(max(columns * width, 620) / dpi, (sum(heights) + 120) / dpi)
    grid = figure.subplots(len(panels), columns, squeeze=False,
                           gridspec_kw=dict(height_ratios=heights))
    for row, (name, group), pictures in zip(grid, groups.items(), panels, strict=True):
        row[0].set_ylabel(fill(name, 18), fontsize=11)
        for axes in row:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes, example, picture in zip(row, group, pictures, strict=False):
            axes.imshow(picture, interpolation='none')
            axes.set_title(describe(example, rule), fontsize=8)
    if title:
        figure.suptitle(title, fontsize=12)
    add_legend(figure, any(example.scores is not None
                           for group in groups.values() for example in group))
    return save_figure(figure, path, dpi=dpi)
