"""Findings as CSV: the numbers worked by hand, and one line for each kind of bad input."""
import json
import os
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmwindow.evaluation import Prediction, Target, evaluate, judge_findings, point_events
from mmwindow.evaluation.files.csv_files import read_header
from mmwindow.evaluation.files.ground_truth import GroundTruth
from mmwindow.evaluation.files.prediction_files import read_predictions

# A: two points, B: one, C: none. 512 x 512 pixels: a distance of 25 is 50 in the frame.
TARGETS = [Target(1, 512, 512, [[100, 100], [400, 400]], fields=dict(file_name='films/a.png')),
           Target(2, 512, 512, [[50, 60]], fields=dict(file_name='films/b.png')),
           Target(3, 512, 512, fields=dict(file_name='films/c.png'))]


def truth_of(targets=TARGETS, classes=('finding',)):
    return GroundTruth(list(targets), tuple(classes), {}, {}, 'points.json')


def read(folder, text, truth=None):
    path = folder / 'predictions.csv'
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_predictions(path, truth or truth_of()))


def score(folder, text, **options):
    return evaluate(read(folder, text), TARGETS, rule='distance', missing='empty', **options)


EXAMPLE = 'file,x,y,score\n' \
    'films/a.png,115,120,0.9\n' \
    'films/c.png,10,10,0.8\n' \
    'films/a.png,300,400,0.7\n' \
    'films/b.png,50,86,0.6\n' \
    'films/b.png,50,60,0.5\n'


def test_numbers_worked_by_hand(tmp_path):
    # .9 is 25 pixels off its point (15, 20): just near enough. .8 is on the negative image, .7 is
    # 100 off, .6 is 26 off: three false positives, on three images. .5 hits.
    result = score(tmp_path, EXAMPLE, budgets=(.1, .4, 1.))
    assert result.metrics == pytest.approx({
        'auroc': .5, 'recall@0.1': 1 / 3, 'recall@0.4': 1 / 3, 'recall@1': 2 / 3,
        'froc_score': 4 / 9})
    curve = result.classes['finding'].froc
    assert curve.thresholds.tolist() == [.9, .8, .7, .6, .5]
    assert (curve.fp_rate * 3).round().tolist() == [0, 1, 2, 3, 3]
    assert result.counts['points'] == 3


def test_points_are_judged_as_the_centres_of_small_boxes():
    generator = np.random.default_rng(0)
    targets, points = generator.random((6, 2)) * 1000 + 10, generator.random((40, 2)) * 1000 + 10
    points[:20] = np.repeat(targets, 4, axis=0)[:20] + generator.normal(0, 30, (20, 2))
    points = points.clip(5, 1019)
    boxes = np.hstack([targets - 10, targets + 10])
    for rule, wanted in (('distance', targets), ('centre_in_box', boxes)):
        from_points = judge_findings(rule, np.tile(points, 2), wanted)
        from_boxes = judge_findings(rule, np.hstack([points - 1e-6, points + 1e-6]), wanted)
        assert from_points.hits.any() and from_points.is_false_positive.any()
        assert from_points.hits.tolist() == from_boxes.hits.tolist()
        near = [np.hypot(*(points - target).T) <= 50 if rule == 'distance' else
                (abs(points - target) <= 10).all(axis=1) for target in targets]
        assert from_points.hits.tolist() == np.array(near).tolist()


@pytest.mark.parametrize('rule', ['disk_overlap', 'box_iou'])
def test_rules_that_ask_for_the_extent_of_a_finding_reject_points(rule, tmp_path):
    targets = [Target(1, 9, 9, [[1, 1]], boxes=[[0, 0, 2, 2]], fields=dict(file_name='a.png'))]
    with pytest.raises(ValueError, match=rf'image 1 .*points.*{rule}.*or distance .*--rule'):
        evaluate(read(tmp_path, 'file,x,y,score\na.png,1,1,1\n', truth_of(targets)), targets,
                 rule=rule)
    assert evaluate([Prediction(1, points=[[1, 1]], scores=[.5])], targets,
                    rule='centre_in_box').metrics['froc_score'] == 1


