"""What is written is read back exactly; a file that is no whole record is refused by name."""
import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmwindow.evaluation import ImageEvents, box_events, froc_curve, map_events
from mmwindow.evaluation.files.records import VERSION, plain, read_record, write_record

SETTINGS = dict(hit_radius=50., max_overlap=0.1, frame_side=1024, budgets=(0.25, 0.5),
                convention='first_crossing')


def make_events():
    """A film with a hit, a false alarm and a miss, and a normal without a finding."""
    return [box_events([[100, 100, 140, 140], [600, 600, 640, 640]], [0.9, 0.7],
                       [[120, 120], [900, 300]], image_id=7, group='patient 1',
                       fields=dict(file_name='a.png', hardware=True)),
            box_events([], [], [], image_id='b', group='')]


def assert_same(first, second):
    assert (first.image_id, first.group, first.fields) == (
        second.image_id, second.group, second.fields)
    assert (first.score, first.is_positive) == (second.score, second.is_positive)
    for name in ('recall_levels', 'fp_levels', 'fp_changes'):
        one, other = getattr(first, name), getattr(second, name)
        assert one.dtype == other.dtype and one.tolist() == other.tolist(), name


def test_normals_alone(tmp_path):
    normals = [box_events([], [], [], image_id=number) for number in range(3)]
    path = write_record(tmp_path / 'record.json', {'fracture': normals}, SETTINGS,
                        metrics={'froc/auroc': float('nan')})
    record = read_record(path)
    assert [img.score for img in record.events()] == [-np.inf] * 3
    assert np.isnan(record.metrics['froc/auroc'])
    written = json.loads(path.read_text())['classes'][0]
    assert (written['num_images'], written['num_points']) == (3, 0)
    # Nothing is a false alarm, so every threshold keeps to the budget and none is behind it;
    # without points there is no recall.
    assert written['operating_points'] == [dict(budget=0.25, recall=None, threshold=None),
                                           dict(budget=0.5, recall=None, threshold=None)]


def test_round_trip(tmp_path):
    events = make_events()
    path = write_record(tmp_path / 'new' / 'record.json', {'fracture': events}, SETTINGS,
                        metrics={'auroc': np.float64(1.)}, source=dict(points='points.json'))
    assert [file.name for file in path.parent.iterdir()] == ['record.json']
    record = read_record(path)
    for old, new in zip(events, record.events('fracture'), strict=True):
        assert_same(old, new)
    assert record.settings == {**SETTINGS, 'budgets': [0.25, 0.5]}
    assert record.metrics == {'auroc': 1.}
    assert record.source == {'points': 'points.json'}
    assert set(record.versions) == {'mmwindow', 'python', 'numpy', 'scipy'}
    assert record.version == 1 and record.path == path
    # By hand: .9 recalls one of two points; the false alarm at .7 is 1 in 2 images. A budget of
    # .25 ends before it, one of .5 is met by it: the last threshold is .7.
    assert json.loads(path.read_text())['classes'][0]['operating_points'] == [
        dict(budget=0.25, recall=0.5, threshold=0.9), dict(budget=0.5, recall=0.5, threshold=0.7)]


def test_a_map_survives_to_the_last_bit(tmp_path):
    generator = np.random.default_rng(0)
    events = [map_events(generator.random((16, 16), dtype=np.float32), [[300., 400.]],
                         image_id=number) for number in range(4)]
    record = read_record(write_record(tmp_path / 'record.json', {'a': events}, SETTINGS))
    old, new = froc_curve(events), froc_curve(record.events())
    for name in ('thresholds', 'fp_rate', 'recall'):
        assert getattr(old, name).tolist() == getattr(new, name).tolist()


