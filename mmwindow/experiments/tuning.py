"""Choosing settings on images kept aside: trainings of each setting, compared in pairs.

See ``tools/choose_settings.py`` and ``mmwindow tune``.
"""
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmwindow.experiments.candidates import read_candidate
from mmwindow.experiments.cross_validation import place_folds, run_plans
from mmwindow.experiments.devices import choose_devices
from mmwindow.experiments.plan import RunSettings, plan_runs
from mmwindow.experiments.run_folders import is_finished
from mmwindow.experiments.tuning_report import Settings, Tuning, describe_candidates
from mmwindow.utils.files import write_json

NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]*')


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


def choose_settings(configs: Sequence[str | Path], settings: Settings, out: str | Path,
                    results: str | Path | None = None, cfg_options: Mapping[str, Any] | None = None,
                    seed: int | None = None, gpus: Sequence[int] | None = None,
                    folds: str | Path | None = None, points: str | Path | None = None,
                    only: Sequence[int] | None = None, judge: str = 'val', weights: str = 'best',
                    reference: str | None = None, jobs: int | None = None,
                    slurm: Mapping[str, str] | None = None, amp: bool = False,
                    **how: Any) -> Tuning | None:
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
        gpus, jobs, slurm: As in :func:`~mmwindow.experiments.devices.choose_devices`.
        folds, points, only: As in :func:`~mmwindow.experiments.cross_validation.run_folds`.
        judge: The split whose images judge, 'val' or 'test'.
        weights: Which are tested, as :mod:`.weights` reads it: 'best', 'last', 'mean4' ...
        reference: The setting that the file compares the others with; None: none.
        amp: Train in mixed precision.
        **how: ``command_line``, ``overwrite``, ``accept`` and ``display`` of
            :func:`~mmwindow.experiments.cross_validation.run_plans`.

    Returns:
        What came of it, system by system; None where a run failed, which is said.

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
    devices = choose_devices(gpus, jobs=jobs, slurm=slurm, out=out)
    placed = place_folds(folds, out, points, only)
    plans = {name: plan_runs(configs, Path(out) / name, RunSettings(
        {**(cfg_options or {}), **overrides}, seed, amp, splits=tuple(dict.fromkeys(('val', judge))),
        weights=weights), placed)
        for name, overrides in settings}
    by_system = [plan for same in zip(*plans.values(), strict=True) for plan in same]
    run_plans(by_system, devices, **how)
    if not all(is_finished(plan) for plan in by_system):
        return None
    candidates = [read_candidate(
        name, [plan for plan in plans[name] if plan.system == system], judge)
                  for system in dict.fromkeys(plan.system for plan in by_system) for name in plans]
    tuning = Tuning(candidates, settings, judge, weights, reference)
    if results is not None:
        write_json(results, describe_candidates(tuning, how.get('command_line', '')))
    return tuning
