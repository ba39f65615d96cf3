"""RetinaNet that learns from image labels, too: the control of WL+'s image window."""
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import RetinaHead
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from torch import Tensor, nn

from mmwindow.models.heads.image_label_head import image_window_loss


@MODELS.register_module()
class RetinaImageHead(RetinaHead):
    """RetinaNet's head with the image window of :class:`~mmwindow.models.heads.DensePointHead`.

    A logit of the image, from the mean of the coarsest level, is added to the class logits of every
    anchor. It learns from the image's label; the anchors' losses do not reach it. Outputs are as
    those of ``RetinaHead``, so that prediction and export are the same.

    Args:
        *args: As ``RetinaHead``.
        image_window: Config of the loss of the image's logit.
        **kwargs: As ``RetinaHead``.
    """

    def __init__(self, *args: Any, image_window: Mapping | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.use_sigmoid_cls:
            raise ValueError('RetinaImageHead: loss_cls has use_sigmoid=False; the logit of an image '
                             'is added to those of a sigmoid: set use_sigmoid=True')
        self.image_window = MODELS.build(image_window or dict(type='WindowLoss', loss_weight=0.1))
        self.image_classifier = nn.Conv2d(self.in_channels, self.num_classes, kernel_size=1)

    def image_logits(self, features: Sequence[Tensor]) -> Tensor:
        """Return the logits of images, ``(B, num_classes, 1, 1)``, of features per level."""
        logits: Tensor = self.image_classifier(features[-1].mean((2, 3), keepdim=True))
        return logits

    def forward(self, x: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return class logits and box shifts per level; the image's logit is part of the first."""
        scores, boxes = super().forward(x)
        # Channels are anchors of all classes each: (anchor 0, class 0), (anchor 0, class 1), ...
        image = torch.cat([self.image_logits(x).detach()] * self.num_base_priors, dim=1)
        return [level + image for level in scores], boxes

    def loss(self, x: Sequence[Tensor], batch_data_samples: Sequence[DetDataSample]
             ) -> dict[str, Any]:
        """Return the losses of ``RetinaHead`` and ``loss_image``."""
        losses: dict[str, Any] = super().loss(x, batch_data_samples)
        losses['loss_image'] = image_window_loss(self.image_window, self.image_logits(x),
                                                 batch_data_samples)
        return losses
