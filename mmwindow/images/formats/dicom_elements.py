"""Elements of a DICOM file: only those named here are kept, and none of a patient is among them.

Values are taken as the bytes that are stored: pydicom's conversion shows values that it doubts in its
warnings. Its messages are silenced, and of its errors the kind alone is told.
"""
import io
import logging
import re
import struct
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import ModuleType
from typing import Any, BinaryIO

from mmwindow.images.formats.header import DamagedImageError, UnsupportedImageError

PREAMBLE = 128
SOP_CLASS, TRANSFER_SYNTAX = 0x00020002, 0x00020010  # of the file meta information
META = re.compile(rb'\x02\0[\0-\x13]\0(UL|OB|UI)')  # the first element where there is no preamble
BINARY_KINDS = ('US', 'SS', 'UL', 'SL', 'FL', 'FD', 'OB', 'OW', 'OF', 'OD', 'SQ', 'AT')
LONG_VALUES = (b'OB', b'UN', b'OW', b'SQ', b'UT')
INSTALL = 'pip install "mmwindow[dicom]", or pip install -r requirements/dicom.txt'
LOGGER = logging.getLogger('pydicom')
UNDEFINED = 0xffffffff  # length of a sequence that has an end of its own
META_BYTES = 2 ** 14  # the file meta information ends before
DEFLATED = '1.2.840.10008.1.2.1.99'


def import_pydicom() -> ModuleType:
    """Return pydicom, which is imported by the first DICOM file.

    Raises:
        UnsupportedImageError: It is not installed; the text says how to.
    """
    try:
        import pydicom
        import pydicom.encaps
        import pydicom.pixels
    except ImportError:
        raise UnsupportedImageError(f'a DICOM file, which pydicom reads: {INSTALL}') from None
    return pydicom


@lru_cache
def known_kinds() -> frozenset[str]:
    """Return the value representations of the standard, and what pydicom says of ambiguous ones."""
    from pydicom.valuerep import VR
    return frozenset(str(kind) for kind in VR)


