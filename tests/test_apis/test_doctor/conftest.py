"""Small data sets with one fault each, written by the test that plants it."""
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmwindow.apis.doctor.check_data import CheckSettings, check_data
from mmwindow.utils.progress import ProgressDisplay


class Silent(ProgressDisplay):
    """Shows nothing."""

    def _write(self, text):
        pass


def make_picture(seed, height=96, width=80):
    """Return a picture of few coarse structures: seeds differ as radiographs of patients do."""
    generator = np.random.default_rng(seed)
    coarse = generator.uniform(30, 220, (7, 6)).astype(np.float32)
    pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return (pixels + generator.normal(0, 4, pixels.shape)).clip(0, 255).astype(np.uint8)


def encode(pixels, suffix='.png'):
    done, content = cv2.imencode(suffix, pixels)
    assert done
    return content.tobytes()


class DataFolder:
    """A data folder that is written image by image."""

    def __init__(self, folder, splits=('train', 'val', 'test')):
        self.folder, self.splits = Path(folder), splits
        (self.folder / 'images').mkdir(parents=True)
        self.contents = {split: dict(images=[], annotations=[], categories=[
            dict(id=1, name='fracture')]) for split in splits}
        self.number = 0

    def add(self, split='', points=(), pixels=None, content=None, name=None, **fields):
        """Add an image and return its entry; without ``pixels`` one of its own."""
        self.number += 1
        pixels = make_picture(self.number) if pixels is None else pixels
        name = name or f'{self.number:04}.png'
        path = self.folder / 'images' / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode(pixels) if content is None else content)
        entry = dict(id=self.number, file_name=name, height=pixels.shape[0], width=pixels.shape[1],
                     group=f'p{self.number}') | fields
        part = self.contents[split]
        part['images'].append({key: value for key, value in entry.items() if value is not None})
        for x, y in points:
            part['annotations'].append(dict(
                id=1000 * self.number + len(part['annotations']), image_id=entry['id'],
                category_id=1, keypoints=[x, y, 2], num_keypoints=1))
        return entry

    def fill(self, numbers=None):
        """Add as many positive and negative images to each split."""
        for split in self.splits:
            for number in range((numbers or {'train': 12, 'val': 4, 'test': 4}).get(split, 10)):
                self.add(split, [(20 + number, 40.5)] if number % 2 else [])
        return self

    def write(self):
        """Write the point files and return the path to check."""
        for split, content in self.contents.items():
            path = self.folder / (f'annotations/{split}.json' if split else 'points.json')
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(content))
        return self.folder if self.splits != ('', ) else self.folder / 'points.json'

    def check(self, **settings):
        """Return the report."""
        return check_data(self.write(), CheckSettings(**settings), Silent())


@pytest.fixture
def data(tmp_path):
    """A folder with train, val and test, empty."""
    return DataFolder(tmp_path / 'data')


@pytest.fixture
def single(tmp_path):
    """A folder with one point file, empty."""
    return DataFolder(tmp_path / 'data', ('', ))


@pytest.fixture
def find():
    """Return the only problem of a kind, or None where there is none."""
    def find_problem(report, kind):
        problems = [problem for problem in report.problems if problem.kind == kind]
        assert len(problems) <= 1
        return problems[0] if problems else None
    return find_problem
