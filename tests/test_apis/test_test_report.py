"""The page and the pictures of a test run, from files as the test writes them."""
import pickle

import cv2
import numpy as np
import pytest
import torch

from mmwindow.apis.test_report import draw_report, iterate_examples, read_curves
from mmwindow.evaluation import box_events, map_events
from mmwindow.evaluation.files.records import read_record, write_record
from mmwindow.images.decode import ImageSettings

SETTINGS = dict(hit_radius=50., max_overlap=0.1, frame_side=1024, budgets=(0.25, 0.3, 0.5),
                convention='first_crossing')
METRICS = {'froc/auroc': 0.75, 'froc/froc_score': float('nan'), 'froc/recall@0.1': None}
SIDE = 64  # of the films; a frame pixel is a sixteenth of theirs


def make_map(*cells):
    """Return a map of 16 x 16 cells (64 frame pixels each), 0.01 but for (row, column, score)."""
    scores = np.full((16, 16), 0.01, np.float32)
    for row, column, score in cells:
        scores[row, column] = score
    return scores


# A hit at 0.9; a miss with a false alarm at 0.6; a normal with one at 0.3; one without any.
FILMS = [([(18., 18.)], make_map((4, 4, 0.9))), ([(50., 50.)], make_map((2, 9, 0.6))),
         ([], make_map((8, 8, 0.3))), ([], make_map())]
NORMALS = FILMS[2:]
NORMALS = FILMS[2:]


def write_run(folder, films=FILMS, with_maps=True):
    """Write films, the record and the predictions of a test; return their paths."""
    samples, events = [], []
    for number, (points, scores) in enumerate(films):
        path = folder / f'film{number}.png'
        cv2.imwrite(str(path), np.full((SIDE, SIDE), 100, np.uint8))
        events.append(map_events(scores, np.reshape(points, (-1, 2)) * 1024 / SIDE, image_id=number))
        sample = dict(img_path=str(path), ori_points=[list(point) for point in points],
                      ori_point_labels=[0] * len(points))
        rows, columns = np.nonzero(scores > 0.1)
        boxes = np.stack([columns, rows, columns + 1, rows + 1], axis=1) * SIDE / 16.
        found = dict(bboxes=torch.tensor(boxes), scores=torch.tensor(scores[rows, columns]),
                     labels=torch.zeros(len(rows), dtype=torch.long))
        heatmap = dict(pred_heatmap=dict(scores=torch.tensor(scores[None])))
        samples.append(dict(sample, pred_instances=found, **(heatmap if with_maps else {})))
    (folder / 'predictions.pkl').write_bytes(pickle.dumps(samples))
    write_record(folder / 'curves.json', {'fracture': events}, SETTINGS)
    return folder / 'curves.json', folder / 'predictions.pkl'


def test_curves_by_hand(tmp_path):
    found = read_curves(write_run(tmp_path)[0])
    assert found.froc.num_images == 4 and found.froc.num_points == 2
    # The false alarm at 0.6 is 0.25 an image, the one at 0.3 makes it 0.5, and at 0.01 every
    # film is one box: those of the normals are false, and the others cover too little as well.
    assert found.froc.threshold_at(0.3) == pytest.approx(0.6)
    assert found.froc.threshold_at(0.5) == pytest.approx(0.3)
    # Positives score 0.9 and 0.6, normals 0.3 and 0.01: all pairs in order.
    assert found.roc.true_positive_rate.tolist() == [0, 0.5, 1, 1, 1]
    assert found.roc.false_positive_rate.tolist() == [0, 0, 0, 0.5, 1]


def test_boxes_left_out_stand_above_the_numbers(tmp_path):
    curves, predictions = write_run(tmp_path)
    write_record(curves, read_record(curves).classes, SETTINGS,
                 source=dict(counts=dict(boxes_left_out=3, boxes_clipped=0)))
    draw_report(tmp_path, curves, predictions, {'froc/auroc': 1.})
    text = (tmp_path / 'report.md').read_text()
    assert text.startswith('# Test report\n\n- 3 findings left out: outside their image, or boxes '
                           'without area.\n\n| number |')


def test_the_report(tmp_path, full_figures):
    curves, predictions = write_run(tmp_path)
    out = tmp_path / 'out'
    out.mkdir()
    draw_report(out, curves, predictions, METRICS)
    assert sorted(path.name for path in out.iterdir()) == ['froc.png', 'overlays.png', 'report.md',
                                                           'roc.png']
    for name in ('froc.png', 'overlays.png', 'roc.png'):
        assert min(cv2.imread(str(out / name)).shape[:2]) > 100
    text = (out / 'report.md').read_text()
    assert '| froc/auroc | 0.7500 |' in text and '| froc/froc_score | none |' in text
    assert '| froc/recall@0.1 | none |' in text  # as result.json has it, where NaN is no number
    assert 'Findings below are those at a score of 0.600' in text
    assert 'a reader has spent 0.3 false positives an image' in text
    assert all(f']({name})' in text for name in ('froc.png', 'overlays.png', 'roc.png'))


