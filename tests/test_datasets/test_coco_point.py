"""The data set: negative images stay, and what is wrong is told when it is built, before training."""
import json

import cv2
import numpy as np
import pytest
from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS, METRICS
from mmengine.logging import MMLogger
from PIL import Image

import mmwindow  # noqa: F401
from mmwindow.datasets import CocoPointDataset


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


def test_negative_images_are_kept_and_samples_hold_points_and_no_settings(tiny_dataset):
    dataset = build(tiny_dataset)
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
        assert not {'num_classes', 'input_side', 'window'} & set(sample)  # settings of transforms


def test_other_entries_of_an_image_are_fields_to_report_by(own_tiny_dataset):
    spoil(own_tiny_dataset, lambda content: content['images'][0].update(
        region='hand', hardware=True, dose=float('nan'), camera=dict(name='x')))
    dataset = build(own_tiny_dataset)
    assert dataset[0]['fields'] == dict(region='hand', hardware=True)
    assert dataset[1]['fields'] == {}
    packed = DATASETS.build(dict(
        type='CocoPointDataset', data_root=f'{own_tiny_dataset}/',
        ann_file='annotations/train.json', data_prefix=dict(img='images/'),
        test_mode=True, pipeline=[
            dict(type='mmdet.LoadRadiograph'), dict(type='mmdet.ResizeToInput', input_size=128),
            dict(type='mmdet.PadToInput'), dict(type='mmdet.PackPointInputs')]))[0]
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
    dataset = build(tiny_dataset, serialize_data=False)
    sample = dataset[0]
    before = json.dumps(sample)
    sample['ori_points'][0][0] = -1
    sample['instances'][0]['bbox'][0] = -1
    assert json.dumps(dataset[0]) == before
    assert dataset[0]['ori_points'][0] is not dataset[0]['instances'][0]['bbox']


def test_a_file_of_negative_images_only(own_tiny_dataset):
    spoil(own_tiny_dataset, lambda content: content['annotations'].clear())
    dataset = build(own_tiny_dataset)
    assert len(dataset) == 6 and dataset.metainfo['classes'] == ('fracture', )
    for index in range(6):
        assert dataset[index]['instances'] == dataset[index]['ori_points'] == []


def test_without_an_image_folder_images_lie_in_the_root(own_tiny_dataset):
    for path in (own_tiny_dataset / 'images').iterdir():
        path.rename(own_tiny_dataset / path.name)
    dataset = DATASETS.build(dict(type='CocoPointDataset', data_root=str(own_tiny_dataset),
                                  ann_file='annotations/train.json'))
    assert dataset[0]['img_path'] == f'{own_tiny_dataset}/train_0.png'


def test_the_config_orders_the_labels(own_tiny_dataset):
    dataset = build(own_tiny_dataset, metainfo=dict(classes=('lump', 'fracture')))
    assert dataset[0]['ori_point_labels'] == [1]
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
    assert 'copy it again, or take the image and its annotations out of the point file' in message


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
            'or fix its size') in rejection(own_tiny_dataset)


def test_images_are_not_looked_at_when_asked(own_tiny_dataset):
    (own_tiny_dataset / 'images' / 'train_3.png').unlink()
    assert len(build(own_tiny_dataset, check_images=False)) == 6


def test_coco_boxes_train_as_their_centres(own_tiny_dataset):
    """A data set with boxes alone gives what one with points gives, through the pipeline as well."""
    expected = [sample['ori_points'] for sample in build(own_tiny_dataset)]

    def use_boxes(content):
        for annotation in content['annotations']:
            x, y, _ = annotation.pop('keypoints')
            annotation.pop('num_keypoints')
            annotation['bbox'] = [x - 6, y - 4, 12, 8]
    spoil(own_tiny_dataset, use_boxes)
    for rule in ('auto', 'bbox'):
        centres = [sample['ori_points'] for sample in build(own_tiny_dataset, points_from=rule)]
        assert [len(points) for points in centres] == [1, 0] * 3
        for points, others in zip(centres, expected, strict=True):
            assert sum(points, []) == pytest.approx(sum(others, []))
    with pytest.raises(ValueError, match='has no keypoints'):
        build(own_tiny_dataset, points_from='keypoints')
    with pytest.raises(ValueError, match="points_from is 'box'"):
        build(own_tiny_dataset, points_from='box')


def test_training_without_a_point_is_said(own_tiny_dataset, monkeypatch):
    said = []
    monkeypatch.setattr('mmwindow.datasets.coco_point.print_log',
                        lambda message, *arguments, **options: said.append(message))
    build(own_tiny_dataset)
    assert said == []
    spoil(own_tiny_dataset, lambda content: content['annotations'].clear())
    build(own_tiny_dataset, test_mode=True)
    assert said == []
    build(own_tiny_dataset)
    assert len(said) == 1 and 'train.json: none of the 6 images has a point' in said[0]


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


@pytest.mark.parametrize('options, says', [
    (dict(input_side=256), 'input_side is now input_size of ResizeToInput: --cfg-options input_s'),
    (dict(window=dict(softness=2)), 'window is now the arguments of PointToBoundTransform')])
def test_a_setting_that_has_moved_says_where_it_is(tiny_dataset, options, says):
    assert says in rejection(tiny_dataset, **options)


def test_bounds_have_as_many_maps_as_the_files_have_classes(own_tiny_dataset):
    spoil(own_tiny_dataset, lambda content: content['categories'].append(dict(id=2, name='lump')))
    pipeline = [dict(type='mmdet.PointToBoundTransform'),
                dict(type='mmdet.PointToBoundTransform', num_classes=5)]
    dataset = build(own_tiny_dataset, pipeline=pipeline)
    assert [step.num_classes for step in dataset.pipeline.transforms] == [2, 5]


