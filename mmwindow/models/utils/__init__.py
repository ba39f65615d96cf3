"""Pure functions that heads and detectors share."""
from mmwindow.models.utils.findings import findings_from_map, instances_from_map
from mmwindow.models.utils.geometry import check_upright, view_matrix
from mmwindow.models.utils.maps import (
    bounded_scores,
    crop_to_frame,
    mean_logits,
    merge_levels,
    resize_maps,
    sample_bilinear,
)
from mmwindow.models.utils.pooling import (
    check_sharpness,
    log_sum_exp_pool,
    mean_pool,
    pooled_probability_logits,
)
from mmwindow.models.utils.view_merging import average_maps, move_boxes, vote_boxes

__all__ = ['average_maps', 'bounded_scores', 'check_sharpness', 'check_upright', 'crop_to_frame',
           'findings_from_map', 'instances_from_map', 'log_sum_exp_pool', 'mean_logits', 'mean_pool',
           'merge_levels', 'move_boxes', 'pooled_probability_logits', 'resize_maps',
           'sample_bilinear', 'view_matrix', 'vote_boxes']
