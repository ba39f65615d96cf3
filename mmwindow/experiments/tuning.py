"""Choosing settings on the validation split: short trainings of each setting, no test image read.

See ``tools/choose_settings.py``.
"""
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from mmwindow.evaluation.metric_names import PAPER_METRICS, display_name
from mmwindow.experiments.cross_validation import run_plans
from mmwindow.experiments.devices import choose_devices
from mmwindow.experiments.plan import RunSettings, plan_runs
from mmwindow.experiments.run_folders import is_finished
from mmwindow.utils.files import read_json, write_json
from mmwindow.utils.markdown import format_number, markdown_table

SHOWN = {f'froc/{name}': display_name(name) for name in PAPER_METRICS}
RULE = 'the highest mean of validation AUROC and FROC score; of equals the first named'
NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]*')

Settings: TypeAlias = Sequence[tuple[str, Mapping[str, Any]]]  # names, and overrides


@dataclass(frozen=True)
class Candidate:
    """One setting of one system, trained and validated.

    Attributes:
        system: Name of the config.
        setting: Name of the setting.
        metrics: Of the validation split at its best epoch; None where there is no number.
        result: Content of ``result.json``.
    """

    system: str
    setting: str
    metrics: Mapping[str, float | None]
    result: Mapping[str, Any]

    @property
    def merit(self) -> float:
        """Mean of AUROC and FROC score; minus infinity where one has no number."""
        auroc, score = self.metrics['froc/auroc'], self.metrics['froc/froc_score']
        return -math.inf if auroc is None or score is None else (auroc + score) / 2


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


def describe_choice(candidates: Sequence[Candidate], settings: Settings) -> str:
    """Return the Markdown table of all candidates; each system's chosen setting is marked."""
    rows = [['system', 'setting', *SHOWN.values(), 'mean of AUROC and FROC score', 'chosen']]
    chosen = choose_each(candidates)
    for candidate in candidates:
        rows.append([candidate.system, candidate.setting,
                     *(format_number(candidate.metrics[metric]) for metric in SHOWN),
                     format_number(None if candidate.merit == -math.inf else candidate.merit),
                     'yes' if candidate is chosen[candidate.system] else ''])
    text = markdown_table(rows)
    if len(chosen) > 1:
        text += ('\n\nOne setting for all, by the mean over systems: '
                 + (choose_shared(candidates, settings)
                    or 'none, since each lacks a number for one of them'))
    return text


def choose_settings(configs: Sequence[str | Path], settings: Settings, out: str | Path,
                    results: str | Path | None = None, cfg_options: Mapping[str, Any] | None = None,
                    seed: int | None = None, gpus: Sequence[int] | None = None,
                    **how: Any) -> list[Candidate] | None:
    """Train every config with every setting, validate, and say which setting is best.

    Args:
        configs: Config files.
        settings: Names, and overrides, keys dotted.
        out: Folder; receives ``<setting>/<config>/single/`` for each run.
        results: JSON file that receives the numbers.
        cfg_options: Overrides of every run, such as a shorter training.
        seed: Of the trainings; the config's if None.
        gpus: As in :func:`~mmwindow.experiments.devices.choose_devices`.
        **how: ``command_line``, ``overwrite``, ``accept`` and ``display`` of
            :func:`~mmwindow.experiments.cross_validation.run_plans`.

    Returns:
        System by system; None where a run failed, which is said.

    Raises:
        ValueError: Anything wrong that can be known before the first training, or no run gives a
            number.
    """
    check_settings(settings)
    devices = choose_devices(gpus)
    plans = [plan_runs(configs, Path(out) / name, RunSettings(
        {**(cfg_options or {}), **overrides}, seed, splits=('val',))) for name, overrides in settings]
    by_system = [plan for same in zip(*plans, strict=True) for plan in same]
    run_plans(by_system, devices, **how)
    if not all(is_finished(plan) for plan in by_system):
        return None
    candidates = []
    for plan in by_system:
        result = read_json(plan.folder / 'result.json')
        candidates.append(Candidate(plan.system, plan.folder.parents[1].name,
                                    result['validation_metrics'], result))
    if results is not None:
        write_json(results, describe_candidates(candidates, settings, how.get('command_line', '')))
    return candidates


def describe_candidates(candidates: Sequence[Candidate], settings: Settings, command_line: str
                        ) -> dict[str, Any]:
    """Return what the file of a choice holds: rule, settings, numbers and where they come from."""
    return dict(
        command=command_line, rule=RULE, split='val', settings=dict(settings),
        chosen={system: candidate.setting for system, candidate in choose_each(candidates).items()},
        chosen_for_all=choose_shared(candidates, settings),
        candidates=[dict(
            system=candidate.system, setting=candidate.setting,
            metrics={metric: candidate.metrics[metric] for metric in SHOWN},
            **{name: candidate.result[name] for name in (
                'config', 'seed', 'checkpoint', 'training_seconds', 'machine', 'versions')},
            num_images=candidate.result['num_images']['val']) for candidate in candidates])
