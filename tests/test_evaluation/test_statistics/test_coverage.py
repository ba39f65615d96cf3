"""The coverage simulation: its model, its arithmetic, and the committed result."""
import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmwindow.evaluation.statistics.intervals import Interval

ROOT = Path(__file__).parents[3]
RESULT = ROOT / 'results' / 'coverage' / 'coverage.json'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location(
        'simulate_coverage', ROOT / 'tools' / 'simulate_coverage.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_coverage_by_hand(tool):
    """Truth .5: (.4 .6) and (.5 .7) hold it, (.6 .7) lies above, (.1 .2) below: 2 of 4."""
    ends = [(.4, .6), (.5, .7), (.6, .7), (.1, .2)]
    rows = [{('auroc', 'x'): Interval(.5, low, high)} for low, high in ends]
    cell, = tool.summarise(rows, dict(auroc=0.5))
    assert cell['coverage'] == 0.5 and cell['num_data_sets'] == 4
    assert cell['interval_above_truth'] == cell['interval_below_truth'] == 0.25
    assert cell['mean_width'] == pytest.approx(0.15)
    assert cell['standard_error'] == 0.25


def test_model_of_patients(tool):
    """1 to 3 images, 2 on average; half of the patients times 2/3 of their images positive."""
    events = tool.patient_events(2000, 1.6, np.random.default_rng(0))[0]
    assert len({event.group for event in events}) == 2000
    assert len(events) == pytest.approx(4000, rel=0.03)
    assert np.mean([event.is_positive for event in events]) == pytest.approx(1 / 3, abs=0.03)
    for event in events[:200]:
        assert (np.diff(event.fp_levels) <= 0).all() and event.fp_changes.cumsum().min(initial=0) >= 0
        assert event.score >= max(event.recall_levels, default=-4)


def test_tiny_run(tool, monkeypatch):
    monkeypatch.setattr(tool, 'TRUTH_PATIENTS', 100)
    monkeypatch.setattr(tool, 'CASE_CONTROL', ((10, 10),))
    monkeypatch.setattr(tool, 'AREAS', (0.8,))
    monkeypatch.setattr(tool, 'PATIENTS', (15, 15))
    monkeypatch.setattr(tool, 'SYSTEMS', {'fair': 1.6})
    args = SimpleNamespace(data_sets=3, resamples=100, seed=1)
    result, again = tool.simulate(args), tool.simulate(args)
    assert result['coverage'] == again['coverage'] and result['nulls'] == again['nulls']
    assert result['seed'] == 1 and 'numpy' in result['versions']
    assert len(result['coverage']) == 3
    assert '| binormal | 10 positives, 10 normals | auroc | 0.800 |' in tool.markdown(result)


def test_committed_result_supports_the_defaults():
    """The default intervals hold the truth about as often as they say; three standard errors of
    1000 data sets are 2 points. Where they do not, the docstrings say so: few patients and
    rare hard findings."""
    result = json.loads(RESULT.read_text(encoding='utf-8'))
    defaults = {'delong logit', 'delong logit, by patient', 'bootstrap bca', 'wilson, by patient'}
    checked = 0
    for part in result['coverage']:
        for cell in part['cells']:
            clustered_without_patients = cell['method'] == 'delong logit' and 'images' in part['size']
            if cell['method'] not in defaults or clustered_without_patients:
                continue
            few = part['size'].startswith('50 patients')
            assert cell['coverage'] >= (0.85 if few else 0.92), (part['size'], cell)
            checked += 1
    assert checked >= 40
    for part in result['nulls']:  # of AUROC it is DeLong's test that the docstring sends to
        tests = {name: share for name, share in part['rejections'].items()
                 if name != 'bootstrap, auroc'}
        assert len(tests) == 3 and max(tests.values()) <= 0.06
