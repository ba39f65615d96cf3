"""From values that a DICOM file stores to grey levels: one table over all values, then indexed.

Order (PS3.4, N.2): modality LUT or rescale, VOI window or LUT, then the inversion of MONOCHROME1.
"""
from typing import NamedTuple

import numpy as np

from mmwindow.images.formats.dicom_elements import Elements
from mmwindow.images.formats.header import DamagedImageError, UnsupportedImageError
from mmwindow.utils.messages import count_words

SOP_CLASS, INTENSITY_RELATION = 0x00080016, 0x00281040
WINDOW_CENTER, WINDOW_WIDTH, VOI_FUNCTION = 0x00281050, 0x00281051, 0x00281056
RESCALE_INTERCEPT, RESCALE_SLOPE = 0x00281052, 0x00281053
MODALITY_LUT, VOI_LUT, PRESENTATION_LUT = 0x00283000, 0x00283010, 0x20500010
LUT_DESCRIPTOR, LUT_DATA = 0x00283002, 0x00283006
LEVEL_TAGS = (SOP_CLASS, INTENSITY_RELATION, WINDOW_CENTER, WINDOW_WIDTH, VOI_FUNCTION,
              RESCALE_INTERCEPT, RESCALE_SLOPE, MODALITY_LUT, VOI_LUT, PRESENTATION_LUT)
FLUOROSCOPY = ('1.2.840.10008.5.1.4.1.1.12.1', '1.2.840.10008.5.1.4.1.1.12.2')
FUNCTIONS = ('LINEAR', 'LINEAR_EXACT', 'SIGMOID')


class LevelTable(NamedTuple):
    """What becomes of each value that can be stored.

    Attributes:
        levels: ``(2 ** bits stored,)`` uint8 or uint16, indexed by the stored bits.
        bits: Of a level: 8 where the file has a window or VOI LUT.
        is_white_zero: Whether the levels are still to be inverted.
    """

    levels: np.ndarray
    bits: int
    is_white_zero: bool


class Lut(NamedTuple):
    """A table of a DICOM file.

    Attributes:
        first: Value that has the first entry; what is below has it too.
        entries: Values, of which the last stands for all above.
        bits: Of an entry.
    """

    first: int
    entries: np.ndarray
    bits: int

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return the entries for values of any shape; between whole numbers the nearest."""
        places = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1)
        return self.entries[places.astype(np.int64)]


def make_level_table(elements: Elements, bits_stored: int, signed: bool, inverted: bool
                     ) -> LevelTable:
    """Return the grey levels of all values that ``bits_stored`` bits hold.

    Args:
        elements: Of the file, with :data:`LEVEL_TAGS`.
        bits_stored: 1 to 16.
        signed: Whether values are in two's complement.
        inverted: Whether the lowest value is white.

    Raises:
        ValueError: A table or window is damaged, or of a kind that is not read.
    """
    if elements.items(PRESENTATION_LUT):
        raise UnsupportedImageError('a DICOM with a presentation LUT, which is not read; save it as '
                                    'PNG')
    values = np.arange(2 ** bits_stored, dtype=np.int64)
    if signed:
        values[2 ** (bits_stored - 1):] -= 2 ** bits_stored
    outputs, table_bits = _apply_modality(elements, values, signed)
    fractions = _apply_voi(elements, outputs)
    if fractions is not None:
        if inverted:
            fractions = 1 - fractions
        return LevelTable(_round(fractions * 255, np.uint8), 8, False)
    # No window: white is the highest value that can be stored, as in other formats.
    bits = table_bits or bits_stored
    if table_bits:
        fractions = outputs / (2 ** bits - 1)
    elif outputs.max() == outputs.min():
        raise DamagedImageError('DICOM: a rescale slope of 0')
    else:
        fractions = (outputs - outputs.min()) / (outputs.max() - outputs.min())
    if bits <= 8:
        return LevelTable(_round(fractions * 255, np.uint8), 8, inverted)
    return LevelTable(_round(fractions * (2 ** bits - 1), np.uint16), bits, inverted)


def _round(levels: np.ndarray, dtype: type) -> np.ndarray:
    return np.floor(levels + 0.5).astype(dtype)


def _apply_modality(elements: Elements, values: np.ndarray, signed: bool
                    ) -> tuple[np.ndarray, int]:
    """Return the values after modality LUT or rescale, and the bits of the LUT's entries, else 0."""
    tables = elements.items(MODALITY_LUT)
    slopes, intercepts = elements.decimals(RESCALE_SLOPE), elements.decimals(RESCALE_INTERCEPT)
    if bool(slopes) != bool(intercepts):
        raise DamagedImageError('DICOM: one of rescale slope and intercept is missing')
    slope, intercept = (slopes or [1.0])[0], (intercepts or [0.0])[0]
    if (elements.text(SOP_CLASS) in FLUOROSCOPY
            and elements.text(INTENSITY_RELATION) in ('LOG', 'DISP')
            and (tables or (slope, intercept) != (1, 0))):
        raise UnsupportedImageError('a DICOM of fluoroscopy whose modality LUT is not for display; '
                                    'save it as PNG')
    if not tables:
        return values * slope + intercept, 0
    lut = _read_lut(tables[0], signed)
    return lut.apply(values).astype(np.float64), lut.bits


