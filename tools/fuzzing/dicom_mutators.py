"""Mutations of DICOM files that know their elements, transfer syntaxes and fragments."""
import random
import struct
from typing import NamedTuple

from fuzzing.byte_mutators import INTERESTING, mutate_bytes
from fuzzing.image_mutators import cut_short

START = 132  # of the first element, behind preamble and prefix
LONG = (b'OB', b'OW', b'OF', b'OD', b'SQ', b'UT', b'UN', b'UC', b'UR')
UNDEFINED = 0xffffffff
KINDS = (b'US', b'SS', b'UL', b'DS', b'IS', b'CS', b'OB', b'OW', b'SQ', b'UN', b'UI', b'LO', b'\0\0')
SYNTAXES = ('1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.2',
            '1.2.840.10008.1.2.1.99', *(f'1.2.840.10008.1.2.4.{number}' for number in (
                50, 51, 57, 70, 80, 81, 90, 91, 94, 100, 201)),
            '1.2.840.10008.1.2.5', '1.2.3', '', 'x')
TEXTS = (b'', b'0', b'1', b'-1', b'2', b'1e400', b'nan', b'inf', b'1\\2', b'a', b'MONOCHROME1 ',
         b'MONOCHROME2 ', b'RGB ', b'PALETTE COLOR ', b'INVERSE ', b'IDENTITY', b'SIGMOID ',
         b'LINEAR', b'LINEAR_EXACT', b'\\', b'0.00001 ', b'1e29', b' 3 ', b'\xff\xfe', b'9' * 64,
         b'FOR PROCESSING')
# Elements that are read, and of which a file has none: bits, tables, windows, frames, float pixels.
TAGS = (0x00080068, 0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280100,
        0x00280101, 0x00280102, 0x00280103, 0x00281050, 0x00281051, 0x00281052, 0x00281053,
        0x00281056, 0x00283000, 0x00283002, 0x00283006, 0x00283010, 0x20500010, 0x20500020,
        0x7fe00008, 0x7fe00010, 0xfffee000, 0xfffee0dd, 0x00020010, 0x00080016, 0x60003000)


class Element(NamedTuple):
    """An element as bytes.

    Attributes:
        tag: Group and number.
        kind: Value representation, two letters.
        length: That is stated.
        value: Bytes.
    """

    tag: int
    kind: bytes
    length: int
    value: bytes

    def pack(self) -> bytes:
        """Return it as little endian with its value representation."""
        head = struct.pack('<HH', self.tag >> 16 & 0xffff, self.tag & 0xffff) + self.kind
        if self.kind in LONG:
            return head + struct.pack('<HI', 0, self.length & UNDEFINED) + self.value
        return head + struct.pack('<H', self.length & 0xffff) + self.value


def split_elements(data: bytes) -> list[Element]:
    """Return the elements of a valid file of little endian; sequences stay one value."""
    found, place = [], START
    while place + 8 <= len(data):
        group, number, kind = struct.unpack_from('<HH2s', data, place)
        if kind in LONG:
            length, start = struct.unpack_from('<I', data, place + 8)[0], place + 12
        else:
            length, start = struct.unpack_from('<H', data, place + 6)[0], place + 8
        end = len(data) if length == UNDEFINED else start + length  # encapsulated pixels come last
        found.append(Element(group << 16 | number, kind, length, data[start:end]))
        place = end
    return found


def split_fragments(value: bytes) -> list[bytes]:
    """Return the items of encapsulated pixels, the table of offsets first."""
    items, place = [], 0
    while value[place:place + 4] == b'\xfe\xff\x00\xe0':
        length, = struct.unpack_from('<I', value, place + 4)
        items.append(value[place + 8:place + 8 + length])
        place += 8 + length
    return items


