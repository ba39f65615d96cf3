"""A record that was altered in any entry is rejected by name, or its numbers are what they were."""
import copy
import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmwindow.evaluation import ImageEvents, Target, box_events, evaluate, map_events
from mmwindow.evaluation.files.event_checks import check_image, score_source
from mmwindow.evaluation.files.records import read_record, write_record
from mmwindow.evaluation.results import summarise

ROOT = Path(__file__).parents[3]
COMMITTED = sorted((ROOT / 'results').glob('*/events/*.json'))


def write_real_record(folder, rule='disk_overlap', num_classes=1, num_images=12):
    """Write the record of random maps with intervals, as tools/evaluate.py does; return its path."""
    generator = np.random.default_rng(7)
    maps, targets = {}, []  # of 6 x 6 cells
    for number in range(num_images):
        scores = generator.random((num_classes, 6, 6)) ** 12 * .3
        points, labels = [], []
        for label in range(num_classes):
            for _ in range(number % 3):
                row, column = generator.integers(6, size=2)
                scores[label, row, column] += .1 + .6 * generator.random()
                points.append(((column + .5) * 10, (row + .5) * 10))
                labels.append(label)
        maps[number] = scores
        targets.append(Target(number, 60, 60, points, labels, group=f'patient {number // 2}',
                              fields=dict(file_name=f'{number}.png')))
    result = evaluate(maps, targets, classes=[f'class {label}' for label in range(num_classes)],
                      rule=rule, num_resamples=100)
    return result.write(folder / 'record.json', source=dict(name='real'))


@pytest.fixture(scope='module')
def real_record(tmp_path_factory):
    return json.loads(write_real_record(tmp_path_factory.mktemp('real')).read_text())


def without_digests(content):
    """Return a record as one of before version 0.2."""
    content = copy.deepcopy(content)
    del content['digests']
    for entry in content['classes']:
        del entry['digests'], entry['image_scores']
    return content


def leaves(content, path=()):
    """Yield the way to each value that is no list or object."""
    if isinstance(content, dict | list):
        items = content.items() if isinstance(content, dict) else enumerate(content)
        for key, value in items:
            yield from leaves(value, (*path, key))
    else:
        yield path


def replace_at(content, path, value):
    """Return a record with another value at a place; what is not on the way there is shared."""
    content = copy.copy(content)
    content[path[0]] = value if len(path) == 1 else replace_at(content[path[0]], path[1:], value)
    return content


def value_at(content, path):
    for key in path:
        content = content[key]
    return content


