"""Every format gives the same events; a file that is cut, foreign or ambiguous is refused."""
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwindow.evaluation.files.array_files import load_png
from mmwindow.evaluation.files.ground_truth import GroundTruth
from mmwindow.evaluation.files.image_names import ImageNames
from mmwindow.evaluation.files.prediction_files import find_reader, read_predictions
from mmwindow.evaluation.files.predictions import Target
from mmwindow.evaluation.files.safe_pickle import load_samples
from mmwindow.evaluation.scoring import evaluate

TARGETS = [Target(1, 100, 100, np.array([[20., 20.]]), fields=dict(file_name='films/a.png')),
           Target(2, 100, 100, fields=dict(file_name='films/b.png'))]
# On the grid of 8 bits, so that PNG holds them exactly.
MAPS = {1: np.array([[.8, .2], [.2, .4]]), 2: np.array([[.0, .2], [.6, .2]])}
MAPS = {key: (np.round(value * 255) / 255).astype(np.float32) for key, value in MAPS.items()}


@pytest.fixture
def truth(tmp_path):
    return GroundTruth(TARGETS, ('fracture',), {3: 0}, {}, tmp_path / 'truth.json')


def events_of(path, truth, **options):
    return evaluate(read_predictions(path, truth), truth.targets,
                    **options).classes['finding'].events


def write_boxes(path, rows):
    path.write_text(json.dumps([dict(image_id=image_id, category_id=3, bbox=bbox, score=score)
                                for image_id, bbox, score in rows]))
    return path


def test_no_prediction_at_all(tmp_path, truth):
    for name, write in (('a.json', lambda path: path.write_text('[]')),
                        ('a.pkl', lambda path: path.write_bytes(pickle.dumps([]))),
                        ('a.npz', lambda path: np.savez(path))):
        write(tmp_path / name)
        assert list(read_predictions(tmp_path / name, truth)) == []
        with pytest.raises(ValueError, match='2 of 2 images have no prediction'):
            events_of(tmp_path / name, truth)


def test_boxes(tmp_path, truth):
    path = write_boxes(tmp_path / 'boxes.json', [(1, [10, 10, 20, 20], .9), (2, [0, 0, 5, 5], .5),
                                                 (1, [70, 70, 20, 20], .3)])
    predictions = {prediction.image_id: prediction for prediction in read_predictions(path, truth)}
    assert predictions[1].boxes.tolist() == [[10, 10, 30, 30], [70, 70, 90, 90]]
    first, second = events_of(path, truth)
    assert first.recall_levels.tolist() == [.9] and first.fp_levels.tolist() == [.3]
    assert second.fp_levels.tolist() == [.5]


@pytest.mark.parametrize('entry, message', [
    (dict(image_id=9), 'result 0 is of image 9, which is not in'),
    (dict(image_id=True), 'result 0 is of image True'), (dict(image_id=[1]), r'of image \[1\]'),
    (dict(score=True), 'and score True'), (dict(score=10 ** 400), r'boxes\.json: .*401 digits'),
    (dict(category_id=9), 'result 0 has category 9'),
    (dict(bbox=[1, 2, 3]), r'result 0 has the bbox \[1, 2, 3\]'),
    (dict(score='high'), 'and score high'),
    (dict(bbox=None), 'bbox None')])
def test_bad_boxes(tmp_path, truth, entry, message):
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps([{**dict(image_id=1, category_id=3, bbox=[1, 2, 3, 4], score=.5),
                                 **entry}]))
    with pytest.raises(ValueError, match=message):
        list(read_predictions(path, truth))
    path.write_text(json.dumps(dict(annotations=[])))
    with pytest.raises(ValueError, match='a list of results is expected .* not a dict'):
        list(read_predictions(path, truth))
    path.write_text('[{"image_id": 1}]')
    with pytest.raises(ValueError, match='image_id, category_id, bbox and score are expected'):
        list(read_predictions(path, truth))


