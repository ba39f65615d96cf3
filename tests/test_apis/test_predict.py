"""``mmwindow predict``: its files, its thresholds, and what it does with bad input."""
import csv
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mmwindow import cli
from mmwindow.apis import PredictSettings, predict
from mmwindow.apis import test as run_test
from mmwindow.apis.evaluate_files import evaluate_files
from mmwindow.apis.inference import PointInferencer
from mmwindow.apis.prediction_outputs import PredictionOutputs
from mmwindow.apis.predictors import PredictedImage
from mmwindow.apis.thresholds import Findings, Thresholds
from mmwindow.engine.model_description import META_KEY, POINTS_KEY
from mmwindow.evaluation import evaluate
from mmwindow.evaluation.files.ground_truth import read_annotations
from mmwindow.evaluation.files.prediction_files import read_predictions
from mmwindow.images.sources import InputImage
from mmwindow.utils.operating_points import (
    ClassOperatingPoints,
    ModelOperatingPoints,
    OperatingPoint,
)

ROOT = Path(__file__).parents[2]
SYSTEMS = ['windowloss/wl_kld', 'chexnet/chexnet', 'retinanet/retinanet']
OTHERS = ['windowloss/wl_plus', 'windowloss/wl_mse', 'wspl/wspl', 'ufdet/ufdet',
          'faster_rcnn/faster_rcnn', 'fcos/fcos']
BARE = PredictSettings(overlays=False)


def read_table(path):
    with open(path, encoding='utf-8', newline='') as stream:
        return list(csv.DictReader(stream))


def numbers_of(metrics):
    return {name.removeprefix('froc/'): value for name, value in metrics.items()}


@pytest.mark.parametrize('system, tta', [
    *((system, False) for system in SYSTEMS), ('windowloss/wl_plus', True),
    *(pytest.param(system, False, marks=pytest.mark.long) for system in OTHERS),
    *(pytest.param(system, True, marks=pytest.mark.long) for system in (*SYSTEMS, *OTHERS[1:]))])
def test_predictions_evaluate_to_the_numbers_of_a_test(system, tta, tiny_model, tiny_dataset,
                                                       tmp_path):
    """The same images by mmwindow test, and by predict and evaluate from predictions.json."""
    model = tiny_model(system)
    expected = numbers_of(run_test(model.config, model.checkpoint, tmp_path / 'test', tta=tta,
                                   cfg_options={'test_dataloader.batch_size': 2}, report=None))
    result = predict(model.folder, str(tiny_dataset / 'images' / 'test_*.png'), tmp_path / 'out',
                     replace(BARE, batch_size=2, tta=tta))
    assert result.num_images == 5 and not result.failed
    truth = read_annotations(tiny_dataset / 'annotations' / 'test.json')
    ours = numbers_of(evaluate(read_predictions(tmp_path / 'out' / 'predictions.json', truth),
                               truth.targets, classes=truth.classes).metrics)
    assert expected.keys() <= ours.keys() and len(expected) > 5
    for name, value in expected.items():
        assert ours[name] == pytest.approx(value, abs=1e-12), name
    # Not by chance: the images' scores are far apart, next to what rounding changes.
    # In batches of the same size: others round otherwise, and what the second stage of Faster R-CNN
    # reads moves with its regions (4.5e-6 with views, and more where another region is kept).
    scores = [one.image_score for one in PointInferencer(model.checkpoint, device='cpu', tta=tta)(
        str(tiny_dataset / 'images' / 'test_*.png'), batch_size=2)]
    assert np.diff(np.sort(scores)).min() > 5e-7
    rows = read_table(tmp_path / 'out' / 'images.csv')
    assert [float(row['score']) for row in rows] == pytest.approx(scores, abs=3e-6)


