"""Each annotation gives its points by one rule, and what the rule does not ask for is not checked."""
import pytest

from mmwindow.annotations.point_rules import POINT_RULES, check_point_rule, read_finding
from mmwindow.annotations.records import ImageRecord

IMAGE = ImageRecord(1, 'a.png', height=100, width=200)
KEYPOINT = dict(keypoints=[30, 40, 2], num_keypoints=1)
BOX = dict(bbox=[10, 20, 60, 30])  # 10..70 x 20..50, centre (40, 35)
# Two triangles: x from 12 to 72, y from 22 to 52, centre (42, 37).
POLYGON = dict(segmentation=[[12, 22, 72, 22, 32, 52], [20, 30, 25, 30, 25, 35]])
RLE = dict(segmentation=dict(counts='abc', size=[100, 200]))


def read(*entries, **options):
    annotation = dict(id=5)
    for entry in entries:
        annotation.update(entry)
    return read_finding(annotation, IMAGE, 'annotation 5 of a.png', **options)


@pytest.mark.parametrize('entries, rule, point, box, source', [
    ([KEYPOINT], 'auto', (30, 40), None, 'keypoints'),
    ([KEYPOINT, BOX, POLYGON], 'auto', (30, 40), (10, 20, 70, 50), 'keypoints'),
    ([KEYPOINT, POLYGON], 'keypoints', (30, 40), (12, 22, 72, 52), 'keypoints'),
    ([BOX, POLYGON], 'auto', (40, 35), (10, 20, 70, 50), 'bbox'),
    ([KEYPOINT, BOX, POLYGON], 'bbox', (40, 35), (10, 20, 70, 50), 'bbox'),
    ([POLYGON], 'auto', (42, 37), (12, 22, 72, 52), 'segmentation'),
    ([KEYPOINT, BOX, POLYGON], 'polygon', (42, 37), (12, 22, 72, 52), 'segmentation'),
    # Empty lists and null are what COCO writes for "none".
    ([dict(keypoints=[], num_keypoints=0), BOX], 'auto', (40, 35), (10, 20, 70, 50), 'bbox'),
    ([dict(keypoints=None, bbox=[]), POLYGON], 'auto', (42, 37), (12, 22, 72, 52), 'segmentation')])
def test_where_a_point_comes_from(entries, rule, point, box, source):
    assert read(*entries, points_from=rule) == ([point], box, source)


@pytest.mark.parametrize('entries', [
    [dict(bbox=[10, 20, 0, 0])],  # what CVAT writes next to a keypoint
    [dict(bbox=[10, 20, -5, 4])], [dict(bbox='none')], [RLE], [dict(segmentation=[[1, 2, 3]])],
    [dict(segmentation=[[5, 5, 5, 5, 5, 5]])]])
def test_a_keypoint_with_a_useless_box_or_mask_is_a_point_without_a_box(entries):
    assert read(KEYPOINT, *entries) == ([(30, 40)], None, 'keypoints')
    with pytest.raises(ValueError, match='annotation 5 of a.png'):
        read(KEYPOINT, *entries, needs_boxes=True)


def test_boxes_are_needed_only_where_asked_for():
    with pytest.raises(ValueError, match='no box of positive size, and this hit rule asks for boxes'):
        read(KEYPOINT, needs_boxes=True)
    assert read(KEYPOINT, BOX, needs_boxes=True).box == (10, 20, 70, 50)
    assert read(KEYPOINT, POLYGON, needs_boxes=True).box == (12, 22, 72, 52)


def test_unset_keypoints_do_not_disturb_a_box_rule():
    for keypoints in ([0, 0, 0], [1, 2, 2] * 17, 'none'):
        finding = read(dict(keypoints=keypoints, num_keypoints=0), BOX, points_from='bbox')
        assert finding.points == [(40, 35)]


