"""What was spent on each system, counted once, from files and folders; who was given less."""
import json
from pathlib import Path

import pytest

from mmwindow import cli
from mmwindow.experiments.ledger import describe_ledger, has_fewer, read_ledger, system_key

ROOT = Path(__file__).parents[2]


def candidate(system, setting, marks, seconds=3600.):
    return dict(system=system, setting=setting, config=f'configs/x/{system}.py', seed=0,
                num_folds=len(marks), training_seconds=seconds, runs=[
                    dict(fold=fold, mark=mark, seed=0, training_seconds=seconds)
                    for fold, mark in enumerate(marks)])


def write_choice(folder, name, *candidates, **more):
    folder.mkdir(exist_ok=True)
    path = folder / f'{name}.json'
    path.write_text(json.dumps(dict(
        settings={one['setting']: {'a': one['setting']} for one in candidates},
        candidates=list(candidates), **more)))
    return path


def write_run(folder, system, fold, mark, seconds=1800., **state):
    folder = folder / system / f'fold{fold}'
    folder.mkdir(parents=True)
    content = dict(system=system, config=f'{system}.py', fold=fold, mark=mark, **state)
    (folder / 'run.json').write_text(json.dumps(dict(content, trained=seconds is not None)))
    if seconds is not None:
        (folder / 'result.json').write_text(json.dumps(dict(
            content, training_seconds=seconds, records=dict(test='test.json'))))
    return folder


def counts(accounts):
    return {name: (list(account.settings), len(account.trainings), account.hours)
            for name, account in accounts.items()}


@pytest.mark.parametrize('name, key', [
    ('wl_kld_lite0_fpn_fracatlas', 'wl_kld'), ('wl_plus_lite0_fpn', 'wl_plus'),
    ('chexnet', 'chexnet'),
    ('faster_rcnn_r50_fpn', 'faster_rcnn'), ('mine', 'mine'), ('wl_kldx', 'wl_kldx')])
def test_configs_of_one_system(name, key):
    assert system_key(name) == key


def test_a_training_that_two_files_tell_of_counts_once(tmp_path):
    """The reference is trained once and compared twice; an hour each, two folds."""
    write_choice(tmp_path, 'a', candidate('wl_kld_lite0_fpn', 'plain', ['1', '2']),
                 candidate('wl_kld_lite0_fpn', 'long', ['3', '4']))
    write_choice(tmp_path, 'b', candidate('wl_kld_lite0_fpn', 'plain', ['1', '2']),
                 candidate('wl_kld_lite0_fpn', 'tower', ['5']))
    assert counts(read_ledger([tmp_path])) == {'wl_kld': (['plain', 'long', 'tower'], 5, 5.)}
    # The same folder twice, or one of its files with it, changes nothing.
    assert counts(read_ledger([tmp_path, tmp_path / 'a.json'])) == counts(read_ledger([tmp_path]))


def test_settings_of_one_name_and_other_overrides_are_two(tmp_path):
    """Both files call their settings a and b; of the baseline there is one file, named likewise."""
    for number, name in enumerate(('first', 'second')):
        path = write_choice(tmp_path, name, candidate('wl_kld_lite0_fpn', 'a', [f'{name}1']),
                            candidate('wl_kld_lite0_fpn', 'b', [f'{name}2']))
        content = json.loads(path.read_text())
        content['settings'] = {'a': {'lr': 1}, 'b': {'decay': number}}
        path.write_text(json.dumps(content))
    write_choice(tmp_path, 'third', candidate('retinanet', 'a', ['3', '4']),
                 candidate('retinanet', 'b', ['5', '6']))
    write_run(tmp_path / 'runs/c', 'retinanet', 0, '7', command='mmwindow tune x.py --setting c d=1')
    write_run(tmp_path / 'runs/a', 'retinanet', 1, '8', command='mmwindow tune x.py --setting a d=1')
    accounts = read_ledger([tmp_path])
    # a is the same in both files; b is decay 0 and decay 1. Of c nothing but the name is known.
    assert {name: account.num_settings for name, account in accounts.items()} == dict(
        wl_kld=3, retinanet=3)
    text = describe_ledger(accounts)
    assert '| WL-KLD | 3 | 4 | 4.0 | a, b (2 of this name) |' in text
    (tmp_path / 'runs/c/retinanet/fold0/result.json').unlink()
    (tmp_path / 'runs/c/retinanet/fold0/run.json').unlink()
    accounts = read_ledger([tmp_path])
    assert 'Fewer settings than WL-KLD (3)' in describe_ledger(accounts)
    assert 'RetinaNet (2)' in describe_ledger(accounts)


