"""``run.json`` of a work dir: what a training was made of, and which checkpoint is its best."""
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from mmwindow.utils.files import read_json, write_json

RUN_FILE = 'run.json'
FORMAT = 'mmwindow-training'
VERSION = 1


@dataclass(frozen=True)
class BestCheckpoint:
    """The best checkpoint by validation.

    Attributes:
        checkpoint: Name of the file in the work dir.
        metric: By which it is the best, such as 'froc/auroc'.
        score: Its value.
        epoch: After which it was saved.
        metrics: All numbers of that validation; None where there is no number.
    """

    checkpoint: str
    metric: str
    score: float
    epoch: int
    metrics: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingRun:
    """What is known of a training.

    Attributes:
        config: The config file.
        seed: Of the training; None where chance chose it.
        mark: Fingerprint of config, seed and annotation files.
        training_code: Mark of the code that trains
            (:func:`~mmwindow.utils.environment.training_code`).
        classes: Names, in the order of the labels.
        input_size: Height and width of what the network sees, pixels.
        preprocessing: ``pipeline`` of a test and ``data_preprocessor`` of the model.
        data: Split -> SHA-256 of its annotation files.
        versions: Of the packages.
        machine: In words.
        epoch: Epochs done.
        seconds: Time of all starts, without what a cut took away.
        is_finished: Whether the last epoch is done.
        best: The best checkpoint; None before the first validation.
    """

    config: str = ''
    seed: int | None = None
    mark: str = ''
    training_code: str = ''
    classes: tuple[str, ...] = ()
    input_size: tuple[int, int] | None = None
    preprocessing: dict[str, Any] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str | None] = field(default_factory=dict)
    machine: str = ''
    epoch: int = 0
    seconds: float = 0.
    is_finished: bool = False
    best: BestCheckpoint | None = None


def write_run(work_dir: str | Path, run: TrainingRun) -> None:
    """Write ``run.json`` of a work dir atomically."""
    write_json(Path(work_dir) / RUN_FILE, dict(format=FORMAT, version=VERSION, **asdict(run)))


def read_run(work_dir: str | Path) -> TrainingRun | None:
    """Return what is known of the training in a work dir; None where there is no ``run.json``.

    Raises:
        ValueError: The file is incomplete or not of a training.
    """
    path = Path(work_dir) / RUN_FILE
    content = read_json(path, 'run file')
    if content is None:
        return None
    if not isinstance(content, Mapping) or content.get('format') != FORMAT:
        raise ValueError(f'{path}: it describes no training; tools/train.py writes one')
    known = {name: content[name] for name in (entry.name for entry in fields(TrainingRun))
             if name in content}
    best = known.get('best')
    return TrainingRun(**{
        **known, 'best': None if best is None else BestCheckpoint(**best),
        'classes': tuple(known.get('classes', ())),
        'input_size': tuple(known['input_size']) if known.get('input_size') else None})


def read_training_seconds(work_dir: str | Path) -> float:
    """Return the seconds that a training has taken so far; 0 where none were noted."""
    run = read_run(work_dir)
    if run is not None:
        return run.seconds
    return read_json(Path(work_dir) / 'training_seconds.json') or 0.  # of versions before 0.2
