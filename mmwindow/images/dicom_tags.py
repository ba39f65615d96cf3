"""What importers ask of a DICOM file besides its pixels: spacing, side, view, and whose it is.

Identifiers stay in memory: neither messages nor the printed form of a result shows them.
"""
import struct
from dataclasses import dataclass, field
from pathlib import Path

from mmwindow.images.formats.dicom_elements import (
    META_BYTES,
    SOP_CLASS,
    Elements,
    begins_as_dicom,
    read_meta_uid,
)
from mmwindow.utils.messages import count_words, shorten

SOP_INSTANCE, PATIENT, ISSUER = 0x00080018, 0x00100020, 0x00100021
MODALITY, STUDY, BURNED_IN = 0x00080060, 0x0020000d, 0x00280301
BODY_PART, VIEW = 0x00180015, 0x00185101
LATERALITY, IMAGE_LATERALITY = 0x00200060, 0x00200062
DETECTOR_SPACING, SPACING = 0x00181164, 0x00280030
TAGS = (SOP_INSTANCE, PATIENT, ISSUER, BODY_PART, VIEW, LATERALITY, IMAGE_LATERALITY,
        DETECTOR_SPACING, SPACING, MODALITY, STUDY, BURNED_IN)
# Beginnings of SOP classes that hold no image: reports, presentation states, segmentations and raw
# data, directories.
STORAGE = '1.2.840.10008.5.1.4.1.1.'
NO_IMAGES = (f'{STORAGE}88.', f'{STORAGE}11.', f'{STORAGE}66', '1.2.840.10008.1.3.10')
SIDES = ('L', 'R', 'B', 'U')  # left, right, both, unpaired
MAX_CODE = 16  # characters of a code (CS)


class PatientNumbers:
    """Running numbers for patients: 1 for the first one that is asked for, in memory alone.

    >>> numbers = PatientNumbers()
    >>> [numbers.number(patient) for patient in ('A7', 'B2', 'A7')]
    [1, 2, 1]
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}

    def number(self, patient: str, issuer: str = '') -> int:
        """Return the number of a patient.

        Args:
            patient: Identifier.
            issuer: Who gave it: equal identifiers of two issuers are two patients.
        """
        return self._numbers.setdefault((patient, issuer), len(self._numbers) + 1)

    def __len__(self) -> int:
        return len(self._numbers)

    def __repr__(self) -> str:
        return f'PatientNumbers({count_words(len(self), "patient")})'


@dataclass(frozen=True)
class DicomTags:
    """What a DICOM file says besides its pixels.

    Attributes:
        pixel_spacing: mm between rows and between columns, None where it is not said.
        spacing_at: 'detector' (ImagerPixelSpacing: lengths in the patient are shorter), or 'patient'
            (PixelSpacing: calibrated, or as the detector where both are equal).
        laterality: 'L', 'R', 'B', 'U', or '' where it is not said.
        view: ViewPosition, such as 'AP'.
        body_part: BodyPartExamined, such as 'CHEST'.
        patient_number: Running number of the patient, None where no patient is named.
        patient_id: Identifier; it is shown in no printed form.
        sop_instance_uid: By which reports name this image; it is shown in no printed form.
        modality: Such as 'DX'.
        issuer: Who gave the identifier; it is shown in no printed form.
        study_uid: Images of one study are of one patient; it is shown in no printed form.
        has_burned_in_text: Whether the file says that its pixels show text about the patient.
    """

    pixel_spacing: tuple[float, float] | None = None
    spacing_at: str = ''
    laterality: str = ''
    view: str = ''
    body_part: str = ''
    patient_number: int | None = None
    patient_id: str = field(default='', repr=False)
    sop_instance_uid: str = field(default='', repr=False)
    modality: str = ''
    issuer: str = field(default='', repr=False)
    study_uid: str = field(default='', repr=False)
    has_burned_in_text: bool = False


def is_dicom_image(path: str | Path) -> bool:
    """Return whether a file of any name is DICOM and may be an image: no report, no directory."""
    sop_class = read_sop_class(path)
    return sop_class is not None and not sop_class.startswith(NO_IMAGES)


def read_sop_class(path: str | Path) -> str | None:
    """Return which kind of object a file says it holds.

    Returns:
        The UID of its SOP class, '' where its beginning does not say it, None where it is no DICOM
        file, or a directory of others.
    """
    path = Path(path)
    if path.name.upper() == 'DICOMDIR' or not path.is_file():
        return None
    with open(path, 'rb') as stream:
        head = stream.read(META_BYTES)
    if not begins_as_dicom(head):
        return None
    try:
        return read_meta_uid(head, SOP_CLASS)
    except struct.error:
        return ''


def read_dicom_tags(path: str | Path, patients: PatientNumbers | None = None) -> DicomTags:
    """Return what a DICOM file says besides its pixels, which are not read.

    Args:
        path: The file.
        patients: Numbers of the patients of all files that are imported; None numbers none.

    Raises:
        ValueError: The file is missing, no DICOM, or damaged; or pydicom is missing.
    """
    name = shorten(str(path))
    try:
        if not Path(path).is_file():
            raise ValueError(f'{name}: there is no such file')
        with open(path, 'rb') as stream:
            is_dicom = begins_as_dicom(stream.read(META_BYTES))
            if not is_dicom:
                raise ValueError(f'{name}: is no DICOM file, whose tags are asked for')
            stream.seek(0)
            elements = Elements.read(stream, TAGS, with_pixels=False)
            return _collect_tags(elements, patients)
    except OSError as error:
        raise ValueError(f'{name}: cannot be read ({error.strerror or error})') from error
    except ValueError as error:
        if str(error).startswith(name):
            raise
        raise ValueError(f'{name}: {error}') from None


def _collect_tags(elements: Elements, patients: PatientNumbers | None) -> DicomTags:
    spacing, spacing_at = _read_spacing(elements)
    laterality = elements.text(IMAGE_LATERALITY) or elements.text(LATERALITY)
    patient, issuer = elements.text(PATIENT), elements.text(ISSUER)
    number = None
    if patients is not None and patient:
        number = patients.number(patient, issuer)
    return DicomTags(
        spacing, spacing_at, laterality if laterality in SIDES else '', _code(elements, VIEW),
        _code(elements, BODY_PART), number, patient, elements.text(SOP_INSTANCE),
        _code(elements, MODALITY), issuer, elements.text(STUDY), elements.text(BURNED_IN) == 'YES')


def _read_spacing(elements: Elements) -> tuple[tuple[float, float] | None, str]:
    """Return mm between rows and columns and where they hold; values that mean nothing are none."""
    for tag, place in ((SPACING, 'patient'), (DETECTOR_SPACING, 'detector')):
        try:
            values = elements.decimals(tag)
        except ValueError:
            continue
        if len(values) == 2 and min(values) > 0:
            return (values[0], values[1]), place
    return None, ''


def _code(elements: Elements, tag: int) -> str:
    """Return a code (CS), '' for what none can be: a free text may name somebody."""
    text = elements.text(tag)
    is_code = len(text) <= MAX_CODE and all(
        'A' <= letter <= 'Z' or letter.isdigit() or letter in ' _' for letter in text)
    return text if is_code else ''
