"""From the pixel data of a DICOM file to the bits that it stores, by the decoder of each syntax."""
import re
import struct
from typing import NamedTuple

import numpy as np

from mmwindow.images.formats import jpeg
from mmwindow.images.formats.dicom_elements import (
    DEFLATED,
    INSTALL,
    import_pydicom,
    silence,
)
from mmwindow.images.formats.header import DamagedImageError, ImageHeader, UnsupportedImageError
from mmwindow.images.formats.tiff_samples import PACK_BITS, decompress_with_libtiff

NATIVE = {'1.2.840.10008.1.2': 'implicit', '1.2.840.10008.1.2.1': 'explicit',
          '1.2.840.10008.1.2.2': 'big-endian'}
RLE = '1.2.840.10008.1.2.5'
JPEG_PREFIX = '1.2.840.10008.1.2.4.'
JPEG_8, JPEG_12 = f'{JPEG_PREFIX}50', f'{JPEG_PREFIX}51'
JPEG_LOSSLESS = (f'{JPEG_PREFIX}57', f'{JPEG_PREFIX}70')
JPEG_LS = (f'{JPEG_PREFIX}80', f'{JPEG_PREFIX}81')
JPEG_2000 = tuple(f'{JPEG_PREFIX}{number}' for number in (90, 91, 201, 202, 203))
# Of pydicom's decoders the one that was tried, and the package that it comes with.
PLUGINS = {**{uid: ('gdcm', 'python-gdcm') for uid in JPEG_LOSSLESS},
           **{uid: ('pyjpegls', 'pyjpegls') for uid in JPEG_LS},
           **{uid: ('pylibjpeg', 'pylibjpeg-openjpeg') for uid in JPEG_2000}}
READ_SYNTAXES = {*NATIVE, RLE, JPEG_8, JPEG_12, *PLUGINS}
OTHER_SYNTAXES = {DEFLATED: 'deflated', f'{JPEG_PREFIX}94': 'JPIP',
                  f'{JPEG_PREFIX}95': 'JPIP'}
SCAN = b'\xff\xda'
OTHER_MARKER = re.compile(rb'\xff[^\0\xd0-\xd7]')  # than stuffing and restarts
END_OF_IMAGE = b'\xff\xd9'  # of JPEG, JPEG-LS and JPEG 2000


class Frame(NamedTuple):
    """How the pixels are stored.

    Attributes:
        syntax: UID of the transfer syntax.
        data: Content of the element Pixel Data.
        height: Rows.
        width: Columns.
        bits_allocated: 8 or 16.
        bits_stored: Of which so many are the value,
        high_bit: the highest of them here.
        signed: Whether values are in two's complement.
        is_words: Whether big-endian pixels of 8 bits lie in words of 16.
    """

    syntax: str
    data: bytes
    height: int
    width: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    is_words: bool


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
    data = _cut_at_end(data)
    precision, signed = (_check_jpeg_2000 if frame.syntax in JPEG_2000 else _check_jpeg)(data, frame)
    if frame.syntax in (JPEG_8, JPEG_12):
        pixels = _decode_jpeg(data, frame)
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


def _cut_at_end(data: bytes) -> bytes:
    """Return a compressed frame without padding: decoders fill a missing rest with grey or noise."""
    end = data.rfind(END_OF_IMAGE) + len(END_OF_IMAGE)
    if end < len(END_OF_IMAGE) or len(data[end:].rstrip(b'\0')) > 1:  # writers pad to even numbers
        raise DamagedImageError('DICOM: compressed pixels without their end')
    return data[:end]


