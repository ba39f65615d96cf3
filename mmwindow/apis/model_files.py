"""What a user names as a model: a run folder, a checkpoint, or a config and its weights."""
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmwindow.engine.checkpoint import find_best_checkpoint
from mmwindow.engine.model_description import META_KEY
from mmwindow.engine.run_file import FORMAT, RUN_FILE, TrainingRun, read_run
from mmwindow.engine.safe_loading import load_own_checkpoint
from mmwindow.utils.files import read_json
from mmwindow.utils.messages import shorten

CONFIG_FILE = 'config.py'  # that a training leaves in its folder, complete
TRAINING_FOLDER = 'training'  # of a run of many configs


@dataclass(frozen=True)
class ModelFiles:
    """Where the parts of a model are.

    Attributes:
        checkpoint: The weights.
        config: The config file; None where none lies there, and the checkpoint describes its model.
        describes_itself: Whether the checkpoint carries a description of its model.
        run: What the training noted; None where its folder is not known.
        meta: Of the checkpoint.
    """

    checkpoint: Path
    config: Path | None
    describes_itself: bool
    run: TrainingRun | None
    meta: dict[str, Any]

    @property
    def inferencer_arguments(self) -> tuple[Path, Path | None]:
        """What :class:`~mmwindow.apis.inference.PointInferencer` is called with."""
        if self.describes_itself or self.config is None:
            return self.checkpoint, None
        return self.config, self.checkpoint

    @property
    def system(self) -> str:
        """Name of the config that the model was trained with."""
        described = self.meta.get(META_KEY)
        names = (described.get('config') if isinstance(described, dict) else None,
                 self.run.config if self.run else None, self.config and self.config.name)
        name = next((name for name in names if isinstance(name, str) and name
                     and Path(name).name != CONFIG_FILE), None)
        return Path(name).stem if name else self.checkpoint.stem


def find_training_folder(folder: Path) -> Path:
    """Return the folder of a training: the one given, or ``training`` in it.

    Raises:
        ValueError: Neither holds a training.
    """
    for candidate in (folder, folder / TRAINING_FOLDER):
        content = read_json(candidate / RUN_FILE, 'run file')
        if isinstance(content, dict) and content.get('format') == FORMAT or list(
                candidate.glob('best_*.pth')):
            return candidate
    raise ValueError(f'{shorten(str(folder))}: this folder holds no training (no {RUN_FILE} of one '
                     'and no best_*.pth); give the work dir of a training, a checkpoint, or CONFIG '
                     'CHECKPOINT')


def find_model_files(model: str | Path, checkpoint: str | Path | None = None) -> ModelFiles:
    """Return where the parts of a model are.

    Args:
        model: A run folder, a checkpoint that describes its model, or a config.
        checkpoint: The weights, where ``model`` is a config; 'best' for the best of its folder.

    Raises:
        ValueError: Something is missing, or a checkpoint without a config does not describe itself.
    """
    config: Path | None = None
    folder: Path | None = None
    if checkpoint is not None:
        config, weights = Path(model), Path(checkpoint)
        folder = weights.parent
    elif Path(model).is_dir():
        folder = find_training_folder(Path(model))
        weights = find_best_checkpoint(folder)
    elif Path(model).suffix == '.py':
        raise ValueError(f'{shorten(str(model))}: this is a config; give its weights, too: CONFIG '
                         'CHECKPOINT')
    else:
        weights = Path(model)
        folder = weights.parent
    content = load_own_checkpoint(weights)
    meta = content.get('meta') if isinstance(content, dict) else None
    meta = meta if isinstance(meta, dict) else {}
    describes_itself = config is None and isinstance(meta.get(META_KEY), dict)
    if config is None and (folder / CONFIG_FILE).is_file():
        config = folder / CONFIG_FILE
    if config is None and not describes_itself:
        raise ValueError(f'checkpoint {shorten(str(weights))}: it does not describe its model; give '
                         'the config, too: CONFIG CHECKPOINT')
    return ModelFiles(weights, config, describes_itself, _run_of(folder), meta)


def _run_of(folder: Path) -> TrainingRun | None:
    try:
        return read_run(folder)
    except ValueError:  # of a folder of other runs, or changed by hand: the model needs none
        return None
