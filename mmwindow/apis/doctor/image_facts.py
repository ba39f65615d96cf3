"""One image file, read once: whether it can be used, and what the checks compare.

Grey pixels of 8 bits are what is measured: one file in colour and one in grey with the same picture
have the same pixels.
"""
import hashlib
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mmwindow.apis.doctor.picture_hash import perceptual_hash
from mmwindow.images.decode import GrayImage, ImageSettings, decode_image, read_bytes, read_header

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
        file_digest: Of its bytes.
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
    file_digest: bytes = b''
    pixel_digest: bytes = b''
    hash: int = 0
    thumbnail: np.ndarray | None = None
    levels: np.ndarray | None = None
    border: np.ndarray | None = None
    decode_seconds: float = 0.
    seconds: float = 0.


def measure_image(path: str | Path, settings: ImageSettings | None = None) -> ImageFacts:
    """Return what is seen in an image file; an error becomes its ``problem``.

    Args:
        path: The file.
        settings: What the file does not say.
    """
    settings, name, start = settings or ImageSettings(), str(path), time.process_time()
    header, num_bytes = None, 0
    try:
        content = read_bytes(path, settings, name)
        num_bytes = len(content)
        header = read_header(content, settings, name)
        image = decode_image(content, header, settings, name)
    except (ValueError, MemoryError, cv2.error) as error:
        words = str(error).removeprefix(f'{name}: ') or type(error).__name__
        seconds = time.process_time() - start
        shape = (header.kind, header.height, header.width) if header else ('', 0, 0)
        return ImageFacts(words, *shape, num_bytes=num_bytes, decode_seconds=seconds, seconds=seconds)
    decoded = time.process_time()
    pixels = grey_pixels(image)
    small = reduce_picture(pixels)
    thumbnail = cv2.resize(small, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
    return ImageFacts(
        '', header.kind, *image.shape, header.channels, image.bit_depth, image.orientation, num_bytes,
        hashlib.blake2b(content, digest_size=16).digest(),
        digest_pixels(pixels, thumbnail),
        perceptual_hash(thumbnail), thumbnail, measure_levels(pixels), measure_border(small, pixels),
        decoded - start, time.process_time() - start)


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
    """Return 16 bytes that are equal for equal pixels: of the thumbnail, shape and a checksum of all.

    A cryptographic digest of all pixels would take as long as decoding them.
    """
    words = b'%d %d %d' % (*pixels.shape, zlib.crc32(pixels.data))
    return hashlib.blake2b(thumbnail.tobytes() + words, digest_size=16).digest()


def measure_levels(pixels: np.ndarray) -> np.ndarray:
    """Return brightness and contrast of ``(H, W)`` uint8 pixels, see :data:`LEVEL_NAMES`.

    Rows that are evenly spread are looked at, about 128 of them.

    >>> measure_levels(np.full((4, 4), 7, np.uint8)).round(2).tolist()
    [7.0, 0.0, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0, 0.0, 0.0]
    """
    rows = np.ascontiguousarray(pixels[::max(1, len(pixels) // SAMPLED_ROWS)])
    counts = cv2.calcHist([rows], [0], None, [256], [0, 256]).reshape(-1).astype(np.float64)
    shares = counts / counts.sum()
    levels = np.arange(256.)
    mean = float(shares @ levels)
    deviation = float(np.sqrt(max(shares @ (levels - mean) ** 2, 0.)))
    cumulated = shares.cumsum()
    quantiles = np.searchsorted(cumulated, np.array(QUANTILES) - 1e-9).clip(0, 255)
    return np.array([mean, deviation, *quantiles, shares[:3].sum(), shares[253:].sum()])


def measure_border(small: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return how wide the even margin of each side is, see :data:`BORDER_NAMES`.

    Args:
        small: ``(256, 256)`` uint8, the picture by :func:`reduce_picture`; widths are measured in
            it, in steps of 1 / 256. A picture that is even everywhere has margins of 1.
        pixels: ``(H, W)`` uint8, whose outermost pixels are looked at: a line as thin as a pixel.

    >>> picture = np.zeros((256, 256), np.uint8)
    >>> picture[64:, :128] = np.arange(0, 192)[:, None] + np.arange(0, 128) // 3
    >>> measure_border(picture, picture).round(2).tolist()[:4]
    [0.25, 0.0, 0.0, 0.5]
    """
    rows = np.ptp(small, axis=1) <= FLAT
    columns = np.ptp(small, axis=0) <= FLAT
    widths = [1. if lines.all() else float(lines.argmin()) / len(lines)
              for lines in (rows, rows[::-1], columns, columns[::-1])]
    ring = [float(line.mean()) for line in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])]
    return np.array([*widths, sum(ring) / 4])
