"""The report of any images: negative and positive ones alone first, then its numbers and failures."""
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from mmwindow.apis.report_examples import (
    MAX_NEGATIVES,
    MAX_POSITIVES,
    KeepImagesHook,
    KeptImages,
)
from mmwindow.apis.run_numbers import ReportSettings, apply_points, fill_field
from mmwindow.apis.run_report import ReportInputs, write_run_report
from mmwindow.apis.training_log import TrainingLog, read_training_log
from mmwindow.evaluation import FROCSettings, make_hit_rule, map_events, read_record
from mmwindow.evaluation.events.floor import cut_events
from mmwindow.evaluation.results import summarise
from mmwindow.evaluation.statistics.model_points import choose_model_points
from mmwindow.utils.operating_points import ClassOperatingPoints, OperatingPoint

FAST = ReportSettings(num_resamples=100, band_resamples=100)


def make_map(score):
    scores = np.full((16, 16), 0.01, np.float32)
    scores[4, 4] = score
    return scores


def draw_events(positives, negatives, seed=0, part=None):
    """Images of one map each; a finding at the point of a positive one, a false one elsewhere."""
    generator = np.random.default_rng(seed)
    return [map_events(make_map(generator.uniform(.3, 1) if number < positives else
                                generator.uniform(0.02, .6)),
                       [[288., 288.]] if number < positives else np.zeros((0, 2)), image_id=number,
                       group=f'p{number}', fields=dict(part=part[number % len(part)]) if part else {})
            for number in range(positives + negatives)]


def make_inputs(positives, negatives, **more):
    result = summarise({'fracture': draw_events(positives, negatives)}, FROCSettings())
    return ReportInputs('A test', result, **more)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


NUMBERS = ['images.csv', 'record.json', 'report.md', 'result.json']


def test_negative_images_alone(tmp_path):
    inputs = make_inputs(0, 14)
    points = choose_model_points({'fracture': inputs.result.classes['fracture'].events})
    outcome = write_run_report(tmp_path, replace(inputs, points=points), FAST)
    assert outcome.problems == () and names_in(tmp_path) == ['calibration.png', *NUMBERS]
    text = outcome.path.read_text()
    assert '14 images, 0 with a finding, 14 without; 0 points' in text
    assert 'No stored threshold: 14 images of 14 patients, 0 with an image with a finding' in text
    found = json.loads((tmp_path / 'result.json').read_text())['classes'][0]
    assert found['at_threshold'] is None and found['metrics']['auroc'] is None
    assert found['calibration']['slope'] is None and found['calibration']['prevalence'] == 0


def test_positive_images_alone(tmp_path):
    inputs = make_inputs(14, 0)
    points = choose_model_points({'fracture': inputs.result.classes['fracture'].events})
    outcome = write_run_report(tmp_path, replace(inputs, points=points, chosen_here=True), FAST)
    assert outcome.problems == () and names_in(tmp_path) == [
        'calibration.png', 'froc.png', *NUMBERS]
    text = outcome.path.read_text()
    assert '| specificity of images | none: no image without a finding among 14' in text
    assert '| with a finding | 14 | 0 |' in text and '| without | 0 | 0 |' in text


def test_one_image(tmp_path):
    for kind in ((1, 0), (0, 1)):
        outcome = write_run_report(tmp_path, make_inputs(*kind), FAST)
        assert outcome.problems == () and 'no intervals: ' in outcome.path.read_text()


