"""`mmwindow export`: what is written, what is compared, and what is rejected."""
import json
import sys
from copy import deepcopy
from dataclasses import replace

import cv2
import numpy as np
import onnx
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.runner import save_checkpoint
from torch import nn

import mmwindow  # noqa: F401  (registers the models)
from mmwindow import cli
from mmwindow.apis import export_check, export_int8, int8_recipes
from mmwindow.apis.export import choose_images, export, find_source, pick, validation_images
from mmwindow.apis.export_graph import (
    fold_constants,
    fold_conv_norm,
    fold_pyramid,
    make_graphs,
    simplify,
    trace,
)
from mmwindow.apis.export_half import export_half
from mmwindow.engine.model_description import describe_model
from mmwindow.models.backbones.efficientnet_lite import ConvNorm
from mmwindow.runtime import ImagePrediction, load_model
from mmwindow.utils.operating_points import ModelOperatingPoints

SYSTEM = 'windowloss/wl_kld_lite0_fpn'


def make_layer(kernel_size=3, stride=2, seed=0):
    torch.manual_seed(seed)
    layer = ConvNorm(4, 8, kernel_size, stride, groups=4).eval()
    layer.norm.running_mean.uniform_(-1, 1)
    layer.norm.running_var.uniform_(.1, 2)
    layer.norm.weight.data.uniform_(.5, 2)
    layer.norm.bias.data.uniform_(-1, 1)
    return layer


@pytest.mark.parametrize('kernel_size, stride', [(3, 1), (3, 2), (5, 1), (5, 2), (1, 1)])
def test_a_folded_layer_is_the_same_function(kernel_size, stride):
    layer = make_layer(kernel_size, stride)
    features = torch.randn(2, 4, 16, 16)
    # Folded in float64, computed in float32: 1e-5 is some dozens of roundings.
    torch.testing.assert_close(nn.Sequential(fold_conv_norm(layer), nn.ReLU6())(features),
                               layer(features), rtol=0, atol=1e-5)


