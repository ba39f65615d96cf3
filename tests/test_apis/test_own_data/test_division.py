"""The division of a user's data: by patient, seeded, written down once, never overwritten."""
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwindow.annotations.groups import unit_names
from mmwindow.annotations.point_file import read_point_file
from mmwindow.annotations.records import ImageRecord
from mmwindow.apis.own_data.division import (
    Division,
    check_kinds,
    describe_rare_classes,
    divide_data,
    write_division,
)
from mmwindow.apis.own_data.source import OwnData, find_data
from mmwindow.datasets.splits import write_splits


def make_record(number, labels=(), group=None):
    return ImageRecord(number, f'{number}.png', 48, 64, group, [(1., 1.)] * len(labels), list(labels))


def place(data, work_dir, **options):
    division = divide_data(data, work_dir, **options)
    return division, write_division(division, data.points, work_dir)


def test_below_200_images_five_folds_test_each_image_once(own_data, tmp_path):
    division, files = place(find_data(own_data), tmp_path / 'work')
    assert sorted(division.parts) == [0, 1, 2, 3, 4] == sorted(files)
    tested = [record.file_name for parts in division.parts.values() for record in parts['test']]
    assert sorted(tested) == [f'{number:03d}.png' for number in range(24)]
    assert 'each image tested once' in division.describe()
    assert json.loads((own_data / 'folds.json').read_text())['seed'] == 0


def test_from_200_images_on_a_known_set_is_divided_70_10_20(tmp_path, write_own_data):
    data = find_data(write_own_data(tmp_path / 'mine', 200, draw=True, group=None,
                                    positive=lambda number: number % 5 == 0))
    division, files = place(data, tmp_path / 'work')
    assert list(division.parts) == list(files) == [0]
    counts = {split: (len(records), sum(bool(record.points) for record in records))
              for split, records in division.parts[0].items()}
    assert counts == dict(train=(140, 28), val=(20, 4), test=(40, 8))
    # The same division as mmwindow splits --single makes.
    single = next(iter(write_splits(tmp_path / 'mine/points.json', tmp_path / 'out',
                                    num_folds=None).values()))
    for split, records in division.parts[0].items():
        assert [record.img_id for record in records] == [index + 1 for index in single[split]]
        content = json.loads((tmp_path / f'work/annotations/fold0/{split}.json').read_text())
        assert [image['id'] for image in content['images']] == [r.img_id for r in records]


def test_modes_overrule_the_number_of_images(own_data, tmp_path):
    data = find_data(own_data)
    assert len(divide_data(data, tmp_path, 'single').parts) == 1
    assert len(divide_data(data, tmp_path, 'folds').parts) == 5
    assert not (own_data / 'folds.json').exists()  # nothing is written by dividing


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=4), min_size=10, max_size=40))
def test_no_patient_is_divided(tmp_path_factory, write_own_data, people):
    images = [(f'p{number}', label) for number, labels in enumerate(people) for label in labels]
    path = write_own_data(
        tmp_path_factory.mktemp('people'), len(images), lambda number: images[number][1],
        group=lambda number: images[number][0], draw=False) / 'points.json'
    data = OwnData(path, {}, {}, path.parent, tuple(read_point_file(path).records), ('nodule', ))
    for parts in divide_data(data, path.parent / 'work', 'folds').parts.values():
        units = {split: set(unit_names(records)) for split, records in parts.items()}
        assert sum(map(len, parts.values())) == len(images)
        assert not (units['train'] & units['val'] or units['train'] & units['test']
                    or units['val'] & units['test'])


def test_a_division_is_read_again_and_never_written_again(own_data, tmp_path):
    data = find_data(own_data)
    first, _ = place(data, tmp_path / 'work')
    before = (own_data / 'folds.json').stat().st_mtime_ns
    again, _ = place(data, tmp_path / 'work')
    assert (own_data / 'folds.json').stat().st_mtime_ns == before
    assert again.parts == first.parts and (first.is_new, again.is_new) == (True, False)


def test_a_read_only_folder_leaves_the_division_in_the_work_dir(own_data, tmp_path, monkeypatch):
    def check(folder, option):
        if folder == own_data:
            raise ValueError('read-only')
    monkeypatch.setattr('mmwindow.apis.own_data.division.check_output_folder', check)
    data = find_data(own_data)
    division, _ = place(data, tmp_path / 'work')
    assert division.folds == tmp_path / 'work/folds.json' and division.folds.is_file()
    assert not (own_data / 'folds.json').exists()
    assert not divide_data(data, tmp_path / 'work').is_new


def test_points_that_changed_after_their_folds_are_named(own_data, tmp_path):
    place(find_data(own_data), tmp_path / 'work')
    content = json.loads((own_data / 'points.json').read_text())
    content['images'].pop()
    (own_data / 'points.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='only the folds have images 24'):
        divide_data(find_data(own_data), tmp_path / 'work')


def test_a_division_of_the_owner_stays_and_is_no_fold(own_data, tmp_path):
    write_splits(own_data / 'points.json', own_data / 'annotations', num_folds=None, seed=3)
    data = find_data(own_data)
    division, files = place(data, tmp_path / 'work')
    assert files == {0: data.files} and not (tmp_path / 'work').exists()
    assert 'as they are divided in' in division.describe()
    with pytest.raises(ValueError, match='--division folds: .* holds one division'):
        divide_data(data, tmp_path / 'work', 'folds')


@pytest.mark.parametrize('positive, words', [
    (lambda number: False, 'none of the 24 images has a point'),
    (lambda number: True, 'all 24 images have a point.*--unlisted negative.*froc/froc_score'),
    (lambda number: number == 0, 'of 1 image with and 23 without points none with falls to')])
def test_data_of_one_kind_are_rejected(tmp_path, positive, words, write_own_data):
    data = find_data(write_own_data(tmp_path / 'mine', 24, positive))
    with pytest.raises(ValueError, match=words):
        check_kinds(divide_data(data, tmp_path / 'work'), data)


def test_positive_images_alone_can_be_trained_by_recall(tmp_path, write_own_data):
    data = find_data(write_own_data(tmp_path / 'mine', 24, lambda number: True))
    check_kinds(divide_data(data, tmp_path / 'work'), data, needs_negatives=False)


def test_nine_patients_are_too_few(tmp_path, write_own_data):
    data = find_data(write_own_data(tmp_path / 'mine', 18))
    with pytest.raises(ValueError, match='18 images of 9 patients; at least 10 patients'):
        divide_data(data, tmp_path / 'work')


def test_a_class_that_a_part_lacks_is_said():
    parts = dict(train=[make_record(1, [0]), make_record(2, [1])], val=[make_record(3, [0])],
                 test=[make_record(4, [0]), make_record(5)])
    assert describe_rare_classes(Division({0: parts}), ['nodule', 'mass']) == [
        'class mass has too few images (1 train, 0 val, 0 test): its numbers will be missing where '
        'it has none']
    assert describe_rare_classes(Division({0: parts}), ['nodule']) == []