def test_no_finding_at_all_and_negative_images_alone(tmp_path):
    result = score(tmp_path, 'file,x,y,score\n')
    assert result.counts['missing'] == 3 and result.metrics['froc_score'] == 0
    events = point_events([], [], [], image_id=1)
    assert events.score == -np.inf and not events.is_positive
    negative = [Target(1, 9, 9, fields=dict(file_name='a.png'))]
    only = evaluate(read(tmp_path, 'file,x,y,score\na.png,1,1,1\n', truth_of(negative)), negative,
                    rule='distance')
    assert np.isnan(only.metrics['froc_score'])


@pytest.mark.parametrize('text', [
    EXAMPLE.replace('file,x,y,score', 'seriesuid,coordX,coordY,probability'),
    EXAMPLE.replace('file,x,y,score', 'File_Name, X ,y,Confidence'),
    EXAMPLE.replace('films/', ''),                          # the last part of the path alone
    EXAMPLE.replace('films/', '').replace('.png', ''),      # the stem
    EXAMPLE.replace('films/', '/data/other/'),              # another folder
    '\ufeff' + EXAMPLE,                                     # byte order mark
    EXAMPLE.replace('\n', '\r\n').replace('films/a.png', '"films/a.png"'),
    EXAMPLE.replace('0.9\n', '9e-1\n\n  \n').replace(',0.8', ', 0.8 '),
    EXAMPLE + 'films/b.png,,,\n'])                          # says nothing more of B
def test_ways_to_write_the_same(text, tmp_path):
    assert score(tmp_path, text).metrics == score(tmp_path, EXAMPLE).metrics


def test_columns_in_any_order_and_by_image_id(tmp_path):
    rows = [line.split(',') for line in EXAMPLE.splitlines()]
    ids = {'file': 'image_id', 'films/a.png': '1', 'films/b.png': '2', 'films/c.png': '3'}
    text = '\n'.join(','.join([row[3], row[1], ids[row[0]], row[2]]) for row in rows)
    assert score(tmp_path, text).metrics == score(tmp_path, EXAMPLE).metrics


def test_boxes(tmp_path):
    text = 'file,x1,y1,x2,y2,score\na.png,90,90,110,110,.9\nb.png,0,0,20,20,.8\n'
    boxes = read(tmp_path, text)
    assert boxes[0].boxes.tolist() == [[90, 90, 110, 110]] and boxes[1].scores.tolist() == [.8]
    result = evaluate(boxes, TARGETS, missing='empty')
    assert result.metrics['recall@0.1'] == pytest.approx(1 / 3)
    same = read(tmp_path, text.replace('x1,y1,x2,y2', 'xmin,ymin,xmax,ymax'))
    assert same[0].boxes.tolist() == boxes[0].boxes.tolist()


def test_classes_by_name(tmp_path):
    truth = truth_of(classes=('fracture', 'plate, screw'))
    found = read(tmp_path, 'file,x,y,score,class\na.png,1,2,.5,"plate, screw"\n'
                           'a.png,1,2,.4,fracture\n', truth)
    assert found[0].labels.tolist() == [1, 0]
    with pytest.raises(ValueError, match=r"line 2 has the class 'mass'.*'fracture', 'plate, screw'"):
        read(tmp_path, 'file,x,y,score,class\na.png,1,2,.5,mass\n', truth)
    with pytest.raises(ValueError, match="classes 'fracture', 'plate, screw'; a column class"):
        read(tmp_path, 'file,x,y,score\na.png,1,2,.5\n', truth)
    with pytest.raises(ValueError, match="line 3 has the class ''; the annotations have 'finding'"):
        read(tmp_path, 'file,x,y,score,class\na.png,1,2,.5,finding\na.png,1,2,.6,\n')
    without = read(tmp_path, 'file,x,y,score,class\na.png,1,2,.5,finding\nc.png,,,,\n')
    assert [len(image.scores) for image in without] == [1, 0]  # C has no finding


