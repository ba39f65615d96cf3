"""One run in a process of its own: ``python -m mmwindow.experiments.worker FOLDER``.

Trains, or resumes after a cut, then tests the weights that ``run.json`` names, the best checkpoint
where it names none, on its splits; :mod:`.cross_validation` writes FOLDER and starts this. A
training on several GPUs has processes of its own, under torchrun; the tests stay here, on the first
GPU: the metric is the same, and a process group cannot be left and entered again.
"""
import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwindow.annotations.point_file import points_digest
from mmwindow.apis.config_parts import annotation_rules, find_froc_metric
from mmwindow.apis.test import test
from mmwindow.apis.train import train
from mmwindow.engine.run_file import read_training_seconds
from mmwindow.evaluation.files.records import read_record
from mmwindow.experiments.run_state import read_work
from mmwindow.experiments.weights import parse_weights, place_weights
from mmwindow.utils.command_line import one_line_errors
from mmwindow.utils.environment import (
    describe_machine,
    describe_versions,
    scoring_code,
    training_code,
)
from mmwindow.utils.files import replace_nan, write_json
from mmwindow.utils.processes import become_rank, end_rank

# Of run.json in the folder of a run; that of a work dir is "mmwindow-training" (engine/run_file.py).
STATE_HEAD = dict(format='mmwindow-run', version=1)
RECORDS = dict(test='test.json', val='val.json')
# What result.json has besides the entries of run.json.
RESULT_ENTRIES = ('checkpoint', 'records', 'test_seconds', 'test_machine', 'test_versions',
                  'points_digest', 'scoring_code', 'num_images', 'validation_metrics', 'metrics')


def end_with_parent(descriptor: int = 0, leave: Callable[[int], Any] = os._exit
                    ) -> threading.Thread:
    """End this process when standard input ends, a pipe that breaks when the parent dies.

    Without this a killed list of runs would leave a training behind that a second
    start would meet in the same folder.

    Args:
        descriptor: File descriptor of the pipe.
        leave: Is called with the exit status.

    Returns:
        The thread that waits.
    """
    def wait() -> None:
        while os.read(descriptor, 1024):
            pass
        leave(1)
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def set_outfile(evaluator: Any, path: str | Path) -> None:
    """Let the FROCMetric of an evaluator's config write its record to ``path``, of all events."""
    metric = find_froc_metric(evaluator)
    metric['outfile'] = str(path)
    metric.pop('keep_up_to', None)  # the tables' intervals need all events


def write_split_config(config: Path, split: str, folder: Path) -> Path:
    """Write the config that tests one split and records it; return its path.

    Args:
        config: The config of the run.
        split: 'test' or 'val'.
        folder: Where; the record goes into its parent, as ``RECORDS`` says.
    """
    cfg = Config.fromfile(str(config))
    cfg.test_dataloader = cfg[f'{split}_dataloader']
    cfg.test_evaluator = cfg[f'{split}_evaluator']
    set_outfile(cfg.test_evaluator, config.parent / RECORDS[split])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'config.py'
    cfg.dump(str(path))
    return path


def train_in_processes(folder: Path, num_processes: int, amp: bool) -> None:
    """Train a run in several processes, one a GPU; return when all are done.

    Raises:
        ValueError: The training failed; its output says why.
    """
    # They hold the other end of a pipe of this process, and end with it.
    process = subprocess.Popen(
        [sys.executable, '-m', 'mmwindow.utils.launcher', '--standalone',
         f'--nproc-per-node={num_processes}', '-m', 'mmwindow.experiments.worker',
         str(folder), '--launcher', 'pytorch', '--end-with-stdin', *['--amp'] * amp],
        stdin=subprocess.PIPE)
    if process.wait():
        raise ValueError(f'{folder}: the training in {num_processes} processes failed with status '
                         f'{process.returncode}; the lines above say why')


def train_run(folder: Path, launcher: str = 'none', amp: bool = False) -> None:
    """Train a run, from its newest checkpoint where there is one."""
    train(folder / 'config.py', work_dir=folder / 'training', launcher=launcher, amp=amp,
          resume='auto', report=False)  # the tables are