def other_values(value):
    """Return values that an entry could have been altered to."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1, -value - 3, value + .5, None]
    if isinstance(value, float):
        return [value + .25, value * .5 - .125, -value - 1, math.nextafter(value, 9.), None, 'x']
    return ['x', 3] if value is None else [f'{value}x', value[1:] + '.', None]


def read_content(folder, content):
    path = folder / 'altered.json'
    path.write_text(json.dumps(content))
    return read_record(path)


def numbers_of(record):
    return summarise(record.classes, {**record.settings, 'num_resamples': 0}).metrics


@pytest.mark.parametrize('path', COMMITTED, ids=lambda path: f'{path.parts[-3]}-{path.stem}')
def test_every_committed_record_is_read(path):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of maps by distance before format 2
        events = read_record(path).events()
    result = json.loads((path.parents[1] / path.name).read_text())
    assert result['events'] == f'events/{path.name}'
    assert len(events) == result['data']['num_images'] > 0


def test_each_entry_of_a_record_that_is_altered_is_named(real_record, tmp_path):
    """Exhaustive over the entries of one image and of the head: file, image and entry are named."""
    images = [('classes', 0, 'images', 4)]
    ways = [path for path in leaves(real_record) if path[:4] in images
            or path[0] != 'classes' or path[2] not in ('images', 'digests')]
    assert len(ways) > 60
    for path in ways:
        for value in other_values(value_at(real_record, path)):
            try:
                read_content(tmp_path, replace_at(real_record, path, value))
            except ValueError as error:
                text = str(error)
            else:
                pytest.fail(f'{path}: {value} is read')
            assert 'altered.json' in text
            assert '\n' not in text and len(text) < 700
            if path[:4] in images:
                assert 'class 0, image ' in text and (
                    path[4].partition('_')[0] in text or path[4] == 'score'), (path, text)


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_altered_record_of_before_the_digests_is_rejected_or_has_its_numbers(
        real_record, tmp_path, data):
    content = without_digests(real_record)
    expected = numbers_of(read_content(tmp_path, content))
    path = data.draw(st.sampled_from([path for path in leaves(content)
                                      if path[0] in ('classes', 'metrics', 'intervals')]))
    value = data.draw(st.sampled_from(other_values(value_at(content, path))))
    try:
        record = read_content(tmp_path, replace_at(content, path, value))
    except ValueError as error:
        assert 'altered.json' in str(error) and '\n' not in str(error)
    else:
        assert numbers_of(record) == pytest.approx(expected, abs=1e-9, nan_ok=True)


@settings(max_examples=30, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_altered_committed_record_is_rejected_or_has_its_frocs(tmp_path, data):
    """It holds no AUROC, which the result file next to it does: the FROC is compared."""
    content = json.loads((ROOT / 'results/nightly/events/wl_kld_lite0_fpn.json').read_text())
    expected = numbers_of(read_content(tmp_path, content))
    images = content['classes'][0]['images']
    number = data.draw(st.integers(0, len(images) - 1))
    path = data.draw(st.sampled_from(list(leaves(images[number]))))
    value = data.draw(st.sampled_from(other_values(value_at(images[number], path))))
    try:
        record = read_content(tmp_path, replace_at(
            content, ('classes', 0, 'images', number, *path), value))
    except ValueError as error:
        assert 'altered.json' in str(error) and '\n' not in str(error)
    else:
        found = numbers_of(record)
        assert {key: found[key] for key in found if key != 'auroc'} == pytest.approx(
            {key: expected[key] for key in expected if key != 'auroc'}, abs=1e-9)


def test_a_froc_that_was_made_better_by_hand_is_rejected(real_record, tmp_path):
    """All points found at once, no false positive, false positives at lower scores."""
    for alter in (lambda img: img.update(recall_levels=[.99] * len(img['recall_levels'])),
                  lambda img: img.update(fp_levels=[], fp_changes=[]),
                  lambda img: img.update(fp_levels=[level / 2 for level in img['fp_levels']])):
        content = without_digests(real_record)
        for img in content['classes'][0]['images']:
            for name in ('hit', 'both', 'neither'):  # as if nobody had counted them
                del img[f'{name}_levels'], img[f'{name}_changes']
        assert read_content(tmp_path, content).metrics['froc_score'] < .9
        for img in content['classes'][0]['images']:
            alter(img)
        with pytest.raises(ValueError, match=r'altered\.json.* its images give'):
            read_content(tmp_path, content)


@pytest.mark.parametrize('rule', ['disk_overlap', 'distance', 'centre_in_box', 'box_iou'])
def test_what_maps_and_boxes_give_is_consistent_by_every_rule(rule):
    generator = np.random.default_rng(3)
    for number in range(60):
        num = int(generator.integers(0, 4))
        targets = generator.random((num, 2)) * 900
        if rule in ('centre_in_box', 'box_iou'):
            targets = np.hstack([targets, targets + 120])
        scores = np.round(generator.random((8, 8)) ** 2, 1 if number % 2 else 3)
        boxes = generator.random((5, 2)) * 800
        for events in (map_events(scores, targets, rule=rule, image_id=1),
                       map_events(scores, targets, rule=rule, image_id=1, floor=.5),
                       box_events(np.hstack([boxes, boxes + 90]), generator.random(5), targets,
                                  rule=rule, image_id=1)):
            check_image('here', events, rule)
            assert score_source([events]) == 'findings'


def test_an_image_without_point_and_finding(tmp_path):
    events = [box_events([], [], [], image_id=number) for number in range(2)]
    check_image('here', events[0], 'disk_overlap')
    record = read_record(write_record(tmp_path / 'a.json', {'a': events},
                                      dict(budgets=[.1], convention='first_crossing')))
    assert record.events()[1].score == -np.inf


@pytest.mark.parametrize('changes, words', [
    (dict(fp_changes=[-1]), 'fp_changes come to -1'),
    (dict(recall_levels=[-np.inf]), 'hit_changes say that a finding hits'),
    (dict(hit_changes=[0]), 'recall_levels say that a target is hit'),
    (dict(both_levels=[.7], both_changes=[2]), 'both_changes come to more'),
    (dict(floor=.8), 'fp_levels go below its floor'),
    (dict(recalled_levels=[.9], recalled_changes=[2]), 'more targets than recall_levels'),
    (dict(recalled_levels=[.7], recalled_changes=[1]), 'its recalled_changes that none is')])
def test_contradictions_of_one_image(changes, words):
    arrays = {key: np.array(value) if isinstance(value, list) else value
              for key, value in changes.items()}
    good = box_events([[100, 100, 140, 140], [600, 600, 640, 640]], [0.9, 0.7], [[120, 120]],
                      image_id=7)
    check_image('here', good, 'disk_overlap')
    with pytest.raises(ValueError, match=f'^here: .*{words}'):
        check_image('here', ImageEvents(**{**vars(good), **arrays}), 'disk_overlap')


def test_a_hit_that_is_a_false_positive_by_a_rule_that_knows_none():
    wide = box_events([[0, 0, 1000, 1000]], [.9], [[500, 500]], image_id=1)
    check_image('here', wide, 'disk_overlap')
    with pytest.raises(ValueError, match='by the rule distance a hit is no false positive'):
        check_image('here', wide, 'distance')


def test_a_score_that_is_not_that_of_the_best_finding(real_record, tmp_path):
    content = without_digests(real_record)
    del content['metrics'], content['intervals']
    content['classes'][0]['images'][3]['score'] += .01
    with pytest.raises(ValueError, match=r'altered\.json: class class 0, image 3: its score is'):
        read_content(tmp_path, content)
    # Of a classifier, all of whose scores are on a scale of their own, nothing is said.
    for img in content['classes'][0]['images']:
        img['score'] += 2
    assert read_content(tmp_path, content).events()[3].score > 2


@pytest.mark.parametrize('name', ['score', 'recall_levels', 'fields'])
def test_a_number_too_large_for_a_float(real_record, tmp_path, name):
    """JSON's 1e999 is read as infinite; with digests and without, file and image are named."""
    for content in (real_record, without_digests(real_record)):
        image = content['classes'][0]['images'][4]
        value = dict(score=1e999, recall_levels=[1e999] * 2, fields=dict(age=1e999))[name]
        text = json.dumps(replace_at(content, ('classes', 0, 'images', 4), {**image, name: value}))
        (tmp_path / 'altered.json').write_text(text.replace('Infinity', '1e999'))
        if name == 'fields' and content is not real_record:
            assert read_record(tmp_path / 'altered.json').events()[4].fields['age'] == math.inf
            continue
        with pytest.raises(ValueError, match=rf'altered\.json: class class 0, image 4.*{name}'):
            read_record(tmp_path / 'altered.json')


