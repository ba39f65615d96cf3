"""What an installed package brings along."""
import email
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import mmwindow

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """Build a wheel from a copy of the tracked files, so that the checkout stays clean."""
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
    out = tmp_path_factory.mktemp('wheel')
    subprocess.run([sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps',
                    '--no-build-isolation', '--wheel-dir', str(out), str(source)], check=True)
    return zipfile.ZipFile(next(out.glob('*.whl')))


def test_wheel_carries_configs_and_tools(wheel):
    names = set(wheel.namelist())
    for path in [*(ROOT / 'configs').rglob('*.py'), *(ROOT / 'tools').glob('*.*')]:
        if '__pycache__' not in path.parts:
            assert f'mmwindow/.mim/{path.relative_to(ROOT)}' in names
    assert not any('__pycache__' in name for name in names)


def test_wheel_carries_every_module(wheel):
    names = set(wheel.namelist())
    for path in (ROOT / 'mmwindow').rglob('*.py'):
        if '.mim' not in path.parts:
            assert str(path.relative_to(ROOT)) in names


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
    assert core == {'numpy', 'scipy', 'pillow', 'opencv-python'}
    assert set(message.get_all('Provides-Extra')) == {
        'dicom', 'export', 'onedl', 'openmmlab', 'plots', 'tests', 'train'}
    assert 'mmwindow/py.typed' in wheel.namelist()


def test_every_bound_has_a_reason():
    for path in (ROOT / 'requirements').glob('*.txt'):
        for line in path.read_text().splitlines():
            if line.strip() and not line.startswith('#'):
                requirement, _, reason = line.partition('#')
                bounded = any(mark in requirement for mark in '<>=')
                assert not bounded or len(reason.strip()) > 5, f'{path.name}: {line}'


def test_readme_tables_are_those_of_the_result_files():
    result = subprocess.run([sys.executable, str(ROOT / 'tools/update_readme.py'), '--check'],
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
