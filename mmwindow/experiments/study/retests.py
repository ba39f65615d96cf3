"""The study's trainings tested again by another hit rule; nothing is trained."""
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmwindow.experiments.devices import Devices
from mmwindow.experiments.other_rules import OTHER_RULES
from mmwindow.experiments.plan import RunPlan
from mmwindow.experiments.retest import OWN, plan_retest, run_retests
from mmwindow.experiments.run_folders import read_seconds
from mmwindow.experiments.run_state import identify, read_result
from mmwindow.experiments.study.runs import (
    StudyRun,
    check_filed,
    file_run,
    plan_study_run,
    read_filed_run,
)
from mmwindow.experiments.study.study import Study, as_filed, report_study, reported_runs
from mmwindow.utils.messages import name_some


def retest_study(study: Study, rule: str, devices: Devices, report_only: bool = False,
                  say: Callable[[str], Any] = print, **how: Any) -> bool:
    """Test all filed trainings of a study by another hit rule; file and report that next to it.

    Args:
        study: ``out`` holds the runs, ``results`` what is filed of them; the tests go into folders
            of these names with the rule's behind.
        rule: One of :data:`~mmwindow.experiments.other_rules.OTHER_RULES`.
        devices: For the tests.
        report_only: Test nothing.
        say: Takes a line for the reader.
        **how: As in :func:`~.runs.run_study`.

    Returns:
        Whether every training that is filed is tested by the rule.

    Raises:
        ValueError: No training is filed, or nothing is tested yet.
    """
    study = as_filed(study, report_only=True)
    trained = [run for run in reported_runs(study) if read_filed_run(run, study.results) is not None]
    if not trained:
        raise ValueError(f'{study.results}: no training of this study is filed there, so that none '
                         'can be tested by another rule; train first, without --rule')
    results = study.results.with_name(f'{study.results.name}_{rule}')
    tests = {run: replace(run, rule=rule) for run in trained}
    todo = [run for run, test in tests.items() if read_filed_run(test, results) is None]
    say(f'{len(tests)} trainings are filed in {study.results}; {len(tests) - len(todo)} of them are '
        f'tested by the rule {rule}, filed in {results}')
    if todo and not report_only:
        check_filed(list(tests.values()), results, how.get('accept', False),
                    how.get('overwrite', False))
        retest_trainings({run: tests[run] for run in todo}, study, results, devices, say, **how)
    report_study(replace(study, results=results, rule=rule), list(tests.values()), say,
                 how.get('command_line', ''))
    return all(read_filed_run(test, results) is not None for test in tests.values())


def retest_trainings(tests: Mapping[StudyRun, StudyRun], study: Study, results: Path,
                     devices: Devices, say: Callable[[str], Any], **how: Any) -> None:
    """Test trainings whose runs are still there, and file each result as its test ends.

    Args:
        tests: Training -> the same by the other rule.
        study: Where the runs are, and what is filed of them.
        results: Receives the tests.
        devices: For the tests.
        say: Takes a line for the reader.
        **how: As in :func:`~.runs.run_study`.
    """
    plans: list[tuple[RunPlan, Path]] = []
    by_folder: dict[Path, StudyRun] = {}
    lost: list[str] = []
    for run, test in tests.items():
        source = plan_study_run(run, study.out).folder
        result, filed = read_result(source), read_filed_run(run, study.results)
        if result is None or filed is None or identify(result) != identify(filed.source['run']):
            lost.append(run.name)
            continue
        plan = plan_retest(run.system, study.out / f'runs_{test.rule}' / run.cell.name / source.name,
                           source, result, OTHER_RULES[test.rule], OWN)
        plans.append((plan, source))
        by_folder[plan.folder] = test
    if lost:
        say(f'{study.out}: the runs of {name_some(lost)} are not there, or are other trainings than '
            'those that are filed: they cannot be tested')

    def file_and_measure(plan: RunPlan) -> float:
        file_run(by_folder[plan.folder], plan, results)
        return read_seconds(plan)

    run_retests({'own': plans}, devices, measure=file_and_measure, **how)

