"""The model of a config without its pretrained weights: to compare shapes, to time steps."""
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn


def build_untrained(cfg: Config, num_classes: int | None = None) -> nn.Module:
    """Return the model of a config with random weights; nothing is read or fetched.

    Args:
        cfg: Complete config; is not changed.
        num_classes: Of its head; the config's if None.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    description = Config(cfg._cfg_dict.to_dict()).model
    if description.backbone.type == 'EfficientNetLite':
        description.backbone.pretrained = False
    owner = description.roi_head if 'roi_head' in description else description
    if num_classes is not None and 'bbox_head' in owner:
        owner.bbox_head.num_classes = num_classes
    model: nn.Module = MODELS.build(description)
    return model
