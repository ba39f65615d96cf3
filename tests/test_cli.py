"""The command ``mmwindow``, and a user's errors of every command in one line."""
import argparse
import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmwindow import cli
from mmwindow.utils.command_line import describe_error, one_line_errors, run_command

ROOT = Path(__file__).parents[1]
TOOLS = {'train': 'train', 'test': 'test', 'evaluate': 'evaluate', 'splits': 'make_splits',
         'folds': 'run_folds', 'tables': 'make_tables', 'quickstart': 'quickstart'}


def call(*arguments):
    """Return exit status, standard output and standard error of a call in this process."""
    with pytest.raises(SystemExit) as caught:
        cli.main([str(argument) for argument in arguments])
    return caught.value.code


@pytest.mark.parametrize('arguments', [[], ['--help'], ['-h']])
def test_the_verbs_fit_on_one_screen(arguments, capsys):
    assert call(*arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 24 and max(map(len, lines)) < 80
    for verb in TOOLS:
        assert any(line.split()[:1] == [verb] for line in lines)


def test_an_unknown_verb_is_one_line(capsys):
    assert call('trian') == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and "'trian'" in error and 'train' in error


@pytest.mark.parametrize('verb, tool', TOOLS.items())
def test_a_tool_and_its_verb_are_one_command(verb, tool, monkeypatch):
    called = []
    monkeypatch.setattr('mmwindow.utils.command_line.run_command',
                        lambda module, program: called.append((module.__name__, program)))
    runpy.run_path(str(ROOT / f'tools/{tool}.py'), run_name='__main__')
    assert called == [(cli.VERBS[verb].module, f'tools/{tool}.py')]
    # What was there before the command has a tool of its own; newer verbs have none.
    assert set(TOOLS) <= set(cli.VERBS)


def test_help_and_evaluation_load_no_training_stack(tmp_path):
    code = ('import sys\nfrom mmwindow import cli\n'
            'for arguments in ([], ["train", "--help"], ["folds", "--help"], ["evaluate", "--help"], '
            '["evaluate", "no.json", "no.json", "--out", "x"], ["splits", "no.json"], '
            '["cache", "no.json"]):\n'
            '    try:\n        cli.main(arguments)\n    except SystemExit:\n        pass\n'
            'print(sorted({"torch", "mmengine", "mmdet"} & set(sys.modules)))')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=tmp_path,
                          env={'PYTHONPATH': str(ROOT), 'PATH': ''}, check=True)
    assert done.stdout.splitlines()[-1] == '[]'


BAD_CONFIGS = {'syntax': 'a = (', 'name': 'a = b', 'base': "_base_ = './none.py'",
               'own': "_base_ = './own.py'"}


@pytest.mark.parametrize('name', BAD_CONFIGS)
def test_a_config_that_cannot_be_read_is_one_line(name, tmp_path, capsys):
    path = tmp_path / f'{name}.py'
    path.write_text(BAD_CONFIGS[name] + '\n')
    for arguments in (['train', path], ['folds', path, '--out', tmp_path / 'runs']):
        assert call(*arguments) == 1
        error = capsys.readouterr().err
        assert error.count('\n') == 1 and str(path) in error and len(error) < 800


@pytest.mark.parametrize('arguments, status, words', [
    (['test', ROOT / 'configs/windowloss/wl_kld_r50_fpn.py', 'best', '--work-dir', '/nowhere'], 1,
     '/nowhere: there is no best_'),
    (['test', ROOT / 'configs/windowloss/wl_kld_r50_fpn.py', 'x.pth'], 1, 'x.pth: there is no such'),
    (['train', ROOT / 'configs/windowloss/wl_kld_r50_fpn.py', '--cfg-options', 'model'], 2,
     'KEY=VALUE is expected'),
    (['tables', '/nowhere', '--out', 'x'], 1, '/nowhere: there is no run'), (['train'], 2, 'CONFIG')])
def test_other_errors_of_a_user(arguments, status, words, capsys):
    assert call(*arguments) == status
    error = capsys.readouterr().err
    assert words in error.splitlines()[-1]


