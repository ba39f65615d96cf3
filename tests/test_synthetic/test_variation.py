"""What studies vary of the images: the extent of fractures and the scale of the anatomy."""
import json

import numpy as np
import pytest

from mmwindow.synthetic import Variation, generate_radiograph, write_dataset
from mmwindow.synthetic.anatomy import draw_patient
from mmwindow.synthetic.radiograph import draw_view

SIDE = 96


def outlines(spread, number=24):
    """Length of the outlines' diagonals as shares of the image, of the first seeds."""
    found = []
    for seed in range(number):
        made = generate_radiograph(seed, SIDE, True, variation=Variation(extent_spread=spread))
        found += [float(np.hypot(*np.ptp(outline, axis=0))) / SIDE for outline in made.polygons]
    return np.log(found)


def test_the_generator_as_it_is_has_not_changed():
    """Golden numbers of a version before studies: two points, names, grey values."""
    for made in (generate_radiograph(0, 128, True),
                 generate_radiograph(0, 128, True, variation=Variation())):
        assert made.points == pytest.approx(np.array([[116.69895364858188, 76.56458002094904],
                                                      [96.65379852579161, 43.76016452540913]]))
        assert made.fractures == ['femur_right', 'innominate_right']
        # Grey values are rounded from float32: other processors may differ by one here and there.
        assert made.img.mean() == pytest.approx(99.4851634174312, abs=.2)
        assert made.img[40:90:10, 60] == pytest.approx([222, 169, 112, 157, 116], abs=1)


@pytest.mark.parametrize('variation, points, names, mean', [
    (dict(extent_spread=0), [[58.876, 80.247], [45.541, 70.120]], ['innominate_left'] * 2, 99.34),
    (dict(extent_spread=.7), [[53.434, 84.738], [26.025, 41.837]], ['innominate_left'] * 2, 99.07),
    (dict(scale_range=1), [[119.796, 74.265], [97.864, 41.880]], ['femur_right', 'innominate_right'],
     101.70),
    (dict(scale_range=2), [[27.833, 42.601], [97.947, 41.193]],
     ['innominate_left', 'innominate_right'], 112.40)])
def test_golden_radiographs_of_seed_0(variation, points, names, mean):
    made = generate_radiograph(0, 128, True, variation=Variation(**variation))
    assert made.points == pytest.approx(np.array(points), abs=.01)
    assert made.fractures == names and made.img.mean() == pytest.approx(mean, abs=.2)


def test_a_larger_spread_gives_more_unequal_fractures_of_the_same_middle():
    # .20 and .40 of 40 seeds at 256 pixels; branches and chips vary by themselves.
    none, much = outlines(0.), outlines(.7)
    assert none.std() < .7 * much.std()
    assert np.median(none) == pytest.approx(np.median(much), abs=.25)


def test_a_short_line_ends_within_the_bone_and_still_has_its_point():
    for seed in range(12):
        made = generate_radiograph(seed, SIDE, True, variation=Variation(extent_spread=.7))
        assert sorted(set(made.owners.tolist())) == list(range(len(made.fractures)))
        columns, rows = made.points.astype(int).T
        assert made.bone_mask[rows, columns].all()


@pytest.mark.parametrize('scale_range', [1, 2, 2.5])
def test_scales_are_uniform_on_the_logarithm_within_their_range(scale_range):
    person = draw_patient(np.random.default_rng(1))
    scales = np.log([draw_view(np.random.default_rng(seed), person, SIDE, scale_range).pose.scale
                     for seed in range(400)])
    assert np.ptp(scales) <= np.log(scale_range) + 1e-9
    assert np.ptp(scales) == pytest.approx(np.log(scale_range), rel=.05)
    assert scales.mean() == pytest.approx(np.log(SIDE * 1.5 / 29), abs=.05)
    assert scales.std() == pytest.approx(np.log(scale_range) / np.sqrt(12), rel=.1)


@pytest.mark.parametrize('variation', [dict(extent_spread=.35), dict(scale_range=2.5)])
def test_negative_images_have_no_truth(variation):
    made = generate_radiograph(5, 64, False, variation=Variation(**variation))
    assert made.points.shape == (0, 2) and made.fractures == [] and made.polygons == []


def test_the_extent_of_fractures_changes_no_negative_image():
    plain, varied = (generate_radiograph(5, 64, False, variation=variation).img for variation in
                     (Variation(), Variation(extent_spread=.7)))
    assert (plain == varied).all()


@pytest.mark.parametrize('arguments, words', [
    (dict(extent_spread=-.1), 'extent_spread is -0.1'), (dict(extent_spread=float('nan')), 'nan'),
    (dict(scale_range=.5), 'scale_range is 0.5'), (dict(scale_range=9), 'from 1 to 3')])
def test_impossible_variations_are_rejected(arguments, words):
    with pytest.raises(ValueError, match=words):
        Variation(**arguments)


def test_a_data_set_says_what_is_varied(tmp_path):
    settings = dict(num_train=2, num_val=1, num_test=1, side=64, progress=False, workers=1)
    folder = write_dataset(tmp_path / 'set', **settings, variation=Variation(scale_range=2))
    assert json.loads((folder / 'settings.json').read_text()) == dict(
        version=1, seed=0, side=64, num_train=2, num_val=1, num_test=1, scale_range=2)
    with pytest.raises(ValueError, match='delete the folder or name another one'):
        write_dataset(folder, **settings)
