"""Pure functions that heads and detectors share."""
from mmwindow.models.utils.findings import findings_from_map, instances_from_map
from mmwindow.models.utils.maps import bounded_scores, enlarge, merge_levels
from mmwindow.models.utils.pooling import (
    check_sharpness,
    log_sum_exp_pool,
    mean_pool,
    pooled_probability_logits,
)

__all__ = ['bounded_scores', 'check_sharpness', 'enlarge', 'findings_from_map',
           'instances_from_map', 'log_sum_exp_pool', 'mean_pool', 'merge_levels',
           'pooled_probability_logits']
