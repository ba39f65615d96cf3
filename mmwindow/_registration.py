"""Registering our modules in mmdet's registries, without importing mmdet before its user does.

A registry of mmengine knows modules ("locations") that it imports when it is first asked for a
type. Ours are added to them as soon as mmdet's registries exist: at once where mmdet is imported
already, else right after its import. So ``import mmwindow`` takes no time, its numpy parts load no
torch, and the order of the imports does not matter.
"""
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

# Registry of mmdet -> modules of ours that register in it. `mmwindow.engine` lets torch read
# mmengine's checkpoints and fetches `torchvision://` weights, which models need.
LOCATIONS = {
    'MODELS': ('mmwindow.models', 'mmwindow.engine'),
    'DATASETS': ('mmwindow.datasets.coco_point',),
    'DATA_SAMPLERS': ('mmwindow.datasets.samplers',),
    'TRANSFORMS': ('mmwindow.datasets.transforms',),
    'HOOKS': ('mmwindow.engine.hooks', 'mmwindow.visualization.visualization_hook'),
    'VISUALIZERS': ('mmwindow.visualization.point_visualizer',),
    'OPTIM_WRAPPERS': ('mmwindow.engine.mixed_precision',),
    'METRICS': ('mmwindow.evaluation.froc_metric',),
}


class ImportWatcher:  # not importlib.abc's, whose import takes longer than ours
    """Call a function right after a module is imported for the first time.

    Args:
        name: Dotted name of the module.
        action: Takes the module.
    """

    def __init__(self, name: str, action: Callable[[ModuleType], None]) -> None:
        self.name = name
        self.action = action

    def find_spec(self, fullname: str, path: Sequence[str] | None = None,
                  target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the module's own spec, whose loader calls the action at the end."""
        if fullname != self.name:
            return None
        sys.meta_path.remove(self)  # the search below must not come back here
        spec = find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_act(module: ModuleType) -> None:
            execute(module)
            self.action(module)

        spec.loader.exec_module = execute_and_act  # type: ignore[method-assign]
        return spec


def after_import(name: str, action: Callable[[ModuleType], None]) -> None:
    """Call ``action`` with a module, now where it is imported already, else after its import.

    Args:
        name: Dotted name of the module; it need not be installed.
        action: Takes the module.
    """
    module = sys.modules.get(name)
    if module is not None and getattr(module.__spec__, '_initializing', False):
        # It is being imported, and what it imports has imported us, as where the forks'
        # mmdet.registry comes first and mmengine brings mmwindow along: it holds nothing yet.
        act_when_complete(module, action)
    elif module is not None:
        action(module)
    elif not any(isinstance(finder, ImportWatcher) and finder.name == name
                 for finder in sys.meta_path):
        sys.meta_path.insert(0, ImportWatcher(name, action))


def act_when_complete(module: ModuleType, action: Callable[[ModuleType], None]) -> None:
    """Call ``action`` with a module when it is first asked for something after its import."""
    kind = type(module)

    class Incomplete(kind):  # type: ignore[misc, valid-type]
        """A module that is being imported."""

        def __getattribute__(self, name: str) -> object:
            own = ModuleType.__getattribute__
            if not name.startswith('__') and not own(self, '__spec__')._initializing:
                module.__class__ = kind
                action(module)
            return own(self, name)

    module.__class__ = Incomplete


def add_locations(registries: ModuleType) -> None:
    """Add our modules to the locations of mmdet's registries.

    Args:
        registries: The module ``mmdet.registry``.
    """
    for name, modules in LOCATIONS.items():
        registry = getattr(registries, name)
        known = list(registry._locations)
        registry._locations = known + [module for module in modules if module not in known]
        # A registry that has imported its locations does it again; modules are imported once.
        registry._imported = False


def name_configs(config_utils: ModuleType) -> None:
    """Let mmengine read ``mmwindow::windowloss/wl_kld_r50_fpn.py`` as ``_base_`` and in its hub.

    mmengine asks for the place of a distribution, which it does not find for an editable install
    (it looks into site-packages), and failing that for the place of a module. This module is no
    distribution and lies in the package's folder, so that every kind of install is found.

    Args:
        config_utils: The module ``mmengine.config.utils``.
    """
    config_utils.MODULE2PACKAGE['mmwindow'] = __name__


def guard_loading(checkpoints: ModuleType) -> None:
    """Let mmengine load checkpoints as data from its first one on (:mod:`mmwindow.engine`).

    Args:
        checkpoints: The module ``mmengine.runner.checkpoint``.
    """
    import_module('mmwindow.engine')


def register_when_used() -> None:
    """Make our types known to mmdet's registries and our configs to mmengine, from their use on.

    From then on mmengine runs no code of a checkpoint, too.
    """
    after_import('mmengine.runner.checkpoint', guard_loading)
    after_import('mmdet.registry', add_locations)
    after_import('mmengine.config.utils', name_configs)
