"""What the runner needs beyond mmengine: hooks, CPU launches, half precision, safe files.

The import itself makes mmengine load checkpoints and YAML as data and write files atomically; it
needs no mmdet. Hooks and the optimizer wrapper are imported when they are asked for.
"""
from importlib import import_module
from typing import Any

from mmwindow.engine import file_backends, pretrained, safe_loading
from mmwindow.engine.pretrained import load_torchvision_weights
from mmwindow.engine.safe_loading import allow_own_checkpoints

_PLACES = {
    'BFloat16OptimWrapper': 'mmwindow.engine.mixed_precision',
    'Float16OptimWrapper': 'mmwindow.engine.mixed_precision',
    'close_process_group': 'mmwindow.engine.cpu.distributed',
    'init_cpu_process_group': 'mmwindow.engine.cpu.distributed',
    'ChannelsLastHook': 'mmwindow.engine.hooks', 'ProgressHook': 'mmwindow.engine.hooks'}
__all__ = [*_PLACES, 'allow_own_checkpoints', 'file_backends', 'load_torchvision_weights',  # noqa: PLE0604
           'pretrained', 'safe_loading']

safe_loading.guard_mmengine()


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
