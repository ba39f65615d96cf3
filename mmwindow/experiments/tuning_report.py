"""What a comparison of settings says: its tables for readers, and its file."""
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, TypeAlias

from mmwindow.evaluation.metric_names import PAPER_METRICS, display_name
from mmwindow.experiments.candidates import (
    COMPARED,
    POWER,
    VISIBLE,
    Candidate,
    CandidateTests,
    factors_of_count,
    has_same_predictions,
    spread_of_difference,
)
from mmwindow.experiments.describe_numbers import describe_interval
from mmwindow.utils.markdown import (
    Limits,
    format_number,
    format_p_value,
    format_with_interval,
    markdown_table,
)

SHOWN = {f'froc/{name}': display_name(name) for name in PAPER_METRICS}
RULE = 'the highest mean of AUROC and FROC score on the held-out images; of equals the first named'
SPLITS = dict(val='validation images', test='test images')
Settings: TypeAlias = Sequence[tuple[str, Mapping[str, Any]]]  # names, and overrides


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """Return the candidate of the highest merit, the first of equals.

    Raises:
        ValueError: None of them has a number.
    """
    best = max(candidates, key=lambda candidate: candidate.merit)
    if best.merit == -math.inf:
        raise ValueError(f'{best.system}: no setting has both an AUROC and a FROC score; is there an '
                         'image with and one without findings among those that judge?')
    return best


@dataclass(frozen=True)
class Tuning:
    """Finished trainings of several settings, judged on held-out images.

    Attributes:
        candidates: Of all settings, system by system.
        settings: Names, and overrides.
        split: Of the images that judged, 'val' or 'test'.
        weights: Rule of the weights that were tested.
        reference: The setting that the others are compared with; None: none.
    """

    candidates: Sequence[Candidate]
    settings: Settings
    split: str = 'val'
    weights: str = 'best'
    reference: str | None = None

    @cached_property
    def tests(self) -> CandidateTests:
        """Paired comparisons, each computed once."""
        return CandidateTests(self.candidates)

    @cached_property
    def chosen(self) -> dict[str, Candidate]:
        """The chosen candidate of each system, by its name."""
        systems: dict[str, list[Candidate]] = {}
        for candidate in self.candidates:
            systems.setdefault(candidate.system, []).append(candidate)
        return {system: choose(entries) for system, entries in systems.items()}

    @cached_property
    def chosen_for_all(self) -> str | None:
        """The setting with the highest mean merit over all systems.

        None where no setting has a number for each of them.
        """
        merits = {name: [candidate.merit for candidate in self.candidates
                         if candidate.setting == name] for name, _ in self.settings}
        means = {name: sum(values) / len(values) for name, values in merits.items()}
        best = max(means, key=lambda name: means[name])
        return None if means[best] == -math.inf else best

    @cached_property
    def differences(self) -> list['SettingDifference']:
        """Each setting minus the reference, metric by metric; empty without a reference."""
        return [] if self.reference is None else compare_with_reference(self.tests, self.reference)


@dataclass(frozen=True)
class SettingDifference:
    """One number of one setting minus that of the reference, on the same images.

    Attributes:
        system, setting, metric: Whose, and of what.
        difference: Mean over folds; None where there is no test.
        low, high: 95 %, patients resampled within folds: for these trainings.
        p, p_holm: Of no difference, alone and corrected for the number of settings.
        fold_differences: Of each fold.
        deviation_over_folds, low_over_folds, high_over_folds, runs_to_see_a_hundredth: As in
            :class:`~mmwindow.experiments.candidates.FoldSpread`.
        has_same_predictions: Both find the same on every image, as where they are the same weights.
    """

    system: str
    setting: str
    metric: str
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    fold_differences: tuple[float, ...]
    deviation_over_folds: float | None
    low_over_folds: float | None
    high_over_folds: float | None
    runs_to_see_a_hundredth: int | None
    has_same_predictions: bool = False


