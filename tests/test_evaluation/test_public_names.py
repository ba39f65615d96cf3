"""The names that `mmwindow.evaluation` gives are found whatever was imported before."""
import importlib
import inspect
import pkgutil

from mmwindow import evaluation


def test_no_module_hides_a_public_name():
    """Python sets a module as an attribute of its package: metric_names is one, and a function."""
    for module in pkgutil.iter_modules(evaluation.__path__):
        if module.name in evaluation.__all__:
            importlib.import_module(f'{evaluation.__name__}.{module.name}')
    assert callable(evaluation.metric_names)
    assert not [name for name in evaluation.__all__ if inspect.ismodule(getattr(evaluation, name))]
