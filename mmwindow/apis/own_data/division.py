"""Which images train, choose and test: the division of a user's data, written down once."""
import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmwindow.annotations.groups import unit_names
from mmwindow.annotations.point_file import load_point_json
from mmwindow.annotations.records import ImageRecord
from mmwindow.apis.own_data.source import POINTS_NAME, OwnData
from mmwindow.datasets.folds import (
    check_folds,
    file_checksum,
    make_folds,
    write_fold_files,
    write_folds,
)
from mmwindow.datasets.splits import SPLITS
from mmwindow.utils.messages import count_words, none_of, shorten
from mmwindow.utils.outputs import check_output_folder

NUM_FOLDS = 5
SEED = 0
MIN_IMAGES = 200  # below, a test of a fifth of them says too little: five folds test each image once
MODES = ('auto', 'single', 'folds')


@dataclass(frozen=True)
class Division:
    """Images of each part of each fold that will be trained.

    Attributes:
        parts: Fold -> split -> images.
        folds: The folds file; None where the data came divided.
        content: Of it.
        files: Split -> point file, of data that came divided.
        is_new: Whether the folds file is not there yet.
    """

    parts: Mapping[int, Mapping[str, Sequence[ImageRecord]]]
    folds: Path | None = None
    content: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    is_new: bool = False

    def describe(self) -> str:
        """Return in one line what trains, chooses and tests, and where that stands."""
        first = self.parts[min(self.parts)]
        counts = ', '.join(
            f'{count_words(len(first[split]), "image")} to {verb} '
            f'({sum(bool(r.points) for r in first[split])} with '
            'points)' for split, verb in zip(SPLITS, ('train', 'choose the epoch', 'test'),
                                             strict=True))
        if self.folds is None:
            return f'{counts}, as they are divided in {self.files["train"].parent}'
        seed = self.content.get('seed', 'unknown')
        named = any(record.group is not None for part in first.values() for record in part)
        how = 'by patient' if named else ('image by image, since no patients are named (views of one '
                                          'patient may be in training and test)')
        patients = f'divided {how}, seed {seed}: {self.folds}'
        if len(self.parts) == 1:
            return f'{counts}; {patients}'
        return (f'{count_words(len(self.parts), "fold")}, each image tested once; the first: '
                f'{counts}; {patients}')


def divide_data(data: OwnData, work_dir: Path, mode: str = 'auto') -> Division:
    """Return the division of a user's data; nothing is written.

    Data that came as ``annotations/{train,val,test}.json`` stay as they are. Else the folds file next
    to the point file is used, or the one that an earlier call put into the work dir; where there is
    none, five folds by patient will be written next to the point file, or into the work dir where
    that folder is read-only. Their first fold is the single division: 70 % to train, 10 % to choose
    the epoch, 20 % to test.

    Args:
        data: From :func:`~mmwindow.apis.own_data.source.find_data`.
        work_dir: Of the training.
        mode: 'single': one division; 'folds': all folds; 'auto': folds below ``MIN_IMAGES``.

    Raises:
        ValueError: Too few patients, a part without images of both kinds, or a folds file that does
            not fit the point file.
    """
    if data.files:
        if mode == 'folds':
            raise ValueError(f'--division folds: {data.files["train"].parent} holds one division; '
                             f'move it away, and {POINTS_NAME} is divided into folds')
        return Division({0: data.parts}, files=data.files)
    assert data.points is not None
    path = _folds_file(data.points, work_dir)
    is_new = not path.is_file()
    if is_new:
        _check_units(data)
        content = make_folds(data.points, NUM_FOLDS, SEED)
    else:
        content = check_folds(path, data.points)
    is_single = mode == 'single' or mode == 'auto' and len(data.records) >= MIN_IMAGES
    records = {record.img_id: record for record in data.records}
    parts = {number: {split: [records[key] for key in content['folds'][number][split]]
                      for split in SPLITS}
             for number in range(1 if is_single else len(content['folds']))}
    return Division(parts, path, content, is_new=is_new)


def write_division(division: Division, points: Path | None, work_dir: Path
                   ) -> dict[int, Mapping[str, Path]]:
    """Write a new folds file, and the point files of each fold into a work dir.

    A file that is there and says the same of all images stays, since a training notes its digest.

    Args:
        division: From :func:`divide_data`.
        points: The point file; None where the data came divided.
        work_dir: Receives ``annotations/fold0/train.json`` and so on.

    Returns:
        Fold -> split -> file.
    """
    if division.folds is None or points is None:
        return {0: division.files}
    if division.is_new:
        write_folds(division.folds, division.content)
    with _made_parts(division, points, work_dir, sorted(division.parts)) as made:
        return {number: {split: _place_part(path, part_file(work_dir, number, split))
                         for split, path in files.items()} for number, files in made.items()}


def part_file(work_dir: Path, number: int, split: str) -> Path:
    """Return the point file of a part of a fold in a work dir."""
    return work_dir / 'annotations' / f'fold{number}' / f'{split}.json'


