"""Choosing settings on validation: the rule by hand, refusals, and runs by a stand-in worker."""
import io
import json
import math
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mmwindow.datasets.folds import make_folds, write_folds
from mmwindow.evaluation import FROCSettings, ImageEvents
from mmwindow.evaluation.statistics.fold_comparison import compare_over_folds
from mmwindow.experiments import candidates
from mmwindow.experiments import cross_validation as folds_api
from mmwindow.experiments.candidates import (
    Candidate,
    compare_candidates,
    detection_power,
    factors_of_count,
    runs_to_see,
    spread_of_difference,
)
from mmwindow.experiments.commands.run_arguments import parse_gpus
from mmwindow.experiments.devices import choose_devices
from mmwindow.experiments.results import load_systems
from mmwindow.experiments.tuning import check_settings, choose_settings
from mmwindow.experiments.tuning_report import Tuning, choose, describe_choice, describe_tuning
from mmwindow.utils.files import read_json
from mmwindow.utils.progress import ProgressDisplay
from tests.stand_in_configs import stand_in_config

ROOT = Path(__file__).parents[2]
SETTINGS = [('low', {'optim_wrapper.optimizer.lr': 1e-4}),
            ('high', {'optim_wrapper.optimizer.lr': 8e-4})]
# The stand-in's AUROC is 1000 times the learning rate of the config that the run was given, which is
# read as the Python file that it is: mmengine takes seconds to import.
WORKER = """
import json, runpy, sys
from pathlib import Path
folder = Path(sys.argv[1])
state = json.loads((folder / 'run.json').read_text())
if state['system'] == 'fails':
    raise SystemExit('no luck')
assert state['splits'] in (['val'], ['val', 'test'])
rate = runpy.run_path(folder / 'config.py')['optim_wrapper']['optimizer']['lr']
metrics = {'froc/auroc': 1000 * rate, 'froc/recall@0.1': .25, 'froc/froc_score': .5}
# The lower rate's model finds the points of every fourth image last.
def level(number):
    return .1 if rate < 5e-4 and number % 4 == 1 else .9
images = [dict(image_id=f'{state["fold"]}/{number}', score=level(number) if number % 2 else .5,
               recall_levels=[level(number)] * (number % 2), fp_levels=[.5] * (1 - number % 2),
               fp_changes=[1] * (1 - number % 2), is_positive=number % 2 == 1)
          for number in range(24)]
for split in state['splits']:
    (folder / f'{split}.json').write_text(json.dumps(dict(
        format='mmwindow-evaluation', version=1, metrics={},
        settings=dict(budgets=[.1, .2, .3, .4, .5], convention='first_crossing'),
        classes=[dict(name='fracture', images=images)])))
(folder / 'result.json').write_text(json.dumps({
    **state, 'training_seconds': 5.0, 'metrics': metrics if 'test' in state['splits'] else None,
    'records': {split: f'{split}.json' for split in state['splits']},
    'validation_metrics': metrics, 'checkpoint': 'best.pth', 'machine': 'x86_64',
    'versions': dict(torch='2'), 'num_images': dict.fromkeys(state['splits'], 24)}))
"""


def candidate(system, setting, auroc, score):
    return Candidate(system, setting, {'froc/auroc': auroc, 'froc/recall@0.1': 0.5,
                                       'froc/froc_score': score}, {})


@pytest.fixture
def fake_worker(monkeypatch):
    monkeypatch.setattr(folds_api, 'worker_command', lambda plan, *rest: (
        sys.executable, '-W', 'ignore', '-c', WORKER, str(plan.folder)))


def write_config(folder, name, data):
    path = folder / f'{name}.py'
    path.write_text(stand_in_config(
        data, more='optim_wrapper = dict(optimizer=dict(lr=1.))\n'))
    return path


def make_two_folds(annotations):
    parts = [read_json(annotations / f'{split}.json') for split in ('train', 'val', 'test')]
    (annotations / 'points.json').write_text(json.dumps(dict(
        images=[img for part in parts for img in part['images']],
        annotations=[point for part in parts for point in part['annotations']],
        categories=parts[0]['categories'])))
    return write_folds(annotations / 'folds.json', make_folds(annotations / 'points.json', 2))


