"""The table of images: counts by hand, the worst films first."""
import csv

import numpy as np
import pytest

from mmwindow.evaluation import box_events
from mmwindow.evaluation.files.image_table import HEAD, image_rows, write_image_table


def make_films():
    """A film with a hit, a miss and two false alarms; one with neither; a normal."""
    return [box_events([[80, 80, 120, 120], [300, 300, 340, 340], [500, 500, 540, 540]],
                       [.9, .6, .4], [[100, 100], [800, 800]], image_id=1, group='p1',
                       fields=dict(file_name='a.png', region='hand')),
            # A quarter of the box lies in the disk, the point does not lie in the box.
            box_events([[130, 70, 190, 130]], [.5], [[100, 100]], image_id=2),
            box_events([], [], [], image_id=3, fields=dict(hardware=True))]


def test_normals_alone(tmp_path):
    rows = image_rows([make_films()[2]], 0.5)
    assert rows == [{'class': 'finding', 'image': 3, 'file_name': '', 'group': '', 'label': 0,
                     'score': -np.inf, 'threshold': 0.5, 'findings': 0, 'false_alarms': 0,
                     'points': 0, 'hits': 0, 'misses': 0, 'hit_levels': [],
                     'false_alarm_levels': [], 'field hardware': True}]
    text = write_image_table(tmp_path / 'images.csv', rows).read_text().splitlines()
    assert text[1] == 'finding,3,,,0,none,0.5,0,0,0,0,0,,,True'


@pytest.mark.parametrize('threshold, expected', [
    # findings, false alarms, hits, misses of the first film; then of the second.
    (1., [(0, 0, 0, 2), (0, 0, 0, 1)]), (.9, [(1, 0, 1, 1), (0, 0, 0, 1)]),
    (.5, [(2, 1, 1, 1), (1, 0, 0, 1)]), (.1, [(3, 2, 1, 1), (1, 0, 0, 1)]),
    (np.inf, [(0, 0, 0, 2), (0, 0, 0, 1)])])
def test_counts_at_a_threshold(threshold, expected):
    rows = image_rows(make_films()[:2], threshold)
    assert [(row['findings'], row['false_alarms'], row['hits'], row['misses'])
            for row in rows] == expected


def test_a_threshold_that_calls_everything_hits_no_point_that_nothing_hits(tmp_path):
    rows = image_rows(make_films()[:2], -np.inf)
    assert [(row['hits'], row['misses']) for row in rows] == [(1, 1), (0, 1)]
    text = write_image_table(tmp_path / 'images.csv', rows).read_text().splitlines()
    assert text[1].split(',')[6] == 'all'


def test_a_threshold_of_image_scores_counts_no_findings(tmp_path):
    rows = image_rows(make_films()[:1], -5., of_findings=False)
    assert [rows[0][key] for key in ('points', 'hit_levels')] == [2, [.9, -np.inf]]
    assert {rows[0][key] for key in ('findings', 'false_alarms', 'hits', 'misses',
                                     'false_alarm_levels')} == {None}
    text = write_image_table(tmp_path / 'images.csv', rows).read_text().splitlines()
    assert text[1] == 'finding,1,a.png,p1,1,0.9,-5,,,2,,,0.9 never,,hand'


def test_levels():
    first = image_rows(make_films(), 0.5)[0]
    assert first['hit_levels'] == [.9, -np.inf]
    assert first['false_alarm_levels'] == [.6]  # the one at .4 is below the threshold


def test_file(tmp_path):
    path = write_image_table(tmp_path / 'new' / 'images.csv', image_rows(make_films(), 0.1, 'bone'))
    with open(path, encoding='utf-8', newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [*HEAD, 'field hardware', 'field region']
    assert [row['image'] for row in rows] == ['1', '2', '3']  # 3 faults, 1 fault, none
    assert rows[0]['hit_levels'] == '0.9 never' and rows[0]['false_alarm_levels'] == '0.6 0.4'
    assert rows[0]['class'] == 'bone' and rows[0]['field region'] == 'hand'
    assert [file.name for file in path.parent.iterdir()] == ['images.csv']
    with pytest.raises(ValueError, match='there is no image to write'):
        write_image_table(path, [])
