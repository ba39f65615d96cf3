"""What is read of each kind of image file: one test a row of the table in docs/images.md.

``python tests/test_images/test_formats.py`` writes the table into that page.
"""
import io
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from mmwindow.images.decode import ImageSettings, read_image
from mmwindow.images.file_check import describe_image_problem

DOCS = Path(__file__).parents[2] / 'docs' / 'images.md'
BEGIN, END = '<!-- table of formats: tests/test_images/test_formats.py -->', '<!-- end of table -->'


def noise(top, *shape):
    return np.random.default_rng(0).integers(0, top, shape or (6, 11))


def smooth(*shape):
    """Return 8-bit pixels that JPEG keeps within a few grey levels."""
    pixels = cv2.GaussianBlur(np.random.default_rng(1).normal(0, 1, (32, 40, *shape)), (9, 9), 4)
    return np.round(128 + 100 * pixels / abs(pixels).max()).astype(np.uint8)


BITS = {bits: noise(2 ** bits) for bits in (1, 2, 4, 8, 10, 12, 14, 16)}
GREY, DARK, COLOUR = BITS[8], noise(4096), noise(256, 6, 11, 3)
DEEP, COLOUR_16 = BITS[16], noise(65536, 6, 11, 3)
SMOOTH, SMOOTH_COLOUR = smooth(), smooth(3)
COLOURS = noise(256, 16, 3)
PALETTE = COLOURS.astype(np.uint8).tobytes()
TIFF_PALETTE = {320: (3, (COLOURS.T.ravel() * 257).tolist())}
SMALL = np.arange(4).reshape(2, 2)


def with_alpha(pixels, top=256):
    depth = pixels.shape[2] if pixels.ndim == 3 else 1
    alpha = np.random.default_rng(2).integers(0, top, (*pixels.shape[:2], 1))
    return np.concatenate([pixels.reshape(*pixels.shape[:2], depth), alpha], axis=2)


def bgr(pixels):
    return pixels[..., ::-1]


def twice(content):
    return content + content


def patch(content, place, new):
    return content[:place] + new + content[place + len(new):]


def frame_of(content):
    """Return the place of the marker of a baseline JPEG's frame."""
    return content.index(b'\xff\xc0')


def damage_inside(content):
    """Overwrite a little in the middle of a JPEG's data."""
    middle = (content.index(b'\xff\xda') + len(content)) // 2
    return patch(content, middle, b'\xff\x31' * 6)


def hide_frame(content):
    """Put a frame of 1 x 1 where libjpeg skips it, before the real one."""
    place = frame_of(content)
    frame = b'\xff\xc0\0\x0b\x08\0\x01\0\x01\x01\x01\x11\0'
    return content[:place] + b'\xff\x42' + struct.pack('>H', 2) + frame + content[place:]


@dataclass(frozen=True)
class Cell:
    """A row of the table, and its test.

    Attributes:
        kind: Format.
        what: Property of the file.
        reads: What is read, in words.
        build: From the writers of conftest.py to the file.
        expected: Pixels, or key words of the error.
        bit_depth: As in the settings.
        depth: Bits of the pixels.
        orientation: That is named.
        atol: Grey levels of difference allowed, of lossy files.
    """

    kind: str
    what: str
    reads: str
    build: Callable[[SimpleNamespace], bytes]
    expected: Any = field(repr=False)
    bit_depth: int | None = None
    depth: int = 8
    orientation: int = 1
    atol: int = 0


