"""What every run shares: a fingerprint, files that are whole, going on after a cut."""
import contextlib
import hashlib
import json
import math
import platform
import re
import subprocess
import zipfile
from pathlib import Path

import mmcv
import mmdet
import mmengine
import numpy as np
import torch

import mmwindow
from mmwindow.whole_files import write_text

RESUMABLE = re.compile(r'(?:epoch|iter)_(\d+)\.pth')  # a checkpoint that a training can go on from


def fingerprint(cfg, seed, data=''):
    """Return a hash of all that decides what a training gives.

    Args:
        cfg (Config): With all overrides.
        seed (int): Of the training.
        data (str): What the config does not say: checksums of files, number of processes.

    Returns:
        str: 64 hexadecimal digits.
    """
    text = cfg.pretty_text + f'seed {seed} mmwindow {mmwindow.__version__} torch {torch.__version__}'
    return hashlib.sha256((text + data).encode()).hexdigest()


def write_json(path, content):
    """Write a JSON file; under its own name it is whole."""
    write_text(path, json.dumps(content, indent=1) + '\n')


def read_json(path):
    """Return a JSON file's content, or None where there is no such file.

    Raises:
        ValueError: It is no JSON, or cut short; the message names it.
    """
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError alike
        raise ValueError(f'{path}: no JSON, or cut short ({error}); take it away, and run again what '
                         'writes it') from error


def replace_nan(metrics):
    """Return metrics with None where there is no number: JSON knows no NaN."""
    return {name: None if math.isnan(value) else float(value) for name, value in metrics.items()}


@contextlib.contextmanager
def quiet(log):
    """Send what the runner prints to a file: the terminal keeps the progress line."""
    with open(log, 'a', encoding='utf-8') as stream, contextlib.redirect_stdout(stream):
        yield


def describe_processor():
    """Return the processor's name where the system tells it (Linux), else its architecture."""
    with contextlib.suppress(OSError), open('/proc/cpuinfo', encoding='utf-8') as stream:
        for line in stream:
            name, _, value = line.partition(':')
            if name.strip() == 'model name':
                return value.strip()
    return platform.machine()


def describe_machine():
    """Return processor, its vector instructions as torch uses them, threads and GPUs in words."""
    words = (f'{describe_processor()} ({torch.backends.cpu.get_cpu_capability()}), '
             f'{torch.get_num_threads()} threads')
    if torch.cuda.is_available():
        words += f', {torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}'
    return words


def describe_commit():
    """Return the commit of this package's own checkout, '-dirty' behind it where files differ.

    Returns:
        str | None: None where the package is no checkout, as after an installation, or git is not
        there.
    """
    root = Path(mmwindow.__file__).resolve().parents[1]

    def git(*arguments):
        return subprocess.run(['git', '-C', str(root), *arguments], capture_output=True, text=True,
                              check=True).stdout.strip()
    try:
        if Path(git('rev-parse', '--show-toplevel')) != root:  # a user's checkout around ours
            return None
        return git('describe', '--always', '--dirty', '--abbrev=12', '--exclude=*')
    except (OSError, subprocess.CalledProcessError):
        return None


def describe_versions():
    """Return the versions, and the commit, that a result depends on."""
    return dict(mmwindow=mmwindow.__version__, commit=describe_commit(),
                python=platform.python_version(),
                **{module.__name__: module.__version__
                   for module in (torch, mmengine, mmcv, mmdet, np)})


def find_best_checkpoint(folder):
    """Return the newest best_*.pth of a training."""
    checkpoints = sorted(folder.glob('best_*.pth'), key=lambda path: path.stat().st_mtime)
    if not checkpoints:
        raise ValueError(f'{folder}: there is no best_*.pth though the training ended; delete '
                         'the folder and start again')
    return checkpoints[-1]


def is_whole_checkpoint(path):
    """Return whether a checkpoint was written to its end: torch's archive ends in its index."""
    return Path(path).is_file() and zipfile.is_zipfile(path)


def find_newest_checkpoint(folder):
    """Return the newest whole checkpoint that a training can go on from, or None."""
    saved = {path: int(match[1]) for path in Path(folder).glob('*.pth')
             if (match := RESUMABLE.fullmatch(path.name))
             and is_whole_checkpoint(path)}
    return max(saved, key=saved.get, default=None)


def mend_last_checkpoint(folder):
    """Let ``resume='auto'`` find the newest checkpoint that is whole.

    mmengine writes a checkpoint under its own name and removes the one before first: a
    kill in between leaves ``last_checkpoint`` naming a file that is gone or cut short.

    Args:
        folder (Path): Work dir of the training; need not exist.

    Returns:
        Path | None: Where the training will go on; None: from the start.
    """
    pointer = folder / 'last_checkpoint'
    for path in folder.glob('*.pth'):
        if RESUMABLE.fullmatch(path.name) and not is_whole_checkpoint(path):
            path.unlink(missing_ok=True)
    newest = find_newest_checkpoint(folder)
    if newest is None:
        pointer.unlink(missing_ok=True)
    else:
        write_text(pointer, str(newest.absolute()))
    return newest