@settings(max_examples=50, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(score=st.floats(allow_nan=False, allow_infinity=False) | st.just(-np.inf),
       levels=st.lists(st.floats(-1e9, 1e9), unique=True, max_size=6),
       recalls=st.lists(st.floats(-1e9, 1e9) | st.just(-np.inf), max_size=4),
       group=st.text(max_size=5), image_id=st.integers() | st.text(max_size=5))
def test_round_trip_of_anything(tmp_path, score, levels, recalls, group, image_id):
    levels = np.array(sorted(levels, reverse=True), dtype=np.float64)
    changes = np.array([2, -1, 3, -4, 1, 7], dtype=np.int32)[:len(levels)]  # never below 0 in sum
    event = ImageEvents(score=score, recall_levels=np.array(recalls, dtype=np.float64),
                        fp_levels=levels, fp_changes=changes,
                        is_positive=bool(recalls), image_id=image_id, group=group)
    record = read_record(write_record(tmp_path / 'record.json', {'a': [event]}, SETTINGS))
    assert_same(event, record.events()[0])


def test_classes_are_asked_for_by_name(tmp_path):
    events = make_events()
    record = read_record(write_record(tmp_path / 'record.json', dict(a=events, b=events[:1]),
                                      SETTINGS))
    assert len(record.events('b')) == 1
    with pytest.raises(ValueError, match=r"has the classes \['a', 'b'\]; name one"):
        record.events()
    with pytest.raises(ValueError, match="no class 'c'"):
        record.events('c')


def test_a_cut_record_is_refused_at_every_length(tmp_path):
    path = write_record(tmp_path / 'record.json', {'fracture': make_events()}, SETTINGS)
    whole = path.read_text().rstrip()
    for length in range(0, len(whole), 37):
        path.write_text(whole[:length])
        with pytest.raises(ValueError, match=r'record.json: .*no JSON, or cut short'):
            read_record(path)


@pytest.mark.parametrize('content, message', [
    ([], 'no record of an evaluation'),
    (dict(images=[], annotations=[]), 'no record of an evaluation'),
    (dict(format='mmwindow-evaluation', version=VERSION + 1, versions=dict(mmwindow='9.9')),
     rf'format {VERSION + 1} by mmwindow 9.9; this one reads up to format {VERSION}'),
    (dict(format='mmwindow-evaluation', version='1'), "version of the format is '1'"),
    (dict(format='mmwindow-evaluation', version=1, settings=dict(budgets=[0.1])),
     'settings lack budgets or a convention'),
    (dict(format='mmwindow-evaluation', version=1, classes=[],
          settings=dict(budgets=[0.1], convention='best')), 'no class')])
def test_foreign_and_newer_files(tmp_path, content, message):
    path = tmp_path / 'record.json'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf'record\.json: .*{message}'):
        read_record(path)


def test_numbers_that_json_does_not_know(tmp_path):
    path = write_record(tmp_path / 'record.json', {'fracture': make_events()}, SETTINGS)
    content = json.loads(path.read_text())
    for value in (float('nan'), float('inf')):
        content['classes'][0]['images'][0]['score'] = value
        path.write_text(json.dumps(content))
        with pytest.raises(ValueError, match=r'record\.json: .*it holds (NaN|Infinity); finite'):
            read_record(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r'none\.json: the record .*cannot be read \(No such file'):
        read_record(tmp_path / 'none.json')


@pytest.mark.parametrize('key, value, message', [
    ('fp_changes', [1, 2], '1 fp_levels but 2 fp_changes'),
    ('fp_changes', [0.5], r'fp_changes \[0.5\]; a list of whole numbers'),
    ('fp_levels', ['high'], r"fp_levels \['high'\]; a list of numbers"),
    ('fp_levels', [None], 'not finite and descending'),
    ('score', True, r'score \[True\]'),
    ('is_positive', 1, 'is_positive 1; true or false'),
    ('is_positive', False, 'recall_levels but is_positive false'),
    ('colour', 'red', 'has the entries')])
def test_events_that_contradict_themselves(tmp_path, key, value, message):
    path = write_record(tmp_path / 'record.json', {'fracture': make_events()}, SETTINGS)
    content = json.loads(path.read_text())
    content['classes'][0]['images'][0][key] = value
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf'record\.json: class fracture, image 7.*{message}'):
        read_record(path)


