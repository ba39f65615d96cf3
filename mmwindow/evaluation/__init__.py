"""Exact FROC and ROC for point-annotated findings; numpy and scipy only.

Names are looked up when they are asked for: writing predictions needs numpy alone.

The metric class of mmdet's runner lives in :mod:`mmwindow.evaluation.froc_metric`, which is
imported only where mmdet is.
"""
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmwindow.evaluation.events.components import box_events, map_events, point_events
    from mmwindow.evaluation.events.floor import RunningFloor, find_floor, prune_events
    from mmwindow.evaluation.events.image_events import ImageEvents
    from mmwindow.evaluation.files.predictions import Prediction, Target
    from mmwindow.evaluation.files.records import Record, read_record, write_record
    from mmwindow.evaluation.froc import CONVENTIONS, DEFAULT_BUDGETS, FROCCurve, froc_curve
    from mmwindow.evaluation.froc_settings import FROCSettings
    from mmwindow.evaluation.hit_rules import (
        HIT_RULES,
        HitRule,
        judge_findings,
        make_hit_rule,
        register_hit_rule,
    )
    from mmwindow.evaluation.metric_names import display_name, metric_names
    from mmwindow.evaluation.results import ClassResult, EvaluationResult
    from mmwindow.evaluation.roc import ROCCurve, auroc, roc_curve
    from mmwindow.evaluation.scoring import evaluate
    from mmwindow.evaluation.statistics.compare import compare_systems
    from mmwindow.evaluation.statistics.delong import delong_interval, delong_test
    from mmwindow.evaluation.statistics.fold_comparison import compare_over_folds
    from mmwindow.evaluation.statistics.folds import mean_over_folds
    from mmwindow.evaluation.statistics.holm import holm
    from mmwindow.evaluation.statistics.intervals import Interval
    from mmwindow.evaluation.statistics.leaderboard import Leaderboard, leaderboard
    from mmwindow.evaluation.statistics.operating_point import (
        apply_operating_point,
        choose_operating_point,
    )
    from mmwindow.evaluation.statistics.seed_comparison import compare_over_seeds
    from mmwindow.evaluation.statistics.strata import evaluate_folds, evaluate_strata

_HOMES = {
    'events.components': ('box_events', 'map_events', 'point_events'),
    'events.floor': ('RunningFloor', 'find_floor', 'prune_events'),
    'events.image_events': ('ImageEvents',),
    'files.predictions': ('Prediction', 'Target'),
    'files.records': ('Record', 'read_record', 'write_record'),
    'froc': ('CONVENTIONS', 'DEFAULT_BUDGETS', 'FROCCurve', 'froc_curve'),
    'froc_settings': ('FROCSettings',),
    'hit_rules': ('HIT_RULES', 'HitRule', 'judge_findings', 'make_hit_rule', 'register_hit_rule'),
    'metric_names': ('display_name', 'metric_names'),
    'results': ('ClassResult', 'EvaluationResult'),
    'roc': ('ROCCurve', 'auroc', 'roc_curve'),
    'scoring': ('evaluate',),
    'statistics.compare': ('compare_systems',),
    'statistics.delong': ('delong_interval', 'delong_test'),
    'statistics.fold_comparison': ('compare_over_folds',),
    'statistics.folds': ('mean_over_folds',),
    'statistics.holm': ('holm',),
    'statistics.intervals': ('Interval',),
    'statistics.leaderboard': ('Leaderboard', 'leaderboard'),
    'statistics.operating_point': ('apply_operating_point', 'choose_operating_point'),
    'statistics.seed_comparison': ('compare_over_seeds',),
    'statistics.strata': ('evaluate_folds', 'evaluate_strata')}

__all__ = [
    # Scoring
    'evaluate', 'EvaluationResult', 'ClassResult', 'FROCSettings', 'Prediction', 'Target',
    # Hit rules
    'HIT_RULES', 'HitRule', 'judge_findings', 'make_hit_rule', 'register_hit_rule',
    # From images to curves
    'ImageEvents', 'box_events', 'map_events', 'point_events', 'FROCCurve', 'froc_curve',
    'ROCCurve', 'roc_curve', 'auroc', 'CONVENTIONS', 'DEFAULT_BUDGETS', 'display_name',
    'metric_names',
    # Statistics
    'Interval', 'apply_operating_point', 'choose_operating_point', 'compare_over_folds',
    'compare_over_seeds', 'compare_systems', 'delong_interval', 'delong_test', 'evaluate_folds',
    'evaluate_strata', 'holm', 'Leaderboard', 'leaderboard', 'mean_over_folds',
    # Files
    'Record', 'read_record', 'write_record', 'RunningFloor', 'find_floor', 'prune_events']


class _Package(ModuleType):
    """The package, in which the module ``metric_names`` does not hide the function of that name."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; Python sets each module of a package when it has imported it."""
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f'{__name__}.{module}'), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
