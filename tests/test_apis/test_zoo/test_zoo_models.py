"""The models of the zoo behind the commands, and how they are made."""
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmwindow import zoo
from mmwindow.apis.config import load_config
from mmwindow.apis.fine_tuning import find_source, find_trained_config, prepare_fine_tuning
from mmwindow.apis.inference import PointInferencer
from mmwindow.apis.model_files import read_checkpoint
from mmwindow.apis.model_places import find_model
from mmwindow.apis.predict import predict
from mmwindow.apis.zoo import build
from mmwindow.apis.zoo.build import (
    ZooPlaces,
    build_model,
    known_models,
    make_index,
    recommend,
    render_cards,
)
from mmwindow.apis.zoo.cards import describe_numbers
from mmwindow.apis.zoo.evidence import SPLIT, choose_points, test_threshold
from mmwindow.apis.zoo.files import last_checkpoint
from mmwindow.apis.zoo.recipes import RECIPES, Recipe, find_recipe
from mmwindow.apis.zoo.reference_images import make_reference_image
from mmwindow.datasets.folds import file_checksum
from mmwindow.engine.run_file import TrainingRun, write_run
from mmwindow.engine.safe_loading import load_own_checkpoint
from mmwindow.evaluation import FROCSettings, box_events, read_record, write_record
from mmwindow.runtime import load_model
from mmwindow.utils.files import write_json

ROOT = Path(__file__).parents[3]
NAMES = sorted(name for name, model in zoo.read_zoo().items() if name == model.model)
threshold_on_test = test_threshold  # pytest would take its own name for a test
del test_threshold


@pytest.mark.parametrize('name', NAMES)
def test_checkpoint_and_exported_file_are_one_model(name):
    """Both are rounded, each its own weights: the file's have the normalisation folded in."""
    checkpoint = find_model(name, needs_weights=True).checkpoint
    images = [make_reference_image(seed) for seed in zoo.read_zoo()[name].references]
    theirs = PointInferencer(checkpoint)(images)
    ours = load_model(name).predict(images)
    for our, their in zip(ours, theirs, strict=True):
        assert our.image_score == pytest.approx(their.image_score, abs=.02)
        assert our.classes == their.classes == ('fracture', )
    content = load_own_checkpoint(checkpoint)
    assert set(content) == {'meta', 'state_dict'}
    kinds = {value.dtype for value in content['state_dict'].values() if value.ndim > 1}
    assert kinds == {torch.float16}
    stored = load_model(name).info.operating_points
    points = read_checkpoint(checkpoint).points
    assert (None if points is None else points.to_json()) == stored


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('classes', [('fracture', ), ('implant', 'fracture')])
def test_a_training_begins_with_a_model_of_the_zoo(name, classes, tmp_path):
    """``--from fracatlas``: all weights where the classes are the same, else all but the scores."""
    source = find_source(name)
    config = find_trained_config(source)
    assert config == f'mmwindow::{Path(find_recipe(name).config).parent}/{source_stem(name)}.py'
    cfg = load_config(ROOT / 'configs' / config.removeprefix('mmwindow::'))
    weights = prepare_fine_tuning(cfg, source, classes, tmp_path)
    assert bool(weights.new_layers) == (len(classes) > 1)
    start = torch.load(weights.path)['state_dict']
    assert len(start) + len(weights.new_layers) == len(load_own_checkpoint(source)['state_dict'])


def source_stem(name):
    return Path(find_recipe(name).config).stem.removesuffix('_fracatlas')


def test_predict_takes_a_name_of_the_zoo(tmp_path):
    image = tmp_path / 'image.png'
    cv2.imwrite(str(image), make_reference_image(1))
    result = predict('fracatlas', image, tmp_path / 'out')
    assert result.num_images == 1
    kept = json.loads((tmp_path / 'out' / 'predictions.json').read_text())
    assert 'fracatlas' in json.dumps(kept)


