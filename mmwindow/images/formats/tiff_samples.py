"""From the strips or tiles of a TIFF to its samples, as they are stored."""
import io
import struct
import zlib
from typing import NamedTuple

import numpy as np

from mmwindow.images.formats.header import DamagedImageError
from mmwindow.images.formats.packages import import_decoder

UNCOMPRESSED, LZW, DEFLATE, OLD_DEFLATE, PACK_BITS = 1, 5, 8, 32946, 32773
BLOCK = 2 ** 20  # samples of odd depths that are unpacked at a time
MAX_PADDING = 2 ** 24  # pixels that tiles may have beyond four times those of the image
STRIP_PADDING = 16  # bytes that a strip may have beyond its rows


class Layout(NamedTuple):
    """How the pixels of a TIFF are stored.

    Attributes:
        order: '<' or '>', the byte order.
        bits: Of a sample.
        samples: Of a pixel, alpha included.
        photometric: 0 to 3: white is zero, black is zero, RGB, palette.
        colours: ``3 * 2 ** bits`` values of a palette: red, green, blue.
        is_planar: Whether each sample of the pixels is stored apart.
        compression: As in the tag.
        predictor: 1, or 2 where rows are stored as differences.
        is_tiled: Whether there are tiles instead of strips.
        rows: Of a strip or tile.
        columns: Of a strip or tile.
        offsets: Where strips or tiles begin.
        num_bytes: Of each.
    """

    order: str
    bits: int
    samples: int
    photometric: int
    colours: tuple[int, ...]
    is_planar: bool
    compression: int
    predictor: int
    is_tiled: bool
    rows: int
    columns: int
    offsets: tuple[int, ...]
    num_bytes: tuple[int, ...]