def join_fragments(items: list[bytes], rng: random.Random) -> bytes:
    """Return items as encapsulated pixels; a length or the end may be wrong."""
    wrong = rng.randrange(len(items)) if items and rng.random() < .3 else -1
    parts = []
    for number, item in enumerate(items):
        length = len(item) if number != wrong else rng.choice(INTERESTING) % 2 ** 32
        parts.append(b'\xfe\xff\x00\xe0' + struct.pack('<I', length) + item)
    end = rng.choice([b'\xfe\xff\xdd\xe0\0\0\0\0'] * 5 + [b'', b'\xfe\xff\xdd\xe0\1\0\0\0'])
    return b''.join(parts) + end


def mutate_fragments(value: bytes, rng: random.Random) -> bytes:
    """Return other encapsulated pixels: fragments cut, divided, repeated, left out or damaged."""
    items = split_fragments(value)
    if not items:
        return mutate_bytes(value or b'\0', rng)
    number, way = rng.randrange(len(items)), rng.randrange(7)
    item = items[number]
    if way == 0:
        items[number] = mutate_bytes(item or b'\0\0', rng)
    elif way == 1:
        items[number] = cut_short(item or b'\0\0', rng)
    elif way == 2:
        half = len(item) // 4 * 2
        items[number:number + 1] = [item[:half], item[half:]]
    elif way == 3:
        del items[number]
    elif way == 4:
        items.insert(number, item)
    elif way == 5:
        items[0] = struct.pack('<I', rng.choice(INTERESTING) % 2 ** 32) * rng.choice([1, 1, 2, 1000])
    else:
        items.append(rng.choice([b'', b'\0\0', items[-1], rng.randbytes(64)]))
    return join_fragments(items, rng)


def mutate_value(element: Element, rng: random.Random) -> Element:
    """Return an element with another value, or another length, kind or tag."""
    value, way = element.value, rng.randrange(10)
    if element.length == UNDEFINED and way < 8:
        return element._replace(value=mutate_fragments(value, rng))
    if way < 5 and element.kind in (b'US', b'SS') and element.value:
        number = rng.choice([0, 1, 2, 7, 8, 9, 12, 15, 16, 17, 32, 40, 48, 255, 256, 32768, 65535,
                             rng.randrange(65536)])
        value = struct.pack('<H', number) + value[2:]
    elif element.tag == 0x00020010 and way < 8:
        value = rng.choice(SYNTAXES).encode()
        value += b'\0' * (len(value) % 2)
    elif way < 5 and element.kind not in LONG:
        value = rng.choice(TEXTS)
    elif way < 7:
        value = mutate_bytes(value or b'\0\0', rng)
    elif way == 7:  # the length alone
        return element._replace(length=rng.choice([*INTERESTING, len(value) + 2, len(value) - 2,
                                                   UNDEFINED]) % 2 ** 32)
    elif way == 8:
        return element._replace(kind=rng.choice(KINDS))
    else:
        return element._replace(tag=rng.choice(TAGS))
    return element._replace(value=value, length=len(value))


def mutate_dicom(data: bytes, rng: random.Random) -> bytes:
    """Return a mutated DICOM file: elements in three of four cases, else bytes or its end.

    Args:
        data: A valid file in little endian; one without value representations is mutated by bytes.
        rng: Source of chance.
    """
    chance = rng.random()
    if chance < .15 or data[START + 4:START + 6] != b'UL':
        return mutate_bytes(data, rng)
    if chance < .25:
        return cut_short(data, rng)
    elements = split_elements(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        place = rng.randrange(len(elements))
        if rng.random() < .25:  # what an image is made of is behind the rest
            place = len(elements) - 1
        way = rng.randrange(10)
        if way < 6:
            elements[place] = mutate_value(elements[place], rng)
        elif way == 6 and len(elements) > 1:
            del elements[place]
        elif way == 7:
            elements.insert(place, elements[rng.randrange(len(elements))])
        elif way == 8:
            value = rng.choice([*TEXTS, struct.pack('<H', rng.randrange(40)), b'\xfe\xff\0\xe0' * 3])
            elements.append(Element(rng.choice(TAGS), rng.choice(KINDS), len(value), value))
            elements.sort(key=lambda element: element.tag)
        else:
            rng.shuffle(elements)
    return data[:START] + b''.join(element.pack() for element in elements)
