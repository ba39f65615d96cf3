"""The folds of one point file as one JSON: written, checked, and turned into point files."""
import hashlib
import json
from collections import Counter
from pathlib import Path

from mmwindow.annotations.point_file import load_point_json, read_point_file
from mmwindow.datasets.splits import split_by_group, split_content, write_parts
from mmwindow.utils.files import write_text

FORMAT = 'mmwindow-folds'
VERSION = 1
SPLITS = ('train', 'val', 'test')
SHOWN = 5  # a message names this many images or groups, then counts


def file_checksum(path):
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits.

    Raises:
        ValueError: The file cannot be read.
    """
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f'{path}: cannot be read ({error.strerror or error}); it should be a point '
                         'file') from error


def name_some(values):
    """Return a few values as text, and how many more there are."""
    values = sorted(values, key=str)
    more = f' and {len(values) - SHOWN} more' if len(values) > SHOWN else ''
    return ', '.join(repr(value) for value in values[:SHOWN]) + more


def group_of(record):
    """Return the group of an image; an image without one is a group of its own."""
    return f'image {record.img_id}' if record.group is None else f'group {record.group}'


def make_folds(path, num_folds=5, seed=0):
    """Divide a point file into folds by group, stratified by positive and normal.

    Of five folds each has 70 % of the images for training, 10 % for validation and 20 %
    for testing; each image is tested exactly once (docs/method.md, section 9).

    Args:
        path (str | Path): The point file.
        num_folds (int): Number of folds.
        seed (int): Of the division; the same file and seed give the same folds.

    Returns:
        dict: What :func:`write_folds` writes: ``format``, ``version``, ``annotations``
        (``file`` and ``sha256``), ``seed`` and ``folds``, a list of dicts ``train``,
        ``val``, ``test`` of image ids.

    Raises:
        ValueError: The point file is bad, or has too few groups.
    """
    if num_folds < 2:
        raise ValueError(f'num_folds is {num_folds}; at least 2 are expected')
    records = read_point_file(path).records
    groups = [group_of(record) for record in records]
    is_positive = [bool(record.points) for record in records]
    folds = []
    for fold in range(num_folds):
        split = split_by_group(groups, is_positive, fold, num_folds, seed)
        folds.append({name: [records[index].img_id for index in split[name]] for name in SPLITS})
    return dict(format=FORMAT, version=VERSION, seed=seed,
                annotations=dict(file=Path(path).name, sha256=file_checksum(path)), folds=folds)


def write_folds(path, folds):
    """Write folds; a file under its own name is whole."""
    write_text(path, json.dumps(folds) + '\n')
    return Path(path)


def read_folds(path):
    """Read a folds file and check its form; :func:`check_folds` checks its content.

    Returns:
        dict: As :func:`make_folds` returns it.

    Raises:
        ValueError: The file is missing, cut short, no folds file or of a newer format.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise ValueError(f'{path}: the folds file cannot be read ({error.strerror or error}); '
                         'tools/make_splits.py writes one') from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError alike
        raise ValueError(f'{path}: no JSON, or cut short ({error}); write it again with '
                         'tools/make_splits.py') from error
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise ValueError(f'{path}: no folds file ("format" is not "{FORMAT}"); '
                         'tools/make_splits.py writes one')
    if content.get('version') != VERSION:
        raise ValueError(f'{path}: folds of format version {content.get("version")!r}; this '
                         f'mmwindow reads version {VERSION}: write them again')
    annotations, folds = content.get('annotations'), content.get('folds')
    if not isinstance(annotations, dict) or not isinstance(annotations.get('sha256'), str):
        raise ValueError(f'{path}: "annotations" is {annotations!r}; the point file\'s name and '
                         'sha256 are expected')
    if not isinstance(folds, list) or not folds:
        raise ValueError(f'{path}: no list "folds"; write it again with tools/make_splits.py')
    for number, fold in enumerate(folds):
        for name in SPLITS:
            if not isinstance(fold, dict) or not isinstance(fold.get(name), list) or not fold[name]:
                raise ValueError(f'{path}: fold {number} has no images for {name}; each fold needs '
                                 f'{SPLITS}')
            strange = [img_id for img_id in fold[name] if not isinstance(img_id, int | str)]
            if strange:
                raise ValueError(f'{path}: fold {number} names {strange[0]!r} as an image of {name}; '
                                 'the id of an image is a number or a string')
    return content


def check_folds(path, points):
    """Read a folds file and refuse it where it does not fit its point file.

    Args:
        path (str | Path): The folds file.
        points (str | Path): The point file.

    Returns:
        dict: The folds, as :func:`make_folds` returns them.

    Raises:
        ValueError: It belongs to another point file, an image is missing, strange or twice in a
            fold, a group is divided, or an image is not tested exactly once; the message says
            which.
    """
    content = read_folds(path)
    records = {record.img_id: record for record in read_point_file(points).records}
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


def _check_owner(path, content, points, records):
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


def _check_fold(where, fold, records):
    listed = Counter(img_id for name in SPLITS for img_id in fold[name])
    problems = [what.format(name_some(ids)) for what, ids in (
        ('lacks images {}', set(records) - set(listed)),
        ('has unknown images {}', set(listed) - set(records)),
        ('has images {} more than once', {key for key, count in listed.items() if count > 1}))
        if ids]
    if not problems:
        homes = {}
        for name in SPLITS:
            for img_id in fold[name]:
                homes.setdefault(group_of(records[img_id]), set()).add(name)
        problems = [f'divides {group} between {" and ".join(sorted(names))}'
                    for group, names in sorted(homes.items()) if len(names) > 1][:SHOWN]
    if problems:
        raise ValueError(f'{where} {"; ".join(problems)}. Write the folds again with '
                         'tools/make_splits.py')


def write_fold_files(folds, points, folder, numbers=None):
    """Write ``fold0/{train,val,test}.json`` and so on, each beside and then renamed.

    Args:
        folds (dict): Checked, from :func:`check_folds`.
        points (str | Path): The point file.
        folder (str | Path): Where.
        numbers (Sequence[int], optional): Which folds; all if None.

    Returns:
        dict[int, dict[str, Path]]: The files of each fold.

    Raises:
        ValueError: There is no such fold.
    """
    content = load_point_json(points)
    place = {img['id']: index for index, img in enumerate(content['images'])}
    numbers = range(len(folds['folds'])) if numbers is None else numbers
    files = {}
    for number in numbers:
        if not 0 <= number < len(folds['folds']):
            raise ValueError(f'there is no fold {number}; the folds are 0 to '
                             f'{len(folds["folds"]) - 1}')
        split = {name: sorted(place[img_id] for img_id in ids)
                 for name, ids in folds['folds'][number].items() if name in SPLITS}
        home = Path(folder) / f'fold{number}'
        write_parts(home, split_content(content, split))
        files[number] = {name: home / f'{name}.json' for name in SPLITS}
    return files
