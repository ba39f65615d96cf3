"""The formats that can be read, and which of them a path is."""
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

from mmwindow.annotations.importers import (
    coco,
    csv_table,
    cvat,
    dicom_sr,
    gsps,
    label_studio,
    labelme,
    mask_images,
    via,
    voc,
    yolo,
)
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.importers.source import Source
from mmwindow.annotations.importers.values import find_files
from mmwindow.utils.files import load_json
from mmwindow.utils.messages import shorten


class Format(NamedTuple):
    """One format, with what the documentation says of it.

    Attributes:
        module: Reads it.
        origin: Where (0, 0) is, and what whole numbers mean.
        turned: Whether coordinates are of the image as shown or as stored.
        negative: How it says that an image was read and nothing found.
        not_carried: What cannot be carried over; it is counted and said.
        is_json: Whether its recognition asks for the content of a JSON file.
    """

    module: ModuleType
    origin: str
    turned: str
    negative: str
    not_carried: str
    is_json: bool = False

    @property
    def title(self) -> str:
        """Return the name for people."""
        return cast(str, self.module.TITLE)

    @property
    def read(self) -> Callable[[Path, ImportOptions], Source]:
        """Return the function that reads a path."""
        return cast(Callable[[Path, ImportOptions], Source], self.module.read)


EDGE = 'outer corner of the first pixel'
SHOWN = 'shown, turned by the orientation tag'
FORMATS = {
    'coco': Format(coco, EDGE, 'stored', 'an image without annotations',
                   'crowds, ignored annotations, keypoints of visibility 0, areas', is_json=True),
    'labelme': Format(labelme, EDGE, SHOWN, 'a file with an empty list of shapes',
                      'lines, flags, group ids', is_json=True),
    'via': Format(via, EDGE, SHOWN, 'an image without regions',
                  'lines, attributes besides the class', is_json=True),
    'label_studio': Format(label_studio, f'{EDGE}; percent of the image', SHOWN,
                           'a finished annotation without regions',
                           'brushes, choices, predictions, cancelled and earlier annotations',
                           is_json=True),
    'cvat': Format(cvat, EDGE, SHOWN, 'an image without shapes',
                   'lines, cuboids, tags, attributes, points marked as outside'),
    'voc': Format(voc, f'{EDGE}; with --pixel-origin 1 pixels count from 1, the last one included',
                  'stored', 'a file without objects', 'parts, flags such as difficult'),
    'yolo': Format(yolo, f'{EDGE}; fractions of width and height', 'stored', 'an empty file',
                   'keypoints of visibility 0; boxes of poses'),
    'csv': Format(csv_table, EDGE, 'stored', 'a row with empty coordinates', 'nothing'),
    'masks': Format(mask_images, 'pixels', 'stored', 'an empty mask', 'nothing'),
    'sr': Format(dicom_sr, EDGE, 'stored', 'an image that a report names and marks nothing in',
                 'lines such as measured lengths, findings without coordinates, texts, values'),
    'gsps': Format(gsps, f'{EDGE}; of DISPLAY units: fractions of the displayed area, whose corner '
                   'pixels count from 1', 'stored', 'not said (--unlisted negative)',
                   'lines, texts, compound graphics, windows'),
}


def recognise_format(path: Path) -> str:
    """Return the name of the format of a file or folder.

    Raises:
        ValueError: There is no such path, none fits, or several do.
    """
    name = shorten(str(path))
    if not path.exists():
        raise ValueError(f'{name}: there is no such file or folder')
    if not path.is_dir() and not path.is_file():
        raise ValueError(f'{name}: it is a pipe or a device; give an ordinary file or a folder')
    content: Any = None
    json_file = path if path.is_file() else next(find_files(path, ('.json', )), None)
    if json_file is not None and json_file.suffix.lower() == '.json':
        content = load_json(json_file, 'annotation file')
    fitting = [key for key, entry in FORMATS.items() if (
        entry.module.recognises(json_file, content) if entry.is_json and content is not None
        else not entry.is_json and entry.module.recognises(path))]
    if path.is_dir() and len(fitting) > 1 and 'labelme' not in fitting:
        fitting = [key for key in fitting if not FORMATS[key].is_json] or fitting
    if len(fitting) == 1:
        return fitting[0]
    names = ', '.join(FORMATS)
    if not fitting:
        raise ValueError(f'{name}: its format is not recognised; --format names it, one of {names}')
    raise ValueError(f'{name}: it may be {" or ".join(fitting)}; --format says which')


def read_source(path: str | Path, options: ImportOptions | None = None, format_name: str | None = None
                ) -> Source:
    """Read an annotation source.

    Args:
        path: File or folder.
        options: What it does not say itself.
        format_name: A key of :data:`FORMATS`; recognised if None.

    Raises:
        ValueError: Anything wrong; the message names file and record.
    """
    path = Path(path)
    if format_name is not None and format_name not in FORMATS:
        raise ValueError(f'--format {shorten(format_name)}: the formats are {", ".join(FORMATS)}')
    key = format_name or recognise_format(path)
    if not path.exists():
        raise ValueError(f'{shorten(str(path))}: there is no such file or folder')
    source = FORMATS[key].read(path, options or ImportOptions())
    source.name = shorten(str(path))
    source.left_out = +source.left_out  # without counts of zero
    if not source.images:
        raise ValueError(f'{shorten(str(path))}: no image is annotated in it as {FORMATS[key].title}')
    if options is not None and options.is_displayed is not None:
        source.is_displayed = options.is_displayed
    return source
