"""What a DICOM file says of its image that results can be told apart by."""
from mmwindow.images.dicom_tags import DicomTags

SQUARE = 1e-3  # relative difference of both spacings


def dicom_fields(tags: DicomTags) -> dict[str, int | float | str]:
    """Return modality, side, view, body part and pixel spacing, each where the file says it.

    Nothing of these names a patient or a date.

    Args:
        tags: Of the file.

    Returns:
        ``pixel_spacing`` in mm where pixels are square, else one of ``rows`` and of ``columns``;
        ``pixel_spacing_at`` says whether it holds in the patient or at the detector.

    >>> dicom_fields(DicomTags((.15, .15), 'detector', 'L', modality='DX'))
    {'modality': 'DX', 'laterality': 'L', 'pixel_spacing': 0.15, 'pixel_spacing_at': 'detector'}
    """
    fields: dict[str, int | float | str] = {}
    for key, value in (('modality', tags.modality), ('laterality', tags.laterality),
                       ('view', tags.view), ('body_part', tags.body_part)):
        if value:
            fields[key] = value
    if tags.pixel_spacing is not None:
        rows, columns = tags.pixel_spacing
        if abs(rows - columns) <= SQUARE * rows:
            fields['pixel_spacing'] = rows
        else:
            fields.update(pixel_spacing_rows=rows, pixel_spacing_columns=columns)
        fields['pixel_spacing_at'] = tags.spacing_at
    return fields
