"""Reading films: bit depths, orientation, and errors that name the file."""
import io

import cv2
import numpy as np
import pytest
from mmdet.registry import TRANSFORMS
from PIL import Image

from mmwindow.datasets.transforms import LoadRadiograph
from mmwindow.images.decode import decode_radiograph, to_8_bit


def make_pixels(dtype=np.uint8, top=None):
    return np.random.default_rng(0).integers(0, top or np.iinfo(dtype).max, (48, 64)).astype(dtype)


def encode(pixels, kind='PNG', **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def load(path, **more):
    return LoadRadiograph().transform(dict(img_path=str(path), **more))


@pytest.mark.parametrize('values, expected', [
    # 12 bits, white is 4095: 4095 -> 255, 2048 * 255 / 4095 = 127.53 -> 128, 1 -> 0.06 -> 0.
    ([0, 1, 2048, 4095], [0, 0, 128, 255]),
    # 1023 fits into 10 bits: 512 * 255 / 1023 = 127.6 -> 128.
    ([0, 512, 1023], [0, 128, 255]),
    # 300 fits into 10 bits as well, so that it stays as dark as in the film before: 74.8 -> 75.
    ([0, 300], [0, 75]),
    # 16384 needs 16 bits (14 end at 16383): 16384 * 255 / 65535 = 63.75 -> 64.
    ([16384, 65535], [64, 255]), ([16384], [64]), ([16383], [255]),
    ([255, 0, 7], [255, 0, 7]), ([0, 0], [0, 0])])
def test_16_bits_become_8(values, expected):
    found = to_8_bit(np.array(values, dtype=np.uint16))
    assert found.dtype == np.uint8 and found.tolist() == expected


def test_grey_films_have_three_equal_channels():
    pixels = make_pixels()
    found = decode_radiograph(encode(pixels), 'film')
    assert found.shape == (48, 64, 3) and found.dtype == np.uint8
    assert all(np.array_equal(found[..., channel], pixels) for channel in range(3))


def test_16_bit_films():
    pixels = make_pixels(np.uint16, top=4096)
    pixels[0, 0] = 4095
    found = decode_radiograph(encode(pixels), 'film')
    assert np.array_equal(found[..., 1], np.round(pixels * (255 / 4095.)).astype(np.uint8))


def test_colours_are_blue_green_red_and_transparency_is_left_out():
    pixels = np.zeros((48, 64, 4), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 3] = 200, 10, 77
    assert decode_radiograph(encode(pixels), 'film')[5, 5].tolist() == [0, 10, 200]


def test_the_orientation_is_ignored():
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by a quarter turn when shown
    pixels = np.zeros((48, 64), np.uint8)
    pixels[:8, :8] = 255
    found = decode_radiograph(encode(pixels, 'JPEG', exif=exif), 'film')
    assert found.shape == (48, 64, 3) and found[2, 2, 0] > 200 and found[2, -3, 0] < 50


@pytest.mark.parametrize('kind', ['PNG', 'JPEG', 'BMP', 'TIFF'])
@pytest.mark.parametrize('kept', [0, 0.5, 0.9])
def test_a_truncated_film(kind, kept):
    content = encode(make_pixels(), kind)
    content = content[:int(kept * len(content))]
    with pytest.raises(ValueError) as caught:
        decode_radiograph(content, 'wrist/17.png')
    assert str(caught.value).startswith(f'wrist/17.png: {len(content)} bytes, but no whole image')
    assert 'take the image and its annotations out of the point file' in str(caught.value)


def test_really_truncated_radiographs(fracatlas):
    for path in sorted((fracatlas / 'truncated').glob('*.jpg')):
        with pytest.raises(ValueError, match=f'{path.name}: .* no whole image'):
            load(path)


def test_what_is_no_film():
    with pytest.raises(ValueError, match='film: 7 bytes, but no whole image'):
        decode_radiograph(b'a,b,c,d', 'film')


def test_a_size_beyond_opencvs_limits():
    header = bytearray(encode(make_pixels(), 'BMP'))
    header[18:26] = np.array([2 ** 20, 2 ** 20], '<i4').tobytes()  # a million by a million
    with pytest.raises(ValueError, match='film: .* no whole image'):
        decode_radiograph(bytes(header), 'film')


def test_fractions_are_refused():
    _, content = cv2.imencode('.tiff', np.zeros((8, 8, 3), np.float32))
    with pytest.raises(ValueError, match='film: pixels are float32; 8- or 16-bit whole numbers'):
        decode_radiograph(content.tobytes(), 'film')


def test_the_transform(tmp_path):
    path = tmp_path / 'film.png'
    pixels = make_pixels()
    path.write_bytes(encode(pixels))
    assert isinstance(TRANSFORMS.build(dict(type='LoadRadiograph')), LoadRadiograph)
    found = load(path, height=48, width=64)
    assert np.array_equal(found['img'][..., 0], pixels)
    assert found['img_shape'] == found['ori_shape'] == (48, 64)
    with pytest.raises(ValueError) as caught:
        load(path, height=64, width=48)
    assert str(caught.value) == (
        f'{path}: the image is 64 x 48 (width x height), the point file says 48 x 64; scale its '
        'points or mend its size')


def test_a_missing_film(tmp_path):
    with pytest.raises(ValueError) as caught:
        load(tmp_path / 'nowhere.png')
    assert str(caught.value) == (
        f'{tmp_path}/nowhere.png: the image cannot be read (No such file or directory); check '
        'data_root and data_prefix.img in the config')
