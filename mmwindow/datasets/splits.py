"""Splits that never divide a patient (docs/method.md, section 9)."""
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmwindow.annotations.groups import unit_names
from mmwindow.annotations.image_places import moved_content
from mmwindow.annotations.point_file import load_point_json, read_point_file, write_point_file
from mmwindow.annotations.readers import named_readers
from mmwindow.annotations.records import ImageRecord
from mmwindow.utils.messages import count_words, name_some
from mmwindow.utils.outputs import check_not_source

SPLITS = ('train', 'val', 'test')
Split = dict[str, list[int]]  # indices of images by the names of SPLITS


def assign_folds(groups: Sequence[str | int], is_positive: Sequence[bool], num_folds: int,
                 seed: int = 0) -> list[int]:
    """Assign every group to one fold, balancing positive and negative images.

    Groups with more positive images are placed first, of these the larger ones, each into the fold
    that lacks most of its images.

    Args:
        groups: Group of each image.
        is_positive: Whether each image carries a point.
        num_folds: Number of folds.
        seed: Orders groups of equal size.

    Returns:
        Fold of each image.

    Raises:
        ValueError: There are fewer groups than folds.
    """
    members: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    for group, positive in zip(groups, is_positive, strict=True):
        members[group][int(positive)] += 1
    if len(members) < num_folds:
        raise ValueError(f'{count_words(len(members), "group cannot", "groups cannot")} be divided '
                         f'into {count_words(num_folds, "fold")}; every '
                         'fold needs one')
    order = sorted(members)
    random.Random(seed).shuffle(order)
    # Rare images first: a fold's positive images matter more than its negative ones.
    order.sort(key=lambda group: (-members[group][1], -members[group][0]))
    totals = [sum(count[label] for count in members.values()) for label in (0, 1)]
    counts = [[0, 0] for _ in range(num_folds)]
    fold_of = {}
    for group in order:
        def fill(fold: int, count: list[int] = members[group]) -> float:
            return sum((counts[fold][label] + count[label]) / max(totals[label], 1)
                       for label in (0, 1) if count[label])
        fold = min(range(num_folds), key=lambda fold: (fill(fold), sum(counts[fold]), fold))
        fold_of[group] = fold
        for label in (0, 1):
            counts[fold][label] += members[group][label]
    return [fold_of[group] for group in groups]


def split_by_group(groups: Sequence[str | int], is_positive: Sequence[bool], fold: int = 0,
                   num_folds: int = 5, seed: int = 0) -> Split:
    """Return the indices of training (70 %), validation (10 %) and test images (20 %).

    Groups are divided into ``2 * num_folds`` parts; fold k tests the parts 2k and
    2k + 1 and validates on the next one. Over all folds each image is tested once.

    Args:
        groups: Group of each image.
        is_positive: Whether each image carries a point.
        fold: Which fold tests.
        num_folds: Number of folds.
        seed: Of the division.

    Raises:
        ValueError: The fold does not exist, or there are too few groups.
    """
    if not 0 <= fold < num_folds:
        raise ValueError(f'fold is {fold}; it must lie between 0 and {num_folds - 1}')
    return split_folds(groups, is_positive, num_folds, seed)[fold]


def split_folds(groups: Sequence[str | int], is_positive: Sequence[bool], num_folds: int = 5,
                seed: int = 0) -> list[Split]:
    """Return the split of every fold, each as :func:`split_by_group`; groups are divided once.

    Raises:
        ValueError: There are too few groups.
    """
    parts = assign_folds(groups, is_positive, 2 * num_folds, seed)
    splits = []
    for fold in range(num_folds):
        testing = (2 * fold, 2 * fold + 1)
        validation = (2 * fold + 2) % (2 * num_folds)
        split: Split = dict(train=[], val=[], test=[])
        for index, part in enumerate(parts):
            split['test' if part in testing else 'val' if part == validation else 'train'
                  ].append(index)
        splits.append(split)
    return splits


def split_records(records: Sequence[ImageRecord], fold: int = 0, num_folds: int = 5, seed: int = 0
                  ) -> Split:
    """Return the split of a point file's images; folds, splits and importers all divide by this.

    Args:
        records: Of the point file.
        fold: Which fold tests.
        num_folds: Number of folds.
        seed: Of the division; the same records and seed give the same split.

    Returns:
        As :func:`split_by_group`.

    Raises:
        ValueError: Likewise.
    """
    return split_by_group(unit_names(records), [bool(record.points) for record in records], fold,
                          num_folds, seed)


