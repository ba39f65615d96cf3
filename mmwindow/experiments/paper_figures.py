"""The paper's Figures 4 (ROC) and 5 (FROC), of all images and by a field of them."""
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mmwindow.evaluation.froc_settings import counted_curve
from mmwindow.evaluation.roc import roc_curve
from mmwindow.evaluation.statistics.fold_curves import mean_froc_curve, mean_roc_curve
from mmwindow.evaluation.statistics.strata import is_small
from mmwindow.experiments.strata import ONE, POINTS, SEVERAL, divide
from mmwindow.experiments.strata_tables import PREFIX
from mmwindow.experiments.systems import System
from mmwindow.utils.messages import count_words
from mmwindow.visualization.curves import PAPER_FIGURE, plot_froc, plot_roc

# A system has one colour in all figures; there are eight, and the last one shares the first's.
COLOUR_ORDER = ('WL+', 'WL-KLD', 'RetinaNet', 'Faster R-CNN', 'FCOS', 'CheXNet', 'WSPL', 'UFDet',
                'WL-MSE')


def draw_figures(systems: Mapping[str, System], out: Path, suffix: str = '',
                 kinds: Sequence[str] = ('png', 'svg'), title: str = '') -> None:
    """Draw Figures 4 and 5 of systems by label, of folds the mean curves.

    A system none of whose folds has both kinds of images has no ROC.

    Args:
        systems: By label.
        out: Receives ``figure4<suffix>`` and ``figure5<suffix>``.
        suffix: Of the names.
        kinds: Formats.
        title: Above the axes.
    """
    look = replace(PAPER_FIGURE, order=COLOUR_ORDER, title=title)
    froc_settings = next(iter(systems.values())).froc_settings()
    rocs, frocs = {}, {}
    for label, system in systems.items():
        frocs[label] = mean_froc_curve([counted_curve(events, froc_settings)
                                        for events in system.events.values()])
        folds = [([event.is_positive for event in events], [event.score for event in events])
                 for events in system.events.values()]
        curves = [roc_curve(labels, scores) for labels, scores in folds
                  if 0 < sum(labels) < len(labels)]
        if curves:
            rocs[label] = mean_roc_curve(curves)
    for kind in kinds:
        if rocs:
            plot_roc(rocs, out / f'figure4{suffix}.{kind}', zoom=True, settings=look)
        if all(curve.num_points for curve in frocs.values()):
            plot_froc(frocs, out / f'figure5{suffix}.{kind}', froc_settings.budgets,
                      max(froc_settings.budgets), convention=froc_settings.convention,
                      settings=look)


def draw_figures_by(systems: Mapping[str, System], field: str, out: Path) -> list[str]:
    """Draw Figures 4 and 5 for each value of a field; return the lines that show them on a page.

    A value without a point has no FROC, and one without both kinds of images no ROC; one of too few
    images has neither.

    Args:
        systems: By label, on the same images.
        field: Of the images, or the number of points (:func:`~.strata.divide`).
        out: Receives ``figure4_by_<field>_<value>.png`` and so on.
    """
    parts = {label: divide(system.events, field) for label, system in systems.items()}
    lines: list[str] = []
    taken: set[str] = set()
    for place, value in enumerate(next(iter(parts.values()))):
        words = re.sub(r'[^A-Za-z0-9]+', '-', value).strip('-') or str(place)
        if words.lower() in taken:  # '<50' and '>=50', or two that differ in case
            words += f'-{place}'
        taken.add(words.lower())
        suffix = f'_{PREFIX}{field}_{words}'
        images = [event for events in next(iter(parts.values()))[value].values() for event in events]
        num_positives = sum(bool(event.is_positive) for event in images)
        if is_small(len(images), num_positives):
            continue
        what = {ONE: '1 point', SEVERAL: '2 points or more'}[value] if field == POINTS else value
        draw_figures({label: replace(system, events=parts[label][value])
                      for label, system in systems.items()}, out, suffix, ('png', ),
                     f'{what}: {count_words(len(images), "image")}, {num_positives} with a point, '
                     f'{count_words(sum(event.num_points for event in images), "point")}')
        lines += [f'![{title}, {field} {value}]({number}{suffix}.png)'
                  for number, title in (('figure4', 'ROC'), ('figure5', 'FROC'))
                  if (out / f'{number}{suffix}.png').exists()]
    return [*lines, '']