def test_messages_are_short_whatever_the_names_are(real_record, tmp_path):
    image = ('classes', 0, 'images', 3)
    content = replace_at(without_digests(real_record), (*image, 'score'), True)
    for path, value in ((('classes', 0, 'name'), 'z' * 5000), (image, 'x' * 5000),
                        ((*image, 'image_id'), 'y' * 5000)):
        with pytest.raises(ValueError, match=r'altered\.json: class ') as caught:
            read_content(tmp_path, replace_at(content, path, value))
        assert value[:50] in str(caught.value) and len(str(caught.value)) < 700


def test_a_score_below_a_finding_in_a_committed_record(tmp_path):
    """It keeps no count of findings that are neither, of which one may be the best: a lower score."""
    content = json.loads((ROOT / 'results/fracatlas_before/events/wl_kld_lite0_fpn.json').read_text())
    image = next(img for img in content['classes'][0]['images'] if img['fp_levels'])
    image['score'] = image['fp_levels'][0] - 1e-6
    with pytest.raises(ValueError, match=r"altered\.json: class fracture, image .*its score is"):
        read_content(tmp_path, content)


def test_several_classes_and_rules_whose_hits_are_lost(tmp_path):
    for rule, num_classes in (('distance', 2), ('disk_overlap', 3)):
        path = write_real_record(tmp_path, rule, num_classes)
        record = read_record(path)
        assert len(record.classes) == num_classes
        content = without_digests(json.loads(path.read_text()))
        assert read_content(tmp_path, content).metrics == record.metrics
        content['metrics']['class 1_froc_score'] += .1
        with pytest.raises(ValueError, match=r"altered\.json: its metric 'class 1_froc_score' is"):
            read_content(tmp_path, content)