def test_a_damaged_model_is_one_line_wherever_it_is_named(tmp_path, monkeypatch):
    folder = shutil.copytree(zoo.FOLDER, tmp_path / 'zoo')
    for path in (*folder.glob('*.onnx'), *folder.glob('*.pth')):
        path.write_bytes(path.read_bytes()[:-9])
    damaged = zoo.read_zoo(folder)
    monkeypatch.setattr(zoo, 'read_zoo', lambda *_: damaged)
    monkeypatch.setattr('mmwindow.apis.model_places.read_zoo', lambda *_: damaged)
    for call in (lambda: predict('fracatlas', np.zeros((9, 9), np.uint8), tmp_path / 'out'),
                 lambda: load_model('fracatlas'), lambda: find_source('fracatlas'),
                 lambda: find_model('fracatlas')):
        with pytest.raises(ValueError, match='damaged.*install mmwindow again') as raised:
            call()
        assert '\n' not in str(raised.value)


def test_cards_and_index_are_those_of_the_result_files():
    places = ZooPlaces(Path(), Path(), ROOT / 'results')
    assert sorted(known_models(places.results)) == NAMES
    for path, text in render_cards(places).items():
        assert path.read_text(encoding='utf-8') == text, 'run tools/train_zoo.py --cards'
        for words in ('Not a medical device', 'CC BY 4.0', 'thumbnails', 'By body part'):
            assert words in text
    index = json.loads((zoo.FOLDER / zoo.INDEX).read_text())
    assert index == make_index(known_models(places.results), places.results)


def test_a_card_says_of_each_number_which_images_and_trainings_it_is_of(tmp_path):
    """Means over five folds by both rules, and fold 0 by the training behind the threshold."""
    recipe = RECIPES[0]
    metrics = {f'froc/{name}': .9 for name in ('auroc', 'recall@0.1', 'froc_score')}
    for folder in ('fracatlas', 'fracatlas_distance'):
        write_json(tmp_path / folder / f'{recipe.result}.json', dict(
            metrics=metrics, folds=dict.fromkeys('01234'), note='Chosen elsewhere.',
            data=dict(num_images=3121, num_positives=572, num_points=809)))
    write_json(tmp_path / 'fracatlas/thumbnail_logistic.json', dict(metrics={'froc/auroc': .64}))
    evidence = dict(metrics=metrics, data=dict(num_images=624, num_positives=114, num_points=160))
    text = '\n'.join(describe_numbers(recipe, dict(training=dict(part='development')), evidence,
                                      tmp_path))
    assert text.count('| 5 folds, their mean | ') == 2
    assert '| fold 0, the training behind the threshold | the hit rule of the paper' in text
    assert ('- 5 folds, their mean: 3121 images, 572 with a fracture, 809 points: each fold by a '
            'training of this recipe on the others. Chosen elsewhere.\n') in text
    assert '- fold 0, the training behind the threshold: 624 images, 114 with a fracture, 160' in text
    assert 'AUROC of 0.640 (fold 0)' in text


@pytest.mark.parametrize('name', NAMES)
def test_stored_thresholds_are_chosen_by_the_committed_events(name):
    path = ROOT / 'results' / 'zoo' / 'fold0' / f'{name}_val.json'
    if not path.is_file():
        assert load_model(name).info.operating_points is None
        pytest.skip(f'no validation of {name} on fold 0 is kept')
    points = choose_points(read_record(path), TrainingRun())
    stored = load_model(name).info.operating_points['classes'][0]['findings']
    assert points.threshold('fracture', 'findings') == stored['threshold']


