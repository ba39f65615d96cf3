"""The thresholds of a model: which rule serves which level, where there is none, and intervals."""
import numpy as np
import pytest

from mmwindow.evaluation import ImageEvents, box_events
from mmwindow.evaluation.statistics.intervals import wilson
from mmwindow.evaluation.statistics.model_points import (
    BudgetResampler,
    choose_model_points,
    has_one_scale,
    threshold_interval,
)
from mmwindow.evaluation.statistics.operating_point import choose_operating_point
from mmwindow.evaluation.statistics.resampling import draw_weights, find_units


def make_image(score, recall_levels=(), fp_levels=(), number=0, group=''):
    return ImageEvents(
        score=score, recall_levels=np.array(recall_levels, float),
        fp_levels=np.sort(np.array(fp_levels, float))[::-1],
        fp_changes=np.ones(len(fp_levels), np.int32), is_positive=len(recall_levels) > 0,
        image_id=number, group=group)


def map_images(num_positives, num_negatives, seed=0):
    """Images of a map: the score is that of the best finding."""
    generator, images = np.random.default_rng(seed), []
    for number in range(num_positives + num_negatives):
        fps = generator.uniform(0, .7, generator.integers(1, 4))
        recall = [generator.uniform(.2, 1)] if number < num_positives else []
        images.append(make_image(max([*fps, *recall]), recall, fps, number))
    return images


def classifier_images(num_positives, num_negatives, seed=0):
    """Images whose score is not that of their findings."""
    images = map_images(num_positives, num_negatives, seed)
    return [make_image(img.score / 2, img.recall_levels, img.fp_levels, img.image_id)
            for img in images]


def test_negative_images_alone_give_a_reason_and_no_number():
    points = choose_model_points({'fracture': map_images(0, 40)}).classes['fracture']
    assert points.images is None and points.findings is None
    assert '40 images of 40 patients, 0 with an image with a finding' in points.reasons['images']
    assert points.reasons['findings'] == points.reasons['images']


def test_positive_images_alone_give_a_budget_but_no_specificity():
    images = map_images(40, 0)
    points = choose_model_points({'fracture': images}).classes['fracture']
    assert points.images == points.findings
    assert points.findings.threshold == choose_operating_point(images).threshold
    assert set(points.findings.intervals) == {'sensitivity', 'recall', 'fp_rate'}
    for rule, denominator in (('specificity', 'all'), ('youden', 'all'), ('fp_budget', 'normals')):
        points = choose_model_points({'a': images}, rule, None, denominator).classes['a']
        assert points.images is None and '0 with an image without' in points.reasons['images']


@pytest.mark.parametrize('positives, negatives, words', [
    (5, 4, '9 images of 9 patients; at least 10'), (4, 30, '4 with an image with a finding')])
def test_too_few_patients_give_no_number(positives, negatives, words):
    points = choose_model_points({'fracture': map_images(positives, negatives)})
    assert words in points.warnings()[0] and points.threshold('fracture', 'images') is None


def test_patients_are_counted_not_images():
    images = [make_image(img.score, img.recall_levels, img.fp_levels, img.image_id,
                         f'patient {img.image_id % 9}') for img in map_images(50, 50)]
    points = choose_model_points({'fracture': images})
    assert points.num_images == 100 and points.num_patients == 9
    assert points.threshold('fracture', 'findings') is None


def test_a_map_has_one_threshold_and_a_classifier_two():
    points = choose_model_points({'a': map_images(30, 30)}, 'sensitivity', .8).classes['a']
    assert points.images is points.findings and points.images.rule == 'sensitivity'
    images = classifier_images(30, 30)
    points = choose_model_points({'a': images}).classes['a']
    assert (points.images.rule, points.findings.rule) == ('youden', 'fp_budget')
    assert points.images.threshold == choose_operating_point(
        images, 'youden', same_scale=False).threshold
    assert points.findings.threshold == choose_operating_point(images, same_scale=False).threshold
    points = choose_model_points({'a': images}, 'specificity', .9).classes['a']
    assert (points.images.rule, points.findings.rule) == ('specificity', 'fp_budget')


