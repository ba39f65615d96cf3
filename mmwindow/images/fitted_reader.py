"""Reading images at a network's input, from the cache where it has them."""
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mmwindow.images.cache import FileStamp, ImageCache, default_folder, digest, file_stamp
from mmwindow.images.cache_entry import EntryHead
from mmwindow.images.decode import GrayImage, ImageSettings, decode_image, read_bytes, read_header
from mmwindow.images.fitting import FittedImage, fit_image
from mmwindow.images.formats.header import ImageHeader
from mmwindow.utils.messages import quote

CACHED_FORMAT = 'DICOM'  # kept without being asked for: most of it takes seconds to decode


class CachedPlace(NamedTuple):
    """Where the cache has a file, or would have it.

    Attributes:
        stamp: Of the file; None where it lies on no local disk.
        key: By which an entry is found; None where the file must be read to know it.
    """

    stamp: FileStamp | None
    key: bytes | None


def check_cache_setting(setting: object) -> None:
    """Check a setting of the cache.

    Raises:
        ValueError: It is none that :func:`make_cache` knows.
    """
    if not (setting is None or isinstance(setting, bool) or isinstance(setting, str) and setting):
        raise ValueError(f'cache is {quote(setting)}; None (DICOM alone), True (every format), False '
                         '(nothing) or the path of a folder is expected')


def make_cache(setting: bool | str | None) -> ImageCache | None:
    """Return the cache that a setting asks for.

    Args:
        setting: None keeps DICOM alone, True every format, False nothing; the path of a folder
            stands for True and where the cache lies.

    Raises:
        ValueError: It is another value.
    """
    check_cache_setting(setting)
    if setting is False:
        return None
    if setting is None:
        try:
            default_folder()
        except ValueError:  # no home, as in some containers: nobody has asked for a cache
            return None
    return ImageCache(setting if isinstance(setting, str) else None)


@dataclass(frozen=True)
class FittedReader:
    """How the images of a data set are read at a network's input.

    Attributes:
        input_size: ``(height, width)``.
        settings: What the files do not say.
        cache: Where decoded images are; None reads every file.
        keeps_all: Whether the cache keeps every format; else DICOM alone.
    """

    input_size: tuple[int, int]
    settings: ImageSettings = ImageSettings()
    cache: ImageCache | None = None
    keeps_all: bool = False

    def read(self, path: str | Path, name: str | None = None) -> FittedImage:
        """Read an image file.

        Args:
            path: The file.
            name: Of the image in messages; the path if None.

        Raises:
            ValueError: As :func:`~mmwindow.images.decode.read_image`.
        """
        name = name or str(path)
        place = self.locate(path)
        image = self._find(place.key)
        return image or self.read_content(read_bytes(path, self.settings, name), name, path, place)

    def read_content(self, content: bytes, name: str, path: str | Path | None = None,
                     place: CachedPlace | None = None) -> FittedImage:
        """Read an image whose file was read.

        Args:
            content: The file.
            name: Of the image in messages.
            path: Where it lies on a local disk; None elsewhere.
            place: What :meth:`locate` returned before it was read.

        Raises:
            ValueError: As :func:`~mmwindow.images.decode.read_image`.
        """
        header = read_header(content, self.settings, name)
        if not self._keeps(header):
            return fit_image(decode_image(content, header, self.settings, name), self.input_size)
        image = self._find(self._key(digest(content)))
        if image:  # the file was moved or touched
            self._remember(digest(content), path, place)
            return image
        return self.keep(content, header, decode_image(content, header, self.settings, name), path,
                         place)

    def keep(self, content: bytes, header: ImageHeader, image: GrayImage,
             path: str | Path | None = None, place: CachedPlace | None = None) -> FittedImage:
        """Return what the input takes of a decoded image, and keep it where it is to be kept.

        Args:
            content: The file.
            header: Of it.
            image: What was decoded.
            path: Where it lies on a local disk; None elsewhere.
            place: What :meth:`locate` returned before it was read.
        """
        fitted = fit_image(image, self.input_size)
        if self.cache and self._keeps(header):
            content_digest = digest(content)
            self.cache.keep(self.cache.key(content_digest, self.settings, self.input_size), fitted)
            self._remember(content_digest, path, place)
        return fitted

    def locate(self, path: str | Path) -> CachedPlace:
        """Return where the cache has a file, as far as it is known without reading the file."""
        if self.cache is None:
            return CachedPlace(None, None)
        try:
            stamp = file_stamp(path)
        except (OSError, ValueError):  # the reader will say it
            return CachedPlace(None, None)
        return CachedPlace(stamp, self._key(self.cache.find_digest(stamp)))

    def find_head(self, place: CachedPlace) -> EntryHead | None:
        """Return what the cache says of a file without reading its pixels; None where it has none."""
        head = self.cache.find_head(place.key) if self.cache and place.key else None
        return head if head and self._allows(head.source_shape) else None

    def _key(self, content_digest: bytes | None) -> bytes | None:
        if self.cache is None or content_digest is None:
            return None
        return self.cache.key(content_digest, self.settings, self.input_size)

    def _find(self, key: bytes | None) -> FittedImage | None:
        image = self.cache.find(key) if self.cache and key else None
        return image if image and self._allows(image.source_shape) else None

    def _allows(self, shape: tuple[int, int]) -> bool:
        """Return whether an image is within the limit, which an entry of other days may not be."""
        return shape[0] * shape[1] <= self.settings.max_pixels

    def _keeps(self, header: ImageHeader) -> bool:
        return self.cache is not None and (self.keeps_all or header.kind == CACHED_FORMAT)

    def _remember(self, content_digest: bytes, path: str | Path | None, place: CachedPlace | None
                  ) -> None:
        """Note which content a file has, unless it was changed while it was read."""
        if self.cache is None or path is None or place is None or place.stamp is None:
            return
        try:
            stamp = file_stamp(path)
        except OSError:
            return
        if stamp.name == place.stamp.name:
            self.cache.remember(place.stamp, content_digest)
