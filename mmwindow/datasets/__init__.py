"""Data sets of point-annotated radiographs, their transforms, splits and samplers.

Splits and folds need no mmdet: the registered types are imported when they are asked for.
"""
from importlib import import_module

# Where registered types are, in the order in which they are looked for.
_HOMES = ('mmwindow.datasets.coco_point', 'mmwindow.datasets.samplers',
          'mmwindow.datasets.transforms')

__all__ = ['CocoPointDataset', 'BalancedImageSampler']  # noqa: F822


def __getattr__(name: str) -> object:
    if name[:1].isupper():  # a type; a submodule is found by the import system
        for home in map(import_module, _HOMES):
            if hasattr(home, name):
                return getattr(home, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
