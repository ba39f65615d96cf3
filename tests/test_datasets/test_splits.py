"""Splits never divide a patient, test everybody once, and spread positives and normals."""
import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwindow.datasets.splits import (
    assign_folds,
    describe_split,
    split_by_group,
    split_content,
    write_rest,
    write_splits,
)

# People with 1 to 4 images each, all positive or all normal; at least one for each of ten parts.
people = st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=10, max_size=60)
# People whose images differ.
mixed_people = st.lists(st.lists(st.booleans(), min_size=1, max_size=4), min_size=10, max_size=40)


def unfold(people):
    """Return group and label of each image."""
    images = [(f'person {number}', label) for number, (count, label) in enumerate(people)
              for _ in range(count)]
    return [group for group, _ in images], [label for _, label in images]


@settings(max_examples=100, deadline=None)
@given(mixed_people, st.integers(0, 9))
def test_groups_stay_whole_and_every_image_is_tested_exactly_once(people, seed):
    groups = [number for number, labels in enumerate(people) for _ in labels]
    is_positive = [label for labels in people for label in labels]
    tested = Counter()
    for fold in range(5):
        split = split_by_group(groups, is_positive, fold, seed=seed)
        assert sorted(index for part in split.values() for index in part) == list(range(len(groups)))
        members = {name: {groups[index] for index in part} for name, part in split.items()}
        assert not members['train'] & members['val']
        assert not members['train'] & members['test']
        assert not members['val'] & members['test']
        tested.update(split['test'])
    assert tested == Counter(range(len(groups)))


@settings(max_examples=100, deadline=None)
@given(people, st.integers(0, 9))
def test_parts_differ_by_at_most_the_largest_group(people, seed):
    # Largest first into the emptiest: the fullest part was emptiest before its last group came.
    groups, is_positive = unfold(people)
    parts = assign_folds(groups, is_positive, 10, seed)
    for label in (False, True):
        counts = Counter(part for part, positive in zip(parts, is_positive, strict=True)
                         if positive == label)
        sizes = [counts[part] for part in range(10)]
        largest = max((count for count, own in people if own == label), default=0)
        assert max(sizes) - min(sizes) <= largest


@settings(max_examples=30, deadline=None)
@given(people, st.integers(0, 9))
def test_the_same_seed_gives_the_same_split_in_any_order(people, seed):
    groups, is_positive = unfold(people)
    parts = assign_folds(groups, is_positive, 10, seed)
    assert parts == assign_folds(groups, is_positive, 10, seed)
    backwards = assign_folds(groups[::-1], is_positive[::-1], 10, seed)
    assert backwards[::-1] == parts


def test_proportions_and_strata():
    # 200 people of one image, every fifth positive: of 40 positives and 160 normals each of the
    # ten parts has 4 and 16; seven of them train, one validates, two are tested.
    groups, is_positive = [f'{n}' for n in range(200)], [n % 5 == 0 for n in range(200)]
    for fold in range(5):
        split = split_by_group(groups, is_positive, fold)
        assert [len(split[name]) for name in ('train', 'val', 'test')] == [140, 20, 40]
        assert [sum(is_positive[index] for index in split[name])
                for name in ('train', 'val', 'test')] == [28, 4, 8]


def test_another_seed_divides_otherwise():
    groups, is_positive = [f'{n}' for n in range(50)], [n % 5 == 0 for n in range(50)]
    assert split_by_group(groups, is_positive, seed=0) != split_by_group(groups, is_positive, seed=1)


def test_normals_only_can_be_divided():
    split = split_by_group(list('abcdefghij'), [False] * 10)
    assert [len(split[name]) for name in ('train', 'val', 'test')] == [7, 1, 2]


@pytest.mark.parametrize('groups', [[], ['a'] * 30, list('abcdefghi')])
def test_too_few_groups(groups):
    number = len(set(groups))
    with pytest.raises(ValueError, match=rf'{number} groups? cannot be divided into 10 fold'):
        split_by_group(groups, [True] * len(groups))


@pytest.mark.parametrize('fold', [-1, 5])
def test_a_fold_that_does_not_exist(fold):
    with pytest.raises(ValueError, match=f'fold is {fold}; it must lie between 0 and 4'):
        split_by_group(list('abcdefghijk'), [True] * 11, fold)