@pytest.mark.parametrize('path, value, words', [
    (('classes', 0, 'num_points'), 3, 'num_points 3'),
    (('classes', 0, 'operating_points', 0, 'threshold'), .123, 'the threshold at 0.1'),
    (('classes', 0, 'operating_points', 0, 'recall'), .123, 'the recall at 0.1'),
    (('metrics', 'auroc'), .5, "metric 'auroc' is 0.5"),
    (('metrics', 'auroc'), [], r"metric 'auroc' is \[\]"),
    (('metrics',), 3, 'metrics is 3'),
    (('intervals', 'class 0', 'froc_score', 'low'), 2., 'goes from 2 to'),
    (('intervals', 'class 0', 'froc_score', 'estimate'), .5, 'is of 0.5'),
    (('intervals', 'class 0', 'auroc', 'high'), .01, 'auroc.*goes from'),
    (('intervals', 'class 0', 'froc_score', 'high'), .7, 'froc_score.*leaves out its number'),
    (('source', 'counts', 'images'), 3, 'counts 3 images, its images give 12'),
    (('source', 'counts', 'positives'), 3, 'counts 3 positives'),
    (('source', 'counts', 'points'), 3, 'counts 3 points'),
    (('source', 'counts', 'missing'), 3, 'counts 3 missing'),
    (('settings', 'budgets'), [.1], '5 budgets|operating_points'),
    (('settings', 'fp_denominator'), 'some', 'fp_denominator'),
    (('settings', 'hit_radius'), -1, 'hit_radius'),
    (('classes', 0, 'images', 2, 'image_id'), 1, 'image 1: it is there twice'),
    (('classes', 0, 'images', 2, 'image_id'), [], r'image_id \[\]'),
    (('classes', 0, 'images', 2, 'group'), 5, 'group 5'),
    (('classes', 0, 'images', 2, 'fp_changes', 0), 10 ** 30, 'whole numbers')])
def test_head_and_numbers_without_digests(real_record, tmp_path, path, value, words):
    with pytest.raises(ValueError, match=rf'altered\.json.*({words})'):
        read_content(tmp_path, replace_at(without_digests(real_record), path, value))


def test_what_a_writer_contradicts_itself_in_is_not_written(tmp_path):
    events = [box_events([[100, 100, 140, 140]], [0.9], [[120, 120]], image_id=7)]
    with pytest.raises(ValueError, match=r"a\.json: its metric 'froc/froc_score' is 0\.5"):
        write_record(tmp_path / 'a.json', {'a': events},
                     dict(budgets=[.1], convention='first_crossing'), {'froc/froc_score': .5})
    assert list(tmp_path.iterdir()) == []
