"""The data set: negative images stay, and what is wrong is told when it is built, before training."""
import json

import pytest
from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS

import mmwindow  # noqa: F401
from mmwindow.datasets import CocoPointDataset

WINDOW = dict(lower_radius=50, upper_radius=200, softness=2)


def build(folder, **options):
    return DATASETS.build(dict(
        type='CocoPointDataset', data_root=f'{folder}/', ann_file='annotations/train.json',
        data_prefix=dict(img='images/'), **options))


def points_of(folder):
    return folder / 'annotations' / 'train.json'


def spoil(folder, change):
    """Change the content of the training split's point file."""
    content = json.loads(points_of(folder).read_text())
    change(content)
    points_of(folder).write_text(json.dumps(content))


def rejection(folder, **options):
    with pytest.raises(ValueError) as caught:
        build(folder, **options)
    return str(caught.value)


def test_negative_images_are_kept_and_samples_hold_what_transforms_need(tiny_dataset):
    dataset = build(tiny_dataset, input_side=128, window=WINDOW)
    assert isinstance(dataset, BaseDetDataset)
    assert len(dataset) == 6 and dataset.metainfo['classes'] == ('fracture', )
    content = json.loads(points_of(tiny_dataset).read_text())
    points = {annotation['image_id']: annotation['keypoints'][:2]
              for annotation in content['annotations']}
    for index, image in enumerate(content['images']):
        sample = dataset[index]
        expected = [points[image['id']]] if image['id'] in points else []
        assert bool(expected) == (index % 2 == 0)  # every other image is negative
        assert sample['img_id'] == image['id'] and sample['group'] == image['group']
        assert sample['img_path'] == f'{tiny_dataset}/images/{image["file_name"]}'
        assert (sample['height'], sample['width']) == (80, 96)
        assert sample['ori_points'] == expected
        assert sample['ori_point_labels'] == [0] * len(expected)
        assert [instance['bbox'] for instance in sample['instances']] == expected
        assert all(instance['ignore_flag'] == 0 for instance in sample['instances'])
        assert sample['num_classes'] == 1 and sample['input_side'] == 128
        assert sample['window'] == WINDOW


def test_other_entries_of_an_image_are_fields_to_report_by(own_tiny_dataset):
    spoil(own_tiny_dataset, lambda content: content['images'][0].update(
        region='hand', hardware=True, dose=float('nan'), camera=dict(name='x')))
    dataset = build(own_tiny_dataset)
    assert dataset[0]['fields'] == dict(region='hand', hardware=True)
    assert dataset[1]['fields'] == {}
    packed = DATASETS.build(dict(
        type='CocoPointDataset', data_root=f'{own_tiny_dataset}/',
        ann_file='annotations/train.json', data_prefix=dict(img='images/'), input_side=128,
        test_mode=True, pipeline=[dict(type=f'mmdet.{name}') for name in (
            'LoadRadiograph', 'ResizeToInput', 'PadToInput', 'PackPointInputs')]))[0]
    assert packed['data_samples'].fields == dict(region='hand', hardware=True)


@pytest.mark.parametrize('filter_cfg', [None, {}, dict(filter_empty_gt=False)])
@pytest.mark.parametrize('test_mode', [False, True])
def test_no_default_of_mmdet_drops_a_negative_image(tiny_dataset, filter_cfg, test_mode):
    dataset = build(tiny_dataset, filter_cfg=filter_cfg, test_mode=test_mode)
    assert [bool(dataset[index]['instances']) for index in range(len(dataset))] == [True, False] * 3


@pytest.mark.parametrize('filter_cfg', [dict(filter_empty_gt=True), dict(min_size=32),
                                        dict(filter_empty_gt=True, min_size=32)])
def test_a_filter_is_rejected(tiny_dataset, filter_cfg):
    message = rejection(tiny_dataset, filter_cfg=filter_cfg)
    assert str(filter_cfg) in message and 'would drop the negative images' in message


def test_samples_can_be_changed_without_changing_the_data_set(tiny_dataset):
    dataset = build(tiny_dataset, window=WINDOW, serialize_data=False)
    sample = dataset[0]
    before = json.dumps(sample)
    sample['ori_points'][0][0] = -1
    sample['instances'][0]['bbox'][0] = -1
    sample['window']['softness'] = -1
    assert json.dumps(dataset[0]) == before
    assert dataset[0]['ori_points'][0] is not dataset[0]['instances'][0]['bbox']


def test_a_file_of_negative_images_only(own_tiny_dataset):
    spoil(own_tiny_dataset, lambda content: content['annotations'].clear())
    dataset = build(own_tiny_dataset)
    assert len(dataset) == 6 and dataset.metainfo['classes'] == ('fracture', )
    for index in range(6):
        assert dataset[index]['instances'] == dataset[index]['ori_points'] == []
    assert dataset[0]['window'] is None and dataset[0]['input_side'] is None


def test_without_an_image_folder_images_lie_in_the_root(own_tiny_dataset):
    for path in (own_tiny_dataset / 'images').iterdir():
        path.rename(own_tiny_dataset / path.name)
    dataset = DATASETS.build(dict(type='CocoPointDataset', data_root=str(own_tiny_dataset),
                                  ann_file='annotations/train.json'))
    assert dataset[0]['img_path'] == f'{own_tiny_dataset}/train_0.png'


