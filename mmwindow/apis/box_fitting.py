"""Anchors and ranges of the box detectors that fit pseudo-boxes of one size."""
from typing import Any

from mmengine.config import Config

from mmwindow.structures.bounds import scale_length
from mmwindow.utils.config_pipelines import find_steps, input_size_of

WITHOUT_END = 1e8  # as in mmdet; a config cannot hold math.inf
ANCHOR_HEADS, RANGE_HEADS = ('RetinaHead', 'RetinaImageHead', 'RPNHead'), ('FCOSHead', )


def pseudo_box_side(cfg: Config) -> float:
    """Return the side of the pseudo-boxes of a config in pixels of its input.

    Raises:
        ValueError: It learns from no pseudo-boxes, or its pipelines name no input size.
    """
    sizes = {float(step.get('size', 200)) for _, step in find_steps(cfg, 'PointsToPseudoBoxes')}
    size = input_size_of(cfg)
    if len(sizes) != 1 or size is None:
        raise ValueError('fit_boxes: the training pipeline has no PointsToPseudoBoxes of one size, '
                         'or no ResizeToInput; boxes of many sizes have no one anchor: leave '
                         'fit_boxes out')
    return scale_length(sizes.pop(), max(size))


def anchors_of_one_size(side: float, strides: Any) -> dict[str, Any]:
    """Return the config of square anchors of one side, centred in the cells of every level.

    Args:
        side: Of the anchors, in pixels of the input.
        strides: Of the levels, in pixels of the input.
    """
    return dict(type='AnchorGenerator', strides=list(strides), base_sizes=[side] * len(strides),
                scales=[1.], ratios=[1.], centers=[(stride / 2, stride / 2) for stride in strides])


def ranges_of_one_size(side: float, num_levels: int) -> tuple[tuple[float, float], ...]:
    """Return ranges of FCOS' levels by which boxes up to a side belong to the finest one.

    A cell of a box has its furthest side less than ``side`` away.

    Args:
        side: Of the boxes, in pixels of the input.
        num_levels: Of the head.
    """
    ends = [side * 2 ** level for level in range(num_levels - 1)]
    return tuple(zip([-1., *ends], [*ends, WITHOUT_END], strict=True))


def fit_boxes(cfg: Config) -> None:
    """Let a box detector's anchors, or ranges, be those of its pseudo-boxes (``fit_boxes = True``).

    mmdet's anchors are three sizes and three shapes a level, made for COCO. Here each level has one,
    of the size of the pseudo-boxes: at input 384 every point within the frame has an anchor whose
    intersection over union with its box is above .8, where mmdet's leave some at .67 (RetinaNet)
    and .73 (Faster R-CNN).

    Args:
        cfg: Complete, its input size final; is changed.

    Raises:
        ValueError: The model has no head with anchors or ranges, its region proposals would come
            from a level of one anchor, or :func:`pseudo_box_side`.
    """
    heads = [head for head in (cfg.model.get('rpn_head'), cfg.model.get('bbox_head')) if head]
    kinds = [str(head.get('type')).rpartition('.')[2] for head in heads]
    if not {*ANCHOR_HEADS, *RANGE_HEADS} & {*kinds}:
        raise ValueError(f'fit_boxes: the model is a {cfg.model.get("type")} with '
                         f'{", ".join(kinds) or "no head"}; one of {", ".join(ANCHOR_HEADS)} or '
                         f'{", ".join(RANGE_HEADS)} is expected: leave fit_boxes out')
    side, longer = pseudo_box_side(cfg), max(input_size_of(cfg) or (0, ))
    for head, kind in zip(heads, kinds, strict=True):
        if kind in ANCHOR_HEADS:
            last = head.anchor_generator.strides[-1]
            if kind == 'RPNHead' and longer <= last:
                # mmdet squeezes the scores of a level, and takes the length of what is left.
                raise ValueError(f'fit_boxes: at input {longer} the last level of RPNHead has one '
                                 'anchor, which mmdet cannot read; take an input of more than '
                                 f'{last} pixels, or fit_boxes = False')
            head.anchor_generator = anchors_of_one_size(side, head.anchor_generator.strides)
        elif kind in RANGE_HEADS:
            head.regress_ranges = ranges_of_one_size(side, len(head.strides))
