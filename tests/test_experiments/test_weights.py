"""Which checkpoints a rule for weights takes, and what a run needs for it."""
import shutil
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from mmwindow.engine.run_file import TrainingRun, write_run
from mmwindow.engine.safe_loading import load_own_checkpoint
from mmwindow.experiments.plan import RunSettings
from mmwindow.experiments.run_folders import complete_config
from mmwindow.experiments.weights import WeightRule, find_weights, parse_weights, place_weights


@pytest.fixture
def training(tmp_path):
    """Epochs 1 to 5 of a training whose only weight is the epoch."""
    folder = tmp_path / 'training'
    folder.mkdir()
    for epoch in range(1, 6):
        torch.save(dict(meta=dict(epoch=epoch, seed=0), state_dict=dict(
            weight=torch.tensor([float(epoch)]))), folder / f'epoch_{epoch}.pth')
    return folder


@pytest.mark.parametrize('text, rule', [
    ('best', WeightRule('best', is_best=True)), ('last', WeightRule('last')),
    ('mean12', WeightRule('mean12', num_epochs=12)), ('last@6', WeightRule('last@6', end=6)),
    ('mean2@10', WeightRule('mean2@10', num_epochs=2, end=10))])
def test_rules_are_read(text, rule):
    assert parse_weights(text) == rule


@pytest.mark.parametrize('text', ['', 'mean', 'mean0', 'mean1', 'best@3', 'last@0', 'mean2@', 'Last',
                                  '../mean2', 'mean2 ', 'x' * 999])
def test_what_is_no_rule_is_rejected(text):
    with pytest.raises(ValueError, match='--weights .*expected is best') as error:
        parse_weights(text)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize('text, epochs', [('last', [5]), ('mean2', [4, 5]), ('mean4', [2, 3, 4, 5]),
                                          ('last@3', [3]), ('mean3@4', [2, 3, 4])])
def test_the_epochs_of_a_rule(text, epochs, training, tmp_path):
    """Their numbers, not their names, are ordered; the mean of epochs 2 to 5 is 3.5."""
    assert [path.name for path in find_weights(training, parse_weights(text))] == [
        f'epoch_{epoch}.pth' for epoch in epochs]
    path = place_weights(training, parse_weights(text), tmp_path)
    assert path.parent == (training if len(epochs) == 1 else tmp_path)
    weight = load_own_checkpoint(path)['state_dict']['weight'].item()
    assert weight == sum(epochs) / len(epochs)


def test_epochs_from_ten_on_come_after_nine(training):
    for epoch in (9, 10):
        shutil.copy(training / 'epoch_5.pth', training / f'epoch_{epoch}.pth')
    assert [path.name for path in find_weights(training, parse_weights('mean2'))] == [
        'epoch_9.pth', 'epoch_10.pth']


def test_epochs_that_are_gone_or_damaged_are_named(training):
    with pytest.raises(ValueError, match='mean6 need 6 checkpoints in a row, and there are those of '
                                         '1, 2, 3, 4, 5; train the run again'):
        find_weights(training, parse_weights('mean6'))
    with pytest.raises(ValueError, match='1 checkpoints in a row up to epoch 9'):
        find_weights(training, parse_weights('last@9'))
    content = (training / 'epoch_5.pth').read_bytes()
    (training / 'epoch_5.pth').write_bytes(content[:-50])
    with pytest.raises(ValueError, match='epoch_5.pth cannot be read'):
        find_weights(training, parse_weights('mean2'))
    (training / 'epoch_4.pth').unlink()  # a gap is no mean of the last epochs
    with pytest.raises(ValueError, match='mean3 need 3'):
        find_weights(training, parse_weights('mean3'))
    with pytest.raises(ValueError, match='there are those of no epoch'):
        find_weights(training / 'none', parse_weights('last'))


@pytest.mark.parametrize('text', ['last', 'mean2'])
def test_the_end_of_a_training_is_not_another_epoch(text, training):
    """It ended at epoch 5: without that checkpoint epoch 4 is not its last."""
    rule = parse_weights(text)
    write_run(training, TrainingRun(epoch=5, is_finished=True))
    assert find_weights(training, rule)[-1].name == 'epoch_5.pth'
    (training / 'epoch_5.pth').unlink()
    with pytest.raises(ValueError, match=f'weights {text} need the checkpoint of epoch 5.*'
                                         'the newest is epoch_4.pth') as error:
        find_weights(training, rule)
    assert '\n' not in str(error.value)
    assert find_weights(training, parse_weights(f'{text}@4'))[-1].name == 'epoch_4.pth'
    for epoch in (1, 2, 3, 4):  # those by iterations tell of no epoch
        (training / f'epoch_{epoch}.pth').rename(training / f'iter_{epoch}00.pth')
    assert find_weights(training, rule)[-1].name == 'iter_400.pth'


@pytest.mark.parametrize('weights, kept, expected', [
    ('best', 1, 2), ('mean4', 1, 4), ('mean4', 8, 8), ('mean4', -1, -1)])
def test_a_run_keeps_the_epochs_that_its_test_averages(weights, kept, expected, tmp_path):
    cfg = Config(dict(default_hooks=dict(checkpoint=dict(max_keep_ckpts=kept))))
    plan = SimpleNamespace(cfg=cfg, folder=tmp_path, weights=weights)
    assert complete_config(plan).default_hooks.checkpoint.max_keep_ckpts == expected
    assert cfg.default_hooks.checkpoint.max_keep_ckpts == kept


def test_a_training_is_tested_at_its_end():
    with pytest.raises(ValueError, match='last@3: a training is tested at its end'):
        RunSettings(weights='last@3')
    with pytest.raises(ValueError, match='expected is best'):
        RunSettings(weights='first')


def test_a_gap_of_one_epoch_is_a_gap(training):
    """Epochs 3 and 5 of a training that kept each are not two in a row; else they are."""
    (training / 'epoch_4.pth').unlink()
    with pytest.raises(ValueError, match='2 checkpoints in a row, and there are those of 1, 2, 3, 5'):
        find_weights(training, parse_weights('mean2'))
    (training / 'epoch_2.pth').unlink()
    assert [path.name for path in find_weights(training, parse_weights('mean2'))] == [
        'epoch_3.pth', 'epoch_5.pth']
