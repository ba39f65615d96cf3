"""Weights in half precision: what is rounded, what stays, what a graph computes with them."""
import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from mmwindow.apis.half_weights import halve_graph, halve_state
from mmwindow.runtime.onnx_file import read_onnx


def make_graph(weight, bias):
    """Return ``x @ weight + bias`` as an ONNX file."""
    graph = helper.make_graph(
        [helper.make_node('MatMul', ['x', 'weight'], ['product']),
         helper.make_node('Add', ['product', 'bias'], ['y'])], 'graph',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(weight, 'weight'), numpy_helper.from_array(bias, 'bias')])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)],
                             ir_version=8).SerializeToString()


def run(content, x):
    session = onnxruntime.InferenceSession(content, providers=['CPUExecutionProvider'])
    return session.run(['y'], dict(x=x))[0]


def test_a_graph_computes_in_single_precision_with_rounded_weights():
    """1/3 is 0.33325195 in half precision; 2 * 0.33325195 + 1/3 is no number of half precision."""
    weight = np.array([[1 / 3, 1], [0, 2]], np.float32)
    bias = np.array([1 / 3, 0], np.float32)
    halved = halve_graph(make_graph(weight, bias))
    y = run(halved, np.array([[2, 1]], np.float32))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, [[2 * 0.33325195 + 1 / 3, 4]], rtol=1e-7)
    assert read_onnx(halved).operators == {'Add', 'Cast', 'MatMul'}
    kept = {tensor.name: tensor.data_type
            for tensor in onnx.load_from_string(halved).graph.initializer}
    assert kept == {'weight.half': TensorProto.FLOAT16, 'bias': TensorProto.FLOAT}


def test_weights_too_large_for_half_precision_stay():
    weight = np.array([[1e5, 1], [0, 2]], np.float32)
    content = make_graph(weight, np.zeros(2, np.float32))
    y = run(halve_graph(content), np.ones((1, 2), np.float32))
    assert y.tolist() == [[1e5, 3]]
    state = halve_state(dict(weight=torch.tensor(weight)))
    assert state['weight'].dtype == torch.float32


def test_a_state_keeps_vectors_and_counters():
    state = dict(weight=torch.full((1, 2), 1 / 3), bias=torch.full((2, ), 1 / 3),
                 count=torch.tensor([[3]]), name='text')
    halved = halve_state(state)
    assert halved['weight'].dtype == torch.float16 and state['weight'].dtype == torch.float32
    assert torch.equal(halved['bias'], state['bias']) and halved['count'].dtype == torch.int64
    assert halved['name'] == 'text' and halve_state({}) == {}
