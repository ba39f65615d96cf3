"""Exposure jitter: the table worked by hand, and what it never does."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv.transforms.utils import cache_random_params

from mmwindow.datasets.transforms import RandomIntensity
from mmwindow.datasets.transforms.random_intensity import intensity_table

UNCHANGED = dict(shift=0., factor=1., exponent=1.)


def make_film():
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)


def test_nothing_drawn_nothing_changed():
    assert intensity_table(97.3, **UNCHANGED).tolist() == list(range(256))


def test_brightness_adds_a_part_of_the_range():
    # 0.1 of 255 is 25.5: 100 -> 125.5 -> 126 (to even), 250 -> 255, 0 -> 25.5 -> 26.
    table = intensity_table(50, **dict(UNCHANGED, shift=0.1))
    assert (table[100], table[250], table[0]) == (126, 255, 26)


def test_contrast_turns_about_the_mean():
    # (200 - 100) * 0.5 + 100 = 150; the mean stays; (0 - 100) * 0.5 + 100 = 50.
    table = intensity_table(100, **dict(UNCHANGED, factor=0.5))
    assert (table[200], table[100], table[0]) == (150, 100, 50)


def test_gamma_bends_between_black_and_white():
    # 255 (128 / 255)^2 = 64.25 -> 64; black and white stay.
    table = intensity_table(10, **dict(UNCHANGED, exponent=2))
    assert (table[0], table[128], table[255]) == (0, 64, 255)


@settings(max_examples=200, deadline=None)
@given(st.floats(0, 255), st.floats(-1, 1), st.floats(0, 2), st.floats(0.05, 20))
def test_tables_never_turn_grey_levels_round(mean, shift, factor, exponent):
    table = intensity_table(mean, shift, factor, exponent)
    assert table.shape == (256, ) and table.dtype == np.uint8
    assert (np.diff(table.astype(int)) >= 0).all()


def test_draws_stay_within_what_was_asked():
    transform = RandomIntensity(brightness=0.1, contrast=0.2, gamma=0.3, prob=0.5)
    np.random.seed(0)
    draws = [transform._draw() for _ in range(2000)]
    drawn = {name: np.array([values[name] for _, values in draws]) for name in UNCHANGED}
    for name, low, high in (('shift', -0.1, 0.1), ('factor', 0.8, 1.2),
                            ('exponent', np.exp(-0.3), np.exp(0.3))):
        values = drawn[name]
        assert low <= values.min() < low + 0.01 and high - 0.01 < values.max() <= high
    # Of 2000 throws with chance one half, six standard deviations are 6 * sqrt(500) = 134.
    assert abs(sum(changed for changed, _ in draws) - 1000) < 134


def test_probability_zero_and_one():
    film = make_film()
    for seed in range(5):
        np.random.seed(seed)
        assert RandomIntensity(prob=0).transform(dict(img=film))['img'] is film
        assert not np.array_equal(RandomIntensity(prob=1).transform(dict(img=film))['img'], film)
    assert np.array_equal(film, make_film())  # what came in is as it was


def test_the_same_seed_gives_the_same_film_and_channels_stay_equal():
    film = make_film()[..., :1].repeat(3, axis=-1)
    found = []
    for _ in range(2):
        np.random.seed(3)
        found.append(RandomIntensity(prob=1).transform(dict(img=film))['img'])
    assert np.array_equal(*found)
    assert np.array_equal(found[0][..., 0], found[0][..., 2])


def test_a_cached_draw_is_repeated():
    transform = RandomIntensity(prob=1)
    with cache_random_params(transform):
        first, second = (transform.transform(dict(img=make_film()))['img'] for _ in range(2))
    assert np.array_equal(first, second)


def test_other_types_are_rejected():
    with pytest.raises(ValueError, match='the image is float32; uint8 is expected'):
        RandomIntensity().transform(dict(img=make_film().astype(np.float32)))


@pytest.mark.parametrize('options, says', [
    (dict(brightness=-0.1), 'brightness is -0.1; expected 0 to 1'),
    (dict(contrast=1.5), 'contrast is 1.5'), (dict(prob=float('nan')), 'prob is nan'),
    (dict(gamma=-1), 'gamma is -1; expected 0')])
def test_strengths_that_cannot_be_meant(options, says):
    with pytest.raises(ValueError, match=says):
        RandomIntensity(**options)