class _Silence:
    """State of :func:`silence`: how many threads are within it, and what was before the first."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.depth = 0
        self.filters = warnings.catch_warnings()
        self.was_disabled = False

    def begin(self) -> None:
        with self.lock:
            if self.depth == 0:
                self.filters = warnings.catch_warnings()
                self.filters.__enter__()
                warnings.simplefilter('ignore')
                self.was_disabled, LOGGER.disabled = LOGGER.disabled, True
            self.depth += 1

    def end(self) -> None:
        with self.lock:
            self.depth -= 1
            if self.depth == 0:
                self.filters.__exit__(None, None, None)
                LOGGER.disabled = self.was_disabled


_SILENCE = _Silence()


@contextmanager
def silence() -> Iterator[None]:
    """Drop what pydicom warns of and logs: its texts show values of elements.

    Filters of warnings belong to the process: the first of several threads sets them, the last one
    puts them back.
    """
    _SILENCE.begin()
    try:
        yield
    finally:
        _SILENCE.end()


def begins_as_dicom(content: bytes) -> bool:
    """Return whether a file begins as DICOM does: with preamble, without, or as a bare data set."""
    return (content[PREAMBLE:PREAMBLE + 4] == b'DICM' or META.match(content) is not None
            or is_bare_data_set(content))


def is_bare_data_set(content: bytes) -> bool:
    """Return whether a file begins with an element of group 8, as if cut out of a DICOM file."""
    if len(content) < 12 or content[:2] != b'\x08\0' or content[3:4] != b'\0':
        return False
    length, = struct.unpack_from('<I', content, 4)
    return content[4:6].isalpha() and content[4:6].isupper() or 0 < length <= 64


def read_transfer_syntax(content: bytes) -> str:
    """Return the UID of the transfer syntax from the file meta information, '' where it has none.

    Raises:
        struct.error: The file ends before.
    """
    return read_meta_uid(content, TRANSFER_SYNTAX)


def read_meta_uid(content: bytes, tag: int) -> str:
    """Return a UID of the file meta information, '' where it has none.

    Args:
        content: The file, or its beginning.
        tag: Of group 2.

    Raises:
        struct.error: The content ends before.
    """
    place = PREAMBLE + 4 if content[PREAMBLE:PREAMBLE + 4] == b'DICM' else 0
    while content[place:place + 2] == b'\x02\0':
        group, element, kind, length = struct.unpack_from('<HH2sH', content, place)
        place += 8
        if kind in LONG_VALUES:
            length, = struct.unpack_from('<I', content, place)
            place += 4
        if group << 16 | element == tag:
            uid = content[place:place + length].rstrip(b'\0 ').decode('ascii', 'replace')
            return uid if uid.replace('.', '').isdigit() else ''
        place += length
    return ''


def describe_tag(tag: int) -> str:
    """Return the number of an element for messages."""
    return f'DICOM: ({tag >> 16:04x},{tag & 0xffff:04x})'


def check_items(value: bytes, order: str) -> None:
    """Check that a sequence is made of items up to its end: pydicom takes what it finds for some.

    Args:
        value: Of the sequence.
        order: Of bytes, '<' or '>'.

    Raises:
        ValueError: It is not.
    """
    place = 0
    while place + 8 <= len(value):
        group, element, length = struct.unpack_from(f'{order}HHI', value, place)
        if (group, element) != (0xfffe, 0xe000):
            break
        if length == UNDEFINED:  # it ends where pydicom finds its end
            return
        place += 8 + length
    if place != len(value):
        raise DamagedImageError('DICOM: the items of a sequence do not fill it')


class Elements:
    """Chosen elements of a DICOM data set, as the bytes that are stored.

    Args:
        data_set: Of pydicom.
    """

    def __init__(self, data_set: Any) -> None:
        self._data_set = data_set

    @classmethod
    def read(cls, content: bytes | BinaryIO, tags: Iterable[int], *, with_pixels: bool = True
             ) -> 'Elements':
        """Return the elements with these tags; all others are passed over.

        Args:
            content: The file, or a stream at its beginning, of which pixels that are not asked for
                are not read.
            tags: Numbers, such as 0x00280010 for (0028,0010).
            with_pixels: Whether to read on to elements of pixels and behind.

        Raises:
            ValueError: pydicom is missing, or cannot follow the elements; or they are deflated.
        """
        pydicom = import_pydicom()
        stream = io.BytesIO(content) if isinstance(content, bytes) else content
        try:
            head = stream.read(META_BYTES)
            stream.seek(0)
            if read_transfer_syntax(head) == DEFLATED:  # inflated without a limit
                raise UnsupportedImageError('a DICOM of the transfer syntax deflated, which is not '
                                            'read; convert it, for example by dcmconv of dcmtk')
            with silence():
                return cls(pydicom.dcmread(stream, force=True, stop_before_pixels=not with_pixels,
                                           specific_tags=list(tags)))
        except UnsupportedImageError:
            raise
        except Exception as error:  # a parser of foreign bytes; its words may show some
            raise DamagedImageError(f'DICOM: its elements end in {type(error).__name__}') from None

    def __contains__(self, tag: int) -> bool:
        return tag in self._data_set

    def _raw(self, tag: int) -> Any:
        """Return an element as pydicom keeps it: not converted where it has not been asked for.

        Raises:
            ValueError: pydicom converts it all the same, and cannot; or its kind is none of DICOM's.
        """
        try:
            raw = self._data_set.get_item(tag)
        except Exception as error:  # as above
            raise DamagedImageError(f'{describe_tag(tag)} ends in {type(error).__name__}') from None
        if raw.VR and raw.VR not in known_kinds():
            raise DamagedImageError(f'{describe_tag(tag)} is of a kind that DICOM does not know')
        return raw

    def bytes(self, tag: int) -> bytes:
        """Return a value as stored, empty where the element is missing."""
        if tag not in self._data_set:
            return b''
        value = self._raw(tag).value
        if self.kind(tag) == 'SQ':
            raise DamagedImageError(f'{describe_tag(tag)} is a sequence; a value is expected')
        return bytes(value) if isinstance(value, bytes | bytearray) else b''

    def texts(self, tag: int) -> list[str]:
        """Return the values of a text, without blanks around them; [''] for an empty one."""
        text = self.bytes(tag).decode('latin-1')
        return [part.strip(' \0') for part in text.split('\\')]

    def text(self, tag: int) -> str:
        """Return the first value of a text, '' where there is none."""
        return self.texts(tag)[0]

    def decimals(self, tag: int) -> list[float]:
        """Return numbers that are written as text; an empty element has none.

        Raises:
            ValueError: One is no number.
        """
        numbers = []
        if self.kind(tag) in BINARY_KINDS:
            raise DamagedImageError(f'{describe_tag(tag)} is of the kind {self.kind(tag)}; numbers '
                                    'written as text are expected')
        for text in self.texts(tag):
            try:
                number = float(text) if text else None
            except ValueError:
                number = float('nan')
            if number is not None and not abs(number) < 1e30:
                raise DamagedImageError(f'{describe_tag(tag)} is no number')
            if number is not None:
                numbers.append(number)
        return numbers

    def words(self, tag: int, signed: bool | None = False) -> list[int]:
        """Return 16-bit numbers.

        Args:
            tag: Of the element.
            signed: Whether they have a sign; None: what the element says, else none.
        """
        value = self.bytes(tag)
        if not value:
            return []
        element = self._raw(tag)
        if signed is None:
            signed = element.VR == 'SS'
        order = '<' if getattr(element, 'is_little_endian', True) else '>'
        return list(struct.unpack(f'{order}{len(value) // 2}{"h" if signed else "H"}',
                                  value[:len(value) // 2 * 2]))

    def number(self, tag: int, default: int | None = None) -> int:
        """Return one 16-bit number.

        Raises:
            ValueError: It is missing and has no default.
        """
        values = self.words(tag)
        if not values and default is None:
            raise DamagedImageError(f'{describe_tag(tag)} is missing')
        if len(values) > 1:
            raise DamagedImageError(f'{describe_tag(tag)} has {len(values)} values')
        return values[0] if values else int(default or 0)

    def long_words(self, tag: int, signed: bool = False) -> list[int]:
        """Return 32-bit whole numbers: UL, or SL with a sign."""
        return [int(value) for value in self._unpack(tag, 'i' if signed else 'I')]

    def floats(self, tag: int) -> list[float]:
        """Return 32-bit floating-point numbers (FL), not finite ones as they are."""
        return self._unpack(tag, 'f')

    def _unpack(self, tag: int, code: str) -> list[float]:
        value = self.bytes(tag)
        if len(value) % 4:
            raise DamagedImageError(f'DICOM: ({tag >> 16:04x},{tag & 0xffff:04x}) is cut short')
        order = '<' if not value or self.is_little_endian(tag) else '>'
        return list(struct.unpack(f'{order}{len(value) // 4}{code}', value))

    def characters(self, tag: int) -> str:
        """Return a text in the file's character set, '' where there is none.

        Raises:
            ValueError: Its bytes are none of that set.
        """
        if tag not in self._data_set:
            return ''
        try:
            with silence():
                value = self._data_set[tag].value
        except Exception as error:  # as above
            raise DamagedImageError(f'DICOM: a text ends in {type(error).__name__}') from None
        text = '' if value is None else str(value).strip(' \0')
        if '\ufffd' in text:  # what pydicom puts for bytes that it cannot read
            raise DamagedImageError('DICOM: a text is not in the character set that the file names')
        return text

    def kind(self, tag: int) -> str:
        """Return the value representation that the file states, '' where it does not."""
        return str(self._raw(tag).VR or '') if tag in self._data_set else ''

    def is_little_endian(self, tag: int) -> bool:
        """Return the byte order of an element's numbers."""
        return bool(getattr(self._raw(tag), 'is_little_endian', True))

    def check_known(self) -> None:
        """Check that the standard knows each element, private ones aside.

        A damaged tag hides what it named: a report without its content would find nothing.

        Raises:
            ValueError: It does not know one.
        """
        from pydicom.datadict import dictionary_has_tag
        unknown = next((tag for tag in self._data_set.keys()
                        if not tag.is_private and not dictionary_has_tag(tag)), None)
        if unknown is not None:
            raise DamagedImageError(f'{describe_tag(unknown)} is no element of the standard')

    def items(self, tag: int) -> list['Elements']:
        """Return the items of a sequence.

        Raises:
            ValueError: pydicom cannot follow them.
        """
        if tag not in self._data_set:
            return []
        raw = self._raw(tag)
        length = getattr(raw, 'length', UNDEFINED)  # pydicom takes what is left of a cut sequence
        if length not in (UNDEFINED, len(raw.value or b'')):
            raise DamagedImageError('DICOM: a sequence is cut short')
        if length != UNDEFINED and self.kind(tag) in ('SQ', 'UN', ''):
            check_items(bytes(raw.value or b''), '<' if self.is_little_endian(tag) else '>')
        try:
            with silence():
                element = self._data_set[tag]
                if element.VR != 'SQ':
                    raise TypeError('no sequence')
                return [Elements(item) for item in element.value or ()]
        except Exception as error:  # as above
            raise DamagedImageError(f'DICOM: a sequence ends in {type(error).__name__}') from None