def test_what_no_record_can_hold(tmp_path):
    with pytest.raises(ValueError, match='no convention'):
        write_record(tmp_path / 'a.json', {'a': make_events()}, dict(budgets=[0.1]))
    with pytest.raises(ValueError, match='cannot hold inf'):
        plain(dict(threshold=np.inf))
    with pytest.raises(ValueError, match='of type set'):
        plain({1})
    nan = ImageEvents(score=np.nan, recall_levels=np.zeros(0), fp_levels=np.zeros(0),
                      fp_changes=np.zeros(0, int), is_positive=False, image_id=3)
    with pytest.raises(ValueError, match='image 3 has the score nan'):
        write_record(tmp_path / 'a.json', {'a': [nan]}, SETTINGS)
    with pytest.raises(ValueError, match='no image'):
        write_record(tmp_path / 'a.json', {'a': []}, SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_record(tmp_path):
    path = write_record(tmp_path / 'record.json', {'a': make_events()}, SETTINGS)
    before = path.read_bytes()
    with pytest.raises(ValueError, match='of type object'):
        write_record(path, {'a': make_events()}, SETTINGS, source=dict(what=object()))
    assert path.read_bytes() == before


def test_the_metric_of_mmdet_writes_the_same_record(tmp_path):
    metrics = pytest.importorskip('mmwindow.evaluation.froc_metric', reason='mmdet is not installed')
    path = tmp_path / 'record.json'
    metric = metrics.FROCMetric(outfile=str(path), budgets=(0.25, 0.5))
    metric.dataset_meta = dict(classes=('fracture',))
    # The films of make_events, 1024 x 1024 so that image pixels are frame pixels.
    boxes = np.array([[100, 100, 140, 140], [600, 600, 640, 640]], dtype=np.float32)
    found = dict(bboxes=boxes, scores=np.array([0.9, 0.7]), labels=np.array([0, 0]))
    nothing = {key: value[:0] for key, value in found.items()}
    common = dict(ori_shape=(1024, 1024))
    metric.process({}, [
        dict(img_id=7, img_path='films/a.png', group='patient 1', fields=dict(hardware=True),
             ori_points=[[120, 120], [900, 300]], ori_point_labels=[0, 0], pred_instances=found,
             **common),
        dict(img_id='b', img_path='films/b.png', group=None, ori_points=[], ori_point_labels=[],
             pred_instances=nothing, **common)])
    reported = metric.evaluate(2)
    record = read_record(path)
    assert record.metrics == reported
    first, second = record.events('fracture')
    assert_same(first, make_events()[0])
    assert (second.image_id, second.group, second.fields) == ('b', '', dict(file_name='b.png'))
    assert second.score == -np.inf
    assert record.settings == {**SETTINGS, 'budgets': [0.25, 0.5], 'rule': 'disk_overlap',
                               'fp_denominator': 'all'}


def test_a_record_says_at_which_scores_targets_are_lost(tmp_path):
    scores = np.full((8, 8), 0.1)
    scores[0, 0] = 0.9
    settings = {**SETTINGS, 'rule': 'box_iou', 'min_iou': 0.5}
    events = map_events(scores, [[0., 0., 1., 1.]], frame_side=8, rule='box_iou', image_id=1)
    path = write_record(tmp_path / 'record.json', {'a': [events]}, settings)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        record = read_record(path)
    assert record.version == VERSION == 2
    assert froc_curve(record.events()).recall.tolist() == [1., 0.]
    content = json.loads(path.read_text())
    image = content['classes'][0]['images'][0]
    assert (image['recalled_levels'], image['recalled_changes']) == ([0.9, 0.1], [1, -1])
    image['recalled_changes'] = [2, -1]
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match='recalled_changes come to 1 to 2 targets, 0 to 1'):
        read_record(path)


def test_a_record_of_maps_before_format_2_is_read_with_a_warning(tmp_path):
    events = map_events(np.random.default_rng(0).random((16, 16)), [[5., 5.]], rule='distance',
                        image_id=1)
    old = replace(events, recalled_levels=None, recalled_changes=None)
    path = write_record(tmp_path / 'a.json', {'a': [old]}, {**SETTINGS, 'rule': 'distance'})
    with pytest.warns(UserWarning, match='before format 2.*Score the predictions again'):
        read_record(path)
    boxes = box_events([[0, 0, 9, 9]], [0.5], [[5., 5.]], rule='distance', image_id=1)
    path = write_record(tmp_path / 'b.json', {'a': [boxes]}, {**SETTINGS, 'rule': 'distance'})
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        read_record(path)
