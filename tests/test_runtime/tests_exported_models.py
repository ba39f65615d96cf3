"""Tiny models of random weights that find something, exported; see the fixture ``exported``."""
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope
from mmengine.runner import save_checkpoint
from torch import nn

from mmwindow.apis.config import load_config
from mmwindow.apis.export import ExportResult, export
from mmwindow.apis.inference import PointInferencer
from mmwindow.synthetic.radiograph import generate_radiograph

CONFIGS = Path(__file__).parents[2] / 'configs'
# Deviation of what the last layers give: scores spread between 0 and 1, boxes differ from anchors.
LAST_LAYERS = dict(convolution=2., classifier=2., retina_cls=2., conv_cls=2., fc_cls=1., rpn_cls=2.,
                   retina_reg=.2, rpn_reg=.2, fc_reg=1., conv_reg=.3, conv_centerness=1.)


@dataclass
class ExportedModel:
    """A model in torch and exported."""

    config: Path
    weights: Path
    inferencer: PointInferencer
    images: list
    result: ExportResult

    @property
    def path(self) -> Path:
        """The exported file."""
        return self.result.path


def make_exported_model(system: str, folder: Path, side: int, seed: int = 0) -> ExportedModel:
    """Build, write and export a system by the path of its config below configs/, without '.py'."""
    torch.manual_seed(seed)
    options: dict[str, Any] = {'input_size': side}
    if 'faster_rcnn_lite0' in system:
        options['input_size'] = side = max(side, 96)  # so that its anchors fit
    if '_r50' in system:
        options |= {'model.backbone.depth': 18, 'model.backbone.init_cfg': None,
                    'model.neck.in_channels': [64, 128, 256, 512]}
    cfg = load_config(CONFIGS / f'{system}.py', cfg_options=options)
    if '_lite0' in system:
        cfg.model.backbone.pretrained = False
    cfg.dump(str(folder / 'config.py'))
    init_default_scope('mmdet')
    model = MODELS.build(cfg.model).eval()
    model.init_weights()
    spread(model, side)
    weights = folder / 'weights.pth'
    save_checkpoint(dict(meta=dict(dataset_meta=dict(classes=('fracture',))),
                         state_dict=model.state_dict()), str(weights))
    images = [generate_radiograph(seed, side=64 + 30 * seed).img for seed in range(3)]
    out = folder / f'model.{"zip" if "faster" in system else "onnx"}'
    result = export(folder / 'config.py', out, weights, num_images=3)
    inferencer = PointInferencer(folder / 'config.py', weights, device='cpu')
    return ExportedModel(folder / 'config.py', weights, inferencer, images, result)


def spread(model: nn.Module, side: int) -> None:
    """Give a model statistics of batch normalisation, and last layers whose outputs spread."""
    pixels = np.stack([generate_radiograph(seed, side=side).img[:side // 2, :side // 2]
                       for seed in range(10, 14)])
    images = (torch.from_numpy(pixels).float()[:, None].repeat(1, 3, 2, 2) - 127) / 60
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
            layer.train()
    with torch.no_grad():
        model.extract_feat(images)
        model.eval()
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.uniform_(.6, 1.1)
                layer.bias.uniform_(-.2, .2)
        handles = [layer.register_forward_hook(Spread(name.rpartition('.')[2]))
                   for name, layer in model.named_modules()
                   if name.rpartition('.')[2] in LAST_LAYERS]
        levels = model.extract_feat(images)
        if hasattr(model, 'rpn_head'):
            model.rpn_head(levels)
            corners = torch.rand(60, 2) * side / 2
            regions = torch.cat([torch.zeros(60, 1), corners, corners + side / 4], dim=1)
            model.roi_head.bbox_head(model.roi_head.bbox_roi_extractor(levels[:4], regions))
        else:
            model.bbox_head(levels)
    for handle in handles:
        handle.remove()


class Spread:
    """Scale a layer at its first call, so that its outputs have a given deviation."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_done = False

    def __call__(self, layer: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        """Return what the layer gives after it was scaled."""
        if not self.is_done:
            self.is_done = True
            layer.weight *= LAST_LAYERS[self.name] / float(output.std())
            if layer.bias is not None:
                layer.bias.zero_()
                middle = layer._conv_forward(*inputs, layer.weight, None).mean() if isinstance(
                    layer, nn.Conv2d) else nn.functional.linear(inputs[0], layer.weight).mean(0)
                layer.bias -= middle
        return output
