"""From an image file, its bytes or an array to pixels: the one decoder of all that reads images.

Checks of data sets, training, pictures and inference read images through :func:`read_image`. Pixels
are those of the file's own rows and columns: no orientation tag (EXIF, TIFF) is applied, since points
were placed there. Assumption (docs/method.md, section 1).
"""
import contextlib
import io
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

ORIENTATION_TAG = 0x0112  # of EXIF and TIFF; 1 means: as stored
# An image of 16 bits that uses none of its upper two is taken for one of fewer bits.
SUSPECT_BELOW = 2 ** 14
READ_AS_STORED = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION


@dataclass(frozen=True)
class ImageSettings:
    """What a file does not say about its pixels.

    Attributes:
        bit_depth: Bits of a grey level, 9 to 16, of images that are stored in 16 bits: white is
            ``2 ** bit_depth - 1``. None: 16, and an image that stays below 16384 is rejected, since
            it is probably of 10, 12 or 14 bits.
    """

    bit_depth: int | None = None

    def __post_init__(self) -> None:
        depth = self.bit_depth
        if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int)
                                  or not 9 <= depth <= 16):
            raise ValueError(f'bit_depth is {depth!r}; a whole number from 9 to 16 is expected, the '
                             'bits of a grey level of images stored in 16 bits')


@dataclass(frozen=True)
class GrayImage:
    """The pixels of one image, as they are stored.

    Attributes:
        pixels: ``(H, W)``, or ``(H, W, 3)`` blue, green, red of an image in colour; uint8 or uint16.
        bit_depth: Bits of a grey level: 8, or what :class:`ImageSettings` says.
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
        ValueError: The file cannot be read, is incomplete or no image; the pixels are neither 8-bit
            nor 16-bit; or their bit depth is not known, or contradicts the settings.

    >>> read_image(np.array([[0, 255]], dtype=np.uint8)).to_bgr().tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    settings = settings or ImageSettings()
    if isinstance(source, np.ndarray):
        name = name or 'the array'
        return GrayImage(_check_layout(source, name), _bit_depth(source, settings, name))
    if not isinstance(source, bytes):
        name = name or str(source)
        try:
            source = Path(source).read_bytes()
        except OSError as error:
            raise ValueError(f'{name}: the image cannot be read ({error.strerror or error}); check '
                             'data_root and data_prefix.img in the config') from error
    name = name or 'the image'
    pixels = _check_layout(_decode(source, name), name)
    return GrayImage(pixels, _bit_depth(pixels, settings, name), read_orientation(source))


def read_orientation(source: Path | bytes) -> int:
    """Return the orientation tag of an image file, 1 where there is none or it cannot be read."""
    with warnings.catch_warnings(), contextlib.suppress(Exception):  # a tag decides about no image
        warnings.simplefilter('ignore')
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            return orientation_of(image)
    return 1


def orientation_of(image: Image.Image) -> int:
    """Return the orientation tag of an opened image, 1 where there is none; nothing is decoded."""
    if image.format == 'PNG' and 'exif' not in image.info:
        return 1  # Pillow would decode the image to look for a tag after its pixels
    tag = image.getexif().get(ORIENTATION_TAG, 1)
    return tag if isinstance(tag, int) and 1 <= tag <= 8 else 1


def _decode(content: bytes, name: str) -> np.ndarray:
    pixels = None
    if content:
        with contextlib.suppress(cv2.error):  # of sizes beyond its limits; other faults give None
            pixels = cv2.imdecode(np.frombuffer(_without_tiff_orientation(content), dtype=np.uint8),
                                  READ_AS_STORED)
    if pixels is None:
        raise ValueError(
            f'{name}: {len(content)} bytes, but no complete image in them (cut short, damaged, or of '
            'a format that OpenCV cannot read); copy the file again, or take the image and its '
            'annotations out of the point file')
    return pixels


def _without_tiff_orientation(content: bytes) -> bytes:
    """Return a file with the orientation tag of a TIFF set to 1.

    OpenCV applies this tag whatever its flags say.
    """
    order = {b'II*\0': '<', b'MM\0*': '>'}.get(content[:4])
    if order is None:
        return content
    with contextlib.suppress(struct.error):  # cut short: the decoder will say so
        start, = struct.unpack_from(f'{order}I', content, 4)
        num_entries, = struct.unpack_from(f'{order}H', content, start)
        for place in range(start + 2, start + 2 + 12 * num_entries, 12):
            if struct.unpack_from(f'{order}HH', content, place) == (ORIENTATION_TAG, 3):  # 3: uint16
                changed = bytearray(content)
                struct.pack_into(f'{order}H', changed, place + 8, 1)
                return bytes(changed)
    return content


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

    Tags of files do not say it: PNG's sBIT names the bits of the source, whose values the standard
    scales to 16 bits, and TIFF's MaxSampleValue is a statistic of the one image.
    """
    if pixels.dtype == np.uint8:
        return 8
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
