"""Findings as CSV, one a row: ``file,x,y,score[,class]``, of boxes ``file,x1,y1,x2,y2,score``.

The first line names the columns, in any order (:data:`COLUMNS`); cells are separated by commas,
numbers have a decimal point. A point is a point of confidence, as in LUNA16: only the hit rules that
read a finding's centre judge it. Format: docs/evaluation.md.
"""
import contextlib
import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmwindow.evaluation.files.ground_truth import GroundTruth
from mmwindow.evaluation.files.image_names import ImageNames
from mmwindow.evaluation.files.predictions import Prediction
from mmwindow.utils.files import check_ordinary_file
from mmwindow.utils.messages import count_words, name_some, quote, shorten

# Names of a column, in any case, with or without underscores, hyphens and blanks.
COLUMNS = dict(
    file=('file', 'filename', 'image', 'imagename', 'img', 'path', 'seriesuid'),
    image_id=('imageid', ),
    x=('x', 'coordx', 'xpx', 'centrex', 'centerx'), y=('y', 'coordy', 'ypx', 'centrey', 'centery'),
    x1=('x1', 'xmin', 'left'), y1=('y1', 'ymin', 'top'),
    x2=('x2', 'xmax', 'right'), y2=('y2', 'ymax', 'bottom'),
    score=('score', 'probability', 'prob', 'confidence', 'conf'),
    image_score=('imagescore', ),
    **{'class': ('class', 'classname', 'label', 'category', 'categoryname')})
POINT, BOX = ('x', 'y'), ('x1', 'y1', 'x2', 'y2')
EXPECTED = 'file,x,y,score[,class] or file,x1,y1,x2,y2,score[,class]'


class Header(NamedTuple):
    """What the first line of a CSV says.

    Attributes:
        columns: Name of :data:`COLUMNS` to the number of the cell.
        places: ``POINT`` or ``BOX``.
        num_cells: Of a row.
    """

    columns: dict[str, int]
    places: tuple[str, ...]
    num_cells: int

    @property
    def name(self) -> str:
        """The column that names the image."""
        return 'file' if 'file' in self.columns else 'image_id'


def parse_header(cells: list[str], where: str) -> Header:
    """Return what the cells of the first line say.

    Args:
        cells: As they are.
        where: Names the file, for messages.

    Raises:
        ValueError: They are no header, or a column is missing, unknown or there twice.
    """
    first = ','.join(cells)
    separators = [name for text, name in ((';', 'semicolons'), ('\t', 'tabs')) if text in first]
    if separators:
        raise ValueError(f'{where}: its cells are separated by {separators[0]}; separate them by '
                         'commas, and write numbers with a decimal point')
    known = {alias: name for name, aliases in COLUMNS.items() for alias in aliases}
    columns: dict[str, int] = {}
    for number, cell in enumerate(cells):
        short = ''.join(sign for sign in cell.lower() if sign not in ' _-')
        if short in ('z', 'coordz'):
            raise ValueError(f'{where}: its column {quote(cell.strip())} is a third coordinate; '
                             'findings are scored in an image, x and y')
        if short not in known or known[short] in columns:
            raise ValueError(
                f'{where}: its first line is {quote(first)}; a column {quote(cell.strip())} is '
                f'{"there twice" if short in known else "unknown"}, a header such as {EXPECTED} is '
                'expected')
        columns[known[short]] = number
    places = [place for place in (POINT, BOX) if set(place) & set(columns)]
    needed = [*(places[0] if places else POINT), 'score']
    missing = [name for name in needed if name not in columns]
    if len(places) > 1 or missing or ('file' in columns) == ('image_id' in columns):
        raise ValueError(f'{where}: its first line is {quote(first)}; a header such as {EXPECTED} is '
                         'expected' + (f', {" and ".join(missing)} missing' if missing else ''))
    return Header(columns, places[0], len(cells))


@contextlib.contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn what reading a CSV can raise into a ``ValueError`` that names the file."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise ValueError(f'{path}: no text in UTF-8 ({shorten(str(error), 80)}); save the table as '
                         'CSV in UTF-8') from error
    except (OSError, csv.Error) as error:
        raise ValueError(f'{path}: no CSV that can be read ({shorten(str(error), 80)}); write it '
                         'again') from error


