"""A hook that did what ``FROCMetric`` does without it."""
import warnings

from mmdet.registry import HOOKS
from mmengine.hooks import Hook


@HOOKS.register_module()
class EvaluationSizeHook(Hook):
    """Deprecated: do nothing. ``FROCMetric`` drops what cannot matter at the end of an epoch."""

    def __init__(self) -> None:
        warnings.warn('EvaluationSizeHook does nothing any more and goes with version 0.3; remove it '
                      'from custom_hooks', FutureWarning, stacklevel=2)
