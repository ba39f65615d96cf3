"""mmwindow: detectors for radiographs, trained from points with the Window Loss.

Importing this package makes its models, losses, transforms, data sets, hooks and metrics known to
mmdet's registries, so that configs name them by their bare types::

    custom_imports = dict(imports=['mmwindow'])

The import itself loads neither torch nor mmdet; a subpackage is imported when it is used.
:mod:`mmwindow.annotations`, :mod:`mmwindow.images`, :mod:`mmwindow.evaluation` and
:mod:`mmwindow.runtime` never need them.
"""
from importlib import import_module

from mmwindow._registration import register_when_used
from mmwindow._renamed import accept_old_names

__version__ = '0.1.0'
_SUBPACKAGES = ('annotations', 'apis', 'datasets', 'dicom_out', 'engine', 'evaluation', 'experiments',
                'images', 'models', 'runtime', 'structures', 'synthetic', 'utils', 'visualization')
__all__ = [*_SUBPACKAGES, '__version__']

accept_old_names()
register_when_used()


def __getattr__(name: str) -> object:
    if name in _SUBPACKAGES:
        return import_module(f'mmwindow.{name}')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