def test_image_scores_of_a_classifier(tmp_path):
    text = ('file,x,y,score,image_score\na.png,100,100,.9,-3\na.png,1,1,.2,-3\nb.png,,,,-4\n'
            'c.png,9,9,.95,-5\n')
    result = score(tmp_path, text)
    # By the image scores both positive images are before the negative one; by findings only one is.
    assert result.metrics['auroc'] == 1 and result.counts['missing'] == 0
    assert [img.score for img in result.classes['finding'].events] == [-3, -4, -5]
    with pytest.raises(ValueError, match='line 3 has the image_score -2, a line before it -3'):
        read(tmp_path, text.replace('.2,-3', '.2,-2'))
    with pytest.raises(ValueError, match='image 3 has no image_score'):
        read(tmp_path, text.replace('c.png,9,9,.95,-5\n', ''))


def test_what_is_left_out_is_counted(tmp_path):
    text = EXAMPLE + 'films/c.png,513,5,.99\nfilms/c.png,-1,5,.99\nfilms/c.png,512,512,.3\n' \
        'films/a.png,115,120,0.90\nfilms/a.png,115,120,0.9\n'
    result = score(tmp_path, text, budgets=(.1, .4, 1.))
    assert result.counts['boxes_left_out'] == 2 and result.counts['findings_repeated'] == 2
    assert result.metrics['froc_score'] == pytest.approx(4 / 9)


@pytest.mark.parametrize('text, words', [
    ('', ['header such as file,x,y,score']),
    ('a.png,1,2,.5\n', ['first line', 'header']),
    ('file,x,score\na.png,1,.5\n', ['y missing']),
    ('file,x,y\na.png,1,2\n', ['score missing']),
    ('x,y,score\n1,2,.5\n', ['header such as']),
    ('file,x,y,x,score\n', ["'x' is there twice"]),
    ('file,x,y,score,comment\n', ["'comment' is unknown"]),
    ('file,x,y,w,h,score\n', ["'w' is unknown"]),
    ('file,x,y,x1,y1,x2,y2,score\n', ['header such as']),
    ('seriesuid,coordX,coordY,coordZ,probability\n', ["'coordZ' is a third coordinate"]),
    ('file;x;y;score\na.png;1;2;0,5\n', ['semicolons', 'commas', 'decimal point']),
    ('file\tx\ty\tscore\n', ['tabs']),
    ('file,x,y,score\na.png,1,2,0,5\n', ['line 2 has 5 cells', 'decimal point']),
    ('file,x,y,score\na.png,1,2,"0,5"\n', ["line 2 has the score '0,5'", 'decimal point']),
    ('file,x,y,score\na.png,1,2,nan\n', ["line 2 has the score 'nan'", 'finite']),
    ('file,x,y,score\na.png,inf,2,.5\n', ["line 2 has the x 'inf'"]),
    ('file,x,y,score\na.png,1,1e999,.5\n', ["line 2 has the y '1e999'"]),
    ('file,x,y,score\na.png,1,1_0,.5\n', ["line 2 has the y '1_0'"]),
    ('file,x,y,score\na.png,1,,.5\n', ["line 2 has the y ''"]),
    ('file,x,y,score\na.png,1,2,\n', ["line 2 has the score ''"]),
    ('file,x,y,score\n\n,1,2,.5\n', ['line 3 names no image']),
    ('file,x,y,score\nd.png,1,2,.5\n', ["line 2: 'd.png' means no image"]),
    ('file,x,y,score\na.png,1,2\n', ['line 2 has 3 cells']),
    ('file,x,y,score\n"a.png,1,2,.5\n', ['no CSV that can be read']),
    ('file,x,y,score\n' + 'a' * 200_000 + ',1,2,.5\n', ['no CSV that can be read']),
    (b'file,x,y,score\n\xff\xfe,1,2,.5\n', ['UTF-8']),
    ('file,x,y,score\na.png,1,2,.5\n'.encode('utf-16'), ['UTF-8'])])
