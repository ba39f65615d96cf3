"""Ways to 8 bits: which parts of an exported graph, by which ranges (ONNX Runtime's tools)."""
import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from mmwindow.images.sources import ImageSource
from mmwindow.runtime.frames import make_frame
from mmwindow.runtime.model_info import METADATA_KEY, ModelInfo
from mmwindow.runtime.onnx_file import write_metadata

# Sigmoid, resizing and means stay float32: 8 bits of a map would tie its cells.
OPERATORS = ('Conv', 'Add', 'Clip')
CALIBRATIONS = ('minmax', 'percentile', 'entropy')
PERCENTILE = 99.99  # of the values of a tensor, both ends together
CHUNK = 8  # images whose tensors are in memory at once, where histograms are made of them
FLOAT_PARTS = ('stem', 'depthwise', 'neck')


@dataclass(frozen=True)
class Int8Recipe:
    """How the weights and values of a graph become 8 bits.

    Attributes:
        float_parts: What stays float32 besides the last convolutions and all behind them, of
            :data:`FLOAT_PARTS`: the first convolution, convolutions of one channel each, all behind
            the backbone.
        min_stride: Pixels of the input; what makes maps whose cells are less apart stays float32.
        calibration: Of the ranges of values, of :data:`CALIBRATIONS`: the least and the greatest, all
            but .01 % of them, or least relative entropy.
        per_channel: A scale for each output channel of a convolution's weights; else one for all.
        max_images: By which ranges are chosen.
    """

    float_parts: tuple[str, ...] = ()
    min_stride: int = 1
    calibration: str = 'minmax'
    per_channel: bool = True
    max_images: int = 200


DEFAULT = Int8Recipe()
# Histograms of 200 images would take many minutes.
RECIPES: Mapping[str, Int8Recipe] = {
    'all': DEFAULT,
    'all, one scale for all channels': Int8Recipe(per_channel=False),
    'all, ranges by percentile': Int8Recipe(calibration='percentile', max_images=48),
    'all, ranges by entropy': Int8Recipe(calibration='entropy', max_images=48),
    'all but the first layer': Int8Recipe(('stem',)),
    'all but depthwise layers': Int8Recipe(('depthwise',)),
    'backbone': Int8Recipe(('neck',)),
    'backbone but first and depthwise layers': Int8Recipe(('neck', 'stem', 'depthwise')),
    'backbone from stride 16 on': Int8Recipe(('neck',), 16),
    'backbone from stride 32 on': Int8Recipe(('neck',), 32),
}


def quantise(path: Path, out: Path, info: ModelInfo, sources: Sequence[ImageSource],
             recipe: Int8Recipe = DEFAULT, ranges: Path | None = None) -> None:
    """Write a model with 8-bit weights.

    Args:
        path: Of the exported model.
        out: The new file.
        info: Of the model.
        sources: Images by which the ranges of values are chosen, of a recipe the first
            ``max_images``.
        recipe: How.
        ranges: Keeps the ranges for another recipe of the same calibration; None: they are not kept.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    sources = sources[:recipe.max_images]
    chunk = None
    if recipe.calibration != 'minmax' and len(sources) > CHUNK:
        sources, chunk = sources[:len(sources) // CHUNK * CHUNK], CHUNK

    class Frames(CalibrationDataReader):
        """Frames of the images, one by one."""

        def __init__(self) -> None:
            self.set_range(0, len(sources))

        def __len__(self) -> int:
            return len(sources)

        def set_range(self, start_index: int, end_index: int) -> None:
            """Give the frames of some images next."""
            self.frames = (make_frame(source, info, str(source)[:200])
                           for source in sources[start_index:end_index])

        def get_next(self) -> dict[str, np.ndarray] | None:
            """Return the next frame as the graph's input; None at the end."""
            frame = next(self.frames, None)
            return None if frame is None else dict(images=frame.pixels[None, None])

    method = dict(minmax=CalibrationMethod.MinMax, percentile=CalibrationMethod.Percentile,
                  entropy=CalibrationMethod.Entropy)[recipe.calibration]
    with quiet_root_logger(), contextlib.redirect_stdout(None):
        quantize_static(
            str(path), str(out), Frames(), quant_format=QuantFormat.QDQ,
            per_channel=recipe.per_channel, activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8, op_types_to_quantize=list(OPERATORS),
            nodes_to_exclude=float_nodes(onnx.load(str(path)), recipe.float_parts, recipe.min_stride),
            calibrate_method=method, calibration_cache_path=ranges,
            extra_options=dict(CalibPercentile=PERCENTILE, CalibStridedMinMax=chunk))
    model = onnx.load(str(out))
    del model.metadata_props[:]
    changed = replace(info, precision='int8')
    out.write_bytes(write_metadata(model.SerializeToString(), {METADATA_KEY: changed.to_json()}))


@contextlib.contextmanager
def quiet_root_logger() -> Iterator[None]:
    """Keep the advice that ONNX Runtime's calibration gives by the root logger off the screen."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def float_nodes(model: onnx.ModelProto, parts: Sequence[str] = (), min_stride: int = 1
                ) -> list[str]:
    """Return the names of the nodes that stay float32, in the order of the graph.

    Args:
        model: Its nodes have names, those of the backbone begin with ``/backbone/``.
        parts: Of :data:`FLOAT_PARTS`.
        min_stride: As in :class:`Int8Recipe`.

    Raises:
        ValueError: A part is none of these.
    """
    unknown = set(parts) - set(FLOAT_PARTS)
    if unknown:
        raise ValueError(f'float_parts: {", ".join(sorted(unknown))}; some of '
                         f'{", ".join(FLOAT_PARTS)} are expected')
    chosen = set(nodes_behind(model))
    chosen |= {name for name, stride in find_strides(model).items() if stride < min_stride}
    convolutions = [node for node in model.graph.node if node.op_type == 'Conv']
    if 'stem' in parts:
        chosen |= {node.name for node in convolutions[:1]}
    if 'depthwise' in parts:
        chosen |= {node.name for node in convolutions if any(
            entry.name == 'group' and entry.i > 1 for entry in node.attribute)}
    if 'neck' in parts:
        chosen |= {node.name for node in model.graph.node if not node.name.startswith('/backbone/')}
    return [node.name for node in model.graph.node if node.name in chosen]


def find_strides(model: onnx.ModelProto) -> dict[str, int]:
    """Return for each node how many pixels of the input its cells are apart, by the node's name.

    Args:
        model: Its nodes have names. What enlarges maps behind a backbone is not looked at.
    """
    of_tensor: dict[str, int] = {}
    strides = {}
    for node in model.graph.node:
        step = next((entry.ints[0] for entry in node.attribute if entry.name == 'strides'), 1)
        strides[node.name] = step * max((of_tensor.get(name, 1) for name in node.input), default=1)
        of_tensor.update(dict.fromkeys(node.output, strides[node.name]))
    return strides


def nodes_behind(model: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes from the last convolutions on, which stay float32.

    A last convolution is one from which no path leads to another: 8 bits of what it gives would leave
    256 scores in a map.

    Args:
        model: Its nodes have names.
    """
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    leads_to_convolution: dict[str, bool] = {}
    for node in reversed(model.graph.node):  # nodes are in an order in which they can be computed
        leads_to_convolution[node.name] = any(
            reader.op_type == 'Conv' or leads_to_convolution[reader.name]
            for name in node.output for reader in readers.get(name, ()))
    return [name for name, leads in leads_to_convolution.items() if not leads]