def test_the_confusion_is_that_of_the_stored_threshold(tmp_path):
    inputs = make_inputs(20, 30)
    events = inputs.result.classes['fracture'].events
    point = OperatingPoint(.5, 'fp_budget', .1, True, 'all', {}, 90)
    points = replace(choose_model_points({'fracture': events}),
                     classes={'fracture': ClassOperatingPoints(point, point)})
    outcome = write_run_report(tmp_path, replace(inputs, points=points), FAST)
    called = [img.score >= .5 for img in events]
    found = json.loads((tmp_path / 'result.json').read_text())['classes'][0]['at_threshold']
    assert found['counts']['true_positives'] == sum(called[:20])
    assert found['counts']['false_positives'] == sum(called[20:])
    sensitivity = found['intervals']['sensitivity']
    assert sensitivity['estimate'] == sum(called[:20]) / 20
    assert sensitivity['low'] < sensitivity['estimate'] < sensitivity['high']
    assert found['intervals']['fp_rate']['estimate'] == sum(called[20:]) / 50
    text = outcome.path.read_text()
    assert f'| without | {sum(called[20:])} | {30 - sum(called[20:])} |' in text
    assert 'from a score of 0.5' in text and 'chosen by a budget of 0.1 false positives' in text
    record = read_record(tmp_path / 'record.json')
    assert [img.score for img in record.events()] == [img.score for img in events]
    assert names_in(tmp_path) == ['calibration.png', 'froc.png', *NUMBERS[:2], 'report.md',
                                  'result.json', 'roc.png']


def test_numbers_by_several_fields_and_where_one_is_not_given():
    events = draw_events(10, 10, part=['leg', 'arm'])
    events[0] = replace(events[0], fields={})
    filled = fill_field(events, 'part')
    assert [img.fields['part'] for img in filled[:3]] == ['not given', 'arm', 'leg']
    assert events[0].fields == {}
    with pytest.raises(ValueError, match='--by sex: no image has this field; there are part'):
        fill_field(events, 'sex')


def test_strata_are_in_the_report(tmp_path):
    events = draw_events(24, 24, part=['leg', 'arm', 'hand'])
    result = summarise({'fracture': events}, FROCSettings())
    points = choose_model_points({'fracture': events})
    outcome = write_run_report(tmp_path, ReportInputs('A test', result, points), replace(
        FAST, by=('part', 'is_positive')))
    text = outcome.path.read_text()
    assert '### By part' in text and '### At the stored threshold, by is_positive' in text
    found = json.loads((tmp_path / 'result.json').read_text())['classes'][0]
    threshold = points.threshold('fracture', 'images')
    for part in found['at_threshold_by']['part']:
        mine = [img for img in events if img.fields['part'] == part['name'] and img.is_positive]
        assert part['intervals']['sensitivity']['estimate'] == np.mean(
            [img.score >= threshold for img in mine])
    assert [row['value'] for row in found['by']['part']] == ['arm', 'hand', 'leg']


def test_a_threshold_below_what_events_were_kept_down_to_still_serves_images():
    events = [cut_events(img, .4) for img in draw_events(12, 12)]
    point = OperatingPoint(.2, 'sensitivity', .9, True, 'all', {}, 90)
    found = apply_points('all', ClassOperatingPoints(point, point), events, FAST)
    assert found.intervals['sensitivity'].estimate == 1.
    assert found.intervals['recall'] is None and 'floor' in found.reasons['recall'] or (
        'looked at down to 0.4' in found.reasons['recall'])


def test_the_report_of_a_threshold_below_the_floor(tmp_path):
    events = [cut_events(img.without_other_counts(), .4) for img in draw_events(12, 12)]
    points = choose_model_points({'fracture': events}, 'sensitivity', 1.)
    assert points.threshold('fracture', 'images') < .4
    result = summarise({'fracture': events}, FROCSettings(budgets=(.01, )))
    outcome = write_run_report(tmp_path, ReportInputs('A test', result, points), FAST)
    assert outcome.problems == () and '| sensitivity of images | 1.000' in outcome.path.read_text()


def test_without_matplotlib_numbers_stay(tmp_path, monkeypatch):
    def fail(*_):
        raise ImportError("plots need matplotlib, which is not installed; pip install "
                          "'mmwindow[plots]'")
    for module in ('curves', 'run_figures', 'panels'):
        monkeypatch.setattr(f'mmwindow.visualization.{module}.new_figure', fail)
    outcome = write_run_report(tmp_path, make_inputs(12, 12), FAST)
    assert len(outcome.problems) == 1 and "pip install 'mmwindow[plots]'" in outcome.problems[0]
    assert names_in(tmp_path) == NUMBERS and 'matplotlib' in outcome.path.read_text()


