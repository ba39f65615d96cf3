"""Testing a checkpoint, as mmdet's tools/test.py does it."""
import contextlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.evaluator import BaseMetric

from mmwindow.apis.config import load_config
from mmwindow.apis.runner import (
    build_runner,
    config_errors,
    describe_place,
    is_first_process,
    quiet_mmengine,
    register_once,
    say,
)
from mmwindow.engine.checkpoint import check_checkpoint, find_best_checkpoint
from mmwindow.engine.cpu.distributed import close_process_group
from mmwindow.engine.data_check import announce_missing_numbers, check_batches
from mmwindow.engine.hooks import CheckpointContentHook, NonFiniteHook
from mmwindow.evaluation.files.finding_counts import describe_counts
from mmwindow.utils.locks import hold_file, hold_folder
from mmwindow.utils.markdown import format_number
from mmwindow.utils.outputs import check_output_file, check_output_folder


def use_test_time_augmentation(cfg: ConfigDict) -> None:
    """Make a config test with its ``tta_model`` and ``tta_pipeline``, as mmdet's ``--tta`` does.

    Args:
        cfg: Is changed.

    Raises:
        ValueError: The config has none of these.
    """
    missing = [name for name in ('tta_model', 'tta_pipeline') if name not in cfg]
    if missing:
        raise ValueError(f'--tta: the config has no {" and no ".join(missing)}; take '
                         'both from configs/_base_/datasets/points.py')
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    dataset = cfg.test_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    dataset.pipeline = cfg.tta_pipeline


def test(config: str | Path, checkpoint: str | Path, work_dir: str | Path | None = None,
         cfg_options: dict[str, Any] | None = None, launcher: str = 'none',
         out: str | Path | None = None, show_dir: str | Path | None = None,
         verbose: bool = False, tta: bool = False) -> dict[str, float]:
    """Test a checkpoint; return the metrics.

    Args:
        config: The config file.
        checkpoint: The weights; 'best' for the best checkpoint of the config's work dir.
        work_dir: Where the log goes.
        cfg_options: Overrides of the config.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.
        out: An ``.npz`` that receives every prediction, for evaluation offline, with a ``.json``
            next to it that describes it; or a ``.pkl`` as mmdet writes it.
        show_dir: Where the visualizer paints points and findings.
        tta: Test-time augmentation, by ``tta_model`` and ``tta_pipeline`` of the config.
        verbose: Show mmengine's complete log on the screen, too.

    Raises:
        ValueError: The config, an override or the checkpoint cannot be used.
    """
    if out is not None and Path(out).suffix not in ('.npz', '.pkl', '.pickle'):
        raise ValueError(f'--out {out}: the file must end in .npz, .pkl or .pickle')
    with quiet_mmengine(not verbose):
        cfg = load_config(config, work_dir, cfg_options, launcher)
    if str(checkpoint) == 'best':
        checkpoint = find_best_checkpoint(Path(cfg.work_dir))
    check_checkpoint(checkpoint)
    cfg.load_from = str(checkpoint)
    if tta:
        use_test_time_augmentation(cfg)
    if show_dir is not None:
        hook = cfg.default_hooks.setdefault('visualization', dict(type='DetVisualizationHook'))
        hook.update(draw=True, test_out_dir=str(show_dir))
    with contextlib.ExitStack() as stack:
        if launcher == 'none' or is_first_process():
            check_output_folder(cfg.work_dir, '--work-dir')
            for path in record_files(cfg):
                check_output_file(path, 'outfile of test_evaluator')
            if out is not None:
                check_output_file(out, '--out')
                stack.enter_context(hold_file(out, 'or choose another --out'))
            if show_dir is not None:
                check_output_folder(show_dir, '--show-dir')
                stack.enter_context(hold_folder(show_dir, 'or choose another --show-dir'))
        return _test(cfg, config, checkpoint, out, verbose)


def _test(cfg: Config, config: str | Path, checkpoint: str | Path, out: str | Path | None,
          verbose: bool) -> dict[str, float]:
    """Test with outputs that no other command writes; see :func:`test`."""
    runner = build_runner(cfg, verbose)
    for hook in (CheckpointContentHook(), NonFiniteHook()):
        register_once(runner, hook)
    if out is not None:
        runner.test_evaluator.metrics.append(dump_metric(out, config, checkpoint))
        runner.test_evaluator.dataset_meta = runner.test_dataloader.dataset.metainfo
    with config_errors(cfg):  # the loader is built when it is asked for
        num_images = len(runner.test_dataloader.dataset)
        check_batches(runner.test_dataloader, 'test_dataloader')
    if not verbose:
        say(runner, dict(test=f'{config} ({cfg.model.type}), weights {checkpoint}',
                         data=f'{num_images} images',
                         **describe_place(runner)))
    announce_missing_numbers(runner)
    metrics = runner.test()
    show_finding_counts(runner.test_evaluator.metrics)
    close_process_group()
    return metrics


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
