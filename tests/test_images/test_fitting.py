"""What a network's input takes of an image: one channel gives what three equal ones give."""
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwindow.images.decode import GrayImage, to_8_bit
from mmwindow.images.fitting import (
    FittedImage,
    check_input_size,
    find_shrinking,
    fit_image,
    resize_pixels,
    shrink_with_opencv,
)

SIDES = st.integers(1, 90)


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES, st.integers(0, 99))
def test_a_grey_image_is_resized_as_its_three_channels(height, width, rows, columns, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    three = resize_pixels(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), rows, columns)
    one = cv2.cvtColor(resize_pixels(pixels, rows, columns), cv2.COLOR_GRAY2BGR)
    assert np.array_equal(one, three)


@settings(max_examples=80, deadline=None)
@given(st.integers(2, 300), st.integers(2, 300), st.integers(1, 99), st.integers(1, 99),
       st.integers(0, 99))
def test_the_compiled_function_gives_the_bits_of_opencv(height, width, down, across, seed):
    shrink = pytest.importorskip('mmwindow.images.area_numba', reason='numba is not used').shrink
    rows, columns = max(1, height * down // 100), max(1, width * across // 100)
    if rows == height or columns == width or not (height % rows or width % columns):
        return
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    assert np.array_equal(shrink(pixels, rows, columns), shrink_with_opencv(pixels, rows, columns))


def test_images_of_full_size_shrink_to_the_bits_of_opencv():
    generator = np.random.default_rng(0)
    for shape, new in (((1955, 1841), (1024, 964)), ((1536, 1536), (1024, 1024)),
                       ((1500, 900), (750, 450)), ((900, 700), (899, 699)), ((1000, 900), (7, 900))):
        for channels in ((), (3, )):
            pixels = generator.integers(0, 256, (*shape, *channels)).astype(np.uint8)
            assert np.array_equal(resize_pixels(pixels, *new), shrink_with_opencv(pixels, *new))


def test_grey_that_was_saved_in_colour_is_shrunk_as_grey():
    pixels = np.random.default_rng(0).integers(0, 256, (50, 40, 3)).astype(np.uint8)
    assert fit_image(GrayImage(pixels), 20).pixels.shape == (20, 16, 3)
    pixels[..., 1:] = pixels[..., :1]
    image = fit_image(GrayImage(pixels), 20)
    assert image.pixels.shape == (20, 16)
    assert np.array_equal(image.to_bgr(), shrink_with_opencv(pixels, 20, 16))
    pixels[49, 39, 2] ^= 1
    assert fit_image(GrayImage(pixels), 20).pixels.ndim == 3


def test_a_function_that_rounds_otherwise_is_not_taken(monkeypatch):
    module = pytest.importorskip('mmwindow.images.area_numba', reason='numba is not used')
    assert find_shrinking.__wrapped__() is module.shrink
    monkeypatch.setattr(module, 'shrink', lambda *args: shrink_with_opencv(*args) ^ np.uint8(1))
    assert find_shrinking.__wrapped__() is shrink_with_opencv
    monkeypatch.setitem(sys.modules, 'mmwindow.images.area_numba', None)
    assert find_shrinking.__wrapped__() is shrink_with_opencv


def test_shrinking_averages_and_what_is_smaller_stays():
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4) * 10
    fitted = fit_image(GrayImage(pixels, orientation=6), 2)
    # (0 + 10 + 40 + 50) / 4 and so on.
    assert fitted.pixels.tolist() == [[25, 45], [105, 125]]
    assert fitted.source_shape == (4, 4) and fitted.orientation == 6
    assert np.array_equal(fit_image(GrayImage(pixels), (64, 64)).pixels, pixels)
    assert fit_image(GrayImage(pixels), (1, 64)).pixels.tolist() == [[75]]


def test_sixteen_bits_become_eight_before_they_are_averaged():
    """As in a pipeline of single steps: 128 and 0 of 8 bits, not the mean of 12."""
    image = GrayImage(np.array([[2055, 0]], dtype=np.uint16), 12)
    assert to_8_bit(image.pixels, 12).tolist() == [[128, 0]]
    assert fit_image(image, 1).pixels.tolist() == [[64]]


def test_pixels_of_three_channels():
    grey = FittedImage(np.array([[7]], dtype=np.uint8), (1, 1))
    assert grey.to_bgr().tolist() == [[[7, 7, 7]]]
    colour = FittedImage(np.array([[[1, 2, 3]]], dtype=np.uint8), (1, 1))
    assert colour.to_bgr().tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize('size', [0, (1, 2, 3), 'a', (1., 2), True, None])
def test_no_input_size(size):
    with pytest.raises(ValueError, match='input_size'):
        check_input_size(size)
