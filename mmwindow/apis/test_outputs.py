"""What a test writes, and how its numbers and files are told on the screen."""
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from mmengine.config import Config
from mmengine.evaluator import BaseMetric

from mmwindow.apis.runner import is_first_process
from mmwindow.evaluation.files.finding_counts import describe_counts
from mmwindow.utils.markdown import format_number


def show_finding_counts(metrics: Iterable[BaseMetric]) -> None:
    """Say on standard error which findings were left out or clipped; nothing on other ranks."""
    for metric in metrics if is_first_process() else ():
        for text in describe_counts(getattr(metric, 'finding_counts', {})):
            print(f'test: {text}', file=sys.stderr)


def record_files(cfg: Config) -> list[str]:
    """Return the files that the metrics of a test write."""
    evaluator = cfg.get('test_evaluator') or []
    metrics = evaluator if isinstance(evaluator, list | tuple) else [evaluator]
    return [path for metric in metrics if (path := metric.get('outfile'))]


def describe_metrics(metrics: Mapping[str, float | None]) -> str:
    """Return numbers as lines of text, one a metric; nothing on other ranks.

    >>> print(describe_metrics({'froc/auroc': 0.5, 'froc/froc_score': None}), end='')
      froc/auroc       0.5000
      froc/froc_score  none
    """
    if not metrics or not is_first_process():
        return ''
    width = max(map(len, metrics))
    return ''.join(f'  {name:{width}}  {format_number(value, 4)}\n'
                   for name, value in metrics.items())


def describe_outputs(out: str | Path | None, show_dir: str | Path | None) -> str:
    """Return as lines of text where a test wrote what was asked for; nothing on other ranks.

    >>> print(describe_outputs('a.npz', None), end='')
    predictions: a.npz, described in a.json
    """
    if not is_first_process():
        return ''
    lines = []
    if out is not None:
        described = f', described in {Path(out).with_suffix(".json")}' * (Path(out).suffix == '.npz')
        lines.append(f'predictions: {out}{described}\n')
    if show_dir is not None:
        lines.append(f'pictures: {show_dir}\n')
    return ''.join(lines)


def dump_metric(out: str | Path, config: str | Path, checkpoint: str | Path) -> BaseMetric:
    """Return the metric that writes every prediction into a file, by its suffix."""
    if Path(out).suffix != '.npz':
        from mmdet.evaluation import DumpDetResults
        return DumpDetResults(out_file_path=str(out))
    from mmwindow.evaluation.froc_metric import DumpPredictions
    return DumpPredictions(str(out), dict(config=Path(config).name, checkpoint=Path(checkpoint).name))
