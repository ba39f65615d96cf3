"""Reading all images once, in several processes, with progress and an estimate."""
import multiprocessing
import os
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from mmwindow.apis.doctor.image_facts import THUMBNAIL_SIDE, ImageFacts, measure_images
from mmwindow.images.decode import ImageSettings
from mmwindow.utils.progress import ProgressDisplay, track

CHUNK = 16  # images that a process gets at a time
MIN_IMAGES = 256  # for fewer, starting processes takes longer than reading
CRASHED = ('the process that decoded it ended (too little memory, or a fault of the decoder); save '
           'the image again in another format')


@dataclass(frozen=True)
class ReadImages:
    """What was seen in all image files.

    Attributes:
        facts: In the order of the paths, without thumbnails.
        thumbnails: ``(N, 128, 128)`` uint8, of unreadable images 0; it lies in a temporary file.
        num_processes: That read them; 1 is this one.
    """

    facts: list[ImageFacts]
    thumbnails: np.ndarray
    num_processes: int = 1

    @property
    def usable(self) -> np.ndarray:
        """Return ``(N,)`` bool."""
        return np.array([not facts.problem for facts in self.facts], dtype=bool)


def read_images(paths: Sequence[Path], settings: ImageSettings | None = None,
                num_processes: int | None = None, display: ProgressDisplay | None = None
                ) -> ReadImages:
    """Read image files and measure them.

    Args:
        paths: Of the files.
        settings: What the files do not say.
        num_processes: As many as processors if None; 1 reads in this process.
        display: Of the progress.
    """
    settings = settings or ImageSettings()
    if num_processes is None:
        num_processes = available_processors() if len(paths) >= MIN_IMAGES else 1
    facts = [ImageFacts()] * len(paths)
    with tempfile.TemporaryFile() as stream:
        shape = (max(len(paths), 1), THUMBNAIL_SIDE, THUMBNAIL_SIDE)
        thumbnails: np.ndarray = np.memmap(stream, np.uint8, 'w+', shape=shape)
        results = (_read_here(paths, settings) if num_processes < 2 else
                   _read_in_processes(paths, settings, num_processes))
        for index, found in track(results, len(paths), display=display):
            if found.thumbnail is not None:
                thumbnails[index] = found.thumbnail
            facts[index] = replace(found, thumbnail=None)
    return ReadImages(facts, thumbnails[:len(paths)], num_processes)


def available_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_here(paths: Sequence[Path], settings: ImageSettings) -> Iterator[tuple[int, ImageFacts]]:
    num_threads = cv2.getNumThreads()
    for start in range(0, len(paths), CHUNK):
        cv2.setNumThreads(1)  # several take longer than one for pictures of this size
        try:
            facts = measure_images(paths[start:start + CHUNK], settings)
        finally:
            cv2.setNumThreads(num_threads)
        yield from enumerate(facts, start)


def _prepare_process() -> None:
    cv2.setNumThreads(1)  # a process for each processor, not a thread pool in each


def _read_chunk(indices: Sequence[int], paths: Sequence[str], settings: ImageSettings
                ) -> list[tuple[int, ImageFacts]]:
    return list(zip(indices, measure_images(paths, settings), strict=True))


def _read_in_processes(paths: Sequence[Path], settings: ImageSettings, num_processes: int
                       ) -> Generator[tuple[int, ImageFacts], None, None]:
    chunks = [range(start, min(start + CHUNK, len(paths))) for start in range(0, len(paths), CHUNK)]
    failed = yield from _run_chunks(chunks, paths, settings, num_processes)
    if len(failed) == len(chunks) and not can_start_processes():
        yield from _read_here(paths, settings)
        return
    yield from _read_carefully(failed, paths, settings)


def _read_carefully(chunks: Iterable[range], paths: Sequence[Path], settings: ImageSettings
                    ) -> Iterator[tuple[int, ImageFacts]]:
    """Read chunks one after the other in one process; where it dies, the guilty image is named."""
    pool: ProcessPoolExecutor | None = None
    try:
        for chunk in chunks:
            pool = pool or _start_pool(1)
            names = [str(paths[index]) for index in chunk]
            try:
                yield from pool.submit(_read_chunk, chunk, names, settings).result()
            except BrokenProcessPool:
                pool.shutdown()
                pool = None
                if len(chunk) == 1:
                    yield chunk[0], ImageFacts(CRASHED)
                else:
                    yield from _read_carefully([range(index, index + 1) for index in chunk], paths,
                                               settings)
    finally:
        if pool is not None:
            pool.shutdown()


def can_start_processes() -> bool:
    """Return whether a process starts and answers.

    In a script without ``if __name__ == '__main__'`` none does: each would run the script again.
    """
    try:
        with _start_pool(1) as pool:
            return pool.submit(int).result() == 0
    except BrokenProcessPool:
        return False


def _start_pool(num_processes: int) -> ProcessPoolExecutor:
    # A fresh interpreter: a fork of a process with threads may hang.
    return ProcessPoolExecutor(num_processes, multiprocessing.get_context('spawn'), _prepare_process)


def _run_chunks(chunks: Iterable[range], paths: Sequence[Path], settings: ImageSettings,
                num_processes: int) -> Generator[tuple[int, ImageFacts], None, list[range]]:
    """Yield what was seen; return the chunks whose process died."""
    failed: list[range] = []
    with _start_pool(num_processes) as pool:
        waiting: dict[Future[list[tuple[int, ImageFacts]]], range] = {}
        for chunk in chunks:
            names = [str(paths[index]) for index in chunk]
            try:
                waiting[pool.submit(_read_chunk, chunk, names, settings)] = chunk
            except BrokenProcessPool:
                failed.append(chunk)
        for future in as_completed(list(waiting)):
            chunk = waiting.pop(future)
            try:
                found = future.result()
            except BrokenProcessPool:
                failed.append(chunk)
                continue
            yield from found
    return failed
