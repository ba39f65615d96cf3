"""What the tests of the study share: two tiny systems, and a worker that trains nothing."""
import sys

import pytest
import torch

from mmwindow.apis.own_data.timing import Timing, Work
from mmwindow.experiments import cross_validation
from mmwindow.experiments.study import estimate
from mmwindow.experiments.study.design import Sizes
from tests.stand_in_configs import stand_in_config

SIZES = Sizes(num_train=8, num_val=2, num_test=16, side=64, epochs=2)
NAMES = ('wl_kld_tiny', 'retinanet_tiny')
# Stands in for the worker: findings by chance, those of Window Loss a little better.
WORKER = """
import json, random, runpy, shutil, sys
from pathlib import Path
folder = Path(sys.argv[1])
state = json.loads((folder / 'run.json').read_text())
assert state['splits'] == ['test'] and state['weights'] == 'last'
config = runpy.run_path(folder / 'config.py')
if config['model']['name'] == 'fails_tiny':
    raise SystemExit('no luck')
data = config['test_dataloader']['dataset']
content = json.loads((Path(data['data_root']) / data['ann_file']).read_text())
points = {image['id']: 0 for image in content['images']}
for note in content['annotations']:
    points[note['image_id']] += 1
chance = random.Random(str(folder.relative_to(folder.parents[1])))
(folder / 'training').mkdir(exist_ok=True)
if not (folder / 'training/epoch_2.pth').exists():
    shutil.copy('EPOCH', folder / 'training/epoch_2.pth')
rule = config['test_evaluator'].get('rule')  # by distance Window Loss is no better
settings = dict(budgets=[.1, .2, .3, .4, .5], convention='first_crossing')
settings |= dict(rule=rule, hit_radius=config['test_evaluator']['hit_radius']) if rule else {}
images = []
for image in content['images']:
    skill = .3 if state['system'].startswith('wl') and not rule else .2
    levels = [chance.random() + skill for _ in range(points[image['id']])]
    false = [chance.random()] if chance.random() < .6 else []
    images.append(dict(image_id=image['id'], group=image['group'], score=max([*levels, *false, 0]),
                       recall_levels=levels, fp_levels=false, fp_changes=[1] * len(false),
                       is_positive=bool(levels)))
(folder / 'test.json').write_text(json.dumps(dict(
    format='mmwindow-evaluation', version=1, metrics={}, settings=settings,
    classes=[dict(name='fracture', images=images)])))
(folder / 'result.json').write_text(json.dumps({
    **state, 'training_seconds': 5.0, 'test_seconds': 1.0, 'metrics': {},
    'records': dict(test='test.json'), 'checkpoint': 'epoch_2.pth', 'machine': 'x86_64',
    'versions': dict(torch='2'), 'num_images': dict(test=len(images))}))
"""


@pytest.fixture
def configs(tmp_path):
    """Config files of the two systems."""
    paths = []
    for name in NAMES:
        paths.append(tmp_path / f'{name}.py')
        paths[-1].write_text(stand_in_config(
            'data', f"dict(type='Any', name='{name}')", 'train_cfg = dict(max_epochs=5)\n'))
    return paths


@pytest.fixture
def fake_worker(monkeypatch, tmp_path):
    """Let runs be done by the stand-in, and a step take a second."""
    monkeypatch.setattr(cross_validation, 'worker_command', lambda plan, *rest: (
        sys.executable, '-W', 'ignore', '-c', WORKER.replace('EPOCH', str(tmp_path / 'epoch.pth')),
        str(plan.folder)))
    torch.save(dict(meta=dict(epoch=1), state_dict=dict(weight=torch.ones(1))),
               tmp_path / 'epoch.pth')
    monkeypatch.setattr(estimate, 'time_training',
                        lambda cfg, amp: Timing(1., .01, .1, busy=2.))
    monkeypatch.setattr(estimate, 'describe_work', lambda cfg, train, val, test: Work(
        5, -(-train // 8), 8, 1, val, test))
