"""Filling the cache of images before a training, with several processes."""
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mmwindow.annotations.point_file import load_point_json, read_point_file
from mmwindow.annotations.reader_names import ALL
from mmwindow.apis.annotation_files import images_folder
from mmwindow.images.cache import SETTLED, ImageCache, file_stamp
from mmwindow.images.cache_space import CacheSize, measure
from mmwindow.images.decode import MAX_PIXELS, ImageSettings
from mmwindow.images.file_check import describe_image_problem, describe_problems
from mmwindow.images.fitted_reader import FittedReader
from mmwindow.images.fitting import check_input_size
from mmwindow.utils.config_pipelines import find_datasets
from mmwindow.utils.messages import count_words, shorten
from mmwindow.utils.progress import describe_seconds, track

LOADERS = ('LoadImageFromFile', 'LoadRadiograph')


class WantedImages(NamedTuple):
    """Images that a data set reads, and how.

    Attributes:
        points: Its point files.
        folder: Of the images.
        input_size: ``(height, width)``.
        settings: What the files do not say.
        is_read: Whether the data set looks into the cache at all.
        place: Of its cache; None for the default one.
    """

    points: list[str]
    folder: Path
    input_size: tuple[int, int]
    settings: ImageSettings
    is_read: bool = True
    place: str | None = None


class ImageJob(NamedTuple):
    """One image to be in the cache."""

    path: Path
    height: int
    width: int
    reader: int


class ImageOutcome(NamedTuple):
    """What became of it: 'found', 'made', 'made again', 'not kept' or 'unusable', and why."""

    kind: str
    problem: str = ''


