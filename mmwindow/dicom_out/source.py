"""The DICOM image that results are about: what is copied from it, and what must be there."""
import copy
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from mmwindow.utils.messages import shorten

INSTALL = 'pip install "mmwindow[reports]", or pip install -r requirements/reports.txt'
NEEDED = ('StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID', 'SOPClassUID', 'Rows', 'Columns')
# Must be in every object (type 2); may be empty.
MAY_BE_EMPTY = ('PatientID', 'PatientName', 'PatientBirthDate', 'PatientSex', 'AccessionNumber',
                'StudyID', 'StudyDate', 'StudyTime', 'ReferringPhysicianName')
MAX_UID = 64
WINDOW = ('WindowCenter', 'WindowWidth')
WINDOW_WORDS = ('WindowCenterWidthExplanation', 'VOILUTFunction')
# Of patient and study, what highdicom rejects: with the value, which a message must not show.
DATE, TIME = 'date of DICOM (YYYYMMDD)', 'time of DICOM (HHMMSS)'
CHECKED = {'PatientBirthDate': DATE, 'StudyDate': DATE, 'StudyTime': TIME,
           'PatientSex': 'code of DICOM (M, F or O)'}
# Body parts of radiographs (PS3.16, CID 4009) of which a patient has one.
WITHOUT_SIDES = frozenset((
    'ABDOMEN', 'CHEST', 'COCCYX', 'CSPINE', 'HEAD', 'LSPINE', 'LSSPINE', 'NECK', 'PELVIS', 'SACRUM',
    'SKULL', 'SPINE', 'SSPINE', 'STERNUM', 'TLSPINE', 'TSPINE'))


def import_highdicom(part: str = '') -> ModuleType:
    """Return highdicom, or a part of it.

    Raises:
        ValueError: It is not installed.
    """
    try:
        return import_module(f'highdicom{part}')
    except ImportError as error:
        raise ValueError(f'DICOM objects are written by highdicom, which is not installed ({error}); '
                         f'{INSTALL}') from error


def read_source(path: str | Path) -> Any:
    """Return the elements of a DICOM image without its pixels, complete where they may be empty.

    Args:
        path: The file.

    Returns:
        pydicom.Dataset: The file itself is not changed.

    Raises:
        ValueError: It is no DICOM image, lacks an identifier, or highdicom is missing.
    """
    import_highdicom()
    import pydicom
    name = shorten(str(path))
    try:
        source = pydicom.dcmread(path, stop_before_pixels=True)
    except Exception as error:  # pydicom raises errors of many kinds
        raise ValueError(f'{name}: no DICOM file that can be read ({shorten(str(error), 80)})'
                         ) from error
    check_elements(source, name)
    return complete_source(source, name)


def check_elements(source: Any, name: str) -> None:
    """Reject elements that cannot be read or copied; a message never shows a value.

    Args:
        source: Elements of an image; those that are read become what they say.
        name: Of the file, for the messages.

    Raises:
        ValueError: The message names the elements.
    """
    from pydicom.valuerep import DA, TM
    unread = list(dict.fromkeys(_unread_elements(source)))
    if unread:
        raise ValueError(f'{name}: no DICOM file that can be read: its {" and ".join(unread)} '
                         f'cannot; correct or remove {"them" if unread[1:] else "it"}')
    try:
        source.decode()
    except Exception as error:
        raise ValueError(f'{name}: no DICOM file that can be read: its text is not in the '
                         'SpecificCharacterSet that it names; correct it') from error
    for keyword, what in CHECKED.items():
        value = str(source.get(keyword) or '')
        try:
            is_good = value in ('', 'M', 'F', 'O') if keyword == 'PatientSex' else not value or bool(
                (TM if what == TIME else DA)(value))
        except ValueError:
            is_good = False
        if not is_good:
            raise ValueError(f'{name}: its {keyword} is no {what}; correct or empty it')


def _unread_elements(dataset: Any) -> Iterator[str]:
    """Yield the names of elements that pydicom cannot read, those within sequences, too."""
    from pydicom.datadict import keyword_for_tag
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]  # is read where it is asked for
        except Exception:  # pydicom raises errors of many kinds
            yield keyword_for_tag(tag) or str(tag)
            continue
        for item in element.value if element.VR == 'SQ' else ():
            yield from _unread_elements(item)


