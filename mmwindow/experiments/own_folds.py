"""Five folds of a user's data, trained and tested, and their mean."""
from collections.abc import Mapping
from typing import Any

from mmwindow.apis.own_data.plan import OwnTraining
from mmwindow.experiments.cross_validation import run_folds
from mmwindow.experiments.results import load_systems
from mmwindow.experiments.summaries import METRICS, summarise
from mmwindow.utils.messages import shorten

NAMES = {'auroc': 'AUROC', 'recall@0.1': 'recall@0.1', 'froc_score': 'FROC score'}


def train_folds(training: OwnTraining, cfg_options: Mapping[str, Any] | None = None,
                amp: bool = False, command_line: str = '') -> str:
    """Train and test every fold of a user's data; return the means as lines of text.

    What an earlier call has finished is reused, and a training that was cut resumes.

    Args:
        training: From :func:`~mmwindow.apis.own_data.plan.plan_training`.
        cfg_options: Overrides of the config.
        amp: Train in mixed precision.
        command_line: Is noted in each result.

    Raises:
        ValueError: A run failed, or as :func:`~mmwindow.experiments.cross_validation.run_folds`.
    """
    outcomes = run_folds(
        [training.config], training.work_dir, folds=training.division.folds,
        points=training.data.points, cfg_options=dict(cfg_options or {}), amp=amp,
        command_line=command_line)
    failed = [outcome.job for outcome in outcomes if outcome.returncode]
    if failed:
        raise ValueError(f'{len(failed)} folds failed: ' + '; '.join(
            f'{job.name}, see {shorten(str(job.log))}' for job in failed[:3]))
    return describe_folds(training)


def describe_folds(training: OwnTraining) -> str:
    """Return the mean of each number over the finished folds, with its interval, by class."""
    classes = training.data.classes
    lines = []
    for name in classes if len(classes) > 1 else (None, ):
        system = load_systems([training.work_dir], name)[training.config.stem]
        mean = summarise(system, system.name).mean
        of = '' if name is None else f' of {name}'
        for metric in METRICS:
            interval = mean.intervals.get(metric)
            bounds = '' if interval is None else f' ({interval.low:.3f} to {interval.high:.3f})'
            value = mean.estimates[metric]
            lines.append(f'{NAMES[metric]}{of}: '
                         + ('no number' if value != value else f'{value:.3f}{bounds}'))
    runs = training.work_dir / training.config.stem
    return '\n'.join([
        f'mean of {len(training.division.parts)} folds, each image tested by a model that has not '
        'seen its patient (95 % intervals by patient):', *lines,
        f'runs: {runs}/fold*; tables and curves: mmwindow tables {training.work_dir} --out '
        f'{training.work_dir}/tables']) + '\n'
