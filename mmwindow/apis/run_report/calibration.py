"""The section of a report about image scores as probabilities."""
import numpy as np

from mmwindow.apis.evaluation_report import table
from mmwindow.evaluation.statistics.calibration import Calibration
from mmwindow.utils.markdown import format_number, format_with_interval


def calibration_section(calibration: Calibration | None) -> list[str]:
    """Return how far image scores are probabilities."""
    if calibration is None:
        return []
    names = dict(brier='Brier score', ece='expected calibration error', slope='slope',
                 intercept='intercept (slope 1)')
    rows = []
    for key, title in names.items():
        interval = getattr(calibration, key)
        rows.append([title, 'none: ' + calibration.reasons.get(key, 'no number') if interval is None
                     else format_with_interval(interval.estimate, interval)])
    lines = ['### Calibration of image scores', '',
             f'Mean score {format_number(calibration.mean_score)}, share of images with a finding '
             f'{format_number(calibration.prevalence)}. A calibrated model has slope 1 and intercept '
             '0; with the scores as probabilities, the expected calibration error would be '
             f'{format_number(calibration.ece_by_chance)} by chance alone on these images.', '',
             *table(['', 'value (95 % interval)'], rows),
             *[f'- {note}' for note in calibration.notes], *[''] * bool(calibration.notes)]
    if calibration.bins:
        lines += table(['score', 'images', 'mean score', 'share with a finding (95 % interval)'], [
            [f'{row.low:.1f} to {row.high:.1f}', row.num_images, format_number(row.mean_score),
             format_with_interval(row.share.estimate, row.share if np.isfinite(row.share.low)
                                  else None)] for row in calibration.bins])
    return lines
