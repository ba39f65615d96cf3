"""Whose image it is: by the source, the file's name, or the tags of a DICOM file.

Identifiers of DICOM files become running numbers unless they are asked for.
"""
import re
from collections import Counter

from mmwindow.annotations.groups import MISSING_WORDS, group_name
from mmwindow.annotations.importers.image_index import FileInfo
from mmwindow.annotations.importers.source import Source, SourceImage
from mmwindow.images.dicom_tags import DicomTags, PatientNumbers
from mmwindow.utils.messages import quote

PATIENT_SOURCES = ('auto', 'dicom', 'none')
BY_STUDY = 'images whose DICOM file names no patient (those of one study are kept together)'
ONE_PATIENT = ('images, all of them, have the same patient in their DICOM files; if that was made '
               'anonymous, say who is who otherwise (--patients PATTERN, or '
               'none: each image by itself)')


def check_pattern(pattern: str | None) -> None:
    """Check a regular expression for file names.

    Raises:
        ValueError: It is none.
    """
    try:
        re.compile(pattern or '')
    except re.error as error:
        raise ValueError(f'the pattern of patients {quote(pattern)} is no regular '
                         f'expression ({error})') from error


class PatientNames:
    """The name of each image's patient.

    Args:
        source: Its own patients come first.
        patients_from: 'auto': the source's, else the pattern's, else, where the source names none at
            all, those of DICOM files; 'dicom': of DICOM files alone; 'none': nobody.
        pattern: Regular expression for a file's path; its first group, or all of it, is the patient.
        keep_ids: Whether identifiers of DICOM files stay; else they are numbered as they come.
        counts: Receives what was assumed.
    """

    def __init__(self, source: Source, patients_from: str, pattern: str | None, keep_ids: bool,
                 counts: Counter[str]) -> None:
        self._pattern, self._keep_ids, self._counts = pattern, keep_ids, counts
        self._from = patients_from
        self._numbers = PatientNumbers()
        self._from_tags: Counter[str] = Counter()
        self.said: dict[str, str] = {}  # place of a file -> its patient, before it is numbered
        self._takes_tags = patients_from == 'dicom' or (
            patients_from == 'auto' and not pattern
            and all(image.group in (None, '') for image in source.images))

    def find(self, image: SourceImage, file: FileInfo, is_dicom: bool) -> str | None:
        """Return the name of an image's patient, None where nobody is named.

        Raises:
            ValueError: The source's own is neither a text nor a whole number.
        """
        if self._from == 'none':
            return None
        if self._takes_tags:
            if is_dicom and file.tags().patient_id:
                self.said[file.place] = file.tags().patient_id
            return self._of_tags(file.tags()) if is_dicom else None
        try:
            name = group_name(image.group)
        except ValueError as error:
            raise ValueError(f'{image.where}: its {error}') from error
        if name is None and self._pattern:
            match = re.search(self._pattern, file.place)
            if match is None:
                self._counts['images whose names do not fit --patients (each a unit of its own)'] += 1
            else:
                name = (match[1] if match.re.groups else match[0]) or None
        if name is not None:
            self.said[file.place] = name
        return name

    def finish(self) -> None:
        """Count what looks wrong with the patients of all images together."""
        if len(self._from_tags) == 1 and self._from_tags.total() > 1:
            self._counts[ONE_PATIENT] = self._from_tags.total()

    def _of_tags(self, tags: DicomTags) -> str | None:
        patient, issuer = tags.patient_id, tags.issuer
        if patient.lower() in MISSING_WORDS or not patient:
            self._counts[BY_STUDY] += 1
            if not tags.study_uid:
                return None
            patient, issuer = '', f'study {tags.study_uid}'  # a patient of its own
        number = self._numbers.number(patient, issuer)
        name = str(number)
        if self._keep_ids:
            name = f'{patient} ({issuer})' if patient and issuer else patient or f'unnamed {number}'
        self._from_tags[name] += 1
        return name
