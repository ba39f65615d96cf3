"""FROCMetric next to CocoMetric, for a stock detector on a CocoDataset."""
import json

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.utils import get_installed_path

from mmwindow.evaluation import auroc, read_record

pytest.importorskip('mmwindow.evaluation.files.samples')  # FROCMetric reads boxes from there on


@pytest.fixture(scope='module')
def box_dataset(tiny_dataset, tmp_path_factory):
    """The tiny data set with COCO boxes of 12 x 10 pixels in place of its points."""
    folder = tmp_path_factory.mktemp('boxes')
    for split in ('train', 'val'):
        content = json.loads((tiny_dataset / f'annotations/{split}.json').read_text())
        for annotation in content['annotations']:
            x, y, _ = annotation.pop('keypoints')
            annotation.pop('num_keypoints')
            annotation.update(bbox=[x - 6, y - 5, 12, 10], area=120, iscrowd=0)
        (folder / f'{split}.json').write_text(json.dumps(content))
    return folder


@pytest.fixture(scope='module')
def stock_config(box_dataset, tiny_dataset, tmp_path_factory):
    """MMDetection's own RetinaNet on a CocoDataset, shrunk, with both metrics."""
    path = f'{get_installed_path("mmdet")}/.mim/configs/retinanet/retinanet_r18_fpn_1x_coco.py'
    cfg = Config.fromfile(path)
    cfg.custom_imports = dict(imports=['mmwindow'], allow_failed_imports=False)
    cfg.model.backbone.init_cfg = None
    cfg.model.bbox_head.update(num_classes=1, feat_channels=16, in_channels=16, stacked_convs=1)
    cfg.model.neck.out_channels = 16
    cfg.model.test_cfg.score_thr = 0.
    data = dict(data_root='', data_prefix=dict(img=f'{tiny_dataset}/images/'),
                metainfo=dict(classes=('fracture', )))
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        name = 'train' if split == 'train' else 'val'
        loader.update(num_workers=0, persistent_workers=False, batch_size=3)
        loader.dataset.update(ann_file=str(box_dataset / f'{name}.json'), **data)
        for step in loader.dataset.pipeline:
            if step['type'] == 'Resize':
                step['scale'] = (96, 160)
    cfg.train_dataloader.dataset.filter_cfg = None  # negative images train too
    cfg.val_evaluator = cfg.test_evaluator = [
        dict(type='CocoMetric', ann_file=str(box_dataset / 'val.json'), metric='bbox'),
        dict(type='FROCMetric', hit_radius=50)]
    cfg.train_cfg.max_epochs = 1
    cfg.work_dir = str(tmp_path_factory.mktemp('stock'))
    return cfg


@pytest.mark.smoke
def test_both_metrics_score_a_stock_retinanet(stock_config, tmp_path):
    cfg = stock_config.copy()
    cfg.val_evaluator[1]['outfile'] = str(tmp_path / 'record.json')
    runner = Runner.from_cfg(cfg)
    runner.train()
    metrics = {name.removeprefix('val/'): value.current()
               for name, value in runner.message_hub.log_scalars.items() if '/' in name}
    assert {'coco/bbox_mAP', 'froc/auroc', 'froc/froc_score'} <= set(metrics)
    events = read_record(tmp_path / 'record.json').events()
    assert [event.is_positive for event in events] == [True, False, True, False, True]
    assert metrics['froc/auroc'] == pytest.approx(auroc(
        [event.is_positive for event in events], [event.score for event in events]))


def test_points_of_a_stock_pipeline_are_the_centres_of_its_boxes(stock_config, box_dataset):
    """The pipeline resizes the image and its boxes; the metric works in the original's pixels."""
    from mmdet.registry import DATASETS, METRICS
    from mmengine.registry import init_default_scope
    init_default_scope('mmdet')
    dataset = DATASETS.build(stock_config.val_dataloader.dataset)
    metric = METRICS.build(dict(type='FROCMetric', hit_radius=50))
    metric.dataset_meta = dataset.metainfo
    truth = {annotation['image_id']: annotation['bbox'] for annotation in
             json.loads((box_dataset / 'val.json').read_text())['annotations']}
    for item in dataset:
        sample = item['data_samples']
        box = truth.get(sample.img_id)
        centres = [] if box is None else [[box[0] + box[2] / 2, box[1] + box[3] / 2]]
        # A finding exactly on the point, and one in the opposite corner.
        far = [[92., 76., 96., 80.]] if centres and centres[0][0] < 48 else [[0., 0., 4., 4.]]
        boxes = [[x - 2, y - 2, x + 2, y + 2] for x, y in centres] + far
        metric.process(None, [{**sample.to_dict(), 'pred_instances': dict(
            bboxes=np.array(boxes), scores=np.array([.9] * len(centres) + [.2]),
            labels=np.zeros(len(boxes), int))}])
    numbers = metric.evaluate(len(dataset))
    assert numbers['froc/recall@0.1'] == numbers['froc/auroc'] == 1.
