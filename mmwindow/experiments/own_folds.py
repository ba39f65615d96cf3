"""Five folds of a user's data, trained and tested; their means, their report, and the final model."""
from collections.abc import Mapping
from typing import Any

from mmwindow.apis.fold_numbers import FoldTest, measure_folds
from mmwindow.apis.fold_report import FoldData, describe_means, write_fold_report
from mmwindow.apis.folds_folder import TRAINING
from mmwindow.apis.own_data.plan import OwnTraining
from mmwindow.apis.reporting import TRAINING_FOLDER, safely, version_facts
from mmwindow.apis.run_numbers import ReportSettings, plain_numbers
from mmwindow.engine.run_file import read_run
from mmwindow.experiments.cross_validation import run_folds
from mmwindow.experiments.own_final import FinalPlan, plan_final, train_final
from mmwindow.experiments.results import load_systems
from mmwindow.experiments.run_folders import FolderTakenError
from mmwindow.utils.environment import describe_machine
from mmwindow.utils.messages import count_words, shorten

REPORT = ReportSettings()


def train_folds(training: OwnTraining, cfg_options: Mapping[str, Any] | None = None,
                amp: bool = False, command_line: str = '') -> None:
    """Train and test every fold of a user's data.

    What an earlier call has finished is reused, and a training that was cut resumes.

    Args:
        training: From :func:`~mmwindow.apis.own_data.plan.plan_training`.
        cfg_options: Overrides of the config.
        amp: Train in mixed precision.
        command_line: Is noted in each result.

    Raises:
        ValueError: A run failed, or as :func:`~mmwindow.experiments.cross_validation.run_folds`.
    """
    try:
        outcomes = run_folds(
            [training.config], training.work_dir, folds=training.division.folds,
            points=training.data.points, cfg_options=dict(cfg_options or {}), amp=amp,
            command_line=command_line)
    except FolderTakenError as error:  # it advises options of mmwindow folds
        raise ValueError(f'{error.found}. Begin anew with another --work-dir, or delete '
                         f'{training.work_dir} first') from error
    failed = [outcome.job for outcome in outcomes if outcome.returncode]
    if failed:
        raise ValueError(f'{count_words(len(failed), "fold")} failed: ' + '; '.join(
            f'{job.name}, see {shorten(str(job.log))}' for job in failed[:3]))


def finish_folds(training: OwnTraining, amp: bool = False, final: bool = True, report: bool = True
                 ) -> str:
    """Report the finished folds, and train the final model on all images; return lines of text.

    Args:
        training: Whose folds are trained and tested.
        amp: Train in mixed precision.
        final: Train the final model, where it is not there yet.
        report: Write the report of the folds into the work dir.

    Raises:
        ValueError: A fold has no result, or as
            :func:`~mmwindow.experiments.own_final.train_final`.
    """
    tests, how = read_fold_tests(training)
    numbers = measure_folds(tests, how, REPORT)
    plan = plan_final(training, tests) if final else None
    if report:
        data = FoldData(training.data.images, read_held_out(training), make_facts(training, plan))
        safely('train', lambda: write_fold_report(
            training.work_dir / TRAINING_FOLDER, f'{count_words(len(tests), "fold")} of '
                                                 f'{training.config.stem}',
            tests, numbers, how, data, REPORT))
    means = describe_means(plain_numbers(numbers), len(tests))
    runs = (f'runs: {training.work_dir / training.config.stem}/fold*; tables: mmwindow tables '
            f'{training.work_dir} --out {training.work_dir}/tables\n')
    if plan is None:
        return means + runs
    print(plan.describe(), flush=True)
    train_final(plan, tests, numbers, amp)
    return (f'{means}{runs}final model: {plan.folder}, trained on all '
            f'{count_words(plan.num_images, "image")}. What '
            'to expect of it are the means above; no image is left to test it on.\n'
            f'use it: mmwindow predict {training.work_dir} IMAGES --out results; test it on images '
            f'of another place: mmwindow test {training.work_dir} --data OTHER\n')


def read_fold_tests(training: OwnTraining) -> tuple[list[FoldTest], Mapping[str, Any]]:
    """Return the tests of the finished folds, and the FROC settings that they were scored with.

    Raises:
        ValueError: A fold has no result, or the folds are not those of one system.
    """
    name = training.config.stem
    runs = training.work_dir / name
    systems = {label: load_systems([runs], label)[name] for label in training.data.classes}
    tests = []
    first = next(iter(systems.values()))
    for number in first.events:
        run = runs / f'fold{number}'
        trained = read_run(run / TRAINING)
        best = None if trained is None else trained.best
        tests.append(FoldTest(
            int(number or 0), run,
            {label: system.events[number] for label, system in systems.items()},
            None if best is None else best.operating_points, None if best is None else best.epoch))
    return tests, first.settings


def read_held_out(training: OwnTraining) -> list[Any]:
    """Return all images with the points that they are tested with."""
    from mmwindow.annotations.point_file import read_point_file
    if len(training.data.readers) < 2 or training.data.points is None:
        return list(training.data.records)
    return list(read_point_file(training.data.points, readers='merge').records)


def make_facts(training: OwnTraining, plan: FinalPlan | None) -> dict[str, object]:
    """Return the rows at the head of the report."""
    return dict(
        config=training.config, data=training.data.source,
        images=f'{len(training.data.records)}, each held out by one fold',
        **({} if plan is None else {'final model': plan.describe().partition(': ')[2]}),
        machine=describe_machine(), **version_facts())
