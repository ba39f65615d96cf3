"""What the quickstart reuses, goes on with, and begins anew; training and test are stood in for."""
import json
from pathlib import Path

import pytest

from mmwindow.apis import quickstart as package_quickstart
from mmwindow.experiments.quickstart import train_once

METRICS = {'froc/auroc': 0.91, 'froc/recall@0.1': 0.5, 'froc/froc_score': 0.75}
CONFIG = Path(__file__).parents[2] / 'configs' / 'synthetic' / 'wl_kld_lite0_fpn.py'


@pytest.fixture
def calls(monkeypatch):
    """What the quickstart called, in order; a training can be told to be cut once."""
    calls = []

    def train(config, work_dir, cfg_options, resume):
        calls.append(dict(stage='train', options=cfg_options, resume=resume,
                          found=sorted(path.name for path in Path(work_dir).iterdir())))
        (Path(work_dir) / 'epoch_1.txt').write_text('weights')
        (Path(work_dir) / 'training_seconds.json').write_text('62.5')
        if cfg_options.get('cut'):
            raise KeyboardInterrupt
        (Path(work_dir) / 'best_froc_auroc_epoch_1.pth').write_text('weights')

    def test(config, checkpoint, work_dir, cfg_options, out):
        calls.append(dict(stage='test', checkpoint=Path(checkpoint).name, options=cfg_options,
                          out=Path(out).name))
        return METRICS

    # The package's name stands for the function of the same name.
    names = train_once.__globals__
    monkeypatch.setitem(names, 'train', train)
    monkeypatch.setitem(names, 'test', test)
    monkeypatch.setitem(names, 'draw_report', lambda *arguments: calls.append(dict(stage='draw')))
    monkeypatch.setitem(names, 'write_dataset',
                        lambda folder, seed: calls.append(dict(stage='data', seed=seed)))
    return calls


def state_of(folder):
    return json.loads((folder / 'state.json').read_text())


def test_a_first_training(tmp_path, calls, capsys):
    state = train_once('config', {}, tmp_path / 'training', 'a')
    assert [call['resume'] for call in calls] == ['auto']
    assert calls[0]['found'] == ['log.txt', 'state.json']
    assert state_of(tmp_path / 'training') == state
    assert (state['mark'], state['finished'], state['seconds']) == ('a', True, 62.5)
    assert set(state) == {'mark', 'finished', 'seconds', 'machine', 'versions'}
    assert 'from ImageNet weights' in capsys.readouterr().out


def test_a_finished_training_is_reused(tmp_path, calls, capsys):
    first = train_once('config', {}, tmp_path, 'a')
    assert train_once('config', {}, tmp_path, 'a') == first
    assert len(calls) == 1 and 'reused from' in capsys.readouterr().out


def test_a_cut_training_goes_on(tmp_path, calls, capsys):
    with pytest.raises(KeyboardInterrupt):
        train_once('config', dict(cut=True), tmp_path, 'a')
    cut = state_of(tmp_path)
    assert (cut['mark'], cut['finished']) == ('a', False)
    seconds = train_once('config', {}, tmp_path, 'a')['seconds']
    assert 'epoch_1.txt' in calls[1]['found'] and calls[1]['resume'] == 'auto'
    assert seconds == 62.5 and state_of(tmp_path)['finished']
    assert 'goes on after a cut' in capsys.readouterr().out


@pytest.mark.parametrize('cut', [False, True])
def test_a_training_of_other_settings_is_never_mixed_with_these(tmp_path, calls, cut):
    folder = tmp_path / 'training'
    if cut:
        with pytest.raises(KeyboardInterrupt):
            train_once('config', dict(cut=True), folder, 'a')
    else:
        train_once('config', {}, folder, 'a')
    train_once('config', {}, folder, 'b')
    assert calls[1]['found'] == ['log.txt', 'state.json'] and state_of(folder)['mark'] == 'b'


def test_somebodys_own_folder_is_not_touched(tmp_path, calls):
    (tmp_path / 'thesis.tex').write_text('mine')
    with pytest.raises(ValueError, match='there are files but no state.json'):
        train_once('config', {}, tmp_path, 'a')
    assert (tmp_path / 'thesis.tex').read_text() == 'mine' and calls == []


def test_an_empty_folder_and_a_half_written_state_are_no_obstacle(tmp_path, calls):
    (tmp_path / 'state.json.part').write_text('{"mark": "a", "fin')
    train_once('config', {}, tmp_path, 'a')
    assert state_of(tmp_path)['finished']


def run(tmp_path, seed=0):
    return package_quickstart(CONFIG, tmp_path / 'data', tmp_path / 'out', seed=seed)


def test_the_whole_path_once_and_again(tmp_path, calls, capsys):
    assert run(tmp_path) == METRICS
    assert [call['stage'] for call in calls] == ['data', 'train', 'test', 'draw']
    data, training, testing, _ = calls
    assert data['seed'] == 0 and training['options']['randomness'] == dict(seed=0)
    assert {training['options'][f'{split}_dataloader.dataset.data_root']
            for split in ('train', 'val', 'test')} == {f'{tmp_path}/data/'}
    hooks = [hook['type'] for hook in training['options']['custom_hooks']]
    # Added to the config's own.
    assert hooks[-3:] == ['ProgressHook', 'TrainingTimeHook', 'ValidateOnResumeHook']
    assert 'ChannelsLastHook' in hooks
    assert testing['checkpoint'] == 'best_froc_auroc_epoch_1.pth'
    assert testing['options']['test_evaluator.outfile'].endswith('out/training/test_curves.json')
    result = json.loads((tmp_path / 'out' / 'result.json').read_text())
    assert result['metrics'] == METRICS and result['seed'] == 0
    assert result['training_seconds'] == 62.5 and set(result['versions']) >= {'mmwindow', 'torch'}
    printed = capsys.readouterr().out
    for words in ('AUROC      0.910', 'recall@0.1 0.500', 'FROC score 0.750'):
        assert words in printed

    assert run(tmp_path) == METRICS
    assert [call['stage'] for call in calls[4:]] == ['data']  # which is reused by itself
    assert 'test: reused from' in capsys.readouterr().out


def test_another_seed_is_another_run(tmp_path, calls):
    run(tmp_path)
    run(tmp_path, seed=1)
    assert [call['stage'] for call in calls] == ['data', 'train', 'test', 'draw'] * 2
    assert json.loads((tmp_path / 'out' / 'result.json').read_text())['seed'] == 1


def test_a_run_cut_in_the_test_trains_no_more(tmp_path, calls, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(train_once.__globals__, 'draw_report',
                      lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    assert not (tmp_path / 'out' / 'result.json').exists()
    assert run(tmp_path) == METRICS
    assert [call['stage'] for call in calls] == ['data', 'train', 'test', 'data', 'test', 'draw']
