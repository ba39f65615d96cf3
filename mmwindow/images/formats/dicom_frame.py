"""From the pixel data of a DICOM file to the bits that it stores, by the decoder of each syntax."""
import struct

import numpy as np

from mmwindow.images.formats import jpeg
from mmwindow.images.formats.dicom_elements import INSTALL, import_pydicom, silence
from mmwindow.images.formats.dicom_streams import (
    JPEG_8,
    JPEG_12,
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LS,
    NATIVE,
    RLE,
    Frame,
    check_jpeg,
    check_jpeg_2000,
    cut_at_end,
)
from mmwindow.images.formats.header import DamagedImageError, ImageHeader, UnsupportedImageError
from mmwindow.images.formats.tiff_samples import PACK_BITS, decompress_with_libtiff

# Of pydicom's decoders the one that was tried, and the package that it comes with.
PLUGINS = {**{uid: ('gdcm', 'python-gdcm') for uid in JPEG_LOSSLESS},
           **{uid: ('pyjpegls', 'pyjpegls') for uid in JPEG_LS},
           **{uid: ('pylibjpeg', 'pylibjpeg-openjpeg') for uid in JPEG_2000}}


def read_stored_bits(frame: Frame) -> np.ndarray:
    """Return ``(H, W)`` uint8 or uint16 below ``2 ** bits_stored``, two's complement where signed.

    Raises:
        ValueError: Data are missing, surplus or damaged, or contradict the header.
    """
    if frame.syntax in NATIVE:
        return _take_bits(_read_native(frame), frame)
    try:
        with silence():
            data = import_pydicom().encaps.get_frame(frame.data, 0, number_of_frames=1)
    except Exception as error:  # a parser of foreign bytes; its words may show some
        raise DamagedImageError(f'DICOM: its fragments end in {type(error).__name__}') from None
    if frame.syntax == RLE:
        return _take_bits(_decode_rle(data, frame), frame)
    data = cut_at_end(data)
    precision, signed = (check_jpeg_2000 if frame.syntax in JPEG_2000 else check_jpeg)(data, frame)
    if frame.syntax in (JPEG_8, JPEG_12):
        pixels = (_decode_jpeg if precision == 8 else _decode_jpeg_12)(data, frame)
    else:
        pixels = _decode(data, frame)
    if frame.signed and not signed:  # JPEG and JPEG-LS know no sign: it is the highest of their bits
        sign_bit = 2 ** (precision - 1)
        pixels = ((pixels.astype(np.int32) & 2 * sign_bit - 1) ^ sign_bit) - sign_bit
    low, high = ((-2 ** (frame.bits_stored - 1), 2 ** (frame.bits_stored - 1) - 1) if frame.signed
                 else (0, 2 ** frame.bits_stored - 1))
    if pixels.min() < low or pixels.max() > high:
        raise DamagedImageError(f'DICOM: pixels from {pixels.min()} to {pixels.max()} in '
                                f'{frame.bits_stored} bits')
    return pixels.astype(np.uint16) & np.uint16(2 ** frame.bits_stored - 1)


