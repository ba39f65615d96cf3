"""What the header of an image file says, and the errors of files that cannot be used."""
import struct
from dataclasses import dataclass
from typing import Any

ORIENTATION_TAG = 0x0112  # of EXIF and TIFF; 1 means: as stored
EXIF_START = b'Exif\0\0'
COPY_AGAIN = ('copy it again, or take the image and its annotations out of the point file')


class DamagedImageError(ValueError):
    """A file is cut short, or its content contradicts itself.

    Args:
        reason: What is wrong, to be put into brackets.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f'is damaged or cut short ({reason}); {COPY_AGAIN}')


class UnsupportedImageError(ValueError):
    """A complete file that cannot be read as grey levels without a guess; the text says the fix."""


@dataclass(frozen=True)
class ImageHeader:
    """What a file says about its pixels before they are decoded.

    Attributes:
        kind: Format: 'PNG', 'JPEG', 'TIFF', 'BMP', 'WebP', 'PGM' or
            'DICOM'.
        width: Stored columns.
        height: Stored rows.
        channels: 1, or 3 of an image in colour; alpha is not counted.
        bits: Bits of a grey level in decoded pixels: 8, also of files with fewer; 9 to 15 where the
            file states them; 16, of which fewer may be used.
        orientation: EXIF or TIFF orientation tag, 1 to 8; it is not applied.
        is_white_zero: Whether white is 0 in the decoded pixels, and black their highest value.
        layout: What the format's decoder needs beyond that.
    """

    kind: str
    width: int
    height: int
    channels: int = 1
    bits: int = 8
    orientation: int = 1
    is_white_zero: bool = False
    layout: Any = None

    @property
    def num_pixels(self) -> int:
        """Stored pixels."""
        return self.width * self.height


def exif_orientation(exif: bytes) -> int:
    """Return the orientation tag of an EXIF block, 1 where there is none or it cannot be read.

    A tag that is not applied decides about no image: a damaged one is taken for none.

    >>> exif_orientation(b'II*\\0' + bytes([8, 0, 0, 0, 1, 0, 18, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]))
    6
    """
    exif = exif.removeprefix(EXIF_START)
    order = {b'II*\0': '<', b'MM\0*': '>'}.get(exif[:4])
    if order is None:
        return 1
    try:
        start, = struct.unpack_from(f'{order}I', exif, 4)
        num_entries, = struct.unpack_from(f'{order}H', exif, start)
        for place in range(start + 2, start + 2 + 12 * num_entries, 12):
            tag, kind, _, value = struct.unpack_from(f'{order}HHIH', exif, place)
            if (tag, kind) == (ORIENTATION_TAG, 3):  # 3: uint16
                return valid_orientation(value)
    except struct.error:
        pass
    return 1


def valid_orientation(value: int) -> int:
    """Return an orientation tag, 1 for a value that means nothing."""
    return value if 1 <= value <= 8 else 1
