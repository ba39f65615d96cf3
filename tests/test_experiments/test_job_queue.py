"""Subprocesses over devices: progress, estimate, failures, no orphans."""
import io
import os
import sys
from types import SimpleNamespace

import pytest

from mmwindow.engine.hooks import ProgressHook
from mmwindow.experiments.job_queue import (
    Job,
    Running,
    describe_progress,
    estimate_left,
    read_fraction,
    read_tail,
    run_jobs,
)
from mmwindow.utils.progress import ProgressDisplay


def python_job(tmp_path, name, code, kind='a', seconds=None, measure=None):
    return Job(name, kind, (sys.executable, '-c', code), tmp_path / name / 'log.txt', seconds,
               measure)


def test_fraction_is_read_from_what_the_hook_writes():
    """Epoch 3 of 4, 5 of 10 iterations: (2 + 0.5) / 4; after its validation 3 / 4."""
    stream = io.StringIO()
    hook = ProgressHook(interval=0, stream=stream)
    runner = SimpleNamespace(epoch=2, max_epochs=4, iter=24, max_iters=40, train_dataloader=[0] * 10)
    hook.before_train_epoch(runner)
    hook.after_train_iter(runner, batch_idx=4)
    assert read_fraction('noise [####....] \n' + stream.getvalue()) == pytest.approx(0.625)
    runner.epoch = 3
    hook.before_val_epoch(runner)
    hook.after_val_epoch(runner, {'froc/auroc': 0.5})
    assert read_fraction(stream.getvalue()) == pytest.approx(0.75)
    assert read_fraction('no training yet') == 0


def test_tail_of_a_log(tmp_path):
    assert read_tail(tmp_path / 'none') == ''
    (tmp_path / 'log').write_text('abcdef')
    assert read_tail(tmp_path / 'log', 2) == 'ef'
    assert read_tail(tmp_path / 'log') == 'abcdef'


def test_no_estimate_before_anything_is_known():
    young = dict(kind='a', seconds=9., gained=0.01, missing=0.99)
    assert estimate_left([], [], ['a'], 1) is None
    assert estimate_left([], [young], ['a'], 1) is None


def test_estimate_by_hand():
    # Kind a takes 100 s (mean of 90 and 110), kind b nothing known: 100 s too.
    # a at work, 20 % in 25 s: its own pace, 125 s, says 100 s more; and makes a's mean
    # (90 + 110 + 125) / 3 = 108.33.
    done = [('a', 90.), ('a', 110.)]
    working = [dict(kind='a', seconds=25., gained=0.2, missing=0.8)]
    assert estimate_left(done, working, ['a', 'b'], 1) == pytest.approx(100 + 2 * 325 / 3)
    # Two devices share that, but none is done before the longest job.
    assert estimate_left(done, working, ['a', 'b'], 2) == pytest.approx((100 + 650 / 3) / 2)
    assert estimate_left(done, working, [], 8) == pytest.approx(100)
    assert estimate_left(done, [], [], 1) == 0


def test_a_job_that_goes_on_after_a_cut_is_not_taken_for_a_fast_one(tmp_path):
    """It begins at 50 % and reaches 60 % in 10 s: 40 s more, not 7."""
    job = python_job(tmp_path, 'a', '')
    job.log.parent.mkdir()
    job.log.write_text('epoch 9 of 10 done; an old life\n')
    work = Running(job, None, 0, started=0., log_start=len(job.log.read_text()))
    work.look()
    assert (work.fraction, work.base) == (0, None)
    with job.log.open('a') as log:
        log.write('epoch 5 of 10 done\n')
    work.look()
    assert (work.fraction, work.base) == (0.5, 0.5)
    with job.log.open('a') as log:
        log.write('epoch 6 of 10 done\n')
    work.look()
    state = {**work.describe(), 'seconds': 10.}
    assert state['gained'] == pytest.approx(0.1) and state['missing'] == pytest.approx(0.4)
    assert estimate_left([], [state], [], 1) == pytest.approx(40)


