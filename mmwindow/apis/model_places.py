"""What a user calls a model: a run folder, a checkpoint, an exported file, a name of the zoo.

Nothing here imports torch before a checkpoint has to be found or read.
"""
from dataclasses import dataclass
from pathlib import Path

from mmwindow.utils.messages import name_some, shorten

EXPORTED = ('.onnx', )
CONFIGS = ('.py', '.json', '.yaml', '.yml')
ZOO = Path(__file__).parents[1] / 'zoo'
KINDS = ('a run folder, a checkpoint (.pth), a config with its checkpoint, an exported model (.onnx) '
         'or a name of the zoo')


@dataclass(frozen=True)
class ModelPlace:
    """Where a model is.

    Attributes:
        name: As the user called it.
        exported: The exported file; None for a model of torch.
        checkpoint: The weights; None for an exported model.
        config: The config file; None where the checkpoint describes its model.
        run: The run folder; None where another thing was named.
    """

    name: str
    exported: Path | None = None
    checkpoint: Path | None = None
    config: Path | None = None
    run: Path | None = None


def find_zoo_model(name: str) -> ModelPlace:
    """Return a model of the zoo inside the package.

    Raises:
        ValueError: There is no such model.
    """
    models = sorted(path for path in ZOO.glob('*.onnx') if path.is_file()) if ZOO.is_dir() else []
    for path in models:
        if path.stem == name:
            return ModelPlace(name, exported=path)
    known = (f'the zoo has {name_some([path.stem for path in models], 20)}' if models else
             'the zoo of this version is empty')
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
    if not path.exists():
        looks_like_path = path.suffix in ('.pth', *EXPORTED, *CONFIGS) or len(path.parts) > 1
        if looks_like_path or not name:
            raise ValueError(f'{shorten(name)}: there is no such model; {KINDS} is expected')
        return find_zoo_model(name)
    if path.is_dir():
        return _find_run(path, name, config)
    if path.suffix.lower() in EXPORTED:
        if config is not None or checkpoint is not None:
            raise ValueError(f'{shorten(name)}: an exported model holds all that it needs; leave '
                             'config and checkpoint out')
        return ModelPlace(name, exported=path)
    if path.suffix in CONFIGS:
        return _find_pair(path, name, checkpoint, config)
    if checkpoint is not None:
        raise ValueError(f'{shorten(name)}: two checkpoints came; one is expected')
    return ModelPlace(name, checkpoint=path, config=None if config is None else Path(config))


def _find_pair(path: Path, name: str, checkpoint: str | Path | None, config: str | Path | None
               ) -> ModelPlace:
    """Return the place of a config and its checkpoint."""
    if config is not None:
        raise ValueError(f'{shorten(name)}: two configs came; one is expected')
    if checkpoint is None:
        raise ValueError(f'{shorten(name)}: a config has no weights; name the checkpoint after it, '
                         'such as CONFIG CHECKPOINT IMAGE')
    if str(checkpoint) == 'best':
        from mmwindow.apis.config import load_config
        from mmwindow.engine.checkpoint import find_best_checkpoint
        checkpoint = find_best_checkpoint(Path(load_config(path).work_dir))
    return ModelPlace(name, checkpoint=Path(checkpoint), config=path)


def _find_run(folder: Path, name: str, config: str | Path | None) -> ModelPlace:
    """Return the place of a training's best checkpoint.

    Raises:
        ValueError: The folder holds none.
    """
    from mmwindow.engine.checkpoint import find_best_checkpoint
    if (folder / 'training').is_dir() and not list(folder.glob('*.pth')):
        folder = folder / 'training'  # of "mmwindow folds": one of its runs
    try:
        checkpoint = find_best_checkpoint(folder)
    except ValueError as error:
        if 'there is no best_' not in str(error):
            raise
        raise ValueError(f'{shorten(name)}: no run folder, it holds no best checkpoint '
                         '(best_*.pth); has the training been validated?') from error
    return ModelPlace(name, checkpoint=checkpoint, config=None if config is None else Path(config),
                      run=folder)


def find_run_config(folder: Path) -> Path | None:
    """Return the config that a training left in its folder; None where it is not the only one."""
    found = sorted(folder.glob('*.py'))
    return found[0] if len(found) == 1 else None