def test_the_files_say_what_was_found(tiny_model, tiny_dataset, tmp_path):
    """images.csv, findings.csv and predictions.json hold the same numbers as the inferencer's map."""
    model = tiny_model('windowloss/wl_kld')
    folder = tiny_dataset / 'images'
    raw = PointInferencer(model.checkpoint, device='cpu')(folder)
    threshold = float(np.median([one.image_score for one in raw]))
    out = tmp_path / 'out'
    result = predict(model.folder, folder, out, PredictSettings(threshold=threshold, overlays=True))
    rows, findings = read_table(out / 'images.csv'), read_table(out / 'findings.csv')
    assert [row['file'] for row in rows] == [one.name for one in raw] and len(rows) == 16
    for row, one in zip(rows, raw, strict=True):
        # A batch of another size rounds otherwise; six digits are written.
        assert float(row['score']) == pytest.approx(one.image_score, abs=2e-6)
        assert row['called'] == str(int(float(one.image_score) >= threshold))
        assert (row['height'], row['width'], row['class']) == ('80', '96', 'fracture')
        assert float(row['image_threshold']) == float(row['finding_threshold']) == pytest.approx(
            threshold, abs=1e-6)
        own = [each for each in findings if each['file'] == one.name]
        assert len(own) == int(row['num_findings'])
        # By hand: components of the map, whose 16 cells are as long as the image's 96 pixels.
        mask = (one.heatmap[0] >= threshold).astype(np.uint8)
        num, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        cell = 96 / one.heatmap.shape[2]
        boxes = sorted((x * cell, y * cell, min((x + w) * cell, 96), min((y + h) * cell, 80))
                       for x, y, w, h, _ in stats[1:].tolist() if y * cell < 80)
        assert np.allclose(sorted([float(each[key]) for key in ('x1', 'y1', 'x2', 'y2')]
                                  for each in own), boxes, atol=1e-4)
        if own:
            peak = np.unravel_index(one.heatmap[0].argmax(), one.heatmap.shape[1:])
            assert (float(own[0]['peak_x']), float(own[0]['peak_y'])) == pytest.approx(
                (min((peak[1] + .5) * cell, 96), min((peak[0] + .5) * cell, 80)))
            assert float(own[0]['score']) == pytest.approx(one.image_score, abs=2e-6)
    assert result.num_findings == len(findings) > 3
    assert result.num_called == sum(row['called'] == '1' for row in rows) == 8
    content = json.loads((out / 'predictions.json').read_text())
    assert content['settings']['thresholds'] == [
        {'class': 'fracture', 'images': threshold, 'findings': threshold, 'origin': 'as asked for'}]
    assert sum(len(image['findings']) for image in content['images']) == len(findings)
    picture = cv2.imread(str(out / 'overlays' / 'test_0.jpg'))
    assert picture.shape == (80, 96, 3) and len(list((out / 'overlays').iterdir())) == 16
    assert not (out / 'failed.csv').exists()


def points_at(images, findings):
    """Return operating points of one class with these thresholds."""
    def point(threshold, rule, target):
        return OperatingPoint(threshold, rule, target, images == findings, 'all', {}, 90)

    return ModelOperatingPoints({'fracture': ClassOperatingPoints(
        point(images, 'youden', None), point(findings, 'fp_budget', .1))}, 'val', 90, 90)


def test_the_models_own_operating_point_is_used_and_written(tiny_model, tiny_dataset, tmp_path,
                                                            capsys):
    model = tiny_model('chexnet/chexnet')
    content = torch.load(model.checkpoint, weights_only=False)
    content['meta'][META_KEY] = {**content['meta'][META_KEY],
                                 POINTS_KEY: points_at(.25, .75).to_json()}
    torch.save(content, tmp_path / 'model.pth')
    image = str(tiny_dataset / 'images' / 'test_0.png')
    result = predict(tmp_path / 'model.pth', image, tmp_path / 'out', BARE)
    assert (result.thresholds.images, result.thresholds.findings) == ((.25,), (.75,))
    assert result.thresholds.is_stored and not result.notes
    row, = read_table(tmp_path / 'out' / 'images.csv')
    assert (row['image_threshold'], row['finding_threshold']) == ('0.25', '0.75')
    content = json.loads((tmp_path / 'out' / 'predictions.json').read_text())
    kept = content['settings']['thresholds'][0]
    assert (kept['images'], kept['findings']) == (.25, .75)
    assert 'a budget of 0.1 false positives per image, chosen on 90 images (val)' in kept['origin']
    asked = predict(tmp_path / 'model.pth', image, tmp_path / 'out', replace(BARE, threshold=.1))
    assert asked.thresholds.images == asked.thresholds.findings == (.1,)
    # Without one, 0.5 is taken, and said.
    cli.main(['predict', str(model.folder), image, '--out', str(tmp_path / 'out'), '--no-overlays'])
    told = capsys.readouterr()
    assert 'threshold  0.5 (the model has no operating point)' in told.out
    assert '0.5 is taken' in told.err


