"""The runner, tools/evaluate.py and Python give one model the same digits: there is one way to them."""
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch')
pytest.importorskip('mmdet')

from mmdet.registry import MODELS  # noqa: E402
from mmengine.registry import init_default_scope  # noqa: E402

from mmwindow.apis import load_config  # noqa: E402
from mmwindow.apis import test as run_test  # noqa: E402  (pytest would collect it)
from mmwindow.apis.evaluate_files import evaluate_files  # noqa: E402
from mmwindow.evaluation import evaluate  # noqa: E402
from mmwindow.evaluation.files.ground_truth import read_annotations  # noqa: E402
from mmwindow.evaluation.files.prediction_files import read_predictions  # noqa: E402

CONFIGS = Path(__file__).parents[2] / 'configs'
SYSTEMS = {'map': 'windowloss/wl_kld_lite0_fpn_synthetic.py',
           'boxes': 'retinanet/retinanet_lite0_fpn_synthetic.py',
           'classifier': 'chexnet/chexnet_lite0_synthetic.py'}
# The config lists the classes in another order than the category ids of the file.
CLASSES = ('implant', 'fracture')


@pytest.fixture(scope='module')
def two_classes(tiny_dataset, tmp_path_factory):
    """A point file of five images whose three points are of two classes."""
    content = json.loads((tiny_dataset / 'annotations' / 'test.json').read_text())
    content['categories'] = [dict(id=1, name='fracture'), dict(id=2, name='implant')]
    for number, annotation in enumerate(content['annotations']):
        annotation['category_id'] = 1 + number % 2
    path = tmp_path_factory.mktemp('two') / 'test.json'
    path.write_text(json.dumps(content))
    return path


def save_model(cfg, path):
    """Save a model with weights that say something, but nothing learnt."""
    init_default_scope('mmdet')
    torch.manual_seed(3)
    model = MODELS.build(cfg.model)
    model.init_weights()
    for name, weight in model.named_parameters():
        if 'head' in name and weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.3)
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return path


@pytest.mark.parametrize('kind', SYSTEMS)
def test_runner_tool_and_python_give_the_same_digits(kind, tiny_dataset, two_classes, tmp_path):
    options = {
        'model.backbone.pretrained': False, 'model.bbox_head.num_classes': 2,
        'test_dataloader.num_workers': 0, 'test_dataloader.persistent_workers': False,
        'test_dataloader.dataset.data_root': f'{tiny_dataset}/',
        'test_dataloader.dataset.ann_file': str(two_classes),
        'test_dataloader.dataset.metainfo.classes': CLASSES}
    if kind == 'boxes':
        options['model.test_cfg.score_thr'] = 0.
    config = CONFIGS / SYSTEMS[kind]
    checkpoint = save_model(load_config(config, tmp_path, options), tmp_path / 'model.pth')
    out = tmp_path / 'predictions.npz'
    logged = run_test(config, checkpoint, tmp_path / 'work', options, out=out)
    written = evaluate_files(out, two_classes, tmp_path / 'report', progress=False)
    truth = read_annotations(two_classes)
    own = evaluate(read_predictions(out, truth), truth.targets, classes=truth.classes)
    assert len(logged) == 21  # seven numbers, of both classes and their mean
    for name, value in logged.items():
        for result in (written, own):
            np.testing.assert_equal(result.metrics[name.removeprefix('froc/')], value, err_msg=name)
    assert len({value for value in logged.values() if not np.isnan(value)}) > 2
    described = json.loads(out.with_suffix('.json').read_text())
    assert described['classes'] == list(CLASSES) and described['images'][0]['file_name']
