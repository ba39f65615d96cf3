"""One image file, read once: whether it can be used, and what the checks compare.

Grey pixels of 8 bits are what is measured: one file in colour and one in grey with the same picture
have the same pixels.
"""
import struct
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from mmwindow.apis.doctor.picture_hash import perceptual_hashes
from mmwindow.images.decode import GrayImage, ImageSettings, decode_image, read_bytes, read_header
from mmwindow.images.option_words import name_options

THUMBNAIL_SIDE = 128
SAMPLED_ROWS = 128  # that give the grey levels of an image
REDUCED_SIDE = 2 * THUMBNAIL_SIDE
QUANTILES = (.01, .05, .25, .5, .75, .95, .99)  # of the grey levels
FLAT = 12  # grey levels: a row whose pixels differ by no more belongs to a border, JPEG's noise too
LEVEL_NAMES = ('mean', 'standard deviation', *(f'quantile {share}' for share in QUANTILES),
               'share of black', 'share of white')
BORDER_NAMES = ('top', 'bottom', 'left', 'right', 'level of the outermost pixels')


@dataclass(frozen=True)
class ImageFacts:
    """What was seen in one image file.

    Attributes:
        problem: Why the file cannot be used, with its fix; '' where it can. Nothing below but the
            number of bytes and the header holds then.
        kind: Format of the file.
        height, width: Stored pixels; 0 without a header.
        channels: 1, or 3 in colour.
        bits: Of a grey level.
        orientation: Tag, 1 to 8; not applied.
        num_bytes: Of the file.
        file_checksum: CRC-32 of its bytes.
        pixel_digest: Of its grey pixels and their shape.
        hash: 64-bit perceptual hash.
        thumbnail: ``(128, 128)`` uint8, the picture squeezed into a square.
        levels: ``(11,)``, see :data:`LEVEL_NAMES`; grey levels 0 to 255.
        border: ``(5,)``, see :data:`BORDER_NAMES`; widths as shares of the side.
        decode_seconds: Processor time of reading and decoding alone.
        seconds: Processor time of all.
    """

    problem: str = ''
    kind: str = ''
    height: int = 0
    width: int = 0
    channels: int = 1
    bits: int = 8
    orientation: int = 1
    num_bytes: int = 0
    file_checksum: int = 0
    pixel_digest: bytes = b''
    hash: int = 0
    thumbnail: np.ndarray | None = None
    levels: np.ndarray | None = None
    border: np.ndarray | None = None
    decode_seconds: float = 0.
    seconds: float = 0.


@dataclass(frozen=True)
class _Picture:
    """What is kept of a decoded image until its chunk is measured.

    Attributes:
        facts: Without what is measured of several images at once.
        even_lines: ``(2, 256)`` bool, from :func:`find_even_lines`.
        thumbnail: ``(128, 128)`` uint8.
        counts: ``(256,)`` of grey levels.
        edges: Mean level of the outermost pixels.
        seconds: Processor time up to here.
    """

    facts: ImageFacts
    even_lines: np.ndarray
    thumbnail: np.ndarray
    counts: np.ndarray
    edges: float
    seconds: float


def measure_image(path: str | Path, settings: ImageSettings | None = None) -> ImageFacts:
    """Return what is seen in an image file; an error becomes its ``problem``.

    Args:
        path: The file.
        settings: What the file does not say.
    """
    return measure_images([path], settings)[0]


def measure_images(paths: Sequence[str | Path], settings: ImageSettings | None = None
                   ) -> list[ImageFacts]:
    """Return what is seen in image files, see :func:`measure_image`.

    What takes several steps on few numbers is measured of all of them at once: for small images it
    would take longer than decoding.
    """
    seen = [_look_at(str(path), settings or ImageSettings()) for path in paths]
    pictures = [entry for entry in seen if isinstance(entry, _Picture)]
    measured = iter(_finish(pictures) if pictures else ())
    return [next(measured) if isinstance(entry, _Picture) else entry for entry in seen]


