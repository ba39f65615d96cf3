"""The DICOM image that results are about: what is copied from it, and what must be there."""
import copy
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
        source.decode()
    except Exception as error:  # pydicom raises errors of many kinds
        raise ValueError(f'{name}: no DICOM file that can be read ({shorten(str(error), 80)})'
                         ) from error
    return complete_source(source, name)


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
    return completed


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
