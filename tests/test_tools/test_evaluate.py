"""The command on the committed example gives the documented numbers."""
import csv
import importlib.util
import json
import os
import pickle
import re
import runpy
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwindow.apis import reader_study
from mmwindow.apis.evaluate_files import evaluate_files
from mmwindow.apis.evaluation_outputs import one_writer
from mmwindow.cli import main
from mmwindow.evaluation.files.records import read_record
from mmwindow.evaluation.statistics.delong import delong_test

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'evaluate.py'
EXAMPLE = ROOT / 'docs' / 'examples' / 'evaluation'
POINTS, BOXES, MAPS = EXAMPLE / 'points.json', EXAMPLE / 'boxes.json', EXAMPLE / 'maps.npz'
# Worked by hand in docs/evaluation.md.
BOX_METRICS = {'auroc': .875, 'recall@0.1': .2, 'recall@0.2': .4, 'recall@0.3': .6,
               'recall@0.4': .8, 'recall@0.5': .8, 'froc_score': .56}
# Five points at .9 .85 .7 .62 .35; the first false alarm, .6 (1/8 an image), comes before the
# last of them. Image scores .9 .85 .62 .35 against .6 .3 .1 .04: 15 of 16 pairs.
MAP_METRICS = {'auroc': .9375, 'recall@0.1': .8, 'recall@0.2': 1, 'recall@0.3': 1,
               'recall@0.4': 1, 'recall@0.5': 1, 'froc_score': .96}


