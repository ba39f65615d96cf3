"""What an installed package brings along."""
import email
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mmwindow

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """Copy the tracked files, so that the checkout stays clean."""
    source = tmp_path_factory.mktemp('source') / 'mmwindow'
    files = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
                           cwd=ROOT, capture_output=True, check=False)
    if files.returncode != 0:
        pytest.skip('this is no git checkout; the files of the package are not known')
    for name in files.stdout.decode().split('\0'):
        if name and (ROOT / name).is_file():
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    return source


@pytest.fixture(scope='module')
def wheel(source, tmp_path_factory):
    """Build a wheel."""
    out = tmp_path_factory.mktemp('wheel')
    subprocess.run([sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps',
                    '--no-build-isolation', '--wheel-dir', str(out), str(source)], check=True)
    return zipfile.ZipFile(next(out.glob('*.whl')))


def test_wheel_carries_configs_and_tools(wheel):
    names = set(wheel.namelist())
    paths = [ROOT / 'model-index.yml', *(ROOT / 'configs').rglob('*.py'),
             *(ROOT / 'configs').rglob('metafile.yml'), *(ROOT / 'tools').glob('*.*')]
    for path in paths:
        if not {'__pycache__', 'synthetic', 'fracatlas'} & set(path.parts):
            assert f'mmwindow/.mim/{path.relative_to(ROOT)}' in names
    assert not any('__pycache__' in name for name in names)


def test_mim_finds_each_config_by_one_name(wheel):
    """`mim train mmwindow NAME.py` searches the installed package and wants exactly one file."""
    stems = [Path(name).stem for name in wheel.namelist()
             if name.startswith('mmwindow/.mim/configs/') and name.endswith('.py')
             and '_base_' not in name]
    assert len(stems) == len(set(stems)) > 30
    index = yaml.safe_load(wheel.read('mmwindow/.mim/model-index.yml'))
    models = [model for path in index['Import']
              for model in yaml.safe_load(wheel.read(f'mmwindow/.mim/{path}'))['Models']]
    assert sorted(model['Name'] for model in models) == sorted(stems)
    for model in models:  # mmengine's hub reads the file, by its place in the package
        assert Path(model['Config']).stem == model['Name']
        assert f'mmwindow/.mim/{model["Config"]}' in wheel.namelist()


def test_an_install_lets_foreign_tools_read_our_config_names(wheel, tmp_path):
    """A stock tool imports mmengine and nothing of ours, then reads a config on `mmwindow::...`."""
    wheel.extractall(tmp_path / 'site')
    (tmp_path / 'own.py').write_text("_base_ = 'mmwindow::windowloss/wl_kld_r50_fpn.py'")
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c',
         f'import sys, site; sys.path.insert(0, {str(tmp_path / "site")!r})\n'
         f'site.addsitedir({str(tmp_path / "site")!r})\n'
         'loaded = "mmwindow" in sys.modules\n'
         'from mmengine.config import Config\n'
         'cfg = Config.fromfile("own.py")\n'
         'print(loaded, sys.modules["mmwindow"].__file__, cfg.model.bbox_head.type)'],
        cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.stdout.split() == [
        'False', str(tmp_path / 'site/mmwindow/__init__.py'), 'DensePointHead'], result.stderr


