"""Copies of images next to a point file: all of them take their places, or none does."""
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mmwindow.annotations.importers.anonymous import write_plain_image
from mmwindow.utils.files import PART


def copies_folder(out: Path) -> Path:
    """Return where an import into ``out`` copies its images."""
    return out / 'images'


@contextlib.contextmanager
def copied_images(table: dict[str, str], source: Path, target: Path, is_plain: bool
                  ) -> Iterator[None]:
    """Copy images into a temporary folder, yield, and put them in their places on success.

    A damaged image, a full disk or Ctrl-C leaves the images of an earlier import as they were: its
    point file is of them, and the same name may be of another image now.

    Args:
        table: Old name -> new name.
        source: Folder of the images.
        target: Folder of the copies.
        is_plain: Copies are PNG of the pixels alone, and images of an earlier import that are not
            among them are removed: they would be given away with them.

    Raises:
        ValueError: An image cannot be read.
    """
    home = target.resolve()
    with tempfile.TemporaryDirectory(prefix='.images.', suffix=PART, dir=home.parent) as folder:
        copies = {}
        for old, new in table.items():
            place, copy = home / new, Path(folder) / new
            if is_plain:
                write_plain_image(source / old, copy)
            elif place.resolve() != (source / old).resolve():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / old, copy)
            else:  # it lies there already
                continue
            copies[copy] = place
        yield
        if is_plain and home.is_dir():
            for place in set(home.iterdir()) - set(copies.values()):
                place.unlink()
        for copy, place in copies.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(copy, place)
