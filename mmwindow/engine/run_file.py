"""``run.json`` of a work dir: what a training was made of, and which checkpoint is its best."""
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmwindow.utils.files import read_json, write_json
from mmwindow.utils.json_fields import FLAG, LIST, NUMBER, OBJECT, TEXT, WHOLE, check_fields
from mmwindow.utils.messages import quote, shorten
from mmwindow.utils.operating_points import ModelOperatingPoints

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
        operating_points: The thresholds that this validation chose; None where none were.
    """

    checkpoint: str
    metric: str
    score: float
    epoch: int
    metrics: dict[str, float | None] = field(default_factory=dict)
    operating_points: ModelOperatingPoints | None = None


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


# What the entries of the file are; one that is missing or null has its default.
KINDS = dict(
    config=TEXT.optional, seed=WHOLE.optional, mark=TEXT.optional, training_code=TEXT.optional,
    classes=LIST.optional, input_size=LIST.optional, preprocessing=OBJECT.optional,
    data=OBJECT.optional, versions=OBJECT.optional, machine=TEXT.optional, epoch=WHOLE.optional,
    seconds=NUMBER.optional, is_finished=FLAG.optional, best=OBJECT.optional)
MAX_NAME = 255  # bytes of a file's name on the usual file systems
BEST_KINDS = dict(checkpoint=TEXT, metric=TEXT, score=NUMBER, epoch=WHOLE, metrics=OBJECT.optional,
                  operating_points=OBJECT.optional)


def write_run(work_dir: str | Path, run: TrainingRun) -> None:
    """Write ``run.json`` of a work dir atomically."""
    content = dict(format=FORMAT, version=VERSION, **asdict(run))
    if run.best is not None:
        points = run.best.operating_points
        content['best']['operating_points'] = None if points is None else points.to_json()
    write_json(Path(work_dir) / RUN_FILE, content)


def read_run(work_dir: str | Path) -> TrainingRun | None:
    """Return what is known of the training in a work dir; None where there is no ``run.json``.

    Raises:
        ValueError: The file is incomplete or not of a training.
    """
    path, what = Path(work_dir) / RUN_FILE, 'run file'
    content = read_json(path, what)
    if content is None and not path.exists():
        return None
    name = shorten(str(path))
    if not isinstance(content, Mapping) or content.get('format') != FORMAT:
        raise ValueError(f'{name}: it describes no training; tools/train.py writes one')
    known = {key: value for key, value in check_fields(content, name, what, KINDS).items()
             if key in KINDS and value is not None}
    if 'best' in known:
        best = check_fields(known['best'], name, 'entry "best"', BEST_KINDS)
        if Path(best['checkpoint']).name != best['checkpoint'] or len(
                best['checkpoint'].encode('utf-8', 'replace')) > MAX_NAME:
            raise ValueError(f'{name}: "checkpoint" of the entry "best" is '
                             f'{quote(best["checkpoint"])}; the name of a file in this folder is '
                             'expected')
        points = best.get('operating_points')
        known['best'] = BestCheckpoint(**{
            **{key: best[key] for key in BEST_KINDS if key in best},
            'operating_points': None if points is None else ModelOperatingPoints.from_json(
                points, name)})
    for key, kind in (('classes', TEXT), ('input_size', WHOLE)):
        if not all(map(kind.fits, known.get(key, ()))):
            raise ValueError(f'{name}: "{key}" of the {what} is {quote(known[key])}; each is to be '
                             f'{kind.name}')
        if key in known:
            known[key] = tuple(known[key])
    if len(known.get('input_size', (0, 0))) != 2:
        raise ValueError(f'{name}: "input_size" of the {what} is {quote(known["input_size"])}; '
                         'height and width are expected')
    return TrainingRun(**known)


def read_training_seconds(work_dir: str | Path) -> float:
    """Return the seconds that a training has taken so far; 0 where none were noted."""
    run = read_run(work_dir)
    if run is not None:
        return run.seconds
    path = Path(work_dir) / 'training_seconds.json'  # of versions before 0.2
    seconds = read_json(path) or 0.
    if not NUMBER.fits(seconds):
        raise ValueError(f'{path}: it holds {quote(seconds)}; a number of seconds is expected')
    return float(seconds)