def test_config_and_checkpoint_run_folder_and_options_are_one_model(tiny_model, tiny_dataset,
                                                                    tmp_path):
    """Five ways to name a model give one prediction; an older checkpoint has no description."""
    model = tiny_model('windowloss/wl_kld')
    content = torch.load(model.checkpoint, weights_only=False)
    del content['meta'][META_KEY]
    older = tmp_path / 'older' / 'best_froc_auroc_epoch_1.pth'
    older.parent.mkdir()
    torch.save(content, older)
    image = str(tiny_dataset / 'images' / 'test_0.png')
    scores = []
    for number, (name, more) in enumerate([
            (model.folder, {}), (model.checkpoint, {}), (model.config, dict(checkpoint='best')),
            (model.config, dict(checkpoint=older)), (older, dict(config=model.config))]):
        predict(name, image, tmp_path / str(number), BARE, **more)
        scores.append(json.loads((tmp_path / str(number) / 'predictions.json').read_text())['images'])
    assert all(each == scores[0] for each in scores)
    with pytest.raises(ValueError, match='does not describe its model; give the config'):
        predict(older, image, tmp_path / 'out', BARE)
    (older.parent / 'config.py').write_text(model.config.read_text())
    predict(older.parent, image, tmp_path / 'out', BARE)  # a run folder of an older version


def test_folders_patterns_arrays_and_equal_names(tiny_model, tmp_path):
    model = tiny_model('windowloss/wl_kld')
    for name in ('a/1.png', 'b/1.png', 'b/c/1.png'):
        (tmp_path / 'in' / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((40, 50), 90, np.uint8)).save(tmp_path / 'in' / name)
    folder = tmp_path / 'in'
    with pytest.raises(ValueError, match='no images in this folder .*--recursive'):
        predict(model.folder, folder, tmp_path / 'out', BARE)
    result = predict(model.folder, [folder, str(folder / '*' / '1.png')], folder / 'out',
                     PredictSettings(recursive=True))
    assert result.num_images == 3  # two of them were named twice
    assert {path.name for path in (folder / 'out' / 'overlays').iterdir()} == {
        'a_1.jpg', 'b_1.jpg', 'b_c_1.jpg'}
    # The results in the folder of the images are no images.
    again = predict(model.folder, folder, folder / 'out', PredictSettings(recursive=True))
    assert again.num_images == 3 and not again.failed
    names = [image['file_name'] for image in json.loads(
        (folder / 'out' / 'predictions.json').read_text())['images']]
    assert names == ['a/1.png', 'b/1.png', 'b/c/1.png']
    arrays = predict(model.folder, [np.full((40, 50), 90, np.uint8), np.zeros((9, 9), np.uint8)],
                     tmp_path / 'arrays', BARE)
    assert arrays.num_images == 2


def test_results_of_earlier_predictions_are_no_images(tiny_model, tmp_path):
    """Pictures below the input are left out where predict wrote them, and read where they are named.

    A folder of a user that is called alike is read.
    """
    model, folder = tiny_model('windowloss/wl_kld'), tmp_path / 'in'
    for name in ('1.png', 'sub/2.png', 'sub/overlays/3.png'):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((40, 50), 90, np.uint8)).save(folder / name)
    predict(model.folder, folder / '1.png', folder / 'first', PredictSettings())
    shutil.copytree(folder / 'first' / 'overlays', folder / 'second' / '.overlays.part')  # killed
    for path in folder.rglob('*.jpg'):  # in grey, so that reading them would be no failure
        Image.fromarray(np.full((40, 50), 90, np.uint8)).save(path)
    settings = replace(BARE, recursive=True)

    def names_of(inputs):
        predict(model.folder, inputs, tmp_path / 'out', settings)
        return [Path(row['file']).relative_to(folder).as_posix()
                for row in read_table(tmp_path / 'out' / 'images.csv')]

    mine = ['1.png', 'sub/2.png', 'sub/overlays/3.png']
    assert names_of(folder) == mine
    assert names_of(str(folder / '**' / '*.*g')) == mine
    assert names_of(folder / 'first' / 'overlays') == ['first/overlays/1.jpg']
    assert names_of(str(folder / 'first' / 'overlays' / '*.jpg')) == ['first/overlays/1.jpg']
    for out in (folder, tmp_path):
        with pytest.raises(ValueError, match='is the folder of the results .--out. or lies in it'):
            predict(model.folder, folder, out, settings)