def find_changed_files(division: Division, points: Path | None, work_dir: Path,
                       digests: Mapping[str, str]) -> list[str]:
    """Return which parts that a training saw, to train and to choose the epoch, are now others.

    Where images lie does not count: a data set that has moved is the same.

    Args:
        division: From :func:`divide_data`; of folds the first.
        points: The point file; None where the data came divided.
        work_dir: Of the training; nothing in it is changed.
        digests: Split -> SHA-256 of its file, as the training noted them; what it did not note is no
            change.
    """
    first = min(division.parts)
    with contextlib.ExitStack() as stack:
        files = division.files if division.folds is None or points is None else stack.enter_context(
            _made_parts(division, points, work_dir, [first]))[first]

        def is_changed(split: str) -> bool:
            known, old = digests[split], part_file(work_dir, first, split)
            return file_checksum(files[split]) != known and not (
                old.is_file() and file_checksum(old) == known and _says_the_same(files[split], old))

        return [split for split in ('train', 'val') if split in digests and is_changed(split)]


@contextlib.contextmanager
def _made_parts(division: Division, points: Path, work_dir: Path, numbers: Sequence[int]
                ) -> Iterator[dict[int, dict[str, Path]]]:
    """Write the point files of folds for a while, as deep in the work dir as they will lie."""
    work_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.parts-', dir=work_dir) as folder:
        yield write_fold_files(division.content, points, folder, numbers)


def _place_part(made: Path, path: Path) -> Path:
    """Move a point file to its place, unless one there says the same; return the place."""
    if not (path.is_file() and _says_the_same(made, path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        made.replace(path)
    return path


def _says_the_same(first: Path, second: Path) -> bool:
    """Whether two point files say the same but for ``info``, as the place of the images."""
    try:
        contents = [{**load_point_json(path), 'info': None} for path in (first, second)]
    except ValueError:  # damaged: it is written again
        return False
    return contents[0] == contents[1]


def check_kinds(division: Division, data: OwnData, needs_negatives: bool = True) -> None:
    """Reject a division whose training could only fail, or give no number.

    Args:
        division: Of the data.
        data: For the message.
        needs_negatives: Whether the best checkpoint is chosen by the AUROC.

    Raises:
        ValueError: No image has a point, all have one, or a part lacks a kind.
    """
    positives = sum(bool(record.points) for record in data.records)
    if not positives:
        raise ValueError(f'{data.source}: {none_of(len(data.records), "image")} has a point; there '
                         'is nothing to learn')
    if positives == len(data.records) and needs_negatives:
        raise ValueError(
            f'{data.source}: all {count_words(positives, "image has", "images have")} a point; the '
            f'model must see images without '
            'a finding, too: import with --unlisted negative where the other images of the folder '
            'were read, or choose the epoch by recall alone: --cfg-options '
            'default_hooks.checkpoint.save_best=froc/froc_score')
    for number, parts in division.parts.items():
        for split, records in parts.items():
            kinds = Counter(bool(record.points) for record in records)
            lacking = 'with' if not kinds[True] else (
                'without' if needs_negatives and not kinds[False] else '')
            if lacking:
                negatives = len(data.records) - positives
                raise ValueError(
                    f'{data.source}: of {count_words(positives, "image")} with and {negatives} '
                    f'without points none '
                    f'{lacking} falls to {split} of fold {number}; 10 patients of each kind are '
                    'needed, better 50: collect more, or divide by hand into annotations/train.json, '
                    'val.json and test.json')


def describe_rare_classes(division: Division, classes: Sequence[str]) -> list[str]:
    """Return a line for each class that a part of the first fold does not have."""
    parts = division.parts[min(division.parts)]
    lines = []
    for label, name in enumerate(classes):
        counts = {split: sum(label in record.labels for record in records)
                  for split, records in parts.items()}
        if not all(counts.values()):
            numbers = ', '.join(f'{number} {split}' for split, number in counts.items())
            lines.append(f'class {shorten(name, 60)} has too few images ({numbers}): its numbers '
                         'will be missing where it has none')
    return lines


def _folds_file(points: Path, work_dir: Path) -> Path:
    """Return the folds file of a point file: there already, or where it will be written."""
    name = 'folds.json' if points.name == POINTS_NAME else f'{points.stem}_folds.json'
    places = [points.parent / name, work_dir / name]
    for place in places:
        if place.is_file():
            return place
    with contextlib.suppress(ValueError):
        check_output_folder(points.parent, '--data')
        return places[0]
    return places[1]


def _check_units(data: OwnData) -> None:
    units = set(unit_names(data.records))
    if len(units) < 2 * NUM_FOLDS:
        raise ValueError(f'{data.source}: {count_words(len(data.records), "image")} of '
                         f'{count_words(len(units), "patient")}; at '
                         f'least {2 * NUM_FOLDS} patients are needed to divide them into training, '
                         'validation and test, better 100')
