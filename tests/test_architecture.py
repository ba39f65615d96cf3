"""Which file may import which: the arrows of the house run down only.

tools -> apis -> models, datasets, evaluation, engine, visualization -> structures, bounds
"""
import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'mmwindow'
OPENMMLAB = {'mmengine', 'mmcv', 'mmdet'}
# What a folder (or file) of the package may import from the rest of the package.
ALLOWED = {
    'bounds': set(),
    'evaluation': set(),
    'structures': set(),
    'visualization': {'evaluation'},
    'engine': set(),
    'datasets': {'bounds', 'structures'},
    'models': {'bounds', 'structures', 'evaluation'},
    'apis': {'bounds', 'structures', 'evaluation', 'datasets', 'models', 'engine',
             'visualization'},
}


for rooms in ALLOWED.values():
    rooms.add('whole_files')
ALLOWED['whole_files'] = set()


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix('.py')


def imported_modules(path):
    """Yield the absolute dotted names that a file imports, relative ones resolved."""
    package = ['mmwindow', *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else []
            module = '.'.join([*base, *([node.module] if node.module else [])])
            yield module
            for name in node.names:
                yield f'{module}.{name.name}'


FILES = sorted(path for path in PACKAGE.rglob('*.py')
               if '.mim' not in path.parts and path != PACKAGE / '__init__.py')


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_run_down(path):
    allowed = ALLOWED[room(path)] | {room(path)}
    for module in imported_modules(path):
        parts = module.split('.')
        if parts[0] == 'mmwindow' and len(parts) > 1 and (PACKAGE / parts[1]).exists():
            assert parts[1] in allowed, f'{path} imports {module}'


@pytest.mark.parametrize(
    'path', [path for path in FILES if room(path) in ('evaluation', 'bounds')
             and path.name != 'metrics.py'],
    ids=lambda path: str(path.relative_to(PACKAGE)))
def test_numeric_files_know_no_openmmlab(path):
    roots = {module.split('.')[0] for module in imported_modules(path)}
    assert not roots & OPENMMLAB
    if room(path) == 'evaluation':
        assert 'torch' not in roots


def test_import_without_mmdet_gives_the_numpy_parts():
    code = (
        'import sys, importlib.abc\n'
        'class Hide(importlib.abc.MetaPathFinder):\n'
        '    def find_spec(self, name, path=None, target=None):\n'
        '        if name.split(".")[0] in ("mmdet", "mmcv", "mmengine", "torch"):\n'
        '            raise ModuleNotFoundError(name, name=name)\n'
        'sys.meta_path.insert(0, Hide())\n'
        'import importlib.util\n'
        'find_spec = importlib.util.find_spec\n'
        'def hidden(name, package=None):\n'
        '    return None if name in ("mmdet", "torch") else find_spec(name, package)\n'
        'importlib.util.find_spec = hidden\n'
        'import mmwindow\n'
        'assert mmwindow.evaluation.auroc([0, 1], [0.2, 0.7]) == 1.0\n'
        'assert "torch" not in sys.modules\n'
        'print(mmwindow.__all__)\n')
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT,
                            check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "['evaluation', '__version__']"
