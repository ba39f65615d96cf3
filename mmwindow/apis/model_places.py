"""What a user calls a model: a run folder, a checkpoint, an exported file, a name of the zoo.

Nothing here imports torch before a checkpoint has to be found or read.
"""
from dataclasses import dataclass
from pathlib import Path

from mmwindow.utils.messages import name_some, shorten
from mmwindow.zoo import read_zoo

EXPORTED = ('.onnx', )
CONFIGS = ('.py', '.json', '.yaml', '.yml')
KINDS = ('a run folder, a checkpoint (.pth), a config with its checkpoint, an exported model (.onnx) '
         'or a name of the zoo')


@dataclass(frozen=True)
class ModelPlace:
    """Where a model is.

    Attributes:
        name: As the user called it.
        exported: The exported file; None for a model of torch.
        checkpoint: The weights, a file or an address; None for an exported model.
        config: The config file; None where the checkpoint describes its model.
        run: The run folder; None where another thing was named.
        is_config_given: Whether the user named the config; else the checkpoint's own description of
            its model comes first.
    """

    name: str
    exported: Path | None = None
    checkpoint: Path | str | None = None
    config: Path | None = None
    run: Path | None = None
    is_config_given: bool = False

    @property
    def label(self) -> str:
        """A short name: of a run folder the last two parts of its path, else that of the file.

        >>> ModelPlace('runs/wl_kld/training', run=Path('runs/wl_kld/training')).label
        'wl_kld/training'
        """
        path = Path(self.name)
        return '/'.join(path.absolute().parts[-2:]) if self.run is not None else path.stem


def find_in_zoo(name: str) -> ModelPlace:
    """Return a model of the zoo inside the package, its file checked.

    Raises:
        ValueError: There is no such model, or its file is damaged.
    """
    zoo = read_zoo()
    if name in zoo:
        return ModelPlace(name, exported=zoo[name].exported.check())
    known = f'the zoo has {name_some(list(zoo), 20)}' if zoo else 'the zoo of this version is empty'
    raise ValueError(f'{shorten(name)}: there is no such file or folder, and {known}; {KINDS} is '
                     'expected')


def find_model(model: str | Path, checkpoint: str | Path | None = None,
               config: str | Path | None = None) -> ModelPlace:
    """Return where a model is.

    Args:
        model: A run folder (``run.json`` and the best checkpoint), a checkpoint, a config file, an
            exported file, or a name of the zoo.
        checkpoint: Where ``model`` is a config: its weights, or 'best' for the best checkpoint of
            its work dir.
        config: Of a checkpoint that does not describe its model.

    Raises:
        ValueError: It is not there, none of these, or has no checkpoint.
    """
    path, name = Path(model), str(model)
    if config is not None and not Path(config).is_file():
        raise ValueError(f'--config {shorten(str(config))}: there is no such file')
    if not path.exists() and '://' not in name:
        looks_like_path = path.suffix in ('.pth', *EXPORTED, *CONFIGS) or len(path.parts) > 1
        if looks_like_path or not name:
            raise ValueError(f'{shorten(name)}: there is no such model; {KINDS} is expected')
        return find_in_zoo(name)
    if path.suffix.lower() in EXPORTED and path.is_file():
        if config is not None or checkpoint is not None:
            raise ValueError(f'{shorten(name)}: an exported model holds all that it needs; leave '
                             'config and checkpoint out')
        return ModelPlace(name, exported=path)
    from mmwindow.apis.model_files import find_model as find_files  # it imports torch
    files = find_files(model, checkpoint, config)
    return ModelPlace(name, checkpoint=files.checkpoint, config=files.config, run=files.folder,
                      is_config_given=config is not None or checkpoint is not None)


def find_run_config(folder: Path) -> Path | None:
    """Return the config that a training left in its folder; None where it is not the only one."""
    found = sorted(folder.glob('*.py'))
    return found[0] if len(found) == 1 else None