def test_a_damaged_image_does_not_stop_the_others(tiny_model, tiny_dataset, tmp_path, capsys):
    model = tiny_model('windowloss/wl_kld')
    folder = tmp_path / 'in'
    folder.mkdir()
    good = (tiny_dataset / 'images' / 'test_0.png').read_bytes()
    (folder / 'a.png').write_bytes(good)
    (folder / 'b.png').write_bytes(good[:200])
    (folder / 'c.png').write_bytes(good)
    with pytest.raises(SystemExit) as caught:
        cli.main(['predict', str(model.folder), str(folder), '--out', str(tmp_path / 'out'),
                  '--batch-size', '3', '--no-overlays'])
    assert caught.value.code == 1
    told = capsys.readouterr()
    assert 'images     2' in told.out and f'predict: {folder / "b.png"}' in told.err
    row, = read_table(tmp_path / 'out' / 'failed.csv')
    assert row['file'] == str(folder / 'b.png') and 'b.png' in row['reason']
    assert [Path(row['file']).name for row in read_table(tmp_path / 'out' / 'images.csv')] == [
        'a.png', 'c.png']
    # A run in which all is well leaves no list of an earlier one.
    (folder / 'b.png').write_bytes(good)
    predict(model.folder, folder, tmp_path / 'out', BARE)
    assert not (tmp_path / 'out' / 'failed.csv').exists()


def chunk(kind, content):
    return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(
        kind + content))


def test_bad_images_are_one_line_each(tiny_model, tmp_path, capsys):
    """A photograph, too many pixels, a damaged DICOM; an image of one pixel is predicted."""
    model = tiny_model('windowloss/wl_kld')
    generator = np.random.default_rng(0)
    photograph = tmp_path / 'photograph.png'
    Image.fromarray(generator.integers(0, 255, (40, 50, 3)).astype(np.uint8)).save(photograph)
    huge = tmp_path / 'huge.png'
    huge.write_bytes(  # a header alone announces 20,000 x 20,000 pixels
        b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 20000, 20000, 8, 0, 0, 0, 0))
        + chunk(b'IDAT', zlib.compress(bytes(99))) + chunk(b'IEND', b''))
    dicom = tmp_path / 'broken.dcm'
    dicom.write_bytes(bytes(128) + b'DICM' + b'\x02\x00\x10\x00UI\xff\xff1.2')
    pixel = tmp_path / 'pixel.png'
    Image.fromarray(np.full((1, 1), 99, np.uint8)).save(pixel)
    result = predict(model.folder, [photograph, huge, dicom, pixel], tmp_path / 'out')
    assert result.num_images == 1 and cv2.imread(str(tmp_path / 'out/overlays/pixel.jpg')).size == 3
    reasons = {Path(one.image.name).stem: one.reason for one in result.failed}
    assert 'in colour' in reasons['photograph'] and 'save it in grey' in reasons['photograph']
    assert '400000000 pixels' in reasons['huge'] and '--max-pixels 400000000' in reasons['huge']
    assert 'broken.dcm' in reasons['broken']
    assert all('\n' not in reason for reason in reasons.values()) and len(reasons) == 3
    with pytest.raises(ValueError, match=r'images \(there is 1\) can be predicted; .*colour'):
        predict(model.folder, photograph, tmp_path / 'out')
    # Here is no point file; and what is wrong with the only image is said once.
    (tmp_path / 'empty.png').write_bytes(b'')
    capsys.readouterr()
    with pytest.raises(ValueError, match='empty.png: .*; copy it again, or leave it out$'):
        predict(model.folder, tmp_path / 'empty.png', tmp_path / 'out')
    assert 'empty.png' not in capsys.readouterr().err


