"""The coverage simulation: its model, its arithmetic, and the committed result."""
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmwindow.evaluation.statistics.intervals import Interval
from tests.imported_tools import imported_tool

ROOT = Path(__file__).parents[3]
RESULT = ROOT / 'results' / 'coverage' / 'coverage.json'


@pytest.fixture(scope='module')
def tool():
    with imported_tool('simulate_coverage') as module:
        yield module


def test_coverage_by_hand(tool):
    """Truth .5: (.4 .6) and (.5 .7) hold it, (.6 .7) lies above, (.1 .2) below: 2 of 4."""
    ends = [(.4, .6), (.5, .7), (.6, .7), (.1, .2)]
    rows = [{('auroc', 'x'): Interval(.5, low, high)} for low, high in ends]
    cell, = tool.summarise(rows, dict(auroc=0.5))
    assert cell['coverage'] == 0.5 and cell['num_data_sets'] == 4
    assert cell['interval_above_truth'] == cell['interval_below_truth'] == 0.25
    assert cell['median_width'] == pytest.approx(0.15)
    assert cell['least_width'] == pytest.approx(0.1)
    assert cell['standard_error'] == 0.25


def test_model_of_patients(tool):
    """1 to 3 images, 2 on average; half of the patients times 2/3 of their images positive."""
    events = tool.patient_events(2000, [tool.SYSTEMS['fair']], np.random.default_rng(0))[0]
    assert len({event.group for event in events}) == 2000
    assert len(events) == pytest.approx(4000, rel=0.03)
    assert np.mean([event.is_positive for event in events]) == pytest.approx(1 / 3, abs=0.03)
    for event in events[:200]:
        assert (np.diff(event.fp_levels) <= 0).all() and event.fp_changes.cumsum().min(initial=0) >= 0
        assert event.score == max([-4, *event.recall_levels, *event.fp_levels])
    found = np.concatenate([event.recall_levels for event in events])
    assert np.isinf(found).mean() == pytest.approx(0.05, abs=0.015)  # of 1200
    # Variance 1: .4 of the patient, .3 of the finding, .3 of the system.
    assert found[found > -np.inf].std() == pytest.approx(1, abs=0.05)
    first, second = tool.patient_events(2000, [tool.SYSTEMS['perfect']] * 2, np.random.default_rng(1))
    pairs = np.concatenate([np.stack([one.recall_levels, other.recall_levels])
                            for one, other in zip(first, second, strict=True)], axis=1)
    assert np.corrcoef(pairs)[0, 1] == pytest.approx(0.7, abs=0.05)


def test_tiny_run(tool, monkeypatch, tmp_path):
    """Each cell has its own seed: a second run resumes, and a run of other cells gives the same."""
    monkeypatch.setattr(tool, 'TRUTH_PATIENTS', 100)
    monkeypatch.setattr(tool, 'CASE_CONTROL', ((10, 10),))
    monkeypatch.setattr(tool, 'AREAS', (0.8,))
    monkeypatch.setattr(tool, 'PATIENTS', (15, 16))
    monkeypatch.setattr(tool, 'SYSTEMS', {'fair': tool.SYSTEMS['fair']})
    monkeypatch.setattr(tool, 'PAIRS', (('fair', 'fair'),))
    args = SimpleNamespace(data_sets=3, resamples=100, seed=1, folds=False,
                           out=tmp_path / 'result.json')
    result = tool.simulate(args)
    assert json.loads(args.out.read_text()) == result and len(result['cells']) == 5
    assert 'numpy' in result['versions'] and str(tmp_path) not in args.out.read_text()
    shorter = dict(result, cells={name: part for name, part in result['cells'].items()
                                  if '15 patients' in name})
    args.out.write_text(json.dumps(shorter))
    assert tool.simulate(args)['cells'] == result['cells']
    table = tool.markdown(result)
    assert '| binormal | 10 positives, 10 normals |' in table
    assert '| fair against fair | 16 patients |' in table
    page = tmp_path / 'page.md'
    page.write_text('before\n<!-- coverage -->\nold\n<!-- end -->\nafter\n')
    tool.write_docs(page, tool.describe(result))
    assert page.read_text() == (f'before\n<!-- coverage -->\n{tool.describe(result)}\n<!-- end -->\n'
                                'after\n')
    assert '3 data sets a cell' in page.read_text() and ' seed 1; ' in page.read_text()
    page.write_text('nothing')
    with pytest.raises(ValueError, match='page.md has no place'):
        tool.write_docs(page, '')
    args.seed = 2
    with pytest.raises(ValueError, match='other settings'):
        tool.simulate(args)


