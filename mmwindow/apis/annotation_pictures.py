"""Pictures of radiographs for tools that show no DICOM and no 16 bits: same pixels, same names."""
from collections import Counter
from pathlib import Path, PurePosixPath

import cv2

from mmwindow.annotations.importers.image_index import ImageIndex
from mmwindow.images.decode import read_image
from mmwindow.utils.files import atomic_file
from mmwindow.utils.messages import name_some, shorten
from mmwindow.utils.progress import track


def write_pictures(images: str | Path, out: str | Path) -> int:
    """Write a PNG of 8 bits of each image, as trainings read it; return how many.

    What was annotated on ``IM1.png`` is found on ``IM1.dcm`` by an import, since both have the same
    pixels and the same name. File names are kept, and may hold names of patients.

    Args:
        images: Folder; folders within it become one.
        out: Folder; must be empty, or not be there.

    Raises:
        ValueError: An image cannot be read, two pictures would have one name, or ``out`` has files.
    """
    index, out = ImageIndex(images), Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f'{shorten(str(out))}: --out has files already; an empty or a new folder is '
                         'expected')
    names = [f'{PurePosixPath(file.place).stem}.png' for file in index.files]
    repeated = [name for name, number in Counter(names).items() if number > 1]
    if repeated:
        raise ValueError(f'{shorten(str(images))}: several images would be {name_some(repeated)}; '
                         'give one of their folders, or rename them')
    out.mkdir(parents=True, exist_ok=True)
    for file, name in track(list(zip(index.files, names, strict=True)), len(names), 'pictures'):
        pixels = read_image(file.path).to_8_bit()
        encoded = cv2.imencode('.png', pixels)[1].tobytes()
        with atomic_file(out / name) as part:
            part.write_bytes(encoded)
    return len(names)
