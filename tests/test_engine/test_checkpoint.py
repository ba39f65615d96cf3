"""Resuming from the user's own checkpoints under torch >= 2.6, with the check of torch.load on."""
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

import mmwindow.engine  # noqa: F401  (allow-lists on import)
from mmwindow.engine.checkpoint import (
    allow_own_checkpoints,
    load_own_checkpoint,
    own_checkpoint_types,
)


class Stranger:
    """A type that no checkpoint of ours holds."""


def make_checkpoint():
    history = HistoryBuffer([1.5, 0.5], [2, 3])
    return {
        'meta': {'epoch': 3, 'best': np.float64(0.75), 'seed': np.int64(7)},
        'state_dict': {'weight': torch.arange(3.)},
        'message_hub': {'log_scalars': {'train/loss': history},
                        'runtime_info': {'iter': np.int32(9), 'flag': np.bool_(True)}},
    }


def test_own_checkpoint_loads_with_the_check_on(tmp_path):
    path = tmp_path / 'epoch_3.pth'
    torch.save(make_checkpoint(), path)
    loaded = torch.load(path, weights_only=True)
    assert loaded['meta'] == {'epoch': 3, 'best': 0.75, 'seed': 7}
    values, counts = loaded['message_hub']['log_scalars']['train/loss'].data
    np.testing.assert_array_equal(values, [1.5, 0.5])
    np.testing.assert_array_equal(counts, [2, 3])
    assert loaded['state_dict']['weight'].tolist() == [0, 1, 2]


def test_own_checkpoint_loads_after_another_took_the_types_away(tmp_path):
    path = tmp_path / 'epoch_3.pth'
    torch.save(make_checkpoint(), path)
    try:
        with torch.serialization.safe_globals(own_checkpoint_types()):  # as the maintained fork loads
            pass
        with pytest.raises(pickle.UnpicklingError, match='HistoryBuffer|dtype|ndarray'):
            torch.load(path, weights_only=True)
        assert load_own_checkpoint(path)['meta'] == {'epoch': 3, 'best': 0.75, 'seed': 7}
    finally:
        allow_own_checkpoints()


def test_default_of_torch_load_is_the_check(tmp_path):
    # mmengine calls torch.load without arguments; this is the call that --resume makes.
    path = tmp_path / 'epoch_3.pth'
    torch.save(make_checkpoint(), path)
    assert torch.load(path)['meta']['epoch'] == 3


def test_unknown_types_are_still_refused(tmp_path):
    path = tmp_path / 'downloaded.pth'
    torch.save({'state_dict': {}, 'extra': Stranger()}, path)
    with pytest.raises(pickle.UnpicklingError, match='Stranger'):
        torch.load(path)


class Reach:
    """Pickles as a getattr on an allowed class, the way an attack would begin."""

    def __reduce__(self):
        return getattr, (HistoryBuffer, '__init__')


def test_getattr_reaches_nothing_but_the_statistics(tmp_path):
    path = tmp_path / 'attack.pth'
    torch.save({'x': Reach()}, path)
    with pytest.raises(Exception, match='only the statistics'):
        torch.load(path)


def test_checkpoint_that_names_the_other_numpy_major_loads(tmp_path):
    # Under numpy 2 the pickled names are numpy._core.*, under numpy 1 numpy.core.*.
    path = tmp_path / 'numpy1.pth'
    torch.save({'value': np.float64(0.25)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    if b'numpy._core.multiarray' in content:
        content = content.replace(b'numpy._core.multiarray', b'numpy.core.multiarray')
    else:
        content = content.replace(b'numpy.core.multiarray', b'numpy._core.multiarray')
    path.write_bytes(content)
    try:
        assert torch.load(path)['value'] == 0.25
    except ModuleNotFoundError:
        pytest.skip('this numpy has no module of the other name')