WITHOUT_MMDET = """
import importlib.abc, importlib.util, runpy, sys
hidden = ('mmdet', 'mmcv', 'mmengine', 'torch', 'cv2')
class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in hidden:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Hide())
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: (
    None if name in hidden else find_spec(name, package))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def test_the_command_without_mmdet_torch_and_opencv(tmp_path):
    command = [sys.executable, '-c', WITHOUT_MMDET, TOOL, BOXES, POINTS, '--out', tmp_path,
               '--missing', 'empty']
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    shown = dict(line.split() for line in result.stdout.splitlines()[:-1])
    assert {key: float(value) for key, value in shown.items()} == pytest.approx(BOX_METRICS)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'froc.png', 'images.csv', 'record.json', 'report.md', 'roc.png']
    record = read_record(tmp_path / 'record.json')
    assert record.metrics == pytest.approx(BOX_METRICS)
    assert record.source['predictions'] == 'boxes.json'
    assert record.source['points_from'] == dict(keypoints=5, bbox=0, segmentation=0)
    assert record.source['counts'] == dict(images=8, positives=4, points=5, missing=1,
                                           boxes_left_out=0)


@pytest.mark.parametrize('options, words', [
    ([], ['1 of 8 images', 'G.png', '--missing empty']),
    (['--budgets', 'x'], ['--budgets', 'x: FP rates', 'luna16']),
    (['--classes', 'a,b'], ['boxes.json', 'category_id', '--classes']),
    (['--points-from', 'polygon'], ['annotation 1 of A.png', '--points-from']),
    (['--missing', 'empty', '--choose', 'sensitivity', '--choose-target', '3'],
     ['by sensitivity', '3.0', '--choose-target'])])
def test_messages_name_the_option_that_helps(options, words, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run_tool(monkeypatch, BOXES, POINTS, '--out', tmp_path, *options)
    line = capsys.readouterr().err.splitlines()[-1]
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize('name, arguments, words', [
    ('make_synthetic', ['{out}', '--num-train', '0'], ['at least one image']),
    ('convert_fracatlas', ['{out}/none'], ['fractures.json', 'check the path']),
    ('thumbnail_baseline', ['{out}', '--images', '{out}'], ['train.json: No such file']),
    ('simulate_coverage', ['--table', '{out}/none.json'], ['none.json: ', 'No such file'])])
def test_other_tools_report_an_error_in_one_line(name, arguments, words, tmp_path, monkeypatch,
                                                 capsys):
    path = TOOL.with_name(f'{name}.py')
    assert os.access(path, os.X_OK)
    monkeypatch.setattr(sys, 'argv', [str(path), *(text.format(out=tmp_path) for text in arguments)])
    with pytest.raises(SystemExit) as error:
        runpy.run_path(str(path), run_name='__main__')
    assert error.value.code == 1
    line, = capsys.readouterr().err.splitlines()
    assert line.startswith(f'{name}: ')
    assert [word for word in words if word not in line] == []


def test_without_matplotlib_numbers_and_one_line_that_names_the_extra(tmp_path, monkeypatch, capsys):
    module = sys.modules[evaluate_files.__module__]
    monkeypatch.setattr(module, 'find_spec', lambda name: None)
    run_tool(monkeypatch, BOXES, POINTS, '--out', tmp_path, '--missing', 'empty')
    lines = [line for line in capsys.readouterr().err.splitlines() if 'matplotlib' in line]
    assert lines == ['evaluate: no figures, because matplotlib is not installed; '
                     "pip install 'mmwindow[plots]'"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'images.csv', 'record.json', 'report.md']
    assert '![' not in (tmp_path / 'report.md').read_text()


def run_tool(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, arguments)])
    runpy.run_path(str(TOOL), run_name='__main__')


def test_the_command_with_every_option(tmp_path, monkeypatch, capsys):
    run_tool(monkeypatch, BOXES, POINTS, '--out', tmp_path / 'a', '--missing', 'empty', '--name', 'x',
             '--budgets', 'luna16', '--rule', 'distance', '--hit-radius', 60,
             '--convention', 'best', '--denominator', 'normals', '--choose', 'youden')
    capsys.readouterr()
    run_tool(monkeypatch, MAPS, POINTS, '--out', tmp_path / 'b', '--budgets', '.25,1',
             '--rule', 'distance', '--hit-radius', 60, '--intervals', 100, '--seed', 2,
             '--by', 'group', '--compare', tmp_path / 'a' / 'record.json')
    assert 'recall@0.25' in capsys.readouterr().out
    settings = read_record(tmp_path / 'b' / 'record.json').settings
    assert settings == dict(
        rule='distance', hit_radius=60, frame_side=1024, budgets=[.25, 1], seed=2,
        convention='first_crossing', fp_denominator='all', map_extent='frame', missing='refuse',
        num_resamples=100)
    assert read_record(tmp_path / 'a' / 'record.json').settings['budgets'][0] == .125
    assert '### b minus x' not in (tmp_path / 'b' / 'report.md').read_text()
    assert '### maps minus x' in (tmp_path / 'b' / 'report.md').read_text()


def test_the_command_says_what_is_wrong(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as caught:
        run_tool(monkeypatch, BOXES, POINTS, '--out', tmp_path)
    message = capsys.readouterr().err
    progress, message = message.splitlines()
    assert caught.value.code == 1 and progress == '7 of 8 images, 0 s'
    assert message.startswith('evaluate: 1 of 8 images have no prediction: image 7 (G')
    assert list(tmp_path.iterdir()) == []


def test_committed_files_are_what_the_script_writes(tmp_path, full_figures):
    spec = importlib.util.spec_from_file_location('example', ROOT / 'docs/make_evaluation_example.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    content = json.loads(json.dumps({key: module.make_files()[key] for key in ('points', 'boxes')}))
    assert json.loads(POINTS.read_text()) == content['points']
    assert json.loads(BOXES.read_text()) == content['boxes']
    assert (EXAMPLE / 'findings.csv').read_text() == module.make_files()['findings']
    with np.load(MAPS) as archive:
        maps = module.make_files()['maps']
        assert set(archive.files) == set(maps)
        assert all((archive[key] == maps[key]).all() for key in maps)
    assert module.draw(tmp_path / 'example.png').stat().st_size > 10_000


def run(predictions, out, **options):
    return evaluate_files(predictions, POINTS, out, progress=False, **options)


def test_maps_of_every_container(tmp_path):
    assert run(MAPS, tmp_path / 'npz').metrics == pytest.approx(MAP_METRICS)
    (tmp_path / 'npy').mkdir()
    (tmp_path / 'png').mkdir()
    with np.load(MAPS) as archive:
        for key in archive.files:
            np.save(tmp_path / 'npy' / f'{key}.npy', archive[key])
            Image.fromarray(np.round(archive[key] * 255).astype(np.uint8)).save(
                tmp_path / 'png' / f'{key}.png')
    for kind in ('npy', 'png'):
        assert run(tmp_path / kind, tmp_path / f'out_{kind}').metrics == pytest.approx(MAP_METRICS)


def test_map_over_the_image_alone(tmp_path):
    # A square film: both extents are the same.
    assert run(MAPS, tmp_path, map_extent='image').metrics == pytest.approx(MAP_METRICS)


def test_the_other_conventions_of_the_page(tmp_path):
    options = dict(missing='empty')
    linear = run(BOXES, tmp_path / 'a', convention='interpolated', **options)
    # .3 lies between (.25, .6) and (.375, .8): .6 + .4 x .2 = .68; the rest as by first crossing.
    assert linear.metrics['recall@0.3'] == pytest.approx(.68)
    assert linear.metrics['froc_score'] == pytest.approx(.576)
    # Of the false alarms E, F and H are on the four normals: .25 at .65, .5 at .30, .75 at .20.
    normals = run(BOXES, tmp_path / 'b', fp_denominator='normals', **options)
    assert [normals.metrics[f'recall@{budget}'] for budget in (.1, .2, .3, .4, .5)] == (
        pytest.approx([.4, .4, .8, .8, .8]))
    # Centres within 50 pixels: (40, 10) off in C is near enough, 60 off in D is not; the boxes of
    # C and D are then a hit and a false alarm.
    near = run(BOXES, tmp_path / 'c', rule='distance', **options)
    assert near.classes['fracture'].froc.fp_rate.max() == 5 / 8
    assert near.metrics['recall@0.3'] == pytest.approx(.8)
    with pytest.raises(ValueError, match=r'annotation 1 of A.png has no box'):
        run(BOXES, tmp_path / 'd', rule='box_iou', **options)


def test_table_of_images(tmp_path):
    run(BOXES, tmp_path, missing='empty', choose='fp_budget', choose_target=.5)
    with open(tmp_path / 'images.csv', encoding='utf-8', newline='') as stream:
        rows = {row['file_name'][0]: row for row in csv.DictReader(stream)}
    # The lowest threshold that keeps to .5 is .30. C is a hit and a false alarm in one, D neither.
    assert {row['threshold'] for row in rows.values()} == {'0.3'}
    counts = {name: tuple(int(row[key]) for key in ('findings', 'false_alarms', 'hits', 'misses'))
              for name, row in rows.items()}
    assert counts == dict(A=(2, 0, 2, 0), B=(2, 1, 1, 0), C=(1, 1, 1, 0), D=(1, 0, 0, 1),
                          E=(1, 1, 0, 0), F=(1, 1, 0, 0), G=(0, 0, 0, 0), H=(0, 0, 0, 0))
    assert rows['A']['hit_levels'] == '0.95 0.6' and rows['G']['score'] == 'none'
    assert rows['A']['field region'] == 'hand' and rows['A']['group'] == 'patient 1'


def test_report_with_everything(tmp_path):
    run(BOXES, tmp_path / 'boxes', missing='empty')
    result = run(MAPS, tmp_path / 'maps', num_resamples=200, seed=5, by='region',
                 compare=tmp_path / 'boxes' / 'record.json')
    assert result.settings['seed'] == 5
    text = (tmp_path / 'maps' / 'report.md').read_text()
    # The AUROC's row is DeLong's, as its own function gives it.
    first, second = (read_record(tmp_path / name / 'record.json').events()
                     for name in ('maps', 'boxes'))
    test = delong_test([img.is_positive for img in first], [img.score for img in first],
                       [img.score for img in second], groups=[img.group for img in first])
    low, high = test.difference.low, test.difference.high
    assert test.p_value is None  # four patients
    assert f'| auroc | 0.938 | 0.875 | 0.062 ({low:.3f} to {high:.3f}) | none |' in text
    assert 'No p-value: 4 patients' in text
    for part in ('| auroc | 0.938 (', '### By region', '| ankle | 4 | 2 | 2 | 1.000 (',
                 '| pooled | 8 | 4 | 5 | 0.938 (',
                 '| region | images | positives | points | auroc | recall@0.1 | recall@0.2 |',
                 '### maps minus boxes', '| froc_score | 0.960 | 0.560 | 0.400 (',
                 '200 resamples, seed 5', 'on these very images', '| rule | disk_overlap |',
                 '![froc.png](froc.png)', '![roc.png](roc.png)'):
        assert part in text, part


def renamed(folder, suffix):
    """Return the example's points as other images: validation films of the same look."""
    content = json.loads(POINTS.read_text())
    for img in content['images']:
        img['file_name'] = suffix + img['file_name']
    path = folder / 'validation.json'
    path.write_text(json.dumps(content))
    return path