class TestMaking:
    """A tiny training becomes a model of a zoo."""

    @pytest.fixture
    def made(self, tiny_model, tiny_dataset, tmp_path):
        """Return a recipe, its work dir and places."""
        tiny = tiny_model('windowloss/wl_kld')
        work_dir = tmp_path / 'work'
        work_dir.mkdir()
        shutil.copy(tiny.checkpoint, work_dir / 'epoch_1.pth')
        data = tmp_path / 'data'
        (data / 'annotations').mkdir(parents=True)
        shutil.copy(tiny_dataset / 'annotations' / 'train.json', data / 'annotations' / 'points.json')
        test = json.loads((tiny_dataset / 'annotations' / 'test.json').read_text())
        for index, img in enumerate(test['images']):
            img['body_part'] = 'hand' if index else 'hip'
        write_json(data / 'annotations' / 'test.json', test)
        run = TrainingRun(epoch=1, is_finished=True, input_size=(64, 64), data=dict(
            train=file_checksum(data / 'annotations' / 'points.json')))
        write_run(work_dir, run)
        results = tmp_path / 'results'
        events = [box_events([[10, 10, 30, 30]], [.2 + .1 * index], [[20, 20]] * (index % 2),
                             image_id=img['id'], group=str(index))
                  for index, img in enumerate(test['images'])]
        (results / 'zoo' / 'fold0').mkdir(parents=True)
        write_record(results / 'zoo' / 'fold0' / 'tiny_test.json', {'fracture': events},
                     FROCSettings())
        recipe = Recipe('tiny', 'a tiny model', str(tiny.config), 'work', 'tiny', 'a map')
        zoo_folder = tmp_path / 'zoo'
        zoo_folder.mkdir()
        return recipe, work_dir, run, ZooPlaces(data, tiny_dataset / 'images', results, zoo_folder)

    def test_a_training_becomes_files_and_numbers(self, made, monkeypatch):
        recipe, work_dir, _, places = made
        for name, value in dict(REFERENCE_SEEDS=range(1), CHECK_IMAGES=1, ROUNDED_IMAGES=2).items():
            monkeypatch.setattr(build, name, value)
        content = build_model(recipe, work_dir, places, 'command')
        assert content['training']['part'] == 'development' and content['operating_points'] is None
        assert content['training']['images'] == 6 and content['rounding']['largest'] < .02
        assert [row['name'] for row in content['by_body_part']] == ['hand', 'hip', 'all']
        assert content['by_body_part'][1]['auroc'] is None  # one image
        for kind, name in (('onnx', 'tiny.onnx'), ('pth', 'tiny.pth')):
            assert content['files'][kind]['bytes'] == (places.zoo / name).stat().st_size
        assert load_model(places.zoo / 'tiny.onnx').info.precision == 'float16'
        assert json.loads((places.results / 'zoo' / 'tiny.json').read_text()) == content

    def test_an_unfinished_training_and_other_data_are_left_out(self, made):
        recipe, work_dir, run, places = made
        write_run(work_dir, replace(run, is_finished=False))
        with pytest.raises(ValueError, match='not finished, 1 epochs'):
            build_model(recipe, work_dir, places)
        write_run(work_dir, replace(run, data=dict(train='0' * 64)))
        with pytest.raises(ValueError, match='none of annotations/points.json'):
            build_model(recipe, work_dir, places)
        with pytest.raises(ValueError, match='there is no training'):
            build_model(recipe, work_dir / 'other', places)
        assert not list(places.zoo.iterdir())

    def test_the_last_epoch_is_taken_not_the_best(self, made):
        """The validation images are among those trained on: they choose no epoch and no threshold."""
        recipe, work_dir, run, places = made
        shutil.copy(work_dir / 'epoch_1.pth', work_dir / 'best_froc_auroc_epoch_1.pth')
        write_run(work_dir, replace(run, epoch=2))
        with pytest.raises(ValueError, match='epoch_2.pth: the checkpoint of the last epoch'):
            last_checkpoint(work_dir)

    def test_a_threshold_of_images_prepared_otherwise_is_rejected(self, made):
        recipe, work_dir, _, places = made
        events = [box_events([[10, 10, 30, 30]], [.2 + .01 * index], [[20, 20]] * (index % 2),
                             image_id=index, group=str(index)) for index in range(40)]
        record = read_record(write_record(places.data / 'record.json', {'fracture': events},
                                          FROCSettings()))
        points = choose_points(record, TrainingRun(input_size=(32, 32), data=dict(val='a')))
        assert points.split == SPLIT and points.data == 'a' and points.num_images == 40
        write_json(places.results / 'zoo' / 'fold0' / 'tiny.json',
                   dict(operating_points=points.to_json()))
        with pytest.raises(ValueError, match=r'prepared otherwise \(input \(32, 32\)'):
            build_model(recipe, work_dir, places)
        [row] = threshold_on_test(points, record)
        assert row['name'] == 'all' and row['recall'][1] <= row['recall'][0] <= row['recall'][2]


