"""The study in one call: radiographs, trainings, comparison, report; each part is resumed."""
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mmwindow.experiments.devices import Devices
from mmwindow.experiments.study.analysis import analyse
from mmwindow.experiments.study.data import find_sets, set_name, write_sets
from mmwindow.experiments.study.design import BASE, CORE, PARTS, Sizes, make_cells
from mmwindow.experiments.study.estimate import describe_estimate, estimate_study
from mmwindow.experiments.study.levels import file_levels
from mmwindow.experiments.study.report import NAME, describe_missing, write_report
from mmwindow.experiments.study.runs import (
    FILED,
    StudyRun,
    check_filed,
    list_runs,
    read_filed_file,
    read_filed_run,
    run_study,
)
from mmwindow.utils.files import read_json, write_json

CONFIGS = ('configs/windowloss/wl_kld_lite0_fpn_synthetic.py',
           'configs/retinanet/retinanet_lite0_fpn_synthetic.py',
           'configs/chexnet/chexnet_lite0_synthetic.py')
BASELINE = 'retinanet_lite0_fpn_synthetic'
FILES = f'{FILED}/*/*_seed*.json.gz'


@dataclass(frozen=True)
class Study:
    """What is asked of the study.

    Attributes:
        out: Folder of runs and radiographs.
        results: Folder of filed results, file, table and figure.
        configs: One for each system.
        parts: Letters of factors, and the base.
        seeds: Of the trainings.
        sizes: Of the study.
        baseline: Name of the config that each other system is compared with; empty for the one of
            the filed results, at first :data:`BASELINE`.
        num_resamples: Of the bootstrap.
        paper: The paper's numbers, for the labels.
        amp: Train in mixed precision.
        report: Folder of table and figure, where it is not the one of the filed results.
        test: Another way to test than the configs' own that the filed results are of.
    """

    out: Path
    results: Path
    configs: Sequence[str | Path] = CONFIGS
    parts: Sequence[str] = CORE
    seeds: Sequence[int] = (0, 1, 2)
    sizes: Sizes = Sizes()
    baseline: str = ''
    num_resamples: int = 2000
    paper: Path | None = None
    amp: bool = False
    report: Path | None = None
    test: str = ''

    @property
    def report_folder(self) -> Path:
        """Where table and figure are written."""
        return self.report or self.results

    def runs(self) -> list[StudyRun]:
        """Return the runs that are asked for; the base level is always among them."""
        return list_runs(make_cells(self.sizes, [BASE, *self.parts]), self.configs, self.seeds,
                         self.sizes, self.amp)


def filed_configs(results: Path) -> dict[str, Path]:
    """Return the config of each system of which any run is filed, by its name."""
    found: dict[str, Path] = {}
    for path in sorted(results.glob(FILES)):
        system = path.name.rpartition('_seed')[0]
        if system not in found:
            found[system] = Path(read_filed_file(path).source['config'])
    return found


def reported_runs(study: Study) -> list[StudyRun]:
    """Return the runs that are asked for, and those of any level and system of which one is filed.

    Where any system is filed, the baseline is wanted too, on all levels of the factor.
    """
    asked = study.runs()
    filed = {(path.parent.name, path.name.rpartition('_seed')[0])
             for path in study.results.glob(FILES)}
    cells = {cell.name: cell for cell in make_cells(study.sizes, PARTS)}
    begun = {cells[name].factor for name, _ in filed if name in cells}
    filed |= {(cell.name, study.baseline) for cell in cells.values() if cell.factor in begun}
    own = {Path(config).stem: Path(config) for config in study.configs}
    configs = {**{system: config for system, config in filed_configs(study.results).items()
                  if config.is_file()}, **own}
    order = [*own.values(), *(config for system, config in configs.items() if system not in own)]
    every = list_runs(make_cells(study.sizes, PARTS), order, study.seeds, study.sizes, study.amp)
    return [run for run in every if run in asked or (run.cell.name, run.system) in filed]


