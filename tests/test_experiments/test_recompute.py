"""Committed numbers made again from committed events, without the runs."""
import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from mmwindow.evaluation import ImageEvents
from mmwindow.experiments.commands import tables
from mmwindow.experiments.recompute import check_results, recompute_results
from mmwindow.experiments.result_files import write_result_files
from mmwindow.experiments.summaries import compare_with, summarise
from mmwindow.experiments.systems import System

PAPER = Path(__file__).parents[2] / 'results/paper.json'  # has the labels
SETTINGS = dict(budgets=[0.1, 0.2, 0.3, 0.4, 0.5], convention='first_crossing', frame_side=1024)


def make_events(fold, separation):
    """Images of one fold: every second has a point, each has up to two false positives."""
    rng = np.random.default_rng(fold)
    events = []
    for number in range(16):
        found = rng.normal(size=number % 2) + separation
        fps = np.sort(rng.normal(size=rng.integers(0, 3)))[::-1]
        events.append(ImageEvents(
            score=float(max([*found, *fps, -3])), recall_levels=found, fp_levels=fps,
            fp_changes=np.ones(len(fps), np.int32), is_positive=number % 2 == 1,
            image_id=f'{fold}/{number}'))
    return events


@pytest.fixture
def results(tmp_path):
    """Result files of two systems over two folds, as from runs that are gone."""
    systems = {name: System(
        name, {fold: dict(fold=fold, system=name, config=f'configs/{name}.py', divergence=None,
                          window=None, is_ablation=False, seed=0) for fold in (0, 1)},
        {fold: make_events(fold, separation) for fold in (0, 1)}, SETTINGS, 'fracture')
        for name, separation in (('wl_kld_lite0_fpn', 2.), ('retinanet_lite0_fpn', 1.))}
    labels = dict(wl_kld_lite0_fpn='WL-KLD', retinanet_lite0_fpn='RetinaNet')
    reference, other = systems.values()
    write_result_files(
        tmp_path / 'results', systems,
        {name: summarise(system, labels[name], num_resamples=100)
         for name, system in systems.items()},
        compare_with(reference, [other], num_resamples=100), reference.name, 'from runs')
    return tmp_path / 'results'


def content_of(results, name='retinanet_lite0_fpn'):
    return json.loads((results / f'{name}.json').read_text())


def quiet(text):
    pass


def run_verb(*arguments):
    parser = argparse.ArgumentParser()
    tables.add_arguments(parser)
    tables.run(argparse.Namespace(**vars(parser.parse_args(arguments)), command_line='the command'))


def test_numbers_that_were_altered_are_made_again_and_all_else_stays(results):
    path, right = results / 'retinanet_lite0_fpn.json', content_of(results)
    events = (results / 'events/retinanet_lite0_fpn.json').read_bytes()
    altered = json.loads(path.read_text())
    altered['intervals']['froc/froc_score']['low'] = 0.123
    altered['reference_minus_this']['differences']['auroc']['p_value'] = 0.001
    path.write_text(json.dumps(altered))
    recompute_results(results, paper=PAPER, command_line='from results', say=quiet)
    assert content_of(results) == {**right, 'recomputed': 'from results'}
    assert content_of(results)['command'] == 'from runs'
    assert (results / 'events/retinanet_lite0_fpn.json').read_bytes() == events
    assert 'Made by `from results`' in (results / 'tables/tables.md').read_text()


def test_p_values_stand_next_to_corrected_ones(results):
    """One comparison: the corrected value is the plain one, for each statistic."""
    differences = content_of(results)['reference_minus_this']['differences']
    assert len(differences) == 7
    for entry in differences.values():
        assert 0 < entry['p_value'] == entry['p_holm'] <= 1
    assert differences['auroc']['p_value'] == content_of(results)['reference_minus_this']['delong'][
        'p_value']


def test_degrees_of_freedom_stand_with_each_difference(results):
    """AUROC: 32 patients less two folds; else the 16 of them with a point. Older files name none."""
    content = content_of(results)
    differences = content['reference_minus_this']['differences']
    assert {name: entry['degrees'] for name, entry in differences.items()} == {
        name: 30 if name == 'auroc' else 14 for name in differences}
    path = results / 'retinanet_lite0_fpn.json'
    for entry in differences.values():
        del entry['degrees']
    path.write_text(json.dumps(content))
    assert check_results(results, say=quiet) == []
    differences['froc_score']['degrees'] = 13
    path.write_text(json.dumps(content))
    difference, = check_results(results, say=quiet)
    assert 'differences froc_score degrees (13 and 14)' in difference


def test_check_names_file_and_entry_and_writes_nothing(results, capsys):
    assert check_results(results, say=quiet) == []
    run_verb('--from-results', str(results), '--check')
    assert 'every number follows from the events' in capsys.readouterr().out
    path = results / 'retinanet_lite0_fpn.json'
    altered = json.loads(path.read_text())
    altered['intervals']['froc/froc_score']['low'] = 0.123
    path.write_text(json.dumps(altered))
    before = {path: path.read_bytes() for path in results.rglob('*') if path.is_file()}
    with pytest.raises(ValueError, match=r'retinanet_lite0_fpn\.json: 1 entry differs: '
                                         r'.*froc/froc_score low \(0\.123 and 0\.\d+'):
        run_verb('--from-results', str(results), '--check')
    assert {path: path.read_bytes() for path in results.rglob('*') if path.is_file()} == before


def test_arguments_that_would_have_no_effect_are_rejected(results, tmp_path):
    with pytest.raises(ValueError, match='leave out DIR'):
        run_verb('--from-results', str(results), '--only', '0')
    with pytest.raises(ValueError, match='--out FOLDER are needed'):
        run_verb(str(results))
    with pytest.raises(ValueError, match='there is no result file in it'):
        run_verb('--from-results', str(tmp_path / 'nothing'))


def test_a_result_file_from_before_means_over_folds_is_read(results):
    """Its metrics are those of the pooled images; written again, they are the means."""
    path = results / 'retinanet_lite0_fpn.json'
    old = content_of(results)
    old['metrics'] = old.pop('pooled')['metrics']
    del old['headline']
    path.write_text(json.dumps(old))
    recompute_results(results, say=quiet)
    assert content_of(results)['headline'] == 'mean over folds'


@pytest.mark.long
@pytest.mark.parametrize('name', sorted(path.parent.name for path in PAPER.parent.glob('*/tables')))
def test_committed_numbers_follow_from_committed_events(name):
    """Half a minute each: every interval and p-value, not only the numbers."""
    assert check_results(PAPER.parent / name, PAPER, say=quiet) == []


@pytest.mark.parametrize('arguments, words', [
    (['--num-resamples', '50'], 'leave out .*--num-resamples and --seed'),
    (['--seed', '9'], 'leave out'), (['--check', '--out', 'x'], '--check writes nothing')])
def test_numbers_that_the_files_decide_are_not_asked_for(results, arguments, words):
    with pytest.raises(ValueError, match=words):
        run_verb('--from-results', str(results), *arguments)


@pytest.mark.parametrize('entry', ['folds', 'bootstrap', 'settings'])
def test_a_file_without_an_entry_is_named(results, entry):
    path = results / 'retinanet_lite0_fpn.json'
    content = json.loads(path.read_text())
    del content[entry]
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f'retinanet_lite0_fpn.json: .* no "{entry}"'):
        recompute_results(results, paper=PAPER, say=quiet)
