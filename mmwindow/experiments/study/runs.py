"""The trainings of the study: what is to be done, and the filing of each result."""
import gzip
import hashlib
import json
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmwindow.apis.config import load_config
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.records import Record, plain, read_record, write_record
from mmwindow.experiments.cross_validation import run_plans
from mmwindow.experiments.devices import Devices
from mmwindow.experiments.job_queue import Outcome
from mmwindow.experiments.other_tests import OTHER_TESTS
from mmwindow.experiments.plan import RunPlan, RunSettings, plan_run
from mmwindow.experiments.result_files import CODE_ENTRIES, RUN_ENTRIES
from mmwindow.experiments.run_folders import read_seconds
from mmwindow.experiments.run_state import read_result
from mmwindow.experiments.short_events import shorten_events
from mmwindow.experiments.study.data import data_options, describe_data
from mmwindow.experiments.study.design import FACTORS, Cell, Sizes
from mmwindow.experiments.systems import System, paper_key
from mmwindow.experiments.worker import RECORDS
from mmwindow.utils.environment import scoring_code, training_code
from mmwindow.utils.files import atomic_file
from mmwindow.utils.messages import name_some, shorten

CLASSIFIERS = ('chexnet', 'wspl', 'ufdet')
FILED = 'runs'  # folder of the results


@dataclass(frozen=True)
class StudyRun:
    """One training of the study.

    Attributes:
        cell: Which level.
        config: Which system.
        seed: Of the training.
        sizes: Of the study.
        amp: Train in mixed precision.
        test: Another way that the training is tested in, one of
            :data:`~mmwindow.experiments.other_tests.OTHER_TESTS`; empty for the config's own.
    """

    cell: Cell
    config: Path
    seed: int
    sizes: Sizes
    amp: bool = False
    test: str = ''

    @property
    def system(self) -> str:
        """Name of the config."""
        return self.config.stem

    @property
    def name(self) -> str:
        """What messages call it."""
        return f'{self.cell.name} {self.system} seed {self.seed}'

    @property
    def options(self) -> dict[str, Any]:
        """Overrides of the config but those of the data: its length, one validation at its end."""
        return {'train_cfg.max_epochs': self.cell.epochs, 'train_cfg.val_interval': self.cell.epochs}

    def filed_at(self, results: Path) -> Path:
        """Return where its result is filed."""
        return results / FILED / self.cell.name / f'{self.system}_seed{self.seed}.json.gz'

    def design(self) -> str:
        """Return a mark of all that decides its result but code, versions and places of files."""
        rest = dict(options=self.options, seed=self.seed,
                    files=data_options(self.cell, 'DATA', self.seed),
                    data=describe_data(self.cell, self.sizes, self.seed), amp=self.amp,
                    **({'rule': [self.test, OTHER_TESTS[self.test]]} if self.test else {}))
        text = design_config_text(self.config) + json.dumps(rest, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@lru_cache
def design_config_text(config: Path) -> str:
    """Return a config, complete; the folder of the data in it is replaced by the study's."""
    return load_config(config, cfg_options={'dataset.data_root': 'DATA/'}).pretty_text


def list_runs(cells: Sequence[Cell], configs: Sequence[str | Path], seeds: Sequence[int],
              sizes: Sizes, amp: bool = False) -> list[StudyRun]:
    """Return the trainings of cells: cell by cell, seed by seed, so that pairs are complete early.

    A classifier is trained on the levels of factors that ask for it, and on the base.

    Raises:
        ValueError: Two configs have one name, or no seed is given.
    """
    names = [Path(config).stem for config in configs]
    if len(set(names)) < len(names) or not names or not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f'systems {", ".join(names) or "none"} and seeds {list(seeds)}: one or more '
                         'of each, all different, are expected')
    with_classifiers = {factor.letter for factor in FACTORS.values() if factor.classifiers}
    factors = {cell.factor for cell in cells}
    return [StudyRun(cell, Path(config), seed, sizes, amp) for cell in cells for seed in seeds
            for config in configs if not paper_key(Path(config).stem, CLASSIFIERS)
            or cell.factor in with_classifiers
            or (cell.factor == 'base' and factors & with_classifiers)]


def plan_study_run(run: StudyRun, out: Path) -> RunPlan:
    """Return the plan of a training; its images must be there.

    Args:
        run: Which.
        out: Folder of runs and data.
    """
    settings = RunSettings({**run.options, **data_options(run.cell, out / 'data', run.seed)},
                           run.seed, run.amp, splits=('test',), weights='last')
    plan = plan_run(run.config, out, settings, None, None)
    return replace(plan, folder=out / 'runs' / run.cell.name / f'{run.system}_seed{run.seed}')