@pytest.mark.parametrize(('there', 'scores', 'folds', 'best', 'words'), [
    ({}, {}, {}, None, ''),
    ({'fracatlas-wl': None}, {}, {}, 'fracatlas-wl', 'the only model'),
    ({'fracatlas-wl': {}, 'fracatlas-retinanet': None}, {'fracatlas-wl': .7}, {}, 'fracatlas-wl',
     'the only model'),  # the other one has no threshold
    ({'fracatlas-wl': {}, 'fracatlas-retinanet': {}},
     {'fracatlas-wl': .7, 'fracatlas-retinanet': .75}, {}, 'fracatlas-retinanet',
     'test images of fold 0: 0.750 (fracatlas-wl 0.700); differences below 0.05 may'),
    ({'fracatlas-wl': {}, 'fracatlas-retinanet': {}},
     {'fracatlas-wl': .7, 'fracatlas-retinanet': .75},
     {'wl_kld_lite0_fpn_fracatlas': .8, 'retinanet_lite0_fpn_fracatlas': .77}, 'fracatlas-wl',
     'mean over 5 folds of the development part: 0.800 (fracatlas-retinanet 0.770); differences '
     'below 0.04 may be chance'),
    # One of them over folds, the other not: they are not comparable, fold 0 is.
    ({'fracatlas-wl': {}, 'fracatlas-retinanet': {}},
     {'fracatlas-wl': .7, 'fracatlas-retinanet': .75}, {'wl_kld_lite0_fpn_fracatlas': .8},
     'fracatlas-retinanet', 'fold 0')])
def test_the_recommended_model_has_the_highest_score_of_those_with_a_threshold(
        there, scores, folds, best, words, tmp_path, monkeypatch):
    known = {name: replace(find_recipe(name), result=find_recipe(name).config.split('/')[1][:-3])
             for name in there}
    monkeypatch.setattr(build, 'find_recipe', known.get)
    for name, score in scores.items():
        write_json(tmp_path / 'zoo' / 'fold0' / f'{name}.json', dict(
            metrics={'froc/froc_score': score}))
    for stem, score in folds.items():
        write_json(tmp_path / 'fracatlas' / f'{stem}.json', dict(
            metrics={'froc/froc_score': score}, folds=dict.fromkeys('01234'),
            reference_minus_this=dict(differences=dict(froc_score=dict(
                low=-.02, high=score - .74)))))
    chosen = recommend({name: dict(operating_points=points) for name, points in there.items()},
                       tmp_path)
    assert (None if chosen is None else chosen[0]) == best
    assert chosen is None or words in chosen[1]


def test_recipes_are_known_by_name():
    assert {recipe.name for recipe in RECIPES} >= set(NAMES)
    assert all(recipe.config_path.is_file() for recipe in RECIPES)
    # Validated once, at the end: all images are trained on, and no epoch is chosen.
    for recipe in RECIPES:
        options = recipe.options(Path('data'))
        assert options['train_dataloader.dataset.ann_file'] == 'data/annotations/points.json'
        config = load_config(recipe.config_path, cfg_options=options)
        assert config.train_cfg.val_interval == config.train_cfg.max_epochs
    with pytest.raises(ValueError, match='no model of the zoo; fracatlas-wl'):
        find_recipe('fracatlas2')
