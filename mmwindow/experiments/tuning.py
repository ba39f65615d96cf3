"""Choosing settings on images kept aside: trainings of each setting, compared in pairs.

See ``tools/choose_settings.py`` and ``mmwindow tune``.
"""
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from mmwindow.evaluation.metric_names import PAPER_METRICS, display_name
from mmwindow.experiments.candidates import (
    COMPARED,
    VISIBLE,
    Candidate,
    compare_candidates,
    read_candidate,
    spread_of_difference,
)
from mmwindow.experiments.cross_validation import place_folds, run_plans
from mmwindow.experiments.devices import choose_devices
from mmwindow.experiments.plan import RunSettings, plan_runs
from mmwindow.experiments.result_files import describe_interval
from mmwindow.experiments.run_folders import is_finished
from mmwindow.experiments.summaries import Difference
from mmwindow.utils.files import write_json
from mmwindow.utils.markdown import (
    format_number,
    format_p_value,
    format_with_interval,
    markdown_table,
)

SHOWN = {f'froc/{name}': display_name(name) for name in PAPER_METRICS}
RULE = 'the highest mean of AUROC and FROC score on the held-out images; of equals the first named'
NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]*')

Settings: TypeAlias = Sequence[tuple[str, Mapping[str, Any]]]  # names, and overrides


def check_settings(settings: Settings) -> None:
    """Reject settings that cannot be told apart or cannot name a folder.

    Args:
        settings: Names, and overrides of the config.

    Raises:
        ValueError: The message names the setting.
    """
    names = [name for name, _ in settings]
    if len(settings) < 2:
        raise ValueError(f'{len(settings)} settings are given; a choice needs two or more --setting')
    for name, overrides in settings:
        if not NAME.fullmatch(name):
            raise ValueError(f'--setting {name}: its name becomes a folder; letters, digits, dots, '
                             'dashes and underscores are allowed, the first a letter or digit')
        if names.count(name) > 1:
            raise ValueError(f'--setting {name} is given {names.count(name)} times; name each once')
        twin = next(other for other, same in settings if same == overrides)
        if twin != name:
            raise ValueError(f'--setting {name} and {twin} say the same: {overrides}')


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """Return the candidate of the highest merit, the first of equals.

    Raises:
        ValueError: None of them has a number.
    """
    best = max(candidates, key=lambda candidate: candidate.merit)
    if best.merit == -math.inf:
        raise ValueError(f'{best.system}: no setting has both an AUROC and a FROC score; is there an '
                         'image with and one without findings in the validation split?')
    return best


