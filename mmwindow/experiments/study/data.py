"""The radiographs of the study: image sets in a folder, and how a cell's configs read them."""
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmwindow.experiments.study.design import ANNOTATORS, BASE, TRUTH, Cell, ImageSet, Sizes
from mmwindow.synthetic import write_dataset
from mmwindow.synthetic.writing import VERSION

VALIDATED = ('train', 'val')  # splits that are marked as the training images are


def set_name(name: str, seed: int) -> str:
    """Return the folder of an image set for the trainings of a seed."""
    return f'{name}-seed{seed}' if seed else name


def find_sets(wanted: Iterable[tuple[Cell, int]]) -> list[tuple[ImageSet, int]]:
    """Return the image sets that trainings read, each once, with the seed of its training images.

    Args:
        wanted: Cell, from :func:`~.design.make_cells`, and seed of each training.
    """
    found: dict[str, tuple[ImageSet, int]] = {}
    for cell, seed in wanted:
        for used in (seed, 0) if cell.images.has_own_test else (seed,):  # tested on seed 0's images
            found.setdefault(set_name(cell.images.name, used), (cell.images, used))
    return list(found.values())


def write_sets(sets: Iterable[tuple[ImageSet, int]], sizes: Sizes, folder: Path,
               workers: int | None = None) -> None:
    """Write the image sets that are not there yet.

    Args:
        sets: From :func:`find_sets`.
        sizes: Of the study.
        folder: Receives a folder for each.
        workers: Processes; None: two where the machine has them.

    Raises:
        ValueError: A folder holds another data set.
    """
    for images, seed in sets:
        # Of a set whose test images nobody reads one is written: a data set has three splits.
        num_val = sizes.num_val if images.has_own_test else 1
        num_test = sizes.num_test if images.has_own_test and not seed else 1
        write_dataset(folder / set_name(images.name, seed), sizes.seed + seed, images.num_train,
                      num_val, num_test, sizes.side, workers=workers, variation=images.variation,
                      annotators={name: ANNOTATORS[name] for name in images.annotators})


def read_from(cell: Cell, split: str, seed: int = 0) -> tuple[str, str]:
    """Return the image set and the annotation file, in its folder, of one split of a cell.

    Every test image is marked by :data:`~.design.TRUTH`: one point a finding, none of them jittered
    or missed, whatever the training images look like; and is the same for all seeds.
    """
    images = cell.images.name if split == 'train' or cell.images.has_own_test else BASE
    annotators = cell.annotators if split in VALIDATED else TRUTH
    return (set_name(images, seed if split in VALIDATED else 0),
            '/'.join(filter(None, ('annotations', annotators, f'{split}.json'))))


def data_options(cell: Cell, folder: str | Path, seed: int = 0) -> dict[str, Any]:
    """Return the overrides by which a config reads the images of a cell.

    Args:
        cell: Which.
        folder: From :func:`write_sets`.
        seed: Of the training.
    """
    options: dict[str, Any] = {}
    for split in ('train', 'val', 'test'):
        images, annotations = read_from(cell, split, seed)
        place = f'{split}_dataloader.dataset'
        options |= {f'{place}.data_root': f'{folder}/{images}/', f'{place}.ann_file': annotations}
    return options


def describe_data(cell: Cell, sizes: Sizes, seed: int = 0) -> dict[str, Any]:
    """Return what a training is trained and tested on, as plain data that names no folder."""
    images = cell.images
    return dict(
        generator=VERSION, seed=sizes.seed + seed, side=sizes.side, num_train=images.num_train,
        num_val=sizes.num_val, num_test=sizes.num_test, variation=images.variation.describe(),
        annotators=ANNOTATORS[cell.annotators].describe() if cell.annotators else {},
        truth=ANNOTATORS[TRUTH].describe(),
        test_images=images.name if images.has_own_test else BASE,
        **(dict(test_seed=sizes.seed) if seed else {}))
