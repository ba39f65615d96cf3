"""Interrupted runs of the generator leave nothing that a later one takes for whole."""
import json

import cv2
import pytest

from mmwindow.datasets import CocoPointDataset
from mmwindow.synthetic import write_dataset, writing

SETTINGS = dict(seed=3, num_train=4, num_val=2, num_test=2, side=64, progress=False, workers=1)


def interrupt_after(monkeypatch, num_images):
    """Let the generator be killed while it makes an image."""
    made = []

    def make_image(job, original=writing.make_image):
        if len(made) == num_images:
            raise KeyboardInterrupt
        made.append(job)
        return original(job)

    monkeypatch.setattr(writing, 'make_image', make_image)


@pytest.mark.parametrize('num_images', [0, 3, 7])
def test_an_interrupted_run_leaves_no_data_set(tmp_path, monkeypatch, num_images):
    folder = tmp_path / 'set'
    with monkeypatch.context() as patch:
        interrupt_after(patch, num_images)
        with pytest.raises(KeyboardInterrupt):
            write_dataset(folder, **SETTINGS)
    assert not folder.exists()
    assert write_dataset(folder, **SETTINGS) == folder
    reference = write_dataset(tmp_path / 'reference', **SETTINGS)
    for path in reference.rglob('*.*'):
        assert (folder / path.relative_to(reference)).read_bytes() == path.read_bytes()


def test_a_run_cut_before_the_last_step_is_made_anew(tmp_path, monkeypatch):
    def replace(source, target, original=writing.os.replace):
        if target == tmp_path / 'set':
            raise KeyboardInterrupt
        original(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(writing.os, 'replace', replace)
        with pytest.raises(KeyboardInterrupt):
            write_dataset(tmp_path / 'set', **SETTINGS)
    assert not (tmp_path / 'set').exists() and (tmp_path / 'set.part' / 'settings.json').exists()
    (tmp_path / 'set.part' / 'images' / '000001.png').write_bytes(b'half')
    folder = write_dataset(tmp_path / 'set', **SETTINGS)
    assert cv2.imread(str(folder / 'images' / '000001.png')) is not None
    assert not (tmp_path / 'set.part').exists()


def test_somebodys_own_data_set_is_not_touched(own_tiny_dataset):
    # It has the very layout that this project asks for: images/ and annotations/.
    before = {path: path.read_bytes() for path in own_tiny_dataset.rglob('*.*')}
    with pytest.raises(ValueError, match=r'data set of this program \(annotations, images\)'):
        write_dataset(own_tiny_dataset, **SETTINGS)
    assert {path: path.read_bytes() for path in own_tiny_dataset.rglob('*.*')} == before


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / 'set').write_text('mine')
    with pytest.raises(ValueError, match=r'\(set\); name another folder or move it away'):
        write_dataset(tmp_path / 'set', **SETTINGS)
    assert (tmp_path / 'set').read_text() == 'mine'


def test_settings_that_are_no_json_are_refused(tmp_path):
    folder = write_dataset(tmp_path / 'set', **SETTINGS)
    (folder / 'settings.json').write_text('{"version": 1, "se')
    with pytest.raises(ValueError, match='holds a data set of no JSON'):
        write_dataset(folder, **SETTINGS)


def test_an_image_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(writing.cv2, 'imwrite', lambda *arguments: False)
    with pytest.raises(OSError, match='000001.png: could not be written; is the disk full'):
        write_dataset(tmp_path / 'set', **SETTINGS)
    assert not (tmp_path / 'set').exists()


def test_the_data_set_reads_what_was_written(tmp_path):
    folder = write_dataset(tmp_path / 'set', **SETTINGS)
    for split, count in (('train', 4), ('val', 2), ('test', 2)):
        dataset = CocoPointDataset(ann_file=f'annotations/{split}.json', data_root=str(folder),
                                   data_prefix=dict(img='images'))
        samples = [dataset[index] for index in range(len(dataset))]
        assert len(samples) == count
        assert sum(not sample['instances'] for sample in samples) == count // 2  # normals
        content = json.loads((folder / 'annotations' / f'{split}.json').read_text())
        assert sum(len(sample['ori_points']) for sample in samples) == len(content['annotations'])
