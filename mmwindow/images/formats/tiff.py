"""TIFF and BigTIFF: whole numbers of 1 to 16 bits, in strips or tiles, decoded to what is stored.

Libraries differ in what they make of a TIFF: OpenCV inverts white-is-zero images of 8 bits but not
those of 16, shifts 12 bits up to 16, multiplies colours by an alpha and applies the orientation tag.
Here strips and tiles become bytes (libtiff, through Pillow, decompresses LZW and PackBits; zlib
Deflate), and one rule for all depths makes grey levels of them. Source: TIFF 6.0.
"""
import numpy as np

from mmwindow.images.formats import tiff_tags as tags
from mmwindow.images.formats.header import (
    DamagedImageError,
    ImageHeader,
    UnsupportedImageError,
    valid_orientation,
)
from mmwindow.images.formats.tiff_samples import (
    DEFLATE,
    LZW,
    OLD_DEFLATE,
    PACK_BITS,
    UNCOMPRESSED,
    Layout,
    read_samples,
)

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = range(4)
READ_COMPRESSIONS = (UNCOMPRESSED, LZW, DEFLATE, OLD_DEFLATE, PACK_BITS)
OTHER_COMPRESSIONS = {2: 'CCITT', 3: 'fax 3', 4: 'fax 4', 6: 'old JPEG', 7: 'JPEG',
                      34712: 'JPEG 2000', 50000: 'Zstandard', 50001: 'WebP'}
COLOUR_SPACES = {4: 'a mask', 5: 'CMYK', 6: 'YCbCr', 8: 'CIELAB', 32803: 'a colour filter array'}
NUMBER_KINDS = {2: 'int', 3: 'float', 5: 'complex int', 6: 'complex'}
MAX_SAMPLES = 4  # red, green, blue, alpha
READ_BITS = (1, 2, 4, 8, 10, 12, 14, 16)


def matches(content: bytes) -> bool:
    """Return whether a file begins as a TIFF does."""
    return content[:4] in tags.SIGNATURES


def read_header(content: bytes) -> ImageHeader:
    """Return what the tags of the first page say.

    Raises:
        ValueError: Tags are damaged; or there are further pages, or what is not read: other numbers,
            colour spaces or compressions.
    """
    pages = tags.read_pages(content)
    page = pages[0]
    num_pages = 1 + sum(not further.one('subfile') & 5 for further in pages[1:])  # 1: small, 4: mask
    if num_pages > 1:
        raise UnsupportedImageError(f'a TIFF of {num_pages} pages; save the one that was annotated')
    width, height = page.one('width'), page.one('height')
    layout = _read_layout(page, width, height)
    return ImageHeader(
        'TIFF', width, height, 3 if layout.photometric in (RGB, PALETTE) else 1,
        8 if layout.bits <= 8 else layout.bits, valid_orientation(page.one('orientation')),
        layout.photometric == WHITE_IS_ZERO, layout)


def _read_layout(page: tags.Page, width: int, height: int) -> Layout:
    _check_kind(page)
    is_tiled = bool(page.many('tile_offsets'))
    bits, samples, photometric = (page.one(name) for name in ('bits', 'samples', 'photometric'))
    if not (3 if photometric == RGB else 1) <= samples <= MAX_SAMPLES:
        raise UnsupportedImageError(f'a TIFF of {samples} samples in a pixel, of which grey or RGB '
                                    'with alpha has at most 4; save it in grey')
    if photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO) and samples > 2 and not page.many('extra'):
        raise DamagedImageError(f'TIFF: {samples} samples in a grey pixel')
    if page.one('planes') not in (1, 2):
        raise DamagedImageError(f'TIFF: {page.one("planes")} as order of the samples')
    colours = page.many('colours') if photometric == PALETTE else ()
    if photometric == PALETTE and len(colours) != 3 * 2 ** bits:
        raise DamagedImageError(f'TIFF: a palette of {len(colours)} values')
    rows = page.one('tile_rows') if is_tiled else min(page.one('strip_rows'), height)
    columns = page.one('tile_columns') if is_tiled else width
    if rows < 1 or columns < 1:
        raise DamagedImageError(f'TIFF: strips or tiles of {columns} x {rows} pixels')
    return Layout(
        order=page.order, bits=bits, samples=samples, photometric=photometric, colours=colours,
        is_planar=page.one('planes') == 2, compression=page.one('compression'),
        predictor=page.one('predictor'), is_tiled=is_tiled, rows=rows, columns=columns,
        offsets=page.many('tile_offsets' if is_tiled else 'strip_offsets'),
        num_bytes=page.many('tile_bytes' if is_tiled else 'strip_bytes'))


def _check_kind(page: tags.Page) -> None:
    """Check that a page holds whole numbers in a colour space and a compression that are read."""
    bits, kinds = set(page.many('bits')), set(page.many('number_kind'))
    other_kinds = kinds - {1, 4}  # 1: unsigned, 4: not said
    if other_kinds or max(bits) > 16:
        kind = NUMBER_KINDS.get(next(iter(other_kinds), 1), 'uint')
        raise UnsupportedImageError(
            f'pixels are {kind}{max(bits)}; 8- or 16-bit whole numbers are expected, since the file '
            'does not say which value is black and which is white; save it as a PNG of 16 bits')
    photometric, compression = page.one('photometric'), page.one('compression')
    if photometric > PALETTE:
        space = COLOUR_SPACES.get(photometric, f'colour space {photometric}')
        raise UnsupportedImageError(f'a TIFF in {space}; save it in grey')
    if compression not in READ_COMPRESSIONS:
        name = OTHER_COMPRESSIONS.get(compression, compression)
        raise UnsupportedImageError(f'a TIFF of compression {name}; none, LZW, Deflate and PackBits '
                                    'are read; save it as PNG')
    depth = next(iter(bits))
    if (len(bits) > 1 or depth not in READ_BITS or photometric == RGB and depth not in (8, 16)
            or photometric == PALETTE and depth > 8):
        raise UnsupportedImageError(f'a TIFF of {sorted(bits)} bits in this colour space; save it as '
                                    'PNG')
    predictor = page.one('predictor')
    if predictor > 2 or predictor == 2 and depth not in (8, 16) or page.one('fill_order') != 1:
        raise UnsupportedImageError('a TIFF with a predictor or fill order that is not read; save it '
                                    'as PNG')


def decode(content: bytes, header: ImageHeader) -> np.ndarray:
    """Return the pixels, ``(H, W)`` or ``(H, W, 3)`` blue, green, red; not yet inverted.

    Alpha and other further samples are dropped.

    Raises:
        ValueError: Strips or tiles are missing, damaged or of another size than announced.
    """
    layout: Layout = header.layout
    samples = read_samples(content, header.height, header.width, layout)
    if layout.photometric == RGB:
        return np.ascontiguousarray(samples[..., 2::-1])
    return _to_grey_levels(samples[..., 0], layout)


def _to_grey_levels(samples: np.ndarray, layout: Layout) -> np.ndarray:
    """Return samples ``(H, W)`` as pixels: fewer than 8 bits become 8."""
    if layout.photometric == PALETTE:
        colours = np.array(layout.colours, dtype=np.uint16).reshape(3, -1)[::-1]
        # 16 bits, of which 8 are kept; as libtiff does, values of old writers below 256 are 8 bits.
        return (colours >> 8 if colours.max() > 255 else colours).astype(np.uint8).T[samples]
    if layout.bits < 8:
        samples = samples * (255 // (2 ** layout.bits - 1))
    return np.ascontiguousarray(samples)
