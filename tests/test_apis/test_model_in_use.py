"""A tiny model is trained once: thresholds, reports, tests of its run folder and its checkpoint."""
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mmwindow.apis import test as evaluate  # pytest would collect it under its own name
from mmwindow.apis import train
from mmwindow.apis.model_places import find_model
from mmwindow.apis.run_numbers import ReportSettings
from mmwindow.apis.validation_watch import Choice, ValidationWatch
from mmwindow.cli import main
from mmwindow.engine.checkpoint import find_best_checkpoint, load_own_checkpoint
from mmwindow.engine.model_description import META_KEY, POINTS_KEY, read_description
from mmwindow.engine.run_file import read_run, write_run
from mmwindow.evaluation import read_record
from mmwindow.evaluation.statistics.model_points import choose_model_points
from mmwindow.evaluation.statistics.operating_point import apply_operating_point
from mmwindow.utils.operating_points import ModelOperatingPoints
from tests.conftest import write_tiny_dataset

CONFIG = Path(__file__).parents[2] / 'configs/windowloss/wl_kld_lite0_fpn.py'
FAST = ReportSettings(num_resamples=100, band_resamples=100)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """The work dir of a training of two epochs with 16 images of validation and of test."""
    folder = tmp_path_factory.mktemp('trained')
    data = write_tiny_dataset(folder / 'data', (8, 16, 16))
    options = {'input_size': 64, 'train_cfg.max_epochs': 2}
    for split in ('train', 'val', 'test'):
        loader = f'{split}_dataloader'
        options |= {f'{loader}.dataset.data_root': f'{data}/', f'{loader}.num_workers': 0,
                    f'{loader}.persistent_workers': False}
    train(CONFIG, work_dir=folder / 'run', cfg_options=options)
    return folder / 'run'


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it, which a test may change."""
    return Path(shutil.copytree(trained, tmp_path / 'run'))


def copy_data(trained, folder, category='fracture'):
    """Write the test images as those of another place; return its folder."""
    content = json.loads((trained.parent / 'data/annotations/test.json').read_text())
    content['categories'][0]['name'] = category
    content['info'] = dict(images_folder=str(trained.parent / 'data/images'))
    for number, entry in enumerate(content['images']):
        entry['part'] = 'leg' if number % 3 else 'arm'
    folder.mkdir()
    (folder / 'points.json').write_text(json.dumps(content))
    return folder


def test_the_best_checkpoint_and_the_run_file_carry_its_thresholds(trained):
    best = read_run(trained).best
    content = load_own_checkpoint(find_best_checkpoint(trained))
    points = ModelOperatingPoints.from_json(content['meta'][META_KEY][POINTS_KEY])
    assert best.operating_points == points == read_description(content, 'best').operating_points
    run = read_run(trained)
    assert (points.split, points.num_images, points.num_patients) == ('val', 16, 16)
    assert points.data == run.data['val'] and points.training_data == run.data['train']
    assert points.input_size == (64, 64) and points.preprocessing
    events = read_record(trained / 'report/record.json').events()
    chosen = choose_model_points({'fracture': events}).classes['fracture'].findings
    assert points.threshold('fracture', 'findings') == points.threshold('fracture', 'images') == (
        chosen.threshold)
    assert points.point('fracture', 'images').threshold_interval == chosen.threshold_interval


def test_the_report_of_a_training_is_that_of_its_best_validation(trained):
    folder = trained / 'report'
    assert {'report.md', 'record.json', 'result.json', 'images.csv', 'froc.png', 'roc.png',
            'overlays.png', 'calibration.png', 'training.png'} == {
                path.name for path in folder.iterdir()}
    best = read_run(trained).best
    found = json.loads((folder / 'result.json').read_text())
    assert found['classes'][0]['metrics']['auroc'] == pytest.approx(best.metrics['froc/auroc'])
    assert found['chosen_on_these_images'] and found['facts']['epoch'] == f'{best.epoch} of 2'
    assert 'the numbers at it flatter' in (folder / 'report.md').read_text()


def test_a_run_folder_is_tested_at_its_stored_threshold(run, capsys):
    metrics = evaluate(run, report=FAST)
    assert 'report: ' in capsys.readouterr().out
    record = read_record(run / 'report_test/record.json')
    assert len(record.events()) == 16 and all(img.floor is None for img in record.events())
    assert metrics['froc/auroc'] == pytest.approx(record.metrics['auroc'])
    point = read_run(run).best.operating_points.point('fracture', 'images')
    expected = apply_operating_point(point, record.events(), num_resamples=100)
    found = json.loads((run / 'report_test/result.json').read_text())
    at_threshold = found['classes'][0]['at_threshold']
    for name in ('sensitivity', 'specificity', 'recall', 'fp_rate'):
        interval = getattr(expected, name)
        assert at_threshold['intervals'][name]['estimate'] == interval.estimate
        assert at_threshold['intervals'][name]['low'] == pytest.approx(interval.low)
    assert found['origin']['num_images'] == 16 and not found['chosen_on_these_images']
    # The same weights and images by config and checkpoint, without a report.
    shutil.rmtree(run / 'report_test')
    config = run / CONFIG.name
    assert evaluate(config, 'best', work_dir=run, report=None) == metrics
    assert not (run / 'report_test').exists()


def test_a_threshold_that_is_chosen_again_is_stored_and_all_else_stays(run):
    checkpoint = find_best_checkpoint(run)
    before = load_own_checkpoint(checkpoint)
    evaluate(run, choose=Choice('sensitivity', .8), report=FAST)
    after = load_own_checkpoint(checkpoint)
    assert all(torch.equal(value, after['state_dict'][name])
               for name, value in before['state_dict'].items())
    assert after['optimizer']['param_groups'] == before['optimizer']['param_groups'] if (
        'optimizer' in before) else True
    points = read_run(run).best.operating_points
    assert points == ModelOperatingPoints.from_json(after['meta'][META_KEY][POINTS_KEY])
    point = points.point('fracture', 'images')
    assert (point.rule, point.target) == ('sensitivity', .8) and points.split == 'val'
    assert point.achieved['sensitivity'] >= .8
    events = read_record(run / 'report_val/record.json').events()
    assert np.mean([img.score >= point.threshold for img in events if img.is_positive]) == (
        point.achieved['sensitivity'])
    assert points.training_data == read_run(run).data['train']


def test_where_too_few_images_choose_nothing_is_stored(run, trained, tmp_path, capsys):
    few = copy_data(trained, tmp_path / 'few')
    content = json.loads((few / 'points.json').read_text())
    content['images'] = content['images'][1::2]  # negative images alone
    content['annotations'] = []
    (few / 'points.json').write_text(json.dumps(content))
    before = read_run(run)
    evaluate(run, data=few, choose=Choice('youden'), report=FAST)
    assert 'no threshold is stored: class fracture' in capsys.readouterr().err
    assert read_run(run) == before
    assert 'No stored threshold' in (run / 'report_few/report.md').read_text()


def test_a_checkpoint_alone_is_tested_on_another_place(trained, tmp_path, monkeypatch, capsys):
    place = copy_data(trained, tmp_path / 'other', 'break')
    checkpoint = Path(shutil.copy(find_best_checkpoint(trained), tmp_path / 'model.pth'))
    monkeypatch.chdir(tmp_path)
    main(['test', str(checkpoint), '--data', str(place), '--by', 'part', 'is_positive'])
    out = capsys.readouterr()
    assert "'break' is taken for the model's class 'fracture'" in out.err
    folder = tmp_path / 'work_dirs/model/report_other'
    found = json.loads((folder / 'result.json').read_text())
    assert [row['value'] for row in found['classes'][0]['by']['part']] == ['arm', 'leg']
    assert 'not known' in found['facts']["the training's images"]
    other = evaluate(trained, work_dir=tmp_path / 'own', report=None)
    assert found['classes'][0]['metrics']['auroc'] == pytest.approx(other['froc/auroc'])


def test_what_cannot_be_tested_is_one_line(trained, tmp_path, capsys):
    checkpoint = find_best_checkpoint(trained)
    older = tmp_path / 'older.pth'
    content = load_own_checkpoint(checkpoint)
    del content['meta'][META_KEY]
    torch.save(content, older)
    place = copy_data(trained, tmp_path / 'other')
    for arguments, words in (
            ([CONFIG], 'a config alone is no model'),
            ([tmp_path / 'gone'], 'no such file'),
            ([checkpoint], 'give --data'),
            ([CONFIG, older, '--choose-threshold', 'youden'], 'no threshold can be stored'),
            ([older, '--data', place], 'does not describe its model'),
            ([CONFIG, checkpoint, '--config', CONFIG], 'one of them'),
            ([trained, '--data', tmp_path / 'gone'], 'no such folder or point file'),
            ([trained, '--by', 'sex'], 'no image of the test has this field'),
            ([trained, '--by', 'sex', '--no-report'], 'leave --no-report out'),
            ([trained, '--choose-threshold', 'luck'], 'luck'),
            ([checkpoint, '--data', place, '--cfg-options', 'input_size=32'], 'give --config')):
        with pytest.raises(SystemExit) as stop:
            main(['test', *map(str, arguments), '--work-dir', str(tmp_path / 'work')])
        err = capsys.readouterr().err
        assert stop.value.code in (1, 2) and words in err and 'Traceback' not in err, (arguments, err)


def test_a_report_that_fails_costs_no_test(run, monkeypatch, capsys):
    monkeypatch.setattr('mmwindow.apis.reporting.write_run_report', lambda *_: 1 / 0)
    metrics = evaluate(run)
    assert metrics['froc/auroc'] >= 0
    assert 'test: no report: ZeroDivisionError' in capsys.readouterr().err


def test_a_run_file_of_before_has_no_thresholds_and_is_read(run):
    content = json.loads((run / 'run.json').read_text())
    del content['best']['operating_points']
    (run / 'run.json').write_text(json.dumps(content))
    found = read_run(run)
    assert found.best.operating_points is None and found.best.epoch >= 1
    write_run(run, found)
    assert read_run(run) == found
    content['best']['operating_points'] = dict(format='other')
    (run / 'run.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='run.json'):
        read_run(run)


def test_a_run_of_folds_is_found_by_its_folder(trained, tmp_path):
    shutil.copytree(trained, tmp_path / 'fold0/training')
    (tmp_path / 'fold0/run.json').write_text('{"format": "mmwindow-run"}')
    found = find_model(tmp_path / 'fold0')
    assert found.folder == tmp_path / 'fold0/training' and found.checkpoint.parent == found.folder
    assert found.config == found.folder / CONFIG.name


class FakeRunner:
    hooks = ()

    def __init__(self, **cfg):
        self.cfg = cfg


@pytest.mark.parametrize('choice, words', [
    (dict(rule='luck'), 'luck'), (dict(rule='youden', target=.5), 'no target'),
    (dict(rule='sensitivity', target=2), 'share'), (dict(budget=1), 'budget')])
def test_an_operating_point_of_the_config_that_is_none_is_an_error_before_the_training(choice, words):
    with pytest.raises(ValueError, match=f'operating_point of the config: .*{words}'):
        ValidationWatch().before_train(FakeRunner(operating_point=choice))


def test_the_config_says_how_a_threshold_is_chosen():
    watch = ValidationWatch()
    watch.before_train(FakeRunner(operating_point=dict(rule='sensitivity', target=.95)))
    assert watch.rule == Choice('sensitivity', .95)
    watch.before_train(FakeRunner())
    assert watch.rule == Choice('fp_budget')


def test_weights_at_an_address_are_mmengines_to_load():
    found = find_model(CONFIG, 'https://models.invalid/a.pth')
    assert found.checkpoint == 'https://models.invalid/a.pth' and found.run is None
