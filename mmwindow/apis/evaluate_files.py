"""What ``tools/evaluate.py`` does: saved predictions in, a folder of results out."""
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmwindow.annotations.merging import MAJORITY, MERGE_RADIUS, MergeSettings
from mmwindow.apis.evaluation_inputs import (
    RULE_NUMBERS,
    OtherRecords,
    check_other_images,
    check_same_points,
    check_same_scoring,
    complete_options,
    read_others,
)
from mmwindow.apis.evaluation_outputs import class_suffix, one_writer, write_leaderboards
from mmwindow.apis.evaluation_report import ClassReport, write_report
from mmwindow.apis.reader_report import reader_lines
from mmwindow.apis.reader_study import ReaderChoice, plain_study
from mmwindow.evaluation.files.image_table import image_rows, write_image_table
from mmwindow.evaluation.files.prediction_files import find_reader, read_predictions
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.hit_rules import make_hit_rule
from mmwindow.evaluation.results import ClassResult, EvaluationResult, summarise_class
from mmwindow.evaluation.statistics.bands import froc_band
from mmwindow.evaluation.statistics.bootstrap import DEFAULT_RESAMPLES, check_request
from mmwindow.evaluation.statistics.compare import compare_systems
from mmwindow.evaluation.statistics.leaderboard import leaderboard
from mmwindow.evaluation.statistics.model_points import has_one_scale
from mmwindow.evaluation.statistics.operating_point import (
    apply_operating_point,
    check_rule,
    choose_operating_point,
    find_missing_images,
)
from mmwindow.evaluation.statistics.strata import evaluate_strata
from mmwindow.utils.files import atomic_file
from mmwindow.utils.markdown import format_number
from mmwindow.utils.outputs import check_output_file
from mmwindow.visualization.curves import plot_froc, plot_roc
from mmwindow.visualization.marks import make_reader_marks


def evaluate_files(predictions: str | Path, annotations: str | Path | Sequence[str | Path],
                   out: str | Path, *, num_resamples: int = 0, seed: int = 0, by: str | None = None,
                   compare: str | Path | Sequence[str | Path] | None = None,
                   operating_point: str | Path | None = None,
                   choose: str = 'fp_budget', choose_target: float | None = None,
                   name: str | None = None, progress: bool = True, points_from: str = 'auto',
                   classes: Sequence[str] | None = None, image_ids: str = 'auto',
                   readers: str | None = None, merge_radius: float = MERGE_RADIUS,
                   min_readers: int | str = MAJORITY, **options: Any) -> EvaluationResult:
    """Score a file of predictions against a file of annotations and write what came out.

    Writes ``record.json``, ``images.csv``, ``report.md`` and for each class with points
    ``froc.png``, with both kinds of images ``roc.png``; with several systems to compare
    ``leaderboard.json`` and ``pairs.csv``.

    Args:
        predictions: See :mod:`mmwindow.evaluation.files.prediction_files`.
        annotations: COCO JSON with points, boxes or polygons; or several, one for each reader,
            ``NAME=FILE``.
        out: Folder for the results.
        num_resamples: Of the bootstrap behind intervals; 0 gives none.
        seed: Of the bootstrap.
        by: A field of the images (or 'group') to report by.
        compare: Record of another system on the same images, or several: the report then has a
            leaderboard of all.
        operating_point: Record of the same system on validation images,
            on which the threshold of the table of images is chosen; on these images if None.
        choose: How, one of :data:`~mmwindow.evaluation.statistics.operating_point.RULES`.
        choose_target: FP rate, sensitivity or specificity; 0.1 or 0.9 if None.
        name: Of the system in report and figures; the file's name if None.
        progress: Tell on standard error how far the reading is.
        points_from: How an annotation gives its point, one of
            :data:`~mmwindow.annotations.point_rules.POINT_RULES`.
        classes: Order of the classes in the predictions, where the file does not say it.
        image_ids: What ``image_id`` of COCO results is; see
            :func:`~mmwindow.evaluation.files.prediction_files.read_predictions`.
        readers: Whose points are the truth where there are several readers: 'merge', 'keep' (each
            reader's on their own), 'all' or a name; see docs/readers.md.
        merge_radius: Within which marks of different readers are one finding, frame pixels.
        min_readers: How many readers must have marked a finding, or 'majority'.
        **options: Of :func:`~mmwindow.evaluation.scoring.evaluate`; without ``rule`` the paper's
            rule, of a CSV of points 'distance'. A number of another rule is an error.

    Returns:
        EvaluationResult

    Raises:
        ValueError: Bad input; the message says which file, what is wrong and how to fix it.

    Warns:
        UserWarning: Patients of ``operating_point`` are tested as well.
    """
    out, name = Path(out), name or Path(predictions).stem
    if out.exists() and not out.is_dir():
        raise ValueError(f'{out}: there is a file of this name; a folder for the results is expected')
    options = complete_options(predictions, options)
    # What cannot end well is told before the work.
    check_rule(choose, choose_target, options.get('fp_denominator', 'all'))
    scoring = FROCSettings(rule=make_hit_rule(**{key: options[key] for key in (
        'rule', *RULE_NUMBERS) if key in options}), num_resamples=num_resamples, seed=seed)
    if num_resamples:
        check_request(num_resamples, 0.95, 'percentile')
    others = read_others(name, compare, operating_point)
    for record in others.records():
        check_same_scoring(record, scoring)
    chosen = ReaderChoice(readers, MergeSettings(merge_radius, min_readers))
    truth = chosen.read_truth(annotations, points_from, scoring.rule.needs_boxes)
    for record in others.compared.values():
        check_same_points(record, truth.num_from)
    if by is not None and by != 'group' and not any(by in target.fields for target in truth.targets):
        known = sorted({key for target in truth.targets for key in target.fields} - {'file_name'})
        raise ValueError(f'{truth.name}: no image has the field {by!r}; there are {known}')
    options.update(num_resamples=num_resamples, seed=seed)
    read = partial(read_predictions, predictions, truth.everybody, classes, image_ids)
    for file_name in ('record.json', 'images.csv', 'report.md'):
        check_output_file(out / file_name, '--out')
    result = chosen.evaluate(truth, read, options, progress)
    reports = [report_class(class_name, entry, result.settings, others, name=name, by=by,
                            choose=choose, choose_target=choose_target,
                            num_resamples=num_resamples, seed=seed)
               for class_name, entry in result.classes.items()]
    studies = chosen.study(truth, read, result, options)
    reports = [replace(report, readers=studies.get(report.name)) for report in reports]
    source = dict(
        name=name, predictions=Path(predictions).name, annotations=truth.name,
        kind=find_reader(predictions), points_from=truth.num_from, command=shlex.join(sys.argv))
    rows = [row for report in reports for row in table_rows(report)]
    with tempfile.TemporaryDirectory() as folder, one_writer(out):
        # What can fail comes before a file of an evaluation before is replaced.
        figures = draw_figures(Path(folder), name, reports, result, num_resamples, seed)
        result.write(out / 'record.json', source=source, readers=plain_study(studies, chosen))
        write_image_table(out / 'images.csv', rows)
        write_leaderboards(out, reports)
        for figure in Path(folder).iterdir():
            with atomic_file(out / figure.name) as part:
                shutil.copyfile(figure, part)
        remove_stale(out, reports, figures)
        write_report(out / 'report.md', name, reports, result, figures, more_lines={
            report.name: reader_lines(report.readers, name) for report in reports})
    return result


