"""Subprocesses over devices: progress, estimate, failures, no orphans, shares of the processor."""
import contextlib
import io
import os
import sys
import threading
from types import SimpleNamespace

import pytest

from mmwindow.engine.hooks import ProgressHook
from mmwindow.experiments.devices import choose_devices, share_of_cores
from mmwindow.experiments.job_queue import (
    NOT_FILED,
    Job,
    Pace,
    Running,
    describe_progress,
    estimate_left,
    read_fraction,
    read_tail,
    run_jobs,
    start_job,
)
from mmwindow.utils.locks import InUseError, hold_file
from mmwindow.utils.progress import ProgressDisplay


def python_job(tmp_path, name, code, kind='a', is_done=False, measure=None, claim=None):
    return Job(name, kind, (sys.executable, '-c', code), tmp_path / name / 'log.txt', is_done,
               measure, claim)


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
    young = Pace('a', 9., 0.01, 0.99)
    assert estimate_left([], [], ['a'], 1) is None
    assert estimate_left([], [young], ['a'], 1) is None


def test_estimate_by_hand():
    # Kind a takes 100 s (mean of 90 and 110), kind b nothing known: 100 s too.
    # a at work, 20 % in 25 s: its own pace, 125 s, says 100 s more; and makes a's mean
    # (90 + 110 + 125) / 3 = 108.33.
    done = [('a', 90.), ('a', 110.)]
    working = [Pace('a', 25., 0.2, 0.8)]
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
    state = work.pace()._replace(seconds=10.)
    assert state.gained == pytest.approx(0.1) and state.missing == pytest.approx(0.4)
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
            python_job(tmp_path, 'old', 'raise SystemExit(1)', is_done=True, measure=lambda: 7.),
            python_job(tmp_path, 'last', 'print(3)')]
    outcomes = run_jobs(jobs, [{}], ProgressDisplay(stream=stream), poll_seconds=0.02)
    assert [(outcome.job.name, outcome.returncode) for outcome in outcomes] == [
        ('good', 0), ('bad', 1), ('last', 0)]
    assert (tmp_path / 'good/log.txt').read_text() == 'fine\n'
    assert 'bad: FAILED with status 1' in stream.getvalue()
    assert 'broken on purpose' in stream.getvalue()
    assert not (tmp_path / 'old').exists()


def test_a_result_that_cannot_be_filed_does_not_stop_the_others(tmp_path):
    held = []

    @contextlib.contextmanager
    def claim():
        held.append('begun')
        yield True
        held.append('ended')

    def measure():
        assert held == ['begun']  # nobody else begins before it is filed
        raise OSError('no space left')

    stream = io.StringIO()
    outcomes = run_jobs([python_job(tmp_path, 'first', '', measure=measure, claim=claim),
                         python_job(tmp_path, 'second', 'import time; time.sleep(1)')],
                        [{}, {}], ProgressDisplay(stream=stream))
    assert {outcome.job.name: outcome.returncode == 0 for outcome in outcomes} == {
        'first': False, 'second': True}
    assert held == ['begun', 'ended']
    assert 'first: FAILED, it ended but its result could not be filed: no space left' in (
        stream.getvalue())


def test_a_finished_result_that_cannot_be_filed_does_not_stop_the_others(tmp_path):
    """Neither of a run that was finished before, nor of one that another command has finished."""
    def measure():
        with pytest.raises(InUseError), hold_file(tmp_path / 'run'):
            pass
        raise ValueError('result file damaged')

    def measure_before():
        raise ValueError('events damaged')

    stream = io.StringIO()
    outcomes = run_jobs([
        python_job(tmp_path, 'long', f'import time; time.sleep(.5); open(r"{tmp_path}/ended", "w")'),
        python_job(tmp_path, 'before', '', is_done=True, measure=measure_before),
        python_job(tmp_path, 'elsewhere', '', measure=measure,
                   claim=claim_of(tmp_path / 'run', done=lambda: True))],
        [{}, {}], ProgressDisplay(stream=stream), poll_seconds=0.02)
    assert {outcome.job.name: outcome.returncode for outcome in outcomes} == dict(
        before=NOT_FILED, elsewhere=NOT_FILED, long=0)
    assert (tmp_path / 'ended').exists()
    for name, reason in (('before', 'events damaged'), ('elsewhere', 'result file damaged')):
        assert (f'{name}: FAILED, it ended but its result could not be filed: {reason}\n'
                in stream.getvalue())
    assert 'reused' not in stream.getvalue()


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


