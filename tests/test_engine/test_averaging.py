"""The mean of weights: by hand, against torch's, and what is no mean of one training."""
import copy

import pytest
import torch
from mmengine.logging import HistoryBuffer
from torch.optim.swa_utils import AveragedModel

from mmwindow import cli
from mmwindow.engine.averaging import AVERAGED, average_checkpoints, average_weights
from mmwindow.engine.model_description import META_KEY, POINTS_KEY, read_points
from mmwindow.engine.safe_loading import load_own_checkpoint

LOSSES = [3., 2., 1.5, 1.25, 1.]
DESCRIPTION = dict(format='mmwindow-model', version=1, config='a.py', classes=['fracture'],
                   input_size=[64, 64], model=dict(type='Any'), pipeline=[], versions=dict(torch='2'))


def state_of(value, counter=1):
    return {'head.weight': torch.tensor([value, 1 / 3]), 'norm.running_mean': torch.tensor([.1]),
            'norm.num_batches_tracked': torch.tensor(counter)}


def write(folder, epoch, state=None, losses=LOSSES, seed=0, **described):
    path = folder / f'epoch_{epoch}.pth'
    meta = dict(epoch=epoch, iter=epoch, seed=seed, dataset_meta=dict(classes=('fracture', )),
                time='now')
    meta[META_KEY] = {**DESCRIPTION, POINTS_KEY: dict(threshold=.5), **described}
    losses = HistoryBuffer(losses[:epoch], [1] * epoch)
    torch.save(dict(meta=meta, state_dict=state or state_of(float(epoch), epoch), optimizer={},
                    message_hub=dict(log_scalars={'train/loss': losses}, runtime_info={},
                                     resumed_keys={})), path)
    return path


def test_mean_by_hand():
    """(1 + 2 + 6) / 3 = 3; equal values keep each bit, counters are the last one's."""
    mean = average_weights([state_of(1., 4), state_of(2., 5), state_of(6., 9)])
    assert mean['head.weight'].tolist() == torch.tensor([3., 1 / 3]).tolist()
    assert mean['norm.num_batches_tracked'].item() == 9
    assert mean['norm.running_mean'].tolist() == torch.tensor([.1]).tolist()


def test_weights_of_half_precision_are_summed_in_double():
    """In half precision 2048 + 1 is 2048: a running sum of four would be 2048 / 4."""
    values = [torch.tensor([value], dtype=torch.float16) for value in (2048., 1., 1., 2.)]
    mean = average_weights([dict(weight=value) for value in values])['weight']
    assert mean.dtype == torch.float16 and mean.item() == 513


