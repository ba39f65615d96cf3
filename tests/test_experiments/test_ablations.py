"""Tables 2 and 3 in one command: rows, what is filed as it ends, and the page of drops."""
import io
import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

from mmwindow.experiments import ablations, cross_validation
from mmwindow.experiments.ablation_report import (
    NOTE,
    TRAINING_DEVIATION,
    check_rule,
    report_ablations,
)
from mmwindow.experiments.ablations import MAIN, Ablation, list_ablations, run_ablations
from mmwindow.experiments.commands import ablations as ablations_command
from mmwindow.experiments.devices import choose_devices
from mmwindow.experiments.exact_maps import Window
from mmwindow.experiments.paper_report import read_paper
from mmwindow.experiments.plan import RunSettings
from mmwindow.utils.command_line import run_command
from mmwindow.utils.files import load_json
from mmwindow.utils.progress import ProgressDisplay
from tests.stand_in_configs import window_config

ROOT = Path(__file__).parents[2]
PAPER = ROOT / 'results' / 'paper.json'
WIDE = Window(2., 150., 200.)
# A wide window finds every second point too late; by distance it finds all.
WORKER = """
import json, runpy, shutil, sys
from pathlib import Path
folder = Path(sys.argv[1])
state = json.loads((folder / 'run.json').read_text())
config = runpy.run_path(folder / 'config.py')
(folder / 'training').mkdir(exist_ok=True)
if not (folder / 'training/epoch_1.pth').exists():
    shutil.copy('EPOCH', folder / 'training/epoch_1.pth')
bounds = config['train_dataloader']['dataset']['pipeline'][0]
rule = config['test_evaluator'].get('rule', 'disk_overlap')
overlap = config['test_evaluator'].get('max_overlap', .1)
late = bounds['lower_radius'] == 150 and rule == 'disk_overlap' and overlap == .1
images = [dict(image_id=number, score=.9 if number % 2 else .5, is_positive=number % 2 == 1,
               recall_levels=[.2 if late and number % 4 == 1 else .9] * (number % 2),
               fp_levels=[.5] * (1 - number % 2), fp_changes=[1] * (1 - number % 2))
          for number in range(24)]
settings = dict(rule=rule, hit_radius=50, budgets=[.1, .2, .3, .4, .5], convention='first_crossing',
                fp_denominator='all', frame_side=1024)
settings |= dict(max_overlap=overlap) if rule == 'disk_overlap' else {}
for split in state['splits']:
    (folder / f'{split}.json').write_text(json.dumps(dict(
        format='mmwindow-evaluation', version=1, metrics={}, settings=settings,
        classes=[dict(name='fracture', images=images)])))
(folder / 'result.json').write_text(json.dumps({
    **state, 'training_seconds': 5.0, 'test_seconds': 1.0, 'metrics': {}, 'checkpoint': 'epoch_1.pth',
    'records': {split: f'{split}.json' for split in state['splits']}, 'machine': 'x86_64',
    'validation_metrics': {}, 'versions': {}, 'num_images': dict.fromkeys(state['splits'], 24)}))
"""


@pytest.fixture
def rows(monkeypatch, tmp_path, own_tiny_dataset):
    """Two rows of Table 3 on synthetic radiographs, done by the stand-in."""
    monkeypatch.setattr(cross_validation, 'worker_command', lambda plan, *rest: (
        sys.executable, '-W', 'ignore', '-c', WORKER.replace('EPOCH', str(tmp_path / 'epoch.pth')),
        str(plan.folder)))
    torch.save(dict(meta=dict(epoch=1), state_dict=dict(weight=torch.ones(1))),
               tmp_path / 'epoch.pth')
    rows = [Ablation('synthetic', 'kld', window) for window in (MAIN, WIDE)]
    path = tmp_path / rows[0].config
    path.parent.mkdir(parents=True)
    path.write_text(window_config(own_tiny_dataset)
                    + 'train_cfg = dict(max_epochs=1, val_interval=1)\n')
    return rows


def call(rows, tmp_path):
    said = []
    missing = run_ablations(rows, tmp_path / 'out', tmp_path / 'results', choose_devices(),
                            command_line='ablate', configs=tmp_path, num_resamples=100,
                            say=said.append, display=ProgressDisplay(stream=io.StringIO()))
    return missing, said