def _apply_voi(elements: Elements, outputs: np.ndarray) -> np.ndarray | None:
    """Return grey levels from 0 to 1 by the first window, else the first VOI LUT, else None."""
    centers, widths = elements.decimals(WINDOW_CENTER), elements.decimals(WINDOW_WIDTH)
    if bool(centers) != bool(widths):
        raise DamagedImageError('DICOM: one of window center and width is missing')
    if centers and widths:
        return _apply_window(outputs, centers[0], widths[0],
                             elements.text(VOI_FUNCTION) or 'LINEAR')
    tables = elements.items(VOI_LUT)
    if not tables:
        return None
    lut = _read_lut(tables[0], bool(outputs.min() < 0))
    return lut.apply(outputs) / (2 ** lut.bits - 1)


def _apply_window(outputs: np.ndarray, center: float, width: float, function: str) -> np.ndarray:
    """Return levels from 0 to 1 (PS3.3, C.11.2.1.2 and C.11.2.1.3)."""
    if function not in FUNCTIONS:
        raise UnsupportedImageError('a DICOM with a VOI LUT function other than '
                                    f'{", ".join(FUNCTIONS)}; save it as PNG')
    if width <= 0 or function == 'LINEAR' and width < 1:
        raise UnsupportedImageError(f'a DICOM with a window of width {width:g}; take its window out, '
                                    'or save it as PNG')
    if function == 'SIGMOID':
        return 1 / (1 + np.exp(np.clip(-4 * (outputs - center) / width, -700, 700)))
    if function == 'LINEAR_EXACT':
        return np.clip((outputs - center) / width + 0.5, 0, 1)
    if width == 1:
        return (outputs > center - 0.5).astype(np.float64)
    return np.clip((outputs - (center - 0.5)) / (width - 1) + 0.5, 0, 1)


def _read_lut(elements: Elements, signed: bool) -> Lut:
    """Return the table of an item.

    Args:
        elements: Of the item.
        signed: Whether its first value has a sign, where the file does not say.
    """
    stated = elements.kind(LUT_DESCRIPTOR)
    is_signed = stated == 'SS' if stated in ('SS', 'US') else signed
    descriptor = elements.words(LUT_DESCRIPTOR)
    if len(descriptor) != 3:
        raise DamagedImageError('DICOM: a LUT without descriptor')
    count, first, bits = descriptor
    count = count or 2 ** 16  # 0 stands for what 16 bits cannot hold
    if is_signed and first >= 2 ** 15:
        first -= 2 ** 16
    data = elements.bytes(LUT_DATA)
    if not 8 <= bits <= 16:
        raise DamagedImageError(f'DICOM: a LUT of {bits} bits')
    if len(data) == 2 * count:
        order = '<' if elements.is_little_endian(LUT_DATA) else '>'
        entries = np.frombuffer(data, f'{order}u2')
    elif bits == 8 and len(data) in (count, count + 1):
        entries = np.frombuffer(data, np.uint8)[:count]
    else:
        raise DamagedImageError(f'DICOM: a LUT of {count_words(count, "entry", "entries")} in '
                                f'{len(data)} bytes')
    if entries.max() >= 2 ** bits:
        raise DamagedImageError(f'DICOM: a LUT of {bits} bits whose entries reach {entries.max()}')
    return Lut(first, entries.astype(np.uint16), bits)
