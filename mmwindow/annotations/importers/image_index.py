"""The image files that annotations are of: found by name, sizes and orientation by their headers."""
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from mmwindow.annotations.importers.orientation import to_stored
from mmwindow.annotations.importers.values import find_files, portable_name
from mmwindow.images.decode import ImageSettings, read_bytes, read_header
from mmwindow.images.formats.header import ImageHeader
from mmwindow.utils.messages import name_some, quote, shorten

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff', '.bmp', '.webp', '.pgm', '.dcm')


class ImageFrame(NamedTuple):
    """How the coordinates of a source become pixels of the file.

    Attributes:
        size: Stored height and width.
        tag: Orientation that the source's tool applied; 1 where it applied none.
        shown: Height and width of what the tool showed.
        in_pixels: Whether coordinates are pixels; else fractions of width and height.
    """

    size: tuple[int, int]
    tag: int
    shown: tuple[int, int]
    in_pixels: bool

    def turn(self, points: np.ndarray) -> np.ndarray:
        """Return points ``(..., 2)`` of the source in stored pixels."""
        scale = (1., 1.) if self.in_pixels else (self.shown[1], self.shown[0])
        return to_stored(points * np.array(scale), self.size, self.tag)


class FileInfo:
    """An image file: its place and, read from its header when asked for, its size and orientation."""

    def __init__(self, path: Path, place: str) -> None:
        self.path, self.place = path, place
        self._header: ImageHeader | None = None

    def header(self) -> ImageHeader:
        """Return stored height and width, and the orientation tag, with more.

        Raises:
            ValueError: The file is no image.
        """
        if self._header is None:
            name, limits = shorten(str(self.path)), ImageSettings()
            self._header = read_header(read_bytes(self.path, limits, name), limits, name)
        return self._header


class ImageIndex:
    """The image files of a folder, found by path, name or stem."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise ValueError(f'{shorten(str(folder))}: there is no such folder of images')
        self.files = [FileInfo(path, path.relative_to(self.folder).as_posix())
                      for path in find_files(self.folder, IMAGE_SUFFIXES)]
        if not self.files:
            raise ValueError(f'{shorten(str(folder))}: there is no image in it '
                             f'({", ".join(IMAGE_SUFFIXES)})')
        # By path, name, path without ending, and name without ending, in this order.
        self._by: list[dict[str, list[FileInfo]]] = [{}, {}, {}, {}]
        for file in self.files:
            place = PurePosixPath(file.place)
            for table, key in zip(self._by, (file.place, place.name, str(place.with_suffix('')),
                                             place.stem), strict=True):
                table.setdefault(key, []).append(file)

    def find(self, name: str, where: str) -> FileInfo:
        """Return the file that a source means.

        Raises:
            ValueError: None or several fit.
        """
        place = portable_name(name)
        # The longest matching path first: a/b/c.png, b/c.png, c.png.
        parts = place.split('/')
        tails = ['/'.join(parts[start:]) for start in range(len(parts))]
        for table in self._by:
            for tail in tails:
                found = table.get(tail, [])
                if len(found) > 1:
                    places = name_some([file.place for file in found])
                    raise ValueError(f'{where}: {quote(name)} may be {places}; name it with its '
                                     'folder')
                if found:
                    return found[0]
        raise ValueError(f'{where}: {quote(name)} is not among the {len(self.files)} images of '
                         f'{shorten(str(self.folder))}')