def test_an_editable_install_links_what_mim_reads(source, tmp_path):
    result = subprocess.run(
        [sys.executable, '-c', 'import sys; from setuptools.build_meta import build_editable\n'
         'build_editable(sys.argv[1])', str(tmp_path)],
        cwd=source, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert 'mmwindow.pth' in zipfile.ZipFile(next(tmp_path.glob('*.whl'))).namelist()
    for name in ('configs', 'tools', 'model-index.yml'):
        assert (source / 'mmwindow/.mim' / name).resolve() == source / name


def test_wheel_carries_every_module(wheel):
    names = set(wheel.namelist())
    for path in (ROOT / 'mmwindow').rglob('*.py'):
        if '.mim' not in path.parts:
            assert str(path.relative_to(ROOT)) in names


def test_wheel_and_sdist_carry_the_zoo(wheel, source, tmp_path):
    """Models, cards and check sums: `mmwindow predict fracatlas` needs no network."""
    sdist = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', 'import sys\n'
         'from setuptools.build_meta import build_sdist\nbuild_sdist(sys.argv[1])', str(tmp_path)],
        cwd=source, capture_output=True, text=True, check=False)
    assert sdist.returncode == 0, sdist.stderr
    with tarfile.open(next(tmp_path.glob('*.tar.gz'))) as archive:
        packed = {name.partition('/')[2] for name in archive.getnames()}
    files = [path for path in (ROOT / 'mmwindow/zoo').iterdir() if path.suffix in (
        '.json', '.md', '.onnx', '.pth')]
    assert {path.suffix for path in files} == {'.json', '.md', '.onnx', '.pth'}
    for path in files:
        name = str(path.relative_to(ROOT))
        assert wheel.read(name) == path.read_bytes() and name in packed
    assert sum(info.compress_size for info in wheel.infolist()) < 48_000_000


def test_wheel_says_version_and_licence(wheel):
    metadata = next(name for name in wheel.namelist() if name.endswith('METADATA'))
    text = wheel.read(metadata).decode()
    assert f'Version: {mmwindow.__version__}' in text
    assert 'License: Apache-2.0' in text
    # torch's build must be the user's choice, so it is not among the requirements.
    assert 'Requires-Dist: torch' not in text


def test_wheel_without_extras_asks_for_the_core_alone(wheel):
    """Evaluation needs no plots and no training stack, and types are announced (PEP 561)."""
    metadata = next(name for name in wheel.namelist() if name.endswith('METADATA'))
    message = email.message_from_bytes(wheel.read(metadata))
    core = {re.match(r'[\w.-]+', line).group() for line in message.get_all('Requires-Dist')
            if 'extra ==' not in line}
    assert core == {'numpy', 'scipy', 'pillow', 'opencv-python', 'defusedxml', 'simplejpeg'}
    assert set(message.get_all('Provides-Extra')) == {
        'cluster', 'codecs', 'dicom', 'export', 'onedl', 'openmmlab', 'plots', 'reports', 'runtime',
        'tests', 'tracking', 'train'}
    assert 'mmwindow/py.typed' in wheel.namelist()


def test_every_bound_has_a_reason():
    for path in (ROOT / 'requirements').glob('*.txt'):
        for line in path.read_text().splitlines():
            if line.strip() and not line.startswith('#'):
                requirement, _, reason = line.partition('#')
                bounded = any(mark in requirement for mark in '<>=')
                assert not bounded or len(reason.strip()) > 5, f'{path.name}: {line}'


@pytest.mark.parametrize('tool', ['update_readme.py', 'update_model_index.py'])
def test_generated_pages_are_those_of_the_configs_and_result_files(tool):
    result = subprocess.run([sys.executable, str(ROOT / 'tools' / tool), '--check'],
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize('stack', ['openmmlab', 'onedl'])
def test_locked_versions_lie_within_the_bounds(stack):
    """What CI installs is what the bounds allow, and every requirement of its set-up is locked."""
    lines = (ROOT / f'requirements/locked/{stack}.txt').read_text().splitlines()
    locked = {canonicalize_name(line.split('==')[0]): line.split('==')[1]
              for line in lines if not line.startswith('#')}
    for name in (stack, 'core', 'train', 'plots', 'dicom', 'export', 'reports', 'tests'):
        for line in (ROOT / f'requirements/{name}.txt').read_text().splitlines():
            if line.split('#')[0].strip():
                requirement = Requirement(line.split('#')[0].strip())
                if not requirement.name.endswith('mmcv'):  # compiled by tools/build_mmcv_wheel.py
                    version = locked[canonicalize_name(requirement.name)]
                    assert requirement.specifier.contains(version), f'{requirement}: {version}'