def test_a_figure_that_fails_costs_no_number_and_no_other_figure(tmp_path, monkeypatch):
    (tmp_path / 'roc.png').write_text('of a report before')
    monkeypatch.setattr('mmwindow.visualization.curves.plot_roc', lambda *_, **__: 1 / 0)
    outcome = write_run_report(tmp_path, make_inputs(12, 12), FAST)
    assert outcome.problems == ('roc.png: ZeroDivisionError: division by zero', )
    assert names_in(tmp_path) == ['calibration.png', 'froc.png', *NUMBERS]


def predicted(folder, number, has_point, score=.9, boxes=False):
    path = folder / f'{number}.png'
    cv2.imwrite(str(path), np.full((64, 48), 100, np.uint8))
    sample = dict(img_path=str(path), img_id=number, ori_shape=(64, 48),
                  ori_points=[[18., 18.]] if has_point else [], ori_point_labels=[0] * has_point)
    if boxes:
        return dict(sample, pred_instances=dict(
            bboxes=torch.tensor([[10., 10., 26., 26.], [0., 40., 10., 50.]]),
            scores=torch.tensor([score, .2]), labels=torch.zeros(2, dtype=torch.long)))
    return dict(sample, pred_heatmap=dict(scores=torch.tensor(make_map(score)[None])))


def test_kept_images_are_the_first_of_each_kind(tmp_path):
    kept = KeptImages()
    for number in range(MAX_POSITIVES + 5):
        kept.add(predicted(tmp_path, number, True))
    for number in range(MAX_NEGATIVES + 5):
        kept.add(predicted(tmp_path, 100 + number, False))
    assert (len(kept.positives), len(kept.negatives)) == (MAX_POSITIVES, MAX_NEGATIVES)
    assert kept.positives[1].path.endswith('/1.png')
    full = KeptImages(num_bytes=1 << 40)
    full.add(predicted(tmp_path, 0, True))
    assert len(full) == 0


@pytest.mark.parametrize('boxes', [False, True])
def test_examples_are_sorted_by_outcome_at_the_threshold(tmp_path, boxes):
    hook = KeepImagesHook()
    hook.before_test(None)
    hook.after_test_iter(None, 0, outputs=[
        predicted(tmp_path, 0, True, .9, boxes), predicted(tmp_path, 1, True, .4, boxes),
        predicted(tmp_path, 2, False, .8, boxes), predicted(tmp_path, 3, False, .3, boxes)])
    examples = hook.images.examples(0, .5, make_hit_rule('distance', hit_radius=60.))
    assert [example.name for example in examples] == ['0', '1', '2', '3']
    assert examples[0].img.shape == (64, 48) and (examples[0].img == 100).all()
    if boxes:
        assert [len(example.boxes) for example in examples] == [1, 0, 1, 0]
    (tmp_path / '0.png').unlink()
    with pytest.raises(ValueError, match='0.png'):
        hook.images.examples(0, .5, make_hit_rule())


def test_the_log_of_a_resumed_training_is_one(tmp_path):
    for start, steps in (('1', [(1, 1), (2, 1), (3, 2)]), ('2', [(3, 2), (4, 2)])):
        folder = tmp_path / start / 'vis_data'
        folder.mkdir(parents=True)
        lines = [dict(loss=step * int(start), loss_a=.5, epoch=epoch, step=step, lr=.1)
                 for step, epoch in steps]
        (folder / f'{start}.json').write_text('\n'.join(map(json.dumps, lines)) + '\n{"cut')
    (tmp_path / 'validation.json').write_text(
        '{"step": 2, "epoch": 1, "froc/auroc": 0.5, "froc/recall@0.1": NaN}\n'
        '{"step": 4, "epoch": 2, "froc/auroc": 0.75, "froc/recall@0.1": 0.5, "froc/other": 1}\n')
    log = read_training_log(tmp_path)
    # Steps 1 and 2 of the first start, 3 and 4 of the second, whose losses are twice the step.
    assert log.losses == dict(loss=[(1, 1.5), (2, 7.)], loss_a=[(1, .5), (2, .5)])
    assert log.metrics == {'froc/auroc': [(1, .5), (2, .75)], 'froc/recall@0.1': [(2, .5)]}
    assert read_training_log(tmp_path / 'nothing') == TrainingLog()