def test_the_config_orders_the_labels(own_tiny_dataset):
    dataset = build(own_tiny_dataset, metainfo=dict(classes=('lump', 'fracture')))
    assert dataset[0]['ori_point_labels'] == [1] and dataset[0]['num_classes'] == 2
    assert CocoPointDataset.METAINFO.get('classes') is None  # nothing shared was changed


def test_a_missing_image(own_tiny_dataset):
    (own_tiny_dataset / 'images' / 'train_3.png').unlink()
    folder = own_tiny_dataset
    assert rejection(folder) == (
        f'{points_of(folder)}: 1 of 6 images in {folder}/images/ cannot be used:\n'
        '  train_3.png: there is no such file; check data_prefix.img, or copy the image there')


def test_an_unreadable_image(own_tiny_dataset):
    (own_tiny_dataset / 'images' / 'train_0.png').write_text('<html>not found</html>')
    assert 'train_0.png: is no image that can be read; copy it again' in rejection(own_tiny_dataset)


def test_a_truncated_image(own_tiny_dataset):
    path = own_tiny_dataset / 'images' / 'train_5.png'
    path.write_bytes(path.read_bytes()[:2000])
    message = rejection(own_tiny_dataset)
    assert str(points_of(own_tiny_dataset)) in message
    assert 'train_5.png: is damaged or cut short' in message
    assert 'copy it again, or take it out of the point file' in message


def test_really_truncated_radiographs(own_tiny_dataset, fracatlas):
    from PIL import Image
    source = sorted((fracatlas / 'truncated').glob('*.jpg'))[0]
    target = own_tiny_dataset / 'images' / source.name
    target.write_bytes(source.read_bytes())
    with Image.open(target) as image:
        width, height = image.size
    spoil(own_tiny_dataset, lambda content: content['images'].append(
        dict(id=99, file_name=source.name, height=height, width=width)))
    assert f'{source.name}: is damaged or cut short' in rejection(own_tiny_dataset)


def test_an_image_of_another_size(own_tiny_dataset):
    spoil(own_tiny_dataset, lambda content: content['images'][1].update(height=96, width=80))
    assert ('train_1.png: is 96 x 80 (width x height), the point file says 80 x 96; scale its points '
            'or mend its size') in rejection(own_tiny_dataset)


def test_images_are_not_looked_at_when_asked(own_tiny_dataset):
    (own_tiny_dataset / 'images' / 'train_3.png').unlink()
    assert len(build(own_tiny_dataset, check_images=False)) == 6


def test_a_point_file_that_is_no_json(own_tiny_dataset):
    points_of(own_tiny_dataset).write_text('image,x,y')
    message = rejection(own_tiny_dataset)
    assert message.startswith(f'{points_of(own_tiny_dataset)}: ')
    assert 'no JSON' in message and message.endswith('write it again')


def test_a_missing_point_file(own_tiny_dataset):
    points_of(own_tiny_dataset).unlink()
    assert str(points_of(own_tiny_dataset)) in rejection(own_tiny_dataset)


@pytest.mark.parametrize('key, change, says', [
    ('annotations', dict(image_id=77), 'annotation 1 belongs to image 77, which is not in the list'),
    ('annotations', dict(keypoints=[500, 3, 2]), 'train_0.png lies at (500, 3) by its keypoints'),
    ('annotations', dict(keypoints=[float('nan'), 3, 2]), 'train_0.png has keypoints [nan, 3, 2]'),
    ('annotations', dict(category_id=9), 'annotation 1 has category 9, which is not in the list'),
    ('annotations', dict(id=3), 'annotation id 3 occurs twice'),
    ('images', dict(id=2), 'image id 2 occurs twice')])
def test_records_that_cannot_be_meant(own_tiny_dataset, key, change, says):
    spoil(own_tiny_dataset, lambda content: content[key][0].update(change))
    message = rejection(own_tiny_dataset)
    assert message.startswith(f'{points_of(own_tiny_dataset)}: ') and says in message


def test_a_category_that_the_config_does_not_list(own_tiny_dataset):
    assert 'list them in metainfo.classes' in rejection(own_tiny_dataset,
                                                      metainfo=dict(classes=('lump', )))


def test_an_empty_data_set(own_tiny_dataset):
    def empty(content):
        content['images'].clear()
        content['annotations'].clear()
    spoil(own_tiny_dataset, empty)
    assert 'no images; a data set needs at least one' in rejection(own_tiny_dataset)


@pytest.mark.parametrize('window, says', [
    (dict(WINDOW, lower_radius=201), 'lower_radius 201 is larger than upper_radius 200'),
    (dict(WINDOW, softness=-2), 'softness is -2'),
    (dict(lower_radius=50, upper_radius=200), "has ['lower_radius', 'upper_radius']; expected"),
    (dict(WINDOW, tau=2), "'tau', 'upper_radius']; expected ['lower_radius', 'softness'")])
def test_a_window_that_cannot_be_meant(tiny_dataset, window, says):
    assert says in rejection(tiny_dataset, window=window)


@pytest.mark.parametrize('side', [0, -4, 25.6, True, '256'])
def test_an_input_side_that_cannot_be_meant(tiny_dataset, side):
    assert f'input_side is {side!r}; it must be a positive whole number' in rejection(
        tiny_dataset, input_side=side)
