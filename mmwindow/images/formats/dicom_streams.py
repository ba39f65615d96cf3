"""How the pixels of a DICOM file are stored, and what a compressed frame says of itself.

Decoders trust the frame: what it says is compared with the header first.
"""
import re
import struct
from typing import NamedTuple

from mmwindow.images.formats import jpeg
from mmwindow.images.formats.dicom_elements import DEFLATED
from mmwindow.images.formats.header import DamagedImageError, UnsupportedImageError

NATIVE = {'1.2.840.10008.1.2': 'implicit', '1.2.840.10008.1.2.1': 'explicit',
          '1.2.840.10008.1.2.2': 'big-endian'}
RLE = '1.2.840.10008.1.2.5'
JPEG_PREFIX = '1.2.840.10008.1.2.4.'
JPEG_8, JPEG_12 = f'{JPEG_PREFIX}50', f'{JPEG_PREFIX}51'
JPEG_LOSSLESS = (f'{JPEG_PREFIX}57', f'{JPEG_PREFIX}70')
JPEG_LS = (f'{JPEG_PREFIX}80', f'{JPEG_PREFIX}81')
JPEG_2000 = tuple(f'{JPEG_PREFIX}{number}' for number in (90, 91, 201, 202, 203))
READ_SYNTAXES = {*NATIVE, RLE, JPEG_8, JPEG_12, *JPEG_LOSSLESS, *JPEG_LS, *JPEG_2000}
OTHER_SYNTAXES = {DEFLATED: 'deflated', f'{JPEG_PREFIX}94': 'JPIP',
                  f'{JPEG_PREFIX}95': 'JPIP'}
SCAN = b'\xff\xda'
START_OF_TILE_PART = b'\xff\x90'
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


def cut_at_end(data: bytes) -> bytes:
    """Return a compressed frame without padding: decoders fill a missing rest with grey or noise."""
    end = data.rfind(END_OF_IMAGE) + len(END_OF_IMAGE)
    if end < len(END_OF_IMAGE) or len(data[end:].rstrip(b'\0')) > 1:  # writers pad to even numbers
        raise DamagedImageError('DICOM: compressed pixels without their end')
    return data[:end]


def check_jpeg(data: bytes, frame: Frame) -> tuple[int, bool]:
    """Return bits and sign of a frame of JPEG or JPEG-LS, of the size that was checked."""
    if not data.startswith(b'\xff\xd8'):
        raise DamagedImageError('DICOM: no JPEG where one is expected')
    sizes = [struct.unpack_from('>BHHB', segment) for marker, segment in
             jpeg.iterate_segments(data) if marker in jpeg.FRAMES or marker == 0xF7]  # of JPEG-LS
    if [size[1:] for size in sizes] != [(frame.height, frame.width, 1)]:
        raise DamagedImageError('DICOM: its JPEG is not of the size that its header says')
    precision = sizes[0][0]
    is_12_bit = (frame.syntax, precision) == (JPEG_12, 12)
    if frame.syntax in (JPEG_8, JPEG_12) and precision != 8 and not is_12_bit:
        raise UnsupportedImageError(f'a DICOM in JPEG of {precision} bits, which is not read; '
                                    'decompress it, for example by dcmdjpeg of dcmtk')
    if frame.syntax in JPEG_LOSSLESS:
        check_lossless(data)
    if not 2 <= precision <= 16 or precision > frame.bits_allocated:
        raise DamagedImageError(f'DICOM: JPEG of {precision} bits in {frame.bits_allocated}')
    return precision, False


def check_lossless(data: bytes) -> None:
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


def check_tile_parts(data: bytes) -> None:
    """Check that the parts of a JPEG 2000 codestream follow each other up to its end.

    It has no checksum: of what lies behind a byte that is missing, decoders make noise.
    """
    place = 2
    while data[place:place + 2] != START_OF_TILE_PART:
        marker, length = struct.unpack_from('>HH', data, place)
        if marker >> 8 != 0xff or length < 2:
            raise DamagedImageError('DICOM: bytes between the segments of its JPEG 2000')
        place += 2 + length
    end = len(data) - len(END_OF_IMAGE)
    while data[place:place + 2] == START_OF_TILE_PART:
        length, = struct.unpack_from('>I', data, place + 6)  # 0: up to the end
        place = place + length if length >= 14 else end if length == 0 else end + 1
    if place != end:
        raise DamagedImageError('DICOM: the parts of its JPEG 2000 are of other sizes than announced')


def check_jpeg_2000(data: bytes, frame: Frame) -> tuple[int, bool]:
    """Return bits and sign of a frame of JPEG 2000, of the size that was checked."""
    if data[:4] != b'\xff\x4f\xff\x51':
        raise DamagedImageError('DICOM: no codestream of JPEG 2000 where one is expected')
    right, below, left, top = struct.unpack_from('>4I', data, 8)
    components, depth = struct.unpack_from('>HB', data, 40)
    if (below - top, right - left, components) != (frame.height, frame.width, 1):
        raise DamagedImageError('DICOM: its JPEG 2000 is not of the size that its header says')
    check_tile_parts(data)
    precision, signed = (depth & 0x7f) + 1, depth >= 0x80
    if precision > frame.bits_allocated:
        raise DamagedImageError(f'DICOM: JPEG 2000 of {precision} bits in {frame.bits_allocated}')
    if signed != frame.signed:
        kinds = {True: 'signed', False: 'unsigned'}
        raise UnsupportedImageError(
            f'a DICOM whose JPEG 2000 is {kinds[signed]}, and whose header says '
            f'{kinds[frame.signed]}: one of them is wrong; save it as PNG')
    return precision, signed
