"""DICOM: single grey images of 8 and 16 bits, decoded to the grey levels that a viewer shows first.

pydicom and its decoders are imported by the first such file; docs/images.md has the rules.
"""
import numpy as np

from mmwindow.images.formats.dicom_elements import (
    Elements,
    begins_as_dicom,
    is_bare_data_set,
    read_transfer_syntax,
)
from mmwindow.images.formats.dicom_frame import read_stored_bits
from mmwindow.images.formats.dicom_levels import LEVEL_TAGS, LevelTable, make_level_table
from mmwindow.images.formats.dicom_streams import OTHER_SYNTAXES, READ_SYNTAXES, Frame
from mmwindow.images.formats.header import DamagedImageError, ImageHeader, UnsupportedImageError

INTENT = 0x00080068
SAMPLES, PHOTOMETRIC, NUM_FRAMES, ROWS, COLUMNS = (
    0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011)
BITS_ALLOCATED, BITS_STORED, HIGH_BIT, SIGN = 0x00280100, 0x00280101, 0x00280102, 0x00280103
PRESENTATION_SHAPE = 0x20500020
FLOAT_PIXELS, DOUBLE_PIXELS, PIXELS = 0x7fe00008, 0x7fe00009, 0x7fe00010
TAGS = (INTENT, SAMPLES, PHOTOMETRIC, NUM_FRAMES, ROWS, COLUMNS, BITS_ALLOCATED, BITS_STORED,
        HIGH_BIT, SIGN, PRESENTATION_SHAPE, FLOAT_PIXELS, DOUBLE_PIXELS, PIXELS, *LEVEL_TAGS)
GREY = ('MONOCHROME1', 'MONOCHROME2')
COLOURS = ('RGB', 'PALETTE COLOR', 'YBR_FULL', 'YBR_FULL_422', 'YBR_ICT', 'YBR_RCT')
EXPORT = 'export the image FOR PRESENTATION, or save it as PNG'


def matches(content: bytes) -> bool:
    """Return whether a file begins as DICOM does, with or without its preamble."""
    return begins_as_dicom(content)


def read_header(content: bytes) -> ImageHeader:
    """Return what the elements say about the pixels; none about the patient is read.

    Raises:
        ValueError: Elements are damaged; or there are several frames, colours, other numbers or
            encodings that are not read.
    """
    syntax = read_transfer_syntax(content)
    if syntax not in READ_SYNTAXES:
        raise _describe_syntax(syntax, is_bare_data_set(content))
    elements = Elements.read(content, TAGS)
    _check_kind(elements)
    height, width = elements.number(ROWS), elements.number(COLUMNS)
    allocated = elements.number(BITS_ALLOCATED)
    stored, sign = elements.number(BITS_STORED), elements.number(SIGN)  # the standard requires both
    high_bit = elements.number(HIGH_BIT, stored - 1)
    if allocated not in (8, 16):
        raise UnsupportedImageError(f'a DICOM of {allocated} bits in a pixel, of which 8 and 16 are '
                                    'read; save it as PNG')
    if not 1 <= stored <= high_bit + 1 <= allocated or sign > 1:
        raise DamagedImageError(f'DICOM: {stored} bits up to bit {high_bit} of {allocated}')
    inverted = _is_inverted(elements)
    table = make_level_table(elements, stored, sign == 1, inverted)
    frame = Frame(syntax, elements.bytes(PIXELS), height, width, allocated, stored, high_bit,
                  sign == 1, elements.kind(PIXELS) == 'OW')
    return ImageHeader('DICOM', width, height, bits=table.bits, is_white_zero=table.is_white_zero,
                       layout=(frame, table))


def _describe_syntax(syntax: str, is_bare: bool) -> ValueError:
    if not syntax:
        what = 'file meta information' if is_bare else 'transfer syntax'
        return UnsupportedImageError(f'a DICOM without {what}, so that nothing says how its pixels '
                                     'are stored; convert it, for example by dcmconv of dcmtk')
    name = OTHER_SYNTAXES.get(syntax, syntax[:64])
    return UnsupportedImageError(f'a DICOM of the transfer syntax {name}, which is not read; '
                                 'convert it, for example by dcmconv of dcmtk')


def _check_kind(elements: Elements) -> None:
    """Check that a file holds one grey image of whole numbers, for presentation."""
    if FLOAT_PIXELS in elements or DOUBLE_PIXELS in elements:
        raise UnsupportedImageError('a DICOM of float pixels, without black and white; save it as '
                                    'PNG of 16 bits')
    if PIXELS not in elements:
        if ROWS in elements:
            raise DamagedImageError('DICOM: no pixels')
        raise UnsupportedImageError('a DICOM without pixels (a report, a directory, a presentation '
                                    'state); take it out of the point file')
    photometric, samples = elements.text(PHOTOMETRIC), elements.number(SAMPLES, 1)
    if photometric not in GREY or samples != 1:
        space = photometric if photometric in (*COLOURS, *GREY) else 'an unknown colour space'
        raise UnsupportedImageError(f'a DICOM of {samples} samples in a pixel in {space}; grey ones '
                                    '(MONOCHROME1, MONOCHROME2) are read; save it in grey or as PNG')
    frames = elements.decimals(NUM_FRAMES) or [1]
    if frames[0] > 1:
        raise UnsupportedImageError(f'a DICOM of {frames[0]:.0f} frames; save the one that was '
                                    'annotated')
    if elements.text(INTENT) == 'FOR PROCESSING':
        raise UnsupportedImageError(f'a DICOM FOR PROCESSING, the raw values of a detector; {EXPORT}')


def _is_inverted(elements: Elements) -> bool:
    """Return whether the lowest value is white; two elements say it, and may not contradict."""
    photometric, shape = elements.text(PHOTOMETRIC), elements.text(PRESENTATION_SHAPE)
    expected = {'MONOCHROME1': 'INVERSE', 'MONOCHROME2': 'IDENTITY'}[photometric]
    if shape and shape != expected:  # viewers differ
        raise UnsupportedImageError(f'a DICOM of {photometric} whose PresentationLUTShape is not '
                                    f'{expected}, which contradict; {EXPORT}')
    return photometric == 'MONOCHROME1'


def decode(content: bytes, header: ImageHeader) -> np.ndarray:
    """Return the grey levels ``(H, W)``, uint8, or uint16 where the file has no window.

    Raises:
        ValueError: The pixels are damaged, or contradict the header.
    """
    frame: Frame
    table: LevelTable
    frame, table = header.layout
    return np.take(table.levels, read_stored_bits(frame))
