"""What a network's input takes of an image: one channel gives what three equal ones give."""
import sys
from concurrent.futures import ThreadPoolExecutor

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
    grey_channel,
    resize_pixels,
    shrink_with_opencv,
)
from mmwindow.images.padding import is_one_channel, pad_to_size

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


def test_means_in_the_middle_between_two_levels_are_rounded_as_opencv_does(monkeypatch):
    """Down first rounds otherwise: without a second look some of these means get the other level."""
    module = pytest.importorskip('mmwindow.images.area_numba', reason='numba is not used')
    generator = np.random.default_rng(0)
    cases = [(generator.integers(low, low + 2, (side, side)).astype(np.uint8), rows, columns)
             for low in (0, 126, 254) for side, rows, columns in (
                 (240, 120, 180), (240, 160, 60), (240, 25, 48), (480, 300, 320), (600, 25, 16))]
    expected = [shrink_with_opencv(*case) for case in cases]
    assert all(np.array_equal(module.shrink(*case), levels)
               for case, levels in zip(cases, expected, strict=True))
    monkeypatch.setattr(module, 'rounding_bound', lambda *args: -1.)  # nothing is in doubt
    assert not all(np.array_equal(module.shrink(*case), levels)
                   for case, levels in zip(cases, expected, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 400), st.integers(2, 400), st.integers(1, 99), st.integers(1, 99),
       st.integers(0, 99))
def test_two_orders_of_summation_differ_by_less_than_the_bound(height, width, down, across, seed):
    module = pytest.importorskip('mmwindow.images.area_numba', reason='numba is not used')
    new_rows, new_columns = max(1, height * down // 100), max(1, width * across // 100)
    rows, columns = module.make_cells(height, new_rows), module.make_cells(width, new_columns)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.float32)

    def sum_first(values, cells):  # axis 0
        index = np.minimum(cells.starts + np.arange(len(cells.weights))[:, None], len(values) - 1)
        total = np.zeros((len(cells.starts), values.shape[1]), np.float32)
        for place, weights in zip(index, cells.weights, strict=True):
            total += values[place] * weights[:, None]
        return total

    one = sum_first(sum_first(pixels, rows).T.copy(), columns).T
    other = sum_first(sum_first(pixels.T.copy(), columns).T.copy(), rows)
    bound = module.rounding_bound(len(columns.weights), len(rows.weights))
    assert np.abs(one - other).max() <= bound / 2  # the bound leaves a factor of two


def test_images_of_full_size_shrink_to_the_bits_of_opencv():
    generator = np.random.default_rng(0)
    for shape, new in (((1955, 1841), (1024, 964)), ((1536, 1536), (1024, 1024)),
                       ((1500, 900), (750, 450)), ((900, 700), (899, 699)), ((1000, 900), (7, 900)),
                       ((3000, 200), (2999, 17)), ((800, 700), (1, 699)), ((700, 800), (699, 1))):
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


@pytest.mark.parametrize('shape', [(900, 700), (9, 7), (1, 600_000), (600_000, 1), (130, 5000)])
def test_equal_channels_are_found_in_large_and_small_images(shape, monkeypatch):
    """Also where the next pixel differs, with numba and without."""
    grey = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    pixels = np.repeat(grey[..., None], 3, axis=2)
    for _ in range(2):
        assert np.array_equal(grey_channel(pixels), grey)
        assert np.array_equal(grey_channel(pixels[::-1]), grey[::-1])
        for channel in range(3):
            other = pixels.copy()
            other[-1, -1, channel] ^= 128
            assert grey_channel(other) is None
        monkeypatch.setitem(sys.modules, 'mmwindow.images.area_numba', None)


def test_memory_between_images_is_bounded_and_each_threads_own():
    module = pytest.importorskip('mmwindow.images.area_numba', reason='numba is not used')
    pixels = [np.random.default_rng(seed).integers(0, 256, (800, 700 + seed)).astype(np.uint8)
              for seed in range(8)]
    expected = [shrink_with_opencv(picture, 301, 200) for picture in pixels]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda picture: module.shrink(picture, 301, 200), pixels * 4))
    assert all(np.array_equal(one, other) for one, other in zip(found, expected * 4, strict=True))
    wide = np.zeros((3, 2 ** 21), np.uint8)  # a copy of its block is larger than what is kept
    module.shrink(wide, 2, 2 ** 20)
    assert all(array.nbytes <= module.MAX_KEPT for array in module.MEMORY.arrays.values())


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
    assert grey.to_bgr().tolist() == grey.view_bgr().tolist() == [[[7, 7, 7]]]
    colour = FittedImage(np.array([[[1, 2, 3]]], dtype=np.uint8), (1, 1))
    assert colour.to_bgr().tolist() == colour.view_bgr().tolist() == [[[1, 2, 3]]]
    assert is_one_channel(grey.view_bgr()) and not is_one_channel(grey.to_bgr())
    assert not is_one_channel(colour.view_bgr()) and not is_one_channel(grey.pixels)
    # Nothing can be written into three channels at once by mistake.
    assert not grey.view_bgr().flags.writeable
    padded = pad_to_size(grey.view_bgr(), 2, 3, 9)
    assert is_one_channel(padded) and padded[..., 1].tolist() == [[7, 9, 9], [9, 9, 9]]
    assert np.array_equal(padded, pad_to_size(grey.to_bgr(), 2, 3, 9))
    assert pad_to_size(grey.view_bgr(), 1, 1).shape == (1, 1, 3)


@pytest.mark.parametrize('size', [0, (1, 2, 3), 'a', (1., 2), True, None])
def test_no_input_size(size):
    with pytest.raises(ValueError, match='input_size'):
        check_input_size(size)
