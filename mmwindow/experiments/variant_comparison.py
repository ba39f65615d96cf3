"""Finished runs tested in several ways, and the ways compared: weights and views of trainings."""
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmwindow.evaluation.metric_names import PAPER_METRICS, display_name
from mmwindow.experiments.candidates import (
    Candidate,
    CandidateTests,
    has_same_predictions,
    read_candidate,
)
from mmwindow.experiments.devices import choose_devices
from mmwindow.experiments.retest import TestVariant, list_variants, plan_variants, run_retests
from mmwindow.experiments.run_folders import is_finished
from mmwindow.experiments.tuning_report import (
    SHOWN,
    compare_with_reference,
    describe_candidate,
    describe_differences,
)
from mmwindow.experiments.weights import parse_weights
from mmwindow.utils.files import write_json
from mmwindow.utils.markdown import format_number, format_with_interval, markdown_table

SPLIT = 'test'


def compare_variants(folders: Sequence[str | Path], out: str | Path, reference: str,
                     weights: Sequence[str] | None = None, views: Sequence[str] | None = None,
                     cfg_options: Mapping[str, Any] | None = None,
                     gpus: Sequence[int] | None = None, results: str | Path | None = None,
                     command_line: str = '', jobs: int | None = None,
                     slurm: Mapping[str, str] | None = None, only: Sequence[int] | None = None,
                     **how: Any) -> str:
    """Test finished runs in several ways and compare each way with a reference, in pairs over folds.

    Args:
        folders, out, cfg_options, gpus, weights, views, jobs, slurm, only: As in
            :func:`~mmwindow.experiments.retest.retest_runs`.
        reference: Name of a variant, such as 'last' or 'mean4_mirror'.
        results: JSON file that receives the numbers.
        command_line: Is noted in the results.
        **how: ``overwrite`` and ``display`` of
            :func:`~mmwindow.experiments.cross_validation.run_plans`.

    Returns:
        The tables in Markdown.

    Raises:
        ValueError: There is one variant, the reference is none of them, a test failed, or as
            :func:`~mmwindow.experiments.retest.plan_retests`.
    """
    variants = list_variants(weights, views)
    names = [variant.name for variant in variants]
    if reference not in names or len(names) < 2:
        raise ValueError(f'--reference {reference}: the variants are {", ".join(names)}; the '
                         'reference is one of two or more')
    plans = plan_variants(folders, out, cfg_options or {}, variants, only)
    devices = choose_devices(gpus, jobs=jobs, slurm=slurm, out=out)
    run_retests(plans, devices, command_line=command_line, **how)
    every = {name: [plan for plan, _ in entries] for name, entries in plans.items()}
    if not all(is_finished(plan) for entries in every.values() for plan in entries):
        raise ValueError('a test failed; see the log that the line above names')
    systems = dict.fromkeys(plan.system for plan in every[reference])
    tests = CandidateTests([
        read_candidate(name, [plan for plan in every[name] if plan.system == system], SPLIT)
        for system in systems for name in names])
    if results is not None:
        write_json(results, describe_results(tests, reference, command_line))
    return describe_variants(tests, reference)


def describe_results(tests: CandidateTests, reference: str, command_line: str) -> dict[str, Any]:
    """Return what the file of a comparison of variants holds."""
    return dict(
        command=command_line, split=SPLIT, reference=reference, tested_again=True,
        candidates=[describe_candidate(one, SPLIT) for one in tests.candidates],
        differences=[asdict(row) for row in compare_with_reference(tests, reference)],
        deviations_over_ends=deviations_over_ends(tests.candidates))


def describe_variants(tests: CandidateTests, reference: str) -> str:
    """Return all tables of a comparison of variants in Markdown."""
    rows = [['system', 'variant', *SHOWN.values(),
             *(f'sd over folds, {name}' for name in SHOWN.values())]]
    for one in tests.candidates:
        rows.append([one.system, one.setting, *(
            format_with_interval(one.metrics[metric], one.intervals.get(metric))
            for metric in SHOWN), *(format_number(deviation_over_folds(one, metric))
                                    for metric in PAPER_METRICS)])
    parts = [
        markdown_table(rows),
        'Each variant is a test of the same trainings. In brackets: 95 % interval by patient, '
        'resampled within folds. The standard deviation over folds is mostly of their images, so it '
        'hardly tells one variant from another; the paired differences below do.',
        describe_differences(compare_with_reference(tests, reference), reference, tests.candidates,
                             SPLIT, 'variant')]
    ends = deviations_over_ends(tests.candidates)
    if ends:
        metrics = list(PAPER_METRICS)
        parts += [markdown_table([
            ['system', 'weights', 'ends',
             *(f'sd over ends, {display_name(name)}' for name in metrics)],
            *([row['system'], row['rule'], ', '.join(row['ends']),
               *(format_number(row[name], 4) for name in metrics)] for row in ends)]),
            'How much a number depends on the epoch at which a training ends: the standard deviation '
            'over ends on the same images, root mean square over folds. Means of neighbouring ends '
            'share epochs, so part of their steadiness is by construction; it is what a user gets '
            'all the same.']
    return '\n\n'.join(parts)


def deviation_over_folds(candidate: Candidate, metric: str) -> float | None:
    """Return the standard deviation of a number over folds; None below two."""
    values = [numbers[metric] for numbers in candidate.fold_numbers.values()]
    known = [value for value in values if value is not None]
    return statistics.stdev(known) if len(known) > 1 else None


def deviations_over_ends(candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    """Return how numbers vary with the epoch at which a training ends, by system and rule.

    Args:
        candidates: Of all variants; those of one rule at two or more ends count.

    Returns:
        ``system``, ``rule``, ``ends`` and, of each metric, the standard deviation over ends, root
        mean square over folds.
    """
    groups: dict[tuple[str, str], list[Candidate]] = {}
    for one in candidates:
        weights, _, views = one.setting.partition('_')
        rule = weights.partition('@')[0]
        if weights != TestVariant().weights and not parse_weights(weights).is_best:
            group = groups.setdefault((one.system, f'{rule}_{views}' if views else rule), [])
            # 'last' may be the end of another name, too, and counts once.
            if not any(has_same_predictions(one, other) for other in group):
                group.append(one)
    rows = []
    for (system, rule), group in groups.items():
        if len(group) < 2 or not group[0].fold_numbers:
            continue
        row: dict[str, Any] = dict(system=system, rule=rule, ends=[one.setting for one in group])
        for metric in PAPER_METRICS:
            squares = []
            for fold in group[0].fold_numbers:
                values = [one.fold_numbers[fold][metric] for one in group]
                known = [value for value in values if value is not None]
                if len(known) == len(values):
                    squares.append(statistics.variance(known))
            row[metric] = math.sqrt(statistics.fmean(squares)) if squares else None
        rows.append(row)
    return rows
