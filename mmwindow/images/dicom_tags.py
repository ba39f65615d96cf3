"""What importers ask of a DICOM file besides its pixels: spacing, side, view, and whose it is.

Identifiers stay in memory: neither messages nor the printed form of a result shows them.
"""
from dataclasses import dataclass, field
from pathlib import Path

from mmwindow.images.decode import ImageSettings, read_bytes
from mmwindow.images.formats.dicom_elements import Elements, begins_as_dicom

SOP_INSTANCE, PATIENT, ISSUER = 0x00080018, 0x00100020, 0x00100021
BODY_PART, VIEW = 0x00180015, 0x00185101
LATERALITY, IMAGE_LATERALITY = 0x00200060, 0x00200062
DETECTOR_SPACING, SPACING = 0x00181164, 0x00280030
TAGS = (SOP_INSTANCE, PATIENT, ISSUER, BODY_PART, VIEW, LATERALITY, IMAGE_LATERALITY,
        DETECTOR_SPACING, SPACING)
SIDES = ('L', 'R', 'B', 'U')  # left, right, both, unpaired
MAX_CODE = 16  # characters of a code (CS)
HEAD = 160  # bytes by which DICOM is told from others


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
        return f'PatientNumbers({len(self)} patients)'


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
    """

    pixel_spacing: tuple[float, float] | None = None
    spacing_at: str = ''
    laterality: str = ''
    view: str = ''
    body_part: str = ''
    patient_number: int | None = None
    patient_id: str = field(default='', repr=False)
    sop_instance_uid: str = field(default='', repr=False)


def is_dicom_image(path: str | Path) -> bool:
    """Return whether a file of any name begins as DICOM does; a directory of images is none."""
    path = Path(path)
    if path.name.upper() == 'DICOMDIR' or not path.is_file():
        return False
    with open(path, 'rb') as stream:
        return begins_as_dicom(stream.read(HEAD))


def read_dicom_tags(path: str | Path, patients: PatientNumbers | None = None) -> DicomTags:
    """Return what a DICOM file says besides its pixels, which are not decoded.

    Args:
        path: The file.
        patients: Numbers of the patients of all files that are imported; None numbers none.

    Raises:
        ValueError: The file is missing, no DICOM, or damaged; or pydicom is missing.
    """
    name = str(path)
    content = read_bytes(path, ImageSettings(), name)
    if not begins_as_dicom(content):
        raise ValueError(f'{name}: is no DICOM file, whose tags are asked for')
    try:
        elements = Elements.read(content, TAGS, with_pixels=False)
    except ValueError as error:
        raise ValueError(f'{name}: {error}') from None
    spacing, spacing_at = _read_spacing(elements)
    laterality = elements.text(IMAGE_LATERALITY) or elements.text(LATERALITY)
    patient = elements.text(PATIENT)
    number = None
    if patients is not None and patient:
        number = patients.number(patient, elements.text(ISSUER))
    return DicomTags(
        spacing, spacing_at, laterality if laterality in SIDES else '', _code(elements, VIEW),
        _code(elements, BODY_PART), number, patient, elements.text(SOP_INSTANCE))


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
