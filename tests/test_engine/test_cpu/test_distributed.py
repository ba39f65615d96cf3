"""Starting without a GPU."""
import pytest
import torch

from mmwindow.engine import close_process_group, init_cpu_process_group

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason='tells what happens without GPUs')


def test_a_single_process_needs_no_group():
    assert init_cpu_process_group('none') is False


@pytest.mark.parametrize('launcher', ['slurm', 'mpi'])
def test_other_launchers_are_refused_with_the_way_out(launcher):
    with pytest.raises(ValueError, match=f'--launcher {launcher} needs GPUs.*dist_train.sh'):
        init_cpu_process_group(launcher)


def test_missing_torchrun_variables_are_named(monkeypatch):
    monkeypatch.setenv('RANK', '0')
    for name in ('WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match='reads WORLD_SIZE, MASTER_ADDR, MASTER_PORT'):
        init_cpu_process_group('pytorch')


def test_a_group_is_left_once_and_nothing_happens_without_one(tmp_path):
    close_process_group()
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    close_process_group()
    assert not torch.distributed.is_initialized()
