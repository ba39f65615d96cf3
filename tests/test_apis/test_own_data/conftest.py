"""A user's data folder: small images, points.json, patients."""
import contextlib
import io
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from mmwindow import cli
from mmwindow.apis.own_data import plan
from mmwindow.apis.own_data.timing import Timing


def make_data(folder, num_images=24, positive=lambda number: number % 2 == 0, classes=('nodule',),
              images='images', group=lambda number: f'p{number // 2}', draw=True):
    """Write ``points.json`` and images of 64 x 48 pixels with a dark blot at each point.

    Args:
        folder: Of the data.
        num_images: How many.
        positive: Whether an image has a point, by its number.
        classes: Names; a positive image has a point of each.
        images: Folder of the images, relative to ``folder``.
        group: Patient of an image, by its number.
        draw: False: no image files.
    """
    generator = np.random.default_rng(0)
    place = folder / images
    place.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    records, annotations = [], []
    for number in range(num_images):
        name = f'{number:03d}.png'
        records.append(dict(id=number + 1, file_name=name, height=48, width=64,
                            **({} if group is None else dict(group=group(number)))))
        pixels = generator.normal(150, 12, (48, 64))
        for label in range(len(classes) * positive(number)):
            x, y = generator.uniform(10, 50), generator.uniform(10, 38)
            rows, columns = np.mgrid[:48, :64] + .5
            pixels[np.hypot(columns - x, rows - y) < 5] -= 90
            annotations.append(dict(
                id=len(annotations) + 1, image_id=number + 1, keypoints=[x, y, 2], num_keypoints=1,
                category_id=label + 1))
        if draw:
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(place / name)
    (folder / 'points.json').write_text(json.dumps(dict(
        info=dict(images_folder=images), images=records, annotations=annotations,
        categories=[dict(id=label + 1, name=name) for label, name in enumerate(classes)])))
    return folder


@pytest.fixture(scope='session')
def write_own_data():
    """The function that writes a data folder."""
    return make_data


@pytest.fixture
def own_data(tmp_path):
    """24 images of 12 patients, every other one positive; a test may spoil it."""
    return make_data(tmp_path / 'mine')


# What makes any config train in a second; not part of what is chosen.
SMALL = {
    'input_size': 64, 'model.backbone.pretrained': False, 'train_cfg.max_epochs': 1,
    'train_dataloader.batch_size': 6, 'val_dataloader.batch_size': 6,
    'test_dataloader.batch_size': 6, 'default_hooks.logger.interval': 1,
    **{f'{split}_dataloader.{key}': value for split in ('train', 'val', 'test')
       for key, value in {'num_workers': 0, 'persistent_workers': False}.items()}}


class OwnRun(NamedTuple):
    """A training on a user's data through the command."""

    data: Path
    work_dir: Path
    config: Path
    output: str
    arguments: list[str]


def as_arguments(options):
    return [f'{key}={value}'.replace(' ', '') for key, value in options.items()]


@pytest.fixture(scope='session')
def small():
    """Overrides that make a training last a second."""
    return dict(SMALL)


@pytest.fixture(scope='session')
def own_run(tmp_path_factory):
    """WL-KLD, trained by ``mmwindow train --data`` for an epoch on two classes; read only."""
    folder = tmp_path_factory.mktemp('own')
    make_data(folder / 'mine', 40, classes=('nodule', 'mass'), group=None)
    arguments = ['train', '--data', str(folder / 'mine'), '--division', 'single', '--work-dir',
                 str(folder / 'work'), '--no-report', '--cfg-options', *as_arguments(SMALL)]
    output = io.StringIO()
    with contextlib.redirect_stdout(output), pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, 'time_training', lambda cfg, amp: Timing(1., .01, .1))
        cli.main(arguments)
    return OwnRun(folder / 'mine', folder / 'work', folder / 'work/config/wl_kld_lite0_fpn.py',
                  output.getvalue(), arguments)
