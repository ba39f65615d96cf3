"""Packaging of mmwindow: the package, and configs and tools under ``mmwindow/.mim``.

The ``.mim`` folder is OpenMMLab's convention: the configs of an installed package are found by
``_base_ = 'mmwindow::windowloss/...'``, ``mmengine.hub.get_config`` and ``mim``.
"""
import os
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent.resolve()
# Two stacks, never both in one environment; torch is not among them, its build is the user's choice.
EXTRAS = ('openmmlab', 'onedl', 'train', 'plots', 'dicom', 'codecs', 'reports',
          'export', 'runtime', 'tracking', 'cluster', 'tests')


def read_requirements(name):
    """Return the requirements of ``requirements/<name>.txt`` without their reasons."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [line.split('#')[0].strip() for line in lines if line.split('#')[0].strip()]


MIM_CONTENT = ('configs', 'tools', 'model-index.yml')
# Old paths of configs, for one version, in checkouts alone: `mim train` wants one file of a name.
LEFT_OUT = ('__pycache__', 'synthetic', 'fracatlas')
# MMDetection's own tools read a config before they import what it names, so that they know
# `mmwindow::` only if mmwindow is imported with mmengine. This file in site-packages does that.
STARTUP_FILE = 'mmwindow.pth'
STARTUP_CODE = '''
class ImportWithMMEngine:
    def find_spec(self, name, path=None, target=None):
        if name == 'mmengine':
            sys.meta_path.remove(self)
            try:
                import mmwindow
            except ImportError:
                pass
sys.meta_path.insert(0, ImportWithMMEngine())
'''


class BuildWithConfigs(build_py):
    """Add ``mmwindow/.mim`` (in an editable install: links) and the file read at Python's start."""

    def run(self):
        super().run()
        editable = getattr(self, 'editable_mode', False)
        target = (ROOT if editable else Path(self.build_lib)) / 'mmwindow' / '.mim'
        target.mkdir(parents=True, exist_ok=True)
        for name in MIM_CONTENT:
            place = target / name
            if place.is_symlink():
                place.unlink()
            if editable:
                place.symlink_to(os.path.relpath(ROOT / name, target))
            elif (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, place, dirs_exist_ok=True,
                                ignore=shutil.ignore_patterns(*LEFT_OUT))
            else:
                shutil.copy(ROOT / name, place)
        site_packages = (self.get_finalized_command('install').install_lib if editable
                         else self.build_lib)
        Path(site_packages, STARTUP_FILE).write_text(f'import sys; exec({STARTUP_CODE!r})\n')


setup(
    name='mmwindow',
    version=re.search(r"__version__ = '(.+)'", (ROOT / 'mmwindow/__init__.py').read_text()).group(1),
    description='Window Loss and point-supervised detection for radiographs, on MMDetection',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    keywords='radiograph, fracture, point annotation, object detection, FROC',
    packages=find_packages(include=['mmwindow', 'mmwindow.*']),
    python_requires='>=3.10,<3.13',  # pkg_resources-era mmcv 2.1.0; 3.11 is what CI runs
    package_data={'mmwindow': ['py.typed'],
                  'mmwindow.zoo': ['*.json', '*.md', '*.onnx', '*.pth']},
    install_requires=read_requirements('core'),
    extras_require={name: read_requirements(name) for name in EXTRAS},
    entry_points={'console_scripts': ['mmwindow=mmwindow.cli:main']},
    cmdclass={'build_py': BuildWithConfigs},
    zip_safe=False,
)