def test_all_rows_of_the_paper():
    rows = list_ablations(read_paper(PAPER))
    assert len(rows) == len({(row.data, row.name) for row in rows}) == 32
    # What answers the most comes first, on both data sets.
    assert [row.name for row in rows[:8]] == [
        f'wl_{divergence}_lite0_fpn_{data}{window}' for window in ('', '_tau2_lower150_upper200')
        for data in ('fracatlas', 'synthetic') for divergence in ('mse', 'kld')]
    assert [row.window.lower_radius for row in rows[8:16]] == [100.] * 4 + [50.] * 4
    assert 'wl_kld_lite0_fpn_synthetic_tau0p4_lower50_upper200' in {row.name for row in rows}
    for row in rows:
        assert (Path(__file__).parents[2] / row.config).is_file()
        assert row.options == {'window.softness': row.window.softness,
                               'window.lower_radius': row.window.lower_radius,
                               'window.upper_radius': row.window.upper_radius}
    with pytest.raises(ValueError, match='there is no mura'):
        list_ablations(read_paper(PAPER), ['mura'])


def test_rows_are_trained_filed_and_tested_by_each_rule(tmp_path, rows):
    missing, said = call(rows, tmp_path)
    assert missing == [] and said == [f'2 rows are asked for; 0 are filed in {tmp_path / "results"}']
    wide = load_json(tmp_path / f'results/synthetic/{rows[1].name}.json')
    assert wide['window'] == dict(softness=2, lower_radius=150, upper_radius=200)
    assert wide['is_ablation'] and not load_json(
        tmp_path / f'results/synthetic/{rows[0].name}.json')['is_ablation']
    # 12 points, 6 of them found below all false positives; 12 of 24 images have one: .5 at .5.
    assert wide['metrics']['froc/froc_score'] == pytest.approx((4 * .5 + 1) / 5)
    distance = load_json(tmp_path / f'results/synthetic_distance/{rows[1].name}.json')
    assert distance['settings']['rule'] == 'distance' and distance['metrics']['froc/froc_score'] == 1
    overlap = load_json(tmp_path / f'results/synthetic_overlap4/{rows[1].name}.json')
    assert overlap['settings']['max_overlap'] == .04 and overlap['metrics']['froc/froc_score'] == 1
    # The same command again does nothing, even where the runs are gone.
    before = {path: path.read_bytes() for path in (tmp_path / 'results').rglob('*.json')}
    (tmp_path / 'out').rename(tmp_path / 'lost')
    missing, said = call(rows, tmp_path)
    assert missing == [] and '2 are filed' in said[0] and not (tmp_path / 'out').exists()
    assert {path: path.read_bytes() for path in (tmp_path / 'results').rglob('*.json')} == before


def test_a_row_that_lacks_a_rule_is_done_again(tmp_path, rows):
    """Its run folder is gone: only another training gives the three tests of one model."""
    call(rows, tmp_path)
    main = tmp_path / f'results/synthetic/{rows[1].name}.json'
    changed = tmp_path / f'results/synthetic_distance/{rows[1].name}.json'
    content = load_json(changed)
    content['runs'][0]['training_seconds'] = 7.
    changed.write_text(json.dumps(content))  # of another training
    (tmp_path / 'out').rename(tmp_path / 'lost')
    before = main.stat().st_mtime_ns
    missing, said = call(rows, tmp_path)
    assert missing == [] and said[0].startswith('2 rows are asked for; 1 are filed')
    assert main.stat().st_mtime_ns > before
    assert load_json(changed)['runs'][0]['training_seconds'] == 5.
    # Where the run is there, it is tested again and not trained.
    changed.unlink()
    starts = {path: path.stat().st_mtime_ns for path in (tmp_path / 'out/synthetic').rglob('*.pth')}
    missing, said = call(rows, tmp_path)
    assert missing == [] and changed.is_file() and starts
    assert starts == {path: path.stat().st_mtime_ns for path in starts}


def test_the_page_says_what_a_drop_is_made_of(tmp_path, rows):
    call(rows, tmp_path)
    exact = tmp_path / 'exact'
    exact.mkdir()
    (exact / 'synthetic.json').write_text(json.dumps(dict(scores=[
        dict(window=window._asdict(), map='lower', rule='paper', unequal=dict(froc_score=score))
        for window, score in ((MAIN, 1.), (WIDE, .75))])))
    every = list_ablations(read_paper(PAPER), ['synthetic'], ['kld'])
    said = []
    page = report_ablations(every, tmp_path / 'results', PAPER, 'ablate', exact, 100, said.append)
    text = page.read_text()
    line = next(line for line in text.splitlines() if line.startswith('| 2 | 150 | 200 |'))
    cells = [cell.strip() for cell in line.strip('|').split('|')]
    assert cells[3].startswith('0.600 (') and cells[4].startswith('-0.400 (')
    assert cells[5].startswith('1.000 (') and cells[6].startswith('+0.000 (')
    assert cells[7].startswith('1.000 (') and cells[8].startswith('+0.000 (')
    assert cells[9].startswith('-0.400 (')  # 10 % take .4 from it, and nothing from the main window
    assert cells[10:] == ['-0.068', '-0.250']  # the paper: .828 - .896
    assert '| 2 | 100 | 200 | not run |' in text
    assert 'Not complete: 6 rows are missing' in text and said[0].startswith('6 rows are missing')
    table = (tmp_path / 'results/synthetic/tables/tables.md').read_text()
    assert 'Table 3' in table and '| 2 | 150 | 200 |' in table