def write_maps(kind, folder):
    """Write the maps in one format, one named by stem, the other by id where a name is free."""
    if kind == 'npz':
        np.savez(folder / 'maps.npz', **{'a': MAPS[1], '2': MAPS[2]})
        return folder / 'maps.npz'
    if kind == 'pickle':
        torch = pytest.importorskip('torch')
        samples = [dict(img_id=key, ori_shape=(100, 100), img_path='x.png',
                        pred_heatmap=dict(scores=torch.from_numpy(value[None])))
                   for key, value in MAPS.items()]
        (folder / 'out.pkl').write_bytes(pickle.dumps(samples))
        return folder / 'out.pkl'
    (folder / kind).mkdir()
    for name, values in (('a', MAPS[1]), ('2', MAPS[2])):
        if kind == 'npy':
            np.save(folder / kind / f'{name}.npy', values)
        else:
            Image.fromarray(np.round(values * 255).astype(np.uint8)).save(
                folder / kind / f'{name}.png')
    return folder / kind


@pytest.mark.parametrize('kind', ['npz', 'npy', 'png', 'pickle'])
def test_maps_of_every_format_are_the_same(tmp_path, truth, kind):
    path = write_maps(kind, tmp_path)
    assert find_reader(path) == kind
    first, second = events_of(path, truth)
    expected = evaluate(MAPS, TARGETS).classes['finding'].events
    for old, new in zip(expected, (first, second), strict=True):
        assert old.recall_levels == pytest.approx(new.recall_levels)
        assert old.fp_levels == pytest.approx(new.fp_levels)
        assert old.score == pytest.approx(new.score)


def test_png_of_16_bits_and_pictures(tmp_path):
    values = np.array([[0, 65535], [13107, 1]], np.uint16)
    Image.fromarray(values).save(tmp_path / 'deep.png')
    assert load_png(tmp_path / 'deep.png') == pytest.approx(values / 65535)
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / 'colour.png')
    with pytest.raises(ValueError, match=r'colour\.png: the map is a PNG of mode RGB'):
        load_png(tmp_path / 'colour.png')
    (tmp_path / 'cut.png').write_bytes((tmp_path / 'deep.png').read_bytes()[:40])
    with pytest.raises(ValueError, match=r'cut\.png: the map cannot be read'):
        load_png(tmp_path / 'cut.png')


def test_boxes_of_our_own_file(tmp_path, truth):
    torch = pytest.importorskip('torch')
    instances = dict(bboxes=torch.tensor([[10., 10, 30, 30]]), scores=torch.tensor([.5]),
                     labels=torch.tensor([0]))
    samples = [dict(img_id=key, ori_shape=(100, 100), pred_instances=instances) for key in (1, 2)]
    path = tmp_path / 'out.pkl'
    path.write_bytes(pickle.dumps(samples))
    assert [img.score for img in events_of(path, truth)] == [.5, .5]
    samples[0]['ori_shape'] = (50, 100)
    path.write_bytes(pickle.dumps(samples))
    with pytest.raises(ValueError, match='was predicted at 50 x 100 pixels'):
        events_of(path, truth)
    del samples[1]['pred_instances']
    path.write_bytes(pickle.dumps(samples[1:]))
    with pytest.raises(ValueError, match='sample 0 .*neither pred_heatmap nor pred_instances'):
        events_of(path, truth)


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
def test_scores_of_low_precision_in_our_own_file(tmp_path, truth, dtype):
    torch = pytest.importorskip('torch')
    low, path = getattr(torch, dtype), tmp_path / 'out.pkl'
    scores = torch.tensor([.5])
    boxes = dict(bboxes=torch.tensor([[10., 10, 30, 30]]), scores=scores, labels=torch.tensor([0]))
    for sample in (dict(pred_heatmap=dict(scores=torch.zeros(1, 4, 4, dtype=low))),
                   dict(pred_instances=dict(boxes, scores=scores.to(low))),
                   dict(pred_instances=boxes, image_score=scores.to(low))):
        path.write_bytes(pickle.dumps([dict(img_id=1, ori_shape=(100, 100), **sample)]))
        with pytest.raises(ValueError, match=rf'sample 0 \(image 1\): .* of type torch.{dtype}'):
            list(read_predictions(path, truth))