def _look_at(name: str, settings: ImageSettings) -> ImageFacts | _Picture:
    start = time.process_time()
    header, num_bytes = None, 0
    try:
        content = read_bytes(name, settings, name)
        num_bytes = len(content)
        header = read_header(content, settings, name)
        image = decode_image(content, header, settings, name)
    except (ValueError, MemoryError, cv2.error) as error:
        words = name_options(str(error).removeprefix(f'{name}: ')) or type(error).__name__
        seconds = time.process_time() - start
        shape = (header.kind, header.height, header.width) if header else ('', 0, 0)
        return ImageFacts(words, *shape, num_bytes=num_bytes, decode_seconds=seconds, seconds=seconds)
    decoded = time.process_time()
    pixels = grey_pixels(image)
    reduced = reduce_picture(pixels)
    thumbnail = cv2.resize(reduced, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
    facts = ImageFacts(
        '', header.kind, *image.shape, header.channels, image.bit_depth, image.orientation, num_bytes,
        zlib.crc32(content), digest_pixels(pixels, thumbnail),
        decode_seconds=decoded - start)
    return _Picture(facts, find_even_lines(reduced), thumbnail, count_levels(pixels),
                    edge_level(pixels), time.process_time() - start)


def _finish(pictures: Sequence[_Picture]) -> list[ImageFacts]:
    start = time.process_time()
    hashes = perceptual_hashes([picture.thumbnail for picture in pictures])
    levels = describe_levels(np.stack([picture.counts for picture in pictures]))
    margins = measure_margins(np.stack([picture.even_lines for picture in pictures]))
    borders = np.column_stack([margins, [picture.edges for picture in pictures]])
    rest = (time.process_time() - start) / len(pictures)
    return [replace(picture.facts, hash=found, thumbnail=picture.thumbnail, levels=described,
                    border=border, seconds=picture.seconds + rest)
            for picture, found, described, border in zip(pictures, hashes, levels, borders,
                                                         strict=True)]


def grey_pixels(image: GrayImage) -> np.ndarray:
    """Return ``(H, W)`` uint8, contiguous."""
    pixels = image.to_8_bit()
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    return np.ascontiguousarray(pixels)


def reduce_picture(pixels: np.ndarray) -> np.ndarray:
    """Return ``(256, 256)`` uint8: the picture squeezed into a square.

    Large pictures are averaged by a whole factor first, which is several times faster than by any
    factor and leaves out at most the last rows and columns that do not fill a cell.

    Args:
        pixels: ``(H, W)`` uint8.
    """
    height, width = pixels.shape
    factor = min(height, width) // REDUCED_SIDE
    if factor > 1:
        rows, columns = height // factor, width // factor
        pixels = cv2.resize(pixels[:rows * factor, :columns * factor], (columns, rows),
                            interpolation=cv2.INTER_AREA)
    # Below twice the side, linear interpolation passes over no pixel.
    is_fine = max(pixels.shape) <= 2 * REDUCED_SIDE
    return cv2.resize(pixels, (REDUCED_SIDE, REDUCED_SIDE),
                      interpolation=cv2.INTER_LINEAR if is_fine else cv2.INTER_AREA)


def digest_pixels(pixels: np.ndarray, thumbnail: np.ndarray) -> bytes:
    """Return 16 bytes that are equal for equal pixels: shape, checksums of all and of the thumbnail.

    A cryptographic digest of all pixels would take as long as decoding them.
    """
    return struct.pack('<4I', *pixels.shape, zlib.crc32(pixels.data), zlib.crc32(thumbnail.data))


def count_levels(pixels: np.ndarray) -> np.ndarray:
    """Return how many of ``(H, W)`` uint8 pixels have each of the 256 grey levels, float32.

    Rows that are evenly spread are looked at, about 128 of them.
    """
    rows = pixels[::max(1, len(pixels) // SAMPLED_ROWS)]
    return cv2.calcHist([rows], [0], None, [256], [0, 256]).reshape(-1)


def describe_levels(counts: np.ndarray) -> np.ndarray:
    """Return brightness and contrast of images, ``(N, 11)``, see :data:`LEVEL_NAMES`.

    Args:
        counts: ``(N, 256)``, from :func:`count_levels`.

    >>> describe_levels(count_levels(np.full((4, 4), 7, np.uint8))[None]).round(2).tolist()
    [[7.0, 0.0, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0, 0.0, 0.0]]
    """
    shares = counts.astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    levels = np.arange(256.)
    mean = shares @ levels
    deviation = np.sqrt((shares * (levels - mean[:, None]) ** 2).sum(axis=1))
    below = shares.cumsum(axis=1)[:, :, None] < np.array(QUANTILES) - 1e-9
    return np.column_stack([mean, deviation, below.sum(axis=1).clip(0, 255),
                            shares[:, :3].sum(axis=1), shares[:, 253:].sum(axis=1)])


def find_even_lines(reduced: np.ndarray) -> np.ndarray:
    """Return which rows, and which columns, hold nearly one level: ``(2, 256)`` bool.

    Args:
        reduced: ``(256, 256)`` uint8, a picture by :func:`reduce_picture`.
    """
    turned = cv2.transpose(reduced)  # down is faster than across
    return np.stack([lines.max(axis=0) - lines.min(axis=0) <= FLAT for lines in (turned, reduced)])


def measure_margins(even_lines: np.ndarray) -> np.ndarray:
    """Return how wide the even margin of each side is, ``(N, 4)``, see :data:`BORDER_NAMES`.

    Args:
        even_lines: ``(N, 2, 256)``, from :func:`find_even_lines`; widths are measured in steps of
            1 / 256. A picture that is even everywhere has margins of 1.

    >>> picture = np.zeros((256, 256), np.uint8)
    >>> picture[64:, :128] = np.arange(0, 192)[:, None] + np.arange(0, 128) // 3
    >>> measure_margins(find_even_lines(picture)[None]).tolist()
    [[0.25, 0.0, 0.0, 0.5]]
    """
    size = even_lines.shape[-1]
    widths = [np.where(lines.all(axis=1), 1., lines.argmin(axis=1) / size)
              for number in (0, 1)
              for lines in (even_lines[:, number], even_lines[:, number, ::-1])]
    return np.column_stack(widths)


def edge_level(pixels: np.ndarray) -> float:
    """Return the mean level of the outermost pixels of ``(H, W)`` uint8, a line one pixel thin."""
    lines = (pixels[:1], pixels[-1:], pixels[:, :1], pixels[:, -1:])
    return float(sum(cv2.sumElems(line)[0] / line.size for line in lines) / 4)
