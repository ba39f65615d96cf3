"""Points, boxes and polygons as ground truth, and every fault named."""
import json

import numpy as np
import pytest

from mmwindow.evaluation.files.annotation_file import read_annotations

IMAGES = [dict(id=1, file_name='a.png', height=100, width=200, group='p1', hardware=True,
               region='hand', camera=dict(name='x'), dose=float('nan')),
          dict(id=2, file_name='b.png', height=100, width=100)]
CATEGORIES = [dict(id=7, name='implant'), dict(id=3, name='fracture')]


def write(folder, annotations=(), images=IMAGES, categories=CATEGORIES):
    path = folder / 'truth.json'
    path.write_text(json.dumps(dict(images=images, annotations=list(annotations),
                                    categories=categories)))
    return path


def annotate(**entries):
    return dict(id=5, image_id=1, category_id=3, **entries)


def test_normals_alone(tmp_path):
    truth = read_annotations(write(tmp_path))
    assert truth.classes == ('fracture', 'implant')  # in the order of their ids
    assert truth.category_labels == {3: 0, 7: 1}
    assert [target.points.shape for target in truth.targets] == [(0, 2), (0, 2)]
    first, second = truth.targets
    assert (first.image_id, first.height, first.width, first.group) == (1, 100, 200, 'p1')
    assert first.fields == dict(file_name='a.png', hardware=True, region='hand')
    assert second.group == ''


@pytest.mark.parametrize('entries, point, box, source', [
    (dict(keypoints=[30, 40, 2]), [30, 40], None, 'keypoints'),
    (dict(keypoints=[30, 40, 2], bbox=[10, 20, 60, 30]), [30, 40], [10, 20, 70, 50], 'keypoints'),
    (dict(bbox=[10, 20, 60, 30]), [40, 35], [10, 20, 70, 50], 'bbox'),
    # The box around both polygons is 10..70 by 20..50; without a bbox its centre is the point.
    (dict(segmentation=[[10, 20, 70, 20, 30, 50], [20, 30, 25, 30, 25, 35]]),
     [40, 35], [10, 20, 70, 50], 'segmentation')])
def test_where_a_point_comes_from(tmp_path, entries, point, box, source):
    truth = read_annotations(write(tmp_path, [annotate(**entries)]))
    target = truth.targets[0]
    assert target.points.tolist() == [point] and target.labels.tolist() == [0]
    assert target.boxes is None if box is None else target.boxes.tolist() == [box]
    assert truth.num_from == {**dict(keypoints=0, bbox=0, segmentation=0), source: 1}


def test_boxes_count_only_where_all_points_have_one(tmp_path):
    truth = read_annotations(write(tmp_path, [
        annotate(bbox=[10, 20, 60, 30]), annotate(keypoints=[30, 40, 2])]))
    assert truth.targets[0].boxes is None
    assert truth.targets[1].boxes.shape == (0, 4)  # a normal has none to lack


@pytest.mark.parametrize('annotation, message', [
    (annotate(), 'neither keypoints nor bbox nor segmentation'),
    (annotate(bbox=[1, 2, 3]), r'bbox is \[1, 2, 3\]; 4 finite numbers'),
    (annotate(bbox=[1, 2, 0, 5]), 'with a positive size'),
    (annotate(bbox=[1, 2, np.nan, 5]), '4 finite numbers'),
    (annotate(keypoints=[1, 2, 2, 3, 4, 2]), r'keypoints \(one point is \[x, y, 2\]\)'),
    (annotate(segmentation=dict(counts='abc')), 'run-length mask and no bbox'),
    (annotate(bbox=[1, 2, 3, 4], iscrowd=1), 'is a crowd'),
    # What COCO writes for a point that nobody set: no finding in the corner.
    (annotate(keypoints=[0, 0, 0], bbox=[1, 2, 3, 4]), 'a point that counts has the visibility 2'),
    (annotate(bbox=[1, 2, 10 ** 400, 5]), '4 finite numbers'),
    (5, 'an annotation is 5'),
    ({**annotate(bbox=[1, 2, 3, 4]), 'image_id': [1]}, r'belongs to image \[1\]'),
    ({**annotate(bbox=[1, 2, 3, 4]), 'category_id': [3]}, r'has category \[3\]'),
    (annotate(keypoints=[150, 150, 2]), r'image 1 \(a.png\) has a point at .*, outside'),
    ({**annotate(bbox=[1, 2, 3, 4]), 'image_id': 9}, 'belongs to image 9'),
    ({**annotate(bbox=[1, 2, 3, 4]), 'category_id': 9}, 'has category 9')])
def test_bad_annotations(tmp_path, annotation, message):
    with pytest.raises(ValueError, match=rf'truth\.json: .*{message}'):
        read_annotations(write(tmp_path, [annotation]))


def test_bad_files(tmp_path):
    with pytest.raises(ValueError, match=r'none\.json: the annotation file cannot be read'):
        read_annotations(tmp_path / 'none.json')
    path = write(tmp_path)
    path.write_text(path.read_text()[:-20])
    with pytest.raises(ValueError, match='no JSON, or cut short'):
        read_annotations(path)
    path.write_text('[]')
    with pytest.raises(ValueError, match='no list "images"'):
        read_annotations(path)
    for options, message in ((dict(images=[]), 'no images'),
                             (dict(images=[IMAGES[0]] * 2), 'listed twice'),
                             (dict(images=[dict(id=1, height=1, width=1)]), 'needs an id and a file'),
                             (dict(images=[dict(id=1, file_name='a')]), 'has height None'),
                             (dict(categories=[]), '0 categories'),
                             (dict(categories=[CATEGORIES[0]] * 2), '2 categories with 1 ids')):
        with pytest.raises(ValueError, match=message):
            read_annotations(write(tmp_path, **options))


@pytest.mark.parametrize('categories, message', [
    ([dict(id=1, name='fracture'), dict(id=2, name='fracture')], '2 ids and 1 names'),
    ([dict(id=1, name='fracture'), dict(id=1, name='implant')], '2 categories with 1 ids'),
    ([dict(id=1)], 'needs an id'), (['fracture'], 'needs an id'),
    ([dict(id=[1], name='fracture')], 'needs an id')])
def test_categories_that_would_be_mixed_up(tmp_path, categories, message):
    with pytest.raises(ValueError, match=message):
        read_annotations(write(tmp_path, categories=categories))


def test_ids_are_whole_numbers_or_strings(tmp_path):
    mixed = [dict(id='x', name='implant'), dict(id=4, name='fracture')]
    assert read_annotations(write(tmp_path, categories=mixed)).category_labels == {4: 0, 'x': 1}
    for wrong in (5, dict(IMAGES[0], id=True), dict(IMAGES[0], id=[1]), dict(IMAGES[0], height=True)):
        with pytest.raises(ValueError, match=r'truth\.json: image '):
            read_annotations(write(tmp_path, images=[wrong]))
