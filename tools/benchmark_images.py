#!/usr/bin/env python
"""What reading and checking images costs, next to OpenCV's decoder alone: ms of CPU time an image.

Each image is taken as its file is, and stored again in other formats. 'read' is
mmwindow.images.decode.read_image, 'check' what a data set does before training (it reads the file
from the disk and decodes it), 'OpenCV' is cv2.imdecode, which lets damage within a JPEG pass. All are
timed in turn in one run, on one core; the median over the images of the least of some repeats is
printed.

    python tools/benchmark_images.py ../shared/fracatlas/images ../shared/fracatlas/fullres

With --pipeline the complete test pipeline is timed against decoding alone, without the cache and
with it, on the real chest radiograph of 3.6 megapixels of pydicom-data (RG1), as shipped (DICOM,
JPEG 2000) and stored again in other formats: 'decode' is read_image, from the file to grey pixels;
'steps' the pipeline of single steps, as DetInferencer runs it; 'pipeline' what a data set makes of
it; 'cached' reading the image from the cache. All is timed in turn in one run, on one core.

    python tools/benchmark_images.py --pipeline
"""
import argparse
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmwindow.images.cache import SETTLED
from mmwindow.images.decode import read_image
from mmwindow.images.file_check import describe_image_problem
from mmwindow.utils.command_line import one_line_errors
from mmwindow.utils.environment import describe_processor
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


def radiographs(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and path of one real radiograph in several formats."""
    try:
        import data_store
    except ImportError:
        raise ValueError('pydicom-data is not installed; it holds the radiograph') from None
    shipped = Path(list(data_store.__path__)[0], 'data')
    pixels = read_image(shipped / 'RG1_UNCR.dcm').to_8_bit()
    deep = pixels.astype(np.uint16) * 257
    for name, suffix, values, options in (
            ('JPEG, quality 90', 'jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, 90]),
            ('JPEG, quality 95', 'jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, 95]),
            ('JPEG, quality 98', 'jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, 98]),
            ('JPEG in colour, quality 95', 'jpg', cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR),
             [cv2.IMWRITE_JPEG_QUALITY, 95]),
            ('PNG, 8 bits', 'png', pixels, []), ('PNG, 16 bits', 'png', deep, [])):
        path = folder / f'{name}.{suffix}'
        cv2.imwrite(str(path), values, options)
        yield name, path
    for name, file in (('DICOM, uncompressed', 'RG1_UNCR'),
                       ('DICOM, JPEG 2000, lossless', 'RG1_J2KR'),
                       ('DICOM, JPEG 2000, lossy', 'RG1_J2KI')):
        yield name, shipped / f'{file}.dcm'


def time_pipeline(path: Path, place: str, input_size: int, repeats: int) -> list[float]:
    """Return five times in ms.

    They are those of decoding, of the single steps, of the pipeline without the cache, of reading
    from the cache, and of the pipeline with it.
    """
    import torch
    from mmdet.registry import TRANSFORMS
    from mmengine.registry import init_default_scope

    from mmwindow.datasets.transforms.load_radiograph import fuse_loading
    init_default_scope('mmdet')
    torch.set_num_threads(1)

    def build(cache: str | bool) -> list:
        return [TRANSFORMS.build(step) for step in (
            dict(type='LoadImageFromFile', backend_args=dict(backend='radiograph', cache=cache)),
            dict(type='ResizeToInput', input_size=input_size), dict(type='PadToInput'),
            dict(type='PackPointInputs', meta_keys=('img_path', 'ori_shape', 'scale_factor')))]

    def run(steps: list) -> torch.Tensor:
        results = dict(img_path=str(path))
        for step in steps:
            results = step.transform(results)
        return results['inputs']

    single = build(False)
    fused, (cached, reader) = fuse_loading(build(False))[0], fuse_loading(build(place))
    inputs = [run(steps) for steps in (single, fused, cached, cached)]
    if reader.cache.num_found != 1 or not all(torch.equal(inputs[0], each) for each in inputs):
        raise ValueError(f'{path}: the pipelines differ, or the cache has kept nothing')
    calls = (lambda: read_image(path), lambda: run(single), lambda: run(fused),
             lambda: reader.read(path), lambda: run(cached))
    rounds = [[least_ms(call, 1) for call in calls] for _ in range(repeats)]  # in turn
    return np.min(rounds, axis=0).tolist()


def compare_pipelines(input_size: int, repeats: int) -> None:
    """Print what the test pipeline and the cache cost next to decoding alone."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        images = list(radiographs(Path(folder)))
        time.sleep(SETTLED + 1)  # as files of a data set, which were not written this moment
        for name, path in images:
            decode, single, fused, cached, complete = time_pipeline(
                path, str(Path(folder, 'cache')), input_size, repeats)
            rows.append([name, f'{os.path.getsize(path) / 1e6:.1f}',
                         *(f'{cost:.1f}' for cost in (decode, single, fused)),
                         f'{decode / fused:.2f}', f'{cached:.2f}', f'{cached / decode:.3f}',
                         f'{complete:.1f}'])
    print(f'input size {input_size}\n')
    print(markdown_table([['format', 'MB', 'decode', 'steps', 'pipeline', 'decode / pipeline',
                           'cached', 'cached / decode', 'pipeline, cached'], *rows]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folders', type=Path, nargs='*', help='of images')
    parser.add_argument('--pipeline', action='store_true', help='the test pipeline and the cache')
    parser.add_argument('--input-size', type=int, default=1024, help='of the network')
    parser.add_argument('--images', type=int, default=50, help='of each folder, evenly spread')
    parser.add_argument('--repeats', type=int, default=5)
    args = parser.parse_args()
    if not args.folders and not args.pipeline:
        parser.error('folders of images, or --pipeline, are expected')
    print(f'{describe_processor()}, one core, OpenCV {cv2.__version__}, numpy {np.__version__}\n')
    cv2.setNumThreads(1)
    if args.pipeline:
        compare_pipelines(args.input_size, args.repeats)
        return
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
    print(markdown_table([['folder', 'images', 'format', 'megapixels', 'OpenCV', 'read', 'check'],
                          *rows]))


if __name__ == '__main__':
    with one_line_errors('benchmark_images'):
        main()
