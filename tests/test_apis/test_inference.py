"""A model sees the same pixels from tools/test.py, mmdet's inferencers and our own."""
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer, inference_detector, init_detector
from mmdet.models import DetDataPreprocessor
from mmengine.runner import save_checkpoint
from PIL import Image

from mmwindow.apis import load_config
from mmwindow.apis import test as evaluate  # pytest would collect it under its own name
from mmwindow.apis.inference import PointInferencer
from mmwindow.images.decode import ImageSettings, read_image
from mmwindow.images.sources import list_images
from mmwindow.structures.image_prediction import ImagePrediction

CONFIGS = Path(__file__).parents[2] / 'configs'
SYSTEMS = ['windowloss/wl_kld', 'windowloss/wl_mse', 'windowloss/wl_plus', 'chexnet/chexnet',
           'wspl/wspl', 'ufdet/ufdet', 'faster_rcnn/faster_rcnn', 'retinanet/retinanet', 'fcos/fcos']
BOX_DETECTORS = ('faster_rcnn', 'retinanet', 'fcos')
SIDE = 128


def find_config(system, backbone):
    return next(path for ending in ('_fpn', '')
                if (path := CONFIGS / f'{system}_{backbone}{ending}.py').is_file())


def write_config(folder, path, data='data', bit_depth=None):
    """Write a config shrunk to an input of 128 x 128 and a backbone that is built in no time."""
    options = {'input_size': SIDE, 'data_root': f'{data}/', 'bit_depth': bit_depth}
    if '_r50' in path.stem:
        options |= {'model.backbone.depth': 18, 'model.backbone.init_cfg': None}
        widths = [64, 128, 256, 512]
        if 'neck' in load_config(path).model:
            options['model.neck.in_channels'] = widths
        else:
            options['model.bbox_head.in_channels'] = widths[-1]
    cfg = load_config(path, cfg_options=options)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
    cfg.dump(str(folder / 'config.py'))
    return folder / 'config.py'


def write_weights(model, path, classes=('fracture',)):
    save_checkpoint(dict(meta=dict(dataset_meta=dict(classes=classes)),
                         state_dict=model.state_dict()), str(path))
    return path


@pytest.fixture
def seen(monkeypatch):
    """Return the list of inputs ``(3, H, W)`` that models get, before they are normalised."""
    images = []
    forward = DetDataPreprocessor.forward

    def spy(self, data, training=False):
        images.extend(np.asarray(image) for image in data['inputs'])
        return forward(self, data, training)

    monkeypatch.setattr(DetDataPreprocessor, 'forward', spy)
    return images


@pytest.fixture
def films(tmp_path):
    """A folder of two 8-bit images, one of them with an orientation tag."""
    folder = tmp_path / 'films'
    folder.mkdir()
    generator = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(generator.integers(0, 255, (60, 80)).astype(np.uint8)).save(
        folder / 'a.jpg', exif=exif)
    Image.fromarray(generator.integers(0, 255, (90, 50)).astype(np.uint8)).save(folder / 'b.png')
    (folder / 'notes.txt').write_text('no image')
    return folder


@pytest.mark.smoke
@pytest.mark.parametrize('system, backbone', [
    *((system, 'lite0') for system in SYSTEMS), *((system, 'r50') for system in SYSTEMS[:1]),
    *(pytest.param(system, 'r50', marks=pytest.mark.long) for system in SYSTEMS[1:])])
def test_each_system_predicts_a_path_an_array_and_a_folder(system, backbone, films, tmp_path, seen):
    """Through mmdet's two interfaces and ours, without an annotation file or another config."""
    config = write_config(tmp_path, find_config(system, backbone))
    path = str(films / 'a.jpg')
    array = read_image(path).to_bgr()
    model = init_detector(str(config), device='cpu')
    sample = inference_detector(model, path)
    has_map = system.split('/')[1] not in BOX_DETECTORS
    assert ('pred_heatmap' in sample) == has_map and sample.ori_shape == (60, 80)
    inference_detector(model, array)
    weights = write_weights(model, tmp_path / 'weights.pth')
    stock = DetInferencer(model=str(config), weights=str(weights), device='cpu', show_progress=False)
    for inputs in (path, array, str(films)):
        output = stock(inputs, return_datasamples=True)['predictions']
        assert [('pred_heatmap' in one) for one in output] == [has_map] * len(output)
    ours = PointInferencer(config, weights, device='cpu')
    predictions = ours([path, array, films], batch_size=2)
    assert [Path(each.name).name for each in predictions] == ['a.jpg', 'array 1', 'a.jpg', 'b.png']
    # a.jpg: path and array of inference_detector; path, array and folder of DetInferencer and ours.
    assert len(seen) == 10
    for index in (1, 2, 3, 4, 6, 7, 8):
        assert np.array_equal(seen[index], seen[0])
    assert np.array_equal(seen[9], seen[5]) and seen[9].shape == (3, SIDE, SIDE)
    first = predictions[0]
    assert isinstance(first, ImagePrediction) and first.classes == ('fracture',)
    assert first.image_size == (60, 80) and first.orientation == 6
    assert (first.heatmap is not None) == has_map
    assert first.image_scores.shape == (1,) and 0 <= first.image_score <= 1
    assert len(first.boxes) == len(first.scores) == len(first.labels)
    # A batch of two rounds otherwise than one image does.
    if has_map:
        torch.testing.assert_close(torch.as_tensor(first.heatmap), sample.pred_heatmap.scores,
                                   atol=1e-5, rtol=0)
    else:
        # Of a box in the padding, below or right of the image, the image has no score.
        found = sample.pred_instances
        inside = (found.bboxes[:, 0] < 80) & (found.bboxes[:, 1] < 60)
        assert first.image_score == pytest.approx(float(found.scores[inside].max()), abs=1e-5)


