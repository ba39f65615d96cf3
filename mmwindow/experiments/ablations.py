"""Tables 2 and 3: every window of the paper with both divergences, by three hit rules.

The windows are overrides of the main configs, so that a row differs from them in nothing else. What
ends is filed at once; ``tools/run_ablations.py`` is the command.
"""
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmwindow.apis.config import read_config
from mmwindow.experiments.cross_validation import run_plans
from mmwindow.experiments.devices import Devices
from mmwindow.experiments.exact_maps import Window, paper_windows
from mmwindow.experiments.other_tests import OTHER_RULES
from mmwindow.experiments.plan import SINGLE, RunPlan, RunSettings, plan_run
from mmwindow.experiments.result_files import read_system, write_result_files
from mmwindow.experiments.results import read_tested_run
from mmwindow.experiments.retest import OWN, plan_variants, run_retests
from mmwindow.experiments.run_folders import read_seconds
from mmwindow.experiments.run_state import identify, read_result
from mmwindow.experiments.summaries import summarise
from mmwindow.experiments.systems import System
from mmwindow.utils.environment import scoring_code, training_code
from mmwindow.utils.files import read_json
from mmwindow.utils.messages import name_some, shorten

DATA = ('fracatlas', 'synthetic')
DIVERGENCES = ('mse', 'kld')
MAIN = Window(2., 50., 200.)
# What is added to a data set's name -> how its runs are tested: by the paper's rule, as they were
# trained, and by others.
RULES: Mapping[str, Mapping[str, Any]] = {
    '': {}, **{f'_{name}': options for name, options in OTHER_RULES.items()}}


@dataclass(frozen=True)
class Ablation:
    """One row of Table 2 or 3 on one data set.

    Attributes:
        data: One of :data:`DATA`.
        divergence: 'mse' (Table 2) or 'kld' (Table 3).
        window: Of the row.
    """

    data: str
    divergence: str
    window: Window

    @property
    def config(self) -> Path:
        """The main config, of the paper's own window."""
        return Path(f'configs/windowloss/wl_{self.divergence}_lite0_fpn_{self.data}.py')

    @property
    def name(self) -> str:
        """Of its folder and result file; the main window has its config's."""
        if self.window == MAIN:
            return self.config.stem
        numbers = [f'{value:g}'.replace('.', 'p') for value in self.window]
        return f'{self.config.stem}_tau{numbers[0]}_lower{numbers[1]}_upper{numbers[2]}'

    @property
    def options(self) -> dict[str, Any]:
        """Overrides of the main config."""
        return {f'window.{name}': value for name, value in self.window._asdict().items()}


def list_ablations(paper: Mapping[str, Any], data: Sequence[str] = DATA,
                   divergences: Sequence[str] = DIVERGENCES) -> list[Ablation]:
    """Return all rows: the main windows first, then by falling lower radius, on all data sets each.

    What a command that is cut has done then answers the most: what a wide lower bound costs.

    Raises:
        ValueError: A data set is unknown.
    """
    unknown = [name for name in data if name not in DATA]
    if unknown or not data:
        raise ValueError(f'the data sets are {", ".join(DATA)}; there is no '
                         f'{unknown[0] if unknown else "data set given"}')
    windows = sorted(paper_windows(paper), key=lambda window: (window != MAIN, -window.lower_radius))
    return [Ablation(name, divergence, window) for window in windows for name in data
            for divergence in divergences]


def plan_ablation(row: Ablation, out: Path, settings: RunSettings = RunSettings(),  # noqa: B008
                  configs: Path = Path('.')) -> RunPlan:
    """Return the plan of one row.

    Args:
        row: Which.
        out: Folder of all runs.
        settings: Of all of them.
        configs: The folder that holds ``configs/``.
    """
    # As for the result of the systems: the last weights, and one validation that decides nothing.
    epochs = read_config(configs / row.config).train_cfg.max_epochs
    asked = settings.cfg_options or {}
    own = replace(settings, splits=('test', 'val'), weights='last', cfg_options={
        'train_cfg.val_interval': asked.get('train_cfg.max_epochs', epochs), **asked, **row.options})
    plan = plan_run(configs / row.config, out, own, None, None)
    # Not part of the mark: tables keep ablations out of Table 1.
    plan.cfg.merge_from_dict(dict(is_ablation=row.window != MAIN))
    return replace(plan, system=row.name, folder=out / row.data / row.name / SINGLE)


def is_filed(row: Ablation, plan: RunPlan, results: Path) -> bool:
    """Return whether the results of a row by each rule are there, of this very plan and training.

    Raises:
        ValueError: A result file is damaged, or its events are lost or another's.
    """
    paper, *others = [read_filed_row(row, rule, results) for rule in RULES]
    runs = [] if paper is None else list(paper.results.values())
    if not any(run.get('settings_mark') == plan.settings_mark for run in runs):
        return False
    return all(other is not None and [identify(run) for run in other.results.values()] == [
        identify(run) for run in runs] for other in others)


def read_filed_row(row: Ablation, rule: str, results: Path) -> System | None:
    """Return a filed row by one rule with its events; None where it is not filed.

    Raises:
        ValueError: The file is damaged, or its events are lost or another's.
    """
    path = filed_at(row, rule, results)
    try:
        return read_system(path) if path.is_file() else None
    except (ValueError, KeyError) as error:
        raise ValueError(f'{path}: it cannot be used ({shorten(str(error))}); delete it, and the '
                         'command files the row again') from error


