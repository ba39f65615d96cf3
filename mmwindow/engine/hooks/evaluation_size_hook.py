"""Tell metrics how many images an evaluation has before its first."""
from mmdet.registry import HOOKS
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook


@HOOKS.register_module()
class EvaluationSizeHook(Hook):
    """Hand the number of images to each metric that has ``expect_images``.

    ``FROCMetric`` then drops while images stream by what cannot change its numbers. The
    number is that of the data loader's data set, so it holds for subsets, concatenations and
    repetitions as well; the ``metainfo`` of a concatenation is that of its first part, and must
    be the same in all parts. ``mmwindow.apis.runner`` registers the hook in every run; with
    other launchers put ``dict(type='EvaluationSizeHook')`` into ``custom_hooks``.
    """

    def before_val_epoch(self, runner):
        self.announce(runner.val_loop)

    def before_test_epoch(self, runner):
        self.announce(runner.test_loop)

    @staticmethod
    def announce(loop):
        """Hand over the number of images of a loop, over all ranks."""
        evaluator = getattr(loop, 'evaluator', None)
        # Other evaluators may give a metric a part of the images at a time.
        if type(evaluator) is not Evaluator:
            return
        for metric in evaluator.metrics:
            if callable(getattr(metric, 'expect_images', None)):
                metric.expect_images(len(loop.dataloader.dataset))