def read_samples(content: bytes, height: int, width: int, layout: Layout) -> np.ndarray:
    """Return the samples ``(H, W, samples)``, uint8 up to 8 bits, uint16 above.

    Raises:
        ValueError: Strips or tiles are missing, damaged or of another size than announced.
    """
    down, across = -(-height // layout.rows), -(-width // layout.columns)
    num_planes = layout.samples if layout.is_planar else 1
    expected = down * across * num_planes
    if down * layout.rows * across * layout.columns > 4 * height * width + MAX_PADDING:
        raise DamagedImageError('TIFF: tiles far larger than the image')
    if not expected == len(layout.offsets) == len(layout.num_bytes):
        raise DamagedImageError(f'TIFF: {len(layout.offsets)} of {expected} strips or tiles')
    chunks = []
    for start, size in zip(layout.offsets, layout.num_bytes, strict=True):
        if start + size > len(content):
            raise DamagedImageError(f'TIFF: {len(content)} of {start + size} bytes')
        chunks.append(content[start:start + size])
    planes = [_read_plane(chunks[start:start + down * across], height, width, layout)
              for start in range(0, expected, down * across)]
    return planes[0] if num_planes == 1 else np.concatenate(planes, axis=2)


def _read_plane(chunks: list[bytes], height: int, width: int, layout: Layout) -> np.ndarray:
    """Return the samples of one plane, ``(H, W, samples)``."""
    samples = 1 if layout.is_planar else layout.samples
    row_bytes = -(-layout.columns * samples * layout.bits // 8)
    num_rows = [layout.rows] * len(chunks)
    if not layout.is_tiled:  # the last strip has what is left
        num_rows[-1] = height - layout.rows * (len(chunks) - 1)
    if layout.compression in (LZW, PACK_BITS):
        for chunk in chunks:
            _check_surplus(chunk, layout.rows * row_bytes, layout.compression)
        stored = decompress_with_libtiff(chunks, sum(num_rows), row_bytes, layout.rows,
                                          layout.compression)
    else:
        stored = b''.join(
            _decompress(chunk, rows * row_bytes, layout.rows * row_bytes, layout.compression)
            for chunk, rows in zip(chunks, num_rows, strict=True))
    rows = _unpack(np.frombuffer(stored, np.uint8).reshape(-1, row_bytes), layout)
    rows = rows[:, :layout.columns * samples].reshape(-1, layout.columns, samples)
    if layout.predictor == 2:
        rows = np.cumsum(rows, axis=1, dtype=rows.dtype)
    if layout.is_tiled:
        grid = rows.reshape(-1, -(-width // layout.columns), layout.rows, layout.columns, samples)
        rows = grid.transpose(0, 2, 1, 3, 4).reshape(
            -1, grid.shape[1] * layout.columns, samples)[:height, :width]
    return rows


def _decompress(chunk: bytes, num_bytes: int, max_bytes: int, compression: int) -> bytes:
    """Return the bytes of a strip or tile; a last strip may be padded to the size of the others."""
    if compression != UNCOMPRESSED:
        stream = zlib.decompressobj()
        try:
            chunk = stream.decompress(chunk, max_bytes + 1)
        except zlib.error as error:
            raise DamagedImageError(f'TIFF: {error}') from error
        if not stream.eof or len(chunk) > max_bytes:
            raise DamagedImageError('TIFF: a strip is of another size than announced')
    if len(chunk) > max_bytes + STRIP_PADDING:
        raise DamagedImageError(f'TIFF: {len(chunk)} bytes in a strip, of which width, rows and bits '
                                f'of a sample explain {max_bytes}')
    if len(chunk) < num_bytes:
        raise DamagedImageError(f'TIFF: {len(chunk)} of {num_bytes} bytes in a strip')
    return chunk[:num_bytes]


def _check_surplus(chunk: bytes, num_bytes: int, compression: int) -> None:
    """Check that a strip is not longer than its rows become when they cannot be compressed.

    libtiff stops where it has the bytes it was asked for: a file of 8 bits whose tag of the bits is
    missing would be read as one of 1 bit. LZW writes at most 12 bits for a byte, PackBits two bytes.

    Raises:
        ValueError: It is longer.
    """
    limit = (num_bytes * 3 + 1) // 2 if compression == LZW else 2 * num_bytes
    if len(chunk) > limit + STRIP_PADDING:
        raise DamagedImageError(f'TIFF: {len(chunk)} bytes in a strip, of which width, rows and bits '
                                f'of a sample explain {limit}')


def decompress_with_libtiff(chunks: list[bytes], num_rows: int, row_bytes: int, strip_rows: int,
                            compression: int) -> bytes:
    """Return the bytes of strips or tiles: libtiff reads them as strips of a grey 8-bit image.

    Args:
        chunks: Each strip's compressed bytes.
        num_rows: Of all strips.
        row_bytes: Of a row.
        strip_rows: Rows of a strip.
        compression: :data:`LZW` or :data:`PACK_BITS`.

    Raises:
        ValueError: libtiff finds them damaged.
    """
    # Tags: width, height, bits, compression, photometric, offsets, rows of a strip, bytes.
    entries = [(256, 4, 1, row_bytes), (257, 4, 1, num_rows), (258, 3, 1, 8),
               (259, 3, 1, compression), (262, 3, 1, 1), (273, 4, len(chunks), 0),
               (277, 3, 1, 1), (278, 4, 1, min(strip_rows, num_rows)), (279, 4, len(chunks), 0)]
    start = 8 + 2 + 12 * len(entries) + 4
    sizes = [len(chunk) for chunk in chunks]
    data_start = start + 8 * len(chunks)
    offsets = np.cumsum([data_start, *sizes[:-1]]).tolist()
    places = {273: (start, offsets), 279: (start + 4 * len(chunks), sizes)}
    packed = b''.join(struct.pack('<HHI', *entry[:3]) + struct.pack(
        '<I' if entry[1] == 4 else '<HH', *_inline(entry, places)) for entry in entries)
    content = b''.join([
        b'II*\0', struct.pack('<IH', 8, len(entries)), packed, bytes(4),
        struct.pack(f'<{2 * len(chunks)}I', *offsets, *sizes), *chunks])
    plugin = import_decoder('PIL.TiffImagePlugin', 'compressed TIFF')
    try:
        # Not Image.open, whose limit of pixels is one of the process: sizes were checked before.
        with plugin.TiffImageFile(io.BytesIO(content)) as image:
            pixels: bytes = image.tobytes()
            return pixels
    except (OSError, SyntaxError, ValueError, RuntimeError) as error:
        raise DamagedImageError(f'TIFF: {str(error)[:200]}') from error


def _inline(entry: tuple[int, int, int, int], places: dict[int, tuple[int, list[int]]]
            ) -> tuple[int, ...]:
    """Return the value field of a tag: its number, or where its numbers lie."""
    tag, kind, count, value = entry
    if tag in places:
        place, values = places[tag]
        value = place if count > 1 else values[0]
    return (value,) if kind == 4 else (value, 0)


def _unpack(rows: np.ndarray, layout: Layout) -> np.ndarray:
    """Return rows of bytes ``(N, B)`` as rows of samples; a row may end with padding."""
    if layout.bits == 8:
        return rows
    if layout.bits == 16:
        return rows.view(f'{layout.order}u2').astype(np.uint16)
    num_samples = rows.shape[1] * 8 // layout.bits
    dtype = np.uint8 if layout.bits < 8 else np.uint16
    unpacked = np.empty((len(rows), num_samples), dtype)
    weights = np.array([2 ** bit for bit in range(layout.bits)][::-1], dtype)
    step = max(1, BLOCK // max(1, num_samples))
    for start in range(0, len(rows), step):
        bits = np.unpackbits(rows[start:start + step], axis=1)[:, :num_samples * layout.bits]
        unpacked[start:start + step] = np.dot(bits.reshape(-1, num_samples, layout.bits), weights)
    return unpacked
