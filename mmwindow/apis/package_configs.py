"""The configs that come with mmwindow, in a clone or installed."""
from pathlib import Path

import mmwindow

PREFIX = 'mmwindow::'


def configs_folder() -> Path:
    """Return the folder of the configs.

    Raises:
        ValueError: It is not there: the installation is incomplete.
    """
    package = Path(mmwindow.__file__).resolve().parent
    for folder in (package.parent / 'configs', package / '.mim' / 'configs'):
        if (folder / '_base_').is_dir():
            return folder
    raise ValueError(f'{package}: its configs are missing; install mmwindow again')


def find_package_config(name: str) -> str | None:
    """Return a config of ours by its file name, as ``_base_`` names it; None where there is none.

    Args:
        name: Such as ``wl_kld_lite0_fpn.py``.

    >>> find_package_config('wl_kld_lite0_fpn.py')
    'mmwindow::windowloss/wl_kld_lite0_fpn.py'
    """
    folder = configs_folder()
    found = [path for path in sorted(folder.glob('*/*.py'))
             if path.name == name and path.parent.name not in ('fracatlas', 'synthetic', '_base_')]
    return f'{PREFIX}{found[0].relative_to(folder).as_posix()}' if found else None


def config_file(base: str) -> Path:
    """Return the file of a config that ``_base_`` names: ``mmwindow::...`` or a path."""
    if base.startswith(PREFIX):
        return configs_folder() / base.removeprefix(PREFIX)
    return Path(base)


def base_name(config: str | Path) -> str:
    """Return how ``_base_`` of a file anywhere names a config."""
    path = Path(config).absolute()
    folder = configs_folder()
    if path.resolve().is_relative_to(folder.resolve()):
        return f'{PREFIX}{path.resolve().relative_to(folder.resolve()).as_posix()}'
    return str(path)
