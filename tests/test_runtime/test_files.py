"""Exported files: a small one predicts; missing, foreign, damaged and harmful ones are one line."""
import json
import resource
import zipfile

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from tests_small_graphs import INFO, brightness_nodes, changed, make_model, write_model

from mmwindow.runtime import load_model
from mmwindow.runtime import sessions as session_module
from mmwindow.runtime.model_info import METADATA_KEY, Preprocessing
from mmwindow.runtime.onnx_file import read_onnx, varint, write_metadata


def rejected(path):
    """Return the one line by which a file is rejected."""
    with pytest.raises(ValueError) as caught:
        load_model(path).predict(np.zeros((8, 8), dtype=np.uint8))
    text = str(caught.value)
    assert path.name in text and '\n' not in text and len(text) < 700
    return text


def test_a_small_model_predicts_files_arrays_and_folders(tmp_path):
    model = load_model(write_model(tmp_path / 'model.onnx'))
    pixels = np.zeros((64, 128), dtype=np.uint8)  # half size in the frame, its lower half is padding
    pixels[16:32, 32:64] = 204
    (tmp_path / 'images').mkdir()
    cv2.imwrite(str(tmp_path / 'images' / 'a.png'), pixels)
    for source in (pixels, tmp_path / 'images', str(tmp_path / 'images' / 'a.png'), pixels[..., None],
                   np.repeat(pixels[..., None], 3, axis=2), pixels.astype(np.uint16) * 257):
        prediction, = model.predict(source)
        assert prediction.image_size == (64, 128) and prediction.classes == ('fracture', )
        assert prediction.image_scores == pytest.approx([.8]) and prediction.image_score == (
            pytest.approx(.8))
        assert prediction.boxes.tolist() == [[32, 16, 64, 32]] and prediction.labels.tolist() == [0]
        assert prediction.peaks.tolist() == [[36, 20]]  # the first of the highest cells
        assert prediction.heatmap.shape == (1, 16, 16)
    assert model.predict([]) == [] and model.info == INFO


def test_an_image_without_a_bright_pixel_has_no_finding(tmp_path):
    model = load_model(write_model(tmp_path / 'm.onnx'))
    prediction, = model.predict(np.zeros((1, 1), dtype=np.uint8))
    assert prediction.boxes.shape == (0, 4) and prediction.image_score == 0
    assert prediction.image_size == (1, 1)


@pytest.mark.parametrize('threshold', [-.1, 1.1, float('nan')])
def test_a_threshold_outside_0_to_1_is_an_error(threshold, tmp_path):
    model = load_model(write_model(tmp_path / 'm.onnx'))
    with pytest.raises(ValueError, match='threshold'):
        model.predict(np.zeros((8, 8), dtype=np.uint8), threshold=threshold)


def test_a_colour_photograph_is_an_error_that_says_so(tmp_path):
    photograph = np.zeros((8, 8, 3), dtype=np.uint8)
    photograph[4, 4] = (0, 0, 1)
    with pytest.raises(ValueError, match='array 0.*colour'):
        load_model(write_model(tmp_path / 'm.onnx')).predict(photograph)


def test_an_image_of_too_many_pixels_is_an_error(tmp_path):
    cv2.imwrite(str(tmp_path / 'large.png'), np.zeros((64, 65), dtype=np.uint8))
    info = changed(preprocessing=Preprocessing(None, 64 * 64))
    with pytest.raises(ValueError, match='large.png: 65 x 64'):
        load_model(write_model(tmp_path / 'm.onnx', info=info)).predict(tmp_path / 'large.png')


def external_tensor(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField('raw_data')
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key='location', value='/etc/passwd')


def external_constant(model):
    node = helper.make_node('Constant', [], ['other'], value=numpy_helper.from_array(np.zeros(1)))
    node.attribute[0].t.external_data.add(key='location', value='../secret')
    model.graph.node.insert(0, node)


def subgraph(model):
    inner = helper.make_graph([], 'inner', [], [])
    model.graph.node.insert(0, helper.make_node('If', ['white'], ['other'], then_branch=inner,
                                                else_branch=inner))


def own_operator(model):
    model.graph.node[0].domain = 'com.evil'


def other_operator(model):
    model.graph.node[0].op_type = 'ConstantOfShape'


def function(model):
    model.functions.append(helper.make_function('d', 'f', [], [], [], [helper.make_opsetid('', 17)]))


def sparse(model):
    model.graph.sparse_initializer.add()


@pytest.mark.parametrize('change, words', [
    (external_tensor, 'another file'), (external_constant, 'another file'),
    (subgraph, 'graphs within'), (own_operator, 'com.evil.Cast'),
    (other_operator, 'ConstantOfShape'), (function, 'functions'), (sparse, 'sparse')])
def test_what_no_export_holds_is_rejected_before_it_runs(change, words, tmp_path, monkeypatch):
    def never(*args):
        raise AssertionError('ONNX Runtime has got the file')

    monkeypatch.setattr(session_module, 'open_session', never)
    model = make_model()
    change(model)
    path = tmp_path / 'model.onnx'
    path.write_bytes(model.SerializeToString())
    assert words in rejected(path)