def read_header(path: str | Path) -> Header:
    """Return what the first line of a CSV says.

    Raises:
        ValueError: As :func:`parse_header`; or it is no text.
    """
    path = Path(path)
    check_ordinary_file(path, 'CSV file')
    with named_errors(path), open(path, encoding='utf-8-sig', newline='') as stream:
        return parse_header(next(csv.reader(stream, strict=True), []), f'{path}')


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line below the header; blank lines are passed over."""
    with named_errors(path), open(path, encoding='utf-8-sig', newline='') as stream:
        reader = csv.reader(stream, strict=True)
        next(reader, None)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells


def parse_number(cell: str, where: str, name: str) -> float:
    """Return the number of a cell; what Python alone reads as one (nan, inf, 1_000) is none."""
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or '_' in cell:
        hint = '; write a decimal point, not a comma' if ',' in cell else ''
        raise ValueError(f'{where} has the {name} {quote(cell, 60)}; a finite number is expected'
                         f'{hint}')
    return value


class ImageRows:
    """The rows of one image, as they come.

    Attributes:
        findings: Numbers and label of each, once.
        image_scores: Label to score.
        num_repeated: Rows that were there before.
    """

    def __init__(self) -> None:
        self.findings: dict[tuple[float, ...], None] = {}
        self.image_scores: dict[int, float] = {}
        self.num_repeated = 0

    def add(self, finding: tuple[float, ...]) -> None:
        """Add a finding; one of the same place, score and class is counted instead."""
        if finding in self.findings:
            self.num_repeated += 1
        else:
            self.findings[finding] = None


class RowReader:
    """Sort the rows of a CSV by image.

    Args:
        path: The file.
        truth: The images and classes they belong to.
    """

    def __init__(self, path: Path, truth: GroundTruth) -> None:
        self.path, self.truth = path, truth
        self.header = read_header(path)
        self.names = ImageNames(truth.targets, path)
        self.labels = {name: label for label, name in enumerate(truth.classes)}
        self.found: dict[str, ImageRows] = {}  # by the name of the image as it is in the file
        self.images: dict[Any, ImageRows] = {}
        columns = self.header.columns
        self.number_cells = [columns[name] for name in (*self.header.places, 'score')]
        self.class_cell, self.score_cell = columns.get('class'), columns.get('image_score')
        if len(self.labels) > 1 and 'class' not in self.header.columns:
            raise ValueError(f'{path}: the annotations have the classes {name_some(self.labels)}; a '
                             'column class is expected that names one of them in each row')

    def add(self, line: int, cells: list[str]) -> None:
        """Add a row.

        Raises:
            ValueError: It cannot be used; the message names the line.
        """
        if len(cells) != self.header.num_cells:
            raise ValueError(
                f'{self.where(line)} has {count_words(len(cells), "cell")}, the first line '
                f'{self.header.num_cells}; write numbers with a decimal point, and names with a '
                'comma in quotes')
        name = cells[self.header.columns[self.header.name]]
        rows = self.found[name] if name in self.found else self.find_rows(name, line)
        texts = [cells[number] for number in self.number_cells]
        has_score = self.score_cell is not None and bool(cells[self.score_cell].strip())
        if not has_score and not any(text.strip() for text in texts):
            return  # the image has no finding
        label = self.find_label(cells, line)
        if self.score_cell is not None and has_score:
            value = parse_number(cells[self.score_cell], self.where(line), 'image_score')
            if rows.image_scores.setdefault(label, value) != value:
                raise ValueError(f'{self.where(line)} has the image_score {value:g}, a line before '
                                 f'it {rows.image_scores[label]:g}; an image has one score')
        try:
            numbers = tuple(map(float, texts))
        except ValueError:
            numbers = ()
        if not numbers or '_' in ''.join(texts) or not all(map(math.isfinite, numbers)):
            if not any(text.strip() for text in texts):
                return
            numbers = tuple(parse_number(text, self.where(line), name) for name, text in zip(
                (*self.header.places, 'score'), texts, strict=True))
        rows.add((*numbers, label))

    def where(self, line: int) -> str:
        """Return how messages name a line."""
        return f'{self.path}: line {line}'

    def find_rows(self, name: str, line: int) -> ImageRows:
        """Return the rows of the image that a cell names."""
        key = name.strip()
        if not key:
            raise ValueError(f'{self.where(line)} names no image')
        files = self.names.find_file(key) if self.header.name == 'file' else set()
        try:
            image_id = next(iter(files)) if len(files) == 1 else self.names.find(key)
            if files:
                self.names.note(image_id, key)
        except ValueError as error:
            raise ValueError(f'{self.where(line)}: {str(error).removeprefix(f"{self.path}: ")}'
                             ) from error
        self.found[name] = self.images.setdefault(image_id, ImageRows())
        return self.found[name]

    def find_label(self, cells: list[str], line: int) -> int:
        """Return the label of the class that a row names."""
        if self.class_cell is None:
            return 0
        name = cells[self.class_cell].strip()
        if name not in self.labels:
            raise ValueError(f'{self.where(line)} has the class {quote(name)}; the annotations have '
                             f'{name_some(self.labels)}')
        return self.labels[name]

    def image_scores(self, image_id: Any) -> list[float] | None:
        """Return the scores of an image by class; None where the file has none.

        Raises:
            ValueError: It has some, but not of this image and each class.
        """
        if 'image_score' not in self.header.columns:
            return None
        rows = self.images.get(image_id)
        scores = {} if rows is None else rows.image_scores
        missing = [name for name, label in self.labels.items() if label not in scores]
        if missing:
            raise ValueError(f'{self.path}: image {quote(image_id)} has no image_score'
                             + (f' of the class {quote(missing[0])}' if len(self.labels) > 1 else '')
                             + '; give each image one, in a row without x, y and score where it has '
                             'no finding')
        return [scores[label] for label in self.labels.values()]


def read_csv(path: str | Path, truth: GroundTruth) -> Iterator[Prediction]:
    """Yield the points or boxes of a CSV, one prediction an image, in the order of their first rows.

    An image without a row is not predicted, unless the file has image scores: then each needs one. A
    row without place and score says that its image has no finding. A row that is there twice counts
    once.

    Args:
        path: The file.
        truth: The images and classes they belong to.

    Raises:
        ValueError: A cell, a name or the header cannot be used; the message names the line.
    """
    reader = RowReader(Path(path), truth)
    for line, cells in read_rows(reader.path):
        reader.add(line, cells)
    if 'image_score' in reader.header.columns:
        for target in truth.targets:
            reader.image_scores(target.image_id)
    width, key = len(reader.header.places), 'points' if reader.header.places == POINT else 'boxes'
    for image_id, rows in reader.images.items():
        table = np.array(list(rows.findings), dtype=np.float64).reshape(-1, width + 2)
        places: dict[str, Any] = {key: table[:, :width]}
        yield Prediction(image_id, scores=table[:, width], labels=table[:, width + 1].astype(int),
                         image_scores=reader.image_scores(image_id), num_repeated=rows.num_repeated,
                         **places)