def run(folder: Path, num_processes: int = 1, amp: bool = False,
        predictions: str | None = None) -> None:
    """Do all that is missing in a run's folder, and write ``result.json`` last.

    Args:
        folder: With ``config.py`` and ``run.json``.
        num_processes: Of the training.
        amp: Train in mixed precision.
        predictions: Name of a file in the folder that receives every prediction of the test.
    """
    state = read_work(folder)
    if not state['trained']:
        check_same_code(folder, state)
        # Before the training: by its end the checkout may be another, or the run on another machine.
        state = note_start(state)
        write_json(folder / 'run.json', state)
        if num_processes > 1:
            train_in_processes(folder, num_processes, amp)
        else:
            train_run(folder, amp=amp)
        state = {**state, 'trained': True,
                 'training_seconds': read_training_seconds(folder / 'training')}
        write_json(folder / 'run.json', state)
    checkpoint = place_weights(folder / 'training', parse_weights(state.get('weights') or 'best'),
                               folder)
    started = time.monotonic()
    for split in state['splits']:
        test(write_split_config(folder / 'config.py', split, folder / split), checkpoint,
             work_dir=folder / split, tta=state.get('views') or False,
             out=folder / predictions if predictions and split == 'test' else None, report=None)
    write_json(folder / 'result.json', describe_result(
        folder, state, checkpoint, round(time.monotonic() - started, 1)))
    if 'training_command' in state and checkpoint.parent == folder:
        checkpoint.unlink()  # a mean, of a test of another folder's weights: that keeps none


def check_same_code(folder: Path, state: dict[str, Any]) -> None:
    """Reject to train by other code than the command that began noted for its runs.

    A long list of runs goes on for hours, and each run imports the package anew.

    Args:
        folder: Of the run.
        state: Its ``run.json``.

    Raises:
        ValueError: The package was changed since.
    """
    known = (state.get('training_code'), *(state.get('accepted_code') or ()))
    if known[0] and training_code() not in known:
        raise ValueError(
            f'{folder}: the code of mmwindow was changed while runs were at work: the command began '
            f'with {known[-1]}, here is {training_code()}. Start the command again, which names the '
            'runs of the code before; a copy of its own (git worktree) keeps a long list of runs '
            'apart from edits')


def note_start(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a run that begins or resumes here: with which code, on which machine.

    ``versions`` and ``machine`` are of this start; those of earlier ones, where they were others,
    are kept in ``earlier_starts``.
    """
    here = dict(versions=describe_versions(), machine=describe_machine())
    before = {name: state[name] for name in here if name in state}
    earlier = state.get('earlier_starts', [])
    return {**state, **here,
            'earlier_starts': earlier + [before] * bool(before and before != here)}


def describe_result(folder: Path, state: dict[str, Any], checkpoint: Path, test_seconds: float
                    ) -> dict[str, Any]:
    """Return what ``result.json`` holds: where the run comes from, and its numbers."""
    names = {split: RECORDS[split] for split in state['splits']}
    records = {split: read_record(folder / name) for split, name in names.items()}
    left_out = ('trained', 'splits', *STATE_HEAD)
    return {**{key: value for key, value in state.items() if key not in left_out},
            'checkpoint': checkpoint.name, 'records': names, 'test_seconds': test_seconds,
            'test_machine': describe_machine(), 'test_versions': describe_versions(),
            'points_digest': digest_points(Config.fromfile(str(folder / 'config.py')),
                                           'test' if 'test' in state['splits']
                                           else state['splits'][0]),
            'scoring_code': scoring_code(),
            'num_images': {split: len(next(iter(record.classes.values())))
                           for split, record in records.items()},
            'validation_metrics': replace_nan(records['val'].metrics) if 'val' in records else None,
            'metrics': replace_nan(records['test'].metrics) if 'test' in records else None}


def digest_points(cfg: Config, split: str) -> str:
    """Return the digest of the points of a split, as its data sets take them from annotations.

    Of several files the digests in turn.
    """
    return ' '.join(points_digest(path, points_from)
                    for path, points_from in annotation_rules(cfg, split))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--amp', action='store_true')
    parser.add_argument('--processes', type=int, default=1, help='of the training')
    parser.add_argument('--launcher', choices=['none', 'pytorch'], default='none',
                        help='pytorch: only train, as one of the processes of torchrun')
    parser.add_argument('--end-with-stdin', action='store_true',
                        help='end when standard input does, with the process that started this')
    args = parser.parse_args()
    if args.end_with_stdin:
        end_with_parent()
    become_rank(args.launcher)
    with one_line_errors(str(args.folder)):
        if args.launcher == 'none':
            run(args.folder, args.processes, args.amp)
        else:
            train_run(args.folder, args.launcher, args.amp)
            end_rank()


if __name__ == '__main__':
    main()
