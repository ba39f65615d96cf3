"""The study with real, tiny trainings, as its command line starts it."""
import pytest

from mmwindow.experiments import job_queue
from mmwindow.experiments.commands import study
from mmwindow.utils.command_line import run_command
from mmwindow.utils.files import load_json
from tests.forks import FORKS


@pytest.mark.long
@pytest.mark.parametrize('part', ['F', 'E'])
@pytest.mark.usefixtures('without_run_figures')
def test_levels_are_trained_compared_and_resumed(tmp_path, write_tiny_config, capsys, monkeypatch,
                                                 part):
    """Tiny models of two learning rates, in forks of this process; each level on its own images."""
    monkeypatch.setattr(job_queue, 'subprocess', FORKS)
    configs = [write_tiny_config(tmp_path / f'{name}_tiny.py') for name in ('wl_kld', 'retinanet')]
    configs[1].write_text(configs[1].read_text() + 'optim_wrapper = dict(optimizer=dict(lr=1e-3))\n')
    command = ['--out', str(tmp_path / 'out'), '--results', str(tmp_path / 'results'), '--only', part,
               '--systems', *map(str, configs), '--baseline', 'retinanet_tiny', '--seeds', '0',
               '--num-train', '16', '--num-val', '4', '--num-test', '40', '--side', '64',
               '--epochs', '1', '--num-resamples', '100', '--jobs', '1']
    run_command(study, 'study', command)
    said = capsys.readouterr().out
    assert 'a step' in said and 'table and figure' in said
    content = load_json(tmp_path / 'results/study.json')
    names = dict(F=['base', 'missed25', 'missed50'],
                 E=['base', 'images25', 'images50', 'images200', 'images400'])[part]
    assert [cell['cell'] for cell in content['cells']] == names
    for cell in content['cells']:
        assert cell['is_complete']
        difference = cell['minus_baseline']['wl_kld_tiny']['froc_score']
        assert -1 <= difference['difference'] <= 1 and len(difference['seeds']) == 1
        assert cell['systems']['wl_kld_tiny']['training_seconds'] > 0
    if part == 'E':
        assert [cell['data']['num_train'] for cell in content['cells']] == [16, 4, 8, 32, 64]
        assert [cell['epochs'] for cell in content['cells']] == [1, 4, 2, 1, 1]
    # Again, without any run folder: nothing is trained.
    (tmp_path / 'out').rename(tmp_path / 'lost')
    run_command(study, 'study', command)
    assert not (tmp_path / 'out' / 'runs').exists()
    assert load_json(tmp_path / 'results/study.json')['cells'] == content['cells']