@pytest.mark.parametrize('line, base', [
    ('epoch 1 of 4 [....................] loss 1.0', 0.),
    ('epoch 3 of 4 [#...................] loss 1.0', 0.5), ('epoch 3 of 4 done; validation', 0.75)])
def test_a_fresh_training_is_not_taken_for_one_that_goes_on(tmp_path, line, base):
    """Lines come 20 s apart: the second may tell of a third of a short training."""
    job = python_job(tmp_path, 'a', '')
    job.log.parent.mkdir()
    job.log.write_text(f'{line}\nepoch 4 of 4 [####################] loss 1.0\n')
    work = Running(job, None, 0, started=0.)
    work.look()
    assert (work.base, work.fraction) == (base, 1.)


def test_a_job_that_went_on_takes_as_long_as_it_says(tmp_path):
    jobs = [python_job(tmp_path, name, '', measure=measure) for name, measure in (
        ('whole', None), ('cut', lambda: 3600.))]
    outcomes = run_jobs(jobs, [{}], ProgressDisplay(stream=io.StringIO()), poll_seconds=0.02)
    assert outcomes[0].seconds < 60 and outcomes[1].seconds == 3600.


def test_progress_in_words():
    assert describe_progress(2, 1, [('wl_kld fold 1', 0.25)], 4, 600.) == (
        '2 of 8 runs done, 1 failed, wl_kld fold 1 25%; about 10 min left')
    assert describe_progress(0, 0, [], 3, None) == '0 of 3 runs done; no estimate yet'


def test_a_failure_does_not_stop_the_others(tmp_path):
    stream = io.StringIO()
    jobs = [python_job(tmp_path, 'good', 'print("fine")'),
            python_job(tmp_path, 'bad', 'raise SystemExit("broken on purpose")'),
            python_job(tmp_path, 'old', 'raise SystemExit(1)', seconds=7.),
            python_job(tmp_path, 'last', 'print(3)')]
    outcomes = run_jobs(jobs, [{}], ProgressDisplay(stream=stream), poll_seconds=0.02)
    assert [(outcome.job.name, outcome.returncode) for outcome in outcomes] == [
        ('good', 0), ('bad', 1), ('last', 0)]
    assert (tmp_path / 'good/log.txt').read_text() == 'fine\n'
    assert 'bad: FAILED with status 1' in stream.getvalue()
    assert 'broken on purpose' in stream.getvalue()
    assert not (tmp_path / 'old').exists()


def test_each_device_works_on_one_job_at_a_time(tmp_path):
    """Each job notes its device; a second one on the same device would find the note."""
    code = ('import os, time\n'
            'note = os.environ["NOTES"] + "/gpu" + os.environ["GPU"]\n'
            'os.close(os.open(note, os.O_CREAT | os.O_EXCL))\n'
            'time.sleep(0.1)\nos.remove(note)\nprint(os.environ["GPU"])')
    jobs = [python_job(tmp_path, str(number), code) for number in range(4)]
    devices = [dict(GPU=gpu, NOTES=str(tmp_path)) for gpu in '01']
    outcomes = run_jobs(jobs, devices, ProgressDisplay(stream=io.StringIO()), poll_seconds=0.02)
    assert [outcome.returncode for outcome in outcomes] == [0] * 4
    used = [(tmp_path / str(number) / 'log.txt').read_text().strip() for number in range(4)]
    assert used[:2] == ['0', '1'] and set(used) == {'0', '1'}


def test_no_orphan_after_an_interruption(tmp_path):
    class Interrupted(ProgressDisplay):
        def show(self, text):
            raise KeyboardInterrupt

    code = f'import os, time; open(r"{tmp_path}/pid", "w").write(str(os.getpid())); time.sleep(60)'
    with pytest.raises(KeyboardInterrupt):
        run_jobs([python_job(tmp_path, 'long', code)], [{}], Interrupted(stream=io.StringIO()),
                 poll_seconds=1.0)
    pid = int((tmp_path / 'pid').read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_nothing_to_do():
    assert run_jobs([], [{}], ProgressDisplay(stream=io.StringIO())) == []
