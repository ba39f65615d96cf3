"""The command with several readers, on the worked example of docs/readers.md."""
import json
import math
import re
import sys
from pathlib import Path

import pytest

from mmwindow.apis.evaluate_files import evaluate_files
from mmwindow.apis.reader_study import kept_name
from mmwindow.cli import main
from mmwindow.evaluation.files.records import read_record

EXAMPLE = Path(__file__).parents[2] / 'docs' / 'examples' / 'readers'
POINTS, BOXES = EXAMPLE / 'points.json', EXAMPLE / 'boxes.json'
# By hand: points on images 1 2 4 7 8, at scores .95 .70 .50 .40 .30; the false positives .65 .60 .10
# are at 1/8, 2/8 and 3/8 of an image. Pairs of images in order: 3 + 3 + 1 + 1 + 1 of 15.
MERGED = {'auroc': 9 / 15, 'recall@0.1': .4, 'recall@0.2': .4, 'recall@0.3': 1., 'recall@0.4': 1.,
          'recall@0.5': 1., 'froc_score': .76}
# Reader to recall, FP rate, sensitivity and specificity against the others; the system there.
READERS = dict(R1=(2 / 4, 3 / 8, 3 / 4, 2 / 4, 3 / 4, 1 / 4), R2=(1, 3 / 8, 1, 3 / 6, 1 / 2, 1 / 2),
               R3=(1 / 3, 3 / 7, 2 / 3, 2 / 4, 1, 1))


@pytest.fixture
def split_example(tmp_path):
    """The same example as one file for each reader, images in another order and under other ids."""
    content = json.loads(POINTS.read_text())
    paths = []
    for shift, reader in enumerate(('R1', 'R2', 'R3')):
        images = [{**image, 'id': image['id'] + shift} for image in content['images'][::-1]]
        for image in images:
            readers = image.pop('readers', None)
            if readers is not None and reader not in readers:
                image['readers'] = []
        annotations = [{key: value for key, value in annotation.items() if key != 'reader'}
                       | {'image_id': annotation['image_id'] + shift}
                       for annotation in content['annotations'] if annotation['reader'] == reader]
        paths.append(tmp_path / f'{reader.lower()}.json')
        paths[-1].write_text(json.dumps(dict(images=images, annotations=annotations,
                                             categories=content['categories'])))
    return paths


@pytest.fixture(autouse=True)
def undrawn(request, monkeypatch):
    """Name figures without drawing them, but in the test of the command's files."""
    if request.node.name != 'test_merged_readers':
        for name in ('plot_froc', 'plot_roc'):
            monkeypatch.setattr(sys.modules[evaluate_files.__module__], name,
                                lambda curves, path, *args, **options: Path(path))


def run(*arguments):
    main(['evaluate', *map(str, arguments)])


def rows_of(report, first):
    """Return the cells of the rows of a report's tables whose first cell matches a pattern."""
    rows = [[cell.strip() for cell in line.strip('|').split('|')]
            for line in report.splitlines() if line.startswith('|')]
    return [row for row in rows if re.fullmatch(first, row[0])]


def test_merged_readers(tmp_path, capsys):
    run(BOXES, POINTS, '--merge-readers', '--out', tmp_path, '--intervals', 100)
    shown = dict(line.split() for line in capsys.readouterr().out.splitlines()[:-1])
    assert {key: float(value) for key, value in shown.items()} == pytest.approx(MERGED)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'froc.png', 'images.csv', 'record.json', 'report.md', 'roc.png']
    record = read_record(tmp_path / 'record.json')
    assert [len(img.recall_levels) for img in record.events()] == [1, 1, 0, 1, 0, 0, 1, 1]
    study = record.readers
    assert (study['how'], study['radius'], study['min_readers']) == ('merge', 50, 'majority')
    fracture = study['classes']['fracture']
    assert fracture['counts'] == dict(num_findings=5, num_left_out=3, num_disputed=0)
    for point in fracture['operating_points']:
        numbers = [point[key]['estimate'] for key in ('recall', 'fp_rate', 'sensitivity',
                                                      'specificity')]
        numbers += [point['system'][key] for key in ('recall', 'sensitivity')]
        assert numbers == pytest.approx(READERS[point['reader']])
    assert [pair['num_matched'] for pair in fracture['agreement']['pairs']] == [4, 1, 3]
    assert fracture['agreement']['alpha'] == pytest.approx(1 - 22 * 4 / (14 * 9))
    report = (tmp_path / 'report.md').read_text()
    assert 'against the findings of the others, another reference' in report
    assert '5 findings; 3 places' in report and 'more than half of its readers' in report
    rows = rows_of(report, r'R\d')
    assert len(rows) == 9                            # counts, operating points, the system there
    assert [row[3].split()[0] for row in rows[3:6]] == ['0.500', '1.000', '0.333']
    assert [row[1] for row in rows[6:]] == ['0.750', '0.500', '1.000']


