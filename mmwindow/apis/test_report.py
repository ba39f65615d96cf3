"""Pictures and a page for one test run."""
import pickle
from pathlib import Path

import numpy as np

from mmwindow.evaluation import froc_curve, roc_curve
from mmwindow.evaluation.files.records import read_record
from mmwindow.images.decode import read_image
from mmwindow.utils.files import write_text
from mmwindow.visualization import Example, plot_froc, plot_roc, save_overlays


def read_curves(path):
    """Return the curves of a record that ``FROCMetric(outfile=...)`` wrote, of its first class.

    Returns:
        dict: ``froc`` (FROCCurve) and ``roc`` (ROCCurve, or None with one kind of image).
    """
    record = read_record(path)
    events = next(iter(record.classes.values()))
    labels = [img.is_positive for img in events]
    # A box detector without a box on a film scores it -inf, below every other.
    scores = [img.score for img in events]
    return dict(froc=froc_curve(events),
                roc=roc_curve(labels, scores) if 0 < sum(labels) < len(labels) else None)


def iterate_examples(path, threshold):
    """Yield the films of a predictions file (``tools/test.py --out``) with points and findings.

    Films are read as the model reads them; points and findings are those of the first class.

    Args:
        path (str | Path): The ``.pkl``.
        threshold (float): Findings are what scores at least this: components of a map, or the
            boxes of a detector of boxes.

    Yields:
        Example: One film.

    Raises:
        ValueError: A film is not there any more, or damaged.
    """
    with open(path, 'rb') as stream:
        samples = pickle.load(stream)
    for sample in samples:
        path = Path(sample['img_path'])
        if not path.is_file():
            raise ValueError(f'{path}: the image cannot be read any more; test again')
        points = np.asarray(sample['ori_points'], dtype=float).reshape(-1, 2)
        yield Example(img=read_image(path).to_bgr()[..., 0],
                      points=points[np.asarray(sample['ori_point_labels'], dtype=int) == 0],
                      **findings_of(sample, threshold), threshold=threshold, name=path.stem)


def findings_of(sample, threshold):
    """Return ``scores`` (the map of the first class), or ``boxes`` where there is no map."""
    if 'pred_heatmap' in sample:
        return dict(scores=np.asarray(sample['pred_heatmap']['scores'][0]))
    found = {name: np.asarray(sample['pred_instances'][name])
             for name in ('bboxes', 'scores', 'labels')}
    kept = (found['labels'] == 0) & (found['scores'] >= threshold)
    return dict(boxes=found['bboxes'][kept].reshape(-1, 4))


def draw_report(out, curves, predictions, metrics, budget=0.3):
    """Write ``roc.png``, ``froc.png``, ``overlays.png`` and ``report.md`` into a folder.

    There is no FROC without points and no ROC with one kind of film.

    Args:
        out (str | Path): The folder.
        curves (str | Path): What ``FROCMetric(outfile=...)`` wrote.
        predictions (str | Path): What ``tools/test.py --out`` wrote.
        metrics (dict): The numbers of the test.
        budget (float): The heat maps' findings are those at this budget of false
            positives per image.

    Raises:
        ValueError: A file is not what it should be, or a film is not there any more.
    """
    out = Path(out)
    curve = read_curves(curves)
    threshold = curve['froc'].threshold_at(budget)
    meaning = f'the threshold at which a reader has spent {budget:g} false positives an image'
    if not np.isfinite(threshold):
        threshold, meaning = 0.5, f'as no threshold keeps to {budget:g} false positives an image'
    lines = ['# Test report', '', '| | |', '|---|---|']
    lines += [f'| {name} | {value:.4f} |' for name, value in metrics.items()]
    lines.append('')
    if curve['froc'].num_points:
        plot_froc(curve['froc'], out / 'froc.png')
        lines.append('![FROC](froc.png)')
    if curve['roc'] is not None:
        plot_roc(curve['roc'], out / 'roc.png')
        lines.append('![ROC](roc.png)')
    save_overlays(iterate_examples(predictions, threshold), out / 'overlays.png',
                  title=f'Findings at a score of {threshold:.3f}, {meaning}')
    lines += ['', f'Findings below are those at a score of {threshold:.3f}, {meaning}.', '',
              '![Heat maps](overlays.png)', '']
    write_text(out / 'report.md', '\n'.join(lines))
