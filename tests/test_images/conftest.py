"""Writers of image files, by hand where no library writes the case."""
import io
import struct
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

DEFLATE, LZW, PACK_BITS = 8, 5, 32773


def pillow(pixels, kind, mode=None, **options):
    """Return what Pillow writes."""
    stream = io.BytesIO()
    image = Image.fromarray(np.asarray(pixels))
    (image.convert(mode) if mode else image).save(stream, kind, **options)
    return stream.getvalue()


def exif(orientation, order='<'):
    """Return an EXIF block with nothing but an orientation."""
    mark = b'II*\0' if order == '<' else b'MM\0*'
    return mark + struct.pack(f'{order}IHHHIHHI', 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def chunk(name, data=b''):
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))


def pack(samples, bits, order='<'):
    """Return rows of samples ``(H, N)`` as rows of bytes, the highest bit first."""
    if bits == 8:
        return samples.astype(np.uint8)
    if bits == 16:
        return samples.astype(f'{order}u2').view(np.uint8).reshape(len(samples), -1)
    values = (samples[..., None].astype(int) >> np.arange(bits)[::-1]) & 1
    return np.packbits(values.reshape(len(samples), -1).astype(np.uint8), axis=1)


def png(samples, bits=8, colour=0, chunks=(), rows=None, data=None, size=None, end=None,
        interlace=False):
    """Return a PNG of samples ``(H, W)`` or ``(H, W, S)``.

    Args:
        samples: Values of the image.
        bits: Of a sample.
        colour: Type: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.
        chunks: Names and contents to be put before the data.
        rows: Bytes of the rows with their filters, instead of the samples'.
        data: The compressed rows.
        size: Width and height that the header says.
        end: The last chunk and what follows.
        interlace: In seven passes.
    """
    samples = np.asarray(samples)
    height, width = samples.shape[:2]
    if rows is None:
        passes = [samples[y::dy, x::dx] for y, x, dy, dx in (
            (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
            (1, 0, 2, 1))] if interlace else [samples]
        packed = [pack(part.reshape(len(part), -1), bits, '>') for part in passes if part.size]
        rows = b''.join(np.pad(part, ((0, 0), (1, 0))).tobytes() for part in packed)
    header = struct.pack('>IIBBBBB', *(size or (width, height)), bits, colour, 0, 0, int(interlace))
    data = zlib.compress(rows) if data is None else data
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + b''.join(
        chunk(*each) for each in chunks) + chunk(b'IDAT', data) + (
            chunk(b'IEND') if end is None else end)


def lzw(data):
    """Return bytes in TIFF's LZW of 9-bit codes, which are cleared before they grow."""
    codes = []
    for start in range(0, len(data), 200):
        codes += [256, *data[start:start + 200]]
    values = (np.array([*codes, 257])[:, None] >> np.arange(9)[::-1]) & 1
    return np.packbits(values.astype(np.uint8).ravel()).tobytes()


def pack_bits(data):
    """Return bytes in PackBits without repetitions."""
    parts = [data[start:start + 128] for start in range(0, len(data), 128)]
    return b''.join(bytes([len(part) - 1]) + part for part in parts)


COMPRESS = {1: bytes, DEFLATE: zlib.compress, LZW: lzw, PACK_BITS: pack_bits}


def tiff_chunks(samples, bits, order, tile, strip_rows, predictor):
    """Yield the bytes of the strips or tiles of samples ``(H, W, S)``."""
    height, width, _ = samples.shape
    rows, columns = tile or (strip_rows or height, width)
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            part = samples[top:top + rows, left:left + columns].astype(int)
            if tile:
                part = np.pad(part, ((0, rows - len(part)), (0, columns - part.shape[1]), (0, 0)))
            if predictor == 2:
                part = np.diff(part, axis=1, prepend=0) % 2 ** bits
            yield pack(part.reshape(len(part), -1), bits, order).tobytes()


def tiff(samples, bits=8, photometric=1, compression=1, predictor=1, planar=False, tile=None,
         strip_rows=None, order='<', big=False, tags=None, pages=1, further=None):
    """Return a TIFF of samples ``(H, W)`` or ``(H, W, S)``.

    Args:
        samples: Values of the image.
        bits: Of a sample.
        photometric: 0: white is zero, 1: black is zero, 2: RGB, 3: palette.
        compression: As in the tag.
        predictor: 2: rows of differences.
        planar: Each sample apart.
        tile: Rows and columns of a tile.
        strip_rows: Rows of a strip.
        order: '<' or '>'.
        big: BigTIFF.
        tags: Number -> type (3: uint16, 4: uint32) and values, instead of or besides the usual ones.
        pages: So many equal ones.
        further: Tags of the second and further pages.
    """
    samples = np.asarray(samples).reshape(*np.shape(samples)[:2], -1)
    height, width, depth = samples.shape
    planes = [samples[..., i:i + 1] for i in range(depth)] if planar else [samples]
    data = [COMPRESS[compression](part) for plane in planes
            for part in tiff_chunks(plane, bits, order, tile, strip_rows, predictor)]
    first = 16 if big else 8
    offsets = [first + sum(map(len, data[:i])) for i in range(len(data))]
    sizes = [len(part) for part in data]
    where = {273: (4, offsets), 278: (4, [strip_rows or height]), 279: (4, sizes)}
    if tile:
        where = {322: (4, [tile[1]]), 323: (4, [tile[0]]), 324: (4, offsets), 325: (4, sizes)}
    usual = {256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * depth), 259: (3, [compression]),
             262: (3, [photometric]), 277: (3, [depth]), 284: (3, [2 if planar else 1]),
             317: (3, [predictor]), **where, **(tags or {})}
    body = b''.join(data)
    place = first + len(body)
    directories = b''
    for page in range(pages):
        entries = dict(sorted({**usual, **((further or {}) if page else {})}.items()))
        directories += directory(entries, place + len(directories), order, big, page == pages - 1)
    mark = {'<': b'II', '>': b'MM'}[order]
    head = mark + (struct.pack(f'{order}HHHQ', 43, 8, 0, place) if big else
                   struct.pack(f'{order}HI', 42, place))
    return head + body + directories


