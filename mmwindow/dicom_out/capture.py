"""Secondary captures: a picture of the findings that every viewer shows, with burnt-in words."""
from typing import Any

import cv2
import numpy as np

from mmwindow.dicom_out.marks import DISCLAIMER, MANUFACTURER, PRODUCT, FoundImage
from mmwindow.dicom_out.source import copy_side, import_highdicom

SERIES_NUMBER = 9903


def burn_disclaimer(picture: np.ndarray) -> np.ndarray:
    """Return a picture below which a black strip with the disclaimer was added.

    Args:
        picture: ``(H, W, 3)`` uint8.

    Returns:
        ``(H + strip, W, 3)``; no pixel of the picture is covered.
    """
    height, width = picture.shape[:2]
    size = width / 900  # letters of 20 pixels at a width of 900
    (wide, high), base = cv2.getTextSize(DISCLAIMER, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    strip = np.zeros((max(2 * (high + base), 12), width, 3), np.uint8)
    cv2.putText(strip, DISCLAIMER, (max(0, (width - wide) // 2), int(1.5 * high + base / 2)),
                cv2.FONT_HERSHEY_SIMPLEX, size, (255, 220, 0), max(1, round(2 * size)), cv2.LINE_AA)
    return np.concatenate([picture, strip])


def make_capture(source: Any, found: FoundImage, picture: np.ndarray) -> Any:
    """Return a secondary capture of a picture.

    Args:
        source: From :func:`~mmwindow.dicom_out.source.read_source`.
        found: What is said of the image.
        picture: ``(H, W, 3)`` RGB uint8, with the findings.

    Returns:
        highdicom.sc.SCImage: DERIVED, with BurnedInAnnotation YES.

    Raises:
        ValueError: highdicom is missing.
    """
    hd, sc = import_highdicom(), import_highdicom('.sc')
    import pydicom
    orientation = [str(part) for part in source.get('PatientOrientation') or []]
    capture = sc.SCImage.from_ref_dataset(
        ref_dataset=source, pixel_array=burn_disclaimer(np.ascontiguousarray(picture)),
        photometric_interpretation='RGB', bits_allocated=8, coordinate_system='PATIENT',
        series_instance_uid=hd.UID(), series_number=SERIES_NUMBER, sop_instance_uid=hd.UID(),
        instance_number=1, manufacturer=MANUFACTURER, manufacturer_model_name=PRODUCT,
        software_versions=found.version, device_serial_number='0',
        patient_orientation=('L', 'F'),
        series_description='mmwindow findings, not for clinical use')
    # A radiograph often does not say how it is turned: the element may be empty, never guessed.
    capture.PatientOrientation = orientation if len(orientation) == 2 else None
    capture.copy_patient_and_study_information(source)
    capture.BurnedInAnnotation = 'YES'
    capture.RecognizableVisualFeatures = 'NO'
    capture.ImageComments = DISCLAIMER
    capture.DerivationDescription = f'Findings of {found.model[:64]} painted over the image'
    reference = pydicom.Dataset()
    reference.ReferencedSOPClassUID = source.SOPClassUID
    reference.ReferencedSOPInstanceUID = source.SOPInstanceUID
    capture.SourceImageSequence = [reference]
    copy_side(source, capture, is_image=True)
    return capture
