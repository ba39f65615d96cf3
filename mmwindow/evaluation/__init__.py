"""Exact FROC and ROC for point-annotated findings; numpy and scipy only.

The metric class of mmdet's runner lives in :mod:`mmwindow.evaluation.metrics`, which is
imported only where mmdet is.
"""
from .components import box_events, map_events
from .events import ImageEvents
from .floor import RunningFloor, find_floor, prune_events
from .froc import CONVENTIONS, DEFAULT_BUDGETS, FROCCurve, froc_curve
from .hit_rules import HIT_RULES
from .roc import ROCCurve, auroc, roc_curve

__all__ = ['CONVENTIONS', 'DEFAULT_BUDGETS', 'FROCCurve', 'HIT_RULES', 'ImageEvents', 'ROCCurve',
           'RunningFloor', 'auroc', 'box_events', 'find_floor', 'froc_curve', 'map_events',
           'prune_events', 'roc_curve']