def directory(entries, place, order, big, is_last):
    """Return the tags of a page at a place of the file, and their values behind them."""
    pointer, inline, count = ('Q', 8, 'Q') if big else ('I', 4, 'H')
    size = struct.calcsize(f'={count}') + len(entries) * (4 + 2 * inline) + inline
    fields, values = b'', b''
    for tag, (kind, numbers) in entries.items():
        packed = struct.pack(f'{order}{len(numbers)}{"H" if kind == 3 else "I"}', *numbers)
        fields += struct.pack(f'{order}HH{pointer}', tag, kind, len(numbers))
        if len(packed) <= inline:
            fields += packed.ljust(inline, b'\0')
        else:
            fields += struct.pack(f'{order}{pointer}', place + size + len(values))
            values += packed
    following = 0 if is_last else place + size + len(values)
    return struct.pack(f'{order}{count}', len(entries)) + fields + struct.pack(
        f'{order}{pointer}', following) + values


def webp(pixels, flags=None, chunks=(), **options):
    """Return a lossless WebP, with further chunks where flags are given."""
    plain = pillow(pixels, 'WEBP', lossless=True, exact=True, **options)
    if flags is None:
        return plain
    height, width = pixels.shape[:2]
    sides = struct.pack('<I', width - 1)[:3] + struct.pack('<I', height - 1)[:3]
    parts = [(b'VP8X', bytes([flags, 0, 0, 0]) + sides), *chunks]
    body = b''.join(name + struct.pack('<I', len(data)) + data + bytes(len(data) % 2)
                    for name, data in parts)
    body = b'WEBP' + body[:18] + plain[12:] + body[18:]
    return b'RIFF' + struct.pack('<I', len(body)) + body


def bmp(pixels, bits=8, top_down=False, palette=None, compression=0):
    """Return a BMP of 1, 4, 8, 24 or 32 bits."""
    height, width = pixels.shape[:2]
    palette = b''.join(bytes([*colour, 0]) for colour in palette or ())
    rows = pack(pixels.reshape(height, -1), min(bits, 8))
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))
    start = 54 + len(palette)
    return b'BM' + struct.pack('<IIIIiiHHIIiiII', start + rows.size, 0, start, 40, width,
                               -height if top_down else height, 1, bits, compression, 0, 0, 0,
                               len(palette) // 4, 0) + palette + (
        rows if top_down else rows[::-1]).tobytes()


def pgm(pixels, white=255):
    """Return a binary PGM."""
    height, width = pixels.shape
    return f'P5\n# a comment\n{width} {height}\n{white}\n'.encode() + pixels.astype(
        np.uint8 if white < 256 else '>u2').tobytes()


