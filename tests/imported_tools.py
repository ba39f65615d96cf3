"""Tools as modules, for tests of what is in them."""
import importlib.util
import sys
from contextlib import contextmanager
from pathlib import Path

TOOLS = Path(__file__).parents[1] / 'tools'


@contextmanager
def imported_tool(name):
    """Import ``tools/<name>.py``, which is no package, as long as the context lasts."""
    spec = importlib.util.spec_from_file_location(name, TOOLS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]