def call(configs, tmp_path, **options):
    return choose_settings(configs, SETTINGS, tmp_path / 'runs', command_line='choose',
                           display=ProgressDisplay(stream=io.StringIO()), **options)


def test_the_rule_by_hand():
    """Means .7, .75, .75 of the one system, .9, .6, .8 of the other."""
    settings = [(name, {}) for name in 'abc']
    first = [candidate('x', 'a', .8, .6), candidate('x', 'b', .9, .6), candidate('x', 'c', .7, .8)]
    second = [candidate('y', 'a', .9, .9), candidate('y', 'b', .6, .6), candidate('y', 'c', .8, .8)]
    assert choose(first).setting == 'b'  # the first of equals
    assert choose(second).setting == 'a'
    # Over both: (.7 + .9) / 2 = .8 against .675 and .775.
    assert Tuning(first + second, settings).chosen_for_all == 'a'
    text = describe_choice(Tuning(first + second, settings))
    assert '| x | b | 0.900 | 0.500 | 0.600 | 0.750 | yes |' in text
    assert '| x | c | 0.700 | 0.500 | 0.800 | 0.750 |  |' in text
    assert text.endswith('by the mean over systems: a')
    assert 'over systems' not in describe_choice(Tuning(first, settings))


def test_no_setting_is_shared_where_each_lacks_a_number():
    settings = [('a', {}), ('b', {})]
    both = [candidate('x', 'a', None, .6), candidate('x', 'b', .5, .5),
            candidate('y', 'a', .5, .5), candidate('y', 'b', None, .6)]
    assert Tuning(both, settings).chosen_for_all is None
    assert describe_choice(Tuning(both, settings)).endswith('over systems: none, since each lacks a '
                                                          'number for one of them')


@pytest.mark.parametrize('text', ['0,0', '1,2,1'])
def test_a_gpu_named_twice_is_refused(text):
    assert parse_gpus('0,2') == [0, 2]
    with pytest.raises(ValueError, match='names a GPU twice'):
        choose_devices(gpus=parse_gpus(text))


def test_without_a_number_nothing_is_chosen():
    broken = candidate('x', 'a', None, .6)
    assert choose([broken, candidate('x', 'b', .5, .0)]).setting == 'b'
    with pytest.raises(ValueError, match='x: no setting has both an AUROC and a FROC score; is there '
                                         'an image .* among those that judge'):
        choose([broken])


@pytest.mark.parametrize('settings, message', [
    ([('a', {'x': 1})], '1 settings are given'),
    ([('a', {'x': 1}), ('a', {'x': 2})], '--setting a is given 2 times'),
    ([('a', {'x': 1}), ('../b', {'x': 2})], 'its name becomes a folder'),
    ([('a', {'x': 1}), ('b', {'x': 1})], '--setting b and a say the same')])
def test_settings_that_are_no_choice_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        check_settings(settings)


def test_runs_are_validated_alone_kept_and_reused(tmp_path, own_tiny_dataset, fake_worker):
    config = write_config(tmp_path, 'a', own_tiny_dataset)
    found = call([config], tmp_path, results=tmp_path / 'new/choice.json')
    assert [(one.setting, one.merit) for one in found.candidates] == [
        ('low', pytest.approx(0.3)), ('high', pytest.approx(0.65))]
    content = read_json(tmp_path / 'new/choice.json')
    assert content['chosen'] == {'a': 'high'} and content['chosen_for_all'] == 'high'
    assert content['split'] == 'val' and content['command'] == 'choose'
    assert content['settings']['low'] == {'optim_wrapper.optimizer.lr': 1e-4}
    assert [entry['metrics']['froc/auroc'] for entry in content['candidates']] == [
        pytest.approx(.1), pytest.approx(.8)]
    call([config], tmp_path)
    assert read_json(tmp_path / 'runs/low/a/single/run.json')['starts'] == 1
    with pytest.raises(ValueError, match='low/a/single: the run was only validated'):
        load_systems([tmp_path / 'runs/low'])


