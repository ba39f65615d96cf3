"""Files, environment, progress: what every other folder may use; no OpenMMLab in here."""


def register_all_modules(init_default_scope: bool = True) -> None:
    """Do nothing: registries import what they need. ``mmengine.hub.get_model`` calls it."""
