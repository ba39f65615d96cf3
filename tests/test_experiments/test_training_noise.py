"""What another training changes: pairs of trainings, and differences with their part."""
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mmwindow.evaluation.statistics.seed_comparison import combined_interval
from mmwindow.experiments.training_noise import add_noise, describe_noise, measure_noise

METRICS = ('auroc', 'recall@0.1', 'froc_score')


def difference(value, half, level=0.95):
    return dict(difference=value, low=value - half, high=value + half, level=level)


def content(system, folds, differences=None, digest='a'):
    """A result file: fold -> three numbers, and the reference's lead in each."""
    found = dict(
        system=system, config='c.py', divergence=None, window=None, is_ablation=False, events='none',
        data=dict(num_images=10), metrics={},
        settings=dict(rule='disk_overlap'), bootstrap=dict(num_units=101),
        folds={str(fold): dict(zip(METRICS, values, strict=True)) for fold, values in folds.items()},
        runs=[dict(fold=fold, points_digest=digest, weights='last', views=None,
                   num_images=dict(test=10), training_seconds=sum(values))
              for fold, values in folds.items()])
    if differences:
        found['reference_minus_this'] = dict(
            reference='wl_plus', differences=dict(zip(METRICS, differences, strict=True)))
    return found


def write(folder, **contents):
    folder.mkdir(exist_ok=True)
    for name, entry in contents.items():
        (folder / f'{name}.json').write_text(json.dumps(entry))


@pytest.fixture
def folders(tmp_path):
    """Two pairs of trainings of WL+, whose numbers lie .02 and .04 apart; RetinaNet once."""
    results, repeated = tmp_path / 'results', tmp_path / 'repeated'
    write(results,
          wl_plus=content('WL+', {0: (.9, .7, .8), 1: (.9, .7, .8)}),
          retinanet=content('RetinaNet', {0: (.8, .5, .7), 1: (.8, .5, .7)},
                            [difference(.1, .02), difference(.2, .1), difference(.1, .3)]),
          chexnet=content('CheXNet', {0: (.8, .5, .7), 1: (.8, .5, .7)},
                          [difference(.1, .04), difference(.2, .1), difference(0., .3)]))
    write(repeated, wl_plus=content('WL+', {0: (.92, .74, .8), 1: (.86, .7, .8), 2: (.1, .1, .1)}),
          fcos=content('FCOS', {0: (.8, .5, .7)}))
    return results, repeated


def test_deviation_of_one_training_from_pairs(folders):
    """Differences of .02 and .04 have the variance .001, of which each training has half."""
    noise = measure_noise(*folders)
    assert noise.pairs == (('WL+', '0'), ('WL+', '1'))
    np.testing.assert_allclose(noise.deviations['auroc'], .0005 ** .5)
    np.testing.assert_allclose(noise.deviations['recall@0.1'], (.04 ** 2 / 2 / 2) ** .5)
    assert noise.deviations['froc_score'] == 0
    np.testing.assert_allclose(noise.variance('auroc', 2), .0005)


def test_deviation_is_found_again_from_many_pairs(tmp_path):
    """Numbers drawn around each fold's own mean with a deviation of .01."""
    rng = np.random.default_rng(0)
    means = rng.uniform(.2, .8, (400, 3))
    for name in ('one', 'two'):
        drawn = means + rng.normal(0, .01, means.shape)
        write(tmp_path / name, wl=content('WL', dict(enumerate(drawn.tolist()))))
    noise = measure_noise(tmp_path / 'one', tmp_path / 'two')
    np.testing.assert_allclose(list(noise.deviations.values()), .01, rtol=.1)


def test_difference_over_images_and_trainings_by_hand(folders):
    differences = add_noise(folders[0], measure_noise(*folders))
    found = differences['RetinaNet']
    images = (.02 / stats.t.ppf(.975, 100)) ** 2
    total = images + .0005
    free = total ** 2 / (images ** 2 / 100 + .0005 ** 2 / 2)
    half = stats.t.ppf(.975, free) * total ** .5
    p_value = 2 * stats.t.sf(.1 / total ** .5, free)
    auroc = found['auroc']
    np.testing.assert_allclose([auroc.interval.low, auroc.interval.high, auroc.p_value],
                               [.1 - half, .1 + half, p_value])
    other = differences['CheXNet']['auroc']  # more of its variance is the images', which tell it well
    assert other.p_value < auroc.p_value and other.p_holm == pytest.approx(2 * other.p_value)
    assert auroc.p_holm == pytest.approx(max(auroc.p_value, 2 * other.p_value))
    # Without noise the file's own interval comes back.
    np.testing.assert_allclose([found['froc_score'].interval.low, found['froc_score'].interval.high],
                               [-.2, .4])


