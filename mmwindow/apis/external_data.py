"""Images of another place for a test: where they are, their classes, what the model knows of them."""
import hashlib
import os
import statistics
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from mmwindow.annotations.groups import group_name
from mmwindow.annotations.point_file import load_point_json, read_point_file, write_point_file
from mmwindow.annotations.records import ImageRecord
from mmwindow.apis.annotation_files import POINTS_NAME, images_folder
from mmwindow.apis.config_parts import annotation_files
from mmwindow.datasets.folds import file_checksum
from mmwindow.utils.messages import count_words, name_some, quote, shorten
from mmwindow.utils.operating_points import ModelOperatingPoints

PLACES = (POINTS_NAME, 'annotations/test.json', 'test.json')  # of a folder, the first that is there
PART = 1 << 16  # bytes read at the start, middle and end of two files of one size
OTHER_SIZE = 2.  # images are larger or smaller than the training's by this factor


class DataPlace(NamedTuple):
    """Where images and points of a data set are."""

    points: Path
    images: Path


@dataclass(frozen=True)
class KnownFiles:
    """The annotated images of one or more point files.

    Attributes:
        records: Of the images.
        paths: Where each is.
    """

    records: list[ImageRecord]
    paths: list[Path]

    @property
    def patients(self) -> set[str]:
        """Names of the patients, of images that name one."""
        return {name for record in self.records if (name := group_name(record.group)) is not None}


def find_data(data: str | Path) -> DataPlace:
    """Return where the points and images of a folder or a point file are.

    Raises:
        ValueError: There is no point file, or no folder of images.
    """
    path, name = Path(data), shorten(str(data))
    if not path.exists():
        raise ValueError(f'--data {name}: there is no such folder or point file')
    points = path
    if path.is_dir():
        found = [path / place for place in PLACES if (path / place).is_file()]
        if not found:
            raise ValueError(f'--data {name}: no {", ".join(PLACES)} in this folder; mmwindow import '
                             f'writes {POINTS_NAME}, or give the point file itself')
        points = found[0]
    images = images_folder(points)
    if not images.is_dir():
        raise ValueError(f'--data {name}: the folder of its images, {shorten(str(images))}, is not '
                         'there')
    return DataPlace(points.absolute(), images.absolute())


@dataclass(frozen=True)
class MatchedClasses:
    """How the categories of a data set fit a model's classes.

    Attributes:
        names: Category id to the model's class; None of a category that it does not know.
        warnings: What a user must know.
    """

    names: dict[Any, str | None]
    warnings: tuple[str, ...]

    @property
    def is_changed(self) -> bool:
        """Whether the point file cannot be taken as it is."""
        return bool(self.warnings)


def match_classes(content: dict[str, Any], classes: Sequence[str], name: str) -> MatchedClasses:
    """Return which class of a model each category of a point file is.

    Equal names belong together, also where their case differs. One category and one class of other
    names are taken for the same, with a warning; other categories are none that the model knows.

    Args:
        content: Of the point file.
        classes: Of the model.
        name: Of the file, for the messages.

    Raises:
        ValueError: No category is one of the classes.
    """
    categories = {entry.get('id'): str(entry.get('name')) for entry in content['categories']}
    lower = {each.lower(): each for each in classes}
    names = {key: category if category in classes else lower.get(category.lower())
             for key, category in categories.items()}
    if not any(names.values()):
        if len(categories) != 1 or len(classes) != 1:
            raise ValueError(f'{name}: none of its categories {shorten(list(categories.values()))} '
                             f'is one of the model\'s classes {shorten(list(classes))}; rename them '
                             'in the point file')
        key, category = next(iter(categories.items()))
        return MatchedClasses({key: classes[0]}, (
            f'the data\'s category {quote(category, 60)} is taken for the model\'s class '
            f'{quote(classes[0], 60)}', ))
    warnings = [f'the data\'s category {quote(categories[key], 60)} is taken for the model\'s class '
                f'{quote(match, 60)}' for key, match in names.items()
                if match is not None and match != categories[key]]
    unknown = [key for key, match in names.items() if match is None]
    if unknown:
        number = sum(entry.get('category_id') in unknown for entry in content['annotations'])
        warnings.append(f'the model does not know {name_some([categories[key] for key in unknown])}: '
                        f'{count_words(number, "annotation is", "annotations are")} left out, and '
                        f'their images stay')
    return MatchedClasses(names, tuple(warnings))


def convert_classes(content: dict[str, Any], matched: MatchedClasses, classes: Sequence[str]
                    ) -> dict[str, Any]:
    """Return a point file's content with the model's classes, in their order."""
    ids = {each: number for number, each in enumerate(classes, 1)}
    heads = {matched.names[entry['id']]: entry for entry in content['categories']}
    return {**content,
            'categories': [{**heads.get(each, {}), 'id': ids[each], 'name': each}
                           for each in classes],
            'annotations': [{**entry, 'category_id': ids[known]} for entry in content['annotations']
                            if (known := matched.names.get(entry.get('category_id'))) is not None]}