def _read_native(frame: Frame) -> np.ndarray:
    """Return the pixels of an uncompressed file with all their bits."""
    row = frame.width * frame.bits_allocated // 8
    size = row * frame.height
    if len(frame.data) < size:
        raise DamagedImageError(f'DICOM: {len(frame.data)} of {size} bytes of pixels')
    if len(frame.data) - size >= max(row, 2):
        raise DamagedImageError(f'DICOM: {len(frame.data)} instead of {size} bytes of pixels')
    data = frame.data
    is_big = NATIVE[frame.syntax] == 'big-endian'
    if frame.bits_allocated == 16:
        pixels = np.frombuffer(data, '>u2' if is_big else '<u2', size // 2).astype(np.uint16)
    else:
        if is_big and frame.is_words:
            data = np.frombuffer(data[:len(data) // 2 * 2], np.uint16).byteswap().tobytes()
        pixels = np.frombuffer(data, np.uint8, size)
    return pixels.reshape(frame.height, frame.width)


def _take_bits(pixels: np.ndarray, frame: Frame) -> np.ndarray:
    """Return the bits of the value: others hold overlays of old files."""
    shift = frame.high_bit - frame.bits_stored + 1
    if not shift and frame.bits_stored == frame.bits_allocated:
        return pixels
    dtype = pixels.dtype.type
    return (pixels >> dtype(shift)) & dtype(2 ** frame.bits_stored - 1)


def _decode_rle(data: bytes, frame: Frame) -> np.ndarray:
    """Return the pixels of run-length encoding: PackBits of the high bytes, then of the low ones.

    By libtiff: the decoder that pydicom has for it ends Python's thread on damaged data.
    """
    num_segments, *offsets = struct.unpack_from('<16I', data)
    size = frame.bits_allocated // 8
    starts = offsets[:size]
    if num_segments != size or starts != sorted(starts) or starts[0] < 64 or starts[-1] > len(data):
        raise DamagedImageError(f'DICOM: RLE of {num_segments} segments for {size} bytes of a pixel')
    segments = [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]
    try:
        planes = [np.frombuffer(decompress_with_libtiff(
            [segment], frame.height, frame.width, frame.height, PACK_BITS), np.uint8)
            for segment in segments]
    except ValueError:
        raise DamagedImageError('DICOM: its run-length encoding ends too early') from None
    pixels = planes[0] if size == 1 else planes[0].astype(np.uint16) << np.uint16(8) | planes[1]
    return pixels.reshape(frame.height, frame.width)


def _decode_jpeg(data: bytes, frame: Frame) -> np.ndarray:
    """Return the pixels of a JPEG of 8 bits; damage within is raised."""
    header = jpeg.read_header(data)
    return jpeg.decode(data, ImageHeader('JPEG', frame.width, frame.height, header.channels))


def _decode_jpeg_12(data: bytes, frame: Frame) -> np.ndarray:
    """Return the pixels of a JPEG of 12 bits, by the one decoder of a permissive licence."""
    try:
        import imagecodecs
    except ImportError:
        raise UnsupportedImageError(
            'a DICOM in JPEG of 12 bits, which imagecodecs reads: pip install "mmwindow[codecs]"; or '
            'decompress it, for example by dcmdjpeg of dcmtk') from None
    try:
        pixels: np.ndarray = imagecodecs.jpeg_decode(data)
    except Exception as error:  # a decoder of foreign bytes
        raise DamagedImageError(
            f'DICOM: its pixels end in {type(error).__name__} of imagecodecs') from None
    if pixels.shape != (frame.height, frame.width) or pixels.dtype != np.uint16:
        raise DamagedImageError('DICOM: its pixels are not what its header says')
    return pixels


def _decode(data: bytes, frame: Frame) -> np.ndarray:
    """Return the pixels by pydicom's decoder, as they come out of it."""
    pydicom = import_pydicom()
    plugin, package = PLUGINS[frame.syntax]
    decoder = pydicom.pixels.get_decoder(frame.syntax)
    if plugin not in decoder.available_plugins:
        raise UnsupportedImageError(f'a DICOM in a compression that {package} reads: {INSTALL}')
    try:
        with silence():
            pixels = decoder.as_array(
                pydicom.encaps.encapsulate([data]), raw=True, decoding_plugin=plugin,
                rows=frame.height, columns=frame.width, samples_per_pixel=1, number_of_frames=1,
                photometric_interpretation='MONOCHROME2', bits_allocated=frame.bits_allocated,
                bits_stored=frame.bits_stored, pixel_keyword='PixelData', correct_unused_bits=False,
                pixel_representation=int(frame.signed))[0]
    except Exception as error:  # a decoder of foreign bytes
        raise DamagedImageError(
            f'DICOM: its pixels end in {type(error).__name__} of {package}') from None
    if pixels.shape != (frame.height, frame.width) or pixels.dtype.kind not in 'iu':
        raise DamagedImageError('DICOM: its pixels are not what its header says')
    return pixels