def test_operating_point_of_validation_images(tmp_path):
    validation = renamed(tmp_path, 'val_')
    evaluate_files(BOXES, validation, tmp_path / 'val', missing='empty', progress=False)
    run(BOXES, tmp_path / 'test', missing='empty', choose='fp_budget', choose_target=.2,
        operating_point=tmp_path / 'val' / 'record.json')
    text = (tmp_path / 'test' / 'report.md').read_text()
    # At .7: images A and B of four positives are called, none of the normals; 2 of 5 points; one
    # false alarm on 8 films.
    assert 'Score 0.700000, chosen by fp_budget = 0.2 on validation images (8).' in text
    for part in ('| sensitivity of images | 0.500 (', '| specificity of images | 1.000 (',
                 '| recall of points | 0.400 (', '| false positives per image | 0.125 (',
                 'is a bootstrap, 2000 resamples, seed 0.'):
        assert part in text, part
    with pytest.raises(ValueError, match='8 of its images are evaluated here as well'):
        evaluate_files(BOXES, validation, tmp_path / 'again', missing='empty', progress=False,
                       operating_point=tmp_path / 'val' / 'record.json')


@pytest.mark.parametrize('folder, shift', [('', 100), ('films/', 0)])
def test_an_image_is_known_again_by_file_or_by_id_and_name(tmp_path, folder, shift):
    # Another annotation file numbers the same films anew; a record may lack their folder.
    content = json.loads(POINTS.read_text())
    for img in content['images']:
        img.update(id=img['id'] + shift, file_name=folder + img['file_name'])
    (tmp_path / 'again.json').write_text(json.dumps({**content, 'annotations': []}))
    empty = tmp_path / 'empty.json'
    empty.write_text('[]')
    evaluate_files(empty, tmp_path / 'again.json', tmp_path / 'val', missing='empty', progress=False)
    with pytest.raises(ValueError, match='8 of its images are evaluated here as well'):
        run(BOXES, tmp_path / 'test', missing='empty',
            operating_point=tmp_path / 'val' / 'record.json')