def test_a_file_for_each_reader_gives_the_same(tmp_path, split_example):
    first, second, third = split_example
    one = evaluate_files(BOXES, POINTS, tmp_path / 'one', readers='merge', num_resamples=100,
                         progress=False)
    other = evaluate_files(BOXES, [f'R1={first}', f'R2={second}', f'R3={third}'],
                           tmp_path / 'other', readers='merge', num_resamples=100, progress=False)
    assert other.metrics == one.metrics == pytest.approx(MERGED)
    studies = [read_record(tmp_path / name / 'record.json').readers for name in ('one', 'other')]
    for study in studies:                            # images come in another order: other resamples
        for point in study['classes']['fracture']['operating_points']:
            assert point['recall']['estimate'] == pytest.approx(READERS[point['reader']][0])
    assert studies[0]['classes']['fracture']['counts'] == studies[1]['classes']['fracture']['counts']
    source = read_record(tmp_path / 'other' / 'record.json').source
    assert source['annotations'] == 'r1.json, r2.json, r3.json'
    assert source['points_from']['keypoints'] == 14


def test_readers_kept_apart(tmp_path, capsys):
    result = evaluate_files(BOXES, POINTS, tmp_path / 'kept', readers='keep', progress=False)
    assert list(result.classes) == [kept_name('fracture', reader) for reader in ('R1', 'R2', 'R3')]
    # Pairs in order: 11 of 15, 9 of 15 and, on seven images, 3 of 12.
    assert [entry.metrics['auroc'] for entry in result.classes.values()] == pytest.approx(
        [11 / 15, 9 / 15, 3 / 12])
    assert [entry.metrics['froc_score'] for entry in result.classes.values()] == pytest.approx(
        [.84, .76, .3])
    assert result.metrics['auroc'] == pytest.approx((11 / 15 + 9 / 15 + 3 / 12) / 3)
    assert result.metrics['froc_score'] == pytest.approx((.84 + .76 + .3) / 3)
    record = read_record(tmp_path / 'kept' / 'record.json')
    assert [len(events) for events in record.classes.values()] == [8, 8, 7]
    against_first = record.readers['classes']['fracture, reader R1']
    assert against_first['reference'] == 'R1' and 'agreement' in against_first
    # R2 has found four of R1's five; R1 and R3 have one of four in common.
    assert [(point['reader'], point['recall']['estimate'], point['fp_rate']['estimate'])
            for point in against_first['operating_points']] == [
                ('R2', .8, 1 / 8), ('R3', 1 / 4, pytest.approx(3 / 7))]
    report = (tmp_path / 'kept' / 'report.md').read_text()
    assert 'against the marks of reader R3' in report
    assert '(<froc_fracture, reader R1.png>)' in report          # a link with blanks
    run(BOXES, POINTS, '--keep-readers', '--out', tmp_path / 'again', '--compare',
        tmp_path / 'kept' / 'record.json')
    assert 'fracture, reader R3' in (tmp_path / 'again' / 'report.md').read_text()


def test_one_reader_alone(tmp_path, capsys):
    result = evaluate_files(BOXES, POINTS, tmp_path, readers='R3', progress=False)
    assert (result.counts['images'], result.counts['points']) == (7, 4)   # image 8 was not read
    assert "'R3' has not read 1 of 8 images, which are left out" in capsys.readouterr().err
    assert result.metrics['auroc'] == 3 / 12
    assert read_record(tmp_path / 'record.json').readers == {}
    assert '### Readers' not in (tmp_path / 'report.md').read_text()


def test_every_point_of_every_reader(tmp_path):
    result = evaluate_files(BOXES, POINTS, tmp_path, readers='all', progress=False)
    assert result.counts['points'] == 14


