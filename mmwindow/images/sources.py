"""Which images the inputs of a prediction are: paths, folders, patterns of names, arrays."""
import glob
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmwindow.images.dicom_tags import is_dicom_image, read_sop_class
from mmwindow.utils.files import is_mac_companion
from mmwindow.utils.messages import shorten

IMAGE_ENDINGS = ('.bmp', '.dcm', '.jpeg', '.jpg', '.pgm', '.png', '.tif', '.tiff', '.webp')
ImageSource = str | Path | np.ndarray


class InputImage(NamedTuple):
    """One image of the inputs.

    Attributes:
        name: Its path; 'array 0' and so on for arrays.
        source: As :func:`~mmwindow.images.decode.read_image` takes it.
        file_name: Path below the folder that was given, else the last part of its path; by it a
            point file names the image.
    """

    name: str
    source: ImageSource
    file_name: str


def find_images(inputs: ImageSource | Iterable[ImageSource], recursive: bool = False,
                without: Path | None = None,
                is_result: Callable[[Path], bool] | None = None) -> Iterator[InputImage]:
    """Yield the images of some inputs; folders are read by name.

    Args:
        inputs: Image files, folders, patterns such as ``'images/*.png'`` (``**`` is any folder
            below), arrays, or one of these.
        recursive: Read folders within folders, too.
        without: A folder whose files are no inputs, such as that of the results.
        is_result: Tells whether the images of a folder are results, which are no inputs where a
            folder above it is given, or a pattern that does not name it; None where none are.

    Raises:
        ValueError: An input does not exist or lies in ``without``, a pattern fits nothing, or a
            folder holds no image.
    """
    is_result = cache(is_result or (lambda _: False))
    if isinstance(inputs, str | Path | np.ndarray):
        inputs = [inputs]
    for index, source in enumerate(inputs):
        if isinstance(source, np.ndarray):
            yield InputImage(f'array {index}', source, f'array_{index}')
            continue
        paths = [Path(source)]
        if not os.path.lexists(source) and glob.has_magic(str(source)):
            named = Path(*takewhile(lambda part: not glob.has_magic(part), Path(source).parts))
            paths = [path for path in map(Path, sorted(glob.glob(str(source), recursive=True)))
                     if not _is_below_results(path, named, is_result)]
            if not paths:
                raise ValueError(f'{shorten(str(source))}: no file fits this pattern')
        for path in paths:
            if path.is_dir():
                yield from _images_of(path, recursive, without, is_result)
            elif not path.exists():
                raise ValueError(f'{shorten(str(path))}: there is no such image or folder')
            else:
                yield InputImage(str(path), path, path.name)


def _is_below_results(path: Path, folder: Path, is_result: Callable[[Path], bool]) -> bool:
    """Tell whether a path is in a folder of results somewhere below another folder."""
    below = path.relative_to(folder).parts[:-1]
    return any(is_result(folder.joinpath(*below[:number])) for number in range(1, len(below) + 1))


def _images_of(folder: Path, recursive: bool, without: Path | None,
               is_result: Callable[[Path], bool]) -> Iterator[InputImage]:
    """Yield the images of a folder.

    Raises:
        ValueError: There are none, or all are where results are written.
    """
    num, left_out = 0, None if without is None else without.resolve()
    if left_out is not None and left_out in (folder.resolve(), *folder.resolve().parents):
        raise ValueError(f'{shorten(str(folder))}: this input is the folder of the results (--out) '
                         'or lies in it, whose files are no inputs; choose another --out')
    for path in sorted(folder.rglob('*') if recursive else folder.iterdir()):
        if left_out is not None and left_out in path.resolve().parents:
            continue
        if _is_below_results(path, folder, is_result):
            continue
        if path.is_file() and is_image_name(path):
            num += 1
            yield InputImage(str(path), path, path.relative_to(folder).as_posix())
    if not num:
        below = '' if recursive else ' (folders within it are read with --recursive)'
        raise ValueError(f'{shorten(str(folder))}: no images in this folder{below}; expected are '
                         f'files that end in {", ".join(IMAGE_ENDINGS)}, or DICOM files of any name')


def is_image_name(path: Path) -> bool:
    """Tell whether a file of a folder is to be read: by its ending, or as DICOM; reports are not.

    Nor is what a Mac writes next to an image.
    """
    if is_mac_companion(path.name):
        return False
    if path.suffix.lower() not in IMAGE_ENDINGS:
        return is_dicom_image(path)
    return path.suffix.lower() != '.dcm' or read_sop_class(path) is None or is_dicom_image(path)


def list_images(inputs: ImageSource | Iterable[ImageSource]) -> Iterator[tuple[str, ImageSource]]:
    """Yield the name and the source of each image of some inputs; see :func:`find_images`."""
    for image in find_images(inputs):
        yield image.name, image.source