def test_a_threshold_of_a_classifier_counts_no_findings(tmp_path):
    # Image scores are -10 to -3 by id, the findings lie in 0 to 1: at an image threshold
    # every finding would count.
    with np.load(MAPS) as maps:
        samples = [dict(img_id=key, pred_heatmap=dict(scores=maps[key][None]),
                        image_score=np.array([-3. - number]))
                   for number, key in enumerate(sorted(maps.files))]
    path = tmp_path / 'out.pkl'
    path.write_bytes(pickle.dumps(samples))
    run(path, tmp_path / 'out', choose='sensitivity', choose_target=1.)
    with open(tmp_path / 'out' / 'images.csv', encoding='utf-8', newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert {row[key] for row in rows for key in ('findings', 'false_alarms', 'hits', 'misses')} == {
        ''}
    # A to D hold the points and score highest, -3 to -6.
    assert {row['threshold'] for row in rows} == {'-6'}
    text = (tmp_path / 'out' / 'report.md').read_text()
    assert '| sensitivity of images | specificity of images |' in text
    assert '| 1.000 | 1.000 |' in text


def test_what_cannot_be_compared(tmp_path):
    run(BOXES, tmp_path / 'near', missing='empty', rule='distance')
    with pytest.raises(ValueError, match=r"record.json: scored with .*'rule': 'distance'"):
        run(MAPS, tmp_path / 'maps', compare=tmp_path / 'near' / 'record.json')
    with pytest.raises(ValueError, match=r"no image has the field 'hardware'; there are .'region'"):
        run(MAPS, tmp_path / 'maps', by='hardware')
    (tmp_path / 'taken').touch()
    with pytest.raises(ValueError, match='taken: there is a file of this name'):
        run(MAPS, tmp_path / 'taken')
    with pytest.raises(ValueError, match='no JSON, or cut short|no record'):
        run(MAPS, tmp_path / 'maps', compare=BOXES)
    assert not (tmp_path / 'maps').exists()


def test_normals_alone(tmp_path):
    content = json.loads(POINTS.read_text())
    content['annotations'] = []
    path = tmp_path / 'normals.json'
    path.write_text(json.dumps(content))
    result = evaluate_files(BOXES, path, tmp_path / 'out', missing='empty', progress=False)
    assert all(np.isnan(value) for value in result.metrics.values())
    assert sorted(file.name for file in (tmp_path / 'out').iterdir()) == [
        'images.csv', 'record.json', 'report.md']
    text = (tmp_path / 'out' / 'report.md').read_text()
    assert '| auroc | none |' in text and 'no recall: the 8 images have no point' in text


def test_two_classes_have_a_figure_each(tmp_path):
    content = json.loads(POINTS.read_text())
    content['categories'].append(dict(id=2, name='plate/screw'))
    content['annotations'][0]['category_id'] = 2
    path = tmp_path / 'points.json'
    path.write_text(json.dumps(content))
    evaluate_files(BOXES, path, tmp_path / 'out', missing='empty', progress=False)
    names = {file.name for file in (tmp_path / 'out').iterdir()}
    assert {'froc_fracture.png', 'froc_plate-screw.png', 'roc_fracture.png',
            'roc_plate-screw.png'} <= names
    record = read_record(tmp_path / 'out' / 'record.json')
    assert list(record.classes) == ['fracture', 'plate/screw']
    # The findings are all called fractures, so nothing recalls the other.
    assert record.metrics['plate/screw_froc_score'] == 0


def points_with_a_class(folder, name):
    """Write the example's points with a second class that no image has; return the file."""
    content = json.loads(POINTS.read_text())
    content['categories'].append(dict(id=2, name=name))
    path = folder / 'points.json'
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize('rule', ['youden', 'sensitivity'])
def test_a_class_without_images_of_a_kind_stops_no_other(rule, tmp_path):
    """It has no operating point and a reason; the other class has its own."""
    path, out = points_with_a_class(tmp_path, 'b'), tmp_path / 'out'
    evaluate_files(BOXES, path, out, missing='empty', progress=False, choose=rule)
    report = (out / 'report.md').read_text()
    assert report.count(', chosen by ') == 1
    _, _, without = report.partition('## b\n')
    assert f'None: an operating point by {rule} needs images with ' in without
    assert 'of 8 validation images 0 have one.' in without
    with open(out / 'images.csv', newline='', encoding='utf-8') as stream:
        rows = list(csv.DictReader(stream))
    counted = {name: {(row['threshold'] != '', row['hits'] != '') for row in rows
                      if row['class'] == name} for name in ('fracture', 'b')}
    assert counted == {'fracture': {(True, True)}, 'b': {(False, False)}}


@pytest.mark.parametrize('name, class_name', [('a $\\frac$ b', 'b'), ('x', 'US$ and $^'),
                                              ('$x$', '$_$')])
def test_names_with_dollar_signs_are_drawn_as_words(name, class_name, tmp_path):
    path = points_with_a_class(tmp_path, class_name)
    content = json.loads(path.read_text())
    content['annotations'][0]['category_id'] = 2
    path.write_text(json.dumps(content))
    evaluate_files(BOXES, path, tmp_path / 'out', missing='empty', progress=False, name=name)
    assert (tmp_path / 'out' / f'froc_{class_name}.png').exists()
    assert (tmp_path / 'out' / 'report.md').read_text().startswith(f'# Evaluation of {name}\n')


def test_a_figure_that_fails_leaves_the_results_of_before(tmp_path, monkeypatch):
    out = tmp_path / 'out'
    evaluate_files(BOXES, POINTS, out, missing='empty', progress=False)
    before = {path: path.read_bytes() for path in out.iterdir()}

    def fail(*_, **__):
        raise ValueError('no room')

    monkeypatch.setattr(sys.modules[evaluate_files.__module__], 'plot_roc', fail)
    for folder in (out, tmp_path / 'new'):
        with pytest.raises(ValueError, match='no room'):
            evaluate_files(MAPS, POINTS, folder, progress=False)
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert not list((tmp_path / 'new').iterdir())


def test_an_additional_statistic_is_in_numbers_intervals_and_report(tmp_path, capsys):
    name = 'sensitivity_at_specificity_0.9'
    with pytest.raises(SystemExit) as caught:
        main(['evaluate', str(MAPS), str(POINTS), '--out', str(tmp_path), '--statistics',
              f'{name},precision'])
    assert caught.value.code == 1
    assert "different ones of ['sensitivity_at_specificity_0.9']" in capsys.readouterr().err
    main(['evaluate', str(MAPS), str(POINTS), '--out', str(tmp_path), '--statistics', name,
          '--intervals', '100'])
    # At .62 three of four positive images are called and no negative one; at .35 the first, .6, is.
    assert f'{name}  0.7500' in capsys.readouterr().out
    record = read_record(tmp_path / 'record.json')
    assert record.metrics[name] == 0.75 and name in record.intervals['fracture']
    assert name in (tmp_path / 'report.md').read_text()


def test_findings_as_csv_are_scored_by_distance(tmp_path, monkeypatch, capsys):
    """The points of docs/examples: numbers worked by hand in docs/evaluation.md."""
    run_tool(monkeypatch, EXAMPLE / 'findings.csv', POINTS, '--out', tmp_path, '--missing', 'empty')
    shown = capsys.readouterr()
    assert 'froc_score  0.7600' in shown.out
    # One finding of E lies right of its image, one line is there twice.
    assert [line for line in shown.err.splitlines() if line.startswith('evaluate: ')] == [
        'evaluate: 1 finding left out: outside their image, or boxes without area',
        'evaluate: 1 finding left out: there twice (same place, score and class)']
    record = read_record(tmp_path / 'record.json')
    assert record.metrics == pytest.approx({
        'auroc': .9375, 'recall@0.1': .4, 'recall@0.2': .6, 'recall@0.3': .8, 'recall@0.4': 1,
        'recall@0.5': 1, 'froc_score': .76})
    assert record.settings['rule'] == 'distance' and record.source['kind'] == 'csv'
    assert (record.source['counts']['boxes_left_out'],
            record.source['counts']['findings_repeated']) == (1, 1)
    top = (tmp_path / 'report.md').read_text().splitlines()[:6]
    assert '- 1 finding left out: outside their image, or boxes without area.' in top
    with pytest.raises(ValueError, match='points.*disk_overlap.*distance'):
        run(EXAMPLE / 'findings.csv', tmp_path / 'disks', rule='disk_overlap', missing='empty')
    assert not (tmp_path / 'disks').exists()


def test_boxes_left_out_and_clipped_are_told_on_the_screen(tmp_path, capsys):
    boxes = [*json.loads(BOXES.read_text()), *(
        dict(image_id=1, category_id=1, bbox=bbox, score=.01) for bbox in (
            [5, 5, 0, 9], [2000, 5, 9, 9], [1000, 5, 90, 9], [-5, 5, 90, 9]))]
    (tmp_path / 'boxes.json').write_text(json.dumps(boxes))
    main(['evaluate', str(tmp_path / 'boxes.json'), str(POINTS), '--out', str(tmp_path / 'out'),
          '--missing', 'empty'])
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith('evaluate: ')]
    assert told == ['evaluate: 2 findings left out: outside their image, or boxes without area',
                    'evaluate: 2 findings clipped: boxes that reach beyond their image']
    text = (tmp_path / 'out' / 'report.md').read_text()
    assert text.index('2 findings clipped') < text.index('## fracture')
    counts = read_record(tmp_path / 'out' / 'record.json').source['counts']
    assert (counts['boxes_left_out'], counts['boxes_clipped']) == (2, 2)


