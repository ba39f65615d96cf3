"""The folds of one point file as one JSON: written, checked, and turned into point files."""
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmwindow.annotations.checks import ImageId, is_id
from mmwindow.annotations.groups import unit_name
from mmwindow.annotations.point_file import load_point_json, read_point_file
from mmwindow.annotations.records import ImageRecord
from mmwindow.datasets.splits import SPLITS, split_content, split_records, write_parts
from mmwindow.utils.files import check_ordinary_file, load_own_json, write_text
from mmwindow.utils.messages import MAX_NAMES, name_some, quote

FORMAT = 'mmwindow-folds'
VERSION = 1
WRITER = 'tools/make_splits.py'
Fold = dict[str, list[ImageId]]
Records = Mapping[ImageId, ImageRecord]


def file_checksum(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits.

    Raises:
        ValueError: The file cannot be read.
    """
    check_ordinary_file(path, 'point file or checkpoint')
    try:
        digest = hashlib.sha256()
        with open(path, 'rb') as stream:
            while part := stream.read(1 << 20):
                digest.update(part)
        return digest.hexdigest()
    except OSError as error:
        raise ValueError(f'{path}: cannot be read ({error.strerror or error}); it should be a point '
                         'file') from error


def make_folds(path: str | Path, num_folds: int = 5, seed: int = 0) -> dict[str, Any]:
    """Divide a point file into folds by group, stratified by positive and negative images.

    Of five folds each has 70 % of the images for training, 10 % for validation and 20 %
    for testing; each image is tested exactly once (docs/method.md, section 9).

    Args:
        path: The point file.
        num_folds: Number of folds.
        seed: Of the division; the same file and seed give the same folds.

    Returns:
        What :func:`write_folds` writes: ``format``, ``version``, ``annotations``
        (``file`` and ``sha256``), ``seed`` and ``folds``, a list of dicts ``train``,
        ``val``, ``test`` of image ids.

    Raises:
        ValueError: The point file is bad, or has too few groups.
    """
    if num_folds < 2:
        raise ValueError(f'num_folds is {num_folds}; at least 2 are expected')
    records = read_point_file(path, readers='all').records
    folds = []
    for number in range(num_folds):
        split = split_records(records, number, num_folds, seed)
        folds.append({name: [records[index].img_id for index in split[name]] for name in SPLITS})
    return dict(format=FORMAT, version=VERSION, seed=seed,
                annotations=dict(file=Path(path).name, sha256=file_checksum(path)), folds=folds)


def write_folds(path: str | Path, folds: Mapping[str, Any]) -> Path:
    """Write folds atomically and return the path."""
    write_text(path, json.dumps(folds) + '\n')
    return Path(path)


def read_folds(path: str | Path) -> dict[str, Any]:
    """Read a folds file and check its form; :func:`check_folds` checks its content.

    Returns:
        As :func:`make_folds` returns it.

    Raises:
        ValueError: The file is missing, cut short, no folds file or of a newer format.
    """
    content = load_own_json(path, 'folds file', FORMAT, VERSION, WRITER)
    owner, folds = content.get('annotations'), content.get('folds')
    if not isinstance(owner, dict) or not isinstance(owner.get('sha256'), str):
        raise ValueError(f'{path}: "annotations" is {quote(owner)}; the point file\'s name and '
                         'sha256 are expected')
    if not isinstance(folds, list) or not folds:
        raise ValueError(f'{path}: no list "folds"; write it again with {WRITER}')
    for number, fold in enumerate(folds):
        for name in SPLITS:
            if not isinstance(fold, dict) or not isinstance(fold.get(name), list) or not fold[name]:
                raise ValueError(f'{path}: fold {number} has no images for {name}; each fold needs '
                                 f'{SPLITS}')
            wrong = [img_id for img_id in fold[name] if not is_id(img_id)]
            if wrong:
                raise ValueError(f'{path}: fold {number} names {quote(wrong[0])} as an image of '
                                 f'{name}; the id of an image is a whole number or a string')
    return content


def check_folds(path: str | Path, points: str | Path) -> dict[str, Any]:
    """Read a folds file and reject it where it does not fit its point file.

    Args:
        path: The folds file.
        points: The point file.

    Returns:
        The folds, as :func:`make_folds` returns them.

    Raises:
        ValueError: It belongs to another point file, an image is missing, unknown or twice in a
            fold, a group is divided, or an image is not tested exactly once; the message says
            which.
    """
    content = read_folds(path)
    records = {record.img_id: record for record in read_point_file(points, readers='all').records}
    _check_owner(path, content, points, records)
    for number, fold in enumerate(content['folds']):
        _check_fold(f'{path}: fold {number}', fold, records)
    tested = Counter(img_id for fold in content['folds'] for img_id in fold['test'])
    twice = [img_id for img_id, count in tested.items() if count > 1]
    never = set(records) - set(tested)
    if twice or never:
        raise ValueError(
            f'{path}: each image must be tested exactly once over the folds, but '
            + ' and '.join([f'images {name_some(twice)} are tested more than once'] * bool(twice)
                           + [f'images {name_some(never)} never'] * bool(never))
            + '; write the folds again with tools/make_splits.py')
    return content


def _check_owner(path: str | Path, content: Mapping[str, Any], points: str | Path, records: Records
                 ) -> None:
    owner = content['annotations']
    checksum = file_checksum(points)
    if owner['sha256'] == checksum:
        return
    listed = {img_id for name in SPLITS for img_id in content['folds'][0][name]}
    differences = [f'{what} {name_some(ids)}' for what, ids in (
        ('only the folds have images', listed - set(records)),
        ('only the point file has images', set(records) - listed)) if ids]
    raise ValueError(
        f'{path}: these folds belong to another point file ({owner.get("file")}, sha256 '
        f'{owner["sha256"][:12]}) than {points} (sha256 {checksum[:12]}): '
        + ('; '.join(differences) or 'the images are the same, their points, groups or sizes are '
                                     'not')
        + '. Give the point file they were made for, or write new folds with tools/make_splits.py')


def _check_fold(where: str, fold: Fold, records: Records) -> None:
    listed = Counter(img_id for name in SPLITS for img_id in fold[name])
    problems = [what.format(name_some(ids)) for what, ids in (
        ('lacks images {}', set(records) - set(listed)),
        ('has unknown images {}', set(listed) - set(records)),
        ('has images {} more than once', {key for key, count in listed.items() if count > 1}))
        if ids]
    if not problems:
        homes: dict[str, set[str]] = {}
        for name in SPLITS:
            for img_id in fold[name]:
                record = records[img_id]
                homes.setdefault(unit_name(record.group, img_id), set()).add(name)
        problems = [f'divides {group} between {" and ".join(sorted(names))}'
                    for group, names in sorted(homes.items()) if len(names) > 1][:MAX_NAMES]
    if problems:
        raise ValueError(f'{where} {"; ".join(problems)}. Write the folds again with '
                         'tools/make_splits.py')


def write_fold_files(folds: Mapping[str, Any], points: str | Path, folder: str | Path,
                     numbers: Iterable[int] | None = None) -> dict[int, dict[str, Path]]:
    """Write ``fold0/{train,val,test}.json`` and so on, each atomically.

    Args:
        folds: Checked, from :func:`check_folds`.
        points: The point file.
        folder: Where.
        numbers: Which folds; all if None.

    Returns:
        The files of each fold.

    Raises:
        ValueError: There is no such fold.
    """
    content = load_point_json(points)
    places = {image['id']: index for index, image in enumerate(content['images'])}
    numbers = range(len(folds['folds'])) if numbers is None else numbers
    files = {}
    for number in numbers:
        if not 0 <= number < len(folds['folds']):
            raise ValueError(f'there is no fold {number}; the folds are 0 to '
                             f'{len(folds["folds"]) - 1}')
        split = {name: sorted(places[img_id] for img_id in ids)
                 for name, ids in folds['folds'][number].items() if name in SPLITS}
        files[number] = write_parts(Path(folder) / f'fold{number}', split_content(content, split),
                                    points)
    return files
