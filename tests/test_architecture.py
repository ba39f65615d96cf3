"""Which file may import which: the arrows of the house run down only.

cli, tools -> apis, experiments -> visualization, datasets, models, engine, evaluation ->
annotations, structures -> images -> utils
"""
import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'mmwindow'
OPENMMLAB = {'mmengine', 'mmcv', 'mmdet'}
# What a folder (or file) of the package may import from the rest of the package.
ALLOWED = {
    'utils': set(),
    'annotations': {'images', 'utils'},
    'images': {'utils'},
    'structures': {'utils'},
    'synthetic': {'annotations', 'utils'},
    'evaluation': {'annotations', 'utils'},
    'engine': {'utils'},
    'models': {'structures', 'utils'},
    'datasets': {'annotations', 'images', 'structures', 'utils'},
    'zoo': {'utils'},
    'runtime': {'images', 'structures', 'utils', 'zoo'},
    'dicom_out': {'utils'},
    'visualization': {'annotations', 'evaluation', 'images', 'structures', 'utils'},
}
BELOW = set(ALLOWED)
ALLOWED['apis'] = BELOW
ALLOWED['experiments'] = BELOW | {'apis'}
ALLOWED['cli'] = ALLOWED['__main__'] = BELOW | {'apis', 'cli', 'experiments'}
# What every part may use of the package's own head: its version, the hook for renamed modules.
ALLOWED['_registration'] = ALLOWED['_renamed'] = ALLOWED['registry'] = set()
# Imported without torch and mmdet, even where these are installed.
LIGHT = ('utils', 'annotations', 'images', 'evaluation', 'runtime', 'dicom_out', 'zoo')


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
    'path', [path for path in FILES if room(path) in (*LIGHT, 'synthetic')
             and path.name != 'froc_metric.py'],
    ids=lambda path: str(path.relative_to(PACKAGE)))
def test_light_files_know_no_openmmlab(path):
    tree = ast.parse(path.read_text(encoding='utf-8'))
    roots = {name.split('.')[0] for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)
             for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import)
                          else [node.module])}
    assert not roots & (OPENMMLAB | {'torch'})


# Calls that decode images: `images/formats` alone makes them, so that all that reads images reads the
# same pixels and rejects the same files (docs/images.md).
DECODERS = {'imread', 'imreadmulti', 'imdecode', 'imdecodemulti', 'imfrombytes', 'decode_jpeg',
            'TiffImageFile', 'WebPImageFile', 'VideoCapture'}
MAY_DECODE = {
    'mmwindow/evaluation/files/array_files.py':
        'maps of scores as PNG, no radiographs; the evaluation imports no images',
    'mmwindow/synthetic/sources.py': 'pictures that it has just written',
    'tools/benchmark_images.py': 'compares with OpenCV',
    'tools/fuzzing/importer_readings.py': 'compares with Pillow',
    'tools/fuzzing/readers_images.py': 'compares with Pillow'}


def decoder_calls(path):
    """Yield the names by which a file decodes images: cv2.imread, Image.open and their like."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(
                node.value, 'id', '')
            if node.attr in DECODERS or (owner, node.attr) == ('Image', 'open'):
                yield f'{owner}.{node.attr}'
        elif isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            yield from names & DECODERS
            if node.module == 'PIL.Image' and 'open' in names:
                yield 'PIL.Image.open'


def test_images_are_decoded_in_one_place():
    found = {}
    for path in (*FILES, *sorted((ROOT / 'tools').glob('**/*.py'))):
        name = path.relative_to(ROOT).as_posix()
        if calls := sorted(decoder_calls(path)):
            found[name] = calls
    inside = {name for name in found if name.startswith('mmwindow/images/formats/')}
    assert set(found) - inside == set(MAY_DECODE), found
    assert len(inside) >= 3  # OpenCV, libjpeg-turbo, libtiff: the test sees what it looks for


def run_python(code):
    result = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True,
                            text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


# One process each, forked from one that has what takes long and is not asked about.
FORKS = """
import json, os, sys
import cv2, matplotlib.pyplot, pycocotools.mask, scipy.stats, torch
assert not {"mmdet", "mmengine", "mmwindow"} & set(sys.modules)
for code in json.load(sys.stdin):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(write, 1)
        os.close(write)
        status = 1
        try:
            exec(code, {})
            sys.stdout.flush()
            status = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(write)
    with open(read) as stream:
        output = stream.read()
    print(json.dumps([os.waitpid(child, 0)[1], output.strip()]), flush=True)
