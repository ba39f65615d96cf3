"""What a user calls a model: a run folder, a checkpoint, an exported file, a name of the zoo.

All verbs find their MODEL here. Nothing imports torch before a checkpoint has to be found or read.
"""
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmwindow.utils.messages import count_words, shorten
from mmwindow.zoo import ZooModel, describe_zoo, read_zoo

if TYPE_CHECKING:
    from mmwindow.engine.run_file import TrainingRun

EXPORTED = ('.onnx', '.zip')
CONFIGS = ('.py', '.json', '.yaml', '.yml')
KINDS = ('a run folder, a checkpoint (.pth), a config with its checkpoint, an exported model (.onnx '
         'or .zip) or a name of the zoo')


@dataclass(frozen=True)
class ModelPlace:
    """Where a model is.

    Attributes:
        name: As the user called it.
        exported: The exported file; None for a model of torch.
        checkpoint: The weights, a file or an address; None for an exported model.
        config: The config file; None where the checkpoint describes its model.
        run: Of the training; None where its ``run.json`` is not next to the weights.
        folder: Work dir of the training, of folds that of their final model; None where another
            thing was named.
        is_config_given: Whether the user named the config; else the checkpoint's own description of
            its model comes first.
    """

    name: str
    exported: Path | None = None
    checkpoint: Path | str | None = None
    config: Path | None = None
    run: 'TrainingRun | None' = None
    folder: Path | None = None
    is_config_given: bool = False

    @property
    def label(self) -> str:
        """A short name: of a run folder the last two parts of its path, else that of the file.

        >>> ModelPlace('runs/wl_kld/training', folder=Path('runs/wl_kld/training')).label
        'wl_kld/training'
        """
        path = Path(self.name)
        return '/'.join(path.absolute().parts[-2:]) if self.folder is not None else path.stem

    @property
    def weights(self) -> Path | str:
        """The checkpoint of a model that is no exported file."""
        assert self.checkpoint is not None
        return self.checkpoint


def find_model(model: str | Path, checkpoint: str | Path | None = None,
               config: str | Path | None = None, work_dir: str | Path | None = None,
               *, needs_weights: bool = False, option: str = '') -> ModelPlace:
    """Return where a model is.

    Args:
        model: A run folder (work dir of a training, a folder of ``mmwindow folds`` with one, or a
            folder of folds with a final model), a checkpoint, a config file, an exported file, or a
            name of the zoo.
        checkpoint: Where ``model`` is a config: its weights, or 'best' for the best checkpoint of
            its work dir.
        config: Of a run folder or a checkpoint, in place of its own.
        work_dir: Of the config ``model``, where 'best' is searched; the config's own if None.
        needs_weights: An exported file will not do; of a model of the zoo its checkpoint is taken.
        option: Before each message, such as '--from'.

    Raises:
        ValueError: It is not there, none of these, or has no checkpoint.
    """
    path, name = Path(model), str(model)
    shown = f'{option} {shorten(name)}'.lstrip()
    if config is not None and not Path(config).is_file():
        raise ValueError(f'--config {shorten(str(config))}: there is no such file')
    if not path.exists() and '://' not in name and checkpoint is None:
        looks_like_path = path.suffix in ('.pth', *EXPORTED, *CONFIGS) or len(path.parts) > 1
        if looks_like_path or not name:
            raise ValueError(f'{shown}: there is no such file or folder; {KINDS} is expected')
        zoo_model = find_zoo_model(name, shown)
        if not needs_weights and config is None:
            return ModelPlace(name, exported=zoo_model.exported.check())
        return ModelPlace(name, None, zoo_model.checkpoint.check(),
                          None if config is None else Path(config),
                          is_config_given=config is not None)
    if path.suffix.lower() in EXPORTED and path.is_file():
        if config is not None or checkpoint is not None:
            raise ValueError(f'{shown}: an exported model holds all that it needs; leave config and '
                             'checkpoint out')
        if needs_weights:
            raise ValueError(f'{shown}: an exported model predicts and compares, no more; give the '
                             'run folder or the checkpoint that it was exported from')
        return ModelPlace(name, exported=path)
    if checkpoint is not None:
        return find_configured(path, checkpoint, config, work_dir)
    if path.is_dir():
        return find_run(path, config, shown)
    if path.suffix in CONFIGS:
        raise ValueError(f'{shown}: a config alone is no model; give CONFIG CHECKPOINT, CONFIG best, '
                         'a run folder or a checkpoint')
    from mmwindow.engine.checkpoint import check_checkpoint
    if '://' in name:
        raise ValueError(f'{shown}: weights at an address come with their config: CONFIG ADDRESS; or '
                         'download them, and give the path')
    check_checkpoint(path, option or 'checkpoint')
    return ModelPlace(name, None, path, None if config is None else Path(config),
                      read_run_next_to(path), is_config_given=config is not None)