def test_mixed_precision_reaches_each_run(tmp_path, own_tiny_dataset, fake_worker, monkeypatch):
    started = []
    worker = folds_api.worker_command
    monkeypatch.setattr(folds_api, 'worker_command', lambda plan, *rest: (
        started.append(plan.amp), worker(plan, *rest))[1])
    config = write_config(tmp_path, 'a', own_tiny_dataset)
    call([config], tmp_path, amp=True)
    assert started == [True, True]
    with pytest.raises(ValueError, match='other settings'):
        call([config], tmp_path)


def test_settings_are_judged_by_the_mean_over_folds(tmp_path, own_tiny_dataset, fake_worker):
    """Each fold's images enter; intervals and a paired test against the chosen setting are shown.

    Of 12 positive images in each fold the lower rate's model ranks 6 below all negatives: half of
    the AUROC is gone, and half of the recall at every budget but .5, the 12 false positives of 24
    images: (4 * .5 + 1) / 5 = .6."""
    folds = make_two_folds(own_tiny_dataset / 'annotations')
    config = write_config(tmp_path, 'a', own_tiny_dataset)
    tuning = call([config], tmp_path, folds=folds, results=tmp_path / 'choice.json')
    low, high = tuning.candidates
    assert sorted(low.events) == [0, 1] and low.intervals['froc/froc_score'].estimate == 0.6
    assert high.intervals['froc/froc_score'].estimate == 1
    assert (tmp_path / 'runs/high/a/fold1/val.json').exists()
    differences = compare_candidates(high, [low])['low']
    assert differences['auroc'].interval.estimate == pytest.approx(0.5)
    assert differences['froc_score'].interval.estimate == pytest.approx(0.4)
    assert differences['froc_score'].p_holm < 0.01
    text = describe_choice(tuning)
    assert 'Judged on 48 validation images of 2 folds' in text and 'tested: best.' in text
    assert '| a | low | 0.100 (' in text and '| < 0.001 |' in text
    content = read_json(tmp_path / 'choice.json')['candidates'][0]
    assert content['num_folds'] == 2 and content['num_images'] == 48
    assert content['p_holm_against_chosen']['froc_score'] == differences['froc_score'].p_holm
    assert content['intervals']['froc/auroc']['low'] < 0.5


def test_settings_are_compared_with_a_reference_on_what_the_folds_keep_aside(
        tmp_path, own_tiny_dataset, fake_worker):
    """The same numbers as above with their signs turned: the setting minus the reference."""
    folds = make_two_folds(own_tiny_dataset / 'annotations')
    config = write_config(tmp_path, 'a', own_tiny_dataset)
    found = call([config], tmp_path, folds=folds, results=tmp_path / 'choice.json', judge='test',
                 weights='last', reference='high')
    state = read_json(tmp_path / 'runs/high/a/fold1/run.json')
    assert (state['splits'], state['weights']) == (['val', 'test'], 'last')
    content = read_json(tmp_path / 'choice.json')
    assert (content['split'], content['weights'], content['reference']) == ('test', 'last', 'high')
    auroc, recall, score = content['differences']
    assert (auroc['system'], auroc['setting'], auroc['metric']) == ('a', 'low', 'auroc')
    assert auroc['difference'] == pytest.approx(-.5) and auroc['low'] < -.5 < auroc['high'] < 0
    assert score['difference'] == pytest.approx(-.4) and score['p_holm'] < .01
    # Both folds have the same images: no spread, and two runs are the fewest that have one.
    assert score['deviation_over_folds'] == 0 and score['runs_to_see_a_hundredth'] == 2
    assert score['fold_differences'] == pytest.approx([-.4, -.4])
    text = describe_tuning(found)
    assert '| a | low | AUROC | -0.500 (' in text and 'minus high' in text
    assert 'on the same images; above 0 the setting is ahead' in text
    assert 'Judged on 48 test images of 2 folds' in text
    assert 'low in FROC score of a (-0.400)' in text and 'known to a factor of 0.2 to 1018' in text
    # The other checkpoint is another test, not another training.
    call([config], tmp_path, folds=folds, judge='test')
    state = read_json(tmp_path / 'runs/high/a/fold1/run.json')
    assert (state['weights'], state['starts']) == ('best', 2)
    with pytest.raises(ValueError, match='--reference other: there is no such setting'):
        call([config], tmp_path, folds=folds, reference='other')
    with pytest.raises(ValueError, match='--judge test: without --folds'):
        call([config], tmp_path, judge='test')


