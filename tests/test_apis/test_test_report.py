"""The page and the pictures of a test run, from files as the test writes them."""
import pickle

import cv2
import numpy as np
import pytest
import torch

from mmwindow.apis.run_numbers import ReportSettings
from mmwindow.apis.test_report import draw_report
from mmwindow.engine.model_description import META_KEY, POINTS_KEY
from mmwindow.evaluation import map_events
from mmwindow.evaluation.files.records import write_record
from mmwindow.utils.operating_points import (
    ClassOperatingPoints,
    ModelOperatingPoints,
    OperatingPoint,
)

SETTINGS = dict(hit_radius=50., max_overlap=0.1, frame_side=1024, budgets=(0.25, 0.3, 0.5),
                convention='first_crossing')
FAST = ReportSettings(num_resamples=100, band_resamples=100)
SIDE = 64  # of the images; a frame pixel is a sixteenth of theirs


def make_map(*cells):
    """Return a map of 16 x 16 cells (64 frame pixels each), 0.01 but for (row, column, score)."""
    scores = np.full((16, 16), 0.01, np.float32)
    for row, column, score in cells:
        scores[row, column] = score
    return scores


# A hit at .9; a miss with a false positive at .6; a negative image with one at .3; one without any.
IMAGES = [([(18., 18.)], make_map((4, 4, 0.9))), ([(50., 50.)], make_map((2, 9, 0.6))),
          ([], make_map((8, 8, 0.3))), ([], make_map())]


def write_run(folder, images=IMAGES, with_maps=True, **source):
    """Write images, the record and the predictions of a test; return their paths."""
    samples, events = [], []
    for number, (points, scores) in enumerate(images):
        path = folder / f'image{number}.png'
        cv2.imwrite(str(path), np.full((SIDE, SIDE), 100, np.uint8))
        events.append(map_events(scores, np.reshape(points, (-1, 2)) * 1024 / SIDE, image_id=number))
        sample = dict(img_path=str(path), img_id=number, ori_shape=(SIDE, SIDE),
                      ori_points=[list(point) for point in points],
                      ori_point_labels=[0] * len(points))
        rows, columns = np.nonzero(scores > 0.1)
        boxes = np.stack([columns, rows, columns + 1, rows + 1], axis=1) * SIDE / 16.
        found = dict(bboxes=torch.tensor(boxes), scores=torch.tensor(scores[rows, columns]),
                     labels=torch.zeros(len(rows), dtype=torch.long))
        heatmap = dict(pred_heatmap=dict(scores=torch.tensor(scores[None])))
        samples.append(dict(sample, pred_instances=found, **(heatmap if with_maps else {})))
    (folder / 'predictions.pkl').write_bytes(pickle.dumps(samples))
    write_record(folder / 'record.json', {'fracture': events}, SETTINGS, source=source)
    return folder / 'record.json', folder / 'predictions.pkl'


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_negative_images_alone_have_neither_curve(tmp_path):
    files = write_run(tmp_path, IMAGES[2:], counts=dict(boxes_left_out=3, boxes_clipped=0))
    out = tmp_path / 'out'
    out.mkdir()
    outcome = draw_report(out, *files, settings=FAST)
    assert outcome.problems == () and names_in(out) == [
        'calibration.png', 'overlays.png', 'report.md']
    text = (out / 'report.md').read_text()
    assert text.startswith('# Test report\n\n- 3 findings left out: outside their image, or boxes '
                           'without area.\n')
    assert '2 images, 0 with a finding, 2 without; 0 points.' in text


@pytest.mark.parametrize('with_maps', [True, False])
def test_the_figures_are_those_of_every_test_and_other_files_stay(tmp_path, full_figures, with_maps):
    files = write_run(tmp_path, with_maps=with_maps)
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'result.json').write_text('of the quickstart')
    draw_report(out, *files, settings=FAST)
    assert names_in(out) == ['calibration.png', 'froc.png', 'overlays.png', 'report.md',
                             'result.json', 'roc.png']
    for name in ('froc.png', 'overlays.png', 'roc.png'):
        assert min(cv2.imread(str(out / name)).shape[:2]) > 100
    assert (out / 'result.json').read_text() == 'of the quickstart'
    text = (out / 'report.md').read_text()
    # Both points are of images that score above both others: AUROC 1; .9 is a hit, .6 none.
    assert '| auroc | 1.000' in text and '| recall@0.3 | 0.500' in text
    # .6 would be .25 false positives an image, above the budget of .1 for pictures.
    assert 'Pictures show findings at a score of 0.900, chosen for the pictures' in text
    assert 'No stored threshold. ' in text and text.endswith('events: record.json.\n')


def test_the_threshold_of_the_checkpoint_is_shown(tmp_path):
    files = write_run(tmp_path)
    point = OperatingPoint(.5, 'fp_budget', .1, True, 'all', {}, 90)
    points = ModelOperatingPoints({'fracture': ClassOperatingPoints(point, point)}, 'val', 90, 90)
    torch.save(dict(meta={META_KEY: {POINTS_KEY: points.to_json()}}, state_dict={}),
               tmp_path / 'model.pth')
    draw_report(tmp_path, *files, tmp_path / 'model.pth', settings=FAST)
    text = (tmp_path / 'report.md').read_text()
    assert 'from a score of 0.5' in text and '| with a finding | 2 | 0 |' in text
    assert 'Pictures show findings at a score of 0.500, the stored threshold' in text


def test_an_image_that_is_gone_is_named_and_costs_no_number(tmp_path):
    files = write_run(tmp_path)
    (tmp_path / 'image2.png').unlink()
    outcome = draw_report(tmp_path, *files, settings=FAST)
    problem, = outcome.problems
    assert 'overlays.png' in problem and 'image2.png: the image cannot be read any more' in problem
    text = (tmp_path / 'report.md').read_text()
    assert problem in text and '| auroc | 1.000' in text and '](<overlays.png>)' not in text