@pytest.mark.parametrize('entries, rule, words', [
    ([], 'auto', 'neither keypoints nor bbox nor segmentation'),
    ([BOX], 'keypoints', "has no keypoints; .*points_from=bbox"),
    ([KEYPOINT], 'bbox', 'has no bbox'), ([KEYPOINT], 'polygon', 'has no segmentation'),
    ([KEYPOINT], 'polygon_drawn', 'has no segmentation'),
    # A point that nobody set, and contradictions: no finding in the corner, none half counted.
    ([dict(keypoints=[0, 0, 0]), BOX], 'auto', 'visibility 2'),
    ([dict(keypoints=[30, 40, 0], num_keypoints=0)], 'auto', 'visibility 2'),
    ([dict(keypoints=[30, 40, 2], num_keypoints=0)], 'auto', 'num_keypoints 0'),
    ([dict(keypoints=[30, 40, 2], num_keypoints=None)], 'auto', 'num_keypoints None'),
    ([dict(keypoints=[30, 40, 3])], 'auto', 'visibility 2'),
    ([dict(keypoints=[30, 40])], 'auto', 'one point is expected'),
    ([dict(keypoints=[30, 40, 2, 50, 60, 2], num_keypoints=2)], 'auto', 'several annotations'),
    ([dict(keypoints=[30, True, 2])], 'auto', 'three finite numbers'),
    ([dict(bbox=[1, 2, 3])], 'auto', '4 finite numbers'),
    ([dict(bbox=[1, 2, 3, float('nan')])], 'auto', '4 finite numbers'),
    ([dict(bbox=[1, 2, -3, 4])], 'auto', 'positive size'),
    ([dict(bbox=[1, 2, 0, 4])], 'auto', 'positive size'),
    ([dict(bbox=[100, 2, 1e-20, 4])], 'auto', 'positive size'),  # lost in 100 + 1e-20
    ([dict(bbox=[1, 2, 1e308, 1e308])], 'auto', 'outside its image of 200 x 100'),
    ([dict(bbox=[1.7e308, 2, 1.7e308, 4])], 'auto', 'positive size'),
    ([dict(bbox=[180, 20, 60, 30])], 'auto', r'\(210, 35\) by its bbox, outside'),
    ([dict(keypoints=[40, 101, 2])], 'auto', 'outside its image of 200 x 100'),
    ([RLE], 'auto', 'run-length mask'),
    ([KEYPOINT, dict(iscrowd=1)], 'auto', 'iscrowd 1'),
    ([KEYPOINT, dict(iscrowd='0')], 'auto', "iscrowd '0'"),
    ([KEYPOINT, dict(ignore=1)], 'auto', 'ignore 1'), ([BOX, dict(ignore=True)], 'bbox', 'ignore')])
def test_what_is_rejected(entries, rule, words):
    with pytest.raises(ValueError, match=f'annotation 5 of a.png.*{words}'):
        read(*entries, points_from=rule)


@pytest.mark.parametrize('entries', [dict(iscrowd=0), dict(iscrowd=False, ignore=0),
                                     dict(ignore=None), dict(num_keypoints=1.0),
                                     dict(keypoints=[30.0, 40, 1])])
def test_what_is_accepted(entries):
    assert read(KEYPOINT, entries).points == [(30, 40)]


def test_drawn_points_have_the_box_of_their_finding():
    finding = read(POLYGON, points_from='polygon_drawn')
    assert 1 <= len(finding.points) <= 4 and finding.box == (12, 22, 72, 52)
    assert all(12 <= x <= 72 and 22 <= y <= 52 for x, y in finding.points)
    assert read(POLYGON, points_from='polygon_drawn') == finding
    assert read(POLYGON, dict(id=6), points_from='polygon_drawn') != finding


def test_rules_have_names():
    for name in POINT_RULES:
        check_point_rule(name)
    with pytest.raises(ValueError, match=r"points_from is 'box'; one of .*'bbox'"):
        check_point_rule('box')