def compare_with_reference(tests: CandidateTests, reference: str) -> list[SettingDifference]:
    """Return each candidate minus the reference of its system: signs are turned here.

    Args:
        tests: Of all candidates.
        reference: Name of its setting.
    """
    by_name = {(one.system, one.setting): one for one in tests.candidates}
    rows = []
    for own in (one for one in tests.candidates if one.setting == reference):
        for setting, metrics in tests.against(own).items():
            is_same = has_same_predictions(own, by_name[own.system, setting])
            for metric, (interval, p_value, p_holm) in metrics.items():
                spread = spread_of_difference(own, by_name[own.system, setting], metric)
                mean, low, high = (None, None, None) if interval is None else (
                    0. - interval.estimate, 0. - interval.high, 0. - interval.low)
                rows.append(SettingDifference(
                    own.system, setting, metric, mean, low, high, p_value, p_holm,
                    spread.differences, spread.deviation, spread.low, spread.high, spread.num_runs,
                    is_same))
    return rows


def describe_choice(tuning: Tuning) -> str:
    """Return the Markdown table of all candidates; each system's chosen setting is marked."""
    tests = [f'p, {display_name(metric)}' for metric in COMPARED]
    rows = [['system', 'setting', *SHOWN.values(), 'mean of AUROC and FROC score', 'chosen', *tests]]
    for candidate in tuning.candidates:
        compared = tuning.tests.against(tuning.chosen[candidate.system]).get(candidate.setting, {})
        rows.append([candidate.system, candidate.setting,
                     *(format_with_interval(candidate.metrics[metric],
                                            candidate.intervals.get(metric)) for metric in SHOWN),
                     format_number(None if candidate.merit == -math.inf else candidate.merit),
                     'yes' if candidate is tuning.chosen[candidate.system] else '',
                     *(format_p_value(compared[metric].p_holm) if metric in compared else ''
                       for metric in COMPARED)])
    text = markdown_table(rows) + (
        f'\n\n{describe_images(tuning.candidates, tuning.split, tuning.weights)} In brackets: 95 % '
        'interval by patient, for these trainings. p: of no difference from the chosen setting, '
        'paired, corrected for the number of settings (Holm); a setting with p above .05 may be as '
        'good.')
    if len(tuning.chosen) > 1:
        text += ('\n\nOne setting for all, by the mean over systems: '
                 + (tuning.chosen_for_all or 'none, since each lacks a number for one of them'))
    return text


def describe_images(candidates: Sequence[Candidate], split: str, weights: str | None = None) -> str:
    """Return in a sentence on what the candidates were judged."""
    num_folds = len(candidates[0].runs)
    where = f'{candidates[0].num_images} {SPLITS[split]}'
    if num_folds > 1:
        where += f' of {num_folds} folds, numbers are means over the folds'
    return f'Judged on {where}' + (f'; weights tested: {weights}.' if weights else '.')


def describe_tuning(tuning: Tuning) -> str:
    """Return the table of each setting minus the reference, paired, over folds."""
    return describe_differences(tuning.differences, tuning.reference or '', tuning.candidates,
                                tuning.split)


def describe_differences(differences: Sequence[SettingDifference], reference: str,
                         candidates: Sequence[Candidate], split: str, what: str = 'setting') -> str:
    """Return paired differences as a Markdown table, with what a reader needs to know of it.

    Args:
        differences: From :func:`compare_with_reference`.
        reference: Its name.
        candidates: All that were compared.
        split: Of the images that judged.
        what: What the candidates of a system differ in.
    """
    rows = [['system', what, 'number', f'minus {reference}', 'p (Holm)', 'over folds',
             'deviation over folds', f'folds to see {VISIBLE:g}']]
    for row in differences:
        if row.has_same_predictions:
            rows.append([row.system, row.setting, display_name(row.metric),
                         'none: the same predictions', *[''] * 4])
            continue
        over_folds = 'none' if row.low_over_folds is None else (
            f'{format_number(row.low_over_folds, signed=True)} to '
            f'{format_number(row.high_over_folds, signed=True)}')
        rows.append([
            row.system, row.setting, display_name(row.metric),
            format_with_interval(row.difference, None if row.low is None or row.high is None
                                 else Limits(row.low, row.high), signed=True),
            format_p_value(row.p_holm), over_folds, format_number(row.deviation_over_folds),
            'not known' if row.runs_to_see_a_hundredth is None
            else str(row.runs_to_see_a_hundredth)])
    return '\n\n'.join([
        markdown_table(rows),
        f'Each row is the {what} minus {reference}, on the same images; above 0 the {what} is ahead. '
        f'{describe_images(candidates, split)} All numbers are shares, from 0 to 1.',
        *([] if not candidates[0].events else
          describe_noise_columns(len(candidates[0].events), what)),
        describe_verdict(differences, reference) if differences else
        'Not tested: the images are of several classes.' if not candidates[0].events else
        'Not tested: nothing is compared, or the images of a fold are of one patient.'])


