"""A figure to look at: what a model finds, misses and raises false alarms about."""
from dataclasses import replace

import cv2
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mmwindow.visualization.examples import judge_example
from mmwindow.visualization.figures import new_figure, save_figure
from mmwindow.visualization.overlay import COLOURS, overlay_heatmap, side_by_side

GROUPS = ('hits', 'misses', 'false alarms', 'normals left alone')


def group_of(judged):
    """Return the group of an image; a missed point weighs more than a false alarm."""
    if len(judged['found']) and not judged['found'].all():
        return 'misses'
    if judged['false'].any():
        return 'false alarms'
    return 'hits' if len(judged['found']) else 'normals left alone'


def sort_examples(examples, num_per_group=None, **rules):
    """Sort examples into hits, misses, false alarms and normals left alone.

    Args:
        examples (Iterable[Example]): Read one by one; their order is kept, so that
            nobody chooses the pretty ones.
        num_per_group (int, optional): Keep only the first of each group.
        rules: As in :func:`judge_example`.

    Returns:
        dict[str, list[Example]]: All four groups, also empty ones.
    """
    groups = {name: [] for name in GROUPS}
    for example in examples:
        group = groups[group_of(judge_example(example, **rules))]
        if num_per_group is None or len(group) < num_per_group:
            group.append(example)
    return groups


def shrink_example(example, side):
    """Return an example whose long edge is ``side``: lines are drawn at the size seen."""
    height, width = example.img.shape[:2]
    factor = side / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return replace(
        example, img=cv2.resize(example.img, size, interpolation=cv2.INTER_AREA),
        points=np.asarray(example.points, dtype=np.float64).reshape(-1, 2) * factor,
        boxes=None if example.boxes is None else np.asarray(example.boxes) * factor)


def draw_panel(example, side, **rules):
    """Return the bare film, and beside it the film with map, points and findings."""
    judged = judge_example(example, **rules)
    factor = side / max(example.img.shape[:2])
    small = shrink_example(example, side)
    painted = overlay_heatmap(small.img, small.scores, small.points, judged['boxes'] * factor,
                              judged['found'], judged['false'])
    return side_by_side([small.img, painted])


def describe(example, **rules):
    """Return one line: name, points found, false alarms, highest score."""
    judged = judge_example(example, **rules)
    parts = [example.name] if example.name else []
    if len(judged['found']):
        parts.append(f'{judged["found"].sum()} of {len(judged["found"])} found')
    if judged['false'].any():
        num = int(judged['false'].sum())
        parts.append(f'{num} false alarm{"s" if num > 1 else ""}')
    if example.scores is not None:
        parts.append(f'max {np.max(example.scores):.2f}')
    return ', '.join(parts)


def add_legend(figure, has_map):
    """Explain crosses, boxes and colours below all panels."""
    def cross(name, label, marker):
        return Line2D([], [], linestyle='', marker=marker, markersize=9, markeredgewidth=2.5,
                      color=np.array(COLOURS[name]) / 255, label=label)

    def box(name, label):
        return Patch(facecolor='0.2', edgecolor=np.array(COLOURS[name]) / 255, linewidth=2,
                     label=label)

    entries = [cross('found', 'point, found', '+'), cross('missed', 'point, missed', 'x'),
               box('finding', 'finding'), box('false', 'false alarm')]
    if has_map:
        entries.append(Patch(facecolor='#f57d15', label='score: dark red low, yellow high'))
    # Dark like a film: white boxes would vanish on white paper.
    figure.legend(handles=entries, loc='outside lower center', ncols=len(entries), fontsize=9,
                  facecolor='0.2', edgecolor='none', framealpha=1, labelcolor='white')


def save_overlays(examples, path, num_per_group=3, side=300, title=None, **rules):
    """Write a grid with a row for hits, misses, false alarms and normals left alone.

    Each panel shows the bare film, and the same film with map, points and findings.
    The first examples of each group are shown, in their order; rows without any are
    left out.

    Args:
        examples (Iterable[Example]): Read one by one.
        path (str | Path): .png, .jpg, .pdf or .svg.
        num_per_group (int): Panels in a row.
        side (int): Long edge of a film in the figure, in pixels.
        title (str, optional): Above all panels.
        rules: As in :func:`judge_example`.

    Returns:
        Path: The figure.

    Raises:
        ValueError: There is no example.
    """
    groups = {name: group for name, group in sort_examples(examples, num_per_group, **rules).items()
              if group}
    if not groups:
        raise ValueError('save_overlays: there is no example to draw')
    dpi = 100
    columns = max(len(group) for group in groups.values())
    panels = [[draw_panel(example, side, **rules) for example in group]
              for group in groups.values()]
    heights = [max(len(panel) for panel in row) + 26 for row in panels]
    width = max(panel.shape[1] for row in panels for panel in row) + 12
    figure = new_figure(max(columns * width, 620) / dpi, (sum(heights) + 80) / dpi)
    grid = figure.subplots(len(panels), columns, squeeze=False,
                           gridspec_kw=dict(height_ratios=heights))
    for row, (name, group), pictures in zip(grid, groups.items(), panels, strict=True):
        row[0].set_ylabel(name, fontsize=11)
        for axes in row:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes, example, picture in zip(row, group, pictures, strict=False):
            axes.imshow(picture, interpolation='none')
            axes.set_title(describe(example, **rules), fontsize=8)
    if title:
        figure.suptitle(title, fontsize=12)
    add_legend(figure, any(example.scores is not None
                           for group in groups.values() for example in group))
    return save_figure(figure, path, dpi=dpi)
