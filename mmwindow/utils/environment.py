"""What a result depends on: versions, commit, machine, and a fingerprint of all of it."""
import contextlib
import hashlib
import platform
import subprocess
from importlib import import_module
from pathlib import Path

import mmwindow

VERSIONED = ('torch', 'mmengine', 'mmcv', 'mmdet', 'numpy')  # modules whose versions a result names


def fingerprint(cfg, seed, data=''):
    """Return a hash of all that decides what a training gives.

    Args:
        cfg (Config): With all overrides.
        seed (int): Of the training.
        data (str): What the config does not say: checksums of files, number of processes.

    Returns:
        str: 64 hexadecimal digits.
    """
    import torch  # here: utils are imported where torch is not wanted

    text = cfg.pretty_text + f'seed {seed} mmwindow {mmwindow.__version__} torch {torch.__version__}'
    return hashlib.sha256((text + data).encode()).hexdigest()


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
    import torch  # here: utils are imported where torch is not wanted

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
                **{name: import_module(name).__version__ for name in VERSIONED})
