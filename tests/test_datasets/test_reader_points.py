"""Whose points train and are scored, where annotations name several readers."""
import json

import numpy as np
import pytest
from mmdet.registry import DATASETS, METRICS
from mmengine.dataset import BaseDataset
from mmengine.logging import MMLogger

import mmwindow  # noqa: F401
from mmwindow.annotations import read_point_file
from mmwindow.datasets.splits import write_splits


@pytest.fixture
def folder(own_tiny_dataset):
    """The tiny data set, marked by two readers: B one pixel to the right, and nothing on image 5."""
    for path in (own_tiny_dataset / 'annotations').glob('*.json'):
        content = json.loads(path.read_text())
        second = [dict(annotation, id=annotation['id'] + 1000, reader='B',
                       keypoints=[annotation['keypoints'][0] + 1, annotation['keypoints'][1], 2])
                  for annotation in content['annotations'] if annotation['image_id'] != 5]
        for annotation in content['annotations']:
            annotation['reader'] = 'A'
        content['annotations'] += second
        path.write_text(json.dumps(content))
    return own_tiny_dataset


def build(folder, **options):
    return DATASETS.build(dict(
        type='CocoPointDataset', data_root=f'{folder}/', ann_file='annotations/train.json',
        data_prefix=dict(img='images/'), **options))


def first_points(dataset):
    """Return the points of images 1 and 5."""
    samples = {sample['img_id']: sample for sample in map(dataset.get_data_info, range(len(dataset)))}
    return [samples[number]['ori_points'] for number in (1, 5)]


def test_training_rejects_several_readers_until_the_config_says_whose_points(folder):
    with pytest.raises(ValueError, match=r"train\.json: .*2 readers .'A', 'B'.*readers=merge"):
        build(folder)


def test_training_takes_the_points_that_the_config_says(folder):
    (a, b), (alone, ) = first_points(build(folder, readers='all'))
    assert b == [a[0] + 1, a[1]]
    assert first_points(build(folder, readers='A')) == [[a], [alone]]
    assert first_points(build(folder, readers='B')) == [[b], []]
    # Two of two must agree: image 5, which A alone marked, is a negative image.
    assert first_points(build(folder, readers='merge')) == [
        [[pytest.approx(a[0] + 0.5), a[1]]], []]
    dataset = build(folder, readers='merge')
    assert isinstance(dataset, BaseDataset) and len(dataset) == 6
    with pytest.raises(ValueError, match="no reader 'C'"):
        build(folder, readers='C')


def test_an_image_that_a_reader_has_not_read_is_no_negative_image_of_theirs(folder, capsys):
    path = folder / 'annotations' / 'train.json'
    content = json.loads(path.read_text())
    content['images'][1]['readers'] = ['A']
    path.write_text(json.dumps(content))
    logger = MMLogger.get_instance('readers')
    assert [len(build(folder, readers=name)) for name in ('A', 'B', 'merge')] == [6, 5, 6]
    text = ''.join(capsys.readouterr())
    assert text.count("'B' has not read 1 of 6 images, which are left out") == 1
    assert logger is not None


def test_the_metric_takes_the_same_argument(folder):
    ann_file = str(folder / 'annotations' / 'train.json')
    truth = {name: read_point_file(ann_file, readers=name).records for name in ('A', 'B', 'merge')}
    for name, records in truth.items():
        metric = METRICS.build(dict(type='FROCMetric', ann_file=ann_file, readers=name))
        metric.dataset_meta = dict(classes=('fracture', ))
        for record in truth['A']:                    # predicted is what A has marked
            boxes = [[x - 3, y - 3, x + 3, y + 3] for x, y in record.points]
            metric.process(None, [dict(
                img_id=record.img_id, ori_shape=(80, 96), img_path=record.file_name,
                pred_instances=dict(bboxes=np.array(boxes).reshape(-1, 4),
                                    scores=np.ones(len(boxes)),
                                    labels=np.zeros(len(boxes), int)))])
        metrics = metric.evaluate(len(records))
        assert metrics['froc/recall@0.1'] == (1 if name == 'A' else 0)      # image 5: one in six
        assert metrics['froc/recall@0.2'] == 1
    with pytest.raises(ValueError, match='2 readers'):
        METRICS.build(dict(type='FROCMetric', ann_file=ann_file))
    with pytest.raises(ValueError, match='readers is .merge. but there is no ann_file'):
        METRICS.build(dict(type='FROCMetric', readers='merge'))


def test_a_part_of_a_division_keeps_all_readers(tmp_path):
    """A reader who found nothing in a part has read it nevertheless."""
    images = [dict(id=number, file_name=f'{number}.png', height=64, width=64)
              for number in range(1, 21)]
    content = dict(images=images, categories=[dict(id=1, name='finding')], annotations=[
        dict(id=number, image_id=number, category_id=1, keypoints=[20, 20, 2],
             reader='B' if number == 1 else 'A') for number in range(1, 11)])
    (tmp_path / 'points.json').write_text(json.dumps(content))
    write_splits(tmp_path / 'points.json', tmp_path / 'parts', num_folds=None)
    for name in ('train', 'val', 'test'):
        part = read_point_file(tmp_path / 'parts' / f'{name}.json', readers='all')
        assert part.readers == ('A', 'B')
        assert all(record.readers == ('A', 'B') for record in part.records)
