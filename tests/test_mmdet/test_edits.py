"""Each change that a user makes is a few lines of a config, and the result trains and evaluates."""
import json

import pytest

from mmwindow.apis import train

BASE = "_base_ = 'mmwindow::windowloss/wl_kld_lite0_fpn.py'\n"
# What makes any config train two steps in a second; not part of the edits.
SMALL = {
    'train_dataloader.batch_size': 3, 'train_cfg.max_epochs': 1, 'default_hooks.logger.interval': 1,
    **{f'{split}_dataloader.{key}': value for split in ('train', 'val')
       for key, value in {'num_workers': 0, 'persistent_workers': False}.items()}}
OWN_BACKBONE = {'model.backbone.pretrained': False}

EDITS = {
    'two_classes': 'model = dict(bbox_head=dict(num_classes=2))',
    'resnet18': (
        "model = dict(\n"
        "    backbone=dict(_delete_=True, type='ResNet', depth=18, style='pytorch'),\n"
        "    neck=dict(in_channels=[64, 128, 256, 512]))"),
    'swin_t': (
        "model = dict(\n"
        "    backbone=dict(_delete_=True, type='SwinTransformer', embed_dims=96,\n"
        "                  depths=[2, 2, 6, 2], num_heads=[3, 6, 12, 24]),\n"
        "    neck=dict(in_channels=[96, 192, 384, 768]))"),
    'pafpn': "model = dict(neck=dict(type='PAFPN'))",
    'size': 'input_size = 192',
    'scale': 'random_scale = (0.8, 1.3)',
    'rectangle': 'input_size = (64, 128)  # height, width',
}


def train_edit(edit, data, tmp_path, **options):
    (tmp_path / 'own.py').write_text(BASE + edit)
    own = OWN_BACKBONE if 'backbone' not in edit else {}
    size = {} if 'input_size' in edit else {'input_size': 64}
    return train(tmp_path / 'own.py', work_dir=tmp_path / 'work',
                 cfg_options={**SMALL, **own, **size, 'data_root': f'{data}/', **options})


def write_two_classes(data):
    """Give every second point the class 'infiltrate'."""
    for path in (data / 'annotations').glob('*.json'):
        content = json.loads(path.read_text())
        content['categories'].append(dict(id=5, name='infiltrate'))
        for annotation in content['annotations'][::2]:
            annotation['category_id'] = 5
        path.write_text(json.dumps(content))


@pytest.mark.parametrize('name', EDITS)
def test_an_edit_trains_two_steps_and_is_validated(name, own_tiny_dataset, tmp_path):
    if name == 'two_classes':
        write_two_classes(own_tiny_dataset)
    runner = train_edit(EDITS[name], own_tiny_dataset, tmp_path)
    assert runner.iter == 2
    numbers = json.loads((tmp_path / 'work/validation.json').read_text())
    assert 0 <= numbers['froc/auroc'] <= 1 and 0 <= numbers['froc/froc_score'] <= 1
    if name == 'two_classes':
        assert runner.model.bbox_head.num_classes == 2
        assert {'froc/fracture_froc_score', 'froc/infiltrate_froc_score'} <= set(numbers)
        assert numbers['froc/froc_score'] == pytest.approx((
            numbers['froc/fracture_froc_score'] + numbers['froc/infiltrate_froc_score']) / 2)
    expected = dict(size=(192, 192), rectangle=(64, 128)).get(name, (64, 64))
    for loader in (runner.train_dataloader, runner.val_dataloader):
        assert tuple(loader.dataset[0]['inputs'].shape[-2:]) == expected
    types = dict(resnet18=('ResNet', 'FPN'), swin_t=('SwinTransformer', 'FPN'),
                 pafpn=('EfficientNetLite', 'PAFPN')).get(name, ('EfficientNetLite', 'FPN'))
    assert (type(runner.model.backbone).__name__, type(runner.model.neck).__name__) == types


def test_boxes_of_a_coco_file_are_taken_as_points(own_tiny_dataset, tmp_path):
    """The point is the centre of the box, also where there is a keypoint."""
    centres = {}
    for path in (own_tiny_dataset / 'annotations').glob('*.json'):
        content = json.loads(path.read_text())
        for annotation in content['annotations']:
            annotation['bbox'] = [20, 30, 10, 6]
            centres[annotation['image_id']] = [25., 33.]
        path.write_text(json.dumps(content))
    runner = train_edit('', own_tiny_dataset, tmp_path, **{'dataset.points_from': 'bbox'})
    assert runner.iter == 2
    for item in runner.val_dataloader.dataset:
        sample = item['data_samples']
        expected = [centres[sample.img_id]] if sample.img_id in centres else []
        assert [list(point) for point in sample.ori_points] == expected


def test_several_point_files_are_one_data_set(own_tiny_dataset, tmp_path):
    files = "['annotations/train.json', 'annotations/test.json']"
    runner = train_edit(f'train_dataloader = dict(dataset=dict(ann_file={files}))',
                        own_tiny_dataset, tmp_path)
    assert len(runner.train_dataloader.dataset) == 6 + 5 and runner.iter == 4
