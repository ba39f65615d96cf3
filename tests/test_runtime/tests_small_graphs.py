"""Small ONNX graphs that stand for exported models, without torch."""
from dataclasses import replace

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from mmwindow.runtime.model_info import METADATA_KEY, ModelInfo, Preprocessing

SIDE = 64
INFO = ModelInfo('small', ('fracture', ), (SIDE, SIDE), Preprocessing(None, 10_000_000),
                 dict(kind='map', score_threshold=.5, max_findings=100))


def brightness_nodes():
    """Return nodes whose map is the highest grey level of each 4 x 4 pixels, as a share of 255."""
    return [helper.make_node('Cast', ['images'], ['levels'], to=TensorProto.FLOAT),
            helper.make_node('Div', ['levels', 'white'], ['shares']),
            helper.make_node('MaxPool', ['shares'], ['map'], kernel_shape=[4, 4], strides=[4, 4]),
            helper.make_node('ReduceMax', ['map'], ['score'], axes=[2, 3], keepdims=0)]


def make_model(nodes=None, info=INFO, side=SIDE, initializers=(), outputs=('map', 'score')):
    """Return an ONNX model; ``info`` None: without a description."""
    white = numpy_helper.from_array(np.array(255, dtype=np.float32), 'white')
    shapes = dict(map=['batch', 1, side // 4, side // 4], score=['batch', 1])
    graph = helper.make_graph(
        brightness_nodes() if nodes is None else nodes, 'small',
        [helper.make_tensor_value_info('images', TensorProto.UINT8, ['batch', 1, side, side])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs],
        [white, *initializers])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    if info is not None:
        helper.set_model_props(model, {METADATA_KEY: info.to_json()})
    return model


def write_model(path, *args, **kwargs):
    """Write a model of :func:`make_model` and return its path."""
    path.write_bytes(make_model(*args, **kwargs).SerializeToString())
    return path


def changed(**values):
    """Return the description of the small model with other values."""
    return replace(INFO, **values)
