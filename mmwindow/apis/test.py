"""Testing a checkpoint, as mmdet's tools/test.py does it."""
import contextlib
import copy
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.evaluator import BaseMetric
from mmengine.runner import Runner

from mmwindow.apis.config import load_config
from mmwindow.apis.config_parts import annotation_files
from mmwindow.apis.external_data import (
    DataPlace,
    find_data,
    read_files,
    setting_warnings,
    shared_warnings,
    use_data,
)
from mmwindow.apis.folds_folder import FoldsFolder, find_folds, is_of_folds
from mmwindow.apis.model_files import describe_config, read_checkpoint
from mmwindow.apis.model_places import ModelPlace, find_model
from mmwindow.apis.report_examples import KeepImagesHook
from mmwindow.apis.reporting import TRAINING_FOLDER, report_test, test_result
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
from mmwindow.apis.validation_watch import Choice, describe_origin, find_metric
from mmwindow.engine.checkpoint import store_operating_points
from mmwindow.engine.cpu.distributed import close_process_group
from mmwindow.engine.data_check import announce_missing_numbers, check_batches
from mmwindow.engine.hooks import CheckpointContentHook, NonFiniteHook
from mmwindow.evaluation.files.finding_counts import describe_counts
from mmwindow.evaluation.statistics.model_points import choose_model_points
from mmwindow.utils.locks import hold_file, hold_folder
from mmwindow.utils.markdown import format_number
from mmwindow.utils.messages import shorten
from mmwindow.utils.operating_points import LEVELS, ModelOperatingPoints
from mmwindow.utils.outputs import check_output_file, check_output_folder

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
    if data is None and checkpoint is None and Path(config).is_dir():
        folds = find_folds(Path(config))
        if folds is not None:
            return show_fold_means(folds, dict(
                out=out, show_dir=show_dir, tta=tta, choose=choose,
                by=report.by if report is not None else ()))
    with quiet_mmengine(not verbose):
        files = find_model(config, checkpoint, model_config, work_dir, needs_weights=True)
        place = None if data is None else find_data(data)
        cfg = load_model_config(files, place, work_dir, cfg_options, launcher)
        if place is None:
            check_is_unseen(files, cfg)
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


def show_fold_means(folds: FoldsFolder, options: Mapping[str, Any]) -> dict[str, float]:
    """Print the means over folds, which their training has tested; return them, after ``folds/``.

    Args:
        folds: Of the model.
        options: Of a test that predicts, which none is done here; all are to be empty.

    Raises:
        ValueError: An option is given, or the report of the folds is missing.
    """
    name = shorten(str(folds.folder))
    for option, value in options.items():
        if value:
            raise ValueError(f'--{option.replace("_", "-").replace("choose", "choose-threshold")}: '
                             f'{name} holds folds, which their training has tested; give --data '
                             'OTHER, which tests the final model, or one of the runs, such as '
                             f'{folds.runs[0]}')
    from mmwindow.apis.fold_report import read_fold_means
    means = read_fold_means(folds.folder / TRAINING_FOLDER)
    print(f'{means.text}report: {folds.folder / TRAINING_FOLDER / "report.md"}', flush=True)
    return means.metrics


def check_is_unseen(files: ModelPlace, cfg: Config) -> None:
    """Reject to test the final model of folds on the images that it was trained on.

    Raises:
        ValueError: The images are those of the config that trained it.
    """
    if files.run is None or not is_of_folds(files.run.best):
        return
    seen, tested = (set(annotation_files(cfg, split)) for split in ('train', 'test'))
    if seen & tested:
        raise ValueError(f'{shorten(files.name)}: this final model was trained on all images, so '
                         'that none is left to test it on; "mmwindow test" on the folder of its '
                         'folds shows what to expect of it, and --data OTHER tests it on other '
                         'images')


@dataclass(frozen=True)
class TestJob:
    """What a test does besides scoring.

    Attributes:
        title: Of the report.
        folder: Of the report.
        split: Where the images are from: 'test', 'val' or the name of a data set.
        classes: Of the model.
        points: Its thresholds; None where it has none.
        choose: How they are chosen again; None: they are not.
        report: How the report is made; None for none.
        data: Another place's images, as they were named; '' for those of the config.
        warnings: What a user must know.
    """

    title: str
    folder: Path
    split: str
    classes: tuple[str, ...]
    points: ModelOperatingPoints | None
    choose: Choice | None
    report: ReportSettings | None
    data: str
    warnings: tuple[str, ...] = ()

    @property
    def is_external(self) -> bool:
        """Whether the images are another place's."""
        return bool(self.data)


def load_model_config(files: ModelPlace, place: DataPlace | None, work_dir: str | Path | None,
                      cfg_options: dict[str, Any] | None, launcher: str) -> Config:
    """Return the config of a model.

    Raises:
        ValueError: It cannot be read; or a checkpoint alone comes without data or with overrides.
    """
    if files.config is not None:
        return load_config(files.config, work_dir or files.folder, cfg_options, launcher)
    name = shorten(str(files.weights))
    if place is None:
        raise ValueError(f'checkpoint {name}: it says what its model is, but not which images to '
                         'test; give --data FOLDER, or --config')
    if cfg_options:
        raise ValueError(f'checkpoint {name}: --cfg-options are overrides of a config; give '
                         '--config, too')
    cfg = describe_config(files.weights, work_dir or files.folder)
    cfg.launcher = launcher
    return cfg