def test_patients_of_validation_that_are_tested_are_a_warning(tmp_path, capsys):
    validation = renamed(tmp_path, 'val_')
    evaluate_files(BOXES, validation, tmp_path / 'val', missing='empty', progress=False)
    main(['evaluate', str(BOXES), str(POINTS), '--out', str(tmp_path / 'test'), '--missing', 'empty',
          '--operating-point', str(tmp_path / 'val' / 'record.json')])
    line, = [line for line in capsys.readouterr().err.splitlines() if 'warning' in line]
    groups = {img['group'] for img in json.loads(POINTS.read_text())['images']}
    assert line.startswith('evaluate: warning: validation and test have '
                           f"{len(groups)} patients ('patient 1', ")
    assert 'in common, 8 of 8 test images' in line
    text = (tmp_path / 'test' / 'report.md').read_text()
    assert text.index(line.partition('warning: ')[2]) < text.index('## fracture')


def test_several_systems_make_a_leaderboard(tmp_path, monkeypatch, capsys):
    run(BOXES, tmp_path / 'boxes', missing='empty')
    run(MAPS, tmp_path / 'other', name='maps with another name')
    records = [tmp_path / name / 'record.json' for name in ('boxes', 'other')]
    run_tool(monkeypatch, '--compare', *records, MAPS, POINTS, '--out', tmp_path / 'all',
             '--intervals', 200, '--seed', 5)
    capsys.readouterr()
    text = (tmp_path / 'all' / 'report.md').read_text()
    first, second, third = [line for line in text.splitlines() if re.match(r'\| [123] \|', line)]
    assert first.startswith('| 1 | maps | 0.960 (') and first.endswith('|  |  |  |')
    assert second.startswith('| 2 | maps with another name | 0.960 (')
    assert third.startswith('| 3 | boxes | 0.560 (') and ' | +0.400 (' in third
    assert third.endswith('| none | none |') and 'no p-value: 4 patients' in text
    assert 'is corrected for' not in text
    content = json.loads((tmp_path / 'all' / 'leaderboard.json').read_text())
    assert [system['name'] for system in content['systems']] == [
        'maps', 'maps with another name', 'boxes']
    with open(tmp_path / 'all' / 'pairs.csv', encoding='utf-8', newline='') as stream:
        rows = [row for row in csv.DictReader(stream) if row['metric'] == 'froc_score']
    assert [(row['first'], row['second']) for row in rows] == [
        ('maps', 'maps with another name'), ('maps', 'boxes'), ('maps with another name', 'boxes')]
    assert float(rows[1]['difference']) == pytest.approx(.4)
    assert '### maps minus boxes' in text and '### maps minus maps with another name' in text
    with pytest.raises(ValueError, match='this record is given twice'):
        run(MAPS, tmp_path / 'twice', compare=[records[0], records[0]])
    run(MAPS, tmp_path / 'all')  # the leaderboard was of an evaluation before
    assert not (tmp_path / 'all' / 'leaderboard.json').exists()
    assert not (tmp_path / 'all' / 'pairs.csv').exists()


