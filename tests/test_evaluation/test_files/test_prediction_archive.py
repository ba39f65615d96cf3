"""Our own file of predictions: what is written is read, with names of classes and images."""
import json

import numpy as np
import pytest

from mmwindow.evaluation.files.ground_truth import GroundTruth
from mmwindow.evaluation.files.prediction_archive import read_description, write_predictions
from mmwindow.evaluation.files.prediction_files import find_reader, read_predictions
from mmwindow.evaluation.files.predictions import Prediction, Target

TARGETS = [Target(1, 100, 80, fields=dict(file_name='x/0002.png')),
           Target(2, 100, 80, fields=dict(file_name='x/0001.png'))]


@pytest.fixture
def truth(tmp_path):
    return GroundTruth(TARGETS, ('a', 'b'), {1: 0, 2: 1}, {}, tmp_path / 'truth.json')


def test_no_image_at_all(tmp_path, truth):
    path = write_predictions(tmp_path / 'new' / 'out.npz', [], ('a', 'b'))
    assert find_reader(path) == 'npz' and list(read_predictions(path, truth)) == []
    assert sorted(file.name for file in path.parent.iterdir()) == ['out.json', 'out.npz']


def test_maps_and_boxes_come_back_as_they_were(tmp_path, truth):
    generator = np.random.default_rng(0)
    boxes = np.array([[1., 2., 30., 40.], [5., 6., 7., 8.]])
    written = [Prediction(1, maps=generator.random((2, 5, 4), dtype=np.float32), height=100, width=80,
                          image_scores=np.array([0.1, np.nextafter(1., 0.)])),
               Prediction(2, boxes=boxes, scores=np.array([0.5, 0.25], np.float32),
                          labels=np.array([1, 0]), height=100, width=80)]
    path = write_predictions(tmp_path / 'out.npz', written, ('b', 'a'), ['0002.png', '0001.png'],
                             dict(config='a.py'))
    first, second = read_predictions(path, truth)
    assert first.classes == second.classes == ('b', 'a')
    assert first.maps.dtype == np.float32 and np.array_equal(first.maps, written[0].maps)
    assert list(first.image_scores) == list(written[0].image_scores)
    assert (second.image_id, second.height, second.width) == (2, 100, 80)
    assert second.boxes.tolist() == boxes.tolist() and second.labels.tolist() == [1, 0]
    assert second.scores.tolist() == [0.5, 0.25] and second.image_scores is None
    content = json.loads(path.with_suffix('.json').read_text())
    assert content == read_description(path) and content['settings'] == dict(config='a.py')
    assert set(content['versions']) == {'mmwindow', 'python', 'numpy'}


def test_files_of_two_tests_are_not_read_together(tmp_path, truth):
    path = write_predictions(tmp_path / 'out.npz', [], ('a', 'b'))
    write_predictions(tmp_path / 'other.npz', [], ('b', 'a'))
    (tmp_path / 'other.json').rename(path.with_suffix('.json'))
    with pytest.raises(ValueError, match='out.json: not the description that out.npz'):
        list(read_predictions(path, truth))
    path.with_suffix('.json').unlink()
    assert list(read_predictions(path, truth)) == []  # the arrays carry it as well


@pytest.mark.parametrize('name', ['scores', 'labels'])
def test_arrays_of_boxes_have_one_number_a_box(tmp_path, truth, name):
    prediction = Prediction(1, boxes=[[1., 2., 30., 40.]], scores=[.5], labels=[1])
    path = write_predictions(tmp_path / 'out.npz', [prediction], ('a', 'b'))
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, name: arrays[name].reshape(1, 1)})
    with pytest.raises(ValueError, match=f'out.npz: the array {name} has the shape .1, 1.; one'):
        list(read_predictions(path, truth))


def test_an_image_that_is_named_twice_differently_is_rejected(tmp_path, truth):
    prediction = Prediction(1, boxes=np.zeros((0, 4)), scores=[], labels=[])
    path = write_predictions(tmp_path / 'out.npz', [prediction], ('a', 'b'), ['0003.png'])
    with pytest.raises(ValueError, match="image_id 1 and file_name '0003.png' are no image"):
        list(read_predictions(path, truth))
    # 1 is the number in the name of image 2.
    path = write_predictions(tmp_path / 'out.npz', [prediction], ('a', 'b'), ['0001.png'])
    assert next(read_predictions(path, truth)).image_id == 2


def test_what_cannot_be_written_is_rejected(tmp_path):
    for path, predictions, words in (('out.pkl', [], 'are an .npz'),
                                     ('out.npz', [Prediction(1)], 'neither maps nor boxes')):
        with pytest.raises(ValueError, match=words):
            write_predictions(tmp_path / path, predictions, ('a',))
