"""The complete path in one call: synthetic radiographs, training, test, pictures."""
import contextlib
import shutil
import time
from pathlib import Path

from mmwindow.apis.config import load_config
from mmwindow.apis.test import test
from mmwindow.apis.test_report import draw_report
from mmwindow.apis.train import train
from mmwindow.engine.checkpoint import find_best_checkpoint, mend_last_checkpoint
from mmwindow.engine.hooks.training_time_hook import read_training_seconds
from mmwindow.synthetic import write_dataset
from mmwindow.utils.environment import describe_machine, describe_versions, fingerprint
from mmwindow.utils.files import read_json, write_json
from mmwindow.utils.progress import describe_seconds


@contextlib.contextmanager
def quiet(log):
    """Send what the runner prints to a file: the terminal keeps the progress line."""
    with open(log, 'a', encoding='utf-8') as stream, contextlib.redirect_stdout(stream):
        yield


def train_once(config, options, folder, mark):
    """Train into ``folder``, go on after a cut, or reuse a finished training of the same mark.

    Args:
        config (str | Path): The config file.
        options (dict): Overrides of the config.
        folder (Path): Work dir. ``state.json`` in it says what it is of and whether it is done; a
            training of another mark is removed.
        mark (str): Fingerprint of all that decides the training.

    Returns:
        dict: ``seconds`` that the training took (when it was done), over all its starts;
        ``machine`` and ``versions`` of the last of them.

    Raises:
        ValueError: The folder holds files that are no such training's.
    """
    state = read_json(folder / 'state.json')
    if state and state['mark'] == mark and state['finished']:
        print(f'3 training: reused from {folder} ({describe_seconds(state["seconds"])} then)')
        return state
    if state is None and folder.exists() and any(path.suffix != '.part'
                                                 for path in folder.iterdir()):
        raise ValueError(f'{folder}: there are files but no state.json, so it is no training of this '
                         'command; name another folder (--out) or move it away')
    if state and state['mark'] != mark:
        shutil.rmtree(folder)  # of other settings: never mixed with these
        state = None
    folder.mkdir(parents=True, exist_ok=True)
    here = dict(machine=describe_machine(), versions=describe_versions())
    write_json(folder / 'state.json', dict(mark=mark, finished=False, **here))
    print(f'3 training: {"goes on after a cut" if state else "from ImageNet weights"}; '
          f'all output in {folder / "log.txt"}', flush=True)
    mend_last_checkpoint(folder)
    with quiet(folder / 'log.txt'):
        train(config, work_dir=folder, cfg_options=options, resume='auto')
    seconds = read_training_seconds(folder)
    state = dict(mark=mark, finished=True, seconds=seconds, **here)
    write_json(folder / 'state.json', state)
    return state


def quickstart(config, data, out, seed=0):
    """Generate data, train, test and draw; print AUROC, recall@0.1 and FROC score.

    Each stage is reused where a run with the same settings finished it; a training
    that was cut goes on from its last epoch.

    Args:
        config (str | Path): Config of a model for the synthetic radiographs.
        data (str | Path): Folder for the data set.
        out (str | Path): Folder for the results: ``result.json``, ``roc.png``,
            ``froc.png``, ``overlays.png``, ``report.md`` and ``training/``.
        seed (int): Of the data set and of the training.

    Returns:
        dict: The metrics of the test split.
    """
    started = time.monotonic()
    data, out = Path(data), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    print(f'1 results go to {out}/; 2 to 8 minutes on two cores, seconds when it is run again',
          flush=True)
    print(f'2 synthetic radiographs in {data}/', flush=True)
    write_dataset(data, seed=seed)

    options = {f'{split}_dataloader.dataset.data_root': f'{data}/'
               for split in ('train', 'val', 'test')}
    options['randomness'] = dict(seed=seed)
    mark = fingerprint(load_config(config, cfg_options=options), seed)
    training = out / 'training'
    hooks = list(load_config(config).get('custom_hooks', []))
    state = train_once(config, {**options, 'custom_hooks': [
        *hooks, dict(type='ProgressHook'), dict(type='TrainingTimeHook'),
        dict(type='ValidateOnResumeHook')]}, training, mark)

    result = read_json(out / 'result.json')
    if not result or result['mark'] != mark:
        print('4 test, curves and heat maps', flush=True)
        checkpoint = find_best_checkpoint(training)
        with quiet(training / 'log.txt'):
            metrics = test(config, checkpoint, work_dir=training / 'test', cfg_options={
                **options, 'test_evaluator.outfile': str(training / 'test_curves.json')},
                out=training / 'test_predictions.pkl')
        draw_report(out, training / 'test_curves.json', training / 'test_predictions.pkl', metrics)
        result = dict(system='WL-KLD', command='tools/quickstart.sh', mark=mark,
                      config=str(config), seed=seed, data=str(data),
                      checkpoint=str(checkpoint), training_seconds=state['seconds'],
                      machine=state['machine'], versions=state['versions'], metrics=metrics)
        write_json(out / 'result.json', result)
    else:
        print(f'4 test: reused from {out / "result.json"}')
    metrics = result['metrics']
    print(f'\n  AUROC      {metrics["froc/auroc"]:.3f}   image with or without a fracture\n'
          f'  recall@0.1 {metrics["froc/recall@0.1"]:.3f}   fractures found at one false alarm in '
          f'ten images\n'
          f'  FROC score {metrics["froc/froc_score"]:.3f}   mean recall at 0.1 to 0.5 false alarms '
          f'an image\n\n  look at {out}/overlays.png, roc.png and froc.png; numbers in '
          f'result.json\n  training {describe_seconds(result["training_seconds"])}, this run '
          f'{describe_seconds(time.monotonic() - started)}')
    return metrics