def test_one_record_may_still_stand_before_the_files(tmp_path, monkeypatch, capsys):
    run(BOXES, tmp_path / 'boxes', missing='empty')
    run_tool(monkeypatch, '--compare', tmp_path / 'boxes' / 'record.json', MAPS, POINTS, '--out',
             tmp_path / 'maps')
    assert 'froc_score  0.9600' in capsys.readouterr().out
    assert '### maps minus boxes' in (tmp_path / 'maps' / 'report.md').read_text()
    with pytest.raises(SystemExit) as caught:
        run_tool(monkeypatch, BOXES, '--out', tmp_path)
    assert caught.value.code == 2 and 'required: annotations' in capsys.readouterr().err


@pytest.mark.parametrize('options, code, words', [
    (['--rule', 'distance', '--max-overlap', '.2'], 1, ['--max-overlap 0.2', 'disk_overlap does']),
    (['--hit-radius', '20', '--rule', 'box_iou'], 1, ['--hit-radius 20', 'and distance']),
    (['--min-iou', '.3'], 1, ['--min-iou 0.3', 'rule disk_overlap', 'box_iou does']),
    (['--seed', '-1'], 2, ['--seed', '-1', 'at least 0']),
    (['--intervals', '-5'], 2, ['--intervals', '-5']),
    (['--intervals', '50'], 2, ['--intervals', '50', '100']),
    (['--out', '/proc/none'], 1, ['--out', '/proc/none']),
    (['--out', str(BOXES / 'x')], 1, ['boxes.json'])])