def claim_of(path, done=lambda: False):
    """Hold a file as a run's folder is held; there is nothing to do once ``done`` says so."""
    @contextlib.contextmanager
    def claim():
        with hold_file(path):
            yield not done()
    return claim


def test_a_job_of_another_command_is_passed_over_until_it_is_free(tmp_path):
    """The first is held elsewhere until the second has run; it is then done here, and free again."""
    stream, names = io.StringIO(), ('held', 'free')
    jobs = [python_job(tmp_path, name, '', claim=claim_of(tmp_path / f'run {name}'))
            for name in names]
    other = contextlib.ExitStack()
    other.enter_context(hold_file(tmp_path / 'run held'))

    class Display(ProgressDisplay):
        def say(self, text):
            super().say(text)
            if text.startswith('free: done'):
                other.close()
    outcomes = run_jobs(jobs, [{}], Display(stream=stream), poll_seconds=0.02)
    assert [outcome.job.name for outcome in outcomes] == ['free', 'held']
    assert stream.getvalue().count('held: another command is at work on it') == 1
    assert 'run held: in use by' in stream.getvalue()
    for name in names:
        with hold_file(tmp_path / f'run {name}'):
            pass


def test_a_job_that_another_command_finishes_is_reused(tmp_path):
    other = contextlib.ExitStack()
    other.enter_context(hold_file(tmp_path / 'run'))
    threading.Timer(0.3, other.close).start()
    stream = io.StringIO()
    job = python_job(tmp_path, 'a', '', measure=lambda: 7., claim=claim_of(
        tmp_path / 'run', done=lambda: True))
    assert run_jobs([job], [{}], ProgressDisplay(stream=stream), poll_seconds=0.02) == []
    assert 'a: finished by another command, reused' in stream.getvalue()
    assert not (tmp_path / 'a').exists()