def test_a_setting_of_a_renamed_config_is_one(tmp_path):
    for name in ('wspl_lite0', 'wspl_lite0_fracatlas'):
        write_choice(tmp_path, name, candidate(name, 'a', [name]), candidate(name, 'b', [f'{name}2']))
    account = read_ledger([tmp_path])['wspl']
    assert (account.num_settings, len(account.trainings)) == (2, 4)


def test_run_folders_count_with_the_files_that_tell_of_them(tmp_path):
    """A run of the file, one more, one that is not finished, and a test of a finished one."""
    write_choice(tmp_path / 'results', 'a', candidate('fcos_lite0_fpn', 'plain', ['1']))
    runs = tmp_path / 'runs'
    tune = dict(command='mmwindow tune c.py --setting plain a=1 --setting long a=2 --out runs')
    write_run(runs / 'plain', 'fcos_lite0_fpn', 0, '1', **tune)
    write_run(runs / 'long', 'fcos_lite0_fpn', 0, '2', **tune)
    write_run(runs / 'long', 'fcos_lite0_fpn', 1, '3', seconds=None, machine='x86_64', **tune)
    write_run(runs / 'long', 'fcos_lite0_fpn', 2, '5', seconds=None, **tune)  # waits
    write_run(runs / 'again', 'fcos_lite0_fpn', 0, '4', training_command='mmwindow folds')
    (runs / 'long/fcos_lite0_fpn/fold0/log.json').write_text('{"a": 1}\n{"a": 2}')  # of mmengine
    (runs / 'notes.json').write_text('nothing of ours')
    (runs / 'people.json').write_text('{"candidates": ["Ada", "Grace"]}')
    account = read_ledger([tmp_path / 'results', runs])['fcos']
    assert (list(account.settings), len(account.trainings)) == (['plain', 'long'], 3)
    assert account.num_unfinished == 1 and account.hours == 1.5
    text = describe_ledger(dict(fcos=account))
    assert '| FCOS | 2 | 3 (1 not finished) | 1.5 | plain, long |' in text


def test_folders_of_folds_are_no_settings(tmp_path, monkeypatch):
    """One config, its folds trained on two machines; whatever folder is named, and however."""
    for number, machine in enumerate(('machine_a', 'machine_b')):
        write_run(tmp_path / machine, 'fcos_lite0_fpn', number, str(number), command='mmwindow folds')
    for place in (tmp_path, tmp_path / 'machine_a'):
        monkeypatch.chdir(place)
        for named in (place, '.'):
            account = read_ledger([named])['fcos']
            assert not account.settings and len(account.trainings) == (2 if place == tmp_path else 1)
    write_run(tmp_path / 'tuned' / 'long', 'fcos_lite0_fpn', 0, '7', seconds=None, trained=True,
              training_seconds=3600., machine='x', command='mmwindow tune c.py --setting long a=1')
    state = tmp_path / 'tuned/long/fcos_lite0_fpn/fold0/run.json'
    state.write_text(json.dumps({**json.loads(state.read_text()), 'trained': True}))
    monkeypatch.chdir(tmp_path / 'tuned')
    account = read_ledger(['.'])['fcos']  # its test was cut, its training was not
    assert list(account.settings) == ['long'] and account.num_unfinished == 0 and account.hours == 1


def test_files_of_older_versions_count_their_folds(tmp_path):
    """They note neither fingerprints nor the other folds' times: two settings of three folds."""
    entries = [candidate('wspl_lite0', name, 'abc', seconds)
               for name, seconds in (('a', 7200.), ('b', 3600.))]
    for entry in entries:
        del entry['runs']
    write_choice(tmp_path, 'a', *entries)
    assert counts(read_ledger([tmp_path])) == {'wspl': (['a', 'b'], 6, 9.)}


