"""DICOM images: the decoder, the check before a training, and pydicom as the independent reading."""
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing.dicom_mutators import mutate_dicom
from fuzzing.harness import Case, Reader, Seed, SkipComparison
from fuzzing.readers_images import as_seeds, by_bytes, pixels, read_image_file, save

LEVELS = 2  # of grey between two roundings
RLE, JPEG_8 = '1.2.840.10008.1.2.5', '1.2.840.10008.1.2.4.50'
JPEG_LS, JPEG_2000 = '1.2.840.10008.1.2.4.80', '1.2.840.10008.1.2.4.90'
JPEG_LOSSLESS = '1.2.840.10008.1.2.4.70'


def make_file(values: np.ndarray, bits: int, elements: dict[str, Any] | None = None,
              syntax: str = '1.2.840.10008.1.2.1', signed: bool = False) -> bytes:
    """Return a DICOM file as pydicom writes it.

    Args:
        values: ``(H, W)``, what is stored.
        bits: Stored.
        elements: Keyword to value, besides the usual ones.
        syntax: UID of a transfer syntax without compression.
        signed: Whether values are in two's complement.
    """
    import pydicom
    from pydicom.uid import UID

    data_set = pydicom.Dataset()
    data_set.file_meta = pydicom.dataset.FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = UID(syntax)
    allocated = 8 if bits <= 8 else 16
    data_set.update(dict(
        SOPClassUID='1.2.840.10008.5.1.4.1.1.1.1', SOPInstanceUID='1.2.3.4', PatientID='p1',
        Rows=values.shape[0], Columns=values.shape[1], SamplesPerPixel=1,
        PhotometricInterpretation='MONOCHROME2', BitsAllocated=allocated, BitsStored=bits,
        HighBit=bits - 1, PixelRepresentation=int(signed)) | (elements or {}))
    data_set.PixelData = values.astype('<u1' if allocated == 8 else '<u2').tobytes()
    data_set['PixelData'].VR = 'OB' if allocated == 8 else 'OW'
    stream = io.BytesIO()
    data_set.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def compress(content: bytes, syntax: str) -> bytes:
    """Return a file with its pixels compressed by pydicom's encoders, or by GDCM."""
    import pydicom
    from pydicom.encaps import encapsulate

    data_set = pydicom.dcmread(io.BytesIO(content))
    if syntax == JPEG_8:
        data_set.PixelData = encapsulate([save('JPEG', data_set.pixel_array, quality=90)])
        data_set['PixelData'].is_undefined_length = True
        data_set['PixelData'].VR = 'OB'
        data_set.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    elif syntax == JPEG_LOSSLESS:
        return compress_with_gdcm(content)
    else:
        data_set.compress(syntax, generate_instance_uid=False)
    stream = io.BytesIO()
    data_set.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def compress_with_gdcm(content: bytes) -> bytes:
    """Return a file in lossless JPEG."""
    import gdcm

    with tempfile.TemporaryDirectory() as folder:
        before, after = str(Path(folder) / 'a.dcm'), str(Path(folder) / 'b.dcm')
        Path(before).write_bytes(content)
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), (
            gdcm.ImageWriter())
        reader.SetFileName(before)
        if not reader.Read():
            raise RuntimeError('GDCM does not read the seed')
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        change.SetInput(reader.GetImage())
        if not change.Change():
            raise RuntimeError('GDCM does not compress the seed')
        writer.SetFileName(after)
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        if not writer.Write():
            raise RuntimeError('GDCM does not write the seed')
        return Path(after).read_bytes()


