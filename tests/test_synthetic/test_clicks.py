"""Synthetic radiographs with a table of clicks, as a research group has its own data."""
import csv

import cv2
import pytest

from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.annotation_files import import_annotations
from mmwindow.synthetic import write_clicks
from mmwindow.synthetic.writing import make_images, plan_images


def test_the_table_is_imported_with_the_generators_points(tmp_path):
    table = write_clicks(tmp_path, 24, seed=3, side=64, progress=False, workers=1)
    rows = list(csv.DictReader(table.open()))
    assert len({row['image'] for row in rows}) == 24
    assert sum(row['x'] == '' for row in rows) == 12  # one row for each negative image
    report = import_annotations(table, tmp_path / 'mine', tmp_path / 'images')
    assert (report.num_images, report.num_positives, report.num_groups) == (24, 12, 23)
    other = tmp_path / 'other'
    other.mkdir()
    made = make_images(plan_images(3, {'patient': 24}), other, 64, False, 1)
    points = {record.image['file_name']: [tuple(point['keypoints'][:2]) for point in record.points]
              for record in made}
    assert {record.file_name: record.points
            for record in read_point_file(report.path).records} == points
    assert max(cv2.imread(str(tmp_path / 'images/000001.png'), -1).shape) == 64


def test_a_table_that_is_there_stays(tmp_path):
    (tmp_path / 'clicks.csv').write_text('mine')
    with pytest.raises(ValueError, match='clicks.csv is there already'):
        write_clicks(tmp_path, 2)
    with pytest.raises(ValueError, match='0 images of side 512'):
        write_clicks(tmp_path / 'new', 0)
