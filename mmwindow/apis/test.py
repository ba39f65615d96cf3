"""Testing a checkpoint, as mmdet's tools/test.py does it."""
import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

from mmwindow.apis.config_parts import annotation_files
from mmwindow.apis.external_data import (
    find_data,
    setting_warnings,
    shared_warnings,
    use_data,
)
from mmwindow.apis.folds_folder import find_folds
from mmwindow.apis.model_places import ModelPlace, find_model
from mmwindow.apis.report_examples import KeepImagesHook
from mmwindow.apis.reporting import report_test
from mmwindow.apis.run_numbers import ReportSettings
from mmwindow.apis.runner import (
    build_runner,
    config_errors,
    describe_place,
    is_first_process,
    quiet_mmengine,
    register_once,
    say,
)
from mmwindow.apis.test_job import (
    TestJob,
    check_fields_to_report,
    check_is_unseen,
    check_same_data,
    load_model_config,
    prepare_job,
)
from mmwindow.apis.test_outputs import dump_metric, record_files, show_finding_counts
from mmwindow.apis.test_thresholds import choose_again
from mmwindow.apis.validation_watch import Choice, describe_origin, find_metric
from mmwindow.engine.cpu.distributed import close_process_group
from mmwindow.engine.data_check import announce_missing_numbers, check_batches
from mmwindow.engine.hooks import CheckpointContentHook, NonFiniteHook
from mmwindow.utils.locks import hold_file, hold_folder
from mmwindow.utils.messages import count_words, shorten
from mmwindow.utils.outputs import check_not_source, check_output_file, check_output_folder

VIEWS = ('all', 'mirror')  # of --tta: all of the config's tta_pipeline, or two of them


def use_test_time_augmentation(cfg: ConfigDict, views: str = 'all') -> None:
    """Make a config test with its ``tta_model`` and ``tta_pipeline``, as mmdet's ``--tta`` does.

    Args:
        cfg: Is changed.
        views: One of :data:`VIEWS`: 'all' of the ``tta_pipeline``, or the image and its 'mirror'
            image alone.

    Raises:
        ValueError: The config has none of these, or no mirror image among its views.
    """
    if views not in VIEWS:
        raise ValueError(f'--tta {shorten(str(views))}: expected is {" or ".join(VIEWS)}')
    missing = [name for name in ('tta_model', 'tta_pipeline') if name not in cfg]
    if missing:
        raise ValueError(f'--tta: the config has no {" and no ".join(missing)}; take '
                         'both from configs/_base_/datasets/points.py')
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    dataset = cfg.test_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    dataset.pipeline = cfg.tta_pipeline if views == 'all' else keep_mirror_images(cfg.tta_pipeline)