def test_a_folded_pyramid_ends_in_logits_and_is_the_same_function():
    torch.manual_seed(0)
    model = MODELS.build(dict(
        type='DensePointDetector', backbone=dict(type='EfficientNetLite', pretrained=False),
        neck=dict(type='FPN', in_channels=[24, 40, 112, 320], out_channels=8, num_outs=4),
        bbox_head=dict(type='DensePointHead', num_classes=2, in_channels=8))).eval()
    nn.init.normal_(model.bbox_head.convolution.weight)
    levels = [torch.randn(1, channels, 64 // stride, 64 // stride)
              for channels, stride in zip((24, 40, 112, 320), (4, 8, 16, 32), strict=True)]
    expected = model.bbox_head(model.neck(levels))
    folded = deepcopy(model)
    fold_pyramid(folded)
    assert [tuple(level.conv.weight.shape) for level in folded.neck.fpn_convs] == [(2, 8, 3, 3)] * 4
    for found, logits in zip(folded.bbox_head(folded.neck(levels)), expected, strict=True):
        # Logits of some dozens: 1e-5 of the largest is a few roundings.
        torch.testing.assert_close(found, logits, rtol=0, atol=1e-5 * logits.abs().max().item())


def test_folding_changes_neither_the_model_nor_stock_layers():
    model = nn.Sequential(make_layer(), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)).eval()
    model[2].running_mean.uniform_(-1, 1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folded, features = fold_constants(model), torch.randn(1, 4, 16, 16)
    assert not any(isinstance(layer, nn.BatchNorm2d | ConvNorm) for layer in folded.modules())
    torch.testing.assert_close(folded(features), model(features), rtol=0, atol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_rows_of_zeros_are_cut_off_kernels():
    graph = trace(fold_conv_norm(make_layer()), torch.zeros(2, 4, 16, 16), 'x', ('y', ))
    model = onnx.load_from_string(graph.content)
    node = next(node for node in model.graph.node if node.op_type == 'Conv')
    attributes = {each.name: list(each.ints) for each in node.attribute}
    assert attributes['kernel_shape'] == [3, 3] and attributes['pads'] == [0, 0, 1, 1]
    assert simplify(model).graph.node[0].op_type == node.op_type  # a second time changes nothing


def test_the_file_says_what_the_model_needs(exported):
    model = exported(SYSTEM)
    loaded = onnx.load(str(model.path))
    operators = {node.op_type for node in loaded.graph.node}
    assert 'BatchNormalization' not in operators and 'Pad' not in operators
    graph_input, = loaded.graph.input
    dims = graph_input.type.tensor_type.shape.dim
    assert dims[0].dim_param and [dim.dim_value for dim in dims[1:]] == [1, 64, 64]
    assert graph_input.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    info = load_model(model.path).info
    assert info == model.result.info
    assert info.classes == ('fracture', ) and info.input_size == (64, 64)
    assert info.preprocessing.pad_value == 0 and info.precision == 'float32'
    assert info.decoder == dict(kind='map', score_threshold=.5, max_findings=100)
    assert info.evaluation['hit_radius'] == 50 and info.operating_points is None
    assert info.check['images'] == 3 and info.check['source'] == 'synthetic radiographs'
    assert info.versions['torch'] and info.system == 'weights'


def test_a_checkpoint_that_describes_itself_needs_no_config(exported, tmp_path, capsys):
    model = exported(SYSTEM)
    from mmwindow.apis.config import load_config
    cfg = load_config(model.config)
    content = torch.load(model.weights, weights_only=True)
    points = ModelOperatingPoints({}, 'val', 5, 5).to_json()
    content['meta']['model_description'] = dict(describe_model(cfg, ('fracture', )),
                                                config='my_config.py', operating_points=points)
    save_checkpoint(content, str(tmp_path / 'best_model.pth'))
    (tmp_path / 'images').mkdir()
    for index, image in enumerate(model.images):
        cv2.imwrite(str(tmp_path / 'images' / f'{index}.png'), image)
    cli.main(['export', str(tmp_path), '--out', str(tmp_path / 'm.onnx'), '--images',
              str(tmp_path / 'images'), '--num-images', '2'])
    output = capsys.readouterr().out
    assert 'm.onnx: my_config' in output and '2 images' in output and 'differ by at most' in output
    runtime = load_model(tmp_path / 'm.onnx')
    assert runtime.info.operating_points == points
    ours, = runtime.predict(model.images[0])
    assert np.allclose(ours.heatmap, load_model(model.path).predict(model.images[0])[0].heatmap,
                       rtol=0, atol=1e-6)


def test_a_model_that_differs_from_torch_is_not_written(exported, tmp_path, monkeypatch):
    model = exported(SYSTEM)

    def shifted(model, size):
        model = deepcopy(model)
        model.bbox_head.convolution.bias.data += 1e-3
        return make_graphs(model, size)

    # mmwindow.apis.export is the function; its module is found by the list of modules.
    monkeypatch.setattr(sys.modules[export.__module__], 'make_graphs', shifted)
    out = tmp_path / 'model.onnx'
    out.write_text('an old file')
    with pytest.raises(ValueError, match='not the one of torch'):
        export(model.config, out, model.weights, num_images=1)
    assert out.read_text() == 'an old file' and [path.name for path in tmp_path.iterdir()] == [
        'model.onnx']


@pytest.mark.parametrize('arguments, words', [
    (['{config}', '{weights}', '--out', 'model.zip'], 'ends in|end in .onnx'),
    (['{config}', '--out', 'model.onnx'], 'CONFIG CHECKPOINT'),
    (['{weights}', '--out', 'm.onnx', '--int8', 'x'], '--verify'),
    (['{empty}', '--out', 'm.onnx'], 'no best_'),
    (['{config}', '{missing}', '--out', 'm.onnx'], 'missing.pth')])
def test_bad_usage_is_one_line(arguments, words, exported, tmp_path, capsys, monkeypatch):
    model = exported(SYSTEM)
    (tmp_path / 'empty').mkdir()
    monkeypatch.chdir(tmp_path)
    places = dict(config=model.config, weights=model.weights, empty=tmp_path / 'empty',
                  missing=tmp_path / 'missing.pth')
    with pytest.raises(SystemExit) as caught:
        cli.main(['export', *(argument.format(**places) for argument in arguments)])
    error = capsys.readouterr().err
    assert caught.value.code == 1 and error.count('\n') == 1
    assert any(word in error for word in words.split('|'))
    assert not list(tmp_path.glob('*.onnx')) and not list(tmp_path.glob('*.zip'))


def test_a_missing_package_is_named_with_its_pip_line(tmp_path, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith('mmwindow.apis.export')]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(SystemExit):
        cli.main(['export', 'best.pth', '--out', str(tmp_path / 'm.onnx')])
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and 'mmwindow[export]' in error


def test_a_checkpoint_without_description_or_config_is_an_error(exported, tmp_path):
    weights = tmp_path / 'weights.pth'
    weights.write_bytes(exported(SYSTEM).weights.read_bytes())
    with pytest.raises(ValueError, match='does not describe'):
        find_source(weights, None)
    source = find_source(exported(SYSTEM).config, weights)
    assert source.operating_points is None and source.data == {}


def test_images_to_compare_on_are_those_of_the_validation(tiny_dataset):
    step = dict(type='ResizeToInput', input_size=64)
    cfg = dict(val_dataloader=dict(dataset=dict(
        data_root=f'{tiny_dataset}/', ann_file='annotations/val.json',
        data_prefix=dict(img='images/'), pipeline=[step])))
    assert [path.name for path in validation_images(cfg)] == [f'val_{i}.png' for i in range(5)]
    images, origin = choose_images(None, cfg, 3)
    assert [path.name for path in images] == ['val_0.png', 'val_2.png', 'val_4.png']
    assert 'validation' in origin
    cfg['val_dataloader']['dataset']['ann_file'] = 'annotations/none.json'
    images, origin = choose_images(None, cfg, 2)
    assert len(images) == 2 and 'synthetic' in origin and images[0].dtype == np.uint8
    assert validation_images(None) == [] and pick([1], 5) == [1]


def prediction(**values):
    fields = dict(
        name='image', classes=('a', ), image_size=(10, 10), image_scores=np.array([.9]),
        boxes=np.float32([[0, 0, 4, 4], [5, 5, 9, 9]]), scores=np.float32([.9, .6]),
        labels=np.array([0, 0]), heatmap=np.float32([[[.9, .6], [.1, .1]]]))
    return ImagePrediction(**{**fields, **values})


def test_equal_predictions_pass_and_the_largest_difference_is_said():
    check = export_check.compare_predictions(
        [prediction(image_scores=np.array([.900004])), prediction()], [prediction(), prediction()],
        'images', .5)
    assert check.images == 2 and check.num_findings == 4 and check.num_ties == 0
    assert check.score_difference == pytest.approx(4e-6)
    nothing = prediction(boxes=np.zeros((0, 4)), scores=np.zeros(0), labels=np.zeros(0, int))
    assert export_check.compare_predictions([nothing], [nothing], 'images', .5).num_findings == 0


@pytest.mark.parametrize('values, words', [
    (dict(image_scores=np.array([.91])), 'image scores'),
    (dict(heatmap=np.float32([[[.9, .6], [.1, .11]]])), 'maps'),
    (dict(heatmap=np.zeros((1, 2, 3), np.float32)), 'shapes'),
    (dict(boxes=np.float32([[0, 0, 4, 4], [5, 5, 9, 9.1]])), 'one of the two alone'),
    (dict(labels=np.array([0, 1])), 'one of the two alone'),
    (dict(boxes=np.float32([[0, 0, 4, 4]]), scores=np.float32([.9]), labels=np.array([0])),
     'one of the two alone')])
def test_different_predictions_are_an_error(values, words):
    with pytest.raises(ValueError, match=words):
        export_check.compare_predictions([prediction(**values)], [prediction()], 'images', .5)


def test_ties_may_differ():
    tied = dict(scores=np.float32([.6, .6]))
    ours = prediction(**tied, boxes=np.float32([[0, 0, 4, 4], [1, 1, 2, 2]]))
    assert export_check.compare_predictions([ours], [prediction(**tied)], '', .5).num_ties == 2
    # A cell as high as the threshold.
    ours = prediction(boxes=np.zeros((0, 4)), scores=np.zeros(0), labels=np.zeros(0, int))
    assert export_check.compare_predictions([ours], [prediction()], '', np.float32(.6)).num_ties == 2


# 8-bit weights.

def write_points(folder, images, number):
    (folder / 'images').mkdir(parents=True)
    records, annotations = [], []
    for index in range(number):
        name = f'{index % len(images)}.png'
        image = images[index % len(images)]
        cv2.imwrite(str(folder / 'images' / f'{index:03d}_{name}'), image)
        records.append(dict(id=index, file_name=f'{index:03d}_{name}', height=image.shape[0],
                            width=image.shape[1]))
        if index % 2:
            annotations.append(dict(id=index + 1, image_id=index, category_id=1,
                                    keypoints=[20, 20, 2], num_keypoints=1))
    (folder / 'points.json').write_text(json.dumps(dict(
        images=records, annotations=annotations, categories=[dict(id=1, name='fracture')])))
    return folder / 'points.json'


def test_eight_bits_are_kept_or_rejected_by_their_numbers(exported, tmp_path, monkeypatch):
    model = exported(SYSTEM)
    monkeypatch.setattr(export_int8, 'MIN_IMAGES', 4)
    points = write_points(tmp_path, model.images, 4)
    path = tmp_path / 'model.onnx'
    path.write_bytes(model.path.read_bytes())
    monkeypatch.setattr(export_int8, 'MAX_CHANGE', 2)
    result = export_int8.export_int8(path, tmp_path / 'images', points)
    assert result.path == tmp_path / 'model_int8.onnx' and '4 images' in result.describe()
    runtime = load_model(result.path)
    assert runtime.info == replace(model.result.info, precision='int8')
    assert result.sizes[1] < result.sizes[0] / 2
    ours, = runtime.predict(model.images[0])
    theirs, = load_model(path).predict(model.images[0])
    assert 0 < np.abs(ours.heatmap - theirs.heatmap).max() < .5
    # More values than 8 bits of one level have: the last convolutions and all behind are float32.
    assert len(np.unique(ours.heatmap)) > .9 * ours.heatmap.size
    monkeypatch.setattr(export_int8, 'MAX_CHANGE', 0)
    result.path.unlink()
    rejected = export_int8.export_int8(path, tmp_path / 'images', points)
    assert rejected.path is None and 'rejected' in rejected.describe()
    assert not (tmp_path / 'model_int8.onnx').exists()


@pytest.mark.parametrize('system, ending', [(SYSTEM, '.onnx'),
                                            ('faster_rcnn/faster_rcnn_lite0_fpn', '.zip')])
def test_half_precision_is_half_as_large_and_scores_alike(exported, tmp_path, system, ending):
    model = exported(system)
    path = tmp_path / f'model{ending}'
    path.write_bytes(model.path.read_bytes())
    result = export_half(path, model.images)
    assert result.path == tmp_path / f'model_half{ending}'
    assert .45 < result.sizes[1] / result.sizes[0] < .65
    runtime = load_model(result.path)
    assert runtime.info == replace(model.result.info, precision='float16')
    changes = [np.abs(ours.image_scores - theirs.image_scores).max() for ours, theirs in zip(
        runtime.predict(model.images), load_model(path).predict(model.images), strict=True)]
    assert 0 < max(changes) == pytest.approx(result.score_difference, abs=1e-6)
    assert result.score_difference < .01 and '3 images' in result.describe()


def test_recipes_leave_parts_in_float(exported):
    """Names by hand: strides of EfficientNet-Lite0 are 2 in its stem, 32 in its last two stages."""
    model = onnx.load(str(exported(SYSTEM).path))
    kinds = {node.name: node.op_type for node in model.graph.node}

    def convolutions(*args):
        return {name for name in int8_recipes.float_nodes(model, *args) if kinds[name] == 'Conv'}

    last = convolutions()
    # From the classifier of each level of the pyramid no path leads to another convolution.
    assert last and not any('backbone' in name for name in last)
    assert convolutions(('stem',)) - last == {'/backbone/stem/stem.0/Conv'}
    depthwise = convolutions(('depthwise',)) - last
    assert len(depthwise) == 16 and all('/depthwise.0/' in name for name in depthwise)
    backbone = {name for name in kinds if kinds[name] == 'Conv' and name.startswith('/backbone/')}
    assert convolutions(('neck',)) == {name for name in kinds if kinds[name] == 'Conv'} - backbone
    coarse = backbone - convolutions((), 32)
    assert {name.split('/')[2] for name in coarse} == {'groups.5', 'groups.6'}
    assert '/backbone/groups.5/groups.5.0/layers/expand/expand.0/Conv' not in coarse  # still 16
    with pytest.raises(ValueError, match='head; some of stem, depthwise, neck are expected'):
        int8_recipes.float_nodes(model, ('head',))


def test_eight_bits_need_600_images_and_one_stage(exported, tmp_path):
    points = write_points(tmp_path, exported(SYSTEM).images, 3)
    with pytest.raises(ValueError, match='3 images are too few.*600'):
        export_int8.export_int8(exported(SYSTEM).path, tmp_path / 'images', points)
    with pytest.raises(ValueError, match='one stage'):
        export_int8.export_int8(tmp_path / 'model.zip', tmp_path / 'images', points)
