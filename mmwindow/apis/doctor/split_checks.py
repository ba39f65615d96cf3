"""Splits: counts, divided patients, kinds of images and classes that a split lacks."""
from collections import Counter, defaultdict

import numpy as np

from mmwindow.apis.doctor.checkup import Checkup
from mmwindow.apis.doctor.data_source import DataPart
from mmwindow.apis.doctor.problems import (
    ERROR,
    NOTE,
    WARNING,
    Problem,
    Table,
    make_items,
)
from mmwindow.utils.messages import count_words, name_some

MAX_BARS = 8  # of the histogram; more findings than that are one bar
FEW_POSITIVES = 20  # images: below, no number of a test says much


def check_splits(checkup: Checkup) -> list[Problem]:
    """Return the problems of splits."""
    return [*_check_groups(checkup), *_check_kinds(checkup), *_check_classes(checkup.source.parts)]


def divided_groups(checkup: Checkup) -> dict[str, list[int]]:
    """Return the patients that are in several splits, each with the indices of its images."""
    members: dict[str, list[int]] = defaultdict(list)
    for index, image in enumerate(checkup.images):
        if image.record.group is not None:
            members[image.record.group].append(index)
    return {group: indices for group, indices in members.items()
            if len({checkup.images[index].split for index in indices}) > 1}


def _check_groups(checkup: Checkup) -> list[Problem]:
    problems = []
    divided = divided_groups(checkup)
    if divided:
        # A patient is told by an image of each split, not by its name.
        items = [', '.join(_one_of_each_split(checkup, indices)) for indices in divided.values()]
        problems.append(Problem(
            WARNING, 'divided patients', '', f'{count_words(len(divided), "patient")} '
            f'{"is" if len(divided) == 1 else "are"} in several splits, so that tests see patients '
            'of the training', '--fix moves each into one split; or divide again (mmwindow splits)',
            make_items(items)))
    nameless = sum(image.record.group is None for image in checkup.images)
    if nameless:
        problems.append(Problem(
            NOTE, 'patients', '', f'{nameless} of {count_words(len(checkup.images), "image")} name '
            'no patient: each counts as a patient of its own', 'Name them as "group" (mmwindow '
            'import --patients), or splits may divide patients, and intervals are too short'))
    return problems


def _one_of_each_split(checkup: Checkup, indices: list[int]) -> list[str]:
    firsts: dict[str, int] = {}
    for index in indices:
        firsts.setdefault(checkup.images[index].split, index)
    return checkup.names(firsts.values())


def _check_kinds(checkup: Checkup) -> list[Problem]:
    problems = []
    has_splits = checkup.source.has_splits
    positive, usable = checkup.is_positive, checkup.usable
    for part in checkup.source.parts:
        members = np.array([image.split == part.split for image in checkup.images], dtype=bool)
        counted = members & usable
        num_positives, number = int((counted & positive).sum()), int(counted.sum())
        if not number:
            if usable.any() or not len(checkup.images):
                problems.append(Problem(ERROR, 'no images', part.split, 'there is no readable image',
                                        'Add images, or divide again (mmwindow splits)'))
            continue
        if not num_positives:
            trains = part.split in ('', 'train')
            problems.append(Problem(
                ERROR if trains else WARNING, 'no positive images', part.split,
                f'none of {count_words(number, "image")} has a finding', 'A model that is trained on '
                'them learns to find nothing' if trains else
                'Neither AUROC nor recall can be given; divide again (mmwindow splits)'))
        elif num_positives == number:
            problems.append(Problem(
                WARNING if part.split == 'val' else NOTE, 'no negative images', part.split,
                f'all {count_words(number, "image")} have findings', 'No AUROC can be given; add '
                'images in which nothing was found'
                + (', or keep the best checkpoint by froc/froc_score' if part.split == 'val'
                   else '')))
        elif part.split in ('val', 'test') and num_positives < FEW_POSITIVES:
            problems.append(Problem(
                NOTE, 'few positive images', part.split,
                f'{num_positives} of {count_words(number, "image has", "images have")} '
                'findings', 'Intervals will be wide; five folds (mmwindow folds) use every image'))
    if has_splits:
        missing = {'train', 'val', 'test'} - {part.split for part in checkup.source.parts}
        for split in sorted(missing):
            problems.append(Problem(
                ERROR if split == 'train' else NOTE, 'missing split', split,
                f'there is no {split}.json', 'Divide the images (mmwindow splits)'))
    return problems


def _check_classes(parts: list[DataPart]) -> list[Problem]:
    problems = []
    for part in parts[1:]:
        if part.classes != parts[0].classes:
            problems.append(Problem(
                ERROR, 'other classes', part.split, f'{name_some(part.classes)} in place of '
                f'{name_some(parts[0].classes)} of {parts[0].split}',
                'All splits need the same categories in the same order'))
    if problems:
        return problems
    training = {label for image in parts[0].images for label in image.record.labels}
    for label, name in enumerate(parts[0].classes):
        others = [part.split for part in parts[1:]
                  if any(label in image.record.labels for image in part.images)]
        if training and label not in training:
            problems.append(Problem(
                WARNING if others else NOTE, 'class without findings', parts[0].split,
                f'there is no finding of {name_some([name])}' + (
                    f', but in {" and ".join(others)}' if others else ''),
                'It cannot be learned; add images, or take the class out'))
    return problems


def table_splits(checkup: Checkup) -> list[Table]:
    """Return the counts of each split, and how many findings images have."""
    parts = checkup.source.parts
    classes = parts[0].classes if parts else ()
    head = ['split', 'images', 'readable', 'positive', 'negative', 'patients', 'findings']
    rows = [[*head, *(classes if len(classes) > 1 else ())]]
    usable = dict(zip(map(id, checkup.images), checkup.usable, strict=True))
    for part in parts:
        images = part.images
        labels = Counter(label for image in images for label in image.record.labels)
        groups = {image.record.group for image in images} - {None}
        positives = sum(image.is_positive for image in images)
        rows.append([part.split or 'all', str(len(images)),
                     str(sum(bool(usable[id(image)]) for image in images)), str(positives),
                     str(len(images) - positives), str(len(groups)) if groups else 'not named',
                     str(labels.total()),
                     *(str(labels[number]) for number in range(len(classes)) if len(classes) > 1)])
    return [Table('splits', rows), _table_findings(checkup)]


def findings_histogram(checkup: Checkup) -> dict[str, int]:
    """Return how many images have 0, 1, 2 and more findings."""
    counts = Counter(min(len(image.record.points), MAX_BARS) for image in checkup.images)
    return {f'{number}' + (' or more' if number == MAX_BARS else ''): counts[number]
            for number in range(max(counts, default=0) + 1)}


def _table_findings(checkup: Checkup) -> Table:
    return Table('findings per image', [['findings', 'images'], *(
        [name, str(number)] for name, number in findings_histogram(checkup).items())])
