"""Choosing the thresholds of a trained model again, on the images of a test."""
import sys
from typing import Any

from mmengine.runner import Runner

from mmwindow.apis.model_places import ModelPlace
from mmwindow.apis.reporting import test_result
from mmwindow.apis.test_job import TestJob
from mmwindow.engine.checkpoint import store_operating_points
from mmwindow.evaluation.statistics.model_points import ADVICE, choose_model_points
from mmwindow.utils.operating_points import LEVELS, ModelOperatingPoints


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
        text = '; '.join([*points.warnings(), ADVICE])
        print(f'test: no threshold is stored: {text}', file=sys.stderr, flush=True)
        return points
    store_operating_points(files.weights, points)
    shown = ', '.join(f'{name}: {level} {point.threshold:.6g}'
                      for name, entry in points.classes.items() for level in LEVELS
                      if (point := entry.at(level)) is not None)
    print(f'thresholds stored in {files.weights}: {shown}', flush=True)
    return points
