"""What stands above and below the tables: data, intervals, tests, and what to read with care."""
from collections.abc import Mapping, Sequence
from typing import Any

from mmwindow.evaluation.hit_rules import DiskOverlap, rule_numbers
from mmwindow.experiments.summaries import Summary
from mmwindow.experiments.systems import System


def describe_data(summary: Summary, systems: Mapping[str, System], command_line: str) -> list[str]:
    """Return what the numbers of all tables have in common, as lines."""
    first = next(iter(systems.values()))
    mean, froc_settings = summary.mean, first.froc_settings()
    what = 'one split' if list(first.events) == [None] else (
        f'folds {", ".join(str(fold) for fold in first.events)}')
    headline = 'In brackets: 95 % interval'
    if summary.pooled is not None:
        headline = ('Numbers are means over folds, as each fold is tested by a model of its own; '
                    '"sd": their standard deviation over folds. Curves are the mean curves. In '
                    'brackets: 95 % interval of the mean, patients resampled within each fold')
    return [
        f'Made by `{command_line}`.', '',
        f'Tested on {mean.num_images} images of {mean.num_units} patients or other units, '
        f'{mean.num_positives} with a point, {mean.num_points} points; {what}. {headline}: for '
        "AUROC DeLong's by patient, on the logit scale; for recall and FROC score the bootstrap over "
        f'patients, {mean.num_resamples} resamples, seed {mean.seed}. Hit rule '
        f'{describe_rule(first.settings)}, FROC convention {froc_settings.convention}, false '
        f'positives counted on {froc_settings.fp_denominator} images. "paper": its numbers, on other '
        'data that are not public.']


def describe_tests(num_comparisons: int, losses: Sequence[str]) -> list[str]:
    """Return what stands below the table of comparisons."""
    return ["On the same images. AUROC: DeLong's test, clustered by patient. Recall and FROC score: "
            'paired bootstrap over patients. "p (Holm)": corrected for the '
            f'{num_comparisons} comparisons of its column; the p-value to its left is not.', '',
            'Where the reference loses:', '', *losses, '']


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
