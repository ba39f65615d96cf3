"""The figures of a report; one that cannot be drawn costs no number."""
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.apis.run_numbers import ClassNumbers, ReportSettings
from mmwindow.apis.run_report.inputs import ReportInputs
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.statistics.bands import froc_band, roc_band
from mmwindow.utils.messages import shorten

FALLBACK_BUDGET = 0.1  # of pictures, where there is no stored threshold


def shown_point(entry: ClassNumbers) -> tuple[float, str]:
    """Return the threshold of findings that pictures show, and its meaning in words."""
    point = entry.points.findings
    if point is not None:
        return point.threshold, f'the stored threshold by {point.describe()}'
    threshold = None
    with suppress(ValueError):  # events were not kept so far down
        threshold = entry.result.froc.threshold_at(FALLBACK_BUDGET)
    if threshold is None or not np.isfinite(threshold):
        return 0.5, 'as there is no stored threshold and none keeps to a budget'
    return float(threshold), (f'chosen for the pictures on these very images, '
                              f'{FALLBACK_BUDGET:g} false positives per image')


def draw_run_figures(folder: Path, inputs: ReportInputs, numbers: Sequence[ClassNumbers],
                     settings: ReportSettings, problems: list[str]) -> dict[str, list[str]]:
    """Draw all figures; return their names by class, '' for those of the run.

    Args:
        folder: Exists.
        inputs: What is reported.
        numbers: Of each class.
        settings: Of the bands.
        problems: Receives what could not be drawn.
    """
    figures: dict[str, list[str]] = {}

    def draw(group: str, name: str, function: Callable[[Path], Any]) -> None:
        (folder / name).unlink(missing_ok=True)  # of a report before
        if any('matplotlib' in problem for problem in problems):
            return
        try:
            function(folder / name)
            figures.setdefault(group, []).append(name)
        except ImportError as error:
            problems.append(f'no figures: {error}')
        except Exception as error:  # noqa: BLE001  (a picture must cost no number)
            problems.append(f'{name}: {type(error).__name__}: {shorten(str(error))}')

    from mmwindow.visualization.run_figures import plot_training
    if inputs.training is not None and (inputs.training.losses or inputs.training.metrics):
        log = inputs.training
        draw('', 'training.png', lambda path: plot_training(log.losses, log.metrics, path,
                                                            inputs.best_epoch))
    for label, entry in enumerate(numbers):
        suffix = '' if len(numbers) == 1 else '_' + re.sub(r'[^\w.-]', '-', entry.name)
        for kind, function in class_figures(label, entry, inputs, settings).items():
            draw(entry.name, f'{kind}{suffix}.png', function)
    return figures


def class_figures(label: int, entry: ClassNumbers, inputs: ReportInputs, settings: ReportSettings
                  ) -> dict[str, Callable[[Path], Any]]:
    """Return what draws each figure of a class, by kind; those that it has numbers for."""
    from mmwindow.visualization.curves import plot_froc, plot_roc
    from mmwindow.visualization.marks import CurveMark
    from mmwindow.visualization.panels import save_overlays
    from mmwindow.visualization.run_figures import plot_reliability
    how = FROCSettings.from_record(inputs.result.settings)
    right = max(1., *how.budgets)
    drawn: dict[str, Any] = dict(num_resamples=settings.band_resamples, seed=settings.seed)
    found = entry.at_threshold.intervals if entry.at_threshold is not None else {}
    threshold, meaning = shown_point(entry)

    def mark(x: str, y: str, flip: bool) -> list[CurveMark]:
        across, up = found.get(x), found.get(y)
        if across is None or up is None:
            return []
        return [CurveMark('threshold', 1 - across.estimate if flip else across.estimate,
                          up.estimate, kind='stored ')]

    def draw_froc(path: Path) -> None:
        band = None
        for end in (right, max(how.budgets)):  # events may not be kept as far down as the axis goes
            with suppress(ValueError):  # also of one patient
                if entry.folds:  # a band of pooled scores would not belong to the mean curve
                    break
                band = froc_band(entry.result.events, how, end, num_rates=26, **drawn)
                break
        plot_froc(entry.result.froc, path, how.budgets, right, band, how.convention,
                  operating_points=mark('fp_rate', 'recall', False))

    def draw_roc(path: Path) -> None:
        try:
            band = None if entry.folds else roc_band(entry.result.events, **drawn)
        except ValueError:
            band = None
        if entry.result.roc is not None:
            plot_roc(entry.result.roc, path, bands=band,
                     operating_points=mark('specificity', 'sensitivity', True))

    def draw_overlays(path: Path) -> None:
        if inputs.images is not None:
            examples = inputs.images.examples(label, threshold, how.rule, inputs.image_settings)
            save_overlays(examples, path, rule=how.rule,
                          title=f'{entry.name}: findings at ' + (
                              "each fold's own threshold" if entry.folds else
                              f'a score of {threshold:.3f}'))

    figures: dict[str, Callable[[Path], Any]] = {}
    if entry.result.froc.num_points:
        figures['froc'] = draw_froc
    if entry.result.roc is not None:
        figures['roc'] = draw_roc
    if entry.calibration is not None and entry.calibration.bins:
        calibration = entry.calibration
        figures['calibration'] = lambda path: plot_reliability(calibration, path)
    if inputs.images is not None and len(inputs.images):
        figures['overlays'] = draw_overlays
    return figures