def choose_each(candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    """Return the chosen candidate of each system, by its name, in order of the candidates."""
    systems: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        systems.setdefault(candidate.system, []).append(candidate)
    return {system: choose(entries) for system, entries in systems.items()}


def choose_shared(candidates: Sequence[Candidate], settings: Settings) -> str | None:
    """Return the name of the setting with the highest mean merit over all systems.

    None where no setting has a number for each of them.
    """
    merits = {name: [candidate.merit for candidate in candidates if candidate.setting == name]
              for name, _ in settings}
    means = {name: sum(values) / len(values) for name, values in merits.items()}
    best = max(means, key=lambda name: means[name])
    return None if means[best] == -math.inf else best


def compare_settings(references: Mapping[str, Candidate], candidates: Sequence[Candidate]
                     ) -> dict[str, dict[str, dict[str, Difference]]]:
    """Return system -> setting -> metric -> the reference's number minus that setting's.

    Args:
        references: One candidate of each system, by its name.
        candidates: Of all settings.
    """
    return {system: compare_candidates(reference, [
        candidate for candidate in candidates
        if candidate.system == system and candidate is not reference])
        for system, reference in references.items()}


def describe_choice(candidates: Sequence[Candidate], settings: Settings) -> str:
    """Return the Markdown table of all candidates; each system's chosen setting is marked."""
    tests = [f'p, {display_name(metric)}' for metric in COMPARED]
    rows = [['system', 'setting', *SHOWN.values(), 'mean of AUROC and FROC score', 'chosen', *tests]]
    chosen = choose_each(candidates)
    differences = compare_settings(chosen, candidates)
    for candidate in candidates:
        compared = differences[candidate.system].get(candidate.setting, {})
        rows.append([candidate.system, candidate.setting,
                     *(format_with_interval(candidate.metrics[metric],
                                            candidate.intervals.get(metric)) for metric in SHOWN),
                     format_number(None if candidate.merit == -math.inf else candidate.merit),
                     'yes' if candidate is chosen[candidate.system] else '',
                     *(format_p_value(compared[metric].p_holm) if metric in compared else ''
                       for metric in COMPARED)])
    text = markdown_table(rows) + (
        '\n\nIn brackets: 95 % interval by patient. p: of no difference from the chosen setting, '
        'paired, corrected for the number of settings (Holm); a setting with p above .05 may be as '
        'good.')
    if len(chosen) > 1:
        text += ('\n\nOne setting for all, by the mean over systems: '
                 + (choose_shared(candidates, settings)
                    or 'none, since each lacks a number for one of them'))
    return text


def choose_settings(configs: Sequence[str | Path], settings: Settings, out: str | Path,
                    results: str | Path | None = None, cfg_options: Mapping[str, Any] | None = None,
                    seed: int | None = None, gpus: Sequence[int] | None = None,
                    folds: str | Path | None = None, points: str | Path | None = None,
                    only: Sequence[int] | None = None, judge: str = 'val', weights: str = 'best',
                    reference: str | None = None, **how: Any) -> list[Candidate] | None:
    """Train every config with every setting, judge each, and say which setting is best.

    One split has few validation images: with folds each setting is judged by the mean over them.
    Where the folds divide development images alone, their test parts may judge as well.

    Args:
        configs: Config files.
        settings: Names, and overrides, keys dotted.
        out: Folder; receives ``<setting>/<config>/single/`` or ``.../fold<k>/`` for each run.
        results: JSON file that receives the numbers.
        cfg_options: Overrides of every run, such as a shorter training.
        seed: Of the trainings; the config's if None.
        gpus: As in :func:`~mmwindow.experiments.devices.choose_devices`.
        folds, points, only: As in :func:`~mmwindow.experiments.cross_validation.run_folds`.
        judge: The split whose images judge, 'val' or 'test'.
        weights: 'best' (by validation) or 'last'.
        reference: The setting that the file compares the others with; None: none.
        **how: ``command_line``, ``overwrite``, ``accept`` and ``display`` of
            :func:`~mmwindow.experiments.cross_validation.run_plans`.

    Returns:
        System by system; None where a run failed, which is said.

    Raises:
        ValueError: Anything wrong that can be known before the first training, or no run gives a
            number.
    """
    check_settings(settings)
    if reference is not None and reference not in dict(settings):
        raise ValueError(f'--reference {reference}: there is no such setting; there are '
                         f'{", ".join(dict(settings))}')
    if judge == 'test' and folds is None:
        raise ValueError('--judge test: without --folds the test images are those of the result; '
                         'give the folds of the development images (mmwindow splits --without)')
    devices = choose_devices(gpus)
    placed = place_folds(folds, out, points, only)
    plans = {name: plan_runs(configs, Path(out) / name, RunSettings(
        {**(cfg_options or {}), **overrides}, seed, splits=tuple(dict.fromkeys(('val', judge))),
        weights=weights), placed)
        for name, overrides in settings}
    by_system = [plan for same in zip(*plans.values(), strict=True) for plan in same]
    run_plans(by_system, devices, **how)
    if not all(is_finished(plan) for plan in by_system):
        return None
    candidates = [read_candidate(
        name, [plan for plan in plans[name] if plan.system == system], judge)
                  for system in dict.fromkeys(plan.system for plan in by_system) for name in plans]
    if results is not None:
        write_json(results, {
            **describe_candidates(candidates, settings, how.get('command_line', ''), judge),
            'weights': weights,
            **({} if reference is None else dict(
                reference=reference, differences=describe_differences(candidates, reference)))})
    return candidates


def describe_differences(candidates: Sequence[Candidate], reference: str) -> list[dict[str, Any]]:
    """Return what the file says of each setting minus the reference: signs are turned here."""
    by_name = {(one.system, one.setting): one for one in candidates}
    references = {one.system: one for one in candidates if one.setting == reference}
    rows = []
    for system, settings in compare_settings(references, candidates).items():
        for setting, metrics in settings.items():
            for metric, (interval, p_value, p_holm) in metrics.items():
                spread = spread_of_difference(references[system], by_name[system, setting], metric)
                rows.append(dict(
                    system=system, setting=setting, metric=metric,
                    difference=None if interval is None else -interval.estimate,
                    low=None if interval is None else -interval.high,
                    high=None if interval is None else -interval.low, p=p_value, p_holm=p_holm,
                    deviation_over_folds=spread.deviation, runs_to_see_a_hundredth=spread.num_runs))
    return rows


def describe_tuning(candidates: Sequence[Candidate], reference: str) -> str:
    """Return the Markdown table of each setting minus the reference, paired, over folds."""
    rows = [['system', 'setting', 'number', 'difference', 'p (Holm)', 'deviation over folds',
             f'trainings of each to see {VISIBLE:g}']]
    for row in describe_differences(candidates, reference):
        difference = 'none' if row['difference'] is None else (
            f'{row["difference"]:+.3f} ({row["low"]:+.3f} to {row["high"]:+.3f})')
        rows.append([
            row['system'], row['setting'], display_name(row['metric']), difference,
            format_p_value(row['p_holm']), format_number(row['deviation_over_folds']),
            'not known' if row['runs_to_see_a_hundredth'] is None
            else str(row['runs_to_see_a_hundredth'])])
    return markdown_table(rows) + (
        f'\n\nDifferences are the setting minus {reference}, on the same images, the mean over '
        'folds; in brackets 95 % intervals that resample patients within folds, for these trainings. '
        'The deviation over folds has the chances of the trainings in it; the last column says how '
        f'many trainings of each setting would show a true difference of {VISIBLE:g} (power 80 %).')


def describe_candidates(candidates: Sequence[Candidate], settings: Settings, command_line: str,
                        split: str = 'val') -> dict[str, Any]:
    """Return what the file of a choice holds: rule, settings, numbers and where they come from."""
    chosen = choose_each(candidates)
    differences = compare_settings(chosen, candidates)
    return dict(
        command=command_line, rule=RULE, split=split, settings=dict(settings),
        chosen={system: candidate.setting for system, candidate in chosen.items()},
        chosen_for_all=choose_shared(candidates, settings),
        candidates=[dict(
            system=candidate.system, setting=candidate.setting,
            metrics={metric: candidate.metrics[metric] for metric in SHOWN},
            intervals={metric: describe_interval(interval)
                       for metric, interval in candidate.intervals.items()},
            p_holm_against_chosen={
                metric: difference.p_holm for metric, difference in
                differences[candidate.system].get(candidate.setting, {}).items()},
            num_folds=max(len(candidate.events), 1),
            **{name: candidate.result[name] for name in (
                'config', 'seed', 'checkpoint', 'training_seconds', 'machine', 'versions')},
            num_images=sum(map(len, candidate.events.values()))
            or candidate.result['num_images'][split]) for candidate in candidates])
