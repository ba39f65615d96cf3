"""One run in a process of its own: ``python -m mmwindow.apis.run_worker FOLDER``.

Trains, or goes on after a cut, then tests the best checkpoint on the test and the validation
split; :mod:`mmwindow.apis.folds` writes FOLDER and starts this, under torchrun for several GPUs.
"""
import argparse
import os
import threading
import time
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import barrier, is_main_process

from mmwindow.apis.launch import test, train
from mmwindow.apis.runs import (
    describe_machine,
    describe_versions,
    find_best_checkpoint,
    read_json,
    replace_nan,
    write_json,
)
from mmwindow.evaluation.records import read_record

RECORDS = dict(test='test.json', val='val.json')


def end_with_parent(descriptor=0, leave=os._exit):
    """End this process when standard input ends, a pipe that breaks when the parent dies.

    Without this a killed list of runs would leave a training behind that a second
    start would meet in the same folder.

    Args:
        descriptor (int): File descriptor of the pipe.
        leave (callable): Is called with the exit status.

    Returns:
        Thread: The one that waits.
    """
    def wait():
        while os.read(descriptor, 1024):
            pass
        leave(1)
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def set_outfile(evaluator, path):
    """Let the FROCMetric of an evaluator's config write its record to ``path``.

    Raises:
        ValueError: The evaluator has none.
    """
    metrics = evaluator if isinstance(evaluator, list) else [evaluator]
    mine = [metric for metric in metrics if metric.get('type') == 'FROCMetric']
    if len(mine) != 1:
        raise ValueError(f'the evaluator has {len(mine)} FROCMetric; one is needed, its record is '
                         'the result of a run')
    mine[0]['outfile'] = str(path)


def write_split_config(config, split, folder):
    """Write the config that tests one split and records it; return its path.

    Args:
        config (Path): The config of the run.
        split (str): 'test' or 'val'.
        folder (Path): Where; the record goes into its parent, as ``RECORDS`` says.
    """
    cfg = Config.fromfile(str(config))
    cfg.test_dataloader = cfg[f'{split}_dataloader']
    cfg.test_evaluator = cfg[f'{split}_evaluator']
    set_outfile(cfg.test_evaluator, config.parent / RECORDS[split])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'config.{os.getpid()}.py'  # every rank writes one of its own
    cfg.dump(str(path))
    return path


def test_split(folder, split, checkpoint, launcher):
    """Test a checkpoint on one split; its record lies in ``folder`` afterwards."""
    work_dir = folder / split
    config = write_split_config(folder / 'config.py', split, work_dir)
    try:
        test(config, checkpoint, work_dir=work_dir, launcher=launcher)
    finally:
        config.unlink()


def run(folder, launcher='none', amp=False):
    """Do all that is missing in a run's folder, and write ``result.json`` last.

    Args:
        folder (Path): With ``config.py`` and ``run.json``.
        launcher (str): 'none' or 'pytorch'.
        amp (bool): Train in mixed precision.
    """
    state = read_json(folder / 'run.json')
    started = time.monotonic()
    if not state.get('trained'):
        train(folder / 'config.py', work_dir=folder / 'training', launcher=launcher, amp=amp,
              resume='auto')
        barrier()  # the checkpoint is the main process's, and the others read it next
        state = {**state, 'trained': True,
                 'training_seconds': round(time.monotonic() - started, 1)}
        if is_main_process():
            write_json(folder / 'run.json', state)
    checkpoint = find_best_checkpoint(folder / 'training')
    for split in RECORDS:
        test_split(folder, split, checkpoint, launcher)
        barrier()
    if is_main_process():
        write_json(folder / 'result.json', describe_result(folder, state, checkpoint))


def describe_result(folder, state, checkpoint):
    """Return what ``result.json`` holds: where the run comes from, and its numbers."""
    records = {split: read_record(folder / name) for split, name in RECORDS.items()}
    return {**{key: value for key, value in state.items() if key != 'trained'},
            'checkpoint': checkpoint.name, 'records': RECORDS, 'machine': describe_machine(),
            'versions': describe_versions(),
            'num_images': {split: len(next(iter(record.classes.values())))
                           for split, record in records.items()},
            'validation_metrics': replace_nan(records['val'].metrics),
            'metrics': replace_nan(records['test'].metrics)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--amp', action='store_true')
    parser.add_argument('--launcher', choices=['none', 'pytorch'], default='none')
    parser.add_argument('--end-with-stdin', action='store_true',
                        help='end when standard input does, with the process that started this')
    args = parser.parse_args()
    if args.end_with_stdin:
        end_with_parent()
    run(args.folder, args.launcher, args.amp)


if __name__ == '__main__':
    main()
