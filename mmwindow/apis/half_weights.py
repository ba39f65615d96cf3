"""Weights stored in half precision and computed in single: files of half the size."""
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper
from torch import Tensor

MIN_AXES = 2  # vectors (biases, normalisation) are small, and their values spread over decades
LARGEST = float(np.finfo(np.float16).max)


def halve_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return weights with those of two axes or more rounded to half precision.

    Others stay as they are, and so do weights that half precision cannot hold.

    >>> halved = halve_state({'weight': torch.full((1, 2), 1 / 3), 'bias': torch.full((2, ), 1 / 3)})
    >>> halved['weight'].dtype, halved['bias'].dtype
    (torch.float16, torch.float32)
    """
    return {name: value.half() if _fits(value) else value for name, value in state.items()}


def _fits(value: Any) -> bool:
    return (isinstance(value, Tensor) and value.dtype == torch.float32 and value.ndim >= MIN_AXES
            and bool((value.abs() <= LARGEST).all()))


def halve_graph(content: bytes) -> bytes:
    """Return an ONNX graph with its weights of two axes or more in half precision.

    A ``Cast`` gives them back in single precision, which ONNX Runtime does once, as it opens the
    file: predictions take as long as before.

    Args:
        content: Of a file with its weights inside; metadata are dropped.
    """
    model = onnx.load_from_string(content)
    graph, casts = model.graph, []
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < MIN_AXES:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size and np.abs(values).max() > LARGEST:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f'{name}.half'))
        casts.append(onnx.helper.make_node('Cast', [f'{name}.half'], [name], name=f'{name}.single',
                                           to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:], model.metadata_props[:]
    graph.node.extend(nodes)
    return bytes(model.SerializeToString())
