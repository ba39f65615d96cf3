"""From a detector of torch to ONNX graphs: folded, with normalisation inside, outputs by name."""
import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import onnx
import torch
import torch.nn.functional as F
from mmcv.cnn.utils.fuse_conv_bn import fuse_conv_bn
from mmdet.models.dense_heads import FCOSHead, RetinaHead
from mmdet.models.detectors import SingleStageDetector, TwoStageDetector
from torch import Tensor, nn

from mmwindow.models.backbones.efficientnet_lite import ConvNorm
from mmwindow.models.heads.map_head import MapHead
from mmwindow.models.heads.retina_image_head import RetinaImageHead
from mmwindow.models.utils.linear_pyramid import is_linear, multiply_kernels
from mmwindow.utils.messages import shorten

OPSET = 17
DENSE_HEADS = (RetinaHead, RetinaImageHead, FCOSHead)  # of others the outputs are not known
EXAMPLE_BATCH = 2  # not 1, which a trace could take for a size that never changes


class Graph(NamedTuple):
    """An ONNX graph.

    Attributes:
        content: The file.
        outputs: Names.
    """

    content: bytes
    outputs: tuple[str, ...]


def fold_constants(model: nn.Module) -> nn.Module:
    """Return a copy of a model in which batch normalisation and padding are parts of convolutions.

    ONNX Runtime rejects convolutions whose kernel is computed, as :class:`ConvNorm` computes it.

    Args:
        model: In evaluation mode.
    """
    folded = fold_conv_norms(deepcopy(model))
    return fuse_conv_bn(folded).eval()


def fold_conv_norms(module: nn.Module) -> nn.Module:
    """Replace each :class:`ConvNorm` in a module by a plain convolution, and return the module."""
    for name, child in list(module.named_children()):
        if not isinstance(child, ConvNorm):
            fold_conv_norms(child)
            continue
        plain: nn.Module = fold_conv_norm(child)
        if 'activation' in child._modules:
            plain = nn.Sequential(plain, child.activation)
        setattr(module, name, plain)
    return module


def fold_conv_norm(layer: ConvNorm) -> nn.Conv2d:
    """Return the one convolution that a layer of ours is, computed in float64."""
    conv, norm = layer.conv, layer.norm
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ValueError('a batch normalisation without running statistics cannot be folded')
    scale = norm.weight.double() * torch.rsqrt(variance.double() + norm.eps)
    weight = conv.weight.double() * scale.view(-1, 1, 1, 1)
    if conv.is_uneven:
        weight = F.pad(weight, (1, 0, 1, 0))
    padding = conv.padding[0]
    plain = nn.Conv2d(conv.in_channels, conv.out_channels, weight.shape[-1], int(conv.stride[0]),
                      int(padding), groups=conv.groups)
    plain.weight.data = weight.float()
    plain.bias = nn.Parameter((norm.bias.double() - mean.double() * scale).float())
    return plain


def fold_pyramid(model: Any) -> None:
    """Let a linear pyramid under a linear head end in their product.

    Each level's last convolution then gives the classes' logits, and the head has nothing left to
    do, as in :mod:`mmwindow.models.utils.linear_pyramid`.

    Args:
        model: A copy; is changed.
    """
    neck: Any = getattr(model, 'neck', None)
    head = model.bbox_head
    if not (is_linear(neck) and getattr(head, 'takes_pending_levels', False)):
        return
    outer = deepcopy(head.convolution).double()
    for level in neck.fpn_convs:
        inner = level.conv.double()
        weight, bias = multiply_kernels(inner, outer)
        level.conv = nn.Conv2d(inner.in_channels, outer.out_channels, inner.kernel_size,
                               inner.stride, inner.padding, bias=bias is not None)
        level.conv.weight.data = weight.float()
        if bias is not None:
            level.conv.bias = nn.Parameter(bias.float())
    head.convolution = nn.Identity()