def test_tests_of_trainings_that_were_there_count_nothing(tmp_path):
    path = write_choice(tmp_path, 'a', candidate('fcos', 'mean4', ['1']), tested_again=True)
    with pytest.raises(ValueError, match='a.json: there is no training in it'):
        read_ledger([path])


def test_a_run_and_the_result_file_made_of_it_are_one_training(tmp_path):
    """The file has the run's fingerprint; that of the same run tested again has none to count."""
    write_run(tmp_path / 'runs', 'fcos_lite0_fpn', 0, '1')
    run = dict(fold=0, seed=0, mark='1', training_seconds=3600.)
    for name, more in (('a', {}), ('b', dict(mark='2', training_command='mmwindow folds'))):
        path = tmp_path / name / 'fcos_lite0_fpn.json'
        path.parent.mkdir()
        path.write_text(json.dumps(dict(runs=[{**run, **more}], config='c', events=None)))
    assert len(read_ledger([tmp_path])['fcos'].trainings) == 1
    with pytest.raises(ValueError, match='there is no training in it'):
        read_ledger([tmp_path / 'b'])


def test_a_baseline_that_was_given_less_is_named(tmp_path, capsys):
    write_choice(tmp_path, 'a', candidate('wl_kld', 'plain', '12'),
                 candidate('wl_plus', 'plain', '345'), candidate('chexnet', 'plain', '678'),
                 candidate('retinanet', 'plain', '9'))
    accounts = read_ledger([tmp_path])
    assert list(accounts) == ['chexnet', 'retinanet', 'wl_kld', 'wl_plus']  # the order of tables
    text = describe_ledger(accounts)
    assert 'Fewer trainings than WL+ (3), which has the most of the systems with Window Loss: ' \
        'WSPL (0), UFDet (0), Faster R-CNN (0), RetinaNet (1), FCOS (0).' in text
    assert has_fewer(accounts)
    with pytest.raises(SystemExit) as ended:
        cli.main(['ledger', str(tmp_path), '--check', '--out', str(tmp_path / 'ledger.md')])
    assert ended.value.code == 1 and 'given less' in capsys.readouterr().err
    assert 'Made by `mmwindow ledger' in (tmp_path / 'ledger.md').read_text()
    write_choice(tmp_path, 'b', candidate('retinanet', 'plain', 'xy'), *(
        candidate(name, 'plain', [f'{name}{number}' for number in range(3)])
        for name in ('wspl', 'ufdet', 'faster_rcnn', 'fcos')))
    cli.main(['ledger', str(tmp_path), '--check'])
    text = capsys.readouterr().out
    assert 'No baseline has fewer trainings than WL+ (3).' in text
    assert 'No baseline has fewer settings than WL-KLD (1).' in text


def test_baselines_alone_are_not_compared(tmp_path):
    write_choice(tmp_path, 'a', candidate('fcos', 'plain', '12'))
    accounts = read_ledger([tmp_path])
    assert not has_fewer(accounts) and 'baseline has' not in describe_ledger(accounts)


@pytest.mark.parametrize('content, words', [
    ('{}', 'no comparison of settings'), ('[]', 'no comparison'),
    ('{"candidates": [{}], "settings": {}}', "no system or no setting"),
    ('{"candidates": [3], "settings": {}}', 'no system or no setting')])
def test_files_of_another_kind_are_named(content, words, tmp_path):
    (tmp_path / 'a.json').write_text(content)
    with pytest.raises(ValueError, match=f'a.json: .*{words}'):
        read_ledger([tmp_path / 'a.json'])
    with pytest.raises(ValueError, match='there is no such file or folder'):
        read_ledger([tmp_path / 'none'])


def test_the_committed_choices_are_read():
    """12 files of version 0.1 with 36 candidates, one training each."""
    folder = ROOT / 'results/fracatlas'
    files = [*folder.glob('choices/*.json'), *folder.glob('choices_whole/*.json')]
    expected = sum(len(json.loads(path.read_text())['candidates']) for path in files)
    accounts = read_ledger([folder / 'choices', folder / 'choices_whole'])
    found = sum(len(account.trainings) for account in accounts.values())
    assert 0 < found <= expected and accounts['wl_kld'].hours > 0