def test_images_are_checked_as_the_pipeline_reads_them(own_tiny_dataset):
    path = own_tiny_dataset / 'images' / 'train_0.png'
    cv2.imwrite(str(path), np.full((80, 96), 3000, np.uint16))
    assert '16-bit pixels reach 3000 only' in rejection(own_tiny_dataset)
    pipeline = [dict(type='mmdet.LoadRadiograph', bit_depth=12)]
    assert build(own_tiny_dataset, pipeline=pipeline)[0]['img'][0, 0, 0] == 187  # 3000 / 4095 * 255


def test_a_loader_that_would_decode_images_otherwise_is_rejected(own_tiny_dataset):
    """mmcv's turns images by their tags, not their points."""
    with pytest.raises(ValueError, match="give it backend_args=dict\\(backend='radiograph'\\)"):
        build(own_tiny_dataset, pipeline=[dict(type='LoadImageFromFile')])


def test_images_above_the_limit_of_pixels_are_rejected_before_training(own_tiny_dataset):
    pipeline = [dict(type='mmdet.LoadRadiograph', max_pixels=7679)]
    with pytest.raises(ValueError, match='train_0.png: 96 x 80 are 7680 pixels.*raise max_pixels'):
        build(own_tiny_dataset, pipeline=pipeline)


def test_turned_images_are_named(own_tiny_dataset, capsys):
    """No orientation tag is applied; who placed points in a viewer that applies it must know."""
    path = own_tiny_dataset / 'images' / 'train_0.png'
    exif = Image.Exif()
    exif[0x0112] = 3
    with Image.open(path) as image:
        image.save(path, exif=exif)
    logger = MMLogger.get_instance('turned')
    build(own_tiny_dataset)
    text = ''.join(capsys.readouterr())
    assert '1 image has an orientation tag, which is not applied' in text and 'train_0.png' in text
    assert logger is not None


def test_box_rules_score_samples_as_they_score_the_file(own_tiny_dataset):
    """Samples once carried no boxes, so a box rule rejected what the same rule scores by ann_file."""
    def add_boxes(content):
        for annotation in content['annotations']:
            x, y = annotation['keypoints'][:2]
            annotation['bbox'] = [x - 6, y - 5, 12, 10]
    spoil(own_tiny_dataset, add_boxes)
    dataset = build(own_tiny_dataset, test_mode=True,
                    pipeline=[dict(type='mmdet.LoadRadiograph'), dict(type='mmdet.PackPointInputs')])
    results = []
    for options in (dict(), dict(ann_file=str(points_of(own_tiny_dataset)))):
        metric = METRICS.build(dict(type='FROCMetric', rule='box_iou', **options))
        metric.dataset_meta = dataset.metainfo
        for item in dataset:
            sample = item['data_samples']
            assert ('ori_boxes' in sample) == bool(sample.ori_points)  # negative images have none
            boxes = [[x - 5, y - 5, x + 6, y + 5] for x, y in sample.ori_points] or [[0, 0, 9, 9]]
            metric.process(None, [dict(sample.to_dict(), pred_instances=dict(
                bboxes=np.array(boxes), scores=np.array([0.4 + sample.img_id / 100]),
                labels=np.array([0])))])
        results.append(metric.evaluate(len(dataset)))
    assert results[0] == results[1] and results[0]['froc/recall@0.5'] > 0


def test_samples_without_boxes_carry_none(own_tiny_dataset):
    def add_one_box(content):
        content['annotations'][0]['bbox'] = [5, 5, 12, 10]
        first = content['annotations'][0]
        content['annotations'].append(dict(first, id=99, bbox=[5, 5, 0, 0]))  # of no size
    spoil(own_tiny_dataset, add_one_box)
    assert not any('ori_boxes' in sample for sample in build(own_tiny_dataset))


def test_a_dicom_file_gives_the_item_of_a_png_with_the_same_grey_levels(own_tiny_dataset):
    """The point file names .dcm files; pydicom writes MONOCHROME1 of 12 bits without window."""
    pydicom = pytest.importorskip('pydicom')
    from mmwindow.images.decode import read_image
    pipeline = [dict(type='mmdet.LoadRadiograph')]
    items = [each['img'] for each in build(own_tiny_dataset, pipeline=pipeline)]

    def name_dicom(content):
        for image in content['images']:
            path = own_tiny_dataset / 'images' / image['file_name']
            levels = read_image(path).to_bgr()[..., 0]
            stored = np.round((255 - levels) * (4095 / 255)).astype('<u2')
            data_set = pydicom.Dataset()
            data_set.Rows, data_set.Columns = levels.shape
            data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, 'MONOCHROME1'
            data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 16, 12, 11
            data_set.PixelRepresentation = 0
            data_set.PatientName = 'Mustermann^Erika'
            data_set.add_new(0x7fe00010, 'OW', stored.tobytes())
            data_set.file_meta = pydicom.dataset.FileMetaDataset()
            data_set.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
            image['file_name'] = f'{path.stem}.dcm'
            pydicom.dcmwrite(path.with_suffix('.dcm'), data_set)
            path.unlink()

    spoil(own_tiny_dataset, name_dicom)
    again = [each['img'] for each in build(own_tiny_dataset, pipeline=pipeline)]
    assert len(again) == len(items) == 6
    for before, after in zip(items, again, strict=True):
        assert np.ptp(before) > 50 and np.array_equal(before, after)