class Normalised(nn.Module):
    """What all graphs begin with: grey levels to normalised channels, backbone and neck.

    Args:
        model: Folded.
        preprocessor: Of the model, with mean and standard deviation of three channels.

    Raises:
        ValueError: The preprocessor normalises otherwise.
    """

    model: Any

    def __init__(self, model: nn.Module, preprocessor: Any) -> None:
        super().__init__()
        if not getattr(preprocessor, '_enable_normalize', False) or preprocessor.mean.numel() != 3:
            raise ValueError('the data_preprocessor of the model does not normalise three channels '
                             'by mean and std; such a model cannot be exported')
        # Grey levels are equal in all channels: their order matters only to mean and deviation.
        self.mean = preprocessor.mean.view(1, 3, 1, 1).cpu()
        self.std = preprocessor.std.view(1, 3, 1, 1).cpu()
        self.model = model

    def features(self, images: Tensor) -> Sequence[Tensor]:
        """Return the levels that heads read."""
        levels: Sequence[Tensor] = self.model.backbone((images.float() - self.mean) / self.std)
        return self.model.neck(levels) if self.model.with_neck else levels


class MapGraph(Normalised):
    """A head of ours: map and image score."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return maps ``(B, C, h, w)`` and scores ``(B, C)``."""
        head = self.model.bbox_head
        outputs = head([level.float() for level in self.features(images)])
        maps, scores = head.score_maps(outputs), head.image_scores(outputs)
        return maps, maps.amax(dim=(2, 3)) if scores is None else scores


class DenseGraph(Normalised):
    """A box detector of one stage: what its head gives for each level."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return scores of all levels, boxes of all, and where there are, centredness of all."""
        return tuple(level for part in self.model.bbox_head(self.features(images)) for level in part)


class ProposalGraph(Normalised):
    """The first stage of Faster R-CNN: scores and boxes of the proposals, and the features."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return scores of all levels, boxes of all, and the levels that regions are read from."""
        levels = self.features(images)
        read = self.model.roi_head.bbox_roi_extractor.num_inputs
        return (*(level for part in self.model.rpn_head(levels) for level in part), *levels[:read])