def test_the_degrees_of_freedom_of_a_file_are_taken(folders):
    """Twelve in place of all units but one: the same width is of a smaller, less sure deviation."""
    path = folders[0] / 'retinanet.json'
    filed = json.loads(path.read_text())
    filed['reference_minus_this']['differences']['auroc']['degrees'] = 12.
    path.write_text(json.dumps(filed))
    found = add_noise(folders[0], measure_noise(*folders))['RetinaNet']['auroc'].interval
    images = (.02 / stats.t.ppf(.975, 12)) ** 2
    total = images + .0005
    free = total ** 2 / (images ** 2 / 12 + .0005 ** 2 / 2)
    half = stats.t.ppf(.975, free) * total ** .5
    np.testing.assert_allclose([found.low, found.high], [.1 - half, .1 + half])


def test_interval_of_parts_reaches_the_share_it_promises():
    """A part of 20 degrees of freedom and one of 8, as variances that are estimated."""
    rng = np.random.default_rng(1)
    estimates = rng.normal(.05, (.01 ** 2 + .02 ** 2) ** .5, 4000)
    parts = zip(.01 ** 2 * rng.chisquare(20, 4000) / 20, .02 ** 2 * rng.chisquare(8, 4000) / 8,
                strict=True)
    intervals = [combined_interval(estimate, [(one, 20), (two, 8)])[0]
                 for estimate, (one, two) in zip(estimates, parts, strict=True)]
    covered = np.mean([one.low <= .05 <= one.high for one in intervals])
    assert .94 < covered < .965


def test_page_names_pairs_and_differences(folders):
    page = describe_noise(*folders, 'the command')
    assert 'Made by `the command`' in page and '2 pairs' in page and 'WL+, folds 0, 1.' in page
    assert '| a single training | 0.0224 | 0.0200 | 0.0000 |' in page
    assert '| a difference of two such means | 0.0224 | 0.0200 | 0.0000 |' in page
    assert '| RetinaNet | +0.100 (' in page and '| CheXNet | +0.100 (' in page


def test_committed_page_follows_from_the_committed_results():
    root = Path(__file__).parents[2] / 'results'
    page = (root / 'fracatlas_gpu/training_noise.md').read_text()
    command = page.split('Made by `')[1].split('`')[0]
    assert describe_noise(root / 'fracatlas', root / 'fracatlas_gpu', command) == page


@pytest.mark.parametrize('entry, value', [
    ('points_digest', 'b'), ('weights', 'best'), ('views', 'mirror'), ('num_images', dict(test=9))])
def test_pairs_that_differ_in_more_than_the_training_are_refused(folders, entry, value):
    other = content('WL+', {0: (.92, .74, .8)})
    other['runs'][0][entry] = value
    write(folders[1], wl_plus=other)
    with pytest.raises(ValueError, match=f'fold 0: {entry} differs: .* only the training may'):
        measure_noise(*folders)


def test_one_training_given_twice_and_nothing_in_common_are_refused(folders, tmp_path):
    with pytest.raises(ValueError, match='are of one training'):
        measure_noise(folders[0], folders[0])
    (folders[1] / 'wl_plus.json').unlink()
    with pytest.raises(ValueError, match='no fold of a config in common'):
        measure_noise(*folders)
    with pytest.raises(ValueError, match='no result file has a difference'):
        shutil.copy(folders[0] / 'wl_plus.json', folders[1])
        (folders[1] / 'fcos.json').unlink()
        add_noise(folders[1], measure_noise(folders[0], write_other(tmp_path)))


def test_what_is_wrong_in_a_file_is_said(folders):
    """A second test of one training, another window, no number, no interval, two references."""
    results, repeated = folders
    good = content('WL+', {0: (.92, .74, .8)})
    again = content('WL+', {0: (.91, .7, .8)})
    again['runs'][0]['training_seconds'] = sum((.9, .7, .8))
    window = {**good, 'window': dict(lower_radius=25)}
    empty = content('WL+', {0: (.92, .74, .8)})
    empty['folds']['0']['auroc'] = None
    for other, words in ((again, 'are of one training'), (window, 'its window differs'),
                         (empty, 'repeated has no auroc')):
        write(repeated, wl_plus=other)
        with pytest.raises(ValueError, match=words):
            measure_noise(results, repeated)
    write(repeated, wl_plus=good)
    noise = measure_noise(results, repeated)
    third = content('UFDet', {0: (.8, .5, .7), 1: (.8, .5, .7)}, [difference(.1, .1)] * 3)
    third['reference_minus_this']['reference'] = 'chexnet'
    write(results, ufdet=third)
    with pytest.raises(ValueError, match='are to chexnet, wl_plus; those of all to one system'):
        describe_noise(results, repeated, 'the command')
    third['reference_minus_this']['differences']['auroc'] = None
    write(results, ufdet=third)
    with pytest.raises(ValueError, match='the difference in auroc has no interval'):
        add_noise(results, noise)
    # An ablation without a difference is no reference.
    (results / 'ufdet.json').unlink()
    write(results, a_narrow=content('narrow', {0: (.8, .5, .7)}))
    assert '| WL+ minus |' in describe_noise(results, repeated, 'the command')


def write_other(tmp_path):
    write(tmp_path / 'other', wl_plus=content('WL+', {0: (.91, .7, .8)}))
    return tmp_path / 'other'