@pytest.mark.parametrize('kind, bit_depth', [
    ('turned', None), ('12 bits', 12), ('12 bits', None), ('16 bits', None), ('float', None)])
def test_the_network_gets_the_same_pixels_everywhere_or_none(kind, bit_depth, tmp_path, seen):
    """tools/test.py, inference_detector, DetInferencer and ours: equal, or all reject the image."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80)).astype(np.uint8)
    path = tmp_path / 'images' / {'turned': 'a.jpg', 'float': 'a.tif'}.get(kind, 'a.png')
    path.parent.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    if kind == 'turned':
        Image.fromarray(pixels).save(path, exif=exif)
    else:
        content = dict(zip(('12 bits', '16 bits', 'float'), (
            pixels.astype(np.uint16) * 16, pixels.astype(np.uint16) * 257,
            pixels.astype(np.float32)), strict=True))[kind]
        Image.fromarray(content).save(path)
    config = write_config(tmp_path, find_config('windowloss/wl_kld', 'lite0'), tmp_path, bit_depth)
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations' / 'test.json').write_text(json.dumps(dict(
        images=[dict(id=1, file_name=path.name, height=60, width=80)], annotations=[],
        categories=[dict(id=1, name='fracture')])))
    model = init_detector(str(config), device='cpu')
    weights = write_weights(model, tmp_path / 'weights.pth')
    stock = DetInferencer(model=str(config), weights=str(weights), device='cpu', show_progress=False)
    calls = [lambda: evaluate(config, weights, work_dir=tmp_path / 'test'),
             lambda: inference_detector(model, str(path)), lambda: stock(str(path)),
             lambda: PointInferencer(config, weights, device='cpu')(path)]
    if kind == 'float' or (kind, bit_depth) == ('12 bits', None):
        for call in calls:
            with pytest.raises(ValueError, match='pixels are float32' if kind == 'float' else
                               'state the bit_depth of all images'):
                call()
        assert not seen
        return
    for call in calls:
        call()
    array = read_image(path, ImageSettings(bit_depth))
    inference_detector(model, array.to_bgr())
    stock(array.to_bgr())
    PointInferencer(config, weights, device='cpu')(array.pixels)
    assert len(seen) == 7 and seen[0].max() > 200
    for other in seen[1:]:
        assert np.array_equal(other, seen[0])
    # Upright as stored, scaled to 128 x 96, and padded below.
    expected = cv2.resize(array.to_8_bit(), (128, 96), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(seen[0][0, :96], expected) and not seen[0][:, 96:].any()
    if array.pixels.dtype == np.uint16:
        with pytest.raises(ValueError, match='the array: pixels are uint16'):
            inference_detector(model, array.pixels)


def test_weights_of_another_model_are_rejected(tmp_path):
    config = write_config(tmp_path, find_config('windowloss/wl_kld', 'lite0'))
    other = init_detector(str(write_config(tmp_path, find_config('chexnet/chexnet', 'lite0'))),
                          device='cpu')
    config = write_config(tmp_path, find_config('windowloss/wl_kld', 'lite0'))
    weights = write_weights(other, tmp_path / 'weights.pth')
    with pytest.raises(ValueError, match="weights.pth: its weights are not those of the config's"):
        PointInferencer(config, weights)
    with pytest.raises(ValueError, match='nowhere.pth: there is no such file'):
        PointInferencer(config, tmp_path / 'nowhere.pth')
    model = init_detector(str(config), device='cpu')
    with pytest.raises(ValueError, match='it has no class names'):
        PointInferencer(config, write_weights(model, tmp_path / 'nameless.pth', classes=()))


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match=f'{tmp_path}: no images in this folder'):
        list(list_images(tmp_path))
    assert list(list_images([])) == []


def test_a_folder_lists_dicom_files_of_any_name(tmp_path):
    for name in ('a.DCM', 'IM000001', '1.2.840.17', 'DICOMDIR', 'notes'):
        (tmp_path / name).write_bytes(b'' if name == 'notes' else bytes(128) + b'DICM')
    names = [path.name for _, path in list_images(tmp_path)]
    assert names == ['1.2.840.17', 'IM000001', 'a.DCM']


def test_an_input_that_does_not_exist_is_named_without_words_of_a_data_set(tmp_path):
    with pytest.raises(ValueError, match=r'nothing.png: there is no such image or folder$'):
        list(list_images([tmp_path / 'nothing.png']))
