"""Reports at the end of a training or a test; what goes wrong in one is said and costs no number."""
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.runner import Runner

from mmwindow.apis.report_examples import KeepImagesHook
from mmwindow.apis.run_numbers import ReportSettings
from mmwindow.apis.run_report import ReportInputs, ReportOutcome, write_run_report
from mmwindow.apis.runner import is_first_process
from mmwindow.apis.training_log import read_training_log
from mmwindow.apis.validation_watch import ValidationWatch, find_metric
from mmwindow.datasets.coco_point import image_settings
from mmwindow.evaluation.results import EvaluationResult
from mmwindow.evaluation.statistics.model_points import ADVICE
from mmwindow.images.decode import ImageSettings
from mmwindow.utils.environment import describe_machine, describe_versions
from mmwindow.utils.messages import shorten
from mmwindow.utils.operating_points import ModelOperatingPoints
from mmwindow.utils.progress import describe_seconds

TRAINING_FOLDER = 'report'  # of the work dir
TEST_FOLDER = 'report_test'


def safely(verb: str, write: Callable[[], ReportOutcome]) -> ReportOutcome | None:
    """Write a report; where that fails, say so in one line and return None.

    A training or a test that ended well must not fail by its pictures.
    """
    try:
        outcome = write()
    except Exception as error:  # noqa: BLE001
        print(f'{verb}: no report: {type(error).__name__}: {shorten(" ".join(str(error).split()))}',
              file=sys.stderr, flush=True)
        return None
    for problem in outcome.problems:
        print(f'{verb}: report: {problem}', file=sys.stderr, flush=True)
    print(f'report: {outcome.path} ({describe_seconds(outcome.seconds)})', flush=True)
    return outcome


def loader_settings(loader: Any) -> ImageSettings | None:
    """Return how the data set of a loader reads images; None where that is not known."""
    dataset: Any = getattr(loader, 'dataset', None)
    while getattr(dataset, 'dataset', None) is not None:
        dataset = dataset.dataset
    try:
        return image_settings(dataset.pipeline.transforms)
    except (AttributeError, ValueError):
        return None


def report_training(runner: Runner) -> ReportOutcome | None:
    """Write the report of a finished training into its work dir.

    It shows the validation of the best checkpoint, as it was during the training: no image is
    predicted again. Nothing on other ranks, and without a validation.

    Args:
        runner: That trained, with a :class:`~mmwindow.apis.validation_watch.ValidationWatch`.
    """
    if not is_first_process():
        return None
    watch = next((hook for hook in runner.hooks if isinstance(hook, ValidationWatch)), None)
    validation = None if watch is None else watch.best or watch.newest
    if watch is None or validation is None:
        return None
    warnings = [] if watch.best is not None else [
        'The best checkpoint is of before this training was resumed; this is the newest validation.']
    missing = validation.points.warnings()
    warnings += [f'Warning: {text}.' for text in missing]
    for text in [*missing, *[ADVICE] * bool(missing)]:
        print(f'train: warning: {text}', file=sys.stderr, flush=True)
    facts = dict(config=runner.cfg.filename or '', model=runner.cfg.model.type,
                 images='validation', epoch=f'{validation.epoch} of {runner.epoch}',
                 machine=describe_machine(), **version_facts())
    work_dir = Path(runner.work_dir)
    return safely('train', lambda: write_run_report(work_dir / TRAINING_FOLDER, ReportInputs(
        f'Training of {Path(runner.cfg.filename or "a model").stem}', validation.result,
        validation.points, validation.images, facts, warnings, chosen_here=True,
        image_settings=loader_settings(runner.val_dataloader),
        training=read_training_log(work_dir), best_epoch=validation.epoch)))


def report_test(runner: Runner, hook: KeepImagesHook, title: str, folder: Path,
                points: ModelOperatingPoints | None, facts: Mapping[str, object],
                warnings: Sequence[str] = (), settings: ReportSettings | None = None,
                chosen_here: bool = False) -> ReportOutcome | None:
    """Write the report of a test; nothing on other ranks, and without a FROCMetric.

    Args:
        runner: That tested.
        hook: With some predicted images.
        title: Of the page.
        folder: Where it goes.
        points: The stored thresholds; None without any.
        facts: Rows of the table at the head.
        warnings: What a reader must know before any number.
        settings: Of the report.
        chosen_here: The thresholds were chosen on these very images.
    """
    result = test_result(runner)
    if result is None:
        return None
    return safely('test', lambda: write_run_report(folder, ReportInputs(
        title, result, points, hook.images,
        {**facts, 'machine': describe_machine(), **version_facts()}, warnings, chosen_here,
        loader_settings(runner.test_dataloader)), settings or ReportSettings()))


def test_result(runner: Runner) -> EvaluationResult | None:
    """Return the numbers and events of a test; None on other ranks, and without a FROCMetric."""
    metric = find_metric(runner.test_evaluator.metrics)
    return None if metric is None or not is_first_process() else metric.result


def version_facts() -> dict[str, str]:
    """Return the versions as one row of a table."""
    return dict(versions=', '.join(f'{name} {version}' for name, version in
                                   describe_versions().items() if version))
