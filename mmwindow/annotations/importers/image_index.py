"""The image files that annotations are of: found by name, sizes and orientation by their headers."""
import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from mmwindow.annotations.importers.orientation import to_stored
from mmwindow.annotations.importers.values import (
    composed_name,
    find_files,
    is_other_kind,
    portable_name,
    upload_name,
)
from mmwindow.images.decode import ImageSettings, read_bytes, read_header
from mmwindow.images.dicom_tags import NO_IMAGES, DicomTags, read_dicom_tags, read_sop_class
from mmwindow.images.formats.header import ImageHeader
from mmwindow.utils.messages import count_words, name_some, quote, shorten

DICOM_SUFFIX = '.dcm'  # or any other, or none: their beginning tells
UPLOAD = re.compile(r'^[0-9a-f]{8}-')  # what Label Studio puts before the name of an uploaded file
PICTURE_SUFFIXES = ('.png', '.jpg', '.jpeg')  # what is made of DICOM to be shown
IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff', '.bmp', '.webp', '.pgm', DICOM_SUFFIX)


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
        self._tags: DicomTags | None = None

    def header(self) -> ImageHeader:
        """Return stored height and width, and the orientation tag, with more.

        Raises:
            ValueError: The file is no image.
        """
        if self._header is None:
            name, limits = shorten(str(self.path)), ImageSettings()
            self._header = read_header(read_bytes(self.path, limits, name), limits, name)
        return self._header

    def tags(self) -> DicomTags:
        """Return what a DICOM file says besides its pixels.

        Raises:
            ValueError: The file is no DICOM.
        """
        if self._tags is None:
            self._tags = read_dicom_tags(self.path)
        return self._tags


class ImageIndex:
    """The image files of a folder, found by path, name or stem.

    Args:
        folder: Where.
        without: A folder within it that is not read: that of the results.

    Raises:
        ValueError: There is no such folder, or no image in it.
    """

    def __init__(self, folder: str | Path, without: Path | None = None) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise ValueError(f'{shorten(str(folder))}: there is no such folder of images')
        self.files: list[FileInfo] = []
        self._dicom: list[FileInfo] = []
        self._reports: set[str] = set()  # and other DICOM objects without an image
        root, left_out = self.folder.resolve(), None if without is None else without.resolve()
        is_within = left_out is not None and root in left_out.parents
        self._not_read = f' ({shorten(str(without))} is --out, and not read)' if is_within else ''
        for path in find_files(self.folder):
            name = path.relative_to(self.folder)
            if not is_within or left_out not in (root / name).parents:
                self._add(FileInfo(path, name.as_posix()))
        if not self.files:
            links = sum(path.is_symlink() for path in self.folder.rglob('*'))
            if links:
                raise ValueError(f'{shorten(str(folder))}: there are {links} links and no image in '
                                 'it; links that lead out of it are not followed: give --images the '
                                 'folder of the files themselves, or copy them')
            raise ValueError(f'{shorten(str(folder))}: there is no image in it{self._not_read} '
                             f'({", ".join(IMAGE_SUFFIXES)}, or DICOM of any name); --images names '
                             'the folder')
        self._by_uid: dict[str, list[FileInfo]] | None = None
        # By path, name, path without ending, and name without ending, in this order.
        self._by: list[dict[str, list[FileInfo]]] = [{}, {}, {}, {}]
        for file in self.files:
            place = PurePosixPath(composed_name(file.place))
            for table, key in zip(self._by, (str(place), place.name, str(place.with_suffix('')),
                                             place.stem), strict=True):
                table.setdefault(key, []).append(file)
        self._by_upload: dict[str, list[FileInfo]] = {}
        for file in self.files:
            self._by_upload.setdefault(upload_name(PurePosixPath(file.place).name), []).append(file)

    def _add(self, file: FileInfo) -> None:
        """Add a file if it may be an image."""
        is_named_dicom = file.path.suffix.lower() == DICOM_SUFFIX
        if is_named_dicom or not is_other_kind(file.path):
            sop_class = read_sop_class(file.path)
            if sop_class is not None and sop_class.startswith(NO_IMAGES):
                self._reports.add(PurePosixPath(composed_name(file.place)).name)
            elif sop_class is not None:
                self._dicom.append(file)
                self.files.append(file)
            elif is_named_dicom:  # its reader says what is wrong with it
                self.files.append(file)
        elif file.path.suffix.lower() in IMAGE_SUFFIXES:
            self.files.append(file)

    @property
    def num_dicom(self) -> int:
        """DICOM images."""
        return len(self._dicom)

    @property
    def dicom_places(self) -> set[str]:
        """Paths in the folder of its DICOM images."""
        return {file.place for file in self._dicom}

    def find_uid(self, uid: str, where: str) -> FileInfo | None:
        """Return the DICOM file of an image by its SOPInstanceUID, None where there is none.

        Raises:
            ValueError: Several files are this image, or one is damaged.
        """
        if self._by_uid is None:
            self._by_uid = {}
            for file in self._dicom:
                self._by_uid.setdefault(file.tags().sop_instance_uid, []).append(file)
        found = self._by_uid.get(uid, [])
        if len(found) > 1:
            raise ValueError(f'{where}: its image is in {count_words(len(found), "file")}, '
                             f'{name_some([file.place for file in found])}; leave one in --images')
        return found[0] if found else None

    def find_upload(self, name: str, where: str, may_be_picture: bool = False) -> FileInfo:
        """Return the file whose name became this one when it was uploaded, or the uploaded one.

        Args:
            name: That the source says.
            where: In the source.
            may_be_picture: As of :meth:`find`.

        Raises:
            ValueError: None or several fit.
        """
        for uploaded in (name, UPLOAD.sub('', name)):
            found = self._by_upload.get(upload_name(uploaded), [])
            if len(found) == 1:
                return found[0]
        return self.find(uploaded, where, may_be_picture)  # it says what is wrong

    def find_known(self, name: str, where: str) -> FileInfo | None:
        """Return the file that a path or name means, None where none does.

        Raises:
            ValueError: Several fit.
        """
        # The longest matching path first: a/b/c.png, b/c.png, c.png.
        parts = portable_name(name).split('/')
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
        return None

    def find(self, name: str, where: str, may_be_picture: bool = False) -> FileInfo:
        """Return the file that a source means.

        Args:
            name: Path or name; folders of another machine do not matter.
            where: In the source.
            may_be_picture: ``IM1.png`` may be what was made of ``IM1.dcm`` for a tool that shows no
                DICOM, since the source says the size, which is compared, or has no coordinates.

        Raises:
            ValueError: None or several fit.
        """
        known = self.find_known(name, where)
        if known is not None:
            return known
        last = portable_name(name).split('/')[-1]
        stem = PurePosixPath(last)
        if may_be_picture and stem.suffix.lower() in PICTURE_SUFFIXES:
            found = [file for file in self._by[3].get(stem.stem, []) if file in self._dicom]
            if len(found) > 1:
                raise ValueError(f'{where}: {quote(name)} may be a picture of '
                                 f'{name_some([file.place for file in found])}; give --images one of '
                                 'them')
            if found:
                return found[0]
        if last in self._reports:
            raise ValueError(f'{where}: {quote(name)} is a DICOM report or presentation state, no '
                             'image')
        raise ValueError(f'{where}: {quote(name)} is not among the '
                         f'{count_words(len(self.files), "image")} of '
                         f'{shorten(str(self.folder))}{self._not_read}')
