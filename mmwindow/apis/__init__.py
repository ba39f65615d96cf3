"""What the tools do, as plain functions: training, testing, inference, scoring saved predictions.

:mod:`mmwindow.apis.evaluate_files` needs neither mmdet nor torch, and is here without them.
"""
from importlib import import_module

# Names are looked up when they are asked for: scoring files imports no training stack.
_HOMES = {'load_config': 'mmwindow.apis.config', 'train': 'mmwindow.apis.train',
          'test': 'mmwindow.apis.test', 'evaluate_files': 'mmwindow.apis.evaluate_files',
          'PointInferencer': 'mmwindow.apis.inference',
          'quickstart': 'mmwindow.experiments.quickstart'}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # in place of the submodule of the same name
    return value
