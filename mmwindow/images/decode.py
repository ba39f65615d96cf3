"""From an image file, its bytes or an array to pixels: the one decoder of all that reads images.

Checks of data sets, training, pictures and inference read images through :func:`read_image`. Pixels
are those of the file's own rows and columns: no orientation tag (EXIF, TIFF) is applied, since points
were placed there. Assumption (docs/method.md, section 1).
"""
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mmwindow.images import formats
from mmwindow.images.formats.header import ImageHeader, UnsupportedImageError
from mmwindow.utils.files import name_special_file
from mmwindow.utils.messages import quote

# An image of 16 bits that uses none of its upper two is taken for one of fewer bits.
SUSPECT_BELOW = 2 ** 14
MAX_PIXELS = 200_000_000  # ten times the largest radiograph in use, 16 bits of them are 400 MB
MAX_SIDE = 2 ** 20  # pixels, the most that OpenCV reads
# A file may be larger than its uncompressed pixels of 16 bits, colour and alpha by this, no more.
MAX_METADATA = 2 ** 28


@dataclass(frozen=True)
class ImageSettings:
    """What a file does not say about its pixels.

    Attributes:
        bit_depth: Bits of a grey level, 9 to 16, of images that are stored in 16 bits: white is
            ``2 ** bit_depth - 1``. None: 16, and an image that stays below 16384 is rejected, since
            it is probably of 10, 12 or 14 bits. Files that state 9 to 15 bits need none.
        max_pixels: Width times height of the largest image that is decoded, at most 2 ** 30: a
            small file can announce an image that fills the memory.
    """

    bit_depth: int | None = None
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        depth = self.bit_depth
        if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int)
                                  or not 9 <= depth <= 16):
            raise ValueError(f'bit_depth is {quote(depth)}; a whole number from 9 to 16 is expected, '
                             'the bits of a grey level of images stored in 16 bits')
        limit = self.max_pixels
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= 2 ** 30:
            raise ValueError(f'max_pixels is {quote(limit)}; a whole number from 1 to {2 ** 30} is '
                             'expected, width times height of the largest image')


# Of masks, whose values are labels and no grey levels: few of them use the upper bits.
LABELS = ImageSettings(bit_depth=16)


@dataclass(frozen=True)
class GrayImage:
    """The pixels of one image, as they are stored.

    Attributes:
        pixels: ``(H, W)``, or ``(H, W, 3)`` blue, green, red of an image in colour; uint8 or uint16.
        bit_depth: Bits of a grey level: 8, or what the file or :class:`ImageSettings` says.
        orientation: EXIF or TIFF orientation tag of the file, 1 to 8; it is not applied.
    """

    pixels: np.ndarray
    bit_depth: int = 8
    orientation: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in stored pixels."""
        return self.pixels.shape[:2]

    def to_8_bit(self) -> np.ndarray:
        """Return the pixels as uint8, black at 0 and white of the bit depth at 255."""
        return to_8_bit(self.pixels, self.bit_depth)

    def to_bgr(self) -> np.ndarray:
        """Return ``(H, W, 3)`` uint8, blue, green, red: what networks and pictures take."""
        pixels = self.to_8_bit()
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if pixels.ndim == 2 else pixels


def to_8_bit(pixels: np.ndarray, bit_depth: int) -> np.ndarray:
    """Return pixels of a bit depth as uint8 ones, same shape; 8-bit pixels stay as they are.

    >>> to_8_bit(np.array([0, 2048, 4095], dtype=np.uint16), bit_depth=12).tolist()
    [0, 128, 255]
    """
    if pixels.dtype == np.uint8:
        return pixels
    return np.round(pixels.astype(np.float32) * (255 / (2 ** bit_depth - 1))).astype(np.uint8)


def read_image(source: str | Path | bytes | np.ndarray, settings: ImageSettings | None = None,
               name: str | None = None) -> GrayImage:
    """Read one image; the same pixels whatever it comes from.

    Args:
        source: Path of a file, the content of one, or pixels ``(H, W)``, ``(H, W, 1)`` or
            ``(H, W, 3)`` (blue, green, red), uint8 or uint16.
        settings: What the file does not say; None for the defaults.
        name: Of the image in messages; the path where there is one.

    Raises:
        ValueError: The file is missing, no regular one, damaged, larger than the settings allow, or
            of a kind that cannot be read without a guess (docs/images.md); the pixels are neither
            8-bit nor 16-bit; or their bit depth is not known, or contradicts the settings.

    >>> read_image(np.array([[0, 255]], dtype=np.uint8)).to_bgr().tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    settings = settings or ImageSettings()
    if isinstance(source, np.ndarray):
        name = name or 'the array'
        pixels = _check_layout(source, name)
        depth = 8 if pixels.dtype == np.uint8 else _bit_depth(pixels, settings, name)
        return GrayImage(pixels, depth)
    if isinstance(source, bytes):
        name = name or 'the image'
    else:
        name = name or str(source)
        source = read_bytes(source, settings, name)
    return decode_image(source, read_header(source, settings, name), settings, name)