def test_pictures_are_those_of_the_last_prediction(tiny_model, tmp_path, monkeypatch):
    """Files of the prediction before go, those of a user stay; a stopped one changes nothing."""
    model = tiny_model('windowloss/wl_kld')
    for name in ('a', 'b', 'c'):
        Image.fromarray(np.full((40, 50), 90, np.uint8)).save(tmp_path / f'{name}.png')
    out, pictures = tmp_path / 'out', PredictSettings()
    overlays, dicom = out / 'overlays', out / 'dicom'

    def names_in(folder):
        return sorted(path.name for path in folder.iterdir())

    predict(model.folder, tmp_path / 'a.png', out, pictures)
    assert names_in(overlays) == ['a.jpg']
    (overlays / 'mine.jpg').write_bytes(b'of the user')
    dicom.mkdir()
    for name in ('a_sr.dcm', 'mine.dcm'):  # the first as of an earlier --dicom
        (dicom / name).write_bytes(b'')
    predict(model.folder, [tmp_path / 'b.png', tmp_path / 'c.png'], out, pictures)
    assert names_in(overlays) == ['b.jpg', 'c.jpg', 'mine.jpg'] and names_in(dicom) == ['mine.dcm']

    def contents():
        return {path: path.read_bytes() for path in out.rglob('*')
                if path.is_file() and path.name != '.lock'}

    before = contents()
    from mmwindow.apis import prediction_outputs
    write_overlay = prediction_outputs.write_overlay

    def stop_at_b(path, *more):
        if path.name == 'b.jpg':
            raise KeyboardInterrupt
        write_overlay(path, *more)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(prediction_outputs, 'write_overlay', stop_at_b)
        predict(model.folder, [tmp_path / 'a.png', tmp_path / 'b.png'], out, pictures)
    assert contents() == before
    (out / '.overlays.part').mkdir()  # as a killed prediction leaves it
    (out / '.overlays.part' / 'z.jpg').write_bytes(b'')
    predict(model.folder, tmp_path / 'a.png', out, BARE)
    assert names_in(overlays) == ['mine.jpg'] and not (out / '.overlays.part').exists()
    (overlays / 'mine.jpg').unlink()
    predict(model.folder, tmp_path / 'a.png', out, BARE)
    assert not overlays.exists()


def test_an_image_of_two_called_classes_is_counted_once(tmp_path):
    thresholds = Thresholds(('a', 'b'), (.5, .5), (.5, .5), ('asked', 'asked'), False)
    nothing = Findings(np.zeros((0, 4)), np.zeros((0, 2)), np.zeros(0), np.zeros(0, int))
    with PredictionOutputs(tmp_path, thresholds, {}, with_maps=False, with_overlays=False) as outputs:
        for name, scores in (('1', [.9, .8]), ('2', [.1, .7]), ('3', [.2, .1])):
            prediction = SimpleNamespace(classes=('a', 'b'), image_scores=np.array(scores),
                                         image_size=(4, 5), orientation=1)
            outputs.add(PredictedImage(InputImage(name, name, name), None, prediction), nothing)
    assert outputs.num_called == 2
    assert [row['called'] for row in read_table(tmp_path / 'images.csv')] == list('110100')


def test_names_are_cut_by_bytes(tiny_model, tmp_path):
    """A file system takes 255 bytes; two bytes are a letter of some languages, three of others."""
    folder = tmp_path / 'in' / ('ü' * 124)
    folder.mkdir(parents=True)
    for name in ('1.png', '漢' * 80 + '.png'):
        cv2.imencode('.png', np.full((40, 50), 90, np.uint8))[1].tofile(folder / name)
    result = predict(tiny_model('windowloss/wl_kld').folder, tmp_path / 'in', tmp_path / 'out',
                     PredictSettings(recursive=True))
    assert result.num_images == 2 and not result.failed
    names = sorted(path.stem for path in (tmp_path / 'out' / 'overlays').iterdir())
    assert names == ['ü' * 89 + '_1', '漢' * 60]
    assert [len(name.encode()) for name in names] == [180, 180]