def test_two_commands_share_a_list_and_do_each_job_once(tmp_path):
    """Six jobs, two commands in two threads; a job that is done leaves a mark."""
    marks = [tmp_path / f'mark {number}' for number in range(6)]
    jobs = [python_job(tmp_path, str(number), f'open({str(mark)!r}, "x")', claim=claim_of(
        tmp_path / f'run {number}', done=mark.exists)) for number, mark in enumerate(marks)]
    outcomes = []

    def command():
        outcomes.extend(run_jobs(jobs, [{}], ProgressDisplay(stream=io.StringIO()), 0.02))
    threads = [threading.Thread(target=command) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(mark.exists() for mark in marks)
    assert sorted(outcome.job.name for outcome in outcomes) == list('012345')
    assert all(outcome.returncode == 0 for outcome in outcomes)


def test_a_job_that_cannot_begin_fails_alone(tmp_path):
    @contextlib.contextmanager
    def reject():
        raise ValueError('holds a run of other settings')
        yield True
    stream = io.StringIO()
    outcomes = run_jobs([python_job(tmp_path, 'a', '', claim=reject), python_job(tmp_path, 'b', '')],
                        [{}], ProgressDisplay(stream=stream), poll_seconds=0.02)
    assert [(outcome.job.name, outcome.returncode) for outcome in outcomes] == [('a', 1), ('b', 0)]
    assert 'a: FAILED to begin: holds a run of other settings' in stream.getvalue()


def test_what_a_job_holds_is_free_after_an_interruption(tmp_path):
    class Interrupted(ProgressDisplay):
        def show(self, text):
            raise KeyboardInterrupt
    job = python_job(tmp_path, 'a', 'import time; time.sleep(60)', claim=claim_of(tmp_path / 'run'))
    with pytest.raises(KeyboardInterrupt):
        run_jobs([job], [{}], Interrupted(stream=io.StringIO()), poll_seconds=0.02)
    with hold_file(tmp_path / 'run'):
        with pytest.raises(InUseError, match='run: in use by'):
            with hold_file(tmp_path / 'run'):
                pass


def test_jobs_share_the_cores(monkeypatch):
    """Seven cores: one job has all, two have three each, seven one each; eight are too many."""
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(7)))
    monkeypatch.setattr('torch.cuda.device_count', lambda: 0)
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    for number, threads in ((1, '7'), (2, '3'), (3, '2'), (7, '1')):
        devices = choose_devices(jobs=number).environments
        assert [device['OMP_NUM_THREADS'] for device in devices] == [threads] * number
        assert all('PYTHONPATH' in device for device in devices)
    with pytest.raises(ValueError, match='--jobs 8: this machine gives 7 cores'):
        choose_devices(jobs=8)
    with pytest.raises(ValueError, match='--jobs 0: 1 or more'):
        choose_devices(jobs=0)
    monkeypatch.setenv('OMP_NUM_THREADS', '2')  # what the user allows is not exceeded
    assert share_of_cores(1) == share_of_cores(2) == dict(OMP_NUM_THREADS='2')
    assert share_of_cores(7) == dict(OMP_NUM_THREADS='1')
    monkeypatch.setattr('torch.cuda.device_count', lambda: 2)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '4,7')
    for gpus, names in ((None, ['4', '7', '4']), ([1], ['7', '7', '7'])):  # on the GPUs in turn
        devices = choose_devices(gpus, jobs=3).environments
        assert [device['CUDA_VISIBLE_DEVICES'] for device in devices] == names
        assert [device['OMP_NUM_THREADS'] for device in devices] == ['2', '2', '2']
    with pytest.raises(ValueError, match='--jobs 8: this machine gives 7 cores'):
        choose_devices(jobs=8)
    with pytest.raises(ValueError, match='--jobs 2 --all-gpus: one run takes all GPUs'):
        choose_devices(all_gpus=True, jobs=2)
    assert choose_devices(all_gpus=True, jobs=1).num_processes == 2
    with pytest.raises(ValueError, match='for two trainings on one GPU say --jobs 2 --gpus 1'):
        choose_devices([1, 1])


def test_jobs_side_by_side_are_counted_and_estimated(tmp_path):
    """Two at once: both are in the progress line, and four jobs take as long as two rounds."""
    lines = []

    class Display(ProgressDisplay):
        def show(self, text):
            lines.append(text)
    code = 'import time; time.sleep(.4)'
    jobs = [python_job(tmp_path, name, code, measure=lambda: 10.) for name in 'abcd']
    assert len(run_jobs(jobs, [{}, {}], Display(stream=io.StringIO()), poll_seconds=0.02)) == 4
    assert '0 of 4 runs done, a 0%, b 0%; no estimate yet' in lines
    # Two of four are done in 10 s each, by what they say; two are at work: 20 s on two places.
    assert '2 of 4 runs done, c 0%, d 0%; about 10 s left' in lines


def test_a_job_that_cannot_begin_or_start_does_not_stop_the_others(tmp_path):
    """Its folder cannot be written, or the cluster takes it not."""
    @contextlib.contextmanager
    def refuse():
        raise PermissionError(13, 'read-only', 'fold0')
        yield

    def start(job, device, variables):
        if job.name == 'refused':
            raise ValueError('the cluster took no job')
        return start_job(job, device, variables)

    jobs = [python_job(tmp_path, 'locked', 'pass', claim=refuse),
            python_job(tmp_path, 'refused', 'pass'), python_job(tmp_path, 'good', 'pass')]
    stream = io.StringIO()
    outcomes = run_jobs(jobs, [{}], ProgressDisplay(stream=stream), 0.05, start)
    assert {outcome.job.name: outcome.returncode for outcome in outcomes} == dict(
        locked=1, refused=1, good=0)
    assert 'locked: FAILED to begin' in stream.getvalue()
    assert 'refused: FAILED to start: the cluster took no job' in stream.getvalue()
