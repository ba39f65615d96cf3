"""Exact FROC and ROC for point-annotated findings; numpy and scipy only.

The metric class of mmdet's runner lives in :mod:`mmwindow.evaluation.metrics`, which is
imported only where mmdet is.
"""
from .components import box_events, map_events
from .events import ImageEvents
from .floor import RunningFloor, find_floor, prune_events
from .froc import CONVENTIONS, DEFAULT_BUDGETS, FROCCurve, froc_curve
from .hit_rules import HIT_RULES
from .predictions import Prediction, Target
from .records import Record, read_record, write_record
from .roc import ROCCurve, auroc, roc_curve
from .scoring import evaluate

__all__ = ['CONVENTIONS', 'DEFAULT_BUDGETS', 'FROCCurve', 'HIT_RULES', 'ImageEvents', 'Prediction',
           'ROCCurve', 'Record', 'RunningFloor', 'Target', 'auroc', 'box_events', 'evaluate',
           'find_floor', 'froc_curve', 'map_events', 'prune_events', 'read_record', 'roc_curve',
           'write_record']
