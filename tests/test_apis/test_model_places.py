"""One way from MODEL to a model: all verbs find the same, and reject the same in the same words."""
import hashlib
import json
import re
from pathlib import Path

import pytest
import torch

from mmwindow import cli, zoo
from mmwindow.apis import model_places
from mmwindow.apis.fine_tuning import find_source
from mmwindow.apis.folds_folder import find_folds
from mmwindow.apis.model_places import find_model
from mmwindow.engine.run_file import BestCheckpoint, TrainingRun, write_run
from tests.conftest import TESTS

CONFIG = TESTS.parent / 'configs/windowloss/wl_kld_lite0_fpn.py'


def save(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict={}), path)
    return path


def make_folds(folder, final=True):
    """Make a folder of five folds, and a final model whose numbers are the folds'."""
    for number in range(5):
        save(folder / f'wl/fold{number}/training/best_x.pth')
    (folder / 'annotations/fold0').mkdir(parents=True)
    save(folder / 'start_1a2b.pth')  # as --from leaves it
    if final:
        save(folder / 'final/epoch_3.pth')
        write_run(folder / 'final', TrainingRun(is_finished=True, epoch=3, best=BestCheckpoint(
            'epoch_3.pth', 'folds/auroc', .9, 3)))
    return folder


def test_the_model_of_a_folder_of_folds_is_its_final_one(tmp_path):
    folder = make_folds(tmp_path / 'model')
    found = find_model(folder)
    assert found.checkpoint == folder / 'final/epoch_3.pth' and found.folder == folder / 'final'
    assert found.run.best.metric == 'folds/auroc' and found.config is None
    assert find_source(folder) == find_model(folder / 'final').checkpoint == found.checkpoint
    folds = find_folds(folder)
    assert [path.name for path in folds.runs] == [f'fold{number}' for number in range(5)]
    assert folds.final == folder / 'final' and find_folds(folder / 'wl').final is None
    assert find_folds(folder / 'wl/fold0') is None is find_folds(tmp_path)
    # A fold is a model of its own, and an unfinished final training is none.
    assert find_model(folder / 'wl/fold3').checkpoint == folder / 'wl/fold3/training/best_x.pth'
    write_run(folder / 'final', TrainingRun(epoch=3))
    assert find_folds(folder).final is None


@pytest.fixture
def models(tmp_path):
    """What is no model of weights, by what its message says."""
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'model.onnx').write_bytes(b'onnx')
    (tmp_path / 'cut.pth').write_bytes(b'PK')
    make_folds(tmp_path / 'folds', final=False)
    return {
        tmp_path / 'empty': 'there is no best_',
        tmp_path / 'folds': 'it holds the runs of 5 folds and no final model; name one of them, such '
                            f'as {tmp_path}/folds/wl/fold0',
        tmp_path / 'model.onnx': 'an exported model predicts and compares, no more; give the run '
                                 'folder',
        tmp_path / 'none.pth': 'there is no such file or folder; a run folder',
        tmp_path / 'cut.pth': 'it is incomplete', CONFIG: 'a config alone is no model',
        Path('nomodel'): 'there is no such file or folder, and the zoo'}


def test_all_verbs_reject_what_is_no_model_in_the_same_words(models, tmp_path, capsys):
    for model, words in models.items():
        said = {find_error(find_source, model)}
        verbs = [['test', model, '--data', tmp_path], ['export', model, '--out', tmp_path / 'x.onnx']]
        if model.suffix not in ('.onnx', '.py'):  # predict takes these, the latter with its weights
            verbs.append(['predict', model, tmp_path / 'none.png', '--out', tmp_path / 'out'])
            said.add(find_error(find_model, model))  # which compare calls
        for arguments in verbs:
            with pytest.raises(SystemExit) as stop:
                cli.main([str(argument) for argument in arguments])
            line = capsys.readouterr().err
            assert stop.value.code == 1 and line.count('\n') == 1, (arguments, line)
            said.add(plain(line))
        assert len(said) == 1 and words in next(iter(said)), (model, said)


def find_error(function, model):
    with pytest.raises(ValueError) as caught:
        function(model)
    return plain(str(caught.value))


def plain(line):
    """Return an error without the verb and the option before it."""
    return re.sub(r'^(mmwindow )?(test: |export: |predict: )?(checkpoint |--from )?', '',
                  line.strip())


def test_an_exported_model_takes_no_config(models, tmp_path):
    exported = tmp_path / 'model.onnx'
    assert find_model(exported).exported == exported
    for ending in ('.zip', '.ONNX'):  # of two stages; of a file system that ignores case
        assert find_model(exported.rename(tmp_path / f'model{ending}')).exported is not None
        (tmp_path / f'model{ending}').rename(exported)
    with pytest.raises(ValueError, match='holds all that it needs'):
        find_model(exported, config=CONFIG)


def test_a_model_of_the_zoo_is_its_exported_file_or_its_checkpoint(tmp_path, monkeypatch):
    files = {kind: dict(name=name, bytes=len(name), sha256=hashlib.sha256(name.encode()).hexdigest())
             for kind, name in (('exported', 'small.onnx'), ('checkpoint', 'small.pth'))}
    for file in files.values():
        (tmp_path / file['name']).write_text(file['name'])
    (tmp_path / 'index.json').write_text(json.dumps(dict(
        format=zoo.FORMAT, version=zoo.VERSION, aliases={},
        models=dict(small=dict(**files, card='small.md', description='a small one')))))
    monkeypatch.setattr(model_places, 'read_zoo', lambda: zoo.read_zoo(tmp_path))
    assert find_model('small').exported == tmp_path / 'small.onnx'
    assert find_source('small') == tmp_path / 'small.pth'
    with pytest.raises(ValueError, match="the zoo has 'small'"):
        find_model('large')
    (tmp_path / 'small.pth').write_text('changed')
    with pytest.raises(ValueError, match='small.pth: this file of the zoo is damaged'):
        find_source('small')