def test_a_row_of_other_settings_is_trained_again(tmp_path, rows):
    call(rows[:1], tmp_path)
    config = tmp_path / rows[0].config
    config.write_text(config.read_text().replace('seed=0', 'seed=1'))
    with pytest.raises(ValueError, match='other settings'):
        call(rows[:1], tmp_path)
    with pytest.raises(ValueError, match='are filed with other settings .*--seed, a config, torch'):
        call(rows[:1], tmp_path)


def test_filed_rows_are_not_replaced_by_others_unasked(tmp_path, rows, monkeypatch):
    """Their run folders are gone, as on another machine: other options, then other code."""
    call(rows, tmp_path)
    (tmp_path / 'out').rename(tmp_path / 'lost')
    before = {path: path.read_bytes() for path in (tmp_path / 'results').rglob('*.json')}

    def again(amp=False, **how):
        return run_ablations(rows, tmp_path / 'out', tmp_path / 'results', choose_devices(),
                             RunSettings(amp=amp), 'ablate', tmp_path, 100, lambda text: None,
                             display=ProgressDisplay(stream=io.StringIO()), **how)

    with pytest.raises(ValueError, match='are filed with other settings'):
        again(amp=True)
    for path in before:
        if 'events' in path.parts or 'tables' in path.parts:
            continue
        content = load_json(path)
        content['runs'][0]['training_code'] = 'of another day'
        path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match='were trained or scored by other code. --accept adds'):
        again()
    assert again(accept=True) == [] and not (tmp_path / 'out').exists()


def test_a_test_of_another_training_is_named(tmp_path, rows):
    call(rows, tmp_path)
    path = tmp_path / f'results/synthetic_overlap4/{rows[1].name}.json'
    content = load_json(path)
    content['runs'][0]['seed'] = 9
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match='its test overlap4 is of another training than its row'):
        report_ablations(rows, tmp_path / 'results', PAPER, 'ablate', None, 100, lambda text: None)


def test_events_are_filed_whatever_their_size(tmp_path, rows, monkeypatch):
    """Without them no row can be compared once its run is gone; and all rows are on the page."""
    monkeypatch.setattr('mmwindow.experiments.result_files.MAX_EVENTS_BYTES', 1)
    monkeypatch.setattr('mmwindow.experiments.result_files.MAX_IMAGE_BYTES', 1)
    call(rows, tmp_path)
    assert load_json(tmp_path / f'results/synthetic/{rows[1].name}.json')['events'] is not None
    text = report_ablations(list_ablations(read_paper(PAPER)), tmp_path / 'results', PAPER, 'ablate',
                            None, 100, lambda text: None).read_text()
    assert 'Not complete: 30 rows are missing' in text and '### synthetic, KLD' in text
    assert '[tables](synthetic/tables/tables.md)' in text and 'trained on x86_64' in text


def test_a_row_scored_by_another_rule_is_named(tmp_path, rows):
    call(rows, tmp_path)
    for name in ('', 'events/'):
        source = tmp_path / f'results/synthetic/{name}{rows[1].name}.json'
        (tmp_path / f'results/synthetic_overlap4/{name}{rows[1].name}.json').write_bytes(
            source.read_bytes())
    with pytest.raises(ValueError, match='overlap4/.*its max_overlap is 0.1, and that of its folder'):
        report_ablations(rows, tmp_path / 'results', PAPER, 'ablate', None, 100, lambda text: None)


@pytest.mark.parametrize('rule, settings, message', [
    ('', dict(max_overlap=.04), 'its max_overlap is 0.04, and that of its folder 0.1'),
    ('', dict(hit_radius=20), 'its hit_radius is 20, and that of its folder 50'),
    ('', dict(rule='distance'), 'its rule is distance, and that of its folder disk_overlap'),
    ('_overlap4', dict(), 'its max_overlap is 0.1, and that of its folder 0.04'),
    ('_overlap4', dict(rule='distance', max_overlap=.04), 'its rule is distance'),
    ('_distance', dict(hit_radius=50), 'its rule is disk_overlap, and that of its folder distance')])
def test_each_folder_has_one_rule_the_papers_too(rule, settings, message):
    with pytest.raises(ValueError, match=f'row.json: {message}.*tests the row again'):
        check_rule(Path('row.json'), rule, settings)


