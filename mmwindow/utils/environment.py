"""What a result depends on: versions, commit, machine, code, and fingerprints of all of it."""
import ast
import contextlib
import hashlib
import platform
import subprocess
from collections.abc import Collection, Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import mmwindow

VERSIONED = ('torch', 'mmengine', 'mmcv', 'mmdet', 'numpy')  # modules whose versions a result names


# Modules that training imports through mmdet's registries, and the folders that decide weights.
TRAINING_ROOTS = ('mmwindow.models', 'mmwindow.engine', 'mmwindow.engine.hooks', 'mmwindow.datasets')
TRAINING_FOLDERS = ('models', 'datasets', 'engine', 'structures', 'images', 'annotations')
SCORING_ROOTS = ('mmwindow.evaluation.froc_metric',)
SCORING_FOLDERS = ('evaluation',)
# Fields of a syntax tree that follow from others, or say nothing of what is executed.
LEFT_OUT = ('ctx', 'kind', 'type_comment', 'type_ignores')


def fingerprint(cfg: Any, seed: int | None, data: str = '') -> str:
    """Return a hash of the settings that decide what a training gives; of code see below.

    Args:
        cfg: A ``Config`` with all overrides.
        seed: Of the training.
        data: What the config does not say: checksums of files, number of processes.

    Returns:
        64 hexadecimal digits.
    """
    import torch  # here: utils are imported where torch is not wanted

    text = cfg.pretty_text + f'seed {seed} mmwindow {mmwindow.__version__} torch {torch.__version__}'
    return hashlib.sha256((text + data).encode()).hexdigest()


@lru_cache
def training_code() -> str:
    """Return a mark of the code that a training executes.

    It is a hash of the modules that the models, data sets and hooks import, without comments,
    docstrings and type hints: what changes it can change the weights.
    """
    return code_mark(TRAINING_ROOTS, TRAINING_FOLDERS)


@lru_cache
def scoring_code() -> str:
    """Return a mark of the code that turns predictions into numbers, as :func:`training_code`."""
    return code_mark(SCORING_ROOTS, SCORING_FOLDERS)


def code_mark(roots: Collection[str], folders: Collection[str], package: Path | None = None) -> str:
    """Return a hash of the modules that some modules import, directly or not.

    Args:
        roots: Dotted names to begin with.
        folders: Of the package; modules in other folders are not looked at.
        package: Folder of the package; this one's if None.

    Returns:
        16 hexadecimal digits.
    """
    package = package or Path(mmwindow.__file__).parent
    waiting, sources = list(roots), {}
    while waiting:
        name = waiting.pop()
        path = _module_path(name, package)
        if path is None or path in sources or path.relative_to(package).parts[0] not in folders:
            continue
        tree = ast.parse(path.read_text(encoding='utf-8'))
        waiting += _imported_names(tree, path, package)
        sources[path] = _normalised(tree)
    lines = [f'{path.relative_to(package).as_posix()} {sources[path]}' for path in sorted(sources)]
    return hashlib.sha256('\n'.join(lines).encode()).hexdigest()[:16]


def _module_path(name: str, package: Path) -> Path | None:
    """Return the file of a module of the package; None for any other name."""
    first, *rest = name.split('.')
    if first != package.name or not rest:
        return None
    place = package.joinpath(*rest)
    return next((path for path in (place.with_suffix('.py'), place / '__init__.py')
                 if path.is_file()), None)


def _imported_names(tree: ast.AST, path: Path, package: Path) -> Iterator[str]:
    """Yield the absolute names that a file imports; each may be a module or an object."""
    here = [package.name, *path.relative_to(package).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = '.'.join([*(here[:len(here) - node.level + 1] if node.level else []),
                             *([node.module] if node.module else [])])
            yield base
            yield from (f'{base}.{alias.name}' for alias in node.names)


def _normalised(tree: ast.AST) -> str:
    """Return a file's code without comments, docstrings and the hints of its functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        body = getattr(node, 'body', None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and isinstance(
                body[0].value, ast.Constant) and isinstance(body[0].value.value, str):
            body[0].value.value = ''
    return _structure(tree)


def _structure(node: Any) -> str:
    """Return a syntax tree as text that is the same in every version of Python.

    ``ast.unparse`` and ``ast.dump`` are not: versions choose other quotes, and add fields. A field
    that is empty says nothing, and a newer version's fields are empty in code for the older ones.
    """
    if isinstance(node, ast.JoinedStr):  # Python 3.12.1 ends a format by an empty constant
        node.values = [part for part in node.values
                       if not (isinstance(part, ast.Constant) and part.value == '')]
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node)
                  if name not in LEFT_OUT and value is not None and value != [])
        return type(node).__name__ + '(' + ','.join(
            f'{name}={_structure(value)}' for name, value in sorted(fields)) + ')'
    if isinstance(node, list):
        return '[' + ','.join(map(_structure, node)) + ']'
    return ascii(node)


def describe_processor() -> str:
    """Return the processor's name where the system tells it (Linux), else its architecture."""
    with contextlib.suppress(OSError), open('/proc/cpuinfo', encoding='utf-8') as stream:
        for line in stream:
            name, _, value = line.partition(':')
            if name.strip() == 'model name':
                return value.strip()
    return platform.machine()


def describe_machine() -> str:
    """Return processor, its vector instructions as torch uses them, threads and GPUs in words."""
    import torch  # here: utils are imported where torch is not wanted

    words = (f'{describe_processor()} ({torch.backends.cpu.get_cpu_capability()}), '
             f'{torch.get_num_threads()} threads')
    if torch.cuda.is_available():
        words += f', {torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}'
    return words


def describe_commit() -> str | None:
    """Return the commit of this package's own checkout, '-dirty' behind it where files differ.

    None where the package is no checkout, as after an installation, or git is not there.
    """
    root = Path(mmwindow.__file__).resolve().parents[1]

    def git(*arguments: str) -> str:
        return subprocess.run(['git', '-C', str(root), *arguments], capture_output=True, text=True,
                              check=True).stdout.strip()
    try:
        if Path(git('rev-parse', '--show-toplevel')) != root:  # a user's checkout around ours
            return None
        return git('describe', '--always', '--dirty', '--abbrev=12', '--exclude=*')
    except (OSError, subprocess.CalledProcessError):
        return None


def describe_versions() -> dict[str, str | None]:
    """Return the versions, and the commit, that a result depends on."""
    return dict(mmwindow=mmwindow.__version__, commit=describe_commit(),
                python=platform.python_version(),
                **{name: import_module(name).__version__ for name in VERSIONED})