def dicom_seeds() -> list[Seed]:
    """Return files of 8, 12 and 16 bits, with windows, rescaling and tables, in each compression."""
    import pydicom

    deep = pixels(dtype=np.uint16)
    twelve = deep >> 4
    window = dict(WindowCenter=2000, WindowWidth=3000)
    table = pydicom.Dataset()
    table.LUTDescriptor = [4096, 0, 12]
    table['LUTDescriptor'].VR = 'US'
    table.LUTData = ((np.arange(4096) // 2).astype('<u2')).tobytes()
    table['LUTData'].VR = 'OW'
    plain = make_file(twelve, 12, window)
    files = [
        make_file(pixels(), 8), plain, make_file(deep, 16),
        make_file(twelve, 12, dict(PhotometricInterpretation='MONOCHROME1',
                                   PresentationLUTShape='INVERSE')),
        make_file(twelve, 12, dict(window, RescaleSlope='-2', RescaleIntercept='5000')),
        make_file(twelve, 12, dict(window, VOILUTFunction='SIGMOID')),
        make_file(twelve & 0xfff, 12, dict(VOILUTSequence=[table])),
        make_file((deep.astype(np.int32) - 32768).astype(np.int16).view(np.uint16), 16, signed=True),
        make_file(twelve, 12, window, '1.2.840.10008.1.2'),
        compress(make_file(pixels(), 8), JPEG_8)]
    for syntax in (RLE, JPEG_LS, JPEG_2000, JPEG_LOSSLESS):
        files += [compress(plain, syntax), compress(make_file(pixels(), 8), syntax)]
    return as_seeds('dcm', files)


def reread_dicom(case: Case) -> Any:
    """Read a file by pydicom, and compute the grey levels as a viewer shows them first."""
    import pydicom
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    data_set = pydicom.dcmread(case.path, force=True)
    if data_set.file_meta.TransferSyntaxUID == JPEG_LOSSLESS:
        raise SkipComparison('GDCM ends the process where lossless JPEG is damaged')
    bits = data_set.get('BitsStored', data_set.BitsAllocated)
    signed = data_set.get('PixelRepresentation', 0) == 1
    if data_set.get('HighBit', bits - 1) != bits - 1:
        raise SkipComparison('pydicom does not shift values')
    stored = data_set.pixel_array.astype(np.int64)
    if stored.ndim != 2:
        raise TypeError('no grey image')
    stored &= 2 ** bits - 1  # pydicom leaves overlays in the high bits
    every = np.arange(2 ** bits)
    every = np.where(signed & (every >= 2 ** (bits - 1)), every - 2 ** bits, every)
    outputs = apply_modality_lut(every, data_set).astype(float)
    low, high = outputs.min(), outputs.max()
    if all(data_set.get(key) not in (None, '') for key in ('WindowCenter', 'WindowWidth')):
        levels, top = window_levels(outputs, data_set), 255
    elif data_set.get('VOILUTSequence'):
        levels = apply_voi_lut(outputs.astype(np.int64), data_set, prefer_lut=True) / (
            2 ** int(data_set.VOILUTSequence[0].LUTDescriptor[2]) - 1)
        top = 255
    else:
        top = 2 ** max(bits, 8) - 1
        levels = (outputs - low) / (high - low)
        if data_set.get('ModalityLUTSequence'):
            raise SkipComparison('a modality LUT without a window')
    if data_set.PhotometricInterpretation == 'MONOCHROME1':
        levels = 1 - levels
    found = np.floor(levels[stored] * top + .5).astype(int)
    return dict(size=list(found.shape), pixels=found.ravel())


def window_levels(outputs: np.ndarray, data_set: Any) -> np.ndarray:
    """Return grey from 0 to 1 by the first window (PS3.3, C.11.2.1.2)."""
    def first(value: Any) -> float:
        return float(value[0] if hasattr(value, 'append') else value)

    center, width = first(data_set.WindowCenter), first(data_set.WindowWidth)
    function = data_set.get('VOILUTFunction') or 'LINEAR'
    if function == 'SIGMOID':
        return 1 / (1 + np.exp(np.clip(-4 * (outputs - center) / width, -700, 700)))
    if function == 'LINEAR_EXACT':
        return np.clip((outputs - center) / width + .5, 0, 1)
    if width == 1:
        return (outputs > center - .5).astype(float)
    return np.clip((outputs - center + .5) / (width - 1) + .5, 0, 1)


READERS = (Reader('dicom', dicom_seeds, by_bytes(mutate_dicom), read_image_file, reread_dicom,
                  tolerance=LEVELS, same_is_right=True), )