def test_tiny_run_over_folds(tool, tmp_path, monkeypatch):
    """Intervals of means and tests of equal systems; patients are dealt out once each."""
    events, = tool.patient_events(23, [tool.SYSTEMS['fair']], np.random.default_rng(0))
    folds = tool.deal_into_folds(events)
    groups = [{event.group for event in fold} for fold in folds.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 23 and len(groups) == 5
    assert sum(map(len, folds.values())) == len(events)
    monkeypatch.setattr(tool, 'TRUTH_PATIENTS', 200)
    monkeypatch.setattr(tool, 'PATIENTS', (12, 30))
    args = SimpleNamespace(data_sets=2, resamples=100, seed=1, folds=True, out=None)
    result = tool.simulate(args)
    assert len(result['cells']) == 5 and '--folds' in result['command']
    assert '30 patients in 5 folds' in tool.markdown(result)


@pytest.fixture(scope='module')
def committed():
    return json.loads(RESULT.read_text(encoding='utf-8'))


def test_committed_intervals_hold(committed):
    """The default intervals hold the truth at least as often as the page says, never have zero
    width, and those of a fair system are not too long either."""
    defaults = {('auroc', 'blended'), ('recall@0.1', 'default'), ('froc_score', 'default'),
                ('recall at a threshold', 'score')}
    checked = 0
    for part in committed['cells'].values():
        for cell in part['cells'] if part['kind'] == 'coverage' else ():
            if (cell['statistic'], cell['method']) not in defaults:
                continue
            assert cell['num_data_sets'] >= 1900, (part['model'], part['size'], cell)
            assert cell['coverage'] >= 0.93, (part['model'], part['size'], cell)
            assert cell['least_width'] > 0
            if part['model'] == 'fair' and part['size'] in ('50 patients', '150 patients'):
                assert cell['coverage'] <= 0.98, (part['size'], cell)
            checked += 1
    assert checked >= 4


def test_committed_means_over_folds_hold():
    """Fewer data sets than above: 93 and 6 % within two standard errors."""
    content = json.loads((RESULT.parent / 'folds.json').read_text(encoding='utf-8'))
    assert sum(part['kind'] == 'coverage' for part in content['cells'].values()) == 9
    for part in content['cells'].values():
        for cell in part['cells']:
            assert cell['coverage'] >= 0.93 - 2 * cell['standard_error'], (part['model'], cell)
            assert cell['least_width'] > 0
        for name, share in part.get('rejections', {}).items():
            error = (share * (1 - share) / part['num_tests'][name]) ** .5
            assert share <= 0.06 + 2 * error, (part['model'], part['size'], name)


def test_committed_tests_hold(committed):
    """Of two equally good systems every default test rejects at most 6 %, and the intervals of
    differences hold and have a width."""
    for part in committed['cells'].values():
        for cell in part['cells'] if part['kind'] != 'coverage' else ():
            name = f'{cell["statistic"]}, default'
            assert part['num_tests'][name] >= 1900 and cell['least_width'] > 0
            assert cell['coverage'] >= 0.93, (part['model'], part['size'], cell)
            if part['kind'] == 'null':
                assert part['rejections'][name] <= 0.06, (part['model'], part['size'], cell)
