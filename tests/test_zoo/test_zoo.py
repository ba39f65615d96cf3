"""The models inside the package: what they score, their check sums, and what is said of damage."""
import json
import shutil

import numpy as np
import pytest

from mmwindow import zoo
from mmwindow.apis.zoo.reference_images import make_reference_image
from mmwindow.runtime import load_model
from mmwindow.utils.operating_points import ModelOperatingPoints

MAX_BYTES = 45_000_000  # of all, in the package
MODELS = {name: model for name, model in zoo.read_zoo().items() if name == model.model}
NAMES = sorted(MODELS)


@pytest.fixture
def copied_zoo(tmp_path):
    """Return a copy of the zoo, to be damaged."""
    return shutil.copytree(zoo.FOLDER, tmp_path / 'zoo', ignore=shutil.ignore_patterns('__pycache__'))


def test_there_is_a_recommended_model():
    models = zoo.read_zoo()
    assert 'fracatlas-wl' in models and models['fracatlas'].model in models
    assert 'FROC score' in models['fracatlas'].reason and models['fracatlas-wl'].reason == ''
    for name, file in (('fracatlas', 'exported'), ('fracatlas', 'checkpoint')):
        assert getattr(models[name], file) == getattr(models[models[name].model], file)


def test_all_files_are_in_the_index_and_small():
    listed = {file.path.name for model in MODELS.values()
              for file in (model.exported, model.checkpoint)} | {
        model.card.name for model in MODELS.values()} | {zoo.INDEX}
    there = {path.name for path in zoo.FOLDER.iterdir() if path.suffix not in ('.py', '')}
    assert listed == there
    assert sum(path.stat().st_size for path in zoo.FOLDER.iterdir() if path.is_file()) < MAX_BYTES


@pytest.mark.parametrize('name', NAMES)
def test_scores_of_three_images_are_reproduced(name):
    """The images are whole numbers; float32 sums of another processor move a score by some 1e-6."""
    model = load_model(name)
    references = MODELS[name].references
    assert len(references) == 3 and max(references.values()) > .01
    images = [make_reference_image(seed) for seed in references]
    for batch_size in (1, 3):
        scores = [prediction.image_score for prediction in model.predict(images, batch_size)]
        assert scores == pytest.approx(list(references.values()), abs=1e-4)


@pytest.mark.parametrize('name', NAMES)
def test_an_image_of_nothing_has_no_finding(name):
    model = load_model(name)
    info = model.info
    threshold = .5
    if info.operating_points is not None:
        points = ModelOperatingPoints.from_json(info.operating_points)
        threshold = points.threshold('fracture', 'findings')
    prediction = model.predict(np.full((300, 200), 90, np.uint8), threshold=threshold)[0]
    assert prediction.boxes.shape == (0, 4) and prediction.image_score < threshold
    assert info.precision == 'float16' and info.classes == ('fracture', )


@pytest.mark.parametrize('name', NAMES)
def test_thresholds_are_of_images_that_the_training_behind_them_did_not_see(name):
    info = load_model(name).info
    if info.operating_points is None:
        pytest.skip(f'{name} has no operating point; its card says so')
    points = ModelOperatingPoints.from_json(info.operating_points)
    assert points.num_images == 312 and 'fold 0' in points.split
    assert points.data == info.data['val'] and points.training_data
    if points.training_data != info.data['train']:
        assert 'another training' in points.split


def test_a_damaged_file_is_one_line(copied_zoo):
    model = zoo.read_zoo(copied_zoo)['fracatlas']
    content = bytearray(model.exported.path.read_bytes())
    content[len(content) // 2] ^= 1
    model.exported.path.write_bytes(content)
    model.checkpoint.path.write_bytes(model.checkpoint.path.read_bytes()[:-1])
    for file in (model.exported, model.checkpoint):
        with pytest.raises(ValueError, match=f'{file.path.name}: .*damaged.*install mmwindow again'
                           ) as raised:
            file.check()
        assert '\n' not in str(raised.value)
    model.exported.path.unlink()
    with pytest.raises(ValueError, match='cannot be read .*No such file'):
        model.exported.check()


@pytest.mark.parametrize(('change', 'words'), [
    (lambda content: content.update(format='other'), '"format" is not "mmwindow-zoo"'),
    (lambda content: content.update(version=99), 'format 99'),
    (lambda content: content['aliases'].update(fracatlas=dict(model='x', reason='')),
     "stands for 'x'"),
    (lambda content: content['models']['fracatlas-wl'].pop('card'), 'has no "card"'),
    (lambda content: content['models']['fracatlas-wl']['exported'].update(bytes='1'), '"bytes"')])
def test_a_damaged_index_is_one_line(copied_zoo, change, words):
    path = copied_zoo / zoo.INDEX
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=words) as raised:
        zoo.read_zoo(copied_zoo)
    assert zoo.INDEX in str(raised.value) and '\n' not in str(raised.value)


def test_names_of_the_index_stay_in_its_folder(copied_zoo):
    path = copied_zoo / zoo.INDEX
    content = json.loads(path.read_text())
    content['models']['fracatlas-wl']['exported']['name'] = '../../outside.onnx'
    path.write_text(json.dumps(content))
    assert zoo.read_zoo(copied_zoo)['fracatlas-wl'].exported.path == copied_zoo / 'outside.onnx'


def test_unknown_names_and_an_empty_zoo(tmp_path):
    with pytest.raises(ValueError, match="fracatlas2: .*the zoo has 'fracatlas'"):
        zoo.find_zoo_model('fracatlas2')
    assert zoo.read_zoo(tmp_path) == {}
    with pytest.raises(ValueError, match='the zoo of this version is empty'):
        zoo.find_zoo_model('fracatlas', tmp_path)


def test_a_file_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert zoo.is_zoo_name('fracatlas') and not zoo.is_zoo_name('fracatlas2')
    (tmp_path / 'fracatlas').mkdir()
    assert not zoo.is_zoo_name('fracatlas')