def as_filed(study: Study, report_only: bool) -> Study:
    """Return a study with its baseline and the seeds that are filed besides those asked for.

    One that only reports has all of the filed design.

    Args:
        study: What is asked for.
        report_only: Take sizes, precision and seeds from the results that are filed.

    Raises:
        ValueError: A baseline that is not the filed one would replace the report of it.
    """
    filed = read_json(study.results / f'{NAME}.json')
    if not isinstance(filed, dict) or not {'sizes', 'amp', 'seeds', 'baseline'} <= set(filed):
        return replace(study, baseline=study.baseline or BASELINE)
    baseline = study.baseline or filed['baseline']
    if baseline != filed['baseline'] and study.report_folder.resolve() == study.results.resolve():
        raise ValueError(f'{study.results} compares with {filed["baseline"]}; to compare with '
                         f'{baseline}, give the tables and the figure a folder of their own by '
                         '--report')
    study = replace(study, baseline=baseline)
    if report_only:
        return replace(study, sizes=Sizes(**filed['sizes']), amp=bool(filed['amp']),
                       seeds=tuple(filed['seeds']))
    # Further seeds are added: a report of others alone would drop what is filed.
    return replace(study, seeds=tuple(dict.fromkeys([*filed['seeds'], *study.seeds])))


def file_request(study: Study) -> None:
    """File what was asked for before the first training, for a report of a study that was stopped."""
    path = study.results / f'{NAME}.json'
    if not path.is_file():
        write_json(path, dict(sizes=asdict(study.sizes), amp=study.amp, seeds=list(study.seeds),
                              baseline=study.baseline))


def do_study(study: Study, devices: Devices, dry_run: bool = False, report_only: bool = False,
             say: Callable[[str], Any] = print, **how: Any) -> bool:
    """Do what is missing of the study, and report all that is filed.

    Args:
        study: What is asked for.
        devices: For the runs.
        dry_run: Only say what is missing and how long it will take.
        report_only: Train nothing.
        say: Takes a line for the reader.
        **how: As in :func:`~.runs.run_study`; ``command_line`` is written into the files.

    Returns:
        Whether every run that is asked for is filed.

    Raises:
        ValueError: A request that makes no sense, or a folder is in use or holds something else.
    """
    study = as_filed(study, report_only)
    runs = study.runs()
    if study.baseline not in {run.system for run in runs}:
        raise ValueError(f'the baseline {study.baseline!r} is none of the systems '
                         + ', '.join(dict.fromkeys(run.system for run in runs)))
    missing = [run for run in runs if read_filed_run(run, study.results) is None]
    say(f'{len(runs)} runs are asked for; {len(runs) - len(missing)} are filed in {study.results}')
    if missing and not report_only:
        check_filed(runs, study.results, how.get('accept', False), how.get('overwrite', False))
        base = make_cells(study.sizes, [BASE])[0]
        wanted = [(base, 0)]
        if not dry_run:
            wanted += [(cell, run.seed) for run in missing for cell in (base, run.cell)]
        write_sets(find_sets(wanted), study.sizes, study.out / 'data')
        num_jobs = len(devices.environments)
        say(describe_estimate(estimate_study(missing, study.out, num_jobs), len(missing), num_jobs))
        if not dry_run:
            file_request(study)
            run_study(missing, study.out, study.results, devices, **how)
    if dry_run:
        return not missing
    if not report_only:
        data, cells = study.out / 'data', {run.cell.name: run.cell for run in runs}.values()
        measured = [(images, seed) for images, seed in find_sets((cell, 0) for cell in cells)
                    if (data / set_name(images.name, seed)).is_dir()]
        write_sets(measured, study.sizes, data)  # raises where they are another study's
        file_levels(cells, data, study.results, study.sizes)
    report_study(study, reported_runs(study), say, how.get('command_line', ''))
    return all(read_filed_run(run, study.results) is not None for run in runs)


def report_study(study: Study, reported: Sequence[StudyRun], say: Callable[[str], Any],
                 command_line: str = '') -> None:
    """Write file, table and figure of what is filed, and say what is missing.

    Args:
        study: Whose results are reported.
        reported: The runs that the report is of.
        say: Takes a line for the reader.
        command_line: Is written into the files.

    Raises:
        ValueError: No level of any system is complete.
    """
    found = analyse(reported, study.results, study.baseline, study.num_resamples)
    if not any(result.means for result in found):
        raise ValueError(f'{study.results}: no system has all of its seeds {list(study.seeds)} on '
                         'any level yet; there is nothing to report')
    systems = list(dict.fromkeys(run.system for run in reported))
    for system, config in filed_configs(study.results).items():
        if system not in systems:
            say(f'{system} is left out of the report: its config {config} is not there; call the '
                'command from where it was trained, or name the config with --add')
    table = write_report(found, study.report_folder, systems, study.baseline, study.sizes,
                         study.seeds, command_line, study.paper, study.num_resamples,
                         study.amp, study.test)
    for line in describe_missing(found):
        say(line)
    say(f'table and figure: {table}')