def read_bytes(path: str | Path, settings: ImageSettings, name: str) -> bytes:
    """Return the content of an image file.

    Args:
        path: The file.
        settings: With the limit of pixels, from which one of bytes follows.
        name: Of the image in messages.

    Raises:
        ValueError: It is missing, no regular file (a pipe would block), or too large to be an image
            of so many pixels.
    """
    path = Path(str(path).replace('\0', '?'))  # no name holds one, and Python's error names none
    try:
        status = path.stat()
        kind = name_special_file(status.st_mode)
        if kind:
            raise ValueError(f'{name}: the image cannot be read (it is {kind}); check data_root and '
                             'data_prefix.img in the config')
        if status.st_size > 8 * settings.max_pixels + MAX_METADATA:
            raise ValueError(f'{name}: {status.st_size} bytes are more than an image of '
                             f'{settings.max_pixels} pixels takes; raise max_pixels, such as '
                             f'--cfg-options max_pixels={status.st_size // 8}, if it is one')
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f'{name}: the image cannot be read ({error.strerror or error}); check '
                         'data_root and data_prefix.img in the config') from error
    except UnicodeError as error:
        raise ValueError(f'{name}: no name of a file ({error}); rename it') from error


def read_header(content: bytes, settings: ImageSettings, name: str) -> ImageHeader:
    """Return what the header of an image file says, with its size within the limits.

    Args:
        content: The file.
        settings: With the limit of pixels.
        name: Of the image in messages.

    Raises:
        ValueError: It is no image, damaged, of a kind that is not read, empty or too large.
    """
    try:
        header = formats.read_header(content)
        if header.width < 1 or header.height < 1:
            raise UnsupportedImageError(f'is empty: {header.width} x {header.height} pixels')
        if header.num_pixels > settings.max_pixels:
            raise UnsupportedImageError(
                f'{header.width} x {header.height} are {header.num_pixels} pixels, more than the '
                f'limit of {settings.max_pixels}; raise max_pixels, such as --cfg-options '
                f'max_pixels={header.num_pixels}, if its size is right')
        if max(header.width, header.height) > MAX_SIDE:
            raise UnsupportedImageError(f'{header.width} x {header.height} pixels: a side is longer '
                                        f'than {MAX_SIDE}; cut it into parts')
    except ValueError as error:
        raise ValueError(f'{name}: {error}') from error
    return header


def decode_image(content: bytes, header: ImageHeader, settings: ImageSettings, name: str
                 ) -> GrayImage:
    """Return an image whose header was read; where white is zero, it is inverted.

    Args:
        content: The file.
        header: What :func:`read_header` returned.
        settings: What the file does not say.
        name: Of the image in messages.

    Raises:
        ValueError: Its data are damaged, or its bit depth is not known or contradicts the settings.
    """
    try:
        pixels = formats.decode(content, header)
    except ValueError as error:
        raise ValueError(f'{name}: {error}') from error
    depth = header.bits if header.bits < 16 else _bit_depth(pixels, settings, name)
    if header.is_white_zero:
        pixels = (2 ** depth - 1) - pixels
    return GrayImage(pixels, depth, header.orientation)


def _check_layout(pixels: np.ndarray, name: str) -> np.ndarray:
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f'{name}: pixels are {pixels.dtype}; 8- or 16-bit whole numbers are '
                         'expected, for example a PNG')
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if not pixels.size or (pixels.ndim, *pixels.shape[2:]) not in ((2,), (3, 3)):
        raise ValueError(f'{name}: pixels have the shape {pixels.shape}; (H, W) or (H, W, 3) is '
                         'expected, blue, green, red')
    return pixels


def _bit_depth(pixels: np.ndarray, settings: ImageSettings, name: str) -> int:
    """Return the bit depth, a rule for all images of a set: never guessed from one image's pixels.

    A file that states fewer than 16 bits is not asked here. Tags of others do not say it: PNG's sBIT
    names the bits of the source, whose values the standard scales to 16 bits, and TIFF's
    MaxSampleValue is a statistic of the one image.
    """
    maximum = int(pixels.max())
    if settings.bit_depth is None and maximum < SUSPECT_BELOW:
        raise ValueError(f'{name}: 16-bit pixels reach {maximum} only, so that they are probably of '
                         '10, 12 or 14 bits; state the bit_depth of all images, such as '
                         '--cfg-options bit_depth=12 (16 if they really are that dark)')
    depth = settings.bit_depth or 16
    if maximum >= 2 ** depth:
        raise ValueError(f'{name}: pixels reach {maximum}, more than bit_depth {depth} holds '
                         f'({2 ** depth - 1}); state the bit_depth of all images')
    return depth
