"""Splits that never divide a patient (docs/method.md, section 9)."""
import json
import random
from collections import defaultdict
from pathlib import Path

from mmwindow.annotations.point_file import load_point_json, read_point_file
from mmwindow.utils.files import write_text


def assign_folds(groups, is_positive, num_folds, seed=0):
    """Assign every group to one fold, balancing positives and normals.

    Larger groups are placed first, each into the fold that lacks most of its images.

    Args:
        groups (Sequence[str]): Group of each image.
        is_positive (Sequence[bool]): Whether each image carries a point.
        num_folds (int): Number of folds.
        seed (int): Orders groups of equal size.

    Returns:
        list[int]: Fold of each image.

    Raises:
        ValueError: There are fewer groups than folds.
    """
    members = defaultdict(lambda: [0, 0])
    for group, positive in zip(groups, is_positive, strict=True):
        members[group][int(positive)] += 1
    if len(members) < num_folds:
        raise ValueError(f'{len(members)} groups cannot be divided into {num_folds} folds; every '
                         'fold needs one')
    order = sorted(members)
    random.Random(seed).shuffle(order)
    # Rare images first: a fold's positives matter more than its normals.
    order.sort(key=lambda group: (-members[group][1], -members[group][0]))
    totals = [sum(count[label] for count in members.values()) for label in (0, 1)]
    counts = [[0, 0] for _ in range(num_folds)]
    fold_of = {}
    for group in order:
        def fill(fold, count=members[group]):
            return sum((counts[fold][label] + count[label]) / max(totals[label], 1)
                       for label in (0, 1) if count[label])
        fold = min(range(num_folds), key=lambda fold: (fill(fold), sum(counts[fold]), fold))
        fold_of[group] = fold
        for label in (0, 1):
            counts[fold][label] += members[group][label]
    return [fold_of[group] for group in groups]


def split_by_group(groups, is_positive, fold=0, num_folds=5, seed=0):
    """Return the indices of training (70 %), validation (10 %) and test images (20 %).

    Groups are divided into ``2 * num_folds`` parts; fold k tests the parts 2k and
    2k + 1 and validates on the next one. Over all folds each image is tested once.

    Args:
        groups (Sequence[str]): Group of each image.
        is_positive (Sequence[bool]): Whether each image carries a point.
        fold (int): Which fold tests.
        num_folds (int): Number of folds.
        seed (int): Of the division.

    Returns:
        dict[str, list[int]]: ``train``, ``val`` and ``test``.

    Raises:
        ValueError: The fold does not exist, or there are too few groups.
    """
    if not 0 <= fold < num_folds:
        raise ValueError(f'fold is {fold}; it must lie between 0 and {num_folds - 1}')
    parts = assign_folds(groups, is_positive, 2 * num_folds, seed)
    testing = (2 * fold, 2 * fold + 1)
    validation = (2 * fold + 2) % (2 * num_folds)
    split = dict(train=[], val=[], test=[])
    for index, part in enumerate(parts):
        split['test' if part in testing else 'val' if part == validation else 'train'].append(index)
    return split


def split_content(content, split):
    """Return one COCO content per name, each with its images and their annotations.

    Args:
        content (dict): A COCO point file.
        split (dict[str, list[int]]): From :func:`split_by_group`, indices into its images.
    """
    parts = {}
    for name, indices in split.items():
        imgs = [content['images'][index] for index in indices]
        ids = {img['id'] for img in imgs}
        parts[name] = {**content, 'images': imgs, 'annotations': [
            annotation for annotation in content['annotations'] if annotation['image_id'] in ids]}
    return parts


def write_parts(folder, parts):
    """Write ``<folder>/<name>.json`` for each part, each whole under its name.

    Args:
        folder (Path): Made where it is not there.
        parts (dict[str, dict]): COCO contents by name.
    """
    for name, part in parts.items():
        write_text(folder / f'{name}.json', json.dumps(part))


def describe_split(split, is_positive):
    """Return one line: images and positives of each part."""
    return ', '.join(f'{name} {len(indices)} images ({sum(is_positive[index] for index in indices)} '
                     'with points)' for name, indices in split.items())


def write_splits(path, out, num_folds=5, seed=0):
    """Divide a point file by group and write its parts, each beside and then renamed.

    Args:
        path (str | Path): The point file.
        out (str | Path): Folder; receives ``fold0/{train,val,test}.json`` and so on, or
            ``{train,val,test}.json`` where ``num_folds`` is None.
        num_folds (int, optional): None for a single split of the same proportions.
        seed (int): Of the division.

    Returns:
        dict[str, dict[str, list[int]]]: The split of each folder.

    Raises:
        ValueError: The file is bad, or there are too few groups.
    """
    records = read_point_file(path).records
    content = load_point_json(path)
    groups = [f'image {record.img_id}' if record.group is None else str(record.group)
              for record in records]
    is_positive = [bool(record.points) for record in records]
    splits = {}
    for fold in range(num_folds or 1):
        split = split_by_group(groups, is_positive, fold, num_folds or 5, seed)
        folder = Path(out) / f'fold{fold}' if num_folds else Path(out)
        write_parts(folder, split_content(content, split))
        splits[str(folder)] = split
    return splits
