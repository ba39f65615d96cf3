"""mmwindow: detectors for radiographs, trained from points with the Window Loss.

Importing this package registers its models, losses, transforms, data sets, hooks
and metrics in mmdet's registries, so that configs name them by their bare types::

    custom_imports = dict(imports=['mmwindow'])

Where mmdet is not installed the import still works and gives the parts that need
only numpy: :mod:`mmwindow.evaluation`.
"""
from importlib.util import find_spec

from . import evaluation

__version__ = '0.1.0'
__all__ = ['evaluation', '__version__']

if find_spec('mmdet') is not None:
    from . import datasets, engine, models, structures, visualization  # noqa: F401
    from .evaluation import metrics  # noqa: F401

    __all__ += ['datasets', 'engine', 'models', 'structures', 'visualization']
