"""What is wrong with an image file is seen before training, mostly without decoding it."""
import io

import numpy as np
import pytest
from PIL import Image

from mmwindow.annotations.point_file import ImageRecord
from mmwindow.images.decode import ImageSettings, read_image
from mmwindow.images.file_check import check_image_files, describe_image_problem, describe_turned


def encode(kind, dtype=np.uint8, **options):
    """Return an image of 64 x 48 (width x height) of noise, encoded."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, np.iinfo(dtype).max, (48, 64)).astype(dtype)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def write(folder, content, name='film'):
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize('kind, dtype', [('JPEG', np.uint8), ('PNG', np.uint8), ('PNG', np.uint16),
                                         ('TIFF', np.uint16), ('BMP', np.uint8)])
def test_complete_images_pass(tmp_path, kind, dtype):
    assert describe_image_problem(write(tmp_path, encode(kind, dtype)), 48, 64) is None


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'TIFF', 'BMP'])
@pytest.mark.parametrize('kept', [0.5, 0.9])
def test_truncated_images_are_seen(tmp_path, kind, kept):
    content = encode(kind)
    path = write(tmp_path, content[:int(kept * len(content))])
    problem = describe_image_problem(path, 48, 64)
    assert problem.startswith('is damaged or cut short (')
    assert problem.endswith('); copy it again, or take the image and its annotations out of the '
                            'point file')


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
def test_an_image_that_lacks_only_its_last_bytes_is_seen_or_complete(tmp_path, kind):
    # Without the end marker alone all pixels may still be there; then it is usable.
    path = write(tmp_path, encode(kind)[:-2])
    try:
        is_complete = read_image(path).shape == (48, 64)
    except ValueError:
        is_complete = False
    assert (describe_image_problem(path, 48, 64) is None) == is_complete


def test_bytes_appended_by_a_camera_do_no_harm(tmp_path):
    path = write(tmp_path, encode('JPEG') + bytes(5000))
    assert describe_image_problem(path, 48, 64) is None


@pytest.mark.parametrize('content', [b'', b'patient,x,y\n', b'\xff\xd8', bytes(3000)])
def test_what_is_no_image(tmp_path, content):
    problem = describe_image_problem(write(tmp_path, content), 48, 64)
    assert problem.startswith('is no image that can be read; copy it again')


def test_a_missing_file_and_a_folder(tmp_path):
    assert describe_image_problem(tmp_path / 'nowhere.png', 48, 64) == (
        'there is no such file; check data_prefix.img, or copy the image there')
    assert describe_image_problem(tmp_path, 48, 64).startswith(
        'the image cannot be read (it is a folder)')


def test_another_size_than_announced(tmp_path):
    assert describe_image_problem(write(tmp_path, encode('PNG')), 64, 48) == (
        'is 64 x 48 (width x height), the point file says 48 x 64; scale its points or fix its size')


def test_the_orientation_is_ignored_as_when_loading(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by a quarter turn when shown
    path = write(tmp_path, encode('JPEG', exif=exif))
    assert describe_image_problem(path, 48, 64) is None


@pytest.mark.parametrize('orientation', [1, 3, 6])
def test_the_size_of_a_tagged_tiff_is_that_of_its_stored_pixels(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = write(tmp_path, encode('TIFF', exif=exif))
    assert describe_image_problem(path, 48, 64) is None
    assert check_image_files([ImageRecord(1, path.name, 48, 64, (), ())], tmp_path).turned == (
        {} if orientation == 1 else {path.name: orientation})


def test_a_size_that_the_orientation_explains_is_told(tmp_path):
    """Points of a viewer that turned the image: 'scale its points' would send them the wrong way."""
    exif = Image.Exif()
    exif[0x0112] = 6
    problem = describe_image_problem(write(tmp_path, encode('JPEG', exif=exif)), 64, 48)
    assert 'is 64 x 48 (width x height), the point file says 48 x 64' in problem
    assert 'its orientation tag (6) turns it by a quarter' in problem and 'scale' not in problem


def test_depths_and_numbers_that_training_would_reject_are_seen(tmp_path):
    twelve = np.full((48, 64), 3000, np.uint16)
    Image.fromarray(twelve).save(tmp_path / 'a.png')
    assert 'state the bit_depth of all images' in describe_image_problem(tmp_path / 'a.png', 48, 64)
    assert describe_image_problem(tmp_path / 'a.png', 48, 64, ImageSettings(12)) is None
    assert 'more than bit_depth 10' in describe_image_problem(tmp_path / 'a.png', 48, 64,
                                                              ImageSettings(10))
    Image.fromarray(twelve.astype(np.float32)).save(tmp_path / 'a.tif')
    assert 'pixels are float32' in describe_image_problem(tmp_path / 'a.tif', 48, 64)


def test_turned_images_are_named(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    write(tmp_path, encode('JPEG', exif=exif), 'turned.jpg')
    write(tmp_path, encode('JPEG'), 'plain.jpg')
    records = [ImageRecord(img_id=1, file_name=name, height=48, width=64, points=(), labels=())
               for name in ('turned.jpg', 'plain.jpg', 'missing.jpg')]
    check = check_image_files(records, tmp_path)
    assert check.turned == {'turned.jpg': 3} and list(check.problems) == ['missing.jpg']
    assert describe_turned(check.turned).startswith('1 image has an orientation tag, which is not')
    assert check_image_files([], tmp_path) == ({}, {})


def test_an_unreasonable_size_is_told(tmp_path):
    path = write(tmp_path, encode('PNG'))
    problem = describe_image_problem(path, 48, 64, ImageSettings(max_pixels=1000))
    assert 'more than the limit of 1000; raise max_pixels' in problem


def test_really_truncated_radiographs_are_seen(fracatlas):
    paths = sorted((fracatlas / 'truncated').glob('*.jpg'))
    assert paths
    for path in paths:
        with Image.open(path) as image:
            width, height = image.size
        assert 'cut short' in describe_image_problem(path, height, width)


def test_a_name_that_no_file_can_have_is_told(tmp_path):
    problem = describe_image_problem(tmp_path / ('a' * 5000 + '.png'), 4, 4)
    assert problem == 'it cannot be looked for (File name too long); check its name'
