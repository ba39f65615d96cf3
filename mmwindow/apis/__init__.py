"""What the tools do: training, testing, the quickstart and the evaluation as plain functions.

:mod:`mmwindow.apis.evaluation` needs neither mmdet nor torch, and is here without them.
"""
from importlib.util import find_spec

__all__ = []

if find_spec('mmdet') is not None:
    from .launch import load_config, test, train  # noqa: F401
    from .quickstart import quickstart  # noqa: F401

    __all__ += ['load_config', 'quickstart', 'test', 'train']
