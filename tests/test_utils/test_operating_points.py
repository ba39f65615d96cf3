"""Thresholds of a model as JSON data: what was written is read, what no model has is rejected."""
import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest

from mmwindow.utils.operating_points import (
    ClassOperatingPoints,
    ModelOperatingPoints,
    OperatingPoint,
)

POINT = OperatingPoint(
    0.375, 'fp_budget', 0.1, True, 'all', dict(fp_rate=0.09, recall=None), 120, 'a note',
    threshold_interval=(0.25, 0.5), intervals=dict(sensitivity=(0.8, 0.7, 0.875)))
MODEL = ModelOperatingPoints(
    {'fracture': ClassOperatingPoints(POINT, POINT),
     'screw': ClassOperatingPoints(reasons=dict(images='too few', findings='too few'))},
    'val', 120, 90, 'a' * 64, 'b' * 64, (384, 256), 'c' * 16, dict(torch='2.9', mmcv=None))


def test_what_was_written_is_read():
    content = json.loads(json.dumps(MODEL.to_json(), allow_nan=False))
    assert ModelOperatingPoints.from_json(content) == MODEL
    assert MODEL.threshold('fracture', 'images') == MODEL.threshold('fracture', 'findings') == 0.375
    assert MODEL.threshold('screw', 'images') is None and MODEL.threshold('other', 'images') is None
    assert MODEL.warnings() == ['class screw: no threshold of images: too few',
                                'class screw: no threshold of findings: too few']
    with pytest.raises(ValueError, match="level is 'pixels'"):
        MODEL.threshold('fracture', 'pixels')


@pytest.mark.parametrize('threshold', [math.inf, -math.inf, math.nan])
def test_a_threshold_that_calls_all_or_nothing_is_not_stored(threshold):
    with pytest.raises(ValueError, match='finite'):
        replace(POINT, threshold=threshold).to_json()


@pytest.mark.parametrize('entry, value, words', [
    ('threshold', None, ['threshold', 'number']), ('threshold', math.nan, ['threshold']),
    ('threshold', True, ['threshold', 'True']), ('rule', 'luck', ['rule', 'luck', 'youden']),
    ('target', None, ['fp_budget', 'target']), ('target', -1, ['target', '-1']),
    ('fp_denominator', 'some', ['fp_denominator', 'some']), ('num_images', 0, ['num_images', '0']),
    ('threshold_interval', [1, 0], ['threshold_interval']), ('same_scale', 1, ['same_scale']),
    ('threshold_interval', [0.1], ['threshold_interval']),
    ('intervals', dict(recall=[0.5, 0.6, 0.7]), ['recall', '0.6']),
    ('achieved', dict(recall='all'), ['recall', 'all'])])
def test_a_point_that_was_changed_by_hand_is_an_error_with_its_entry(entry, value, words):
    with pytest.raises(ValueError) as error:
        OperatingPoint.from_json({**POINT.to_json(), entry: value}, 'run.json')
    assert all(word in str(error.value) for word in ['run.json', *words]), error.value


@pytest.mark.parametrize('change, words', [
    (dict(format='other'), ['mmwindow']), (dict(version=2), ['update mmwindow']),
    (dict(classes=None), ['classes']), (dict(num_patients=121), ['121']),
    (dict(num_images=0, num_patients=0), ['counts 0']), (dict(input_size=[384]), ['input_size']),
    (dict(classes=[dict(name='a'), dict(name='a')]), ["'a' twice"]),
    (dict(classes=['a']), ['class'])])
def test_points_of_a_model_are_checked(change, words):
    with pytest.raises(ValueError) as error:
        ModelOperatingPoints.from_json({**MODEL.to_json(), **change}, 'model.onnx')
    assert all(word in str(error.value) for word in ['model.onnx', *words]), error.value


@pytest.mark.parametrize('content', [None, [], 'text', {}])
def test_what_is_no_points_is_rejected(content):
    with pytest.raises(ValueError, match='run.json'):
        ModelOperatingPoints.from_json(content, 'run.json')


def test_a_runtime_reads_points_without_numpy_or_scipy():
    code = ('import sys, mmwindow.utils.operating_points; '
            'print([name for name in ("torch", "scipy", "mmengine") if name in sys.modules])')
    found = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == '[]'
