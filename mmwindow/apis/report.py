"""Pictures and a page for one test run."""
import os
import pickle
from pathlib import Path

import cv2
import numpy as np

from mmwindow.evaluation import froc_curve, roc_curve
from mmwindow.evaluation.records import read_record
from mmwindow.visualization import Example, plot_froc, plot_roc, save_overlays


def read_curves(path):
    """Return the curves of a record that ``FROCMetric(outfile=...)`` wrote, of its first class.

    Returns:
        dict: ``froc`` (FROCCurve), ``roc`` (ROCCurve, or None with one kind of image) and
        ``operating_points`` (a list of dicts: ``budget``, and its ``threshold``, None where no
        threshold keeps to it).
    """
    record = read_record(path)
    events = next(iter(record.classes.values()))
    labels = [img.is_positive for img in events]
    curve = froc_curve(events)
    return dict(
        froc=curve,
        # A box detector without a box on a film scores it -inf, below every other.
        roc=(roc_curve(labels, [img.score for img in events])
             if 0 < sum(labels) < len(labels) else None),
        operating_points=[
            dict(budget=budget, threshold=threshold if np.isfinite(threshold) else None)
            for budget in record.settings['budgets']
            for threshold in [curve.threshold_at(budget)]])


def iterate_examples(path, threshold):
    """Yield the films of a predictions file (``tools/test.py --out``) with maps and points."""
    with open(path, 'rb') as stream:
        samples = pickle.load(stream)
    for sample in samples:
        img = cv2.imread(sample['img_path'], cv2.IMREAD_GRAYSCALE)
        if img is None:
            raise ValueError(f'{sample["img_path"]}: the image cannot be read any more; test again')
        yield Example(img=img, points=np.asarray(sample['ori_points'], dtype=float).reshape(-1, 2),
                      scores=np.asarray(sample['pred_heatmap']['scores'][0]),
                      threshold=threshold, name=Path(sample['img_path']).stem)


def draw_report(out, curves, predictions, metrics, budget=0.3):
    """Write ``roc.png``, ``froc.png``, ``overlays.png`` and ``report.md`` into a folder.

    Args:
        out (str | Path): The folder.
        curves (str | Path): What ``FROCMetric(outfile=...)`` wrote.
        predictions (str | Path): What ``tools/test.py --out`` wrote.
        metrics (dict): The numbers of the test.
        budget (float): The heat maps' findings are those at this budget of false
            positives per image, one of the metric's.
    """
    out = Path(out)
    curve = read_curves(curves)
    threshold = next((point['threshold'] for point in curve['operating_points']
                      if np.isclose(point['budget'], budget)), None)
    threshold = 0.5 if threshold is None else threshold
    plot_froc(curve['froc'], out / 'froc.png')
    lines = ['# Test report', '', '| | |', '|---|---|']
    lines += [f'| {name} | {value:.4f} |' for name, value in metrics.items()]
    lines += ['', '![FROC](froc.png)']
    if curve['roc'] is not None:
        plot_roc(curve['roc'], out / 'roc.png')
        lines.append('![ROC](roc.png)')
    save_overlays(iterate_examples(predictions, threshold), out / 'overlays.png',
                  title=f'Findings at a score of {threshold:.3f}, {budget:g} false positives an '
                        'image')
    lines += ['', f'Findings below are those at a score of {threshold:.3f}, the threshold at which '
              f'a reader has spent {budget:g} false positives an image.', '',
              '![Heat maps](overlays.png)', '']
    part = out / 'report.md.part'
    part.write_text('\n'.join(lines), encoding='utf-8')
    os.replace(part, out / 'report.md')