def test_samples_that_lack_an_entry(tmp_path, truth):
    path = tmp_path / 'out.pkl'
    for sample, message in ((dict(pred_heatmap=None), 'neither pred_heatmap nor pred_instances'),
                            (dict(pred_heatmap=[1]), 'has no scores'),
                            (dict(pred_instances=dict(bboxes=[])), 'has no scores')):
        path.write_bytes(pickle.dumps([dict(img_id=1, **sample)]))
        with pytest.raises(ValueError, match=rf'out\.pkl: sample 0 .*{message}'):
            list(read_predictions(path, truth))


class Dangerous:
    """Pickles as a call that would leave a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), 'w'))


def test_a_pickle_runs_nothing(tmp_path):
    path = tmp_path / 'out.pkl'
    path.write_bytes(pickle.dumps([dict(img_id=1, extra=Dangerous(tmp_path / 'made'),
                                        scores=np.arange(3.))]))
    samples = load_samples(path)
    assert samples[0]['scores'].tolist() == [0, 1, 2]
    assert not (tmp_path / 'made').exists()


@pytest.mark.parametrize('kind', ['npz', 'pickle'])
def test_cut_files(tmp_path, truth, kind):
    path = write_maps(kind, tmp_path)
    whole = path.read_bytes()
    for length in (0, 1, 20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=rf'{path.name}: .*cut short'):
            list(read_predictions(path, truth))


def test_names_of_images(tmp_path, truth):
    np.savez(tmp_path / 'maps.npz', **{'films/a.png': MAPS[1], 'b.png': MAPS[2]})
    assert len(events_of(tmp_path / 'maps.npz', truth)) == 2
    np.savez(tmp_path / 'maps.npz', c=MAPS[1])
    with pytest.raises(ValueError, match="'c' means no image of the annotation file"):
        list(read_predictions(tmp_path / 'maps.npz', truth))
    np.savez(tmp_path / 'maps.npz', **{'a': MAPS[1], '1': MAPS[1]})
    with pytest.raises(ValueError, match=r'image 1 \(films/a.png\) is predicted twice'):
        events_of(tmp_path / 'maps.npz', truth)
    twins = GroundTruth([Target(1, 9, 9, fields=dict(file_name='x/a.png')),
                         Target(2, 9, 9, fields=dict(file_name='y/a.png'))], ('a',), {}, {}, 'truth')
    np.savez(tmp_path / 'maps.npz', a=MAPS[1])
    with pytest.raises(ValueError, match=r"'a' means the images \[1, 2\] alike"):
        list(read_predictions(tmp_path / 'maps.npz', twins))


def test_what_no_reader_knows(tmp_path):
    with pytest.raises(ValueError, match='there is no such file'):
        find_reader(tmp_path / 'none.json')
    (tmp_path / 'a.txt').touch()
    with pytest.raises(ValueError, match="the suffix is '.txt'"):
        find_reader(tmp_path / 'a.txt')
    with pytest.raises(ValueError, match='holds no files of maps'):
        find_reader(tmp_path)
    (tmp_path / 'a.png').touch()
    (tmp_path / 'a.npy').touch()
    with pytest.raises(ValueError, match='holds npy and png files of maps'):
        find_reader(tmp_path)


# Ids count the images, names count something else: 'films/0002.png' is image 1.
NUMBERED = [Target(number + 1, 100, 100, fields=dict(file_name=f'films/000{name}.png'))
            for number, name in enumerate((2, 3, 1))]


def read_numbered(tmp_path, entries, targets=NUMBERED, **options):
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps([dict(category_id=3, bbox=[0, 0, number + 1, 9], score=.5, **entry)
                                for number, entry in enumerate(entries)]))
    truth = GroundTruth(targets, ('fracture',), {3: 0}, {}, tmp_path / 'truth.json')
    found = read_predictions(path, truth, **options)
    return {int(prediction.boxes[0, 2]): prediction.image_id for prediction in found}


def test_a_file_name_that_is_null_is_not_said(tmp_path):
    """The id is then read as where there is no file name, by --image-ids."""
    row = dict(image_id=2, file_name=None)
    assert read_numbered(tmp_path, [row], image_ids='stem') == {1: 1}
    assert read_numbered(tmp_path, [row], image_ids='id') == {1: 2}
    with pytest.raises(ValueError, match='result 0 has the file_name 5'):
        read_numbered(tmp_path, [dict(row, file_name=5)])


def test_results_that_count_by_file_name(tmp_path):
    # Ultralytics writes int(stem), and newer versions the name as well.
    named = [dict(image_id=2, file_name='0002.png'), dict(image_id=3, file_name='0003.png')]
    assert read_numbered(tmp_path, named) == {1: 1, 2: 2}
    with pytest.raises(ValueError, match="image_id 3 and file_name '0002.png' are two images"):
        read_numbered(tmp_path, [dict(image_id=3, file_name='0002.png')])
    # Without names both readings fit, and they differ: who is meant must be said.
    bare = [dict(image_id=2), dict(image_id=3)]
    with pytest.raises(ValueError, match='--image-ids'):
        read_numbered(tmp_path, bare)
    assert read_numbered(tmp_path, bare, image_ids='stem') == {1: 1, 2: 2}
    assert read_numbered(tmp_path, bare, image_ids='id') == {1: 2, 2: 3}
    # One reading fits: stems as text, or numbers that no id has.
    assert read_numbered(tmp_path, [dict(image_id='0001'), dict(image_id='0003')]) == {1: 3, 2: 2}
    later = [replace(target, image_id=target.image_id + 70) for target in NUMBERED]
    assert read_numbered(tmp_path, bare, later) == {1: 71, 2: 72}
    assert read_numbered(tmp_path, [dict(image_id=72)], later) == {1: 72}
    # COCO's own names are their ids: both readings agree.
    same = [Target(number, 9, 9, fields=dict(file_name=f'000{number}.png')) for number in (1, 2, 3)]
    assert read_numbered(tmp_path, bare, same) == {1: 2, 2: 3}


def test_a_pickle_whose_id_and_path_are_two_images(tmp_path, truth):
    path = tmp_path / 'out.pkl'
    sample = dict(img_id=1, pred_heatmap=dict(scores=MAPS[1][None]))
    for name, is_right in (('/data/films/a.png', True), ('/data/films/b.png', False)):
        path.write_bytes(pickle.dumps([dict(sample, img_path=name)]))
        if is_right:
            assert next(read_predictions(path, truth)).image_id == 1
            continue
        with pytest.raises(ValueError, match='are two images'):
            list(read_predictions(path, truth))


def test_a_pickle_of_two_classes_must_name_them(tmp_path):
    truth = GroundTruth(TARGETS, ('a', 'b'), {1: 0, 2: 1}, {}, tmp_path / 'truth.json')
    path = tmp_path / 'out.pkl'
    path.write_bytes(pickle.dumps([dict(img_id=1, pred_heatmap=dict(scores=np.zeros((2, 4, 4))))]))
    with pytest.raises(ValueError, match='does not say in which order its 2 classes'):
        list(read_predictions(path, truth))
    assert next(read_predictions(path, truth, classes=('b', 'a'))).classes == ('b', 'a')


def test_a_pickled_map_of_a_padded_batch_is_cut(tmp_path, truth):
    scores = np.zeros((1, 32, 32), np.float32)
    scores[0, 30, 30] = 0.9
    path = tmp_path / 'out.pkl'
    path.write_bytes(pickle.dumps([dict(img_id=1, img_shape=(100, 100), batch_input_shape=(128, 128),
                                        pred_heatmap=dict(scores=scores))]))
    assert next(read_predictions(path, truth)).maps.shape == (1, 25, 25)


def test_two_files_of_one_image_are_told_apart():
    names = ImageNames([Target(1, 8, 8, fields=dict(file_name='test/1.png'))], Path('p.json'))
    assert names.find_checked(1, '/data/test/1.png', must_know=False) == 1
    assert names.find_checked(1, 'resized.png', must_know=False) == 1
    with pytest.raises(ValueError, match="'/data/test/1.png' and 'train/1.png' are two files"):
        names.find_checked(1, 'train/1.png')