AS_STORED, DROPPED = 'as stored', 'colours as stored, alpha dropped'
NEEDS_DEPTH = 'rejected: state `bit_depth`'
TURNED = 'rows and columns as stored; the tag is named, not applied'
DAMAGED = 'rejected: damaged'
PNG_CELLS = [
    *(Cell('PNG', f'grey, {bits} bit' + 's' * (bits > 1), '0 to 255, evenly spaced',
           lambda w, bits=bits: w.png(BITS[bits], bits),
           BITS[bits] * (255 // (2 ** bits - 1))) for bits in (1, 2, 4)),
    Cell('PNG', 'grey, 8 bits', AS_STORED, lambda w: w.png(GREY), GREY),
    Cell('PNG', 'grey, 16 bits', 'white is 65535', lambda w: w.png(DEEP, 16), DEEP, depth=16),
    Cell('PNG', 'grey, 16 bits, all below 16384', NEEDS_DEPTH, lambda w: w.png(DARK, 16),
         'state the bit_depth'),
    Cell('PNG', 'grey, 16 bits, `bit_depth = 12`', 'white is 4095', lambda w: w.png(DARK, 16), DARK,
         12, 12),
    Cell('PNG', 'grey, 16 bits, above the stated `bit_depth`', 'rejected: contradicts `bit_depth`',
         lambda w: w.png(DEEP, 16), 'more than bit_depth 12 holds', 12),
    Cell('PNG', 'sBIT (bits of the source)', 'ignored', lambda w: w.png(
        DARK, 16, chunks=[(b'sBIT', b'\x0c')]), 'state the bit_depth'),
    Cell('PNG', 'grey and alpha, 8 bits', DROPPED, lambda w: w.png(with_alpha(GREY), 8, 4), GREY),
    Cell('PNG', 'grey and alpha, 16 bits', DROPPED, lambda w: w.png(with_alpha(DEEP, 65536), 16, 4),
         DEEP, depth=16),
    Cell('PNG', 'RGB, 8 bits', AS_STORED, lambda w: w.png(COLOUR, 8, 2), bgr(COLOUR)),
    Cell('PNG', 'RGB, 16 bits', 'white is 65535', lambda w: w.png(COLOUR_16, 16, 2), bgr(COLOUR_16),
         depth=16),
    Cell('PNG', 'RGB and alpha, 8 bits', DROPPED, lambda w: w.png(with_alpha(COLOUR), 8, 6),
         bgr(COLOUR)),
    Cell('PNG', 'RGB and alpha, 16 bits', DROPPED, lambda w: w.png(
        with_alpha(COLOUR_16, 65536), 16, 6), bgr(COLOUR_16), depth=16),
    Cell('PNG', 'a transparent grey level (tRNS)', 'tRNS ignored', lambda w: w.png(
        GREY, chunks=[(b'tRNS', struct.pack('>H', GREY[0, 0]))]), GREY),
    Cell('PNG', 'a transparent colour (tRNS)', 'tRNS ignored', lambda w: w.png(
        COLOUR, 8, 2, [(b'tRNS', struct.pack('>HHH', *COLOUR[0, 0]))]), bgr(COLOUR)),
    Cell('PNG', 'palette, 4 bits', 'its colours', lambda w: w.png(
        BITS[4], 4, 3, [(b'PLTE', PALETTE)]), bgr(COLOURS[BITS[4]])),
    Cell('PNG', 'palette, 8 bits, of greys', 'three equal channels', lambda w: w.png(
        GREY, 8, 3, [(b'PLTE', bytes(np.repeat(np.arange(256), 3).tolist()))]),
        np.stack([GREY] * 3, axis=-1)),
    Cell('PNG', 'palette with transparency', 'its colours, tRNS ignored', lambda w: w.png(
        BITS[4], 4, 3, [(b'PLTE', PALETTE), (b'tRNS', bytes(16))]), bgr(COLOURS[BITS[4]])),
    Cell('PNG', 'palette without a colour that is used', 'black', lambda w: w.png(
        SMALL, 4, 3, [(b'PLTE', PALETTE[:9])]),
        bgr(np.concatenate([COLOURS[:3], np.zeros((1, 3), int)])[SMALL])),
    Cell('PNG', 'gamma, colour profile', 'ignored', lambda w: w.png(
        GREY, chunks=[(b'gAMA', struct.pack('>I', 100000)),
                      (b'iCCP', b'a\0\0' + zlib.compress(b'b'))]), GREY),
    Cell('PNG', 'interlaced', AS_STORED, lambda w: w.png(GREY, interlace=True), GREY),
    Cell('PNG', 'orientation (eXIf)', TURNED, lambda w: w.png(
        GREY, chunks=[(b'eXIf', w.exif(6, '>'))]), GREY, orientation=6),
    Cell('PNG', 'orientation (eXIf after the data)', TURNED, lambda w: w.png(
        GREY, end=w.chunk(b'eXIf', w.exif(3)) + w.chunk(b'IEND')), GREY, orientation=3),
    Cell('PNG', 'animated, one frame', AS_STORED, lambda w: w.png(
        GREY, chunks=[(b'acTL', struct.pack('>II', 1, 0))]), GREY),
    Cell('PNG', 'animated, several frames', 'rejected', lambda w: w.pillow(
        GREY.astype(np.uint8), 'PNG', save_all=True, append_images=[Image.new('L', (11, 6))]),
        'animated PNG of 2 frames'),
    Cell('PNG', 'a checksum is wrong', DAMAGED, lambda w: patch(w.png(GREY), 50, b'?'),
         'wrong checksum of IDAT'),
    Cell('PNG', 'the checksum of a text is wrong', 'text ignored', lambda w: w.png(
        GREY, chunks=[(b'tEXt', b'a\0b')]).replace(b'a\0b', b'a\0c'), GREY),
    Cell('PNG', 'the checksum of the inflated data is wrong', DAMAGED, lambda w: w.png(
        GREY, data=zlib.compress(bytes(6 * 12))[:-1] + b'?'), 'incorrect data check'),
    Cell('PNG', 'no data', DAMAGED, lambda w: w.png(GREY, data=b''), 'not all rows'),
    Cell('PNG', 'rows are missing', DAMAGED, lambda w: w.png(GREY, rows=bytes(5 * 12)),
         'not all rows'),
    Cell('PNG', 'more rows than announced', DAMAGED, lambda w: w.png(GREY, size=(11, 3)),
         'more pixels than its size'),
    Cell('PNG', 'no end', DAMAGED, lambda w: w.png(GREY, end=b''), 'damaged or cut short'),
    Cell('PNG', 'bytes after the end', 'ignored', lambda w: w.png(GREY) + bytes(3000), GREY)]

JPEG_CELLS = [
    Cell('JPEG', 'grey', AS_STORED, lambda w: w.pillow(SMOOTH, 'JPEG', quality=95), SMOOTH, atol=4),
    *(Cell('JPEG', f'YCbCr, {name}', 'BGR of libjpeg-turbo', lambda w, sampling=sampling: w.pillow(
        SMOOTH_COLOUR, 'JPEG', quality=95, subsampling=sampling), bgr(SMOOTH_COLOUR), atol=60)
      for sampling, name in enumerate(('4:4:4', '4:2:2', '4:2:0'))),
    Cell('JPEG', 'RGB', 'as stored', lambda w: w.pillow(
        SMOOTH_COLOUR, 'JPEG', quality=95, keep_rgb=True), bgr(SMOOTH_COLOUR), atol=6),
    Cell('JPEG', 'progressive', AS_STORED, lambda w: w.pillow(
        SMOOTH, 'JPEG', quality=95, progressive=True), SMOOTH, atol=4),
    Cell('JPEG', 'orientation (EXIF)', TURNED, lambda w: w.pillow(
        SMOOTH, 'JPEG', quality=95, exif=b'Exif\0\0' + w.exif(6)), SMOOTH, orientation=6, atol=4),
    Cell('JPEG', 'bytes, or a second image, after the end', 'ignored', lambda w: twice(w.pillow(
        SMOOTH, 'JPEG', quality=95)), SMOOTH, atol=4),
    Cell('JPEG', 'CMYK or YCCK', 'rejected: needs a colour profile', lambda w: w.pillow(
        SMOOTH_COLOUR, 'JPEG', 'CMYK'), '4 components'),
    Cell('JPEG', '12 bits', 'rejected', lambda w: (lambda jpeg: patch(
        jpeg, frame_of(jpeg) + 4, b'\x0c'))(w.pillow(SMOOTH, 'JPEG')), 'a JPEG of 12 bits'),
    *(Cell('JPEG', what, 'rejected', lambda w, marker=marker: (lambda jpeg: patch(
        jpeg, frame_of(jpeg), marker))(w.pillow(SMOOTH, 'JPEG')), f'a JPEG of the {what} kind')
      for what, marker in (('lossless', b'\xff\xc3'), ('arithmetic', b'\xff\xc9'),
                           ('hierarchical or differential', b'\xff\xc5'))),
    Cell('JPEG', 'damaged inside (libjpeg warns)', DAMAGED, lambda w: damage_inside(w.pillow(
        SMOOTH, 'JPEG', quality=95)), 'JPEG: (Corrupt|Unsupported|Premature)'),
    Cell('JPEG', 'more than 500 scans', 'rejected', lambda w: (
        lambda jpeg: jpeg[:-2] + b'\xff\xda' * 501)(
        w.pillow(SMOOTH, 'JPEG')), 'more than 500 scans'),
    Cell('JPEG', 'cut short', DAMAGED, lambda w: w.pillow(SMOOTH, 'JPEG')[:-40], 'Premature end'),
    Cell('JPEG', 'no end marker', DAMAGED, lambda w: w.pillow(SMOOTH, 'JPEG')[:-2], 'Premature end'),
    Cell('JPEG', 'no pixels', DAMAGED, lambda w: w.pillow(SMOOTH, 'JPEG')[:30], 'no pixels'),
    Cell('JPEG', 'two frames', DAMAGED, lambda w: hide_frame(w.pillow(SMOOTH, 'JPEG')),
         'damaged or cut short')]

TIFF_CELLS = [
    *(Cell('TIFF', f'grey, {bits} bit' + 's' * (bits > 1), '0 to 255, evenly spaced',
           lambda w, bits=bits: w.tiff(BITS[bits], bits),
           BITS[bits] * (255 // (2 ** bits - 1))) for bits in (1, 2, 4)),
    Cell('TIFF', 'grey, 8 bits', AS_STORED, lambda w: w.tiff(GREY), GREY),
    *(Cell('TIFF', f'grey, {bits} bits, packed', f'white is {2 ** bits - 1}, as the file says',
           lambda w, bits=bits: w.tiff(BITS[bits], bits), BITS[bits], depth=bits)
      for bits in (10, 12, 14)),
    Cell('TIFF', 'grey, 12 bits, packed, `bit_depth = 10`', 'white is 4095: the file decides',
         lambda w: w.tiff(BITS[12], 12), BITS[12], 10, 12),
    Cell('TIFF', 'grey, 16 bits', 'white is 65535', lambda w: w.tiff(DEEP, 16), DEEP, depth=16),
    Cell('TIFF', 'grey, 16 bits, all below 16384', NEEDS_DEPTH, lambda w: w.tiff(DARK, 16),
         'state the bit_depth'),
    Cell('TIFF', 'grey, 16 bits, `bit_depth = 12`', 'white is 4095', lambda w: w.tiff(DARK, 16), DARK,
         12, 12),
    *(Cell('TIFF', f'white is zero, {bits} bits', 'inverted: white is high',
           lambda w, bits=bits: w.tiff(BITS[bits], bits, photometric=0),
           (2 ** bits - 1 - BITS[bits]) * (255 // (2 ** bits - 1) if bits < 8 else 1),
           depth=max(bits, 8)) for bits in (1, 4, 8, 12, 16)),
    Cell('TIFF', 'white is zero, 16 bits, `bit_depth = 12`', 'inverted: 4095 is black',
         lambda w: w.tiff(DARK, 16, photometric=0), 4095 - DARK, 12, 12),
    Cell('TIFF', 'white is zero, 16 bits, all below 16384', NEEDS_DEPTH,
         lambda w: w.tiff(DARK, 16, photometric=0), 'state the bit_depth'),
    Cell('TIFF', 'RGB, 8 bits', AS_STORED, lambda w: w.tiff(COLOUR, 8, 2), bgr(COLOUR)),
    Cell('TIFF', 'RGB, 16 bits', 'white is 65535', lambda w: w.tiff(COLOUR_16, 16, 2),
         bgr(COLOUR_16), depth=16),
    *(Cell('TIFF', f'RGB, {bits} bits, planes apart', AS_STORED, lambda w, bits=bits, img=img: w.tiff(
        img, bits, 2, planar=True, strip_rows=4), bgr(img), depth=bits)
      for bits, img in ((8, COLOUR), (16, COLOUR_16))),
    *(Cell('TIFF', f'RGB and alpha, {bits} bits', DROPPED, lambda w, bits=bits, img=img: w.tiff(
        with_alpha(img, 2 ** bits), bits, 2, tags={338: (3, [2])}), bgr(img), depth=bits)
      for bits, img in ((8, COLOUR), (16, COLOUR_16))),
    Cell('TIFF', 'grey and alpha', DROPPED, lambda w: w.tiff(
        with_alpha(GREY), tags={338: (3, [2])}), GREY),
    Cell('TIFF', 'more than four samples in a pixel', 'rejected', lambda w: w.tiff(
        with_alpha(with_alpha(COLOUR)), 8, 2, tags={338: (3, [0, 0])}), 'a TIFF of 5 samples'),
    Cell('TIFF', 'palette, 4 bits', 'its colours', lambda w: w.tiff(
        BITS[4], 4, 3, tags=TIFF_PALETTE), bgr(COLOURS[BITS[4]])),
    Cell('TIFF', 'palette, 8 bits, with values below 256 (old writers)', 'its colours',
         lambda w: w.tiff(GREY, 8, 3, tags={320: (3, [*range(256)] * 3)}),
         np.stack([GREY] * 3, axis=-1)),
    *(Cell('TIFF', f'{name}, {bits} bits', AS_STORED, lambda w, bits=bits, number=number: w.tiff(
        BITS[bits], bits, compression=number, strip_rows=4), BITS[bits], depth=bits)
      for name, number in (('LZW', 5), ('Deflate', 8), ('PackBits', 32773)) for bits in (8, 16)),
    *(Cell('TIFF', f'predictor of differences, {bits} bits', AS_STORED,
           lambda w, bits=bits, img=img: w.tiff(img, bits, 2, compression=5, predictor=2),
           bgr(img), depth=bits) for bits, img in ((8, COLOUR), (16, COLOUR_16))),
    Cell('TIFF', 'tiles', AS_STORED, lambda w: w.tiff(
        BITS[12], 12, tile=(4, 8), compression=5), BITS[12], depth=12),
    Cell('TIFF', 'tiles, planes apart', AS_STORED, lambda w: w.tiff(
        COLOUR, 8, 2, tile=(4, 8), planar=True, compression=8, predictor=2), bgr(COLOUR)),
    Cell('TIFF', 'big-endian, 16 bits', AS_STORED, lambda w: w.tiff(
        DEEP, 16, order='>', compression=5, predictor=2), DEEP, depth=16),
    *(Cell('TIFF', f'BigTIFF, {name}', AS_STORED, lambda w, order=order: w.tiff(
        DEEP, 16, order=order, big=True, strip_rows=2), DEEP, depth=16)
      for order, name in (('<', 'little-endian'), ('>', 'big-endian'))),
    *(Cell('TIFF', f'orientation {tag}', TURNED, lambda w, tag=tag: w.tiff(
        GREY, tags={274: (3, [tag])}), GREY, orientation=tag) for tag in (1, 3, 6)),
    Cell('TIFF', 'several pages', 'rejected', lambda w: w.tiff(GREY, pages=3), 'a TIFF of 3 pages'),
    Cell('TIFF', 'a page and its thumbnail', 'the page', lambda w: w.tiff(
        GREY, pages=2, further={254: (4, [1])}), GREY),
    Cell('TIFF', 'float, 32 bits', 'rejected: nothing says what is black and white',
         lambda w: w.pillow(GREY.astype(np.float32), 'TIFF'), 'pixels are float32'),
    Cell('TIFF', 'signed, 16 bits', 'rejected', lambda w: w.tiff(DEEP, 16, tags={339: (3, [2])}),
         'pixels are int16'),
    Cell('TIFF', 'signed, 32 bits', 'rejected', lambda w: w.pillow(GREY.astype(np.int32), 'TIFF'),
         'pixels are int32'),
    Cell('TIFF', 'unsigned, 32 bits', 'rejected', lambda w: w.tiff(
        DEEP, 16, tags={258: (3, [32])}), 'pixels are uint32'),
    Cell('TIFF', 'CMYK', 'rejected: needs a colour profile', lambda w: w.pillow(
        SMOOTH_COLOUR, 'TIFF', 'CMYK'), 'a TIFF in CMYK'),
    Cell('TIFF', 'JPEG in TIFF', 'rejected: its damage cannot be told', lambda w: w.pillow(
        SMOOTH, 'TIFF', compression='jpeg'), 'compression JPEG'),
    Cell('TIFF', 'fax (CCITT)', 'rejected', lambda w: w.pillow(
        SMOOTH, 'TIFF', '1', compression='group4'), 'compression fax 4'),
    Cell('TIFF', 'cut short', DAMAGED, lambda w: w.tiff(GREY)[:-30], 'damaged or cut short'),
    Cell('TIFF', 'strips end beyond the file', DAMAGED, lambda w: w.tiff(
        GREY, tags={279: (4, [10 ** 6])}), r'\d+ of 1000008 bytes'),
    Cell('TIFF', 'strips are too short', DAMAGED, lambda w: w.tiff(GREY, tags={279: (4, [65])}),
         '65 of 66 bytes'),
    Cell('TIFF', 'strips are missing', DAMAGED, lambda w: w.tiff(GREY, tags={278: (4, [3])}),
         '1 of 2 strips'),
    *(Cell('TIFF', f'{name}: damaged inside', DAMAGED, lambda w, number=number: (lambda tiff: patch(
        tiff, 20, b'\xff' * 8))(w.tiff(GREY, compression=number)), 'TIFF: ')
      for name, number in (('LZW', 5), ('Deflate', 8))),
    Cell('TIFF', 'pages in a ring', DAMAGED, lambda w: (lambda tiff: tiff[:-4] + tiff[4:8])(
        w.tiff(GREY, tags={258: (3, [8])})), 'no end')]

GREYS = [(value, value, value) for value in range(256)]
OTHER_CELLS = [
    *(Cell('BMP', f'{bits} bit' + 's' * (bits > 1), 'colours of the palette',
           lambda w, bits=bits: w.bmp(
        BITS[bits], bits, palette=[tuple(colour) for colour in COLOURS[:2 ** bits].tolist()]),
        COLOURS[BITS[bits]]) for bits in (1, 4)),
    Cell('BMP', '8 bits, palette of greys', 'its greys', lambda w: w.bmp(
        GREY, palette=GREYS), GREY),
    Cell('BMP', '8 bits, palette of greys from white to black', 'its greys', lambda w: w.bmp(
        GREY, palette=GREYS[::-1]), 255 - GREY),
    Cell('BMP', '8 bits, palette of colours', 'its colours', lambda w: w.bmp(
        BITS[4], palette=[tuple(colour) for colour in COLOURS.tolist()]), COLOURS[BITS[4]]),
    Cell('BMP', '24 bits', AS_STORED, lambda w: w.bmp(COLOUR, 24), COLOUR),
    Cell('BMP', '32 bits', DROPPED, lambda w: w.bmp(with_alpha(COLOUR), 32), COLOUR),
    Cell('BMP', 'rows from top to bottom', AS_STORED, lambda w: w.bmp(COLOUR, 24, top_down=True),
         COLOUR),
    Cell('BMP', 'compressed', 'rejected', lambda w: w.bmp(GREY, palette=GREYS, compression=1),
         'compression 1'),
    Cell('BMP', 'cut short', DAMAGED, lambda w: w.bmp(COLOUR, 24)[:-1], r'BMP: \d+ of \d+ bytes'),
    Cell('WebP', 'lossless', AS_STORED, lambda w: w.webp(COLOUR.astype(np.uint8)), bgr(COLOUR)),
    Cell('WebP', 'lossy', 'BGR of libwebp', lambda w: w.pillow(
        SMOOTH_COLOUR, 'WEBP', quality=100), bgr(SMOOTH_COLOUR), atol=24),
    Cell('WebP', 'with alpha', DROPPED, lambda w: w.webp(with_alpha(COLOUR).astype(np.uint8)),
         bgr(COLOUR)),
    Cell('WebP', 'orientation (EXIF)', TURNED, lambda w: w.webp(
        COLOUR.astype(np.uint8), 8, [(b'EXIF', w.exif(8))]), bgr(COLOUR), orientation=8),
    Cell('WebP', 'animated', 'rejected', lambda w: w.pillow(
        SMOOTH_COLOUR, 'WEBP', save_all=True, append_images=[Image.new('RGB', (40, 32))]),
        'animated WebP'),
    Cell('WebP', 'cut short', DAMAGED, lambda w: w.webp(COLOUR.astype(np.uint8))[:-4],
         r'WebP: \d+ of \d+ bytes'),
    Cell('PGM', '8 bits (P5)', AS_STORED, lambda w: w.pgm(GREY), GREY),
    Cell('PGM', '12 bits: white 4095', 'white is 4095, as the file says', lambda w: w.pgm(DARK, 4095),
         DARK, depth=12),
    Cell('PGM', '16 bits: white 65535', 'white is 65535', lambda w: w.pgm(DEEP, 65535), DEEP,
         depth=16),
    Cell('PGM', '16 bits, all below 16384', NEEDS_DEPTH, lambda w: w.pgm(DARK, 65535),
         'state the bit_depth'),
    Cell('PGM', 'another white', 'rejected', lambda w: w.pgm(GREY, 200), 'whose white is 200'),
    Cell('PGM', 'pixels above white', DAMAGED, lambda w: w.pgm(DEEP, 4095), 'above its white'),
    Cell('PGM', 'cut short', DAMAGED, lambda w: w.pgm(GREY)[:-1], r'PGM: \d+ of \d+ bytes'),
    Cell('PGM', 'several images', 'rejected', lambda w: twice(w.pgm(GREY)), 'several images'),
    *(Cell('others', f'{name}', 'rejected', lambda w, start=start: start.ljust(200, b'\0'),
           f'a file of the format {name}')
      for name, start in (('GIF', b'GIF89a'), ('JPEG 2000', b'\0\0\0\x0cjP  \r\n'), ('PNM', b'P6\n'),
                          ('HEIF or AVIF', b'\0\0\0\x18ftypheic'), ('OpenEXR', b'v/1\x01'))),
    *(Cell('others', name, 'rejected', lambda w, content=content: content,
           'no image that can be read')
      for name, content in (('an empty file', b''), ('text', b'patient,x,y\n'),
                            ('zeros', bytes(3000)))),
    Cell('all', 'one row, one column', AS_STORED, lambda w: w.png(GREY[:1]), GREY[:1]),
    Cell('all', 'no pixels: 0 x 5', 'rejected', lambda w: w.png(GREY, size=(0, 5), rows=bytes(5)),
         'is empty: 0 x 5'),
    Cell('all', 'more than `max_pixels`', 'rejected before it is decoded: raise `max_pixels`',
         lambda w: w.png(GREY, size=(20000, 20000)), 'are 400000000 pixels.*raise max_pixels'),
    Cell('all', 'a side above 1,048,576', 'rejected', lambda w: w.png(GREY, size=(2 ** 21, 1)),
         'a side is longer than 1048576')]


def text(tag, value, kind='DS'):
    return {tag: (kind, value)}


def window(center, width, function=''):
    return {**text(0x00281050, str(center)), **text(0x00281051, str(width)),
            **(text(0x00281056, function, 'CS') if function else {})}


def rescale(slope, intercept=0):
    return {**text(0x00281053, str(slope)), **text(0x00281052, str(intercept))}


def lut(tag, first, entries, bits=16, kind='US', count=None):
    """Return a sequence of one LUT; entries of 16 bits."""
    descriptor = [len(entries) if count is None else count, first, bits]
    return {tag: ('SQ', [{0x00283002: (kind, descriptor),
                          0x00283006: ('OW', np.asarray(entries, '<u2').tobytes())}])}


MODALITY, VOI, SHAPE, INTENT = 0x00283000, 0x00283010, 0x20500020, 0x00080068
ONE_TO_NINE = np.arange(9).reshape(3, 3)
TEN_BITS = noise(1024, 24, 40)
# By hand, (x - (c - .5)) / (w - 1) + .5 times 255: c = 4, w = 5 shows 1.5 black and 5.5 white.
LEVELS = np.array([[0, 0, 32], [96, 159, 223], [255, 255, 255]])
HALF_EXACT = np.array([[0, 0, 0], [64, 128, 191], [255, 255, 255]])  # (x - 4) / 4 + .5
SIGMOID = np.array([[5, 12, 30], [69, 128, 186], [225, 243, 250]])  # 1 / (1 + exp(4 - x))
WINDOW = window(4, 5)
PALETTES = {tag: ('OW', bytes(512)) for tag in (0x00281201, 0x00281202, 0x00281203)}
J2K, HTJ2K, RLE = '1.2.840.10008.1.2.4.90', '1.2.840.10008.1.2.4.201', '1.2.840.10008.1.2.5'
JPEG_8, JPEG_LS, JPEG_LOSSLESS = (f'1.2.840.10008.1.2.4.{end}' for end in (50, 80, 70))


def small(w, **settings):
    return w.dicom(ONE_TO_NINE, **{'bits': 8, 'elements': WINDOW, **settings})


def compressed(w, syntax, frame, pixels=GREY, **settings):
    return w.dicom(pixels, syntax=syntax, data=w.encapsulate(frame), **settings)


def jpeg_2000(pixels, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, 'JPEG2000', no_jp2=True, **options)
    return stream.getvalue()


def jpeg_ls(pixels):
    import jpeg_ls
    return bytes(jpeg_ls.encode_array(pixels))


def rle(pixels):
    """Return bytes of 8-bit pixels as one segment of runs of one literal each."""
    runs = b''.join(bytes([0, value]) for value in pixels.astype(np.uint8).ravel().tolist())
    return struct.pack('<16I', 1, 64, *[0] * 14) + runs


def deeper(content):
    """Return a JPEG whose header states 12 bits."""
    return patch(content, frame_of(content) + 4, b'\x0c')


def precision_of(frame, depth):
    """Return a codestream of JPEG 2000 whose header states another depth and sign."""
    return patch(frame, 42, bytes([depth]))


SHOWN = 'levels of its window'
DICOM_CELLS = [
    Cell('DICOM', 'a window', 'LINEAR as the standard says, 8 bits', small, LEVELS),
    Cell('DICOM', 'a window, LINEAR_EXACT', SHOWN, lambda w: small(
        w, elements=window(4, 4, 'LINEAR_EXACT')), HALF_EXACT),
    Cell('DICOM', 'a window, SIGMOID', SHOWN, lambda w: small(
        w, elements=window(4, 4, 'SIGMOID')), SIGMOID),
    Cell('DICOM', 'a window of another function', 'rejected', lambda w: small(
        w, elements=window(4, 4, 'LOG')), 'VOI LUT function'),
    Cell('DICOM', 'several windows', 'the first', lambda w: small(
        w, elements=window('4\\9', '5\\70')), LEVELS),
    Cell('DICOM', 'a window of width 1', 'black below center - .5, white above', lambda w: small(
        w, elements=window(4, 1)), np.array([[0] * 3, [0, 255, 255], [255] * 3])),
    Cell('DICOM', 'a window of width 0', 'rejected', lambda w: small(w, elements=window(4, 0)),
         'width 0'),
    Cell('DICOM', 'an empty window', 'as without', lambda w: w.dicom(
        GREY, elements=window('', '')), GREY),
    Cell('DICOM', 'a window that is no number', DAMAGED, lambda w: small(
        w, elements=window('wide', 5)), r'\(0028,1050\) is no number'),
    Cell('DICOM', 'no window, 8 bits', AS_STORED, lambda w: w.dicom(GREY), GREY),
    Cell('DICOM', 'no window, 4 bits', '0 to 255, evenly spaced', lambda w: w.dicom(BITS[4], 4),
         BITS[4] * 17),
    Cell('DICOM', 'no window, 12 bits', 'white is 4095, as the file says',
         lambda w: w.dicom(DARK, 12), DARK, depth=12),
    Cell('DICOM', 'no window, 16 bits', 'white is 65535', lambda w: w.dicom(DEEP, 16), DEEP,
         depth=16),
    Cell('DICOM', 'no window, 16 bits, all below 16384', NEEDS_DEPTH, lambda w: w.dicom(DARK, 16),
         'state the bit_depth'),
    Cell('DICOM', 'no window, 16 bits, `bit_depth = 12`', 'white is 4095',
         lambda w: w.dicom(DARK, 16), DARK, 12, 12),
    Cell('DICOM', 'no window, signed, 12 bits', 'black is -2048, white is 2047', lambda w: w.dicom(
        DARK - 2048, 12, signed=True), DARK, depth=12),
    Cell('DICOM', 'rescale, then a window', SHOWN, lambda w: small(
        w, elements={**rescale(2, -10), **window(-2.5, 9)}), LEVELS),
    Cell('DICOM', 'rescale with a negative slope', 'its levels run down', lambda w: small(
        w, elements={**rescale(-1, 9), **window(6, 5)}), 255 - LEVELS),
    Cell('DICOM', 'a negative slope and no window', 'inverted', lambda w: w.dicom(
        GREY, elements=rescale(-2, 7)), 255 - GREY),
    Cell('DICOM', 'a slope of 0', DAMAGED, lambda w: w.dicom(GREY, elements=rescale(0)),
         'slope of 0'),
    Cell('DICOM', 'modality LUT, then a window', SHOWN, lambda w: small(
        w, elements={**lut(MODALITY, 1, 10 * np.arange(1, 8)), **window(36, 41)}),
        np.array([[0, 0, 29], [92, 156, 220], [255, 255, 255]])),
    Cell('DICOM', 'modality LUT of 8 bits, no window', 'its levels', lambda w: small(
        w, elements=lut(MODALITY, 2, [9, 7, 5], 8)), np.array([[9, 9, 9], [7, 5, 5], [5, 5, 5]])),
    Cell('DICOM', 'VOI LUT', 'its levels', lambda w: small(
        w, elements=lut(VOI, 2, [0, 100, 255], 8)), np.array([[0] * 3, [100, 255, 255], [255] * 3])),
    Cell('DICOM', 'VOI LUT after a rescale to fractions', 'the nearest entry', lambda w: small(
        w, elements={**rescale(.5, -2.2), **lut(VOI, -2, [0, 100, 255], 8, 'SS')}),
        np.array([[0, 0, 100], [100, 255, 255], [255] * 3])),
    Cell('DICOM', 'window and VOI LUT', 'the window', lambda w: small(
        w, elements={**WINDOW, **lut(VOI, 2, [255, 9, 0], 8)}), LEVELS),
    Cell('DICOM', 'a LUT shorter than it says', DAMAGED, lambda w: small(
        w, elements=lut(VOI, 2, [0, 1], 8, count=9)), '9 entries in 4 bytes'),
    Cell('DICOM', 'a LUT with entries above its bits', DAMAGED, lambda w: small(
        w, elements=lut(VOI, 2, [0, 4096], 12)), 'entries reach 4096'),
    Cell('DICOM', 'MONOCHROME1', 'inverted after the window', lambda w: small(
        w, photometric='MONOCHROME1'), 255 - LEVELS),
    Cell('DICOM', 'MONOCHROME1, PresentationLUTShape INVERSE', 'inverted once', lambda w: small(
        w, photometric='MONOCHROME1', elements={**WINDOW, **text(SHAPE, 'INVERSE', 'CS')}),
        255 - LEVELS),
    Cell('DICOM', 'MONOCHROME1, no window, 12 bits', 'inverted: 4095 is black', lambda w: w.dicom(
        DARK, 12, photometric='MONOCHROME1'), 4095 - DARK, depth=12),
    Cell('DICOM', 'MONOCHROME1, negative slope, no window', 'as stored', lambda w: w.dicom(
        GREY, photometric='MONOCHROME1', elements=rescale(-1)), GREY),
    Cell('DICOM', 'MONOCHROME2, PresentationLUTShape IDENTITY', SHOWN, lambda w: small(
        w, elements={**WINDOW, **text(SHAPE, 'IDENTITY', 'CS')}), LEVELS),
    Cell('DICOM', 'MONOCHROME2 and INVERSE', 'rejected', lambda w: small(
        w, elements={**WINDOW, **text(SHAPE, 'INVERSE', 'CS')}), 'contradict'),
    Cell('DICOM', 'MONOCHROME1 and IDENTITY', 'rejected', lambda w: small(
        w, photometric='MONOCHROME1', elements={**WINDOW, **text(SHAPE, 'IDENTITY', 'CS')}),
        'contradict'),
    Cell('DICOM', 'overlay in the bits above', 'overlay dropped', lambda w: w.dicom(
        ONE_TO_NINE + 0xf000, 12, elements=WINDOW), LEVELS),
    Cell('DICOM', 'value in the upper bits', SHOWN, lambda w: w.dicom(
        ONE_TO_NINE * 16 + 5, 12, elements={**WINDOW, 0x00280102: ('US', 15)}), LEVELS),
    Cell('DICOM', 'implicit syntax', SHOWN, lambda w: small(w, syntax='1.2.840.10008.1.2'), LEVELS),
    Cell('DICOM', 'big-endian, 12 bits', SHOWN, lambda w: small(
        w, bits=12, syntax='1.2.840.10008.1.2.2'), LEVELS),
    Cell('DICOM', 'no preamble', SHOWN, lambda w: small(w, preamble=False), LEVELS),
    Cell('DICOM', 'no file meta information', 'rejected', lambda w: small(
        w, preamble=False, meta=False, elements=text(0x00080005, 'ISO_IR 100', 'CS')),
        'without file meta information'),
    Cell('DICOM', 'no transfer syntax', 'rejected', lambda w: small(w, meta=False),
         'without transfer syntax'),
    Cell('DICOM', 'deflated, video, JPIP', 'rejected', lambda w: small(
        w, syntax='1.2.840.10008.1.2.1.99'), 'transfer syntax deflated'),
    Cell('DICOM', 'RLE', AS_STORED, lambda w: compressed(w, RLE, rle(GREY)), GREY),
    Cell('DICOM', 'JPEG, 8 bits', AS_STORED, lambda w: compressed(
        w, JPEG_8, w.pillow(SMOOTH, 'JPEG', quality=100), SMOOTH), SMOOTH, atol=4),
    Cell('DICOM', 'JPEG, 12 bits, in the syntax of 8 bits', 'rejected', lambda w: compressed(
        w, JPEG_8, deeper(w.pillow(SMOOTH, 'JPEG')), SMOOTH, bits=12), 'JPEG of 12 bits'),
    Cell('DICOM', 'JPEG-LS, 10 bits', 'white is 1023, as the file says', lambda w: compressed(
        w, JPEG_LS, jpeg_ls(TEN_BITS.astype(np.uint16)), TEN_BITS, bits=10, allocated=16), TEN_BITS,
        depth=10),
    Cell('DICOM', 'JPEG 2000, 8 bits', AS_STORED, lambda w: compressed(
        w, J2K, jpeg_2000(SMOOTH), SMOOTH), SMOOTH),
    Cell('DICOM', 'JPEG 2000 of 16 bits, of which 12 are stored', 'white is 4095, as the file says',
         lambda w: compressed(w, J2K, jpeg_2000(DARK.astype(np.uint16), num_resolutions=1), DARK,
                              bits=12), DARK, depth=12),
    Cell('DICOM', 'JPEG 2000 with values above the bits stored', DAMAGED, lambda w: compressed(
        w, J2K, jpeg_2000(DEEP.astype(np.uint16), num_resolutions=1), DEEP, bits=12),
        r'to \d+ in 12 bits'),
    Cell('DICOM', 'JPEG 2000 signed, header unsigned', 'rejected', lambda w: compressed(
        w, J2K, precision_of(jpeg_2000(SMOOTH), 0x87), SMOOTH), 'header says unsigned'),
    Cell('DICOM', 'JPEG 2000 unsigned, header signed', 'rejected', lambda w: compressed(
        w, J2K, jpeg_2000(SMOOTH), SMOOTH, signed=True), 'header says signed'),
    Cell('DICOM', 'JPEG 2000 of another size', DAMAGED, lambda w: compressed(
        w, J2K, jpeg_2000(SMOOTH), GREY), 'not of the size'),
    *(Cell('DICOM', f'{name}, cut short', DAMAGED, lambda w, syntax=syntax, write=write: compressed(
        w, syntax, write(w)[:-9], SMOOTH), 'without their end') for name, syntax, write in (
            ('JPEG', JPEG_8, lambda w: w.pillow(SMOOTH, 'JPEG')),
            ('JPEG-LS', JPEG_LS, lambda w: jpeg_ls(SMOOTH)),
            ('JPEG 2000', J2K, lambda w: jpeg_2000(SMOOTH)))),
    Cell('DICOM', 'RLE, cut short', DAMAGED, lambda w: compressed(w, RLE, rle(GREY)[:-20]),
         'run-length encoding ends too early'),
    Cell('DICOM', 'pixels are missing', DAMAGED, lambda w: w.dicom(GREY, data=bytes(20)),
         '20 of 66 bytes'),
    Cell('DICOM', 'a row or more of surplus pixels', DAMAGED, lambda w: w.dicom(GREY, data=bytes(90)),
         '90 instead of 66 bytes'),
    Cell('DICOM', 'cut short', DAMAGED, lambda w: w.dicom(DARK, 12)[:-50], 'DICOM: '),
    Cell('DICOM', 'no pixels (a report, a directory)', 'rejected', lambda w: w.dicom(
        GREY, elements={0x7fe00010: None, 0x00280010: None}), 'without pixels'),
    Cell('DICOM', 'several frames', 'rejected', lambda w: w.dicom(
        GREY, elements=text(0x00280008, '2', 'IS')), 'of 2 frames'),
    Cell('DICOM', 'NumberOfFrames of 1', AS_STORED, lambda w: w.dicom(
        GREY, elements=text(0x00280008, '1', 'IS')), GREY),
    Cell('DICOM', 'colour: RGB, YBR', 'rejected: save it in grey or as PNG', lambda w: w.dicom(
        COLOUR, photometric='RGB', elements={0x00280002: ('US', 3)}), '3 samples in a pixel in RGB'),
    Cell('DICOM', 'palette', 'rejected', lambda w: w.dicom(
        GREY, photometric='PALETTE COLOR', elements=PALETTES), 'PALETTE COLOR'),
    Cell('DICOM', 'FOR PROCESSING', 'rejected: raw values of a detector', lambda w: small(
        w, elements={**WINDOW, **text(INTENT, 'FOR PROCESSING', 'CS')}), 'FOR PROCESSING'),
    Cell('DICOM', 'FOR PRESENTATION', SHOWN, lambda w: small(
        w, elements={**WINDOW, **text(INTENT, 'FOR PRESENTATION', 'CS')}), LEVELS),
    Cell('DICOM', '32 bits', 'rejected', lambda w: w.dicom(DEEP, 32, 32), '32 bits in a pixel'),
    Cell('DICOM', 'float pixels', 'rejected', lambda w: w.dicom(GREY, elements={
        0x7fe00010: None, 0x7fe00008: ('OF', bytes(264))}), 'float pixels'),
    Cell('DICOM', 'fluoroscopy with a modality LUT', 'rejected', lambda w: small(w, elements={
        **WINDOW, **rescale(2), **text(0x00080016, '1.2.840.10008.5.1.4.1.1.12.1', 'UI'),
        **text(0x00281040, 'LOG', 'CS')}), 'fluoroscopy'),
    Cell('DICOM', 'a presentation LUT', 'rejected', lambda w: small(w, elements={
        **WINDOW, **lut(0x20500010, 0, [0, 1])}), 'presentation LUT')]
LAST = ('others', 'all')
CELLS = [*PNG_CELLS, *JPEG_CELLS, *TIFF_CELLS,
         *(cell for cell in OTHER_CELLS if cell.kind not in LAST), *DICOM_CELLS,
         *(cell for cell in OTHER_CELLS if cell.kind in LAST)]


def table():
    """Return the table of docs/images.md."""
    rows = [f'| {cell.kind} | {cell.what} | {cell.reads} |' for cell in CELLS]
    return '\n'.join([BEGIN, '| format | property | what is read |', '|---|---|---|', *rows, END])


@pytest.mark.parametrize('cell', CELLS, ids=lambda cell: f'{cell.kind}: {cell.what}')
def test_what_is_read(cell, files, tmp_path):
    """Each row of the table: by path and by content, and the check says the same."""
    content = cell.build(files)
    path = tmp_path / 'röntgen 1.DAT'  # the name does not matter
    path.write_bytes(content)
    settings = ImageSettings(cell.bit_depth)
    if isinstance(cell.expected, str):
        for source in (path, content):
            with pytest.raises(ValueError, match=cell.expected) as caught:
                read_image(source, settings, name='wrist/17')
            text = str(caught.value)
            assert text.startswith('wrist/17: ') and '\n' not in text and len(text) < 400
        assert describe_image_problem(path, 6, 11, settings)
        return
    for source in (path, content):
        image = read_image(source, settings)
        assert image.pixels.dtype == (np.uint8 if cell.depth == 8 else np.uint16)
        assert image.pixels.shape == cell.expected.shape
        difference = np.abs(image.pixels.astype(int) - cell.expected)
        assert difference.max() <= cell.atol and difference.mean() <= cell.atol / 3
        assert (image.bit_depth, image.orientation) == (cell.depth, cell.orientation)
    assert describe_image_problem(path, *cell.expected.shape[:2], settings) is None


def test_the_table_of_the_docs_is_that_of_the_tests():
    assert table() in DOCS.read_text(encoding='utf-8'), (
        'run: python tests/test_images/test_formats.py')
    assert len({(cell.kind, cell.what) for cell in CELLS}) == len(CELLS)


EVERYDAY = [cell for cell in CELLS if not isinstance(cell.expected, str) and re.search(
    r'^(PNG grey, \d+ bits?$|PNG interlaced|PNG RGB, 8'
    r'|TIFF grey, (1|4|8|16) bits?$|TIFF RGB, 8 bits$|TIFF (LZW|Deflate|PackBits)'
    r'|TIFF predictor .* 8 bits|TIFF big-endian'
    r'|TIFF white is zero, (1|8|16) bits$|TIFF orientation 3|BMP|WebP (lossless|lossy)'
    r'|JPEG|PGM 8)', f'{cell.kind} {cell.what}')]


@pytest.mark.parametrize('cell', EVERYDAY, ids=lambda cell: f'{cell.kind}: {cell.what}')
def test_an_independent_reader_agrees_on_everyday_files(cell, files):
    """Pillow, which inverts TIFFs whose white is zero where they have 8 bits, not where 16."""
    with Image.open(io.BytesIO(cell.build(files))) as image:
        image.getexif().clear()
        mode = image.mode
        other = np.asarray(image.convert('L' if mode in ('1', 'P') and cell.expected.ndim == 2
                                         else 'RGB' if mode in ('P', 'RGBA') else mode), dtype=int)
    if 'white is zero, 16' in cell.what:
        other = 65535 - other
    ours = read_image(cell.build(files)).pixels.astype(int)
    assert np.array_equal(ours if ours.ndim == 2 else bgr(ours), other)


def test_training_and_pictures_read_the_same(files, tmp_path):
    """Each row of the table through the first step of a pipeline and the painter of predictions."""
    from mmwindow.datasets.transforms import LoadRadiograph
    from mmwindow.visualization.point_visualizer import stored_pixels
    path = tmp_path / 'a.png'
    for cell in CELLS:
        content, settings = cell.build(files), ImageSettings(cell.bit_depth)
        path.write_bytes(content)
        step = LoadRadiograph(bit_depth=cell.bit_depth)
        calls = [lambda step=step: step.transform(dict(img_path=str(path)))['img'],
                 lambda settings=settings: stored_pixels(
                     None, dict(img_path=path), settings)[..., ::-1]]
        for call in calls:
            if isinstance(cell.expected, str):
                with pytest.raises(ValueError, match=cell.expected):
                    call()
            else:
                assert np.array_equal(call(), read_image(content, settings).to_bgr()), cell.what


def mutate(content, generator):
    """Return a file that was cut, changed, or of which a part was left out, doubled or zeroed."""
    place, other = sorted(generator.integers(0, len(content) + 1, 2).tolist())
    other = min(other, place + 64)
    part = content[place:other]
    new = [b'', part + part, bytes(len(part)), generator.bytes(len(part)),
           bytes([generator.integers(256)]) + part[1:], b'\xff' * len(part)]
    if generator.integers(4) == 0:
        return content[:place]
    # Headers are short and decide most.
    start = int(generator.integers(0, min(len(content), 120))) if generator.integers(2) else place
    kind = int(generator.integers(len(new)))
    return content[:start] + new[kind] + content[start + len(part):]


def read_or_reject(content, settings):
    """Return the image, or the one line that says why there is none."""
    try:
        return read_image(content, settings, name='wrist/17')
    except ValueError as error:
        assert str(error).startswith('wrist/17: ') and '\n' not in str(error)
        return str(error)


def check_mutations(files, folder, num_each, seed):
    """Assert that check and reading agree on mutated files; return how many are read."""
    generator = np.random.default_rng(seed)
    num_read = 0
    for cell in CELLS:
        settings = ImageSettings(cell.bit_depth, max_pixels=10 ** 6)
        original = cell.build(files)
        for _ in range(num_each if original else 0):
            content = mutate(original, generator)
            (folder / 'a').write_bytes(content)
            image = read_or_reject(content, settings)
            is_read = not isinstance(image, str)
            height, width = image.shape if is_read else (6, 11)
            problem = describe_image_problem(folder / 'a', height, width, settings)
            if is_read:
                assert problem is None, (cell.what, problem)
                assert image.pixels.size and image.to_bgr().shape == (height, width, 3)
            else:
                assert problem is not None and (
                    f'wrist/17: {problem}' == image or 'the point file says' in problem)
            num_read += is_read
    return num_read


def test_the_check_passes_exactly_what_is_read(files, tmp_path):
    """About 600 damaged files, each read or rejected in one line, by the check as by the decoder."""
    assert check_mutations(files, tmp_path, 4, seed=0) > 50


@pytest.mark.long
def test_the_check_passes_exactly_what_is_read_of_many(files, tmp_path):
    assert check_mutations(files, tmp_path, 60, seed=1) > 750


if __name__ == '__main__':
    text = DOCS.read_text(encoding='utf-8')
    start, end = text.index(BEGIN), text.index(END) + len(END)
    DOCS.write_text(text[:start] + table() + text[end:], encoding='utf-8')
