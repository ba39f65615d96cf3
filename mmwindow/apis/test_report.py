"""Pictures and a page for one test run."""
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmwindow.evaluation import FROCCurve, froc_curve, roc_curve
from mmwindow.evaluation.files.finding_counts import describe_counts
from mmwindow.evaluation.files.records import read_record
from mmwindow.evaluation.files.safe_pickle import load_samples
from mmwindow.evaluation.hit_rules import HitRule, make_hit_rule
from mmwindow.evaluation.roc import ROCCurve
from mmwindow.images.decode import ImageSettings, read_image
from mmwindow.utils.files import write_text
from mmwindow.utils.markdown import format_number, markdown_table
from mmwindow.visualization import Example, plot_froc, plot_roc, save_overlays


class RunCurves(NamedTuple):
    """What a record says of its first class.

    Attributes:
        froc: The exact curve.
        roc: None with one kind of image.
        rule: The hit rule that the images were scored by.
        budgets: Of the FROC score, false positives per image.
        convention: Of the recalls.
        counts: Findings that were left out or clipped, as the record's source has them.
    """

    froc: FROCCurve
    roc: ROCCurve | None
    rule: HitRule
    budgets: tuple[float, ...]
    convention: str
    counts: Mapping[str, int]


def read_curves(path: str | Path) -> RunCurves:
    """Return the curves of a record that ``FROCMetric(outfile=...)`` wrote, of its first class."""
    record = read_record(path)
    events = next(iter(record.classes.values()))
    labels = [img.is_positive for img in events]
    # A box detector without a box on an image scores it -inf, below every other.
    scores = [img.score for img in events]
    settings = dict(record.settings)
    rule = make_hit_rule(settings.pop('rule', 'disk_overlap'), **settings)
    return RunCurves(
        froc_curve(events), roc_curve(labels, scores) if 0 < sum(labels) < len(labels) else None,
        rule, tuple(settings['budgets']), settings['convention'], record.source.get('counts', {}))


def iterate_examples(path: str | Path, threshold: float,
                     settings: ImageSettings | None = None) -> Iterator[Example]:
    """Yield the images of a predictions file (``tools/test.py --out``) with points and findings.

    Images are read as the model reads them; points and findings are those of the first class.

    Args:
        path: The ``.pkl``.
        threshold: Findings are what scores at least this: components of a map, or the boxes of a
            detector of boxes.
        settings: How images are read, as in the config.

    Raises:
        ValueError: An image is no longer there, or damaged.
    """
    for sample in load_samples(path):
        path = Path(sample['img_path'])
        if not path.is_file():
            raise ValueError(f'{path}: the image cannot be read any more; test again')
        points = np.asarray(sample['ori_points'], dtype=float).reshape(-1, 2)
        yield Example(img=read_image(path, settings).to_bgr()[..., 0],
                      points=points[np.asarray(sample['ori_point_labels'], dtype=int) == 0],
                      **findings_of(sample, threshold), threshold=threshold, name=path.stem)


def findings_of(sample: Mapping[str, Any], threshold: float) -> dict[str, np.ndarray]:
    """Return ``scores`` (the map of the first class), or ``boxes`` where there is no map."""
    if 'pred_heatmap' in sample:
        return dict(scores=np.asarray(sample['pred_heatmap']['scores'][0]))
    boxes, scores, labels = (np.asarray(sample['pred_instances'][name])
                             for name in ('bboxes', 'scores', 'labels'))
    return dict(boxes=boxes[(labels == 0) & (scores >= threshold)].reshape(-1, 4))


def draw_report(out: str | Path, curves: str | Path, predictions: str | Path,
                metrics: Mapping[str, float | None], budget: float = 0.3,
                settings: ImageSettings | None = None) -> None:
    """Write ``roc.png``, ``froc.png``, ``overlays.png`` and ``report.md`` into a folder.

    There is no FROC without points and no ROC with one kind of image. Pictures are judged by the
    hit rule of the run.

    Args:
        out: The folder.
        curves: What ``FROCMetric(outfile=...)`` wrote.
        predictions: What ``tools/test.py --out`` wrote.
        metrics: The numbers of the test; None or NaN where there is none.
        budget: The findings shown are those at this budget of false positives per image.
        settings: How images are read, as in the config.

    Raises:
        ValueError: A file is not what it should be, or an image is no longer there.
        ImportError: matplotlib is not installed.
    """
    out = Path(out)
    run = read_curves(curves)
    threshold = run.froc.threshold_at(budget)
    meaning = f'the threshold at which a reader has spent {budget:g} false positives an image'
    if threshold is None or not np.isfinite(threshold):
        threshold, meaning = 0.5, f'as no threshold keeps to {budget:g} false positives an image'
    rows = [[name, format_number(value, 4)] for name, value in metrics.items()]
    changed = [f'- {text}.' for text in describe_counts(run.counts)]
    lines = ['# Test report', '', *changed, *[''] * bool(changed),
             markdown_table([['number', 'value'], *rows]), '']
    if run.froc.num_points:
        plot_froc(run.froc, out / 'froc.png', run.budgets, max(1., *run.budgets),
                  convention=run.convention)
        lines.append('![FROC](froc.png)')
    if run.roc is not None:
        plot_roc(run.roc, out / 'roc.png')
        lines.append('![ROC](roc.png)')
    save_overlays(iterate_examples(predictions, threshold, settings), out / 'overlays.png',
                  title=f'Findings at a score of {threshold:.3f}, {meaning}', rule=run.rule)
    lines += ['', f'Findings below are those at a score of {threshold:.3f}, {meaning}; hit rule '
              f'{run.rule.name}.', '', '![Heat maps](overlays.png)', '']
    write_text(out / 'report.md', '\n'.join(lines))