@pytest.mark.parametrize('rule, settings', [
    ('', dict(rule='disk_overlap', hit_radius=50, max_overlap=.1)), ('', {}),
    ('_overlap4', dict(rule='disk_overlap', hit_radius=50, max_overlap=.04)),
    ('_distance', dict(rule='distance', hit_radius=50))])
def test_a_row_by_the_rule_of_its_folder_is_taken(rule, settings):
    check_rule(Path('row.json'), rule, settings)


def test_the_deviation_of_the_page_is_that_of_the_committed_pairs():
    page = (ROOT / 'results/fracatlas_gpu/training_noise.md').read_text()
    row = next(line for line in page.splitlines() if line.startswith('| a single training |'))
    assert float(row.split('|')[-2]) == TRAINING_DEVIATION
    assert 'differ by a standard deviation of .023). "at 4 %": the paper' in NOTE


def test_a_row_that_other_code_scored_is_named(tmp_path, rows):
    call(rows, tmp_path)
    path = tmp_path / f'results/synthetic/{rows[1].name}.json'
    content = load_json(path)
    content['runs'][0]['scoring_code'] = 'of another day'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f'{rows[1].name}.* were trained or scored by other code'):
        call(rows, tmp_path)


def test_an_overwrite_that_stops_leaves_no_rows_of_two_kinds(tmp_path, rows, monkeypatch):
    """One of the new rows would else be compared with the others of before."""
    call(rows, tmp_path)
    monkeypatch.setattr(cross_validation, 'worker_command', lambda plan, *rest: (
        sys.executable, '-c', 'raise SystemExit(1)'))
    missing = run_ablations(rows, tmp_path / 'out', tmp_path / 'results', choose_devices(),
                            RunSettings(amp=True), 'ablate', tmp_path, 100, lambda text: None,
                            overwrite=True, display=ProgressDisplay(stream=io.StringIO()))
    assert missing == [row.name for row in rows]
    assert list((tmp_path / 'results').rglob('*.json')) == []


def test_a_training_of_other_code_is_not_filed_unasked(tmp_path, rows):
    """A command that was stopped after the training and before it was filed, and then new code."""
    call(rows[:1], tmp_path)
    shutil.rmtree(tmp_path / 'results')
    for name in ('run', 'result'):
        path = tmp_path / f'out/synthetic/{rows[0].name}/single/{name}.json'
        path.write_text(json.dumps(load_json(path) | dict(training_code='of another day')))
    with pytest.raises(ValueError, match='--accept'):
        call(rows[:1], tmp_path)
    assert not (tmp_path / 'results').exists()


@pytest.mark.parametrize('key', ['window.lower_radius', 'test_evaluator.rule'])
def test_what_the_rows_set_cannot_be_overridden(tmp_path, rows, key):
    with pytest.raises(ValueError, match=f'--cfg-options {key}: each row sets its own window'):
        run_ablations(rows, tmp_path / 'out', tmp_path / 'results', choose_devices(),
                      RunSettings({key: 1}), configs=tmp_path)


def test_a_filed_row_without_its_events_is_named(tmp_path, rows):
    call(rows, tmp_path)
    path = tmp_path / f'results/synthetic_distance/events/{rows[1].name}.json'
    path.unlink()
    says = (f'synthetic_distance/{rows[1].name}.json: it cannot be used .*; delete it, and the '
            'command files the row again')
    with pytest.raises(ValueError, match=says):
        call(rows, tmp_path)
    with pytest.raises(ValueError, match=says):
        report_ablations(rows, tmp_path / 'results', PAPER, 'ablate', None, 100, lambda text: None)
    path.parents[1].joinpath(f'{rows[1].name}.json').unlink()
    assert call(rows, tmp_path)[0] == [] and path.is_file()


def test_tests_by_other_rules_run_where_the_trainings_run(tmp_path, rows, monkeypatch):
    seen = []
    real = ablations.run_retests
    monkeypatch.setattr(ablations, 'run_retests', lambda plans, devices, **how: (
        seen.append(devices), real(plans, devices, **how))[1])
    devices = choose_devices(jobs=2)
    run_ablations(rows[:1], tmp_path / 'out', tmp_path / 'results', devices, configs=tmp_path,
                  num_resamples=100, say=lambda text: None,
                  display=ProgressDisplay(stream=io.StringIO()))
    assert seen == [devices, devices]


def test_a_folder_of_exact_maps_that_is_not_there_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run_command(ablations_command, 'ablations',
                    ['--report-only', '--exact', str(tmp_path / 'exakt')])
    assert 'exakt: there is no such folder' in capsys.readouterr().err