def use_data(cfg: Config, place: DataPlace, classes: Sequence[str], folder: Path) -> list[str]:
    """Let the test of a config read another data set; return warnings.

    Args:
        cfg: Is changed.
        place: Of the data.
        classes: Of the model.
        folder: Receives a point file where categories are others.

    Raises:
        ValueError: The point file is none, or no category is one of the model's.
    """
    content = load_point_json(place.points)
    matched = match_classes(content, classes, shorten(str(place.points)))
    points = place.points
    if matched.is_changed:
        folder.mkdir(parents=True, exist_ok=True)
        points = write_point_file(folder / POINTS_NAME, convert_classes(content, matched, classes))
    old: Any = cfg.test_dataloader.dataset
    while old.get('dataset'):
        old = old['dataset']
    kept = {key: old[key] for key in ('pipeline', 'points_from', 'readers', 'check_images')
            if old.get(key) is not None}
    readers = read_point_file(points, readers='all').readers
    merged = []
    if len(readers) > 1 and 'readers' not in kept:  # as mmwindow train --data does
        kept['readers'] = 'merge'
        merged = [f'the points are of {count_words(len(readers), "reader")}: findings of more than '
                  f'half of the '
                  'readers of an image are the truth (test_dataloader.dataset.readers)']
    cfg.test_dataloader.dataset = dict(
        type='CocoPointDataset', data_root='', ann_file=str(points.absolute()), test_mode=True,
        data_prefix=dict(img=str(place.images)), metainfo=dict(classes=list(classes)), **kept)
    evaluator = cfg.get('test_evaluator')
    for metric in evaluator if isinstance(evaluator, list) else [evaluator]:
        for key in ('ann_file', 'outfile', 'readers'):  # of the data set before
            metric.pop(key, None)
    return [*matched.warnings, *merged]


def read_files(cfg: Config, splits: Iterable[str]) -> KnownFiles:
    """Return the images of some splits of a config; a point file that cannot be read has none."""
    records, paths = [], []
    for split in splits:
        dataset: Any = (cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}
        while dataset.get('dataset'):
            dataset = dataset['dataset']
        folder = Path(os.path.join(dataset.get('data_root') or '',
                                   (dataset.get('data_prefix') or {}).get('img') or ''))
        for path in annotation_files(cfg, split):
            with suppress(ValueError):
                found = read_point_file(path, points_from=dataset.get('points_from') or 'auto',
                                        readers='all').records
                records += found
                paths += [folder / record.file_name for record in found]
    return KnownFiles(records, paths)


def file_mark(path: Path, size: int) -> str:
    """Return a digest of the size and of three parts of a file."""
    digest = hashlib.sha256(str(size).encode())
    with open(path, 'rb') as stream:
        for place in (0, size // 2, max(0, size - PART)):
            stream.seek(place)
            digest.update(stream.read(PART))
    return digest.hexdigest()


def same_files(first: Sequence[Path], second: Sequence[Path]) -> list[Path]:
    """Return the files of the second list whose content is that of one of the first.

    Only files of one size are read, at most three parts of each.
    """
    sizes: dict[int, list[Path]] = {}
    for path in first:
        with suppress(OSError):
            sizes.setdefault(path.stat().st_size, []).append(path)
    marks: dict[int, set[str]] = {}
    found = []
    for path in second:
        with suppress(OSError):
            size = path.stat().st_size
            if size in sizes:
                if size not in marks:
                    marks[size] = {file_mark(other, size) for other in sizes[size]}
                if file_mark(path, size) in marks[size]:
                    found.append(path)
    return found


def shared_warnings(cfg: Config, points: ModelOperatingPoints | None, is_external: bool) -> list[str]:
    """Return whether the training knew images or patients of a test, a line for each finding.

    Args:
        cfg: Whose test it is, with the training's data sets where they are known.
        points: Of the model, with the digests of the training's annotations.
        is_external: The data set of the test is another than the config's.
    """
    tested = read_files(cfg, ['test'])
    warnings = []
    digests = set()
    for path in annotation_files(cfg, 'test'):
        with suppress(ValueError, OSError):
            digests.add(file_checksum(path))
    if points is not None:
        for digest, what in ((points.training_data, 'the training'), (points.data, 'validation')):
            if digest and digest in digests:
                warnings.append(f'the annotation file is that of {what} itself')
    known = read_files(cfg, ['train', 'val'])
    same = same_files(known.paths, tested.paths)
    if same:
        warnings.append(f'{len(same)} of {count_words(len(tested.paths), "image is", "images are")} '
                        f'files that the training or '
                        f'validation had, too ({name_some([path.name for path in same])}): numbers '
                        'flatter')
    patients = sorted(known.patients & tested.patients)
    if patients:
        hint = ('; make sure that they are others, as names of two sites may be equal'
                if is_external and not same else ': numbers flatter')
        warnings.append(f'{count_words(len(patients), "patient")} of the test '
                        f'({name_some(patients)}) '
                        f'{"has a name" if len(patients) == 1 else "have names"} '
                        f'that the training or validation has, too{hint}')
    sides = [statistics.median(max(record.height, record.width) for record in part.records)
             for part in (known, tested) if part.records]
    if len(sides) == 2 and not 1 / OTHER_SIZE < sides[1] / sides[0] < OTHER_SIZE:
        warnings.append(f'the median long edge of the images is {sides[1]:g} pixels, that of the '
                        f'training {sides[0]:g}: another resolution')
    return warnings


def setting_warnings(points: ModelOperatingPoints | None, input_size: tuple[int, int] | None,
                     preprocessing: str) -> list[str]:
    """Return whether stored thresholds were chosen with other settings, a line for each.

    Args:
        points: Of the model.
        input_size: Of this test.
        preprocessing: Digest of this test's.
    """
    if points is None:
        return []
    if points.input_size is not None and input_size is not None and tuple(
            input_size) != points.input_size:
        return [f'the input is {input_size[0]} x {input_size[1]} pixels; the threshold was chosen at '
                f'{points.input_size[0]} x {points.input_size[1]}']
    if points.preprocessing and preprocessing and points.preprocessing != preprocessing:
        return ['images are prepared in another way than when the threshold was chosen (test '
                'pipeline, --tta or data preprocessor)']
    return []
