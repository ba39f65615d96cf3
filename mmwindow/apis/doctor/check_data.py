"""The complete check: read the point files, read each image once, ask every check."""
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmwindow.apis.doctor.checkup import Checkup
from mmwindow.apis.doctor.data_source import DataSource, read_data
from mmwindow.apis.doctor.duplicate_checks import check_copies, find_copies, joined_units
from mmwindow.apis.doctor.file_checks import check_files, table_files
from mmwindow.apis.doctor.label_checks import check_labels, find_records, find_suspects
from mmwindow.apis.doctor.machine import find_gpus, suggest_model
from mmwindow.apis.doctor.point_checks import check_points
from mmwindow.apis.doctor.problems import sort_problems
from mmwindow.apis.doctor.reading import read_images
from mmwindow.apis.doctor.report import DoctorReport, Timing
from mmwindow.apis.doctor.shortcut_checks import check_shortcuts, find_shortcuts
from mmwindow.apis.doctor.split_checks import check_splits, table_splits
from mmwindow.apis.doctor.suggestions import Suggestion, suggest
from mmwindow.images.decode import ImageSettings
from mmwindow.utils.progress import ProgressDisplay


@dataclass(frozen=True)
class CheckSettings:
    """What a check is told besides its path.

    Attributes:
        images: Folder of the images; where the data say it if None.
        runs: Run folder with records of tests; None: no label is suspected.
        image_settings: What image files do not say.
        num_processes: That read images; as many as processors if None.
        seed: Of the folds by which shortcut cues are measured.
    """

    images: Path | None = None
    runs: Path | None = None
    image_settings: ImageSettings = ImageSettings()
    num_processes: int | None = None
    seed: int = 0


def check_data(path: str | Path, settings: CheckSettings | None = None,
               display: ProgressDisplay | None = None) -> DoctorReport:
    """Return what is wrong with a data set, what it holds, and which settings fit it.

    Args:
        path: As in :func:`~mmwindow.apis.doctor.data_source.read_data`.
        settings: The defaults if None.
        display: Of the progress.

    Raises:
        ValueError: The path or the runs cannot be read at all.
    """
    settings = settings or CheckSettings()
    started, cpu = time.perf_counter(), time.process_time()
    source = read_data(path, settings.images)
    if settings.runs is not None:
        find_records(settings.runs)  # before the long part
    checkup = read_all(source, settings, display)
    copies = find_copies(checkup)
    shortcuts = find_shortcuts(checkup, joined_units(checkup, copies), settings.seed)
    suspects = None if settings.runs is None else find_suspects(checkup, settings.runs)
    problems = [*source.problems, *check_files(checkup), *check_points(checkup),
                *check_splits(checkup), *check_copies(checkup, copies), *check_shortcuts(shortcuts),
                *(check_labels(checkup, suspects) if suspects else [])]
    facts = checkup.read.facts
    reading = sum(seen.seconds for seen in facts)
    own = time.process_time() - cpu - (0. if checkup.read.num_processes > 1 else reading)
    timing = Timing(len(facts), sum(seen.decode_seconds for seen in facts), reading, own,
                    time.perf_counter() - started)
    return DoctorReport(
        checkup, sort_problems(problems), [*table_splits(checkup),
                                           *table_files(checkup.images, checkup.facts)],
        copies, shortcuts, suspects, _suggest(checkup), timing)


def _suggest(checkup: Checkup) -> list[Suggestion]:
    found = suggest(checkup.images)
    return [*found, suggest_model(find_gpus())] if found else []


def read_all(source: DataSource, settings: CheckSettings, display: ProgressDisplay | None = None
             ) -> Checkup:
    """Return the data set with what is seen in its files; each file is read once."""
    images = source.images
    files: dict[str, int] = {}
    places = [files.setdefault(os.path.normpath(image.path), len(files)) for image in images]
    paths: Sequence[Path] = [Path(name) for name in files]
    read = read_images(paths, settings.image_settings, settings.num_processes, display)
    return Checkup(source, images, read, np.array(places, dtype=int))