def fail_with(error):
    def run(args):
        raise error
    return SimpleNamespace(__doc__='x', add_arguments=lambda parser: None, run=run, STOPPED='resume')


@pytest.mark.parametrize('error, words', [
    (OSError(28, 'No space left on device', '/full/a.pth'), '/full/a.pth: No space left on device'),
    (PermissionError(30, 'Read-only file system', '/ro'), '/ro: Read-only file system'),
    (ValueError('two\nlines'), 'two lines'), (ValueError('x' * 9000), '(9000 characters)'),
    (ValueError('Caught ValueError in DataLoader worker process 0.\nOriginal Traceback (most recent '
                'call last):\n  File "a.py"\nValueError: a.png: damaged\n'), 'tool: a.png: damaged'),
    (KeyboardInterrupt(), 'tool: resume')])
def test_every_error_of_a_user_is_one_short_line(error, words, capsys):
    with pytest.raises(SystemExit) as caught:
        run_command(fail_with(error), 'tools/tool.py', [])
    text = capsys.readouterr().err
    assert caught.value.code == 1 and words in text
    assert text.count('\n') == 1 and text.startswith('tool: ') and len(text) < 800


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), one_line_errors('tool'):
        raise ZeroDivisionError
    assert describe_error(ValueError()) == 'ValueError'


@pytest.mark.parametrize('module', [entry.module for entry in cli.VERBS.values()] + [
    'mmwindow.experiments.commands.retest', 'mmwindow.experiments.commands.settings'])
def test_overrides_are_parsed_as_mmengine_does(module):
    parser = argparse.ArgumentParser()
    verb = import_module(module)
    verb.add_arguments(parser)
    if '--cfg-options' not in parser._option_string_actions:
        pytest.skip('the command takes none')
    action = parser._option_string_actions['--cfg-options']
    space = argparse.Namespace()
    setattr(space, action.dest, None)
    action(parser, space, ['a.b=3', 'c=[1,2]', 'd=None'], '--cfg-options')
    assert space.cfg_options == {'a.b': 3, 'c': [1, 2], 'd': None}


def test_an_argument_of_any_length_gives_one_line_of_bounded_length(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(['evaluate', 'a.json', 'b.json', '--out', str(tmp_path), '--rule', '9' * 5000])
    line = capsys.readouterr().err.splitlines()[-1]
    assert ended.value.code == 2 and '--rule' in line and len(line) <= 720


def test_resamples_without_end_are_rejected(tmp_path):
    from mmwindow.evaluation.froc_settings import FROCSettings
    with pytest.raises(ValueError, match='num_resamples is 10{20}; at most 1000000'):
        FROCSettings(num_resamples=10 ** 20)


def test_annotations_are_imported_and_exported_by_command(tmp_path, capsys):
    from PIL import Image
    (tmp_path / 'images').mkdir()
    Image.new('L', (50, 40), 90).save(tmp_path / 'images' / 'p1_a.png')
    Image.new('L', (50, 40), 90).save(tmp_path / 'images' / 'p2_b.png')
    (tmp_path / 'clicks.csv').write_text('image,x,y,kind\np1_a.png,10,20,crack\np2_b.png,,,\n')
    cli.main(['import', str(tmp_path / 'clicks.csv'), '--out', str(tmp_path / 'mine'), '--columns',
              'class=kind', '--patients', '^(p[0-9]+)_', '--rename', 'crack=fracture'])
    out = capsys.readouterr().out
    assert '2 images from CSV, 1 with a finding, 1 negative' in out
    assert 'points: 1 fracture' in out and '2 patients' in out
    cli.main(['annotations', 'export', str(tmp_path / 'mine' / 'points.json'), '--format', 'csv',
              '--out', str(tmp_path / 'back.csv')])
    assert (tmp_path / 'back.csv').read_text() == (
        'image,x,y,class,patient,reader\np1_a.png,10.0,20.0,fracture,p1,\np2_b.png,,,,p2,\n')
    with pytest.raises(SystemExit):
        cli.main(['import', str(tmp_path / 'none.csv'), '--out', str(tmp_path / 'mine')])
    assert 'none.csv: there is no such file' in capsys.readouterr().err