def test_bad_models_and_outputs_are_one_line(tiny_model, tiny_dataset, tmp_path, capsys):
    model, other = tiny_model('windowloss/wl_kld'), tiny_model('chexnet/chexnet')
    image = str(tiny_dataset / 'images' / 'test_0.png')
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'file').write_text('')
    (tmp_path / 'noise.onnx').write_bytes(b'no model')
    (tmp_path / 'noise.pth').write_bytes(b'no model')
    for arguments, words, status in [
            ([str(tmp_path / 'empty'), image], 'there is no best_*.pth, nor any other', 1),
            ([str(tmp_path / 'none.pth'), image], 'there is no such file or folder', 1),
            (['fracatlas2', image], 'the zoo', 1),
            ([str(tmp_path / 'noise.pth'), image], 'noise.pth', 1),
            ([str(tmp_path / 'noise.onnx'), image], 'noise.onnx', 1),
            ([str(model.config), str(other.checkpoint), image], "not those of the config's model", 1),
            ([str(model.config), image], 'no image to predict came', 1),
            ([str(model.folder), str(tmp_path / 'empty')], 'no images in this folder', 1),
            ([str(model.folder), str(tmp_path / '*.png')], 'no file fits this pattern', 1),
            ([str(model.folder), image, '--threshold', '1.5'], 'a score from 0 to 1', 2),
            ([str(model.folder), image, '--threshold', 'nan'], 'a score from 0 to 1', 2),
            ([str(model.folder), image, '--batch-size', '0'], 'at least 1', 2),
            ([str(model.folder), image, '--out', str(tmp_path / 'file')], 'is a file', 1)]:
        with pytest.raises(SystemExit) as caught:
            cli.main(['predict', '--out', str(tmp_path / 'out'), *arguments])
        told = capsys.readouterr().err.strip().splitlines()[-1]
        assert (caught.value.code, words in told) == (status, True), (arguments, told)
    assert not (tmp_path / 'out').exists()
    with pytest.raises(ValueError, match='a score from 0 to 1'):
        PredictSettings(threshold=-.1)


def test_findings_alone_are_not_evaluated(tiny_model, tiny_dataset, tmp_path):
    """Components at one threshold, ranked by their peaks, would give another curve than the maps."""
    model = tiny_model('windowloss/wl_kld')
    predict(model.folder, tiny_dataset / 'images' / 'test_0.png', tmp_path / 'out')
    assert (tmp_path / 'out' / 'predictions.npz').exists()
    predict(model.folder, tiny_dataset / 'images' / 'test_0.png', tmp_path / 'out',
            replace(BARE, maps=False, threshold=.01))
    assert not (tmp_path / 'out' / 'predictions.npz').exists()
    content = json.loads((tmp_path / 'out' / 'predictions.json').read_text())
    assert content['format'] == 'mmwindow-findings' and len(content['images'][0]['findings']) == 1
    for name, words in (('predictions.json', 'predict without --no-maps'), ('findings.csv', 'peak')):
        with pytest.raises(ValueError, match=words):
            evaluate_files(tmp_path / 'out' / name, [tiny_dataset / 'annotations' / 'test.json'],
                           tmp_path / 'scores')


def test_only_a_batch_of_images_is_in_memory(tiny_model, tmp_path):
    """Images are read as they are asked for, and maps go with their batch."""
    model = PointInferencer(tiny_model('windowloss/wl_kld').checkpoint, device='cpu')
    read = []

    def images():
        for number in range(100):
            read.append(number)
            yield np.full((40, 50), number, np.uint8)

    first = next(model.iterate(images(), batch_size=3))
    assert len(read) == 3 and first.name == 'array 0'


def test_help_and_a_missing_model_load_no_torch(tmp_path):
    (tmp_path / 'x.onnx').write_bytes(b'no model')
    code = ('import sys\nfrom mmwindow import cli\n'
            'for arguments in (["predict", "--help"], ["predict", "x.onnx", "x.png", "--out", "o"],'
            ' ["predict", "nothing", "x.png", "--out", "o"]):\n'
            '    try:\n        cli.main(arguments)\n    except SystemExit:\n        pass\n'
            'print(sorted({"torch", "mmengine", "mmdet", "scipy"} & set(sys.modules)))')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=tmp_path,
                          env={**os.environ, 'PYTHONPATH': str(ROOT)}, check=True)
    assert done.stdout.splitlines()[-1] == '[]', done.stdout + done.stderr


