"""Image files: the decoder, the check before a training, and Pillow as the independent reading."""
import io
import os
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing.harness import Case, Reader, Seed
from fuzzing.image_mutators import (
    cut_short,
    mutate_header,
    mutate_jpeg,
    mutate_png,
    mutate_tiff,
)

HEIGHT, WIDTH = 40, 48
LOSSY = 5  # grey levels between two decoders; exact formats have none
MAX_REAL = 12  # real radiographs among the seeds


def pixels(channels: int = 1, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    """Return an image of a smooth and a noisy part; its brightest pixel is white."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    smooth = (rows * 2 + columns)[..., None] / (2 * HEIGHT + WIDTH)
    values = (smooth * .7 + generator.random((HEIGHT, WIDTH, channels)) * .3).clip(0, 1)
    values[3, 5] = 1
    return np.round(values * np.iinfo(dtype).max).astype(dtype).squeeze()


def save(image_format: str, values: np.ndarray, **options: Any) -> bytes:
    """Return a file as Pillow writes it."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(values).save(stream, image_format, **options)
    return stream.getvalue()


def as_seeds(suffix: str, files: list[bytes], options: dict[str, Any] | None = None) -> list[Seed]:
    """Return files as seeds."""
    return [Seed({f'image.{suffix}': content}, f'image.{suffix}', options or {}) for content in files]


def jpeg_seeds() -> list[Seed]:
    """Return JPEG files; of real radiographs where ``MMWINDOW_FRACATLAS`` names a folder of them."""
    exif = b'Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0'
    seeds = as_seeds('jpg', [
        save('JPEG', pixels(), quality=90), save('JPEG', pixels(3), quality=90),
        save('JPEG', pixels(), quality=90, progressive=True), save('JPEG', pixels(seed=1), exif=exif),
        save('JPEG', pixels(seed=2), restart_marker_rows=1)])
    folder = Path(os.environ.get('MMWINDOW_FRACATLAS', '')) / 'images'
    if os.environ.get('MMWINDOW_FRACATLAS') and folder.is_dir():
        paths = sorted(folder.glob('*.jpg'))
        seeds += as_seeds('jpg', [path.read_bytes() for path in paths[::len(paths) // MAX_REAL or 1]])
    return seeds


def png_seeds() -> list[Seed]:
    """Return PNG files of 8 and 16 bits, in grey, colour and with a palette."""
    from PIL import Image

    palette = io.BytesIO()
    Image.fromarray(pixels()).convert('P').save(palette, 'PNG')
    return as_seeds('png', [save('PNG', pixels()), save('PNG', pixels(3)),
                            save('PNG', pixels(dtype=np.uint16)), palette.getvalue()])


def tiff_seeds() -> list[Seed]:
    """Return TIFF files: plain, LZW, deflate; 8 and 16 bits."""
    return as_seeds('tif', [
        save('TIFF', pixels()), save('TIFF', pixels(3)), save('TIFF', pixels(dtype=np.uint16)),
        save('TIFF', pixels(), compression='tiff_lzw'),
        save('TIFF', pixels(dtype=np.uint16), compression='tiff_deflate')])


def webp_seeds() -> list[Seed]:
    """Return WebP files, with and without loss."""
    return as_seeds('webp', [save('WEBP', pixels(3), lossless=True), save('WEBP', pixels(3),
                                                            quality=80)])


def bmp_seeds() -> list[Seed]:
    """Return BMP files, grey and in colour."""
    return as_seeds('bmp', [save('BMP', pixels()), save('BMP', pixels(3))])


def describe_pixels(values: np.ndarray) -> dict[str, Any]:
    """Return size and grey levels, or red, green and blue, as plain data."""
    if values.ndim == 3 and (values == values[..., :1]).all():
        values = values[..., 0]
    return dict(size=list(values.shape), pixels=values.astype(int).ravel())


def read_image_file(case: Case) -> Any:
    """Read an image as training does; the check before a training must agree."""
    from mmwindow.images.decode import read_image
    from mmwindow.images.file_check import describe_image_problem

    try:
        image = read_image(case.path)
    except ValueError:
        for size in ((HEIGHT, WIDTH), (WIDTH, HEIGHT)):
            if describe_image_problem(case.path, *size) is None:
                raise Disagreement('the check accepts what training rejects') from None
        raise
    problem = describe_image_problem(case.path, *image.shape)
    if problem is not None:
        raise Disagreement(f'training reads what the check rejects: {problem}')
    values = np.asarray(image.pixels)
    return describe_pixels(values[..., ::-1] if values.ndim == 3 else values)


class Disagreement(Exception):
    """Two of our own readers read one file differently."""


def reread_image(case: Case) -> Any:
    """Read an image by Pillow, whose warnings count."""
    from PIL import Image, PngImagePlugin

    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 1 << 26  # no pixels are in texts
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        warnings.filterwarnings('ignore', 'Metadata Warning')
        with Image.open(case.path) as image:
            image.load()
            if image.mode in ('P', 'PA', 'CMYK', 'YCbCr', 'RGBA', 'LA', 'LAB'):
                image = image.convert('RGB')
            values = np.asarray(image)
            if values.dtype == np.uint16 and getattr(image, 'tag_v2', {}).get(262) == 0:
                values = 65535 - values  # white is zero: Pillow inverts 8 bits alone
            if values.dtype == bool:
                values = values.astype(np.uint8) * 255
            return describe_pixels(values)


def by_bytes(mutate: Callable[[bytes, random.Random], bytes]) -> Callable[[str, bytes,
                                                            random.Random], bytes]:
    """Return a mutator that does not look at the name."""
    return lambda name, data, rng: mutate(data, rng)


def image_reader(name: str, make_seeds: Callable[[], list[Seed]],
                 mutate: Callable[[bytes, random.Random], bytes], tolerance: float = 0.) -> Reader:
    """Return the reader of one format."""
    return Reader(name, make_seeds, by_bytes(mutate), read_image_file, reread_image,
                  tolerance=tolerance,
                  same_is_right=True)


READERS = (
    image_reader('jpeg', jpeg_seeds, mutate_jpeg, LOSSY), image_reader('png', png_seeds, mutate_png),
    image_reader('tiff', tiff_seeds, mutate_tiff), image_reader('webp', webp_seeds, mutate_header,
                                                            LOSSY),
    image_reader('bmp', bmp_seeds, mutate_header),
    image_reader('jpeg-cut', jpeg_seeds, cut_short, LOSSY))
