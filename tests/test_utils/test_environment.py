"""What runs share: fingerprints, whole checkpoints, the worker's pieces."""
import json
import os
import shutil
import subprocess

import pytest
import torch
from mmengine.config import Config

import mmwindow
from mmwindow.engine.checkpoint import (
    find_best_checkpoint,
    fix_last_checkpoint,
    is_complete_checkpoint,
)
from mmwindow.engine.run_file import BestCheckpoint, TrainingRun, write_run
from mmwindow.experiments.worker import (
    digest_points,
    end_with_parent,
    set_outfile,
    write_split_config,
)
from mmwindow.utils.environment import (
    code_mark,
    describe_commit,
    describe_machine,
    describe_versions,
    fingerprint,
)


def save(path, whole=True):
    torch.save(dict(weight=torch.zeros(100)), path)
    if not whole:
        path.write_bytes(path.read_bytes()[:-200])
    return path


def test_fingerprint_knows_config_seed_and_data():
    cfg = Config(dict(model=dict(type='A')))
    mark = fingerprint(cfg, 0, 'data')
    assert mark == fingerprint(Config(dict(model=dict(type='A'))), 0, 'data')
    assert len({mark, fingerprint(cfg, 1, 'data'), fingerprint(cfg, 0, 'other'),
                fingerprint(Config(dict(model=dict(type='B'))), 0, 'data')}) == 4


def test_a_checkpoint_that_was_cut_short_is_not_whole(tmp_path):
    assert is_complete_checkpoint(save(tmp_path / 'epoch_1.pth'))
    assert not is_complete_checkpoint(save(tmp_path / 'epoch_2.pth', whole=False))
    assert not is_complete_checkpoint(tmp_path / 'epoch_3.pth')


def test_training_goes_on_from_the_newest_whole_checkpoint(tmp_path):
    """The kill came while epoch 10 was written: epoch 9 is the newest whole one, not '9' < '10'."""
    for epoch in (8, 9):
        save(tmp_path / f'epoch_{epoch}.pth')
    save(tmp_path / 'epoch_10.pth', whole=False)
    save(tmp_path / 'best_froc_auroc_epoch_8.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_7.pth'))
    assert fix_last_checkpoint(tmp_path) == tmp_path / 'epoch_9.pth'
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_9.pth')
    assert not (tmp_path / 'epoch_10.pth').exists()
    assert (tmp_path / 'best_froc_auroc_epoch_8.pth').exists()


def test_without_a_whole_checkpoint_training_starts_anew(tmp_path):
    save(tmp_path / 'epoch_1.pth', whole=False)
    (tmp_path / 'last_checkpoint').write_text('epoch_1.pth')
    assert fix_last_checkpoint(tmp_path) is None
    assert not list(tmp_path.iterdir())
    assert fix_last_checkpoint(tmp_path / 'none') is None


def test_best_checkpoint_is_the_one_with_the_highest_score(tmp_path):
    """A later file may be the worse one; run.json decides, then what mmengine wrote into each."""
    with pytest.raises(ValueError, match='there is no best_'):
        find_best_checkpoint(tmp_path)
    for epoch, score in ((2, 0.9), (10, 0.7)):
        torch.save(dict(message_hub=dict(runtime_info=dict(best_score=score))),
                   tmp_path / f'best_froc_auroc_epoch_{epoch}.pth')
    assert find_best_checkpoint(tmp_path).name == 'best_froc_auroc_epoch_2.pth'
    save(tmp_path / 'best_froc_auroc_epoch_11.pth', whole=False)  # a kill while it was written
    assert find_best_checkpoint(tmp_path).name == 'best_froc_auroc_epoch_2.pth'
    write_run(tmp_path, TrainingRun(best=BestCheckpoint(
        'best_froc_auroc_epoch_10.pth', 'froc/auroc', 0.95, 10)))
    assert find_best_checkpoint(tmp_path).name == 'best_froc_auroc_epoch_10.pth'
    (tmp_path / 'best_froc_auroc_epoch_10.pth').unlink()  # cut before run.json was written again
    assert find_best_checkpoint(tmp_path).name == 'best_froc_auroc_epoch_2.pth'


def write_package(folder, text):
    """Write a package whose training imports one module, and which has another one."""
    for name, content in {'__init__': '', 'models/__init__': 'from pack.models.head import Head\n',
                          'models/head': text, 'models/unused': 'x = 1', 'other/__init__': 'y = 2'
                          }.items():
        path = folder / 'pack' / f'{name}.py'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return lambda: code_mark(['pack.models'], ['models'], folder / 'pack')


def test_code_mark_knows_what_is_executed(tmp_path):
    text = '"""Head."""\nfrom pack.other import y\ndef Head(x):\n    """Do."""\n    return x + 1\n'
    mark = write_package(tmp_path, text)
    first = mark()
    unchanged = ['# a comment\n' + text, text.replace('Do.', 'Return.'), text.replace('\n', '\n\n'),
                 text.replace('(x)', '(x: int) -> int')]
    for other in unchanged:
        assert write_package(tmp_path, other)() == first
    for other in ('+ 2', "+ f('')", '+ f()'):
        assert write_package(tmp_path, text.replace('+ 1', other))() != first
    assert write_package(tmp_path, text.replace('+ 1', "+ f('')"))() != write_package(
        tmp_path, text.replace('+ 1', '+ f()'))()
    write_package(tmp_path, text)
    for name in ('models/unused', 'other/__init__'):  # not imported; not of a folder that trains
        (tmp_path / 'pack' / f'{name}.py').write_text('z = 3')
        assert mark() == first