def split_content(content: Mapping[str, Any], split: Mapping[str, Iterable[int]]
                  ) -> dict[str, dict[str, Any]]:
    """Return one COCO content per name, each with its images, annotations and all readers.

    Args:
        content: A COCO point file.
        split: From :func:`split_records`, indices into its images.
    """
    parts, readers = {}, named_readers(content)
    for name, indices in split.items():
        images = [content['images'][index] for index in indices]
        ids = {image['id'] for image in images}
        parts[name] = {**content, 'images': images, 'annotations': [
            annotation for annotation in content['annotations'] if annotation['image_id'] in ids],
            **({'readers': readers} if readers else {})}
    return parts


def write_parts(folder: str | Path, parts: Mapping[str, Mapping[str, Any]], points: str | Path
                ) -> dict[str, Path]:
    """Write ``<folder>/<name>.json`` for each part, each atomically, and return the files by name.

    Args:
        folder: Made where it is not there.
        parts: COCO contents by name.
        points: The point file that they are parts of; where it notes a folder of images, so do they.

    Raises:
        ValueError: A part would overwrite that point file; nothing is written then.
    """
    for name in parts:
        check_not_source(Path(folder) / f'{name}.json', [points], 'part')
    return {name: write_point_file(Path(folder) / f'{name}.json',
                                   moved_content(part, points, folder))
            for name, part in parts.items()}


def describe_split(split: Mapping[str, Sequence[Any]],
                   is_positive: Mapping[Any, bool] | Sequence[bool]) -> str:
    """Return one line: the images of each part, and how many of them have points.

    Args:
        split: Images of each part, as indices or ids.
        is_positive: Whether each image carries a point, by what ``split`` names it.
    """
    return ', '.join(f'{name} {count_words(len(images), "image")} '
                     f'({sum(is_positive[image] for image in images)} '
                     'with points)' for name, images in split.items())


def write_rest(path: str | Path, without: str | Path, out: str | Path) -> Path:
    """Write the point file of all images of one that another does not have; return its path.

    Args:
        path: The point file.
        without: The point file of the images to leave out; each must be in ``path``.
        out: Where.

    Raises:
        ValueError: A file is bad; an image of ``without`` is not in ``path``, or has another file
            name there; a group is in both parts, or nothing is left; ``out`` is one of the two.
    """
    if Path(out).resolve() in (Path(path).resolve(), Path(without).resolve()):
        raise ValueError(f'{out} would be overwritten; choose another folder')
    records = read_point_file(path, readers='all').records
    left_out = {record.img_id: record for record in read_point_file(without, readers='all').records}
    names = {record.img_id: record.file_name for record in records}
    wrong = [key for key, record in left_out.items() if names.get(key) != record.file_name]
    if wrong:
        raise ValueError(f'{without}: images {name_some(wrong)} are not in {path}, or have another '
                         'file name there; give a part of this very point file')
    kept = [index for index, record in enumerate(records) if record.img_id not in left_out]
    units = unit_names(records)
    shared = {units[index] for index in kept} & {
        unit for unit, record in zip(units, records, strict=True) if record.img_id in left_out}
    if shared or not kept:
        raise ValueError(f'{without}: ' + (
            f'{name_some(sorted(map(str, shared)))} have images in it and outside it; '
            'divide by patient' if shared else f'it has all images of {path}; nothing is left'))
    return write_point_file(out, split_content(load_point_json(path), dict(rest=kept))['rest'])


def write_splits(path: str | Path, out: str | Path, num_folds: int | None = 5, seed: int = 0,
                 fold: int = 0) -> dict[str, Split]:
    """Divide a point file by group and write its parts, each atomically.

    Args:
        path: The point file.
        out: Folder; receives ``fold0/{train,val,test}.json`` and so on, or
            ``{train,val,test}.json`` where ``num_folds`` is None.
        num_folds: None for a single split: one of five folds.
        seed: Of the division.
        fold: Which of five folds a single split is.

    Returns:
        The split of each folder.

    Raises:
        ValueError: The file is bad, or there are too few groups.
    """
    records = read_point_file(path, readers='all').records
    content = load_point_json(path)
    splits = {}
    for number in range(num_folds) if num_folds else (fold, ):
        split = split_records(records, number, num_folds or 5, seed)
        folder = Path(out) / f'fold{number}' if num_folds else Path(out)
        write_parts(folder, split_content(content, split), path)
        splits[str(folder)] = split
    return splits