def complete_source(source: Any, name: str) -> Any:
    """Return a copy of a source's elements in which what may be empty is there.

    Args:
        source: Elements of an image.
        name: Of the file, for the messages.

    Raises:
        ValueError: An identifier is missing or no UID.
    """
    from pydicom.uid import UID
    missing = [keyword for keyword in NEEDED if not source.get(keyword)]
    if missing:
        raise ValueError(f'{name}: it has no {" and no ".join(missing)}, by which a result names its '
                         'image and study; take the file as the archive has it')
    for keyword in NEEDED[:4]:
        value = str(source[keyword].value)
        if len(value) > MAX_UID or not UID(value).is_valid:
            raise ValueError(f'{name}: its {keyword} is no identifier of DICOM (digits and dots, at '
                             f'most {MAX_UID})')
    completed = copy.deepcopy(source)
    completed.SpecificCharacterSet = 'ISO_IR 192'  # UTF-8, for names of any patient and class
    for keyword in MAY_BE_EMPTY:
        if keyword not in completed:
            setattr(completed, keyword, '')
    keep_readable_windows(completed)
    return completed


def keep_readable_windows(source: Any) -> None:
    """Take windows out of elements as far as images are read without them (docs/images.md).

    Args:
        source: Is changed: an empty window goes, and of several that do not fit together all but the
            first; words about windows of another number go; next to a window, so does a VOI LUT.
    """
    values = {keyword: _values(source, keyword) for keyword in (*WINDOW, *WINDOW_WORDS)}
    number = min(len(values[keyword]) for keyword in WINDOW)
    if number < max(len(values[keyword]) for keyword in WINDOW):
        number = min(number, 1)
        for keyword in WINDOW if number else ():
            setattr(source, keyword, values[keyword][0])
    elif number and 'VOILUTSequence' in source:
        del source.VOILUTSequence
    explanation, function = WINDOW_WORDS
    gone = [*([] if number else WINDOW),
            *([] if number and len(values[explanation]) == number else [explanation]),
            *([] if number and values[function] else [function])]
    for keyword in gone:
        if keyword in source:
            delattr(source, keyword)


def _values(source: Any, keyword: str) -> list[Any]:
    """Return the values of an element that are not empty, one or several."""
    value = source.get(keyword)
    several = [value] if value is None or isinstance(value, str) or not hasattr(
        value, '__len__') else list(value)
    return [one for one in several if one not in (None, '')]


def side_of(source: Any) -> str:
    """Return the side that an image shows, 'L' or 'R'; '' where it is not said."""
    for keyword in ('ImageLaterality', 'Laterality'):
        value = str(source.get(keyword) or '').strip().upper()
        if value in ('L', 'R'):
            return value
    return ''


def copy_side(source: Any, target: Any, is_image: bool = False) -> None:
    """Copy body part and side of an image into an object that is no report, whose IOD has neither.

    A body part of two sides needs it (type 2C): where nobody said it, it is there and empty, unless
    the body part has no sides.

    Args:
        source: Elements of the image.
        target: Is changed.
        is_image: Whether the object is an image, for which both sides may be said.
    """
    part = str(source.get('BodyPartExamined') or '').strip().upper()
    if part:
        target.BodyPartExamined = part
    if is_image and source.get('ImageLaterality'):
        target.ImageLaterality = source.ImageLaterality
    elif side_of(source) or part not in WITHOUT_SIDES:
        target.Laterality = side_of(source)


def name_elements(error: Exception) -> list[str]:
    """Return the names of elements in the words of an error of highdicom or pydicom, and no more.

    Its other words may be a patient's.

    >>> name_elements(ValueError("PatientAge: invalid value 'Doe'; see PatientAge"))
    ['PatientAge']
    """
    from pydicom.datadict import tag_for_keyword
    words = dict.fromkeys(re.findall('[A-Z][A-Za-z]+', str(error)))
    return [word for word in words if tag_for_keyword(word) is not None]