def prepare_job(cfg: Config, files: ModelPlace, place: DataPlace | None, data: str | Path | None,
                choose: Choice | None, report: ReportSettings | None) -> TestJob:
    """Return what a test does besides scoring; the config tests the validation images to choose on.

    Raises:
        ValueError: The checkpoint has no class names that other data needs, or there are no
            validation images to choose on.
    """
    content = read_checkpoint(files.weights)
    split = 'test' if place is None else re.sub(r'[^\w.-]', '-', (
        Path(data or '').resolve().name.removesuffix('.json')))
    if choose is not None and not content.has_description:
        raise ValueError(f'--choose-threshold: checkpoint {shorten(str(files.weights))} does not '
                         'describe its model, or lies at an address, so that no threshold can be '
                         'stored in it; trainings since mmwindow 0.2 write the description')
    if choose is not None and place is None:
        if not cfg.get('val_dataloader'):
            raise ValueError('--choose-threshold: the config has no val_dataloader; give the '
                             'validation images by --data')
        split = 'val'
        cfg.test_dataloader, cfg.test_evaluator = (
            copy.deepcopy(cfg.val_dataloader), copy.deepcopy(cfg.val_evaluator))
    if place is not None and not content.classes:
        raise ValueError(f'checkpoint {shorten(str(files.weights))}: it has no class names '
                         '(meta.dataset_meta), by which those of --data would be recognised')
    title = f'{"Validation" if split == "val" else "Test"} of {describe_model_name(files)}'
    return TestJob(title + ('' if place is None else f' on {split}'),
                   Path(cfg.work_dir) / f'{TRAINING_FOLDER}_{split}', split, content.classes,
                   content.points, choose, report, '' if place is None else str(data))


def describe_model_name(files: ModelPlace) -> str:
    """Return a short name of a model."""
    if files.folder is not None:
        return files.folder.resolve().name
    return files.config.stem if files.config is not None else Path(files.weights).stem


def _test(cfg: Config, files: ModelPlace, out: str | Path | None, verbose: bool, job: TestJob
          ) -> dict[str, float]:
    """Test with outputs that no other command writes; see :func:`test`."""
    name = str(files.config or files.weights)
    runner = build_runner(cfg, verbose)
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
                         data=f'{num_images} images',
                         **describe_place(runner)))
    check_fields_to_report(cfg, job)
    announce_missing_numbers(runner)
    metrics = runner.test()
    show_finding_counts(runner.test_evaluator.metrics)
    close_process_group()
    if is_first_process():
        finish_test(runner, cfg, files, job, keep)
    return metrics


def check_fields_to_report(cfg: Config, job: TestJob) -> None:
    """Reject a field to report by that no image has, before the work.

    Raises:
        ValueError: Such a field; the message names those that there are.
    """
    if job.report is None or not job.report.by:
        return
    records = read_files(cfg, ['test']).records
    known = {key for record in records for key in record.fields} | {'is_positive'} | (
        {'group'} if any(record.group is not None for record in records) else set())
    for key in job.report.by:
        if records and key not in known:
            raise ValueError(f'--by {shorten(key)}: no image of the test has this field; there are '
                             f'{", ".join(sorted(known))}')


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


def choose_again(runner: Runner, files: ModelPlace, job: TestJob, origin: dict[str, Any]
                 ) -> ModelOperatingPoints | None:
    """Choose the thresholds of a model on the images of a test and store them with it.

    Returns:
        The thresholds; where no class has one, nothing is stored.

    Raises:
        ValueError: The test has no FROCMetric, or the checkpoint cannot hold them.
    """
    result = test_result(runner)
    if result is None or job.choose is None:
        raise ValueError('--choose-threshold: the test evaluator has no FROCMetric, from whose '
                         'events a threshold is chosen')
    origin = {**origin, 'split': job.split}
    if not origin['training_data']:
        known = job.points.training_data if job.points is not None else ''
        origin['training_data'] = known or (files.run.data.get('train', '') if files.run else '')
    points = choose_model_points(
        {name: entry.events for name, entry in result.classes.items()}, job.choose.rule,
        job.choose.target, result.settings['fp_denominator'], **origin)
    if not any(entry.images or entry.findings for entry in points.classes.values()):
        print('test: no threshold is stored: ' + '; '.join(points.warnings()), file=sys.stderr,
              flush=True)
        return points
    store_operating_points(files.weights, points)
    shown = ', '.join(f'{name}: {level} {point.threshold:.6g}'
                      for name, entry in points.classes.items() for level in LEVELS
                      if (point := entry.at(level)) is not None)
    print(f'thresholds stored in {files.weights}: {shown}', flush=True)
    return points


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