def test_dicom_images_become_dicom_objects(tiny_model, tmp_path):
    """With --dicom: objects of DICOM images; others and those without identifiers are listed."""
    pydicom = pytest.importorskip('pydicom', reason='pydicom is not installed')
    pytest.importorskip('highdicom', reason='highdicom is not installed')
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 255, (80, 64)).astype(np.uint8)
    folder = tmp_path / 'in'
    folder.mkdir()
    dataset = pydicom.Dataset()
    for name, value in dict(
            StudyInstanceUID='1.2.3', SeriesInstanceUID='1.2.3.4', SOPInstanceUID='1.2.3.4.5',
            SOPClassUID='1.2.840.10008.5.1.4.1.1.1', Modality='CR', Laterality='R', PatientID='P1',
            Rows=80, Columns=64, SamplesPerPixel=1, PhotometricInterpretation='MONOCHROME2',
            BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0,
            PixelData=pixels.tobytes()).items():
        setattr(dataset, name, value)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.save_as(folder / 'IM1', enforce_file_format=True)
    dataset.StudyInstanceUID = ''
    dataset.save_as(folder / 'IM2', enforce_file_format=True)
    Image.fromarray(pixels).save(folder / 'a.png')
    model = tiny_model('windowloss/wl_kld')
    result = predict(model.folder, folder, tmp_path / 'out', replace(
        BARE, threshold=0., dicom=('sr', 'gsps', 'sc')))
    assert result.num_images == 3 and result.num_dicom == 3 and len(result.failed) == 2
    reasons = {Path(row['file']).name: row['reason']
               for row in read_table(tmp_path / 'out/failed.csv')}
    assert 'no StudyInstanceUID' in reasons['IM2'] and 'no DICOM file' in reasons['a.png']
    report, state, capture = (pydicom.dcmread(tmp_path / 'out' / 'dicom' / f'IM1_{kind}.dcm')
                              for kind in ('sr', 'gsps', 'sc'))
    assert {each.StudyInstanceUID for each in (report, state, capture)} == {'1.2.3'}
    finding, = (row for row in read_table(tmp_path / 'out' / 'findings.csv')
                if row['file'].endswith('IM1'))

    def graphics(item):
        for child in item.get('ContentSequence', ()):
            yield from ([list(child.GraphicData)] if child.ValueType == 'SCOORD' else ())
            yield from graphics(child)

    assert np.allclose(list(graphics(report)),
                       [[float(finding[key]) for key in ('peak_x', 'peak_y')]], atol=.01)
    box = [float(finding[key]) for key in ('x1', 'y1', 'x2', 'y2')]
    graphic = state.GraphicAnnotationSequence[0].GraphicObjectSequence[0].GraphicData
    line = np.reshape(graphic, (-1, 2))
    assert np.allclose([*line.min(axis=0), *line.max(axis=0)], box, atol=.01)
    assert box == [0, 0, 64, 80]
    assert capture.BurnedInAnnotation == 'YES'
    # Reports among images are no images; named by itself, one is told apart.
    shutil.copy(tmp_path / 'out' / 'dicom' / 'IM1_sr.dcm', folder / 'report.dcm')
    assert predict(model.folder, folder, tmp_path / 'again', BARE).num_images == 3
    with pytest.raises(ValueError, match='report.dcm: .*without pixels'):
        predict(model.folder, folder / 'report.dcm', tmp_path / 'again', BARE)