def test_runs_to_see_a_hundredth_by_hand():
    """FROC scores of 1 and .6, 1 and 1: differences -.4 and 0, their deviation .4 / sqrt(2)."""
    none, one = (np.zeros(0), np.zeros(0, int)), (np.array([.5]), np.ones(1, int))

    def images(lowered):
        return [ImageEvents(1., np.array([.1 if number % 4 == 1 and lowered else .9]), *none, True,
                            number) if number % 2 else
                ImageEvents(.5, np.zeros(0), *one, False, number) for number in range(24)]

    reference, other = (replace(candidate('x', name, .9, .9), froc_settings=FROCSettings(),
                                events={0: images(lowered), 1: images(False)})
                        for name, lowered in (('a', False), ('b', True)))
    spread = spread_of_difference(reference, other, 'froc_score')
    assert spread.deviation == pytest.approx(.4 / math.sqrt(2))
    # 2.801585 is the sum of the normal quantiles of .975 and .8; t asks for two runs more.
    assert spread.num_runs == math.ceil((2.801585 * .4 / math.sqrt(2) / .01) ** 2) + 2
    # Of two folds Student's t at .975 is 12.706.
    assert (spread.low, spread.high) == pytest.approx((-.2 - 12.706 * .2, -.2 + 12.706 * .2), 1e-4)
    single = replace(reference, events={None: images(False)})
    assert spread_of_difference(single, single, 'auroc') == ((), None, None, None, None)


@pytest.mark.parametrize('effect', [.5, 1., 2.])
def test_the_number_of_runs_sees_the_difference_in_four_of_five_studies(effect):
    """By brute force: 20,000 studies of that many runs, each with scipy's paired t-test."""
    number = runs_to_see(.01, .01 / effect)
    studies = np.random.default_rng(0).normal(effect, 1., (20_000, number))
    found = (stats.ttest_1samp(studies, 0., axis=1).pvalue < .05).mean()
    assert found == pytest.approx(detection_power(number, effect), abs=.01) and found > .79
    assert detection_power(number - 1, effect) < .8 <= detection_power(number, effect)


def test_a_spread_of_nothing_and_one_beyond_every_study():
    assert runs_to_see(.01, 0.) == 2 and runs_to_see(.01, 5.) is None


def test_how_well_few_folds_tell_the_number_of_runs():
    """By brute force: of 20,000 spreads of three folds 95 % are within the factors."""
    variances = np.random.default_rng(0).normal(size=(20_000, 3)).var(axis=1, ddof=1)
    low, high = factors_of_count(3)
    assert np.mean((variances * low <= 1) & (1 <= variances * high)) == pytest.approx(.95, abs=.01)


def test_the_difference_of_settings_is_the_mean_of_the_folds_differences(
        tmp_path, own_tiny_dataset, fake_worker):
    """By brute force from the records: AUROC by counting pairs, the FROC score by its curve."""
    folds = make_two_folds(own_tiny_dataset / 'annotations')
    tuning = call([write_config(tmp_path, 'a', own_tiny_dataset)], tmp_path, folds=folds,
                  reference='high')

    def pairs(events):
        scores = [[one.score for one in events if one.is_positive == sign] for sign in (True, False)]
        return np.mean([(high > low) + .5 * (high == low) for high in scores[0] for low in scores[1]])
    low, high = tuning.candidates
    expected = np.mean([pairs(low.events[fold]) - pairs(high.events[fold]) for fold in (0, 1)])
    assert tuning.differences[0].difference == pytest.approx(expected) == pytest.approx(-.5)


