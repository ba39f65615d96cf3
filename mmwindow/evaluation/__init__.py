"""Exact FROC and ROC for point-annotated findings; numpy and scipy only.

The metric class of mmdet's runner lives in :mod:`mmwindow.evaluation.metrics`, which is
imported only where mmdet is.
"""
from .events.components import box_events, map_events
from .events.floor import RunningFloor, find_floor, prune_events
from .events.hit_rules import HIT_RULES
from .events.image_events import ImageEvents
from .files.predictions import Prediction, Target
from .files.records import Record, read_record, write_record
from .froc import CONVENTIONS, DEFAULT_BUDGETS, FROCCurve, froc_curve
from .froc_settings import FROCSettings
from .roc import ROCCurve, auroc, roc_curve
from .scoring import evaluate
from .statistics.compare import compare_systems
from .statistics.delong import delong_interval, delong_test
from .statistics.intervals import Interval
from .statistics.operating_point import apply_operating_point, choose_operating_point
from .statistics.strata import evaluate_folds, evaluate_strata

__all__ = ['CONVENTIONS', 'DEFAULT_BUDGETS', 'FROCCurve', 'FROCSettings', 'HIT_RULES',
           'ImageEvents', 'Interval', 'Prediction', 'ROCCurve', 'Record', 'RunningFloor', 'Target',
           'apply_operating_point', 'auroc', 'box_events', 'choose_operating_point',
           'compare_systems', 'delong_interval', 'delong_test', 'evaluate', 'evaluate_folds',
           'evaluate_strata', 'find_floor', 'froc_curve', 'map_events', 'prune_events',
           'read_record', 'roc_curve', 'write_record']
