"""What the runtime needs of a detector besides its graph: the numbers that decode its outputs."""
from collections.abc import Mapping, Sequence
from typing import Any

from mmwindow.models.heads.map_head import MapHead
from mmwindow.runtime.decoders import (
    AnchorDecoder,
    MapDecoder,
    PointDecoder,
    ProposalDecoder,
    RegionDecoder,
    describe_decoder,
)
from mmwindow.utils.messages import quote

KNOWN_TYPES = dict(anchors='AnchorGenerator', points='MlvlPointGenerator',
                   deltas='DeltaXYWHBBoxCoder', distances='DistancePointBBoxCoder')


def make_decoder_info(model: Any) -> dict[str, Any]:
    """Return the decoder of a detector as JSON data.

    Args:
        model: Whose graphs :func:`~mmwindow.apis.export_graph.make_graphs` makes.

    Raises:
        ValueError: It has a setting that the runtime does not know.
    """
    if hasattr(model, 'rpn_head'):
        proposals = anchor_settings(model.rpn_head, model.rpn_head.test_cfg)
        # All scores go on.
        proposals['score_threshold'] = -1.
        return dict(describe_decoder(ProposalDecoder(**proposals)),
                    regions=describe_decoder(region_decoder(model.roi_head)))
    head = model.bbox_head
    if isinstance(head, MapHead):
        return describe_decoder(MapDecoder(float(head.test_cfg['score_thr']),
                                           int(head.test_cfg['max_per_img'])))
    if type(head.bbox_coder).__name__ == KNOWN_TYPES['distances']:
        check_type(head.prior_generator, 'points')
        return describe_decoder(PointDecoder(
            **dense_settings(head, head.test_cfg), offset=float(head.prior_generator.offset)))
    return describe_decoder(AnchorDecoder(**anchor_settings(head, head.test_cfg)))


def check_type(part: Any, kind: str) -> None:
    """Reject a part of a model that the runtime does not know.

    Raises:
        ValueError: Its type is none of ``KNOWN_TYPES``.
    """
    if type(part).__name__ != KNOWN_TYPES[kind]:
        raise ValueError(f'a {type(part).__name__} cannot be exported; {KNOWN_TYPES[kind]} can')


def nms_overlap(settings: Mapping[str, Any]) -> float:
    """Return the overlap of a suppression.

    Raises:
        ValueError: It is another one than mmcv's plain one.
    """
    nms = dict(settings.get('nms') or {})
    if nms.pop('type', None) != 'nms' or set(nms) != {'iou_threshold'}:
        raise ValueError(f'test_cfg.nms is {quote(settings.get("nms"))}; dict(type="nms", '
                         'iou_threshold=...) alone can be exported')
    return float(nms['iou_threshold'])


def dense_settings(head: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what :class:`~mmwindow.runtime.decoders.DenseDecoder` takes, of a head of mmdet.

    Raises:
        ValueError: The head scores by something else than a sigmoid, or has no ``nms_pre``.
    """
    if not head.use_sigmoid_cls or settings.get('nms_pre', -1) <= 0:
        raise ValueError(f'{type(head).__name__}: scores by a softmax and a test_cfg without nms_pre '
                         'cannot be exported')
    return dict(
        num_classes=int(head.cls_out_channels),
        strides=tuple(tuple(map(float, stride)) for stride in head.prior_generator.strides),
        candidates_per_level=int(settings['nms_pre']),
        score_threshold=float(settings.get('score_thr', 0)),
        min_size=float(settings.get('min_bbox_size', -1)), max_overlap=nms_overlap(settings),
        max_findings=int(settings['max_per_img']), clips=bool(head.bbox_coder.clip_border))


def anchor_settings(head: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what :class:`~mmwindow.runtime.decoders.AnchorDecoder` takes, of a head of mmdet."""
    check_type(head.prior_generator, 'anchors')
    return dict(dense_settings(head, settings), **delta_settings(head.bbox_coder), base_anchors=tuple(
        tuple(tuple(map(float, anchor)) for anchor in level.tolist())
        for level in head.prior_generator.base_anchors))


def delta_settings(coder: Any) -> dict[str, Any]:
    """Return what decodes shifts of boxes.

    Raises:
        ValueError: The coder is of another kind or clamps centres, too.
    """
    check_type(coder, 'deltas')
    if getattr(coder, 'add_ctr_clamp', False):
        raise ValueError('a bbox_coder with add_ctr_clamp cannot be exported')
    return dict(means=tuple(map(float, coder.means)), deviations=tuple(map(float, coder.stds)),
                ratio_clip=16 / 1000)


def region_decoder(roi_head: Any) -> RegionDecoder:
    """Return what decodes the second stage of Faster R-CNN.

    Raises:
        ValueError: It has a setting that the runtime does not know.
    """
    head, extractor, settings = roi_head.bbox_head, roi_head.bbox_roi_extractor, roi_head.test_cfg
    if head.custom_cls_channels or not head.with_reg:
        raise ValueError('a bbox_head with classes of its own kind or without boxes cannot be '
                         'exported')
    strides: Sequence[int] = extractor.featmap_strides
    return RegionDecoder(
        num_classes=int(head.num_classes), strides=tuple(map(float, strides)),
        finest_scale=float(extractor.finest_scale), class_agnostic=bool(head.reg_class_agnostic),
        score_threshold=float(settings['score_thr']), max_overlap=nms_overlap(settings),
        max_findings=int(settings['max_per_img']), clips=bool(head.bbox_coder.clip_border),
        **delta_settings(head.bbox_coder))