def table_rows(report: ClassReport) -> list[dict[str, Any]]:
    """Return the rows of a class in the table of images."""
    point = report.point
    return image_rows(report.result.events, None if point is None else point.threshold, report.name,
                      point is not None and point.serves_findings)


def report_class(class_name: str, result: ClassResult, settings: Mapping[str, Any],
                 others: OtherRecords, *, name: str, by: str | None, choose: str,
                 choose_target: float | None, num_resamples: int, seed: int) -> ClassReport:
    """Return the :class:`ClassReport` of one class; see :func:`evaluate_files`."""
    how = FROCSettings.from_record(settings)
    drawn: dict[str, Any] = dict(num_resamples=num_resamples or DEFAULT_RESAMPLES, seed=seed)
    compared = {other: record.events(class_name) for other, record in others.compared.items()}
    validation, chosen_on = others.operating_point, result.events
    if validation is not None:
        chosen_on = validation.events(class_name)
        check_other_images(validation, chosen_on, result.events)
    # A class that lacks images of a kind has no point and a reason, and stops no other class.
    no_point = find_missing_images(chosen_on, choose)
    point = None if no_point else choose_operating_point(
        chosen_on, choose, choose_target, how.fp_denominator,
        has_one_scale([*chosen_on, *result.events]))
    return ClassReport(
        name=class_name, result=result, point=point, no_point=no_point,
        point_result=None if validation is None or point is None else apply_operating_point(
            point, result.events, **drawn),
        strata=None if by is None else evaluate_strata(result.events, by, how, **drawn),
        comparisons={other: compare_systems(result.events, events, how, **drawn)
                     for other, events in compared.items()},
        other_events=compared, leaderboard=None if len(compared) < 2 else leaderboard(
            {name: result.events, **compared}, how, **drawn))


def draw_figures(out: Path, name: str, reports: Sequence[ClassReport], result: EvaluationResult,
                 num_resamples: int, seed: int) -> list[str]:
    """Draw the curves of each class into a folder; return the figures' names, in order.

    Without matplotlib there is none, and a line on standard error says how to get it.
    """
    if find_spec('matplotlib') is None:
        print('evaluate: no figures, because matplotlib is not installed; '
              "pip install 'mmwindow[plots]'", file=sys.stderr)
        return []
    how, figures = FROCSettings.from_record(result.settings), []
    for report in reports:
        suffix = class_suffix(report, reports)
        froc, bands = {name: report.result.froc}, {}
        roc = {name: report.result.roc}
        for other, events in report.other_events.items():
            theirs = summarise_class(events, replace(how, num_resamples=0))
            froc[other], roc[other] = theirs.froc, theirs.roc
        right = max(1., max(how.budgets))
        marks = make_reader_marks(report.readers.points if report.readers else ())
        if report.result.froc.num_points:
            if num_resamples:
                bands = {name: froc_band(report.result.events, how, right,
                                         num_resamples=num_resamples, seed=seed)}
            figures.append(plot_froc(froc, out / f'froc{suffix}.png', how.budgets, right, bands,
                                     how.convention, operating_points=marks.froc).name)
        if report.result.roc is not None:
            figures.append(plot_roc(
                {name: curve for name, curve in roc.items() if curve is not None},
                out / f'roc{suffix}.png', zoom=True, operating_points=marks.roc).name)
    return figures


def remove_stale(out: Path, reports: Sequence[ClassReport], figures: Sequence[str]) -> None:
    """Delete the figures of an evaluation before that this one could not draw."""
    for report in reports:
        for kind in ('froc', 'roc'):
            name = f'{kind}{class_suffix(report, reports)}.png'
            if name not in figures:
                (out / name).unlink(missing_ok=True)


def describe(result: EvaluationResult) -> list[str]:
    """Return the numbers of a result as lines of text."""
    width = max(len(key) for key in result.metrics)
    return [f'{key:{width}}  {format_number(value, 4)}' for key, value in result.metrics.items()]