def make_content(num_images=20, with_groups=True):
    images = [dict(id=n, file_name=f'{n}.png', height=9, width=9,
                   **(dict(group=n // 2) if with_groups else {})) for n in range(num_images)]
    annotations = [dict(id=n, image_id=n, category_id=1, keypoints=[1, 2, 2], num_keypoints=1)
                   for n in range(0, num_images, 4)]
    return dict(info=dict(note='kept'), images=images, annotations=annotations,
                categories=[dict(id=1, name='fracture')])


def test_contents_are_divided_with_their_annotations():
    content = make_content()
    parts = split_content(content, dict(train=[0, 3], val=[4], test=[]))
    assert [image['id'] for image in parts['train']['images']] == [0, 3]
    assert [a['image_id'] for a in parts['train']['annotations']] == [0]
    assert [a['image_id'] for a in parts['val']['annotations']] == [4]
    assert parts['test']['images'] == parts['test']['annotations'] == []
    assert all(part['categories'] == content['categories'] for part in parts.values())
    assert all(part['info'] == dict(note='kept') for part in parts.values())
    assert content == make_content()


def test_describe_split():
    assert describe_split(dict(train=[0, 1], val=[2], test=[]), [True, False, False]) == (
        'train 2 images (1 with points), val 1 image (0 with points), test 0 images (0 with points)')


@pytest.mark.parametrize('num_folds', [5, None])
@pytest.mark.parametrize('with_groups', [True, False])
def test_files_are_written_whole(tmp_path, num_folds, with_groups):
    path = tmp_path / 'points.json'
    content = make_content(40, with_groups)
    path.write_text(json.dumps(content))
    splits = write_splits(path, tmp_path / 'out', num_folds=num_folds)
    out = tmp_path / 'out'
    folders = [out / f'fold{fold}' for fold in range(5)] if num_folds else [out]
    assert list(splits) == [str(folder) for folder in folders]
    for folder in folders:
        assert sorted(file.name for file in folder.iterdir() if file.is_file()) == [
            'test.json', 'train.json', 'val.json']  # and no .part
        seen = []
        for name in ('train', 'val', 'test'):
            part = json.loads((folder / f'{name}.json').read_text())
            seen += [image['id'] for image in part['images']]
            assert splits[str(folder)][name] == [image['id'] for image in part['images']]
        assert sorted(seen) == list(range(40))


def test_an_image_without_a_group_is_no_member_of_one_that_bears_its_number(tmp_path):
    # Ids 0 to 9 belong to groups 10 to 14, ids 10 to 19 to none: 15 units. Were an image without a
    # group taken for a member of the group of its number, image 10 would stay with 0 and 1.
    content = make_content(20)
    for image in content['images']:
        image['group'] = image['id'] // 2 + 10 if image['id'] < 10 else None
    path = tmp_path / 'points.json'
    path.write_text(json.dumps(content))
    tested = {index: fold for fold, split in enumerate(write_splits(path, tmp_path / 'out').values())
              for index in split['test']}
    assert all(tested[2 * n] == tested[2 * n + 1] for n in range(5))
    assert any(tested[2 * n] != tested[n + 10] for n in range(5))


def test_a_bad_point_file_is_rejected_before_anything_is_written(tmp_path):
    path = tmp_path / 'points.json'
    path.write_text('{')
    with pytest.raises(ValueError, match='points.json: .* no JSON'):
        write_splits(path, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def rest_files(tmp_path, groups, left_out):
    images = [dict(id=number, file_name=f'{number}.png', width=8, height=8, group=group)
              for number, group in enumerate(groups)]
    points = [dict(id=1, image_id=0, category_id=1, keypoints=[1., 2., 2], num_keypoints=1),
              dict(id=2, image_id=3, category_id=1, keypoints=[3., 4., 2], num_keypoints=1)]
    for name, kept in (('all', range(len(groups))), ('test', left_out)):
        (tmp_path / f'{name}.json').write_text(json.dumps(dict(
            images=[images[index] for index in kept], categories=[dict(id=1, name='fracture')],
            annotations=[point for point in points if point['image_id'] in kept])))
    return tmp_path / 'all.json', tmp_path / 'test.json'


def test_the_rest_of_a_point_file_has_all_other_images_with_their_points(tmp_path):
    path, without = rest_files(tmp_path, ['a', 'a', 'b', 'c'], [0, 1])
    content = json.loads(write_rest(path, without, tmp_path / 'out/points.json').read_text())
    assert [image['file_name'] for image in content['images']] == ['2.png', '3.png']
    assert [point['keypoints'] for point in content['annotations']] == [[3., 4., 2]]


@pytest.mark.parametrize('groups, left_out, message', [
    (['a', 'a', 'b', 'c'], [0], 'group a.* have images in it and outside it'),
    (['a', 'a', 'b', 'c'], [0, 1, 2, 3], 'nothing is left')])
def test_a_part_that_cannot_be_left_out_is_named(tmp_path, groups, left_out, message):
    path, without = rest_files(tmp_path, groups, left_out)
    with pytest.raises(ValueError, match=message):
        write_rest(path, without, tmp_path / 'out/points.json')
    with pytest.raises(ValueError, match='would be overwritten'):
        write_rest(path, without, path)
    without.write_text(without.read_text().replace('0.png', 'other.png'))
    with pytest.raises(ValueError, match='images 0 are not in'):
        write_rest(path, without, tmp_path / 'out/points.json')
