"""The study's trainings tested in another way; nothing is trained."""
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwindow.experiments.devices import Devices
from mmwindow.experiments.other_tests import OTHER_TESTS
from mmwindow.experiments.plan import RunPlan
from mmwindow.experiments.retest import OWN, find_place, plan_retest, run_retests
from mmwindow.experiments.run_folders import read_seconds
from mmwindow.experiments.run_state import identify, read_result
from mmwindow.experiments.study.design import BASE
from mmwindow.experiments.study.runs import (
    StudyRun,
    check_filed,
    file_run,
    plan_study_run,
    read_filed_run,
    write_filed,
)
from mmwindow.experiments.study.study import Study, as_filed, report_study, reported_runs
from mmwindow.utils.messages import name_some


def retest_study(study: Study, test: str, devices: Devices, report_only: bool = False,
                 say: Callable[[str], Any] = print, **how: Any) -> bool:
    """Test filed trainings of a study in another way; file and report that next to it.

    Args:
        study: ``out`` holds the runs, ``results`` what is filed of them; the tests go into folders
            of these names with the way's behind. Of its parts all that is filed is tested.
        test: One of :data:`~mmwindow.experiments.other_tests.OTHER_TESTS`.
        devices: For the tests.
        report_only: Test nothing.
        say: Takes a line for the reader.
        **how: As in :func:`~.runs.run_study`.

    Returns:
        Whether every training that is filed is tested so.

    Raises:
        ValueError: No training is filed, or nothing is tested yet.
    """
    study = as_filed(study, report_only=True)
    trained = [run for run in reported_runs(study) if run.cell.factor in (BASE, *study.parts)
               and read_filed_run(run, study.results) is not None]
    if not trained:
        raise ValueError(f'{study.results}: no training of these parts is filed there, so that none '
                         'can be tested in another way; train first, without --test')
    results = study.results.with_name(f'{study.results.name}_{test}')
    tests = {run: replace(run, test=test) for run in trained}
    todo = [run for run, again in tests.items() if read_filed_run(again, results) is None]
    say(f'{len(tests)} trainings are filed in {study.results}; {len(tests) - len(todo)} of them are '
        f'tested in the way {test}, filed in {results}')
    if todo and not report_only:
        check_filed(list(tests.values()), results, how.get('accept', False),
                    how.get('overwrite', False))
        retest_trainings({run: tests[run] for run in todo}, study, results, devices, say, **how)
    report_study(replace(study, results=results, test=test), list(tests.values()), say,
                 how.get('command_line', ''))
    return all(read_filed_run(again, results) is not None for again in tests.values())


def retest_trainings(tests: Mapping[StudyRun, StudyRun], study: Study, results: Path,
                     devices: Devices, say: Callable[[str], Any], **how: Any) -> None:
    """Test trainings whose runs are still there, and file each result as its test ends.

    Args:
        tests: Training -> the same, tested in the other way.
        study: Where the runs are, and what is filed of them.
        results: Receives the tests.
        devices: For the tests.
        say: Takes a line for the reader.
        **how: As in :func:`~.runs.run_study`.
    """
    plans: list[tuple[RunPlan, Path]] = []
    by_folder: dict[Path, StudyRun] = {}
    lost: list[str] = []
    for run, again in tests.items():
        plan = plan_study_run(run, study.out)
        source, filed = plan.folder, read_filed_run(run, study.results)
        assert filed is not None  # of what is filed alone
        options = options_of(again.test, plan.cfg)
        if not options:  # nothing of it concerns the system: it finds what it found
            write_filed(again.filed_at(results), {name: filed.events(name) for name in filed.classes},
                        filed.settings, filed.metrics, {**filed.source, 'design': again.design()})
            continue
        result = read_result(source)
        if result is None or identify(result) != identify(filed.source['run']):
            lost.append(run.name)
            continue
        plan = plan_retest(run.system, study.out / f'runs_{again.test}' / run.cell.name / source.name,
                           source, result, options, OWN)
        plans.append((plan, source))
        by_folder[plan.folder] = again
    if lost:
        say(f'{study.out}: the runs of {name_some(lost)} are not there, or are other trainings than '
            'those that are filed: they cannot be tested')

    def file_and_measure(plan: RunPlan) -> float:
        file_run(by_folder[plan.folder], plan, results)
        return read_seconds(plan)

    run_retests({'own': plans}, devices, measure=file_and_measure, **how)


def options_of(test: str, cfg: Config) -> dict[str, Any]:
    """Return the overrides of a way to test that a system has a place for."""
    return {key: value for key, value in OTHER_TESTS[test].items()
            if not key.startswith('model.') or not find_place(cfg, key).missing}