def find_zoo_model(name: str, shown: str) -> ZooModel:
    """Return a model of the zoo inside the package.

    Args:
        name: Of the model.
        shown: What the message calls it.

    Raises:
        ValueError: There is no such model.
    """
    models = read_zoo()
    if name in models:
        return models[name]
    raise ValueError(f'{shown}: there is no such file or folder, and {describe_zoo(models)}; {KINDS} '
                     'is expected')


def find_configured(path: Path, checkpoint: str | Path, config: str | Path | None,
                    work_dir: str | Path | None) -> ModelPlace:
    """Return the place of a config with its weights; see :func:`find_model`."""
    from mmwindow.apis.config import load_config
    from mmwindow.engine.checkpoint import check_checkpoint, find_best_checkpoint
    name = str(path)
    if config is not None:
        raise ValueError(f'--config {shorten(str(config))}: the config is {shorten(name)} already; '
                         'give one of them')
    if str(checkpoint) == 'best':
        checkpoint = find_best_checkpoint(Path(load_config(path, work_dir).work_dir))
    check_checkpoint(checkpoint)
    if '://' in str(checkpoint):  # mmengine loads it
        return ModelPlace(name, None, str(checkpoint), path, is_config_given=True)
    return ModelPlace(name, None, Path(checkpoint), path, read_run_next_to(Path(checkpoint)),
                      is_config_given=True)


def find_run(path: Path, config: str | Path | None, shown: str) -> ModelPlace:
    """Return the place of a run folder's best checkpoint, of folds that of their final model.

    Args:
        path: A folder.
        config: In place of its own.
        shown: What the message calls it.

    Raises:
        ValueError: It has no checkpoint, or is a folder of folds without a final model.
    """
    from mmwindow.apis.folds_folder import TRAINING, find_folds
    from mmwindow.engine.checkpoint import check_checkpoint, find_best_checkpoint
    from mmwindow.engine.run_file import RUN_FILE, read_run
    inner = path / TRAINING
    folder = inner if (inner / RUN_FILE).is_file() or any(inner.glob('best_*.pth')) else path
    folds = None if folder == inner else find_folds(path)
    if folds is not None:
        if folds.final is None:
            raise ValueError(
                f'{shown}: it holds the runs of {count_words(len(folds.runs), "fold")} and no final '
                f'model; name one '
                f'of them, such as {folds.runs[0]}, or let "mmwindow train --data" train one on all '
                'images, without --no-final')
        folder = folds.final
    try:
        best = find_best_checkpoint(folder)
    except ValueError as error:
        raise ValueError(f'{shown}: {str(error).removeprefix(f"{folder}: ")}') from error
    check_checkpoint(best)
    run = read_run(folder)
    noted = folder / Path(run.config).name if run is not None and run.config else None
    own = noted if noted is not None and noted.suffix == '.py' and noted.is_file() else None
    return ModelPlace(str(path), None, best, own if config is None else Path(config), run, folder,
                      config is not None)


def read_run_next_to(checkpoint: Path) -> 'TrainingRun | None':
    """Return the training that a checkpoint is of, where its folder says so."""
    from mmwindow.engine.run_file import read_run
    try:
        return read_run(checkpoint.parent)
    except ValueError:  # another file of this name, as that of a run of folds
        return None


def find_run_config(folder: Path) -> Path | None:
    """Return the config that a training left in its folder; None where it is not the only one."""
    found = sorted(folder.glob('*.py'))
    return found[0] if len(found) == 1 else None