def keep_mirror_images(pipeline: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return a ``tta_pipeline`` of the image as it is and its mirror image alone.

    Args:
        pipeline: Ends in ``TestTimeAug``, whose ``transforms`` are lists of alternatives and, last,
            what packs a view.

    Raises:
        ValueError: No list of alternatives has flips alone.
    """
    *first, views = pipeline
    *alternatives, pack = views.get('transforms') or [[]]
    flips = [steps for steps in alternatives if all(
        isinstance(step, Mapping) and step['type'] == 'RandomFlip' for step in steps)]
    if not flips:
        raise ValueError('--tta mirror: the tta_pipeline of the config has no alternatives of '
                         'RandomFlip; take that of configs/_base_/datasets/points.py')
    return [*first, {**views, 'transforms': [*flips, pack]}]


def test(config: str | Path, checkpoint: str | Path | None = None,
         work_dir: str | Path | None = None,
         cfg_options: dict[str, Any] | None = None, launcher: str = 'none',
         out: str | Path | None = None, show_dir: str | Path | None = None,
         verbose: bool = False, tta: bool | str = False, *, data: str | Path | None = None,
         model_config: str | Path | None = None, choose: Choice | None = None,
         report: ReportSettings | None = ReportSettings()) -> dict[str, float]:  # noqa: B008
    """Test a model; return the metrics.

    Args:
        config: The config file of ``checkpoint``; or without one a model: a run folder, or a
            checkpoint that describes its model. Of a folder of folds the means that their training
            tested are shown; with ``data`` their final model is tested.
        checkpoint: The weights; 'best' for the best checkpoint of the config's work dir.
        work_dir: Where the log and the report go; the run folder if None.
        cfg_options: Overrides of the config.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.
        out: An ``.npz`` that receives every prediction, for evaluation offline, with a ``.json``
            next to it that describes it; or a ``.pkl`` as mmdet writes it.
        show_dir: Where the visualizer paints points and findings.
        tta: Test-time augmentation, by ``tta_model`` and ``tta_pipeline`` of the config: True or
            'all' for all its views, 'mirror' for the image and its mirror image.
        verbose: Show mmengine's complete log on the screen, too.
        data: Another place's images: a folder or a point file, as ``mmwindow import`` writes them;
            the test images of the config if None.
        model_config: The config of a run folder or a checkpoint, in place of its own.
        choose: Choose the model's thresholds again, on ``data`` or the validation images, and store
            them in checkpoint and ``run.json``.
        report: How the report in the work dir is made; None for none.

    Raises:
        ValueError: The config, an override, the data or the checkpoint cannot be used.
    """
    if out is not None and Path(out).suffix not in ('.npz', '.pkl', '.pickle'):
        raise ValueError(f'--out {out}: the file must end in .npz, .pkl or .pickle')
    if out is not None:
        check_not_source(Path(out).with_suffix('.json'), [data], '--out')
    if data is None and checkpoint is None and Path(config).is_dir():
        folds = find_folds(Path(config))
        if folds is not None:
            from mmwindow.apis.fold_report import show_fold_means
            return show_fold_means(folds, dict(
                out=out, show_dir=show_dir, tta=tta, choose=choose,
                by=report.by if report is not None else ()))
    with quiet_mmengine(not verbose):
        files = find_model(config, checkpoint, model_config, work_dir, needs_weights=True)
        place = None if data is None else find_data(data)
        cfg = load_model_config(files, place, work_dir, cfg_options, launcher)
        if place is None:
            check_is_unseen(files, cfg)
            check_same_data(files, cfg)
        job = prepare_job(cfg, files, place, data, choose, report)
    cfg.load_from = str(files.weights)
    if tta:
        use_test_time_augmentation(cfg, 'all' if tta is True else tta)
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
        if place is not None:  # each rank writes the same point file, atomically
            job = replace(job, warnings=(*job.warnings, *use_data(
                cfg, place, job.classes, job.folder)))
        return _test(cfg, files, out, verbose, job)


def _test(cfg: Config, files: ModelPlace, out: str | Path | None, verbose: bool, job: TestJob
          ) -> dict[str, float]:
    """Test with outputs that no other command writes; see :func:`test`."""
    name = str(files.config or files.weights)
    runner = build_runner(cfg, verbose, is_test=True)
    keep = KeepImagesHook()
    for hook in (CheckpointContentHook(), NonFiniteHook(), *[keep] * (job.report is not None)):
        register_once(runner, hook)
    if job.report is not None or job.choose is not None:
        metric = find_metric(runner.test_evaluator.metrics)
        if metric is not None and metric.outfile is None:
            metric.keep_up_to = None  # intervals need all events
    if out is not None:
        runner.test_evaluator.metrics.append(dump_metric(out, name, files.weights))
        runner.test_evaluator.dataset_meta = runner.test_dataloader.dataset.metainfo
    with config_errors(cfg):  # the loader is built when it is asked for
        num_images = len(runner.test_dataloader.dataset)
        check_batches(runner.test_dataloader, 'test_dataloader')
    if not verbose:
        say(runner, dict(test=f'{name} ({cfg.model.type}), weights {files.weights}',
                         data=count_words(num_images, 'image'),
                         **describe_place(runner)))
    check_fields_to_report(cfg, job)
    announce_missing_numbers(runner)
    metrics = runner.test()
    show_finding_counts(runner.test_evaluator.metrics)
    close_process_group()
    if is_first_process():
        finish_test(runner, cfg, files, job, keep)
    return metrics


def finish_test(runner: Runner, cfg: Config, files: ModelPlace, job: TestJob, keep: KeepImagesHook
                ) -> None:
    """Choose thresholds again, where that is asked for, and write the report.

    Raises:
        ValueError: Thresholds were to be chosen and cannot be stored.
    """
    points, warnings = job.points, list(job.warnings)
    origin = describe_origin(cfg, 'test')
    if job.choose is not None:
        points = choose_again(runner, files, job, origin)
    if job.report is None:
        return
    if job.choose is None:
        warnings += setting_warnings(points, origin['input_size'], origin['preprocessing'])
        warnings += shared_warnings(cfg, points, job.is_external)
    elif points is not None:
        warnings += points.warnings()
    warnings = [f'Warning: {text}.' for text in warnings]
    for text in warnings:
        print(f'test: {text[0].lower()}{text[1:-1]}', file=sys.stderr, flush=True)
    facts: dict[str, object] = dict(
        **({'data': job.data} if job.is_external else {}), checkpoint=files.weights,
        config=files.config or 'in the checkpoint',
        images=', '.join(map(str, annotation_files(cfg, 'test'))),
        **({} if annotation_files(cfg, 'train') or not job.is_external else {
            "the training's images": 'not known, so that images in common are not found'}))
    report_test(runner, keep, job.title, job.folder, points, facts, warnings, job.report,
                chosen_here=job.choose is not None)
