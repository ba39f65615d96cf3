"""The radiographs of the study: image sets in a folder, and how a cell's configs read them."""
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmwindow.experiments.study.design import ANNOTATORS, BASE, TRUTH, Cell, ImageSet, Sizes
from mmwindow.synthetic import write_dataset
from mmwindow.synthetic.writing import VERSION

VALIDATED = ('train', 'val')  # splits that are marked as the training images are


def find_sets(cells: Iterable[Cell]) -> list[ImageSet]:
    """Return the image sets that cells read, each once, from :func:`~.design.make_cells`."""
    return list({cell.images.name: cell.images for cell in cells}.values())


def write_sets(sets: Iterable[ImageSet], sizes: Sizes, folder: Path, workers: int | None = None
               ) -> None:
    """Write the image sets that are not there yet.

    Args:
        sets: Which.
        sizes: Of the study.
        folder: Receives a folder for each.
        workers: Processes; None: two where the machine has them.

    Raises:
        ValueError: A folder holds another data set.
    """
    for images in sets:
        # Of a set whose test images nobody reads one is written: a data set has three splits.
        num_val, num_test = (sizes.num_val, sizes.num_test) if images.has_own_test else (1, 1)
        write_dataset(folder / images.name, sizes.seed, images.num_train, num_val, num_test,
                      sizes.side, workers=workers, variation=images.variation,
                      annotators={name: ANNOTATORS[name] for name in images.annotators})


def read_from(cell: Cell, split: str) -> tuple[str, str]:
    """Return the image set and the annotation file, in its folder, of one split of a cell.

    Every test image is marked by :data:`~.design.TRUTH`: one point a finding, none of them jittered
    or missed, whatever the training images look like.
    """
    images = cell.images.name if split == 'train' or cell.images.has_own_test else BASE
    annotators = cell.annotators if split in VALIDATED else TRUTH
    return images, '/'.join(filter(None, ('annotations', annotators, f'{split}.json')))


def data_options(cell: Cell, folder: str | Path) -> dict[str, Any]:
    """Return the overrides by which a config reads the images of a cell.

    Args:
        cell: Which.
        folder: From :func:`write_sets`.
    """
    options: dict[str, Any] = {}
    for split in ('train', 'val', 'test'):
        images, annotations = read_from(cell, split)
        place = f'{split}_dataloader.dataset'
        options |= {f'{place}.data_root': f'{folder}/{images}/', f'{place}.ann_file': annotations}
    return options


def describe_data(cell: Cell, sizes: Sizes) -> dict[str, Any]:
    """Return what a cell is trained and tested on, as plain data that names no folder."""
    images = cell.images
    return dict(
        generator=VERSION, seed=sizes.seed, side=sizes.side, num_train=images.num_train,
        num_val=sizes.num_val, num_test=sizes.num_test, variation=images.variation.describe(),
        annotators=ANNOTATORS[cell.annotators].describe() if cell.annotators else {},
        truth=ANNOTATORS[TRUTH].describe(),
        test_images=images.name if images.has_own_test else BASE)