def file_ablation(plan: RunPlan, results: Path, command_line: str, num_resamples: int = 2000) -> None:
    """Write the result file and the events of a finished row.

    Args:
        plan: Of the row, or of its test by another rule.
        results: Folder of its data set and rule.
        command_line: Is noted in the file.
        num_resamples: Of the bootstrap.
    """
    system = read_tested_run(plan.folder, read_result(plan.folder) or {})
    write_result_files(results, {plan.system: system},
                       {plan.system: summarise(system, plan.system, None, num_resamples)}, {}, None,
                       command_line, whatever_size=True)


def run_ablations(rows: Sequence[Ablation], out: Path, results: Path, devices: Devices,
                  settings: RunSettings = RunSettings(), command_line: str = '',  # noqa: B008
                  configs: Path = Path('.'), num_resamples: int = 2000,
                  say: Callable[[str], Any] = print, **how: Any) -> list[str]:
    """Train what is missing, test it by each rule, file each result as it ends.

    Args:
        rows: From :func:`list_ablations`.
        out: Folder of runs, one for each data set.
        results: Receives ``<data>/``, ``<data>_overlap4/`` and ``<data>_distance/``.
        devices: For the runs.
        settings: Of all runs.
        command_line: Is noted in the results.
        configs: The folder that holds ``configs/``.
        num_resamples: Of the bootstrap.
        say: Takes a line for the reader.
        **how: ``overwrite``, ``accept`` and ``display`` of
            :func:`~mmwindow.experiments.cross_validation.run_plans`.

    Returns:
        Names of the rows that are not filed by each rule.

    Raises:
        ValueError: As :func:`check_filed_rows`, or an override would change what the rows are.
    """
    for key in settings.cfg_options or {}:
        if key.startswith(('window', 'test_evaluator')):
            raise ValueError(f'--cfg-options {key}: each row sets its own window and is tested by '
                             'each hit rule, so that it would change nothing or all; leave it out')
    plans = {row: plan_ablation(row, out, settings, configs) for row in rows}
    for row in check_filed_rows(plans, results, how.get('accept', False),
                                how.get('overwrite', False)):
        forget(row, results)  # of other settings: rows of two kinds are never compared
    by_folder = {plan.folder: row for row, plan in plans.items()}

    def file_and_measure(plan: RunPlan) -> float:
        row = by_folder[plan.folder]
        file_ablation(plan, results / row.data, command_line, num_resamples)
        for rule in filter(None, RULES):
            retest_by_rule(row, plan, rule, out, results, command_line, num_resamples, devices, say,
                           display=how.get('display'), overwrite=True)
        return read_seconds(plan)

    todo = [plan for row, plan in plans.items() if not is_filed(row, plan, results)]
    say(f'{len(plans)} rows are asked for; {len(plans) - len(todo)} are filed in {results}')
    run_plans(todo, devices, command_line, measure=file_and_measure, **how)
    return [row.name for row, plan in plans.items() if not is_filed(row, plan, results)]


def check_filed_rows(plans: Mapping[Ablation, RunPlan], results: Path, accept: bool,
                     overwrite: bool) -> list[Ablation]:
    """Reject to replace filed rows of other settings, or to add to those of other code.

    Args:
        plans: Of the rows that are asked for.
        results: Folder of the filed rows.
        accept: Keep rows of other code next to new ones; the tables name the versions.
        overwrite: Replace rows of other settings.

    Returns:
        Those that are filed with other settings.

    Raises:
        ValueError: The message names the rows and says what to do.
    """
    filed = {row: filed_runs(row, results) for row in plans}
    other = [row for row, plan in plans.items()
             if any(run.get('settings_mark') != plan.settings_mark for run in filed[row])]
    changed = [row.name for row in plans if row not in other for run in filed[row]
               if run.get('training_code') not in (None, training_code())
               or run.get('scoring_code') not in (None, scoring_code())]
    if other and not overwrite:
        raise ValueError(f'{results}: {name_some([row.name for row in other])} are filed with other '
                         'settings (--amp, --cfg-options, --seed, a config, torch): repeat the '
                         'options of their commands, name another --results, or replace them with '
                         '--overwrite')
    if changed and not accept:
        raise ValueError(f'{results}: {name_some(changed)} were trained or scored by other code. '
                         '--accept adds rows of this code to them, and the tables name both; another '
                         '--results begins anew')
    return other


def filed_runs(row: Ablation, results: Path) -> list[Mapping[str, Any]]:
    """Return the runs that the result file of a row names; [] where there is none."""
    content = read_json(path) if (path := filed_at(row, '', results)).is_file() else None
    return list(content.get('runs', ())) if isinstance(content, dict) else []


def forget(row: Ablation, results: Path) -> None:
    """Delete the result files of a row, by each rule, and their events."""
    for rule in RULES:
        path = filed_at(row, rule, results)
        for one in (path, path.parent / 'events' / path.name):
            one.unlink(missing_ok=True)


def filed_at(row: Ablation, rule: str, results: Path) -> Path:
    """Return where the result file of a row by one of :data:`RULES` is."""
    return results / f'{row.data}{rule}' / f'{row.name}.json'


def retest_by_rule(row: Ablation, plan: RunPlan, rule: str, out: Path, results: Path,
                   command_line: str, num_resamples: int, devices: Devices,
                   say: Callable[[str], Any], **how: Any) -> None:
    """Test a finished row by another rule and file that; a test of other weights is replaced."""
    folder, retested = results / f'{row.data}{rule}', out / f'{row.data}{rule}'
    outcomes = run_retests(plan_variants([plan.folder], retested, RULES[rule], [OWN]), devices,
                           command_line=command_line, **how)
    if any(outcome.returncode for outcome in outcomes):
        say(f'{row.name}: its test with {RULES[rule]} failed')
    else:
        file_ablation(replace(plan, folder=retested / row.name / SINGLE), folder, command_line,
                      num_resamples)
