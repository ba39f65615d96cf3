"""What the tools do, as plain functions: training, testing, inference, scoring saved predictions.

:mod:`mmwindow.apis.evaluate_files` needs neither mmdet nor torch, and is here without them.
"""
import sys
from importlib import import_module
from types import ModuleType

# Names are looked up when they are asked for: scoring files imports no training stack.
_HOMES = {'load_config': 'mmwindow.apis.config', 'train': 'mmwindow.apis.train',
          'test': 'mmwindow.apis.test', 'evaluate_files': 'mmwindow.apis.evaluate_files',
          'PointInferencer': 'mmwindow.apis.inference', 'predict': 'mmwindow.apis.predict',
          'PredictSettings': 'mmwindow.apis.predict', 'compare': 'mmwindow.apis.compare',
          'export': 'mmwindow.apis.export',
          'quickstart': 'mmwindow.experiments.quickstart'}

__all__ = list(_HOMES)


class _Package(ModuleType):
    """Keep a function in place of the submodule of the same name, whatever is imported first."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in _HOMES and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(_HOMES[name]), name)


sys.modules[__name__].__class__ = _Package