@pytest.mark.parametrize('options, words', [
    ([], ["3 readers ('R1', 'R2', 'R3')", '--merge-readers', '--reader NAME']),
    (['--reader', 'R9'], ["no reader 'R9'", "'R1', 'R2', 'R3'"]),
    (['--merge-readers', '--min-readers', '3'], ['image 8', '2 readers', '3 must agree']),
    (['--merge-readers', '--min-readers', '0'], ['min_readers is 0']),
    (['--merge-readers', '--min-readers', 'half'], ["'half'", 'majority']),
    (['--merge-readers', '--merge-radius', '0'], ['radius of merging is 0']),
    (['--merge-readers', '--rule', 'box_iou'], ['annotation 1', 'no box'])])
def test_bad_options_are_one_line(options, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        run(BOXES, POINTS, '--out', tmp_path / 'out', *options)
    assert error.value.code == 1
    line, = [line for line in capsys.readouterr().err.splitlines() if line.startswith('evaluate: ')]
    assert [word for word in words if word not in line] == []


def test_bad_files_are_one_line(tmp_path, split_example, capsys):
    first, second, _ = split_example
    content = json.loads(second.read_text())
    content['images'][0]['file_name'] = 'other.png'
    second.write_text(json.dumps(content))
    plain = tmp_path / 'plain.json'
    plain.write_text(json.dumps({**content, 'annotations': []}))
    for annotations, options, words in (
            ([first, second], ['--merge-readers'], ['1 of its images', 'other.png']),
            ([f'A={first}', f'A={first}'], ['--merge-readers'], ["'A' is named twice"]),
            ([first], ['--merge-readers'], ['name no reader', 'at least two']),
            ([first], ['--keep-readers'], ['name no reader', 'at least two']),
            ([f'A={first}'], ['--merge-readers'], ["only reader is 'A'"]),
            ([tmp_path / 'none.json', second], ['--merge-readers'], ['none.json'])):
        with pytest.raises(SystemExit) as error:
            run(BOXES, *annotations, '--out', tmp_path / 'out', *options)
        assert error.value.code == 1
        line, = [line for line in capsys.readouterr().err.splitlines()
                 if line.startswith('evaluate: ')]
        assert [word for word in words if word not in line] == []


def test_a_reader_without_any_mark_has_an_operating_point(tmp_path):
    content = json.loads(POINTS.read_text())
    content['readers'] = ['R1', 'R2', 'R3', 'R4']    # R4 has read images 1 to 7 and found nothing
    path = tmp_path / 'points.json'
    path.write_text(json.dumps(content))
    evaluate_files(BOXES, path, tmp_path / 'out', readers='merge', progress=False)
    point = read_record(tmp_path / 'out' / 'record.json').readers['classes']['fracture'][
        'operating_points'][3]
    assert (point['reader'], point['num_images']) == ('R4', 7)
    assert (point['recall']['estimate'], point['fp_rate']['estimate'],
            point['specificity']['estimate']) == (0, 0, 1)
    assert point['specificity']['low'] < 1 and point['fp_rate']['high'] > 0


def test_nobody_found_anything(tmp_path):
    content = json.loads(POINTS.read_text())
    content.update(annotations=[], readers=['R1', 'R2', 'R3'])
    path = tmp_path / 'points.json'
    path.write_text(json.dumps(content))
    result = evaluate_files(BOXES, path, tmp_path / 'out', readers='merge', progress=False)
    assert math.isnan(result.metrics['froc_score'])
    study = read_record(tmp_path / 'out' / 'record.json').readers['classes']['fracture']
    assert study['operating_points'][0]['recall'] is None
    assert 'chance' in study['agreement']['pairs'][0]['reasons']['kappa']
    assert study['counts'] == dict(num_findings=0, num_left_out=0, num_disputed=0)


def test_a_place_of_dispute_is_counted(tmp_path):
    content = json.loads(POINTS.read_text())
    for annotation in content['annotations']:
        if annotation['image_id'] == 2 and annotation['reader'] == 'R2':
            annotation['keypoints'][0] = 900         # far from R1's mark
    path = tmp_path / 'points.json'
    path.write_text(json.dumps(content))
    evaluate_files(BOXES, path, tmp_path / 'out', readers='merge', progress=False)
    study = read_record(tmp_path / 'out' / 'record.json').readers['classes']['fracture']
    assert study['counts'] == dict(num_findings=4, num_left_out=5, num_disputed=1)