@dataclass
class FillReport:
    """What was done.

    Attributes:
        folder: Of the cache.
        num_images: At one input size each.
        counts: Kind of outcome -> images.
        problems: Path -> what is wrong with an image file.
        cache_problem: Why images were not kept; '' where all were.
        seconds: That it took.
        size: Of the complete cache.
        unread: Point files of data sets that do not look into the cache.
    """

    folder: Path
    num_images: int
    counts: dict[str, int] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    cache_problem: str = ''
    seconds: float = 0.
    size: CacheSize = CacheSize(0, 0)
    unread: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return what to tell the user."""
        counts = {kind: self.counts.get(kind, 0) for kind in (
            'found', 'made', 'made again', 'not kept', 'unusable')}
        words = (f'{counts["found"]} were there, {counts["made"] + counts["made again"]} made')
        if counts['made again']:
            words += f' ({counts["made again"]} of them again: damaged entries)'
        if counts['unusable']:
            words += f', {counts["unusable"]} cannot be used'
        lines = [f'{count_words(self.num_images, "image")} in {describe_seconds(self.seconds)}: '
                 f'{words}',
                 describe_size(self.folder, self.size)]
        if self.cache_problem:
            lines.append(f'{count_words(counts["not kept"], "image was", "images were")} not kept: '
                         f'{self.cache_problem}')
        if self.unread:
            lines.append(f'cache=False in the config: {", ".join(self.unread)} will not be read from '
                         'it')
        if self.problems:
            lines.append(f'{count_words(len(self.problems), "image cannot", "images cannot")} be '
                         f'used:')
            lines.append(describe_problems(self.problems))
        return lines


def describe_size(folder: Path, size: CacheSize) -> str:
    """Return one line on what a cache takes.

    >>> describe_size(Path('a'), CacheSize(3, 2_500_000))
    'a: 3 images, 2.5 MB'
    """
    megabytes = size.num_bytes / 1e6
    shown = f'{megabytes:.1f} MB' if megabytes < 1000 else f'{megabytes / 1000:.1f} GB'
    return f'{folder}: {count_words(size.num_entries, "image")}, {shown}'


def images_of_points(points: str | Path, input_size: int | Sequence[int] = 1024,
                     images: str | Path | None = None, bit_depth: int | None = None
                     ) -> list[WantedImages]:
    """Return the images of a point file.

    Args:
        points: The file.
        input_size: Of the network that is to be trained.
        images: Folder of the images; where the file says that they lie if None.
        bit_depth: Of images stored in 16 bits.

    Raises:
        ValueError: A setting or the file is wrong.
    """
    folder = Path(images) if images else images_folder(points, load_point_json(points))
    return [WantedImages([str(points)], folder, check_input_size(input_size),
                         ImageSettings(bit_depth))]


def images_of_config(cfg: Mapping[str, Any]) -> list[WantedImages]:
    """Return the images of the data sets of a config, for training, validation and test.

    Raises:
        ValueError: No data set has a pipeline whose images can be in the cache.
    """
    wanted: list[WantedImages] = []
    for _, dataset in find_datasets(cfg):
        steps = {str(step.get('type')).rpartition('.')[2]: step
                 for step in dataset.get('pipeline') or ()}
        loader = next((steps[name] for name in LOADERS if name in steps), None)
        resize, files = steps.get('ResizeToInput'), dataset.get('ann_file')
        if loader is None or resize is None or not files:
            continue
        args = loader if 'LoadRadiograph' in steps else loader.get('backend_args') or {}
        root = dataset.get('data_root') or ''
        folder = (dataset.get('data_prefix') or {}).get('img') or ''
        cache = args.get('cache')
        wanted.append(WantedImages(
            [os.path.join(root, name) for name in ([files] if isinstance(files, str) else files)],
            Path(root, folder), check_input_size(resize['input_size']),
            ImageSettings(args.get('bit_depth'), args.get('max_pixels', MAX_PIXELS)),
            cache is not False, cache if isinstance(cache, str) else None))
    if not wanted:
        raise ValueError('no data set of the config reads images by LoadImageFromFile or '
                         'LoadRadiograph with ResizeToInput behind; nothing can be in the cache')
    return wanted


def fill_cache(wanted: Sequence[WantedImages], place: str | Path | None = None,
               num_workers: int | None = None) -> FillReport:
    """Decode all images that a cache lacks, and keep them.

    Entries that are there are read completely, so that damaged ones are seen and made again.

    Args:
        wanted: Of :func:`images_of_points` or :func:`images_of_config`.
        place: Of the cache (:func:`~mmwindow.images.cache.default_folder`); None for what the config
            says.
        num_workers: Processes; one per core if None.

    Raises:
        ValueError: A point file is wrong, or a process ended.
    """
    started = time.monotonic()
    readers, jobs = _list_jobs(wanted, place)
    cache = readers[0].cache
    assert cache is not None  # noqa: S101
    report = FillReport(cache.folder, len(jobs), unread=sorted(
        {file for images in wanted if not images.is_read for file in images.points}))
    changed = []
    for job, outcome in zip(jobs, track(_run(readers, jobs, num_workers), len(jobs)), strict=True):
        report.counts[outcome.kind] = report.counts.get(outcome.kind, 0) + 1
        if outcome.kind == 'unusable':
            report.problems[str(job.path)] = outcome.problem
        elif outcome.kind == 'not kept':
            report.cache_problem = outcome.problem
        elif not file_stamp(job.path).is_settled:
            changed.append(job)
    if changed:  # a training that keeps DICOM alone finds other formats by their stamps
        time.sleep(SETTLED)
        for _ in _run(readers, changed, num_workers):
            pass
    report.seconds, report.size = time.monotonic() - started, measure(cache.folder)
    return report


def _list_jobs(wanted: Sequence[WantedImages], place: str | Path | None
               ) -> tuple[list[FittedReader], list[ImageJob]]:
    """Return how images are read, and each image once for each way."""
    readers: dict[tuple, FittedReader] = {}
    jobs: dict[tuple, ImageJob] = {}
    for images in wanted:
        way = images.input_size, images.settings
        if way not in readers:
            readers[way] = FittedReader(images.input_size, images.settings,
                                        ImageCache(place or images.place), keeps_all=True)
        number = list(readers).index(way)
        for record in read_point_file(images.points, readers=ALL).records:
            path = images.folder / record.file_name
            jobs[path, number] = ImageJob(path, record.height, record.width, number)
    return list(readers.values()), list(jobs.values())


_readers: list[FittedReader] = []  # of a process of the pool


def _set_readers(readers: list[FittedReader]) -> None:
    _readers[:] = readers


def _run(readers: list[FittedReader], jobs: Sequence[ImageJob], num_workers: int | None
         ) -> Iterator[ImageOutcome]:
    """Yield what becomes of each image, in order."""
    count = num_workers or len(os.sched_getaffinity(0))
    count = min(count, len(jobs))
    if count <= 1:
        _set_readers(readers)
        yield from map(_fill, jobs)
        return
    try:
        with ProcessPoolExecutor(count, initializer=_set_readers, initargs=(readers, )) as pool:
            yield from pool.map(_fill, jobs, chunksize=max(1, min(16, len(jobs) // (4 * count))))
    except BrokenProcessPool as error:
        raise ValueError('a process that decodes images ended; the memory may be too small: '
                         '--workers 1') from error


def _fill(job: ImageJob) -> ImageOutcome:
    """Have one image in the cache."""
    reader = _readers[job.reader]
    cache = reader.cache
    assert cache is not None  # noqa: S101
    found, damaged = cache.num_found, cache.num_damaged
    try:
        image = reader.read(job.path)
    except ValueError as error:
        return ImageOutcome('unusable', shorten(str(error).removeprefix(f'{job.path}: '), 300))
    if image.source_shape != (job.height, job.width):
        problem = describe_image_problem(job.path, job.height, job.width, reader.settings)
        return ImageOutcome('unusable', problem or 'is of another size')
    if cache.num_found > found:
        return ImageOutcome('found')
    if cache.problem:
        return ImageOutcome('not kept', cache.problem)
    return ImageOutcome('made again' if cache.num_damaged > damaged else 'made')