def test_file_and_screen_share_one_computation(tmp_path, own_tiny_dataset, fake_worker, monkeypatch):
    """Two settings, the reference is the chosen one: one paired comparison, whatever asks for it."""
    compared = []
    monkeypatch.setattr(candidates, 'compare_over_folds', lambda *args: (
        compared.append(1), compare_over_folds(*args))[1])
    folds = make_two_folds(own_tiny_dataset / 'annotations')
    tuning = call([write_config(tmp_path, 'a', own_tiny_dataset)], tmp_path, folds=folds,
                  results=tmp_path / 'choice.json', reference='high')
    describe_choice(tuning), describe_tuning(tuning)
    assert len(compared) == 1


def test_folds_named_without_a_folds_file_are_rejected(tmp_path, own_tiny_dataset, fake_worker):
    with pytest.raises(ValueError, match='give --folds'):
        call([write_config(tmp_path, 'a', own_tiny_dataset)], tmp_path, only=[0])


def test_committed_choices_name_the_file_that_their_command_writes():
    for path in (ROOT / 'results').glob('*/choices*/*.json'):
        words = read_json(path)['command'].split()
        assert words[words.index('--results') + 1] == path.relative_to(ROOT).as_posix()


def test_p_values_against_the_chosen_setting_are_corrected_for_their_number():
    """Three settings, two tests: the smaller p doubles, the other is at least that (Holm)."""
    rng = np.random.default_rng(0)

    def images(shift):
        none, one = (np.zeros(0), np.zeros(0, int)), (np.zeros(1), np.ones(1, int))
        return [ImageEvents(1., np.array([level + shift]), *none, True, number) if number % 2 else
                ImageEvents(0., np.zeros(0), *one, False, number)
                for number, level in enumerate(rng.normal(size=60))]

    chosen, *others = [replace(candidate('x', name, .9, .9), events={None: images(shift)},
                               froc_settings=FROCSettings())
                       for name, shift in (('a', 1.5), ('b', 0.), ('c', -.5))]
    alone = [compare_candidates(chosen, [other])[other.setting]['froc_score'].p_value
             for other in others]
    both = compare_candidates(chosen, others)
    small, large = sorted(alone)
    assert sorted(both[name]['froc_score'].p_holm for name in 'bc') == pytest.approx(
        [2 * small, max(2 * small, large)])


def test_a_failed_run_gives_no_choice(tmp_path, own_tiny_dataset, fake_worker):
    config = write_config(tmp_path, 'fails', own_tiny_dataset)
    assert call([config], tmp_path, results=tmp_path / 'choice.json') is None
    assert not (tmp_path / 'choice.json').exists()


@pytest.mark.parametrize('arguments, message', [
    (['--setting', 'a', 'x=1'], '1 settings are given'),
    (['--setting', 'a'], 'a name and one or more KEY=VALUE are expected'),
    (['--setting', 'x=1', 'y=2'], 'a name and one or more KEY=VALUE are expected'),
    (['--setting', 'a', 'bounds.softness=1', '--setting', 'b', 'bounds.softness=2'],
     'nothing reads bounds after the config file')])
def test_command_line_refuses(arguments, message, tmp_path, monkeypatch, capsys):
    tool = str(ROOT / 'tools/choose_settings.py')
    monkeypatch.setattr(sys, 'argv', [
        tool, str(ROOT / 'configs/fracatlas/wl_kld_lite0_fpn.py'), '--out', str(tmp_path / 'runs'),
        *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(tool, run_name='__main__')
    assert ended.value.code != 0 and message in capsys.readouterr().err
    assert not (tmp_path / 'runs').exists()


def test_every_word_of_a_setting_reaches_its_run(tmp_path):
    """Lists keep their other items: one transform of the pipeline is changed by its type."""
    from mmwindow.apis import load_config
    config = ROOT / 'configs/fracatlas/fcos_lite0_fpn.py'
    plain = load_config(config).train_dataloader.dataset.pipeline
    changed = load_config(config, cfg_options={
        'train_dataloader.dataset.pipeline.PointsToPseudoBoxes.size': 60
    }).train_dataloader.dataset.pipeline
    assert [transform.type for transform in changed] == [transform.type for transform in plain]
    differing = [(old, new) for old, new in zip(plain, changed, strict=True) if old != new]
    assert [(old['type'], old['size'], new['size']) for old, new in differing] == [
        ('PointsToPseudoBoxes', 200, 60)]
    assert json.dumps(differing)
