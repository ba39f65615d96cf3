"""YOLO text files: one an image, a line a finding, in fractions of width and height.

`Format <https://docs.ultralytics.com/datasets/>`_: ``class cx cy w h`` (detect), ``class x1 y1 x2 y2
x3 y3 ..`` (segment), ``class cx cy w h px py [visibility] ..`` (pose; ``kpt_shape`` of ``data.yaml``
says so). An empty file is a negative image; an image without a file is one that the source does not
mention.
"""
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.importers.source import (
    Point,
    Shape,
    Source,
    SourceFinding,
    SourceImage,
    box_outline,
    polygon_outline,
)
from mmwindow.annotations.importers.values import as_name, as_number, find_files, read_text
from mmwindow.utils.messages import count_words, quote, shorten

TITLE = 'YOLO text files'
NAMES_FILES = ('data.yaml', 'dataset.yaml', 'data.yml', 'classes.txt', 'obj.names')


def recognises(path: Path) -> bool:
    """Tell whether a folder holds YOLO's text files."""
    if not path.is_dir():
        return path.name in ('data.yaml', 'dataset.yaml', 'data.yml')
    first = next((file for file in find_files(path, ('.txt', ))
                  if file.name not in NAMES_FILES), None)
    if first is None:
        return False
    words = read_text(first, 'label file').split('\n')[0].split()
    if not words:  # an empty file: only the names tell
        return any((path / name).is_file() for name in NAMES_FILES)
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return False
    return len(numbers) >= 5 and numbers[0] == int(numbers[0])


def read(path: Path, options: ImportOptions) -> Source:
    """Read a folder of YOLO's label files.

    Raises:
        ValueError: Anything wrong; the message names file and line.
    """
    folder = path if path.is_dir() else path.parent
    names, keypoint_shape = _read_names(folder, options.names)
    source = Source('yolo', [], classes=tuple(names))
    files = [file for file in find_files(folder, ('.txt', )) if file.name not in NAMES_FILES
             and file != options.names]
    labels = [file for file in files if 'labels' in file.relative_to(folder).parts[:-1]]
    for file in labels or files:
        # images/train/a.png belongs to labels/train/a.txt
        stem = file.relative_to(folder).with_suffix('')
        name = '/'.join('images' if part == 'labels' else part for part in stem.parts)
        image = SourceImage(name, shorten(str(file)), in_pixels=False)
        for number, line in enumerate(read_text(file, 'label file').split('\n'), start=1):
            if line.strip():
                _read_line(line, f'{shorten(str(file))}: line {number}', names, keypoint_shape, image,
                           source)
        source.images.append(image)
    return source


def _read_line(line: str, where: str, names: list[str], keypoint_shape: tuple[int, int] | None,
               image: SourceImage, source: Source) -> None:
    numbers = [as_number(word, where, 'a value') for word in line.split()]
    index = int(numbers[0])
    if numbers[0] != index or not 0 <= index < len(names or [0] * 10_000):
        raise ValueError(f'{where}: class {numbers[0]:g} is not among the '
                         f'{count_words(len(names), "class", "classes")}')
    label = names[index] if names else f'class {index}'
    rest = numbers[1:]
    if any(not -1e-3 <= value <= 1 + 1e-3 for position, value in enumerate(rest)
           if not (keypoint_shape and keypoint_shape[1] == 3 and position >= 4
                   and (position - 4) % 3 == 2)):
        raise ValueError(f'{where}: {shorten(line.strip(), 80)}: values between 0 and 1 are '
                         'expected, fractions of width and height')
    shapes = _read_shapes(rest, where, keypoint_shape, source)
    image.has_unread_marks |= not shapes
    for shape in shapes:
        image.findings.append(SourceFinding(shape, label, where))


def _read_shapes(values: list[float], where: str, keypoint_shape: tuple[int, int] | None,
                 source: Source) -> list[Shape]:
    if keypoint_shape:
        count, size = keypoint_shape
        if len(values) != 4 + count * size:
            raise ValueError(f'{where}: {count_words(len(values) + 1, "column")}; kpt_shape '
                             f'[{count}, {size}] asks '
                             f'for {5 + count * size}')
        points: list[Shape] = []
        for start in range(4, len(values), size):
            visibility = values[start + 2] if size == 3 else 2
            if visibility == 0:
                source.left_out['keypoints of visibility 0 (nobody set them)'] += 1
            else:
                points.append(Point(values[start], values[start + 1]))
        return points
    if len(values) == 4:
        x, y, width, height = values
        if width < 0 or height < 0:
            raise ValueError(f'{where}: a box of negative size')
        return [box_outline(x - width / 2, y - height / 2, x + width / 2, y + height / 2)]
    if len(values) < 6 or len(values) % 2:
        raise ValueError(f'{where}: {count_words(len(values) + 1, "column")}; 5 are a box, 7, 9, .. '
                         f'a polygon. '
                         'Files of keypoints need a data.yaml with kpt_shape next to them')
    return [polygon_outline([np.reshape(values, (-1, 2))], where)]


def _read_names(folder: Path, names_file: Path | None) -> tuple[list[str], tuple[int, int] | None]:
    """Return the names of the classes in order, and the number and size of keypoints."""
    places = [names_file] if names_file else [
        place / name for place in (folder, folder.parent) for name in NAMES_FILES]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        if names_file:
            raise ValueError(f'{shorten(str(names_file))}: there is no such file of class names')
        return [], None
    where = shorten(str(file))
    text = read_text(file, 'file of class names')
    if file.suffix not in ('.yaml', '.yml'):
        lines = [as_name(line, where, 'a class') for line in text.split('\n') if line.strip()]
        if not lines:
            raise ValueError(f'{where}: it names no class')
        return lines, None
    content = _load_yaml(text, where)
    names = content.get('names')
    if isinstance(names, dict):
        if set(names) != set(range(len(names))):
            raise ValueError(f'{where}: the numbers of its names are {quote(list(names))}; 0, 1, .. '
                             'are expected')
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise ValueError(f'{where}: its names are {quote(names)}; a list is expected')
    shape = content.get('kpt_shape')
    if shape is not None and (not isinstance(shape, list) or len(shape) != 2
                              or shape[1] not in (2, 3) or not isinstance(shape[0], int)):
        raise ValueError(f'{where}: kpt_shape is {quote(shape)}; [number, 2 or 3] is expected')
    classes = [as_name(str(name), where, 'a class') for name in names]
    return classes, None if shape is None else (shape[0], shape[1])


def _load_yaml(text: str, where: str) -> dict[str, Any]:
    try:
        import yaml
    except ImportError as error:
        raise ValueError(f'{where}: reading YAML needs the package pyyaml: pip install pyyaml; or '
                         'name the classes in a text file (--names)') from error

    class PlainLoader(yaml.SafeLoader):  # never objects of Python
        """Reject aliases: a hundred bytes of them are a list whose text has no end."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.events.AliasEvent):
                raise yaml.YAMLError('it holds an alias (*), which is not read')
            return super().compose_node(parent, index)

    try:
        content = yaml.load(text, PlainLoader)  # noqa: S506  (it is a safe one)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = shorten(' '.join(str(error).split()), 100)
        raise ValueError(f'{where}: no YAML ({reason})') from error
    if not isinstance(content, dict):
        raise ValueError(f'{where}: no YAML with names')
    return content