EXPLICIT, IMPLICIT = '1.2.840.10008.1.2.1', '1.2.840.10008.1.2'
BIG_ENDIAN = '1.2.840.10008.1.2.2'
LONG_KINDS = ('OB', 'OW', 'OF', 'SQ', 'UN')


def dicom_elements(elements, syntax):
    """Return elements ``{tag: (kind, value)}`` as bytes; a sequence's value is a list of such."""
    order = '>' if syntax == BIG_ENDIAN else '<'
    content = b''
    for tag, (kind, value) in sorted(elements.items()):
        if kind == 'SQ':
            parts = [dicom_elements(item, syntax) for item in value]
            data = b''.join(struct.pack(f'{order}HHI', 0xfffe, 0xe000, len(part)) + part
                            for part in parts)
        elif kind in ('US', 'SS'):
            numbers = value if isinstance(value, list | tuple) else [value]
            data = struct.pack(f'{order}{len(numbers)}{"H" if kind == "US" else "h"}', *numbers)
        elif isinstance(value, str):
            data = value.encode('latin-1')
            data += (b'\0' if kind == 'UI' else b' ') * (len(data) % 2)
        else:
            data = value
        length = len(data)
        if kind == 'OB' and data[:4] == b'\xfe\xff\0\xe0':  # encapsulated
            length = 0xffffffff
        else:
            data += b'\0' * (length % 2)
            length = len(data)
        content += struct.pack(f'{order}HH', tag >> 16, tag & 0xffff)
        if syntax == IMPLICIT:
            content += struct.pack('<I', length)
        elif kind in LONG_KINDS:
            content += kind.encode() + struct.pack(f'{order}HI', 0, length)
        else:
            content += kind.encode() + struct.pack(f'{order}H', length)
        content += data
    return content


def encapsulate(*fragments):
    """Return compressed data as items behind an empty table of offsets."""
    items = [b'', *(part + b'\0' * (len(part) % 2) for part in fragments)]
    return b''.join(struct.pack('<HHI', 0xfffe, 0xe000, len(part)) + part for part in items
                    ) + struct.pack('<HHI', 0xfffe, 0xe0dd, 0)


def dicom(pixels, bits=8, allocated=None, signed=False, photometric='MONOCHROME2', syntax=EXPLICIT,
          elements=None, data=None, preamble=True, meta=True):
    """Return a DICOM file of pixels ``(H, W)``, written by hand.

    Args:
        pixels: Values.
        bits: Stored.
        allocated: Bits; None: 8 or 16.
        signed: In two's complement.
        photometric: Interpretation.
        syntax: UID of the transfer syntax.
        elements: ``{tag: (kind, value)}`` besides or instead of the usual ones; None leaves one out.
        data: Content of Pixel Data, instead of the pixels.
        preamble: Whether the file begins with it.
        meta: Whether there is file meta information.
    """
    pixels = np.asarray(pixels)
    allocated = allocated or (8 if bits <= 8 else 16)
    height, width = pixels.shape[:2]
    if data is None:
        order = '>' if syntax == BIG_ENDIAN else '<'
        data = (pixels.astype(np.int64) & (2 ** allocated - 1)).astype(
            np.uint8 if allocated == 8 else f'{order}u{allocated // 8}').tobytes()
    usual = {0x00280002: ('US', 1), 0x00280004: ('CS', photometric), 0x00280010: ('US', height),
             0x00280011: ('US', width), 0x00280100: ('US', allocated), 0x00280101: ('US', bits),
             0x00280102: ('US', bits - 1), 0x00280103: ('US', int(signed)),
             0x7fe00010: ('OW' if allocated > 8 and data[:4] != b'\xfe\xff\0\xe0' else 'OB', data)}
    usual = {tag: value for tag, value in {**usual, **(elements or {})}.items() if value}
    head = dicom_elements({0x00020010: ('UI', syntax)}, EXPLICIT)
    head = dicom_elements({0x00020000: ('UL', struct.pack('<I', len(head)))}, EXPLICIT) + head
    return (bytes(128) + b'DICM' if preamble else b'') + (head if meta else b'') + dicom_elements(
        usual, syntax)


@pytest.fixture(scope='session')
def files():
    """Writers of image files, by name."""
    return SimpleNamespace(pillow=pillow, png=png, tiff=tiff, webp=webp, bmp=bmp, pgm=pgm, exif=exif,
                           chunk=chunk, dicom=dicom, encapsulate=encapsulate)
