"""What stands above and below the tables: data, intervals, tests, and what to read with care."""
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmwindow.evaluation.hit_rules import DiskOverlap, rule_numbers
from mmwindow.experiments.summaries import Summary
from mmwindow.experiments.systems import System, describe_fold

# What a reader is to know of the runs behind a table: how to say it, and where a result has it.
RUN_PARTS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    # Files before version 0.2 do not say them.
    'weights tested: {}': lambda run: 'weights' in run and (run['weights'] or 'best'),
    'views averaged: {}': lambda run: 'weights' in run and (
        run.get('views') or 'none, the image alone'),
    'trained on {}': lambda run: run.get('machine'),
    'with torch {}': lambda run: (run.get('versions') or {}).get('torch'),
    'training code {}': lambda run: (
        run.get('accepted_code') or [run.get('training_code') or ''])[-1][:12],
    'scoring code {}': lambda run: (run.get('scoring_code') or '')[:12]}


def describe_runs(systems: Mapping[str, System]) -> list[str]:
    """Return which weights and views were tested, and which code and machine trained them.

    What is not the same for all runs is said for each system: a difference between two rows may come
    from there.

    Args:
        systems: By label.
    """
    alike: list[str] = []
    unlike: list[str] = []
    for phrase, read in RUN_PARTS.items():
        found: dict[Any, list[str]] = {}  # value -> labels
        for label, system in systems.items():
            for value in dict.fromkeys(read(run) or 'unknown' for run in system.results.values()):
                found.setdefault(value, []).append(label)
        words = {value: phrase.format(value) for value in found}
        if len(found) == 1:
            alike += words.values() if 'unknown' not in found else ()
        else:
            unlike.append(', '.join(f'{word} ({", ".join(found[value])})'
                                    for value, word in words.items()))
    lines = [f'All runs: {"; ".join(alike)}.', ''] if alike else []
    accepted = [f'{label}, {describe_fold(fold)} ({(run.get("training_code") or "unknown")[:12]})'
                for label, system in systems.items() for fold, run in system.results.items()
                if run.get('accepted_code')]
    if accepted:
        lines += ['Trained by earlier code, which whoever ran it accepted as equal to that: '
                  f'{"; ".join(accepted)}.', '']
    if unlike:
        lines += [f'**Not the same for all runs**: {"; ".join(unlike)}.', '']
    return lines[:-1]


def describe_data(summary: Summary, systems: Mapping[str, System], command_line: str,
                  labels: Mapping[str, str], note: str = '') -> list[str]:
    """Return what the numbers of all tables have in common, as lines.

    Args:
        summary: Of one system.
        systems: By name.
        command_line: That makes the tables.
        labels: Name of a system -> what tables call it.
        note: Of who made the results, such as what was chosen on which images.
    """
    first = next(iter(systems.values()))
    mean, froc_settings = summary.mean, first.froc_settings()
    what = 'one split' if list(first.events) == [None] else (
        f'folds {", ".join(str(fold) for fold in first.events)}')
    headline = 'In brackets: 95 % interval'
    if summary.pooled is not None:
        headline = ('Numbers are means over folds, as each fold is tested by a model of its own; '
                    '"sd": their standard deviation over folds. Curves are the mean curves. In '
                    'brackets: 95 % interval of the mean, units resampled within each fold')
    return [
        f'Made by `{command_line}`.', '', *([note, ''] if note else []),
        f'Tested on {mean.num_images} images of {mean.num_units} units (patients, or the groups that '
        f'stand in for them), {mean.num_positives} with a point, {mean.num_points} points; {what}. '
        f"{headline}: for AUROC DeLong's by unit, on the logit scale, blended with Newcombe's; for "
        "recall and FROC score Wilson's score interval with the variance of a bootstrap over units, "
        f'{mean.num_resamples} resamples, seed {mean.seed}. They hold what other images would '
        'change, not what another seed or another choice of settings would. Hit rule '
        f'{describe_rule(first.settings)}, FROC convention {froc_settings.convention}, false '
        f'positives counted on {froc_settings.fp_denominator} images. "paper": its numbers, on other '
        'data that are not public.', '',
        *describe_runs({labels[name]: system for name, system in systems.items()})]


def describe_tests(num_comparisons: int, losses: Sequence[str]) -> list[str]:
    """Return what stands below the table of comparisons."""
    return ["On the same images. AUROC: DeLong's test, clustered by unit. Recall and FROC score: the "
            'difference against its standard deviation over a paired bootstrap of units, by '
            "Student's t. \"p (Holm)\": corrected for the "
            f'{num_comparisons} comparisons of its column, each metric a family of its own; the '
            'p-value to its left is not.', '',
            'Where the reference has the lower number, tested or not:', '', *losses, '']


def describe_pooling(warnings: Sequence[str]) -> list[str]:
    """Return what stands below the table of pooled images."""
    found = [f'- {warning}.' for warning in warnings] or [
        'No number of the pooled images differs from its mean over folds by more than .01.']
    return ['Pooled, the scores of the folds\' models are ranked together, although their scales '
            'differ. These numbers come second; read the means.', '', *found, '']


def describe_rule(settings: Mapping[str, Any]) -> str:
    """Return the hit rule of a record's settings in words, with the numbers that it reads."""
    rule = settings.get('rule', DiskOverlap().name)
    numbers = ', '.join(f'{name.replace("_", " ")} {settings[name]:g}'
                        for name in rule_numbers(rule) if name in settings)
    return rule + (f' ({numbers})' if numbers else '')
