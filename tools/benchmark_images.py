#!/usr/bin/env python
"""What reading and checking images costs, next to OpenCV's decoder alone: ms of CPU time an image.

Each image is taken as its file is, and stored again in other formats. 'read' is
mmwindow.images.decode.read_image, 'check' what a data set does before training (it reads the file
from the disk and decodes it), 'OpenCV' is cv2.imdecode, which lets damage within a JPEG pass. All are
timed in turn in one run, on one core; the median over the images of the least of some repeats is
printed.

    python tools/benchmark_images.py ../shared/fracatlas/images ../shared/fracatlas/fullres
"""
import argparse
import io
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmwindow.images.decode import read_image
from mmwindow.images.file_check import describe_image_problem
from mmwindow.utils.command_line import one_line_errors
from mmwindow.utils.markdown import markdown_table


def stored_again(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name of a format and the image in it."""
    yield 'as the file', path.read_bytes()
    pixels = read_image(path).to_8_bit()
    pixels = pixels if pixels.ndim == 2 else pixels[..., ::-1]
    deep = pixels.astype(np.uint16) * 257
    for name, kind, values, options in (
            ('PNG, 8 bits', 'PNG', pixels, {}), ('PNG, 16 bits', 'PNG', deep[..., :1].squeeze()
                                                 if deep.ndim == 3 else deep, {}),
            ('TIFF, 8 bits, LZW', 'TIFF', pixels, dict(compression='tiff_lzw')),
            ('TIFF, 8 bits', 'TIFF', pixels, {})):
        stream = io.BytesIO()
        Image.fromarray(values).save(stream, kind, **options)
        yield name, stream.getvalue()


def least_ms(call: Callable[[], object], repeats: int) -> float:
    """Return the least CPU time of some calls, in ms."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def time_image(path: Path, place: Path, repeats: int) -> Iterator[tuple[str, list[float]]]:
    """Yield a format, and the ms of OpenCV, of reading and of the check, and the megapixels."""
    for name, content in stored_again(path):
        place.write_bytes(content)
        height, width = read_image(content).shape
        buffer = np.frombuffer(content, np.uint8)
        calls = (lambda: cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED),  # noqa: B023
                 lambda: read_image(content),  # noqa: B023
                 lambda: describe_image_problem(place, height, width))  # noqa: B023
        yield name, [*(least_ms(call, repeats) for call in calls), height * width / 1e6]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folders', type=Path, nargs='+', help='of images')
    parser.add_argument('--images', type=int, default=50, help='of each folder, evenly spread')
    parser.add_argument('--repeats', type=int, default=5)
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for source in args.folders:
            paths = sorted(path for path in source.iterdir() if path.is_file())
            if not paths:
                raise ValueError(f'{source}: no files in this folder; images are expected')
            times: dict[str, list[list[float]]] = {}
            for path in paths[::max(1, len(paths) // args.images)][:args.images]:
                for name, values in time_image(path, Path(folder, 'image'), args.repeats):
                    times.setdefault(name, []).append(values)
            for name, values in times.items():
                *costs, size = np.median(values, axis=0)
                rows.append([source.name, len(values), name, f'{size:.2f}',
                             *(f'{cost:.2f}' for cost in costs)])
    print(f'{platform.machine()}, one core, OpenCV {cv2.__version__}, numpy {np.__version__}\n')
    print(markdown_table([['folder', 'images', 'format', 'megapixels', 'OpenCV', 'read', 'check'],
                          *rows]))


if __name__ == '__main__':
    with one_line_errors('benchmark_images'):
        main()