def _check_jpeg(data: bytes, frame: Frame) -> tuple[int, bool]:
    """Return bits and sign of a frame of JPEG or JPEG-LS, of the size that was checked."""
    if not data.startswith(b'\xff\xd8'):
        raise DamagedImageError('DICOM: no JPEG where one is expected')
    sizes = [struct.unpack_from('>BHHB', segment) for marker, segment in
             jpeg.iterate_segments(data) if marker in jpeg.FRAMES or marker == 0xF7]  # of JPEG-LS
    if [size[1:] for size in sizes] != [(frame.height, frame.width, 1)]:
        raise DamagedImageError('DICOM: its JPEG is not of the size that its header says')
    precision = sizes[0][0]
    if frame.syntax in (JPEG_8, JPEG_12) and precision != 8:
        raise UnsupportedImageError(f'a DICOM in JPEG of {precision} bits, which is not read; '
                                    'decompress it, for example by dcmdjpeg of dcmtk')
    if frame.syntax in JPEG_LOSSLESS:
        _check_lossless(data)
    if not 2 <= precision <= 16 or precision > frame.bits_allocated:
        raise DamagedImageError(f'DICOM: JPEG of {precision} bits in {frame.bits_allocated}')
    return precision, False


def _check_lossless(data: bytes) -> None:
    """Check the segments of a lossless JPEG: GDCM ends the process where one does not fit.

    One frame of one component, one scan by tables that are there, no other marker within it.
    """
    place, component = 2, -1
    tables: set[int] = set()
    while data[place:place + 2] != SCAN:
        marker, length = struct.unpack_from('>HH', data, place)
        segment = data[place + 4:place + 2 + length]
        if marker >> 8 != 0xff or length < 2 or len(segment) != length - 2:
            raise DamagedImageError('DICOM: bytes between the segments of its JPEG')
        if marker == 0xffc3:
            component = segment[6]
            if len(segment) != 9 or segment[7:] != b'\x11\0':
                raise DamagedImageError('DICOM: an odd component in its JPEG')
        elif marker == 0xffc4:
            while segment:
                end = 17 + sum(segment[1:17])
                if len(segment) < end or segment[0] > 3:
                    raise DamagedImageError('DICOM: an odd table in its JPEG')
                tables.add(segment[0])
                segment = segment[end:]
        elif not (0xffe0 <= marker <= 0xffef or marker in (0xfffe, 0xffdd)):  # notes, restarts
            raise DamagedImageError(f'DICOM: a segment {marker:04x} in its JPEG')
        place += 2 + length
    length, count, name, table, predictor, end, shift = struct.unpack_from('>H6B', data, place + 2)
    if ((length, count, name, end) != (8, 1, component, 0) or table >> 4 not in tables or table & 15
            or not 1 <= predictor <= 7 or shift or OTHER_MARKER.search(data, place + 10,
                                                                       len(data) - 2)):
        raise DamagedImageError('DICOM: an odd scan in its JPEG')


def _check_jpeg_2000(data: bytes, frame: Frame) -> tuple[int, bool]:
    """Return bits and sign of a frame of JPEG 2000, of the size that was checked."""
    if data[:4] != b'\xff\x4f\xff\x51':
        raise DamagedImageError('DICOM: no codestream of JPEG 2000 where one is expected')
    right, below, left, top = struct.unpack_from('>4I', data, 8)
    components, depth = struct.unpack_from('>HB', data, 40)
    if (below - top, right - left, components) != (frame.height, frame.width, 1):
        raise DamagedImageError('DICOM: its JPEG 2000 is not of the size that its header says')
    precision, signed = (depth & 0x7f) + 1, depth >= 0x80
    if precision > frame.bits_allocated:
        raise DamagedImageError(f'DICOM: JPEG 2000 of {precision} bits in {frame.bits_allocated}')
    if signed != frame.signed:
        kinds = {True: 'signed', False: 'unsigned'}
        raise UnsupportedImageError(
            f'a DICOM whose JPEG 2000 is {kinds[signed]}, and whose header says '
            f'{kinds[frame.signed]}: one of them is wrong; save it as PNG')
    return precision, signed


def _decode_jpeg(data: bytes, frame: Frame) -> np.ndarray:
    """Return the pixels of a JPEG of 8 bits; damage within is raised."""
    header = jpeg.read_header(data)
    return jpeg.decode(data, ImageHeader('JPEG', frame.width, frame.height, header.channels))


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
