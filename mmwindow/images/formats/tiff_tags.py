"""The tags of a TIFF's pages. Source: TIFF 6.0, section 2, and the BigTIFF proposal."""
import struct
from typing import NamedTuple

from mmwindow.images.formats.header import DamagedImageError

SIGNATURES = {b'II*\0': ('<', False), b'MM\0*': ('>', False), b'II+\0': ('<', True),
              b'MM\0+': ('>', True)}
MAX_PAGES = 10000
MAX_VALUES = 2 ** 21  # of one tag; strips or tiles have the most
# Name -> number of the tag and its value where it is missing; None: it has to be there.
TAGS: dict[str, tuple[int, int | None]] = {
    'subfile': (254, 0), 'width': (256, None), 'height': (257, None), 'bits': (258, 1),
    'compression': (259, 1), 'photometric': (262, None), 'fill_order': (266, 1),
    'strip_offsets': (273, None), 'orientation': (274, 1), 'samples': (277, 1),
    'strip_rows': (278, 2 ** 32 - 1), 'strip_bytes': (279, None), 'planes': (284, 1),
    'predictor': (317, 1), 'colours': (320, None), 'tile_columns': (322, None),
    'tile_rows': (323, None), 'tile_offsets': (324, None), 'tile_bytes': (325, None),
    'extra': (338, None), 'number_kind': (339, 1)}
NUMBERS = {number for number, _ in TAGS.values()}
FURTHER_PAGES = {TAGS['subfile'][0]}  # all that is read of a second page
# Type of a tag -> code of struct: bytes, 16, 32 and 64 bits; 13 and 18 are offsets of pages.
CODES = {1: 'B', 3: 'H', 4: 'I', 13: 'I', 16: 'Q', 18: 'Q'}


class Page(NamedTuple):
    """The tags of one page.

    Attributes:
        order: '<' or '>', the byte order of the file.
        values: Number of a tag -> its whole numbers.
    """

    order: str
    values: dict[int, tuple[int, ...]]

    def many(self, name: str) -> tuple[int, ...]:
        """Return the values of a tag; its usual one, or none, where it is missing."""
        number, usual = TAGS[name]
        return self.values.get(number) or (() if usual is None else (usual,))

    def one(self, name: str) -> int:
        """Return the first value of a tag.

        Raises:
            ValueError: It is missing, and there is no usual one.
        """
        values = self.many(name)
        if not values:
            raise DamagedImageError(f'TIFF: the tag {TAGS[name][0]} is missing')
        return values[0]


def read_pages(content: bytes) -> list[Page]:
    """Return the pages of a TIFF, at least one.

    Raises:
        ValueError: A page lies beyond the end, they form a ring, or there are too many.
    """
    order, is_big = SIGNATURES[content[:4]]
    pointer = 'Q' if is_big else 'I'
    place, = struct.unpack_from(f'{order}{pointer}', content, 8 if is_big else 4)
    pages: list[Page] = []
    seen: set[int] = set()
    while place:
        if place in seen or len(pages) == MAX_PAGES:
            raise DamagedImageError('TIFF: its pages have no end')
        seen.add(place)
        page, place = _read_page(content, order, is_big, place, FURTHER_PAGES if pages else NUMBERS)
        pages.append(page)
    if not pages:
        raise DamagedImageError('TIFF: no page')
    return pages


def _read_page(content: bytes, order: str, is_big: bool, place: int, numbers: set[int]
               ) -> tuple[Page, int]:
    """Return the page at a place with the tags of some numbers, and the place of the next one."""
    count_code, pointer, num_inline = ('Q', 'Q', 8) if is_big else ('H', 'I', 4)
    count, = struct.unpack_from(f'{order}{count_code}', content, place)
    place += struct.calcsize(count_code)
    size = 4 + 2 * num_inline
    if place + count * size > len(content):
        raise DamagedImageError(f'TIFF: a page of {count} tags')
    values: dict[int, tuple[int, ...]] = {}
    for entry in range(place, place + count * size, size):
        tag, kind, num = struct.unpack_from(f'{order}HH{pointer}', content, entry)
        if tag not in numbers or tag in values:
            continue
        if kind not in CODES:  # passed over, a tag would have its usual value, such as one bit
            raise DamagedImageError(f'TIFF: the tag {tag} is of type {kind}; a whole number is '
                                    'expected')
        start = entry + 4 + num_inline
        num_bytes = num * struct.calcsize(CODES[kind])
        if num_bytes > num_inline:
            start, = struct.unpack_from(f'{order}{pointer}', content, start)
        # Of no value, a tag would have its usual one, such as one bit.
        if start + num_bytes > len(content) or not 0 < num <= MAX_VALUES:
            raise DamagedImageError(f'TIFF: {num} values of the tag {tag}')
        values[tag] = struct.unpack_from(f'{order}{num}{CODES[kind]}', content, start)
    following, = struct.unpack_from(f'{order}{pointer}', content, place + count * size)
    return Page(order, values), following