def describe_noise_columns(num_folds: int, what: str) -> list[str]:
    """Return what the columns of a table of differences hold of noise, paragraph by paragraph."""
    lines = [
        'In brackets: 95 % interval by patient, resampled within folds. It holds for these '
        'trainings: what another seed would change is not in it. p is of no difference, corrected '
        f'for the number of {what}s (Holm).']
    if num_folds < 2:
        return [*lines, 'One fold tells nothing of the chances of a training: the last columns need '
                'two or more.']
    low, high = factors_of_count(num_folds)
    return [*lines,
            f"Over folds: 95 % interval of the mean by Student's t from the {num_folds} folds' "
            'differences, which hold the chances of images and of trainings; their standard '
            'deviation is next to it. The last column is the number of folds, each of as many new '
            f'images, on which both are to be trained to see a true difference of {VISIBLE:g} '
            f'(two-sided paired t-test at 5 %, power {POWER:.0%}); from '
            f'{num_folds} folds it is known to a factor of {low:.1f} to {high:.0f}.']


def describe_verdict(differences: Sequence[SettingDifference], reference: str) -> str:
    """Return in a sentence what differs from the reference by more than noise."""
    told = [f'{row.setting} in {display_name(row.metric)} of {row.system} '
            f'({format_number(row.difference, signed=True)})' for row in differences
            if row.p_holm is not None and row.p_holm <= 0.05]
    text = ('Beyond the noise of the images, p of at most .05 after correction: '
            f'{", ".join(told) if told else "nothing"}. ')
    if any(row.low_over_folds is not None for row in differences):
        apart = sum(row.low_over_folds is not None and row.high_over_folds is not None
                    and not row.low_over_folds <= 0 <= row.high_over_folds for row in differences)
        text += (f'Beyond that of images and trainings, an interval over folds without 0: {apart} of '
                 f'{len(differences)} rows, not corrected. ')
    return f'{text}All else may be equal to {reference}.'


def describe_candidates(tuning: Tuning, command_line: str) -> dict[str, Any]:
    """Return what the file of a choice holds: rule, settings, numbers and where they come from."""
    return dict(
        command=command_line, rule=RULE, split=tuning.split, settings=dict(tuning.settings),
        chosen={system: candidate.setting for system, candidate in tuning.chosen.items()},
        chosen_for_all=tuning.chosen_for_all,
        candidates=[{**describe_candidate(candidate, tuning.split), 'p_holm_against_chosen': {
            metric: difference.p_holm for metric, difference in tuning.tests.against(
                tuning.chosen[candidate.system]).get(candidate.setting, {}).items()}}
            for candidate in tuning.candidates],
        weights=tuning.weights,
        **({} if tuning.reference is None else dict(
            reference=tuning.reference, differences=[asdict(row) for row in tuning.differences])))


def describe_candidate(candidate: Candidate, split: str) -> dict[str, Any]:
    """Return what a file says of one candidate."""
    return dict(
        system=candidate.system, setting=candidate.setting,
        metrics={metric: candidate.metrics[metric] for metric in SHOWN},
        intervals={metric: describe_interval(interval)
                   for metric, interval in candidate.intervals.items()},
        folds=candidate.fold_numbers, num_folds=len(candidate.runs),
        **{name: candidate.result[name] for name in (
            'config', 'seed', 'checkpoint', 'training_seconds', 'machine', 'versions')},
        runs=list(candidate.runs),
        num_images=candidate.num_images)
