"""What tests in several folders use: marks by folder, a tiny data set, FracAtlas."""
import functools
import gc
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TESTS = Path(__file__).parent
# Folders whose tests start programs and assert files, not numbers. Every other test is `numeric`.
WITHOUT_NUMBERS = ('test_apis', 'test_experiments', 'test_mmdet', 'test_tools')

# Imports make hardly any garbage, and are most of the heap: until they are done, and of them, no
# collection is worth its time.
gc.disable()


def pytest_collection_finish():
    """Leave what is imported out of what mmengine collects as garbage at each data set."""
    gc.freeze()
    gc.enable()


# Expected numbers, processes and printed lines are those of a CPU, also on a machine with GPUs.
os.environ['CUDA_VISIBLE_DEVICES'] = ''
if os.environ.get('MMWINDOW_TEST_NUMBA') == 'off':  # as where it is not installed
    sys.modules['numba'] = None


@pytest.fixture(scope='session', autouse=True)
def own_cache(tmp_path_factory):
    """Keep the cache of images away from the user's."""
    before = os.environ.get('MMWINDOW_CACHE')
    os.environ['MMWINDOW_CACHE'] = str(tmp_path_factory.mktemp('cache'))
    yield
    if before is None:
        del os.environ['MMWINDOW_CACHE']
    else:
        os.environ['MMWINDOW_CACHE'] = before


@pytest.fixture(scope='session', autouse=True)
def quick_runner():
    """Let trainings within the tests not wait for the layout of configs and versions of compilers.

    mmengine lays a config out by yapf for each checkpoint: four tenths of a tiny training. The text
    says the same without. Programs that tests start do both.
    """
    if 'mmengine.runner' not in sys.modules:
        yield
        return
    from mmengine.config import config
    from mmengine.runner import runner
    from yapf.yapflib import yapf_api

    def keep(text, *_, **__):
        return text, False
    environment = functools.cache(runner.collect_env)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yapf_api, 'FormatCode', keep)
        patch.setattr(config, 'FormatCode', keep, raising=False)  # the fork imports it late
        patch.setattr(runner, 'collect_env', lambda: dict(environment()))
        yield


@pytest.fixture(scope='session', autouse=True)
def quick_figures():
    """Draw figures outside the tests of figures coarsely and without a computed layout.

    Everything is drawn, and an error in it is one; a fifth of the time is left. The fixture
    ``full_figures`` leaves them as a user has them.
    """
    if 'matplotlib.figure' not in sys.modules:
        yield
        return
    figure = sys.modules['matplotlib.figure'].Figure
    save = figure.savefig

    def save_coarsely(self, *args, **kwargs):
        if not os.environ.get('MMWINDOW_TEST_FULL_FIGURES'):
            self.set_layout_engine('none')
            kwargs['dpi'] = 20
        return save(self, *args, **kwargs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure, 'savefig', save_coarsely)
        yield


@pytest.fixture(scope='module')
def without_run_figures():
    """Leave the figures out of the reports of trainings and tests: two fifths of a tiny one.

    An error in them would not be seen anyway: a report that fails costs no training.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmwindow.apis.run_report.page.draw_run_figures', lambda *_: {})
        yield


@pytest.fixture
def full_figures(monkeypatch):
    """Draw figures as a user has them."""
    monkeypatch.setenv('MMWINDOW_TEST_FULL_FIGURES', '1')


def pytest_collection_modifyitems(items):
    """Mark as ``numeric`` what tools/run_tests.sh runs a second time, on other instructions."""
    for item in items:
        if ' at 0x' in item.nodeid:  # another one in each process: pytest-xdist would run nothing
            raise pytest.UsageError(f'{item.nodeid}: its name holds an address; give it ids')
        folder = item.path.relative_to(TESTS).parts[0]
        if folder.startswith('test_') and '.' not in folder and folder not in WITHOUT_NUMBERS:
            item.add_marker('numeric')


def write_tiny_dataset(folder, num_imgs=(6, 5, 5), height=80, width=96, seed=0):
    """Write images with a dark blot at each point; every other image is a normal."""
    generator = np.random.default_rng(seed)
    (folder / 'images').mkdir(parents=True)
    (folder / 'annotations').mkdir()
    img_id = 0
    for split, num in zip(('train', 'val', 'test'), num_imgs, strict=True):
        imgs, annotations = [], []
        for index in range(num):
            img_id += 1
            pixels = generator.normal(150, 12, (height, width))
            if index % 2 == 0:
                x, y = generator.uniform(15, width - 15), generator.uniform(15, height - 15)
                rows, columns = np.mgrid[:height, :width] + 0.5
                pixels[np.hypot(columns - x, rows - y) < 6] -= 90
                annotations.append(dict(
                    id=img_id, image_id=img_id, category_id=1, keypoints=[x, y, 2],
                    num_keypoints=1))
            name = f'{split}_{index}.png'
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / 'images' / name)
            imgs.append(dict(id=img_id, file_name=name, height=height, width=width,
                             group=f'patient {img_id}'))
        content = dict(images=imgs, annotations=annotations,
                       categories=[dict(id=1, name='fracture')])
        (folder / 'annotations' / f'{split}.json').write_text(json.dumps(content))
    return folder


@pytest.fixture(scope='session')
def tiny_dataset(tmp_path_factory):
    """Folder with images/ and annotations/{train,val,test}.json: 6, 5 and 5 images, read only."""
    return write_tiny_dataset(tmp_path_factory.mktemp('tiny') / 'data')


TINY_CONFIG = '''
_base_ = '{root}/configs/windowloss/wl_kld_r50_fpn.py'
input_size = 64
data_root = '{data}/'
model = dict(backbone=dict(depth=18, base_channels=8, init_cfg=None),
             neck=dict(in_channels=[8, 16, 32, 64], out_channels=16), bbox_head=dict(in_channels=16))
train_dataloader = dict(batch_size={batch_size}, num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = dict(num_workers=0, persistent_workers=False)
train_cfg = dict(max_epochs={max_epochs})
'''


@pytest.fixture(scope='session')
def write_tiny_config(tiny_dataset):
    """Return a function that writes the config of a tiny model of our kind: ResNet-18, input 64."""
    def write(path, batch_size=3, max_epochs=1):
        path.write_text(TINY_CONFIG.format(root=TESTS.parent, data=tiny_dataset,
                                           batch_size=batch_size, max_epochs=max_epochs))
        return path
    return write


@pytest.fixture
def own_tiny_dataset(tmp_path):
    """The same, freshly written: a test may spoil it."""
    return write_tiny_dataset(tmp_path / 'data')


@pytest.fixture(scope='session')
def fracatlas():
    """The folder of FracAtlas, which is no part of the project, or a skip with the reason."""
    # The variable that configs/_base_/datasets/fracatlas.py reads.
    folder = TESTS.parent / os.environ.get('MMWINDOW_FRACATLAS', '../shared/fracatlas')
    if not (folder / 'fractures.json').is_file():
        pytest.skip(f'{folder}: FracAtlas is not there; set MMWINDOW_FRACATLAS to its folder')
    return folder


@pytest.fixture(scope='session')
def exported(tmp_path_factory):
    """Return a function from the name of a system to its tiny model, exported; each is made once."""
    models = {}

    def get(system, side=64):
        if (system, side) not in models:
            from tests_exported_models import make_exported_model
            models[system, side] = make_exported_model(system, tmp_path_factory.mktemp('model'), side)
        return models[system, side]

    sys.path.insert(0, str(TESTS / 'test_runtime'))
    try:
        yield get
    finally:
        sys.path.remove(str(TESTS / 'test_runtime'))