def test_the_mean_is_that_of_torchs_averaged_model():
    """An independent implementation, which works on models while they are trained."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).eval()
    averaged, states = AveragedModel(model), []
    for _ in range(4):
        for parameter in model.parameters():
            parameter.data += torch.randn_like(parameter)
        averaged.update_parameters(model)
        states.append(copy.deepcopy(model.state_dict()))
    theirs = averaged.module.state_dict()
    for name, value in average_weights(states).items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-5, atol=1e-6)  # theirs: in float32


@pytest.mark.parametrize('change, words', [
    (dict(other=torch.ones(1)), "2 are of different models|1 weights differ .* 'other'"),
    ({'head.weight': torch.ones(3)}, "'head.weight'"),
    ({'head.weight': torch.ones(2, dtype=torch.float64)}, "'head.weight'"),
    ({'norm.running_mean': torch.tensor([.2])}, 'statistics .* differ .*running_mean.*--config')])
def test_weights_without_a_mean_are_rejected(change, words):
    with pytest.raises(ValueError, match=words) as error:
        average_weights([{**state_of(1.), **change}, state_of(2.)])
    assert '\n' not in str(error.value)
    with pytest.raises(ValueError, match='no weights are given'):
        average_weights([])


def test_the_command_writes_a_checkpoint_like_others(tmp_path, capsys):
    """Read with all checks; it has description and classes, but no threshold."""
    paths = [write(tmp_path, epoch) for epoch in (4, 2)]  # in any order
    cli.main(['average', *map(str, paths), '--out', str(tmp_path / 'mean.pth')])
    assert 'after epochs 2, 4' in capsys.readouterr().out
    content = load_own_checkpoint(tmp_path / 'mean.pth')
    assert content['state_dict']['head.weight'].tolist()[0] == 3
    assert content['state_dict']['norm.num_batches_tracked'].item() == 4
    assert set(content) == {'meta', 'state_dict'} and content['meta'][AVERAGED] == [2, 4]
    assert content['meta'][META_KEY]['classes'] == ['fracture']
    assert content['meta']['dataset_meta'] == dict(classes=('fracture', ))
    assert read_points(content, 'mean.pth') is None
    # The last epoch keeps its own.
    assert POINTS_KEY in load_own_checkpoint(paths[0])['meta'][META_KEY]


def test_statistics_that_moved_are_measured_for_the_mean():
    """The measure gets the averaged weights and the names that differ, and no other."""
    states = [state_of(1.), {**state_of(3.), 'norm.running_mean': torch.tensor([.2])}]

    def measure(weights, names):
        assert names == ['norm.running_mean'] and weights['head.weight'][0] == 2
        return {'norm.running_mean': torch.tensor([7.])}
    assert average_weights(states, measure)['norm.running_mean'].item() == 7
    # Where they are fixed nothing is measured.
    average_weights([state_of(1.), state_of(3.)], lambda *_: pytest.fail('measured'))


@pytest.mark.parametrize('change, words', [
    (dict(seed=1), 'two trainings, with the seeds 0 and 1'),
    (dict(input_size=[32, 32]), 'different configs: their input_size differs'),
    (dict(model=dict(type='Other'), pipeline=[1]), 'their model, pipeline differ;'),
    (dict(state=dict(weight=torch.ones(1))), 'of different models'),
    (dict(losses=[3., 2.1, 1.5]), 'did not come from the earlier one')])
def test_checkpoints_of_two_trainings_are_rejected(change, words, tmp_path, capsys):
    paths = [write(tmp_path, 2), write(tmp_path, 3, **change)]
    with pytest.raises(SystemExit) as ended:
        cli.main(['average', *map(str, paths), '--out', str(tmp_path / 'mean.pth')])
    error = capsys.readouterr().err
    assert ended.value.code == 1 and error.count('\n') == 1 and words in error
    assert not (tmp_path / 'mean.pth').exists()


def test_what_is_no_epoch_of_a_training_is_rejected(tmp_path, capsys):
    one, two = write(tmp_path, 1), write(tmp_path, 2)
    best = tmp_path / 'best_froc_auroc_epoch_2.pth'
    best.write_bytes(two.read_bytes())
    average_checkpoints([one, two], tmp_path / 'mean.pth')
    for paths, words in (([one], '1 checkpoint given'), ([two, best], 'are both of epoch 2'),
                         ([one, tmp_path / 'mean.pth'], 'does not say after which epoch'),
                         ([one, tmp_path / 'none.pth'], 'there is no such file')):
        with pytest.raises(ValueError, match=words):
            average_checkpoints(paths, tmp_path / 'other.pth')
    for out, words in ((two, 'one of the checkpoints'), (tmp_path / 'mean', 'must end in .pth')):
        with pytest.raises(SystemExit):
            cli.main(['average', str(one), str(two), '--out', str(out)])
        assert words in capsys.readouterr().err


def test_versions_and_thresholds_of_a_training_may_differ(tmp_path):
    """A training that was resumed after an update is one training."""
    paths = [write(tmp_path, 1), write(tmp_path, 2, versions=dict(torch='3'), operating_points=None)]
    assert average_checkpoints(paths, tmp_path / 'mean.pth') == (1, 2)