def file_run(run: StudyRun, plan: RunPlan, results: Path) -> None:
    """Copy the numbers and events of a finished training to the results, one small file.

    Args:
        run: Which.
        plan: Its plan.
        results: Folder of the results.
    """
    result = read_result(plan.folder) or {}
    record = read_record(plan.folder / RECORDS['test'])
    system = System(run.system, {None: result}, {None: record.events()}, record.settings,
                    next(iter(record.classes)))
    source = dict(cell=run.cell.name, system=run.system, config=str(run.config), seed=run.seed,
                  design=run.design(), data=describe_data(run.cell, run.sizes, run.seed),
                  run={entry: result.get(entry) for entry in (*RUN_ENTRIES, *CODE_ENTRIES)
                       if entry != 'settings_mark'})
    write_filed(run.filed_at(results), {system.class_name: shorten_events(system)}, record.settings,
                plain(result.get('metrics') or {}), source)


def write_filed(path: Path, events: dict[str, Sequence[ImageEvents]], settings: Mapping[str, Any],
                metrics: Mapping[str, Any], source: Mapping[str, Any]) -> None:
    """Write a filed result; the arguments are those of ``write_record``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        made = write_record(Path(name) / 'record.json', events, settings, metrics, source)
        with atomic_file(path) as part:
            # No name and no time: the same result gives the same bytes.
            Path(part).write_bytes(gzip.compress(made.read_bytes(), mtime=0))


def read_filed_run(run: StudyRun, results: Path) -> Record | None:
    """Return the filed result of a training; None where there is none of this very design.

    Raises:
        ValueError: The file is damaged.
    """
    path = run.filed_at(results)
    if not path.is_file():
        return None
    record = read_filed_file(path)
    return record if record.source['design'] == run.design() else None


def check_filed(runs: Sequence[StudyRun], results: Path, accept: bool = False,
                overwrite: bool = False) -> None:
    """Reject to replace filed results of another design, or to add to those of other code.

    Args:
        runs: All that are asked for.
        results: Folder of the filed results.
        accept: Keep results of other code next to new ones; the report names the versions.
        overwrite: Replace results of another design.

    Raises:
        ValueError: The message names the runs and says what to do.
    """
    filed = {run: read_filed_file(run.filed_at(results)) for run in runs
             if run.filed_at(results).is_file()}
    others = [run.name for run, record in filed.items() if record.source['design'] != run.design()]
    if others and not overwrite:
        raise ValueError(
            f'{results}: {name_some(others)} are filed with another design (--amp, --epochs, sizes, '
            f'a config, or another version of the study): repeat the options of '
            f'{results}/study.json, name another --results, or replace them with --overwrite')
    changed = [run.name for run, record in filed.items() if run.name not in others and (
        record.source['run'].get('scoring_code') != scoring_code()
        # What is tested again is a training of whatever code.
        or (not run.test and record.source['run'].get('training_code') != training_code()))]
    if changed and not accept:
        raise ValueError(
            f'{results}: {name_some(changed)} were trained or scored by other code. --accept adds '
            'runs of this code to them, and the report names both; another --results begins anew')


def read_filed_file(path: Path) -> Record:
    """Return the record of a filed result, of whatever design.

    Raises:
        ValueError: It is damaged, or no filed result.
    """
    return _read_filed_file(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _read_filed_file(path: Path, _: int) -> Record:
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / 'record.json'
        try:
            copy.write_bytes(gzip.decompress(path.read_bytes()))
            record = read_record(copy)
            if not {'design', 'config', 'run'} <= set(record.source):
                raise ValueError('it does not say of which training')
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise ValueError(f'{path}: it is no complete result ({shorten(str(error))}); delete it, '
                             'and the command files or trains it again') from error
    return record


def run_study(runs: Sequence[StudyRun], out: Path, results: Path, devices: Devices,
              overwrite: bool = False, **how: Any) -> list[Outcome]:
    """Train what is missing; file each result as its run ends.

    Args:
        runs: Those that are not filed.
        out: Folder of runs and data; a run that was cut resumes there.
        results: Receives the filed results.
        devices: For the runs.
        overwrite: Delete runs of other settings.
        **how: ``command_line``, ``accept`` and ``display`` of
            :func:`~mmwindow.experiments.cross_validation.run_plans`.

    Returns:
        Of the runs that had to be done.
    """
    plans = {run: plan_study_run(run, out) for run in runs}
    by_folder: Mapping[Path, StudyRun] = {plan.folder: run for run, plan in plans.items()}

    def file_and_measure(plan: RunPlan) -> float:
        file_run(by_folder[plan.folder], plan, results)
        return read_seconds(plan)

    return run_plans(list(plans.values()), devices, overwrite=overwrite, measure=file_and_measure,
                     **how)