"""
ORDERS = [
    ('import mmwindow', 'from mmdet.registry import MODELS'),
    ('from mmdet.registry import MODELS', 'import mmwindow'),
    ('from mmdet.registry import MODELS; MODELS.get("Nothing")', 'import mmwindow')]
KINDS = dict(MODELS='WindowLoss', DATASETS='CocoPointDataset', METRICS='FROCMetric',
             TRANSFORMS='PointToBoundTransform', HOOKS='ProgressHook',
             DATA_SAMPLERS='BalancedImageSampler', OPTIM_WRAPPERS='BFloat16OptimWrapper')
PROGRAMS = [
    *(f'{first}\n{second}\nprint(MODELS.get("DensePointHead").__module__)'
      for first, second in ORDERS),
    'import mmwindow\nfrom mmdet import registry\n'
    f'for key, name in {KINDS}.items():\n'
    '    print(getattr(registry, key).get(name).__module__)',
    'import warnings\n'
    'with warnings.catch_warnings(record=True) as caught:\n'
    '    warnings.simplefilter("always")\n'
    '    from mmwindow.bounds import check_window\n'
    '    from mmwindow.apis.runs import read_json\n'
    '    from mmwindow.evaluation.metrics import FROCMetric, to_numpy\n'
    '    from mmwindow.datasets.point_file import check_image_files\n'
    '    from mmwindow.apis.experiments.folds import prepare_folder, run_folds\n'
    '    from mmwindow.apis.experiments.arguments import run_command\n'
    '    from mmwindow.datasets.synthetic.sheet import contact_sheet\n'
    '    from mmwindow.apis.experiments.run_plan import plan_runs\n'
    'own = [entry for entry in caught if entry.category is FutureWarning and "mmwindow" in '
    'str(entry.message)]\n'
    'import mmwindow.structures.bounds, mmwindow.utils.files\n'
    'print(check_window is mmwindow.structures.bounds.check_window, '
    'read_json is mmwindow.utils.files.read_json, len(own) >= 5, '
    '"mmwindow.structures.bounds" in str(own[0].message))']


@pytest.fixture(scope='module')
def outputs():
    """What each of the programs prints."""
    result = subprocess.run([sys.executable, '-W', 'ignore', '-c', FORKS], text=True, cwd=ROOT,
                            input=json.dumps(PROGRAMS), capture_output=True, check=False)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.returncode == 0 and all(status == 0 for status, _ in lines), result.stderr
    return dict(zip(PROGRAMS, (line[1] for line in lines), strict=True))


@pytest.mark.parametrize('name', LIGHT)
def test_light_folders_load_no_torch_where_it_is_installed(name):
    heavy = run_python(
        'import sys, pkgutil, importlib\n'
        f'package = importlib.import_module("mmwindow.{name}")\n'
        'for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):\n'
        '    if not module.name.endswith("froc_metric"):\n'
        '        importlib.import_module(module.name)\n'
        'print(sorted({"torch", "mmengine", "mmcv", "mmdet"} & set(sys.modules)))')
    assert heavy == '[]'


def test_the_package_itself_loads_nothing():
    assert run_python('import sys; import mmwindow; print(sorted({"torch", "mmdet", "numpy"} & '
                      'set(sys.modules)))') == '[]'


@pytest.mark.parametrize('number', range(len(ORDERS)))
def test_types_are_registered_in_either_order(number, outputs):
    assert outputs[PROGRAMS[number]] == 'mmwindow.models.heads.dense_point_head'


def test_every_kind_of_type_is_registered(outputs):
    found = outputs[PROGRAMS[-2]].splitlines()
    assert len(found) == len(KINDS)
    assert all(line.startswith('mmwindow.') for line in found)


def test_old_module_names_warn_and_give_the_same_objects(outputs):
    assert outputs[PROGRAMS[-1]] == 'True True True True'


def test_import_without_mmdet_gives_the_numpy_parts():
    assert run_python(
        'import sys, importlib.abc\n'
        'class Hide(importlib.abc.MetaPathFinder):\n'
        '    def find_spec(self, name, path=None, target=None):\n'
        '        if name.split(".")[0] in ("mmdet", "mmcv", "mmengine", "torch"):\n'
        '            raise ModuleNotFoundError(name, name=name)\n'
        'sys.meta_path.insert(0, Hide())\n'
        'import mmwindow\n'
        'print(mmwindow.evaluation.auroc([0, 1], [0.2, 0.7]), "torch" in sys.modules)'
    ) == '1.0 False'
