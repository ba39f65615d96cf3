"""The heads of the image classifiers in the paper's Table 1: CheXNet, WSPL and UFDet."""
from typing import Any

from mmdet.registry import MODELS
from torch import Tensor

from mmwindow.models.heads.image_label_head import ImageLabelHead, ImageLabelLogits
from mmwindow.models.utils import (
    check_sharpness,
    log_sum_exp_pool,
    mean_pool,
    pooled_probability_logits,
)


@MODELS.register_module()
class CheXNetHead(ImageLabelHead):
    """Global average pooling and a fully connected layer (Rajpurkar et al. 2017).

    The image's logit is the mean of its class activation map. Arguments as in
    :class:`ImageLabelHead`.
    """

    def pool(self, features: Tensor) -> Tensor:
        """Return the mean over cells."""
        return mean_pool(features)


@MODELS.register_module()
class WSPLHead(ImageLabelHead):
    """Log-sum-exp pooling of the features and a fully connected layer (Wang et al. 2017).

    Args:
        sharpness: r of :func:`log_sum_exp_pool`; 10 is what Wang et al.,
            *ChestX-ray8*, CVPR 2017, section 4, found best.
        **kwargs: As in :class:`ImageLabelHead`.
    """

    def __init__(self, *args: Any, sharpness: float = 10., **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sharpness = check_sharpness(sharpness)

    def pool(self, features: Tensor) -> Tensor:
        """Return the log-sum-exp over cells."""
        return log_sum_exp_pool(features, self.sharpness)


@MODELS.register_module()
class UFDetHead(ImageLabelHead):
    """A probability map by a 1 x 1 convolution, log-sum-exp pooled (Wang et al. 2019, stage 1).

    The probabilities of the cells are pooled, not their logits, as the paper (section 4) says: the
    image's score lies between the mean and the maximum of the map, which is what is evaluated.

    Args:
        sharpness: r of the pooling. Assumption (docs/method.md, section 10): 10, as for
            WSPL; the paper names none.
        **kwargs: As in :class:`ImageLabelHead`.
    """

    def __init__(self, *args: Any, sharpness: float = 10., **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sharpness = check_sharpness(sharpness)

    def image_logits(self, features: Tensor, map_logits: Tensor) -> Tensor:
        """Return the logits ``(B, num_classes)`` of the pooled probabilities."""
        return pooled_probability_logits(map_logits, self.sharpness)

    def score_maps(self, outputs: ImageLabelLogits) -> Tensor:
        """Return the enlarged probability maps."""
        # In float64, as in merge_levels: equal logits have equal float32 scores.
        return self.enlarge(outputs.map_logits.double().sigmoid().float())
