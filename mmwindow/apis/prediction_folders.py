"""The folders of pictures and DICOM objects of a prediction, and how the files in them are called."""
import contextlib
import csv
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmwindow.evaluation.files.prediction_archive import FINDINGS_FORMAT, FORMAT
from mmwindow.utils.files import PART, cut_name, load_json

IMAGES = 'images.csv'
IMAGE_COLUMNS = ('file', 'height', 'width', 'class', 'score', 'called', 'num_findings',
                 'image_threshold', 'finding_threshold', 'orientation')
OVERLAYS, DICOM = 'overlays', 'dicom'
DICOM_KINDS = ('sr', 'gsps', 'sc')
MAX_STEM = 180  # bytes of a file's name, next to which an ending and a number have room


class OutputNames:
    """Names of files for images, none of them twice, as images of two folders may be called alike.

    >>> names = OutputNames()
    >>> [names.free(name) for name in ('a/1.png', 'b/1.png', 'a/1.jpg')]
    ['a_1', 'b_1', 'a_1_2']
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, file_name: str) -> str:
        """Return the name, without a suffix, of what belongs to an image."""
        path = Path(file_name)
        stem = path.stem if path.suffix.lower().lstrip('.').isalpha() else path.name
        folders = [part for part in path.parent.parts if part not in ('/', '..', '.')]
        first = cut_name('_'.join([*folders, stem]), MAX_STEM, keep_end=True) or 'image'
        number, name = 1, first
        while name.lower() in self._taken:  # some file systems do not tell cases apart
            number += 1
            name = f'{first}_{number}'
        self._taken.add(name.lower())
        return name


class ResultFolder:
    """Write files aside; at the end they take the place of those of the command before.

    An interrupted command leaves the old files as they were. To be used as a context manager.

    Args:
        folder: Of the results; it is made where files come, and goes where none stay.
        old_names: Files that the command before may have written; no other is deleted.

    Attributes:
        part: Where to write; it may not be there yet.
    """

    def __init__(self, folder: Path, old_names: Iterable[str] = ()) -> None:
        self.folder, self.old_names, self.part = folder, tuple(old_names), part_folder(folder)

    def __enter__(self) -> 'ResultFolder':
        shutil.rmtree(self.part, ignore_errors=True)  # of a command that was killed
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is None:
            for old in (self.folder / name for name in self.old_names):
                if old.is_file():
                    old.unlink()
            new = list(self.part.iterdir()) if self.part.exists() else []
            if new:
                self.folder.mkdir(parents=True, exist_ok=True)
            for path in new:
                shutil.move(path, self.folder / path.name)  # the folder may be a link to another disk
            with contextlib.suppress(OSError):  # is not there, or holds files of somebody else
                self.folder.rmdir()
        shutil.rmtree(self.part, ignore_errors=True)


def part_folder(folder: Path) -> Path:
    """Return where files are written that will lie in a folder."""
    return folder.with_name(f'.{folder.name}{PART}')


def is_result_folder(folder: Path) -> bool:
    """Tell whether a folder holds pictures or DICOM objects of a prediction, which are no inputs."""
    if folder.name in (part_folder(Path(OVERLAYS)).name, part_folder(Path(DICOM)).name):
        return True
    if folder.name not in (OVERLAYS, DICOM):
        return False
    try:
        with open(folder.with_name(IMAGES), encoding='utf-8', newline='') as stream:
            return next(csv.reader(stream), None) == list(IMAGE_COLUMNS)
    except (OSError, UnicodeError, csv.Error):
        return False


def result_folders(out: Path, predictions: str) -> list[ResultFolder]:
    """Return the folders of pictures and of DICOM objects below a folder of results.

    Args:
        out: The folder.
        predictions: Name of the JSON there, by whose images files of the prediction before are known.
    """
    kinds = {OVERLAYS: ['.jpg'], DICOM: [f'_{kind}.dcm' for kind in DICOM_KINDS]}
    has_old = any((out / name).is_dir() for name in kinds)
    stems = earlier_names(out / predictions) if has_old else []
    return [ResultFolder(out / name, [f'{stem}{ending}' for stem in stems for ending in endings])
            for name, endings in kinds.items()]


def earlier_names(predictions: Path) -> list[str]:
    """Return the names, without a suffix, of the files of a prediction; none of another file.

    Args:
        predictions: Its JSON, which may be missing.
    """
    try:
        content = load_json(predictions)
        if content['format'] not in (FORMAT, FINDINGS_FORMAT):
            return []
        names = OutputNames()
        return [names.free(image['file_name']) for image in content['images']]
    except (ValueError, TypeError, KeyError):
        return []
