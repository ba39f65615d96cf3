"""Who the patient is: one rule for splits, folds, importers and the units of the bootstrap."""
import json
import random

import numpy as np
import pytest
from PIL import Image

from mmwindow.annotations.groups import group_name, unit_name
from mmwindow.annotations.point_file import read_point_file
from mmwindow.datasets.folds import make_folds
from mmwindow.datasets.fracatlas import convert_fracatlas
from mmwindow.datasets.splits import write_splits
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.predictions import Target, check_target
from mmwindow.evaluation.statistics.delong import delong_interval
from mmwindow.evaluation.statistics.resampling import find_units

NOBODY = [None, float('nan'), '', '  ', np.nan, np.float32('nan')]


@pytest.mark.parametrize('value', NOBODY)
def test_an_image_without_a_group_is_its_own_unit(value):
    assert group_name(value) is None
    assert unit_name(value, 7) == 'image 7' and unit_name(7, 1) == 'group 7'
    assert check_target(Target(1, 9, 9, group=value), 1).group == ''


@pytest.mark.parametrize('value, name', [
    (3, '3'), (3.0, '3'), ('3', '3'), (' 3 ', '3'), (np.int64(3), '3'), (np.float64(3), '3'),
    (-1, '-1'), ('p 7', 'p 7'), ('03', '03'), (10 ** 300, '1' + '0' * 300)])
def test_one_patient_has_one_name(value, name):
    assert group_name(value) == name
    assert check_target(Target(1, 9, 9, group=value), 1).group == name


@pytest.mark.parametrize('value', [3.5, True, [1], dict(a=1), float('inf'), 'nan', 'None', 'NULL',
                                   '<NA>', 'NA', 'n/a', '#N/A', b'x'])
def test_what_names_no_patient(value):
    with pytest.raises(ValueError, match='group is'):
        group_name(value)
    with pytest.raises(ValueError, match=r'image 1 .*x.png.*: its group is'):
        check_target(Target(1, 9, 9, group=value, fields=dict(file_name='x.png')), 1)


def event(image_id, group):
    return ImageEvents(score=.5, recall_levels=np.zeros(0), fp_levels=np.zeros(0),
                       fp_changes=np.zeros(0, dtype=np.int32), is_positive=False, image_id=image_id,
                       group=group)


def test_the_units_of_the_bootstrap_follow_the_same_rule():
    events = [event(number, group) for number, group in enumerate([3, '3', 3.0, *NOBODY, '4'])]
    units = find_units(events)
    assert units.names == [('group', '3'), *[('image', number) for number in range(3, 9)],
                           ('group', '4')]
    assert units.index.tolist() == [0, 0, 0, 1, 2, 3, 4, 5, 6, 7]


def test_delong_takes_images_without_a_group_as_units_of_their_own():
    labels, scores = [1, 1, 0, 0, 1, 0], [.9, .3, .4, .1, .8, .5]
    alone = delong_interval(labels, scores)
    assert delong_interval(labels, scores, groups=NOBODY) == alone
    together = delong_interval(labels, scores, groups=['1', '1', None, None, '', 1.0])
    assert together == delong_interval(labels, scores, groups=['a', 'a', 'b', 'c', 'd', 'a'])
    assert together != alone


def write_source(folder, with_polygons, num_images=60):
    """Write a file where some images have no group, and one bears another group's number."""
    numbers = random.Random(0)
    groups = [numbers.choice([None, '', float('nan'), n // 3, float(n // 3), str(n // 3)])
              for n in range(num_images)]
    where = (dict(segmentation=[[2, 2, 7, 2, 7, 7]]) if with_polygons
             else dict(keypoints=[4, 4, 2], num_keypoints=1))
    content = dict(
        images=[dict(id=n, file_name=f'{n}.png', height=10, width=10, group=group)
                for n, group in enumerate(groups)],
        annotations=[dict(id=n, image_id=n, category_id=1, **where) for n in range(0, num_images, 4)],
        categories=[dict(id=1, name='fracture')])
    (folder / 'images').mkdir(parents=True)
    for n in range(num_images if with_polygons else 0):
        Image.new('L', (10, 10)).save(folder / 'images' / f'{n}.png')
    path = folder / ('fractures.json' if with_polygons else 'points.json')
    path.write_text(json.dumps(content))
    return path


def test_the_same_file_and_seed_divide_equally_by_all_three_ways(tmp_path):
    source = write_source(tmp_path / 'source', with_polygons=True)
    points = write_source(tmp_path / 'points', with_polygons=False)

    def ids(folder):
        return {name: [record.img_id for record in read_point_file(folder / f'{name}.json').records]
                for name in ('train', 'val', 'test')}

    for seed in (0, 1):
        convert_fracatlas(source.parent, tmp_path / 'converted', seed)
        write_splits(points, tmp_path / 'single', num_folds=None, seed=seed)
        fold = make_folds(points, seed=seed)['folds'][0]
        assert ids(tmp_path / 'converted' / 'annotations') == ids(tmp_path / 'single') == fold
        assert all(len(part) > 0 for part in fold.values())
        homes = {}
        for name, part in fold.items():
            for record in read_point_file(points).records:
                if record.img_id in part and record.group is not None:
                    assert homes.setdefault(record.group, name) == name