class RegionGraph(nn.Module):
    """The second stage of Faster R-CNN, from what was read of each region."""

    head: Any

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.head = model.roi_head.bbox_head

    def forward(self, regions: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits ``(K, C + 1)`` and shifts of boxes."""
        logits, deltas = self.head(regions)
        return logits, deltas


def make_graphs(model: nn.Module, input_size: Sequence[int]) -> tuple[Graph, ...]:
    """Return the ONNX graphs of a detector: one, or two of Faster R-CNN.

    Args:
        model: In evaluation mode, on the CPU; it is not changed.
        input_size: Height and width of what the network sees, pixels.

    Raises:
        ValueError: The model is of a kind that is not exported.
    """
    folded = fold_constants(model)
    double_neighbours(folded)
    preprocessor = model.data_preprocessor
    images = torch.zeros(EXAMPLE_BATCH, 1, *input_size, dtype=torch.uint8)
    head: Any = getattr(folded, 'bbox_head', None)
    if isinstance(folded, SingleStageDetector) and isinstance(head, MapHead):
        fold_pyramid(folded)
        return (trace(MapGraph(folded, preprocessor), images, 'images', ('map', 'score')), )
    if isinstance(folded, SingleStageDetector) and type(head) in DENSE_HEADS:
        kinds = ('class', 'box', 'factor')[:3 if type(head) is FCOSHead else 2]
        num_levels = len(head.prior_generator.strides)
        names = tuple(f'{kind}_{level}' for kind in kinds for level in range(num_levels))
        return (trace(DenseGraph(folded, preprocessor), images, 'images', names), )
    if isinstance(folded, TwoStageDetector):
        return trace_two_stages(folded, preprocessor, images)
    raise ValueError(f'a {type(model).__name__} with {type(head).__name__} cannot be exported; heads '
                     'of maps, RetinaHead, FCOSHead and Faster R-CNN can')


def double_neighbours(model: nn.Module) -> None:
    """Let a feature pyramid enlarge by 2 rather than to a size, which a trace would compute.

    Sides of the input are multiples of 32, so that both are the same.
    """
    neck = getattr(model, 'neck', None)
    if neck is not None and getattr(neck, 'upsample_cfg', None) == dict(mode='nearest'):
        neck.upsample_cfg = dict(mode='nearest', scale_factor=2)


def trace(module: nn.Module, example: Tensor, name: str, outputs: tuple[str, ...]) -> Graph:
    """Return a module as an ONNX graph whose first dimension is free.

    torch's exporter by tracing writes it: it takes 1 s for EfficientNet-Lite0, where the newer one
    (``dynamo=True``) takes 10 to 20 s, and needs no further package.

    Args:
        module: In evaluation mode.
        example: Input.
        name: Of the input.
        outputs: Names.

    Raises:
        ValueError: torch cannot write it.
    """
    buffer: Any = io.BytesIO()
    options: dict[str, Any] = dict(dynamo=False) if 'dynamo' in (
        torch.onnx.export.__code__.co_varnames) else {}
    try:
        with torch.no_grad(), warnings.catch_warnings(), exact_functions():
            warnings.simplefilter('ignore')
            torch.onnx.export(
                module.eval(), (example, ), buffer, input_names=[name], output_names=list(outputs),
                dynamic_axes={key: {0: 'batch'} for key in (name, *outputs)}, opset_version=OPSET,
                **options)
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        raise ValueError(f'torch cannot write the model as ONNX: {shorten(str(error))}') from error
    return Graph(simplify(onnx.load_from_string(buffer.getvalue())).SerializeToString(), outputs)


@contextlib.contextmanager
def exact_functions() -> Iterator[None]:
    """Teach torch's exporter ``expm1`` and ``log1p``, which ONNX does not have, for a while.

    ``expm1(x) = tanh(x / 2) (exp(x) + 1)``; ``log1p(y) = log(u) y / (u - 1)`` with ``u = 1 + y``.
    Both are as exact as the functions of ONNX that they are made of.
    """
    def constant(graph: Any, number: float) -> Any:
        return graph.op('Constant', value_t=torch.tensor(number, dtype=torch.float64))

    def expm1(graph: Any, value: Any) -> Any:
        half = graph.op('Tanh', graph.op('Mul', value, constant(graph, 0.5)))
        return graph.op('Mul', half, graph.op('Add', graph.op('Exp', value), constant(graph, 1.)))

    def log1p(graph: Any, value: Any) -> Any:
        one = constant(graph, 1.)
        total = graph.op('Add', value, one)
        rounded = graph.op('Sub', total, one)
        is_tiny = graph.op('Equal', rounded, constant(graph, 0.))
        share = graph.op('Div', value, graph.op('Where', is_tiny, one, rounded))
        return graph.op('Where', is_tiny, value, graph.op('Mul', graph.op('Log', total), share))

    symbols = {'aten::expm1': expm1, 'aten::log1p': log1p}
    for name, function in symbols.items():
        torch.onnx.register_custom_op_symbolic(name, function, OPSET)
    try:
        yield
    finally:
        for name in symbols:
            torch.onnx.unregister_custom_op_symbolic(name, OPSET)


def trace_two_stages(model: Any, preprocessor: Any, images: Tensor) -> tuple[Graph, Graph]:
    """Return the graphs of Faster R-CNN: the second one reads regions by ONNX's RoiAlign."""
    extractor = model.roi_head.bbox_roi_extractor
    layers = extractor.roi_layers
    if any(type(layer).__name__ != 'RoIAlign' or layer.pool_mode != 'avg' for layer in layers):
        raise ValueError('regions are not read by RoIAlign with means; such a model cannot be '
                         'exported')
    if model.roi_head.with_shared_head or model.roi_head.with_mask:
        raise ValueError('a Faster R-CNN with a shared head or masks cannot be exported')
    num_levels, read = len(model.rpn_head.prior_generator.strides), len(layers)
    names = (*(f'{kind}_{level}' for kind in ('class', 'box') for level in range(num_levels)),
             *(f'feature_{level}' for level in range(read)))
    first = trace(ProposalGraph(model, preprocessor), images, 'images', names)
    rows, columns = layers[0].output_size
    channels = extractor.out_channels
    example = torch.zeros(EXAMPLE_BATCH, channels, rows, columns)
    second = trace(RegionGraph(model), example, 'regions', ('class', 'box'))
    graph = onnx.load_from_string(second.content)
    read_regions(graph, layers, channels)
    return first, Graph(graph.SerializeToString(), second.outputs)


def read_regions(model: onnx.ModelProto, layers: Sequence[Any], channels: int) -> None:
    """Put the reading of regions before a graph whose input is ``regions``.

    mmcv's RoIAlign with ``aligned=True`` is ONNX's with half a pixel of shift; a sampling ratio of 0
    is in both one sample a pixel.

    Args:
        model: Is changed: its inputs are then ``feature_<level>``, ``regions_<level>`` (x1, y1, x2,
            y2 in pixels of the frame) and ``owners_<level>`` (rows of the batch); regions of all
            levels follow each other in the outputs.
        layers: RoIAlign of each level.
        channels: Of the features.
    """
    helper, kinds = onnx.helper, onnx.TensorProto
    inputs, nodes, read = [], [], []
    for level, layer in enumerate(layers):
        rows, columns = layer.output_size
        inputs += [
            helper.make_tensor_value_info(f'feature_{level}', kinds.FLOAT,
                                          ['batch', channels, f'rows_{level}', f'columns_{level}']),
            helper.make_tensor_value_info(f'regions_{level}', kinds.FLOAT, [f'number_{level}', 4]),
            helper.make_tensor_value_info(f'owners_{level}', kinds.INT64, [f'number_{level}'])]
        nodes.append(helper.make_node(
            'RoiAlign', [f'feature_{level}', f'regions_{level}', f'owners_{level}'],
            [f'read_{level}'], name=f'read_{level}', mode='avg', output_height=rows,
            output_width=columns, sampling_ratio=layer.sampling_ratio,
            spatial_scale=float(layer.spatial_scale),
            coordinate_transformation_mode='half_pixel' if layer.aligned else 'output_half_pixel'))
        read.append(f'read_{level}')
    nodes.append(helper.make_node('Concat', read, ['regions'], name='read', axis=0))
    graph = model.graph
    others = list(graph.node)
    del graph.input[:], graph.node[:]
    graph.input.extend(inputs)
    graph.node.extend([*nodes, *others])
    onnx.checker.check_model(model)


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Cut rows and columns of zeros off kernels, give each layer weights of its own, check the graph.

    torch writes equal weights once, with an Identity for the others, which hides biases from ONNX
    Runtime's 8-bit weights.

    A kernel of 4 x 4 whose first row and column are zeros (TensorFlow's padding, see ``SameConv2d``)
    is one of 3 x 3 that begins a pixel later, and ONNX can pad each side by its own number.

    Args:
        model: Is changed.
    """
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in list(model.graph.node):
        if node.op_type == 'Identity' and node.input[0] in weights:
            tensor = model.graph.initializer.add()
            tensor.CopyFrom(weights[node.input[0]])
            tensor.name = node.output[0]
            weights[tensor.name] = tensor
            model.graph.node.remove(node)
    for node in model.graph.node:
        if node.op_type != 'Conv' or node.input[1] not in weights:
            continue
        kernel = onnx.numpy_helper.to_array(weights[node.input[1]])
        size = kernel.shape[-1]
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if kernel.ndim != 4 or size % 2 or 'pads' not in attributes or (
                kernel[..., 0, :].any() or kernel[..., :, 0].any()):
            continue
        tensor = onnx.numpy_helper.from_array(kernel[..., 1:, 1:].copy(), node.input[1])
        weights[node.input[1]].CopyFrom(tensor)
        top, left, bottom, right = attributes['pads'].ints
        attributes['pads'].ints[:] = [top - 1, left - 1, bottom, right]
        attributes['kernel_shape'].ints[:] = [size - 1, size - 1]
    model.producer_name = 'mmwindow'
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    return model