def test_bad_input_is_one_line_that_names_the_file(text, words, tmp_path):
    with pytest.raises(ValueError, match=r'predictions\.csv: ') as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert '\n' not in message and len(message) < 500
    assert [word for word in words if word not in message] == []


def test_a_name_that_is_two_images_and_classes_on_the_command_line(tmp_path):
    targets = [Target(1, 9, 9, fields=dict(file_name='x/a.png')),
               Target(2, 9, 9, fields=dict(file_name='y/a.png'))]
    with pytest.raises(ValueError, match=r"line 2: 'a.png' means the images \[1, 2\]"):
        read(tmp_path, 'file,x,y,score\na.png,1,2,.5\n', truth_of(targets))
    assert read(tmp_path, 'file,x,y,score\ny/a.png,1,2,.5\n', truth_of(targets))[0].image_id == 2
    with pytest.raises(ValueError, match='column class; leave the classes out'):
        list(read_predictions(tmp_path / 'predictions.csv', truth_of(targets), ['a', 'b']))


def test_a_pipe_is_rejected_at_once(tmp_path):
    os.mkfifo(tmp_path / 'pipe.csv')
    with pytest.raises(ValueError, match='pipe.csv: .*it is a pipe'):
        read_header(tmp_path / 'pipe.csv')


def test_a_hundred_thousand_rows_are_read_in_time_that_grows_with_them(tmp_path):
    """No time is asserted but the growth: ten times the rows take less than 30 times as long."""
    targets = [Target(number, 9, 9, fields=dict(file_name=f'films/{number}.png'))
               for number in range(2000)]
    seconds = []
    for num_rows in (10_000, 100_000):
        text = 'file,x,y,score\n' + ''.join(
            f'films/{number % 2000}.png,{number % 9},{number % 7},{number / num_rows}\n'
            for number in range(num_rows))
        started = time.process_time()
        found = read(tmp_path, text, truth_of(targets))
        seconds.append(time.process_time() - started)
        assert len(found) == 2000 and sum(len(entry.scores) for entry in found) == num_rows
    assert seconds[1] < 30 * seconds[0]


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_altered_file_is_an_error_or_numbers(tmp_path, data):
    """Bytes taken out, put in or exchanged: one line that names the file, or finite numbers."""
    content = bytearray(EXAMPLE.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place:place + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b',', b'"', b'\n', b'\0', b';', b'-', b'e9', b'\xff', b'', b'1']))
    try:
        result = score(tmp_path, bytes(content))
    except ValueError as error:
        assert '\n' not in str(error)
        json.dumps(str(error))
    else:
        assert 0 <= result.metrics['froc_score'] <= 1


@pytest.mark.parametrize('first, second', [
    ('films/a.png', 'other/a.png'), ('/data/x/films/a.png', '/data/y/films/a.png')])
def test_two_files_are_not_merged_into_one_image(first, second, tmp_path):
    """One detector run over all folders: its findings of the others are none of this image."""
    with pytest.raises(ValueError, match='line 3: .* are two files, and only .*a.png.* is annotated'):
        read(tmp_path, f'file,x,y,score\n{first},300,400,0.95\n{second},115,120,0.9\n')


@pytest.mark.parametrize('name', ['films/a.png', 'a.png', '/data/films/a.png', './films/a.png'])
def test_an_image_is_named_by_any_end_of_its_path(name, tmp_path):
    found = read(tmp_path, f'file,x,y,score\n{name},115,120,0.9\na.png,1,1,.1\n')
    assert [one.image_id for one in found if len(one.points)] == [1]


def test_the_folder_tells_files_of_one_name_apart(tmp_path):
    targets = [Target(1, 512, 512, fields=dict(file_name='left/a.png')),
               Target(2, 512, 512, fields=dict(file_name='right/a.png'))]
    found = read(tmp_path, 'file,x,y,score\n/data/right/a.png,115,120,0.9\n', truth_of(targets))
    assert [one.image_id for one in found if len(one.points)] == [2]
