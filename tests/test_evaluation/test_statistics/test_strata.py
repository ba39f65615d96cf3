"""Results by stratum and by fold: the plain numbers of the parts, and words where there are none."""
from dataclasses import replace

import numpy as np
import pytest

from mmwindow.evaluation import ImageEvents, froc_curve
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.statistics.bootstrap import bootstrap
from mmwindow.evaluation.statistics.strata import evaluate_folds, evaluate_strata


def random_images(num_images=60, seed=0, **identity):
    """Every third image has a point; body part by parity, hardware on every sixth."""
    rng = np.random.default_rng(seed)
    images = []
    for number in range(num_images):
        found = rng.normal(size=int(number % 3 == 0)) + 1
        fps = np.sort(rng.normal(size=rng.integers(0, 3)))[::-1]
        images.append(ImageEvents(
            score=float(max([*found, *fps, -3])), recall_levels=found, fp_levels=fps,
            fp_changes=np.ones(len(fps), np.int32), is_positive=number % 3 == 0,
            image_id=f'{seed}/{number}', group=f'{seed}/{number // 2}',
            fields=dict(part=('hand', 'leg')[number // 2 % 2], hardware=number % 6 == 0)))
    return images


def test_strata_are_the_results_of_their_images():
    images = random_images()
    result = evaluate_strata(images, 'part', num_resamples=200, seed=3)
    assert [stratum.name for stratum in result.strata] == ['hand', 'leg']
    for stratum in result.strata:
        mine = [event for event in images if event.fields['part'] == stratum.name]
        alone = bootstrap(mine, num_resamples=200, seed=3)
        assert stratum.estimates == alone.estimates and stratum.intervals == alone.intervals
        assert stratum.estimates['froc_score'] == froc_curve(mine).score()
        assert stratum.num_images == 30 and stratum.num_units == 15
        assert stratum.num_positives + stratum.num_normals == 30
    assert result.pooled.intervals == bootstrap(images, num_resamples=200, seed=3).intervals
    assert (result.field, result.seed, result.num_resamples) == ('part', 3, 200)
    assert result.settings == FROCSettings()


def test_stratum_of_one_class_says_so():
    """Hardware: images 0 6 12 ..., all positive. Its complement has both classes."""
    result = evaluate_strata(random_images(), 'hardware', num_resamples=100)
    without, hardware = result.strata
    assert (hardware.name, hardware.num_normals) == (True, 0)
    assert hardware.estimates['auroc'] is None and hardware.intervals['auroc'] is None
    assert hardware.reasons['auroc'].endswith('10 images, 10 with and 0 without a finding')
    assert hardware.estimates['froc_score'] is not None
    assert without.reasons == {} and without.num_images == 50


def test_normals_only():
    images = [event for event in random_images() if not event.is_positive]
    result = evaluate_strata(images, 'part', num_resamples=100)
    for stratum in [*result.strata, result.pooled]:
        assert set(stratum.estimates.values()) == set(stratum.intervals.values()) == {None}
        assert set(stratum.reasons) == set(FROCSettings().names)


def test_stratum_of_one_patient_has_numbers_without_intervals():
    images = random_images(6)
    result = evaluate_strata(images, 'group', num_resamples=100)
    first = result.strata[0]
    assert (first.name, first.num_units, first.num_images) == ('0/0', 1, 2)
    assert first.estimates['auroc'] in (0, 0.5, 1) and first.intervals['auroc'] is None
    assert "no interval: its images are of one unit, group '0/0'" == first.reasons['auroc']


def test_field_must_be_there():
    images = random_images(6)
    with pytest.raises(ValueError, match=r"image '0/0' has no field 'age'; it has \['hardware', "):
        evaluate_strata(images, 'age')
    nameless = [replace(images[0], group=''), *images[1:]]
    with pytest.raises(ValueError, match="no field 'group'"):
        evaluate_strata(nameless, 'group')
    with pytest.raises(ValueError, match='no image'):
        evaluate_strata([], 'part')


def test_mean_and_spread_of_folds_by_hand():
    """Recall without any FP: 1/2, 1 and 0 of two points: mean .5, sample deviation .5."""
    def fold(name, levels):
        return [ImageEvents(1., np.array([level]), np.zeros(0), np.zeros(0, int), True,
                            f'{name}/{number}') for number, level in enumerate(levels)]

    folds = {'a': fold('a', [1, -np.inf]), 'b': fold('b', [1, 1]),
             'c': fold('c', [-np.inf, -np.inf])}
    result = evaluate_folds(folds, num_resamples=100)
    assert [part.estimates['recall@0.1'] for part in result.folds] == [0.5, 1, 0]
    assert result.mean['recall@0.1'] == result.standard_deviation['recall@0.1'] == 0.5
    assert result.pooled.estimates['recall@0.1'] == 0.5 and result.pooled.num_images == 6
    assert 0 < result.pooled.intervals['recall@0.1'].low < 0.5
    assert result.mean['auroc'] is None and result.standard_deviation['auroc'] is None
    assert result.reasons['auroc'].startswith("3 of 3 folds have no number: 'a': AUROC compares")


def test_pooled_is_all_images():
    folds = {number: random_images(30, seed=number) for number in range(3)}
    result = evaluate_folds(folds, num_resamples=100)
    everything = [event for events in folds.values() for event in events]
    assert result.pooled.intervals == bootstrap(everything, num_resamples=100).intervals
    values = [part.estimates['auroc'] for part in result.folds]
    assert result.mean['auroc'] == pytest.approx(sum(values) / 3)
    assert result.standard_deviation['auroc'] == pytest.approx(np.std(values, ddof=1))
    assert result.reasons == {}


def test_fold_without_a_number_is_left_out_aloud():
    folds = {'one': random_images(30, seed=1), 'two': random_images(30, seed=2),
             'normals': [event for event in random_images(9, seed=3) if not event.is_positive]}
    result = evaluate_folds(folds, num_resamples=100)
    both = [part.estimates['froc_score'] for part in result.folds[:2]]
    assert result.mean['froc_score'] == pytest.approx(sum(both) / 2)
    assert result.reasons['froc_score'].startswith("1 of 3 folds have no number: 'normals':")


def test_one_fold_has_no_spread():
    result = evaluate_folds({0: random_images(30)}, num_resamples=100)
    assert result.standard_deviation['auroc'] is None
    assert result.reasons['auroc'] == 'one fold has no standard deviation'


def test_folds_share_no_image_and_no_patient():
    images = random_images(30)
    with pytest.raises(ValueError, match="image_id '0/0' is in fold 'a' and in fold 'b'"):
        evaluate_folds(dict(a=images, b=images))
    with pytest.raises(ValueError, match="group '0/1' is in fold 'a' and in fold 'b'"):
        evaluate_folds(dict(a=images[:3], b=images[3:]))
    with pytest.raises(ValueError, match='there is no fold'):
        evaluate_folds({})
    with pytest.raises(ValueError, match='no image'):
        evaluate_folds(dict(a=[]))
