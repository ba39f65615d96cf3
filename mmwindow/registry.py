"""Registries of the scope ``mmwindow``: children of mmdet's, with the same types.

mmengine builds whatever comes from a config named ``mmwindow::...`` in the scope ``mmwindow`` and
imports ``mmwindow.registry`` to find it. Our types are registered in mmdet's registries
(:mod:`mmwindow._registration`); the children let a scoped name find them there.
"""
from mmdet import registry as mmdet_registry
from mmengine.registry import Registry

SCOPE = 'mmwindow'


def locations(registry: Registry | None) -> list[str]:
    """Return the modules that a registry and those above it import before they look a type up."""
    return [] if registry is None else [*registry._locations, *locations(registry.parent)]


REGISTRIES = {
    name: Registry(parent.name, parent=parent, scope=SCOPE, locations=locations(parent))
    for name, parent in vars(mmdet_registry).items()
    if isinstance(parent, Registry) and parent.scope == 'mmdet'}
globals().update(REGISTRIES)