def test_the_point_says_what_it_does_on_validation_with_intervals():
    # Ten positives of score .9, ten negatives of which two score .95: above, sensitivity is 0.
    images = [make_image(.9, [.9], (), number) for number in range(10)] + [
        make_image(.95 if number < 2 else .1, (), [.95 if number < 2 else .1], 10 + number)
        for number in range(10)]
    point = choose_model_points({'a': images}, 'sensitivity', 1.).classes['a'].images
    assert point.threshold == .9 and point.achieved == dict(sensitivity=1., specificity=.8)
    estimate, low, high = point.intervals['specificity']
    assert (estimate, round(point.intervals['sensitivity'][0], 9)) == (.8, 1.)
    plain = wilson(8, 10)
    assert low < .8 < high and high - low >= plain.high - plain.low  # by patient: no narrower
    assert point.threshold_interval == (.9, .9)  # no other score does


def test_a_budget_that_nothing_keeps_to_gives_no_number():
    images = [make_image(.9, [.5], [.9], number) for number in range(20)]
    points = choose_model_points({'a': images}, 'fp_budget', .1)
    assert points.threshold('a', 'findings') is None and 'no finding is called' in (
        points.warnings()[0])


@pytest.mark.parametrize('denominator', ['all', 'normals'])
def test_a_resample_chooses_what_the_rule_chooses_on_copies_of_its_images(denominator):
    images = map_images(12, 12, seed=3)
    images = [make_image(round(img.score, 1), np.round(img.recall_levels, 1),
                         np.round(img.fp_levels, 1), img.image_id, f'p{img.image_id % 11}')
              for img in images]  # with ties
    units = find_units(images)
    point = choose_operating_point(images, 'fp_budget', .5, denominator)
    resampler = BudgetResampler(point, images, units)
    for block in draw_weights(np.zeros(len(units), int), 60, np.random.default_rng(1)):
        for weights in block:
            copies = [make_image(img.score, img.recall_levels, img.fp_levels, (img.image_id, copy))
                      for img, unit in zip(images, units.index, strict=True)
                      for copy in range(weights[unit])]
            if denominator == 'normals' and all(img.is_positive for img in copies):
                continue
            assert resampler(weights) == choose_operating_point(
                copies, 'fp_budget', .5, denominator).threshold


def test_the_interval_of_a_threshold_narrows_with_images():
    widths = []
    for number in (40, 640):
        images = map_images(number, number, seed=1)
        for rule in ('fp_budget', 'sensitivity', 'youden'):
            point = choose_operating_point(images, rule)
            low, high = threshold_interval(point, images, 200)
            assert low <= point.threshold <= high or rule == 'youden'
            widths.append(high - low)
    assert all(few > many for few, many in zip(widths[:3], widths[3:], strict=True))


def test_an_unknown_rule_and_no_class_are_errors():
    with pytest.raises(ValueError, match='rule'):
        choose_model_points({'a': map_images(20, 20)}, 'luck')
    with pytest.raises(ValueError, match='no class'):
        choose_model_points({})


def test_scores_above_all_findings_are_a_scale_of_their_own():
    """A classifier's .6 to .92 above findings of .1 to .31: no threshold serves both."""
    images = [box_events([[90, 90, 110, 110]], [.1 + number / 400], [[100, 100]] * (number % 2),
                         image_score=.6 + number / 125, image_id=number) for number in range(40)]
    assert not has_one_scale(images) and has_one_scale(map_images(20, 20))
    points = choose_model_points({'fracture': images}, 'youden').classes['fracture']
    assert points.images.threshold >= .6 and points.findings.threshold <= .2
    assert not points.images.serves_findings
