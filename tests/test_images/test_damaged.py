"""Damage that libraries pass over: each was found by tools/fuzz.py, as an image of wrong pixels."""
import io
import struct

import numpy as np
import pytest
from PIL import Image

from mmwindow.images.decode import read_image
from mmwindow.images.file_check import describe_image_problem

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 12)).astype(np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (8, 12, 3)).astype(np.uint8)


def save(image_format, pixels, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, image_format, **options)
    return stream.getvalue()


def change(content, place, data):
    return content[:place] + data + content[place + len(data):]


def change_tag(content, tag, kind=None, value=None, number_of_values=None, name=None):
    """Return a little-endian TIFF whose tag has another type, value, number of values or name."""
    start, = struct.unpack_from('<I', content, 4)
    number, = struct.unpack_from('<H', content, start)
    entry = next(place for place in range(start + 2, start + 2 + 12 * number, 12)
                 if struct.unpack_from('<H', content, place)[0] == tag)
    if kind is not None:
        content = change(content, entry + 2, struct.pack('<H', kind))
    if number_of_values is not None:
        content = change(content, entry + 4, struct.pack('<I', number_of_values))
    if name is not None:
        content = change(content, entry, struct.pack('<H', name))
    return content if value is None else change(content, entry + 8, struct.pack('<H', value))


GREY_TIFF, BMP, WEBP = save('TIFF', PIXELS), save('BMP', PIXELS), save('WEBP', COLOUR, lossless=True)
CASES = {
    # Passed over, the tag of the bits has its usual value: one bit.
    'bits of another type': (change_tag(GREY_TIFF, 258, kind=8), 'the tag 258 is of type 8'),
    'bits of no value': (change_tag(GREY_TIFF, 258, number_of_values=0), '0 values of the tag 258'),
    # Eight times the bytes that one bit takes: what is too much was not looked at.
    **{f'no bits, {name}': (change_tag(save('TIFF', PIXELS, compression=compression), 258, name=260),
                            '[0-9]+ bytes in a strip, of which width, rows and bits')
       for name, compression in (('plain', None), ('LZW', 'tiff_lzw'), ('PackBits', 'packbits'))},
    'no bits, Deflate': (change_tag(save('TIFF', PIXELS, compression='tiff_deflate'), 258, name=260),
                         'of another size than announced'),
    'no order of samples': (change_tag(GREY_TIFF, 284, value=9), 'order of the samples'),
    'grey of three samples': (change_tag(save('TIFF', COLOUR), 262, value=1),
                              '3 samples in a grey pixel'),
    # OpenCV takes the headers for pixels.
    'pixels at 0': (change(BMP, 10, bytes(4)), 'begin at 0'),
    # OpenCV and Pillow give it a colour of their own.
    'a colour beyond the palette': (change(BMP, 46, struct.pack('<I', 2)), 'a pixel of colour .* 2'),
    'an unknown header': (change(BMP, 14, struct.pack('<I', 1832)), 'BMP of OS/2|no image'),
    # OpenCV fills what it cannot decode with grey.
    'WebP with a hole': (change(WEBP, len(WEBP) // 2, bytes(len(WEBP) // 3)), 'WebP')}


@pytest.mark.parametrize('name', CASES)
def test_damage_that_libraries_pass_over_is_an_error(name, tmp_path):
    content, words = CASES[name]
    path = tmp_path / 'a.img'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'a.img: .*({words})'):
        read_image(path)
    assert describe_image_problem(path, 8, 12) is not None


BILEVEL = PIXELS > 127
NOISE = np.random.default_rng(2).integers(0, 256, (90, 70)).astype(np.uint8)  # LZW makes it longer


@pytest.mark.parametrize('content, expected', [
    *((save('TIFF', NOISE, compression=name), NOISE) for name in (None, 'tiff_lzw', 'packbits')),
    *((save('TIFF', BILEVEL, compression=name), BILEVEL * 255)  # Pillow writes no tag of their bits
      for name in (None, 'tiff_lzw', 'packbits', 'tiff_deflate')),
    (GREY_TIFF, PIXELS), (BMP, PIXELS), (WEBP, COLOUR[..., ::-1])])
def test_the_same_files_undamaged_are_read(content, expected):
    pixels = read_image(content).pixels
    assert (pixels == expected).all() and pixels.shape == expected.shape