@pytest.mark.parametrize('films', [FILMS[:2], NORMALS])
def test_with_one_kind_of_film_there_is_no_roc(tmp_path, films):
    curves, predictions = write_run(tmp_path, films)
    assert read_curves(curves).roc is None
    draw_report(tmp_path, curves, predictions, METRICS)
    text = (tmp_path / 'report.md').read_text()
    assert not (tmp_path / 'roc.png').exists() and '](roc.png)' not in text
    assert (tmp_path / 'overlays.png').exists()
    has_points = films is not NORMALS  # of normals alone there is no FROC either
    assert (tmp_path / 'froc.png').exists() == ('](froc.png)' in text) == has_points


def test_a_budget_that_no_threshold_keeps_to_is_said(tmp_path):
    # The only score is that of a false alarm on a normal: one an image at the first threshold.
    curves, predictions = write_run(tmp_path, [([], make_map((8, 8, 0.9)))])
    draw_report(tmp_path, curves, predictions, METRICS, budget=0.3)
    assert ('those at a score of 0.500, as no threshold keeps to 0.3 false positives an image;'
            in (tmp_path / 'report.md').read_text())


def test_examples_of_maps(tmp_path):
    _, predictions = write_run(tmp_path)
    examples = list(iterate_examples(predictions, 0.5))
    assert [example.name for example in examples] == ['film0', 'film1', 'film2', 'film3']
    for example, (points, scores) in zip(examples, FILMS, strict=True):
        assert example.img.shape == (SIDE, SIDE) and example.threshold == 0.5
        assert example.points.tolist() == [list(point) for point in points]
        assert example.points.shape == (len(points), 2)
        assert np.array_equal(example.scores, scores) and example.boxes is None


def test_films_look_as_the_model_sees_them_and_points_are_of_its_first_class(tmp_path):
    path = tmp_path / 'deep.png'
    cv2.imwrite(str(path), np.full((8, 8), 4095, np.uint16))  # white of 12 bits
    (tmp_path / 'predictions.pkl').write_bytes(pickle.dumps([dict(
        img_path=str(path), ori_points=[[1., 2.], [3., 4.]], ori_point_labels=[1, 0],
        pred_heatmap=dict(scores=torch.zeros(2, 4, 4)))]))
    example, = iterate_examples(tmp_path / 'predictions.pkl', 0.5, ImageSettings(bit_depth=12))
    assert (example.img == 255).all() and example.points.tolist() == [[3, 4]]


def test_examples_of_boxes_are_those_above_the_threshold(tmp_path):
    curves, predictions = write_run(tmp_path, with_maps=False)
    examples = list(iterate_examples(predictions, 0.5))
    # Cells are 4 pixels of a film: (row 4, column 4) is 16 to 20, (row 2, column 9) 36, 8 to 40, 12.
    assert [example.boxes.tolist() for example in examples] == [
        [[16, 16, 20, 20]], [[36, 8, 40, 12]], [], []]
    assert all(example.scores is None and example.boxes.shape[1] == 4 for example in examples)
    draw_report(tmp_path, curves, predictions, METRICS)
    assert (tmp_path / 'overlays.png').exists()


def test_a_box_detector_without_any_box_on_a_film(tmp_path):
    events = [box_events([[280, 280, 300, 300]], [0.4], [[288, 288]], image_id=0),
              box_events([], [], [], image_id=1)]
    write_record(tmp_path / 'curves.json', {'fracture': events}, SETTINGS)
    found = read_curves(tmp_path / 'curves.json')
    # The film without a box scores below any.
    assert found.roc.thresholds.tolist() == [np.inf, 0.4, -np.inf]
    assert found.roc.true_positive_rate.tolist() == [0, 1, 1]


def test_a_film_that_is_gone(tmp_path):
    curves, predictions = write_run(tmp_path)
    (tmp_path / 'film2.png').unlink()
    with pytest.raises(ValueError, match='film2.png: the image cannot be read any more; test again'):
        list(iterate_examples(predictions, 0.5))
    (tmp_path / 'report.md').write_text('the last one')
    with pytest.raises(ValueError, match='film2.png'):
        draw_report(tmp_path, curves, predictions, METRICS)
    assert (tmp_path / 'report.md').read_text() == 'the last one'