def test_code_mark_is_of_the_code_and_not_of_the_version_of_python(tmp_path):
    """Quotes in f-strings, tuples and classes are what versions write in ways of their own.

    The mark is that of Python 3.10, 3.11, 3.12 and 3.13; each of them must find it.
    """
    text = ('class Head(dict, metaclass=type):\n    x: int = 1\n    def f(self, *a, k=None, **b):\n'
            '        return (*a, ), f"{a!r:>{k}} {b[\'x\']} \\n", \'"é"\'\nasync def g():\n'
            '    async with h() as i:\n        yield [j for j in i if j], 1e300, 2j, ...\n')
    assert write_package(tmp_path, text)() == '83d8cdb7856b9d25'


def test_training_and_scoring_have_marks_of_their_own():
    from mmwindow.utils import environment
    assert environment.training_code() != environment.scoring_code()
    package = environment.Path(mmwindow.__file__).parent
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, '_normalised', lambda tree: seen.append(1) or 'x')
        code_mark(environment.TRAINING_ROOTS, environment.TRAINING_FOLDERS, package)
    assert len(seen) > 20  # the roots import what trains


def test_worker_ends_when_its_parent_does():
    reading, writing = os.pipe()
    left = []
    thread = end_with_parent(reading, left.append)
    thread.join(0.05)
    assert left == []
    os.close(writing)  # what the system does when the parent dies
    thread.join(5)
    assert left == [1]
    os.close(reading)


def test_record_goes_where_the_only_froc_metric_writes():
    # A record is for intervals: it holds all events, whatever the config keeps in validation.
    evaluators = [dict(type='CocoMetric'), dict(type='FROCMetric', keep_up_to=1.)]
    set_outfile(evaluators, 'a.json')
    assert evaluators == [dict(type='CocoMetric'), dict(type='FROCMetric', outfile='a.json')]
    with pytest.raises(ValueError, match='has 0 FROCMetric'):
        set_outfile(dict(type='CocoMetric'), 'a.json')


def test_validation_is_tested_with_its_own_loader_and_record(tmp_path):
    run = tmp_path / 'run'
    run.mkdir()
    Config(dict(val_dataloader=dict(a=1), test_dataloader=dict(a=2),
                val_evaluator=dict(type='FROCMetric'),
                test_evaluator=dict(type='FROCMetric'))).dump(run / 'config.py')
    cfg = Config.fromfile(write_split_config(run / 'config.py', 'val', run / 'val'))
    assert cfg.test_dataloader.a == 1
    assert cfg.test_evaluator.outfile == str(run / 'val.json')
    assert 'outfile' not in cfg.val_evaluator


def git(folder, *arguments):
    return subprocess.run(
        ['git', '-C', str(folder), '-c', 'user.name=a', '-c', 'user.email=a@b.c', *arguments],
        capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(not shutil.which('git'), reason='needs git')
def test_the_commit_is_of_the_packages_own_checkout(tmp_path, monkeypatch):
    for folder in (tmp_path, tmp_path / 'venv' / 'lib'):
        (folder / 'mmwindow').mkdir(parents=True)
        (folder / 'mmwindow' / '__init__.py').write_text('')
    monkeypatch.setattr(mmwindow, '__file__', str(tmp_path / 'mmwindow' / '__init__.py'))
    assert describe_commit() is None  # no checkout
    git(tmp_path, 'init')
    git(tmp_path, 'add', 'mmwindow')
    git(tmp_path, 'commit', '-m', 'first')
    commit = git(tmp_path, 'rev-parse', 'HEAD')[:12]
    git(tmp_path, 'tag', 'v1')
    assert describe_commit() == commit
    (tmp_path / 'mmwindow' / '__init__.py').write_text('changed')
    assert describe_commit() == commit + '-dirty'
    # Installed somewhere below a user's own checkout, whose commit says nothing of this package.
    monkeypatch.setattr(mmwindow, '__file__', str(tmp_path / 'venv/lib/mmwindow/__init__.py'))
    assert describe_commit() is None
    monkeypatch.setattr(mmwindow, '__file__', str(tmp_path / 'mmwindow' / '__init__.py'))
    monkeypatch.setenv('PATH', '')
    assert describe_commit() is None


def test_a_result_says_on_what_it_was_made():
    versions = describe_versions()
    assert list(versions) == ['mmwindow', 'commit', 'python', 'torch', 'mmengine', 'mmcv', 'mmdet',
                              'numpy']
    assert versions['torch'] == torch.__version__
    machine = describe_machine()
    assert f', {torch.get_num_threads()} threads' in machine
    assert f'({torch.backends.cpu.get_cpu_capability()})' in machine


def test_the_digest_of_points_knows_the_rule_that_gives_them(tmp_path):
    """Of one file, keypoints and centres of boxes are other points, and other results."""
    path = tmp_path / 'points.json'
    path.write_text(json.dumps(dict(
        images=[dict(id=1, file_name='a.png', height=80, width=96)],
        annotations=[dict(id=1, image_id=1, category_id=1, keypoints=[30, 40, 2], num_keypoints=1,
                          bbox=[10, 10, 20, 20])],
        categories=[dict(id=1, name='fracture')])))

    def digest(**options):
        dataset = dict(ann_file=path.name, data_root=str(tmp_path), **options)
        wrapped = dict(type='ConcatDataset', datasets=[dataset, dict(dataset)])
        return digest_points(Config(dict(test_dataloader=dict(dataset=wrapped))), 'test')

    assert digest() == digest(points_from='auto') == digest(points_from='keypoints')
    assert digest(points_from='bbox') != digest()
    assert len(digest().split()) == 2
