"""Reading images: bit depths, orientation, and errors that name the file."""
import io
import os
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from mmwindow.images.decode import GrayImage, ImageSettings, read_image, to_8_bit


def make_pixels(dtype=np.uint8, top=None):
    return np.random.default_rng(0).integers(0, top or np.iinfo(dtype).max, (48, 64)).astype(dtype)


def encode(pixels, kind='PNG', **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def tagged(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize('values, depth, expected', [
    # 12 bits, white is 4095: 4095 -> 255, 2048 * 255 / 4095 = 127.53 -> 128, 1 -> 0.06 -> 0.
    ([0, 1, 2048, 4095], 12, [0, 0, 128, 255]),
    # 10 bits, white is 1023: 512 * 255 / 1023 = 127.6 -> 128.
    ([0, 512, 1023], 10, [0, 128, 255]),
    # 16384 * 255 / 65535 = 63.75 -> 64.
    ([16384, 65535], 16, [64, 255]), ([0, 0], 16, [0, 0])])
def test_16_bits_become_8(values, depth, expected):
    pixels = to_8_bit(np.array(values, dtype=np.uint16), depth)
    assert pixels.dtype == np.uint8 and pixels.tolist() == expected


def test_a_grey_image_has_three_equal_channels():
    pixels = make_pixels()
    image = read_image(encode(pixels))
    assert np.array_equal(image.pixels, pixels) and image.shape == (48, 64)
    assert (image.bit_depth, image.orientation) == (8, 1)
    assert np.array_equal(image.to_bgr(), np.stack([pixels] * 3, axis=-1))


def test_colours_are_blue_green_red_and_transparency_is_left_out():
    pixels = np.zeros((48, 64, 4), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 3] = 200, 10, 77
    assert read_image(encode(pixels)).to_bgr()[5, 5].tolist() == [0, 10, 200]


@pytest.mark.parametrize('kind, orientation', [
    ('JPEG', 6), ('JPEG', 3), ('PNG', 5), *(('TIFF', orientation) for orientation in range(1, 9))])
def test_the_orientation_is_named_and_not_applied(kind, orientation):
    pixels = np.zeros((48, 64), np.uint8)
    pixels[:8, :8] = 255
    options = dict(quality=95) if kind == 'JPEG' else {}
    image = read_image(encode(pixels, kind, exif=tagged(orientation), **options))
    assert image.orientation == orientation and image.shape == (48, 64)
    assert image.pixels[2, 2] > 200 and image.pixels[2, -3] < 50 and image.pixels[-3, 2] < 50


def test_a_path_its_bytes_and_its_pixels_are_read_alike(tmp_path):
    pixels = make_pixels(np.uint16)
    (tmp_path / 'a.png').write_bytes(encode(pixels))
    for source in (tmp_path / 'a.png', str(tmp_path / 'a.png'), encode(pixels), pixels,
                   pixels[..., None]):
        image = read_image(source)
        assert isinstance(image, GrayImage) and image.bit_depth == 16
        assert np.array_equal(image.to_bgr()[..., 1], np.round(pixels / 65535 * 255))


def test_the_bit_depth_is_a_rule_of_the_set_and_no_guess_from_one_image():
    """Two images that differ in one pixel are read by one rule, or one of them is rejected."""
    dark = make_pixels(np.uint16, top=4096)
    bright = dark.copy()
    bright[0, 0] = 65535
    assert read_image(bright).bit_depth == 16
    with pytest.raises(ValueError, match=r'the array: 16-bit pixels reach 40\d\d only, so that they '
                                         'are probably of 10, 12 or 14 bits; state the bit_depth'):
        read_image(dark)
    twelve, sixteen = ImageSettings(bit_depth=12), ImageSettings(bit_depth=16)
    assert np.array_equal(read_image(dark, twelve).to_8_bit(), np.round(dark / 4095 * 255))
    assert np.array_equal(read_image(dark, sixteen).to_8_bit()[1:], read_image(bright).to_8_bit()[1:])
    with pytest.raises(ValueError, match='pixels reach 65535, more than bit_depth 12 holds'):
        read_image(bright, twelve)
    assert read_image(make_pixels(), twelve).bit_depth == 8  # 8-bit images need no setting


@pytest.mark.parametrize('depth', [8, 17, 12.0, True, '12'])
def test_bit_depths_that_cannot_be_meant(depth):
    with pytest.raises(ValueError, match='bit_depth is .* a whole number from 9 to 16'):
        ImageSettings(depth)


@pytest.mark.parametrize('limit', [0, 2 ** 30 + 1, 1e6, True, '9'])
def test_limits_of_pixels_that_cannot_be_meant(limit):
    with pytest.raises(ValueError, match='max_pixels is .* a whole number from 1 to 1073741824'):
        ImageSettings(max_pixels=limit)


@pytest.mark.parametrize('kind', ['PNG', 'JPEG', 'BMP', 'TIFF'])
@pytest.mark.parametrize('kept', [0, 0.5, 0.9])
def test_a_truncated_image(kind, kept):
    content = encode(make_pixels(), kind)
    content = content[:int(kept * len(content))]
    with pytest.raises(ValueError) as caught:
        read_image(content, name='wrist/17.png')
    says = 'is damaged or cut short (' if content else 'is no image that can be read'
    assert str(caught.value).startswith(f'wrist/17.png: {says}')
    assert 'take the image and its annotations out of the point file' in str(caught.value)


def test_really_truncated_radiographs(fracatlas):
    for path in sorted((fracatlas / 'truncated').glob('*.jpg')):
        with pytest.raises(ValueError, match=f'{path.name}: is damaged or cut short .*Premature end'):
            read_image(path)


def test_what_is_no_image():
    with pytest.raises(ValueError, match='the image: is no image that can be read'):
        read_image(b'a,b,c,d')


@pytest.mark.parametrize('dtype', [np.float32, np.int32])
def test_other_numbers_are_rejected(dtype):
    _, content = cv2.imencode('.tiff', np.zeros((8, 8), dtype))
    for source in (content.tobytes(), np.zeros((8, 8), dtype)):
        with pytest.raises(ValueError, match=f'pixels are {dtype.__name__}; 8- or 16-bit whole num'):
            read_image(source)


@pytest.mark.parametrize('shape', [(8,), (8, 8, 2), (8, 8, 4), (2, 8, 8, 3), (0, 8)])
def test_other_shapes_are_rejected(shape):
    with pytest.raises(ValueError, match=r'pixels have the shape .*; \(H, W\) or \(H, W, 3\)'):
        read_image(np.zeros(shape, np.uint8))


def test_a_missing_image(tmp_path):
    with pytest.raises(ValueError) as caught:
        read_image(tmp_path / 'nowhere.png')
    assert str(caught.value) == (
        f'{tmp_path}/nowhere.png: the image cannot be read (No such file or directory); check '
        'data_root and data_prefix.img in the config')


@pytest.mark.parametrize('make', [os.mkfifo, os.mkdir, lambda path: os.symlink('/dev/zero', path)],
                         ids=['pipe', 'folder', 'device'])
def test_what_is_no_regular_file_is_named_at_once(make, tmp_path):
    """A pipe blocks and a device never ends."""
    make(tmp_path / 'a.png')
    with pytest.raises(ValueError, match='a.png: the image cannot be read .it is a'):
        read_image(tmp_path / 'a.png')


@pytest.mark.parametrize('name', ['a\0b.png', 'a\udc80.png'])
def test_names_that_no_file_has(name, tmp_path):
    with pytest.raises(ValueError, match='the image cannot be read'):
        read_image(tmp_path / name)


def test_a_file_larger_than_the_largest_image_is_not_read(tmp_path):
    """A sparse file of a terabyte would fill the memory."""
    with open(tmp_path / 'a.png', 'wb') as stream:
        stream.truncate(2 ** 40)
    with pytest.raises(ValueError, match='a.png: 1099511627776 bytes are more than an image'):
        read_image(tmp_path / 'a.png')


def test_the_limit_of_pixels_is_a_setting():
    content = encode(make_pixels())
    with pytest.raises(ValueError, match='are 3072 pixels, .* the limit of 3071; raise max_pixels'):
        read_image(content, ImageSettings(max_pixels=3071))
    assert read_image(content, ImageSettings(max_pixels=3072)).shape == (48, 64)


def peak_of(call):
    """Return the highest memory of Python and numpy during a call that raises, in bytes."""
    tracemalloc.start()
    with pytest.raises(ValueError, match='damaged or cut short|max_pixels|is empty'):
        call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_small_file_takes_little_memory_whatever_it_announces(files):
    """16 MB of zeros in 16 kB are not inflated for a header of 64 x 64, nor pixels reserved."""
    bomb = zlib.compress(bytes(2 ** 24))
    grey = np.zeros((64, 64), int)
    contents = [files.png(grey, data=bomb), files.png(grey, data=bomb, size=(10 ** 5, 10 ** 5)),
                files.tiff(grey, tags={256: (4, [10 ** 5]), 257: (4, [10 ** 5])}),
                files.tiff(grey, tags={258: (3, [8]), 279: (4, [2 ** 31])}),
                files.tiff(grey, tags={322: (4, [2 ** 31]), 323: (4, [2 ** 31]), 324: (4, [8]),
                                       325: (4, [64])})]
    assert max(peak_of(lambda content=content: read_image(content)) for content in contents) < 2 ** 21