def test_options_that_cannot_be_used_are_told_before_the_work(options, code, words, tmp_path,
                                                              monkeypatch, capsys):
    monkeypatch.setattr(reader_study, 'evaluate', lambda *rest, **more: pytest.fail('work was begun'))
    with pytest.raises(SystemExit) as caught:
        run_tool(monkeypatch, BOXES, POINTS, '--missing', 'empty', '--out', tmp_path / 'out',
                 *options)
    assert caught.value.code == code
    line = capsys.readouterr().err.splitlines()[-1]
    assert [word for word in words if word not in line] == []
    assert not (tmp_path / 'out').exists()


def test_a_folder_in_the_place_of_a_result_is_told_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(reader_study, 'evaluate', lambda *rest, **more: pytest.fail('work was begun'))
    (tmp_path / 'images.csv').mkdir()
    with pytest.raises(ValueError, match='images.csv: this is no ordinary file'):
        run(MAPS, tmp_path)


def test_in_python_a_seed_and_resamples_are_checked_first(tmp_path):
    for options, words in ((dict(seed=-1), 'seed is -1'), (dict(num_resamples=20), '20'),
                           (dict(num_resamples=-1), 'num_resamples is -1')):
        with pytest.raises(ValueError, match=words):
            run(MAPS, tmp_path / 'out', **options)
    assert list(tmp_path.iterdir()) == []


