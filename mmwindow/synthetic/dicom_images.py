"""A synthetic radiograph as a DICOM file of a patient who does not exist."""
from pathlib import Path

import numpy as np


def write_dicom(path: Path, pixels: np.ndarray, patient: str, number: int,
                inverted: bool = False) -> None:
    """Write an image as a digital radiograph of 12 bits.

    Args:
        path: The file.
        pixels: H x W, uint8, white is high.
        patient: Its PatientID; the name is ``Synthetic^NUMBER``.
        number: Of the image; its identifiers are made of it.
        inverted: Store it as MONOCHROME1, where low values are shown white.

    Raises:
        ImportError: pydicom is missing: ``pip install 'mmwindow[dicom]'``.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian
    root = '1.2.826.0.1.3680043.8.498.1207'  # below pydicom's own root: of no real device
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = Dataset()
    image.file_meta = meta
    image.SOPClassUID = meta.MediaStorageSOPClassUID = UID('1.2.840.10008.5.1.4.1.1.1.1')  # DX
    image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = UID(f'{root}.1.{number}')
    image.SeriesInstanceUID, image.StudyInstanceUID = f'{root}.2.{number}', f'{root}.3.{number}'
    image.PatientID, image.PatientName = patient, f'Synthetic^{patient}'
    image.PatientBirthDate, image.StudyDate = '19000101', '20260302'
    image.Modality, image.BodyPartExamined = 'DX', 'LEG'
    image.ImageLaterality = 'L' if number % 2 else 'R'
    image.ImagerPixelSpacing = [.5, .5]
    image.PresentationIntentType = 'FOR PRESENTATION'
    image.Rows, image.Columns = pixels.shape
    image.SamplesPerPixel, image.BitsAllocated, image.BitsStored, image.HighBit = 1, 16, 12, 11
    image.PixelRepresentation = 0
    stored = pixels.astype(np.uint16) * 16 + 8
    image.PhotometricInterpretation = 'MONOCHROME1' if inverted else 'MONOCHROME2'
    image.WindowCenter, image.WindowWidth = 2048, 4096
    image.PixelData = (4095 - stored if inverted else stored).astype('<u2').tobytes()
    image.save_as(path, enforce_file_format=True)
