"""Metrics learn how many images an evaluation has, whatever the data set is wrapped in."""
from types import SimpleNamespace

import pytest

pytest.importorskip('mmdet')

from mmdet.registry import HOOKS  # noqa: E402
from mmengine.evaluator import BaseMetric, Evaluator  # noqa: E402

import mmwindow  # noqa: E402, F401  (registers the hook)


class Listener(BaseMetric):
    """Notes what it is told."""

    default_prefix = 'heard'
    heard = None

    def expect_images(self, num_images):
        self.heard = num_images

    def process(self, data_batch, data_samples):
        pass

    def compute_metrics(self, results):
        return {}


class Deaf(Listener):
    expect_images = None


class PartialEvaluator(Evaluator):
    """Such as those that give each metric the images of one data set of several."""


def make_runner(evaluator, num_images):
    loop = SimpleNamespace(evaluator=evaluator,
                           dataloader=SimpleNamespace(dataset=range(num_images)))
    return SimpleNamespace(val_loop=loop, test_loop=loop)


@pytest.mark.parametrize('when', ['before_val_epoch', 'before_test_epoch'])
@pytest.mark.parametrize('num_images', [0, 7])
def test_metrics_hear_the_number_of_images(when, num_images):
    hook, listener = HOOKS.build(dict(type='EvaluationSizeHook')), Listener()
    getattr(hook, when)(make_runner(Evaluator([Deaf(), listener]), num_images))
    assert listener.heard == num_images


def test_evaluators_that_hand_out_parts_say_nothing():
    hook, listener = HOOKS.build(dict(type='EvaluationSizeHook')), Listener()
    hook.before_val_epoch(make_runner(PartialEvaluator([listener]), 7))
    hook.before_val_epoch(SimpleNamespace(val_loop=SimpleNamespace()))  # a loop of its own kind
    assert listener.heard is None