def test_an_image_gets_all_its_dicom_objects_or_none(tiny_model, tmp_path, monkeypatch):
    """An error of any kind of highdicom is one line without its words, and stops no other image."""
    pydicom = pytest.importorskip('pydicom', reason='pydicom is not installed')
    pytest.importorskip('highdicom', reason='highdicom is not installed')
    dataset = pydicom.Dataset()
    for name, value in dict(
            StudyInstanceUID='1.2.3', SeriesInstanceUID='1.2.3.4', SOPInstanceUID='1.2.3.4.5',
            SOPClassUID='1.2.840.10008.5.1.4.1.1.1', Modality='CR', PatientID='P1', Rows=40,
            Columns=30, SamplesPerPixel=1, PhotometricInterpretation='MONOCHROME2', BitsAllocated=8,
            BitsStored=8, HighBit=7, PixelRepresentation=0, PixelData=bytes(1200)).items():
        setattr(dataset, name, value)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    folder = tmp_path / 'in'
    folder.mkdir()
    for name in ('IM1', 'IM2'):
        dataset.PatientID = name
        dataset.save_as(folder / name, enforce_file_format=True)
    from mmwindow.apis import prediction_dicom
    make_presentation = prediction_dicom.make_presentation

    def fail_of_first(source, *more):
        if source.PatientID == 'IM1':
            raise TypeError('PatientAge and WindowWidth of Mrs Doe do not fit')
        return make_presentation(source, *more)

    monkeypatch.setattr(prediction_dicom, 'make_presentation', fail_of_first)
    model = tiny_model('windowloss/wl_kld')
    result = predict(model.folder, folder, tmp_path / 'out', replace(BARE, dicom=('sr', 'gsps')))
    assert result.num_images == 2 and result.num_dicom == 2
    row, = read_table(tmp_path / 'out' / 'failed.csv')
    assert row['file'].endswith('IM1') and 'no DICOM object: its gsps object cannot be made ' \
        '(TypeError, about PatientAge and WindowWidth); correct' in row['reason']
    assert 'Doe' not in row['reason']
    assert sorted(path.name for path in (tmp_path / 'out' / 'dicom').iterdir()) == [
        'IM2_gsps.dcm', 'IM2_sr.dcm']


def test_an_exported_model_goes_to_the_runtime(tiny_model, tiny_dataset, tmp_path, monkeypatch):
    """Same files and thresholds; colours are rejected image by image; there is no --tta."""
    model = tiny_model('windowloss/wl_kld')
    inferencer = PointInferencer(model.checkpoint, device='cpu')

    def run(arrays, batch_size):
        assert batch_size == len(arrays) and all(array.ndim == 2 for array in arrays)
        return list(inferencer.iterate(arrays, batch_size))

    runtime = SimpleNamespace(predict=run, info=SimpleNamespace(
        classes=('fracture',), operating_points=points_at(.25, .25).to_json(),
        preprocessing=SimpleNamespace(bit_depth=None, max_pixels=10 ** 6)))
    monkeypatch.setattr('mmwindow.runtime.load_model', lambda path: runtime)
    (tmp_path / 'model.onnx').write_bytes(b'')
    image = tiny_dataset / 'images' / 'test_0.png'
    grey = cv2.imread(str(image))
    assert (grey == grey[..., :1]).all()
    cv2.imwrite(str(tmp_path / 'equal_channels.png'), grey)
    grey[..., 0] //= 2
    cv2.imwrite(str(tmp_path / 'blue.png'), grey)
    result = predict(tmp_path / 'model.onnx', [
        image, tmp_path / 'blue.png', tmp_path / 'equal_channels.png'], tmp_path / 'out',
        replace(BARE, batch_size=3))
    assert result.thresholds.images == (.25,) and result.num_images == 2
    assert 'blue.png' in result.failed[0].reason and 'in colour' in result.failed[0].reason
    rows = read_table(tmp_path / 'out' / 'images.csv')
    assert [Path(row['file']).name for row in rows] == ['test_0.png', 'equal_channels.png']
    torch_score = inferencer(image)[0].image_score
    assert [float(row['score']) for row in rows] == pytest.approx([torch_score] * 2, abs=2e-6)
    for settings, words in ((replace(BARE, tta=True), '--tta: an exported model has none'),
                            (replace(BARE, device='cpu'), '--device')):
        with pytest.raises(ValueError, match=words):
            predict(tmp_path / 'model.onnx', image, tmp_path / 'out', settings)
    with pytest.raises(ValueError, match='leave config and checkpoint out'):
        predict(tmp_path / 'model.onnx', image, tmp_path / 'out', config=model.config)
