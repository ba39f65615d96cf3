"""Predictions are written one by one, and read by the name of either of their two files."""
import json
import weakref

import numpy as np
import pytest

from mmwindow.evaluation import evaluate
from mmwindow.evaluation.files.ground_truth import read_annotations
from mmwindow.evaluation.files.prediction_archive import (
    FINDINGS_FORMAT,
    PredictionWriter,
    write_predictions,
)
from mmwindow.evaluation.files.prediction_files import find_reader, read_predictions
from mmwindow.evaluation.files.predictions import Prediction


@pytest.fixture
def truth(tmp_path):
    path = tmp_path / 'points.json'
    path.write_text(json.dumps(dict(
        images=[dict(id=number, file_name=f'{name}.png', height=40, width=40)
                for number, name in ((1, 'a'), (2, 'b'))],
        annotations=[dict(id=1, image_id=1, category_id=1, keypoints=[15, 25, 2], num_keypoints=1)],
        categories=[dict(id=1, name='fracture')])))
    return read_annotations(path)


def maps():
    values = np.zeros((2, 1, 4, 4), np.float32)
    values[0, 0, 2, 1], values[1, 0, 0, 3] = .9, .4
    return values


def predictions():
    return [Prediction(name, maps=values, height=40, width=40, image_scores=[values.max()])
            for name, values in zip('ab', maps(), strict=True)]


def test_a_map_leaves_the_memory_when_it_is_written(tmp_path):
    with PredictionWriter(tmp_path / 'p.npz', ['fracture']) as writer:
        for name in 'ab':
            values = np.zeros((1, 4, 4), np.float32)
            seen = weakref.ref(values)
            writer.add(Prediction(name, maps=values, height=40, width=40), f'{name}.png', note=7)
            del values
            assert seen() is None
        assert not (tmp_path / 'p.npz').exists()  # appears when it is complete
    content = json.loads((tmp_path / 'p.json').read_text())
    assert [image['note'] for image in content['images']] == [7, 7]
    assert [image['map'] for image in content['images']] == ['map_0000000', 'map_0000001']


def test_both_files_name_the_predictions_and_give_equal_numbers(tmp_path, truth):
    write_predictions(tmp_path / 'p.npz', predictions(), ['fracture'], ['a.png', 'b.png'])
    results = [evaluate(read_predictions(tmp_path / name, truth), truth.targets,
                        classes=truth.classes) for name in ('p.npz', 'p.json')]
    assert results[0].metrics == results[1].metrics and results[0].metrics['auroc'] == 1
    assert results[0].metrics['recall@0.1'] == 1
    assert find_reader(tmp_path / 'p.json') == 'npz' == find_reader(tmp_path / 'p.npz')


def test_boxes_and_an_image_without_any(tmp_path, truth):
    with PredictionWriter(tmp_path / 'p.npz', ['fracture']) as writer:
        writer.add(Prediction('a', boxes=np.array([[10., 20, 20, 30]]), scores=np.array([.9]),
                              labels=np.array([0]), height=40, width=40), 'a.png')
        writer.add(Prediction('b', boxes=np.zeros((0, 4)), scores=np.zeros(0),
                              labels=np.zeros(0, int), height=40, width=40), 'b.png')
    first, second = read_predictions(tmp_path / 'p.json', truth)
    assert np.array_equal(first.boxes, [[10, 20, 20, 30]]) and len(second.boxes) == 0
    assert (first.image_id, second.image_id) == (1, 2)


def test_nothing_is_left_of_what_was_not_finished(tmp_path):
    with pytest.raises(ValueError, match='neither maps nor boxes'), PredictionWriter(
            tmp_path / 'p.npz', ['fracture']) as writer:
        writer.add(predictions()[0], 'a.png')
        writer.add(Prediction('b', height=40, width=40), 'b.png')
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match=r'the suffix is .*\.zip'):
        PredictionWriter(tmp_path / 'p.zip', ['fracture'])


def test_a_description_without_its_arrays_is_named(tmp_path, truth):
    write_predictions(tmp_path / 'p.npz', predictions(), ['fracture'], ['a.png', 'b.png'])
    (tmp_path / 'p.npz').unlink()
    (tmp_path / 'f.json').write_text(json.dumps(dict(format=FINDINGS_FORMAT, images=[])))
    for name in ('p.json', 'f.json'):
        with pytest.raises(ValueError, match=f'{name[0]}.npz with its maps or boxes is not next'):
            list(read_predictions(tmp_path / name, truth))
    # COCO results stay what they are.
    (tmp_path / 'boxes.json').write_text('[]')
    assert find_reader(tmp_path / 'boxes.json') == 'boxes'
