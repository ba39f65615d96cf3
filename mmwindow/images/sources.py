"""Which images the inputs of a prediction are: paths, folders, arrays."""
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from mmwindow.images.dicom_tags import is_dicom_image

IMAGE_ENDINGS = ('.bmp', '.dcm', '.jpeg', '.jpg', '.pgm', '.png', '.tif', '.tiff', '.webp')
ImageSource = str | Path | np.ndarray


def list_images(inputs: ImageSource | Iterable[ImageSource]) -> Iterator[tuple[str, ImageSource]]:
    """Yield the name and the source of each image of some inputs; folders are read by name.

    Raises:
        ValueError: An input does not exist, or a folder holds no image.
    """
    if isinstance(inputs, str | Path | np.ndarray):
        inputs = [inputs]
    for index, source in enumerate(inputs):
        if isinstance(source, np.ndarray):
            yield f'array {index}', source
        elif Path(source).is_dir():
            paths = sorted(path for path in Path(source).iterdir()
                           if path.suffix.lower() in IMAGE_ENDINGS or is_dicom_image(path))
            if not paths:
                raise ValueError(f'{source}: no images in this folder; expected are files that end '
                                 f'in {", ".join(IMAGE_ENDINGS)}, or DICOM files of any name')
            yield from ((str(path), path) for path in paths)
        elif not Path(source).exists():
            raise ValueError(f'{source}: there is no such image or folder')
        else:
            yield str(source), source
