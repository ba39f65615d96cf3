"""Points, boxes and polygons as ground truth: what the one reader reads, as targets."""
import json

import pytest

from mmwindow.evaluation.files.ground_truth import read_annotations

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


def test_negative_images_alone(tmp_path):
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
        annotate(bbox=[10, 20, 60, 30]), dict(annotate(keypoints=[30, 40, 2]), id=6)]))
    assert truth.targets[0].boxes is None
    assert truth.targets[1].boxes.shape == (0, 4)  # a negative image has none to lack


def test_the_readers_rules_and_errors_are_those_of_training(tmp_path):
    path = write(tmp_path, [annotate(keypoints=[30, 40, 2], bbox=[10, 20, 60, 0])])
    assert read_annotations(path).targets[0].boxes is None
    with pytest.raises(ValueError, match=r'truth\.json: annotation 5 of a\.png has the bbox'):
        read_annotations(path, needs_boxes=True)
    path = write(tmp_path, [annotate(keypoints=[30, 40, 2], bbox=[10, 20, 60, 30])])
    target = read_annotations(path, points_from='bbox').targets[0]
    assert target.points.tolist() == [[40, 35]] and target.boxes.tolist() == [[10, 20, 70, 50]]


def test_an_image_without_a_patient_is_its_own_unit(tmp_path):
    groups = [3, 3.0, ' 3', None, '', float('nan')]
    images = [dict(id=number, file_name=f'{number}.png', height=9, width=9, group=group)
              for number, group in enumerate(groups)]
    truth = read_annotations(write(tmp_path, images=images))
    assert [target.group for target in truth.targets] == ['3', '3', '3', '', '', '']
