"""Pictures of radiographs for tools that show no DICOM and no 16 bits: same pixels, same names."""
import os
from collections import Counter
from pathlib import Path, PurePosixPath

import cv2

from mmwindow.annotations.importers.image_index import ImageIndex
from mmwindow.apis.prediction_folders import ResultFolder
from mmwindow.images.decode import ImageSettings, read_image
from mmwindow.images.option_words import name_options
from mmwindow.utils.files import atomic_file
from mmwindow.utils.messages import name_some, shorten
from mmwindow.utils.progress import track


def write_pictures(images: str | Path, out: str | Path, settings: ImageSettings | None = None
                   ) -> int:
    """Write a PNG of 8 bits of each image, as trainings read it; return how many.

    What was annotated on ``IM1.png`` is found on ``IM1.dcm`` by an import, since both have the same
    pixels and the same name. File names are kept, and may hold names of patients.

    Args:
        images: Folder; folders within it become one.
        out: Folder; must be empty, or not be there. After an error it is as it was.
        settings: What the images do not say; the defaults if None.

    Raises:
        ValueError: An image cannot be read, two pictures would have one name, or ``out`` has files.
    """
    index, out = ImageIndex(images), Path(os.path.abspath(out))  # '.' has no name
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f'{shorten(str(out))}: --out has files already; an empty or a new folder is '
                         'expected')
    names = [f'{PurePosixPath(file.place).stem}.png' for file in index.files]
    repeated = [name for name, number in Counter(names).items() if number > 1]
    if repeated:
        raise ValueError(f'{shorten(str(images))}: several images would be {name_some(repeated)}; '
                         'give one of their folders, or rename them')
    with ResultFolder(out) as folder:
        for file, name in track(list(zip(index.files, names, strict=True)), len(names), 'pictures'):
            try:
                pixels = read_image(file.path, settings).to_8_bit()
            except ValueError as error:
                raise ValueError(name_options(str(error))) from error
            with atomic_file(folder.part / name) as part:
                part.write_bytes(cv2.imencode('.png', pixels)[1].tobytes())
    return len(names)