def test_results_wait_for_a_process_that_writes_into_their_folder(tmp_path):
    (tmp_path / 'out').mkdir()
    with one_writer(tmp_path / 'out'):
        thread = threading.Thread(target=run, args=(MAPS, tmp_path / 'out'))
        thread.start()
        thread.join(2)
        assert thread.is_alive() and list((tmp_path / 'out').iterdir()) == []
    thread.join(60)
    assert read_record(tmp_path / 'out' / 'record.json').metrics == pytest.approx(MAP_METRICS)


@pytest.mark.long
def test_two_processes_that_write_one_folder_leave_the_files_of_one_of_them(tmp_path):
    """Both end well; record, report and table are of one evaluation, and there is nothing else."""
    code = ('import sys; from mmwindow.apis.evaluate_files import evaluate_files; '
            'evaluate_files(*sys.argv[1:4], name=sys.argv[4], progress=False, num_resamples=100, '
            'missing="empty")')
    processes = [subprocess.Popen(
        [sys.executable, '-c', code, path, POINTS, tmp_path / 'out', name], cwd=ROOT,
        stderr=subprocess.PIPE, text=True, env={**os.environ, 'PYTHONPATH': str(ROOT)})
        for path, name in ((BOXES, 'first'), (MAPS, 'second'))]
    for process in processes:
        assert process.communicate()[1] == '' and process.returncode == 0
    record = read_record(tmp_path / 'out' / 'record.json')
    text = (tmp_path / 'out' / 'report.md').read_text()
    assert text.startswith(f'# Evaluation of {record.source["name"]}\n')
    assert f'| froc_score | {record.metrics["froc_score"]:.3f} (' in text
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'froc.png', 'images.csv', 'record.json', 'report.md', 'roc.png']
