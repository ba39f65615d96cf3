"""What the quickstart reuses, resumes and begins again; stand-ins train, test and draw."""
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mmwindow.apis import quickstart
from mmwindow.apis.run_report import ReportOutcome
from mmwindow.evaluation import ImageEvents
from mmwindow.evaluation.files.records import write_record
from mmwindow.experiments import worker
from mmwindow.utils.files import read_json

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs' / 'synthetic' / 'wl_kld_lite0_fpn.py'
METRICS = {'froc/auroc': 1., 'froc/recall@0.1': 0.5, 'froc/froc_score': 0.5}
SETTINGS = dict(budgets=[0.1], convention='first_crossing')


@pytest.fixture
def calls(monkeypatch, own_tiny_dataset):
    """What the quickstart called, in order; ``calls.cut`` names the stage that is cut once."""
    class Calls(list):
        cut = None

        def note(self, stage):
            self.append(stage)
            if self.cut == stage:
                self.cut = None
                raise KeyboardInterrupt

    calls = Calls()

    def train(config, work_dir, launcher, amp, resume, report):
        assert not report  # the quickstart draws its own
        Path(work_dir).mkdir(exist_ok=True)
        (Path(work_dir) / 'kept.txt').write_text('weights')
        calls.note('train')
        (Path(work_dir) / 'best_froc_auroc_epoch_1.pth').write_text('weights')
        (Path(work_dir) / 'training_seconds.json').write_text('62.5')

    def test(config, checkpoint, work_dir, tta, out, report):
        assert not report and not tta
        calls.note('test')
        out.write_text('')
        # One of two points is found, above all that is seen on the negative image.
        write_record(Path(work_dir).parent / 'test.json', {'fracture': [
            ImageEvents(score=score, recall_levels=np.array(levels), fp_levels=np.zeros(0),
                        fp_changes=np.zeros(0, int), is_positive=bool(levels), image_id=score)
            for score, levels in ((0.5, [0.5, -np.inf]), (0.25, []))]}, SETTINGS, metrics=METRICS)

    names = quickstart.__globals__
    monkeypatch.setattr(worker, 'train', train)
    monkeypatch.setattr(worker, 'test', test)
    def draw(out, record, predictions, checkpoint):
        assert checkpoint.name == 'best_froc_auroc_epoch_1.pth'
        calls.note('draw')
        for name in ('report.md', 'overlays.png'):
            (out / name).touch()
        return ReportOutcome(out / 'report.md', 1., ())
    monkeypatch.setitem(names, 'draw_report', draw)
    monkeypatch.setitem(names, 'write_dataset', lambda folder, seed: calls.note('data'))
    return calls


@pytest.fixture
def run(calls, own_tiny_dataset, tmp_path):
    """The quickstart on the tiny data set; returns what it called."""
    def run(**options):
        calls.clear()
        assert quickstart(CONFIG, own_tiny_dataset, tmp_path / 'out', **options) == METRICS
        return list(calls)
    return run


def test_the_complete_path_and_again(run, tmp_path, capsys):
    assert run(command_line='tools/quickstart.py') == ['data', 'train', 'test', 'draw']
    result = read_json(tmp_path / 'out/result.json')
    assert result['metrics'] == METRICS and result['seed'] == 0
    assert result['training_seconds'] == 62.5 and set(result['versions']) >= {'mmwindow', 'torch'}
    assert (result['command'], result['checkpoint']) == (
        'tools/quickstart.py', 'best_froc_auroc_epoch_1.pth')
    printed = capsys.readouterr().out
    for words in ('AUROC      1.000', 'recall@0.1 0.500', 'FROC score 0.500'):
        assert words in printed
    assert run() == ['data'] and 'reused from' in capsys.readouterr().out


@pytest.mark.parametrize('stage, again', [
    ('train', ['data', 'train', 'test', 'draw']), ('test', ['data', 'test', 'draw']),
    ('draw', ['data', 'draw'])])
def test_a_cut_quickstart_resumes_where_it_was(run, calls, tmp_path, stage, again):
    calls.cut = stage
    with pytest.raises(KeyboardInterrupt):
        run()
    assert (tmp_path / 'out/training/kept.txt').exists()
    assert run() == again and read_json(tmp_path / 'out/run.json')['trained']


def test_a_finished_training_of_other_settings_is_never_deleted_unasked(run, tmp_path):
    run()
    with pytest.raises(ValueError, match='holds a run of other settings.*--overwrite'):
        run(seed=1)
    assert (tmp_path / 'out/training/kept.txt').exists()
    assert run(seed=1, overwrite=True) == ['data', 'train', 'test', 'draw']
    assert read_json(tmp_path / 'out/result.json')['seed'] == 1


def test_a_users_own_folder_is_not_touched(run, tmp_path):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'thesis.tex').write_text('mine')
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="there is no run.json.*'thesis.tex'"):
            run(overwrite=overwrite)
    assert (tmp_path / 'out' / 'thesis.tex').read_text() == 'mine'


def test_asking_the_script_for_help_sets_nothing_up(tmp_path):
    done = subprocess.run([ROOT / 'tools/quickstart.sh', '--help'], capture_output=True, text=True,
                          env={'PATH': '/usr/bin:/bin', 'MMWINDOW_VENV': str(tmp_path / 'venv')})
    assert done.returncode == 0 and '--overwrite' in done.stdout and not done.stderr
    assert not (tmp_path / 'venv').exists()
