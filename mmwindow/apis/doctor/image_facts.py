"""One image file, read once: whether it can be used, and what the checks compare.

Grey pixels of 8 bits are what is measured: one file in colour and one in grey with the same picture
have the same pixels.
"""
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mmwindow.apis.doctor.picture_hash import perceptual_hash
from mmwindow.images.decode import GrayImage, ImageSettings, decode_image, read_bytes, read_header

THUMBNAIL_SIDE = 128
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
    thumbnail = cv2.resize(pixels, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
    return ImageFacts(
        '', header.kind, *image.shape, header.channels, image.bit_depth, image.orientation, num_bytes,
        hashlib.blake2b(content, digest_size=16).digest(),
        hashlib.blake2b(pixels, digest_size=16, salt=b'%d' % pixels.shape[1]).digest(),
        perceptual_hash(thumbnail), thumbnail, measure_levels(pixels), measure_border(pixels),
        decoded - start, time.process_time() - start)


def grey_pixels(image: GrayImage) -> np.ndarray:
    """Return ``(H, W)`` uint8, contiguous."""
    pixels = image.to_8_bit()
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    return np.ascontiguousarray(pixels)


def measure_levels(pixels: np.ndarray) -> np.ndarray:
    """Return brightness and contrast of ``(H, W)`` uint8 pixels, see :data:`LEVEL_NAMES`.

    >>> measure_levels(np.full((4, 4), 7, np.uint8)).round(2).tolist()
    [7.0, 0.0, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0, 0.0, 0.0]
    """
    counts = cv2.calcHist([pixels], [0], None, [256], [0, 256]).reshape(-1).astype(np.float64)
    shares = counts / counts.sum()
    levels = np.arange(256.)
    mean = float(shares @ levels)
    deviation = float(np.sqrt(max(shares @ (levels - mean) ** 2, 0.)))
    cumulated = shares.cumsum()
    quantiles = np.searchsorted(cumulated, np.array(QUANTILES) - 1e-9).clip(0, 255)
    return np.array([mean, deviation, *quantiles, shares[:3].sum(), shares[253:].sum()])


def measure_border(pixels: np.ndarray) -> np.ndarray:
    """Return how wide the even margin of each side is, see :data:`BORDER_NAMES`.

    Args:
        pixels: ``(H, W)`` uint8. A picture that is even everywhere has margins of 1.

    >>> framed = np.pad(np.arange(0, 160, 10, dtype=np.uint8).reshape(4, 4), ((1, 0), (0, 5)))
    >>> measure_border(framed).round(2).tolist()[:4]
    [0.2, 0.0, 0.0, 0.56]
    """
    height, width = pixels.shape
    widths = []
    for lines in (pixels, pixels[::-1], pixels.T, pixels.T[::-1]):
        number = 0
        for line in lines:
            if int(line.max()) - int(line.min()) > FLAT:
                break
            number += 1
        widths.append(number / len(lines))
    ring = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return np.array([*widths, float(np.median(ring))])