@pytest.mark.parametrize('content, words', [
    (b'', 'no ONNX'), (b'no model', ''), (b'\x00' * 100, 'no ONNX'),
    (b'PK\x03\x04 damaged', 'damaged'), (make_model().SerializeToString()[:-30], 'cut short'),
    (make_model(info=None).SerializeToString(), 'no description of mmwindow')])
def test_foreign_and_damaged_files_are_one_line(content, words, tmp_path):
    path = tmp_path / 'model.onnx'
    path.write_bytes(content)
    assert words in rejected(path)


def test_a_missing_file_a_folder_and_a_checkpoint_are_one_line(tmp_path):
    assert 'No such file' in rejected(tmp_path / 'missing.onnx')
    assert 'not a folder' in rejected(tmp_path)
    with zipfile.ZipFile(tmp_path / 'best.pth', 'w') as archive:
        archive.writestr('best/data.pkl', b'')
    assert 'checkpoint' in rejected(tmp_path / 'best.pth')
    with zipfile.ZipFile(tmp_path / 'bomb.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
        for name in ('stage1.onnx', 'stage2.onnx'):
            archive.writestr(name, bytes(10_000_000))
    assert 'something else' in rejected(tmp_path / 'bomb.zip')


@pytest.mark.parametrize('values, words', [
    (dict(classes=()), 'classes'), (dict(input_size=(64, 10 ** 6)), 'input_size'),
    (dict(input_size=(32, 64)), 'takes'), (dict(precision='int1'), 'precision'),
    (dict(decoder=dict(kind='anchors')), 'decoder'), (dict(decoder=dict(kind='regions')), 'kind'),
    (dict(decoder=dict(kind='map', score_threshold='high', max_findings=3)), 'score_threshold')])
def test_a_description_changed_by_hand_is_one_line(values, words, tmp_path):
    assert words in rejected(write_model(tmp_path / 'model.onnx', info=changed(**values)))


def test_a_newer_format_and_broken_json_are_one_line(tmp_path):
    newer = json.dumps(dict(json.loads(INFO.to_json()), version=99))
    for text, words in ((newer, 'update'), ('{"format"', 'JSON'), ('[' * 10 ** 5, 'nested')):
        model = make_model(info=None)
        helper.set_model_props(model, {METADATA_KEY: text})
        path = tmp_path / 'model.onnx'
        path.write_bytes(model.SerializeToString())
        assert words in rejected(path)


def test_outputs_that_are_missing_or_not_finite_are_one_line(tmp_path):
    path = write_model(tmp_path / 'model.onnx', outputs=('map', ))
    assert 'score' in rejected(path)
    nodes = brightness_nodes()
    nodes[2].output[0] = 'highest'
    nodes.insert(3, helper.make_node('Div', ['highest', 'highest'], ['map']))  # 0 / 0
    model = load_model(write_model(path, nodes))
    with pytest.raises(ValueError, match='NaN or infinity .map. for .array 0'):
        model.predict(np.zeros((8, 8), dtype=np.uint8))


def test_a_graph_that_asks_for_terabytes_gets_none(tmp_path):
    nodes = brightness_nodes()
    pads = numpy_helper.from_array(np.int64([0, 0, 0, 0, 0, 0, 2 ** 20, 2 ** 20]), 'pads')
    nodes[1].output[0] = 'small'
    nodes.insert(2, helper.make_node('Pad', ['small', 'pads'], ['shares']))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = write_model(tmp_path / 'model.onnx', nodes, initializers=[pads])
    assert 'lower batch_size' in rejected(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kilobytes


SMALL = make_model().SerializeToString()


@settings(max_examples=50, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, len(SMALL) - 1), value=st.integers(0, 255),
       length=st.integers(0, len(SMALL)))
def test_a_mutated_file_is_read_or_a_value_error(place, value, length, tmp_path):
    path = tmp_path / 'model.onnx'
    for content in (SMALL[:length], SMALL[:place] + bytes([value]) + SMALL[place + 1:]):
        path.write_bytes(content)
        try:
            load_model(path).predict(np.zeros((8, 8), dtype=np.uint8))
        except ValueError as error:
            assert '\n' not in str(error)


def test_the_reader_of_bytes_agrees_with_onnx():
    data = make_model().SerializeToString()
    content, model = read_onnx(data), onnx.load_from_string(data)
    assert content.num_nodes == len(model.graph.node) == 4
    assert content.operators == {node.op_type for node in model.graph.node}
    assert content.inputs == ['images'] and content.outputs == ['map', 'score']
    assert content.metadata == {METADATA_KEY: INFO.to_json()}
    longer = write_metadata(data, {'key': 'v' * 300})
    entry = onnx.load_from_string(longer).metadata_props[1]
    assert (entry.key, entry.value) == ('key', 'v' * 300)
    assert varint(2 ** 35) == b'\x80\x80\x80\x80\x80\x01'
