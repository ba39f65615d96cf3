"""What ``tools/evaluate.py`` does: saved predictions in, a folder of results out."""
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmwindow.annotations.merging import MAJORITY, MERGE_RADIUS, MergeSettings
from mmwindow.apis.evaluation_report import ClassReport, write_report
from mmwindow.apis.reader_report import reader_lines
from mmwindow.apis.reader_study import ReaderChoice, plain_study
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.image_table import image_rows, write_image_table
from mmwindow.evaluation.files.prediction_files import find_reader, read_predictions
from mmwindow.evaluation.files.records import Record, read_record
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.hit_rules import make_hit_rule, rule_numbers
from mmwindow.evaluation.results import EvaluationResult, summarise_class
from mmwindow.evaluation.statistics.bands import froc_band
from mmwindow.evaluation.statistics.bootstrap import DEFAULT_RESAMPLES
from mmwindow.evaluation.statistics.compare import compare_systems
from mmwindow.evaluation.statistics.operating_point import (
    apply_operating_point,
    check_scale,
    choose_operating_point,
)
from mmwindow.evaluation.statistics.strata import evaluate_strata
from mmwindow.utils.markdown import format_number
from mmwindow.visualization.curves import plot_froc, plot_roc
from mmwindow.visualization.marks import make_reader_marks


def evaluate_files(predictions: str | Path, annotations: str | Path | Sequence[str | Path],
                   out: str | Path, *, num_resamples: int = 0, seed: int = 0, by: str | None = None,
                   compare: str | Path | None = None, operating_point: str | Path | None = None,
                   choose: str = 'fp_budget', choose_target: float | None = None,
                   name: str | None = None, progress: bool = True, points_from: str = 'auto',
                   classes: Sequence[str] | None = None, image_ids: str = 'auto',
                   readers: str | None = None, merge_radius: float = MERGE_RADIUS,
                   min_readers: int | str = MAJORITY, **options: Any) -> EvaluationResult:
    """Score a file of predictions against a file of annotations and write what came out.

    Writes ``record.json``, ``images.csv``, ``report.md`` and for each class with points
    ``froc.png``, with both kinds of images ``roc.png``.

    Args:
        predictions: See :mod:`mmwindow.evaluation.files.prediction_files`.
        annotations: COCO JSON with points, boxes or polygons; or several, one for each reader,
            ``NAME=FILE``.
        out: Folder for the results.
        num_resamples: Of the bootstrap behind intervals; 0 gives none.
        seed: Of the bootstrap.
        by: A field of the images (or 'group') to report by.
        compare: Record of another system on the same images.
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
        **options: Of :func:`~mmwindow.evaluation.scoring.evaluate`.

    Returns:
        EvaluationResult

    Raises:
        ValueError: Bad input; the message says which file, what is wrong and how to fix it.
    """
    out, name = Path(out), name or Path(predictions).stem
    if out.exists() and not out.is_dir():
        raise ValueError(f'{out}: there is a file of this name; a folder for the results is expected')
    rule = make_hit_rule(options.get('rule', 'disk_overlap'))
    chosen = ReaderChoice(readers, MergeSettings(merge_radius, min_readers))
    truth = chosen.read_truth(annotations, points_from, rule.needs_boxes)
    if by is not None and by != 'group' and not any(by in target.fields for target in truth.targets):
        known = sorted({key for target in truth.targets for key in target.fields} - {'file_name'})
        raise ValueError(f'{annotations}: no image has the field {by!r}; there are {known}')
    others = {what: read_record(path) for what, path in
              (('compare', compare), ('operating_point', operating_point)) if path is not None}
    options.update(num_resamples=num_resamples, seed=seed)
    read = partial(read_predictions, predictions, truth.everybody, classes, image_ids)
    result = chosen.evaluate(truth, read, options, progress)
    for record in others.values():
        check_same_scoring(record, result.settings)
    reports = [report_class(class_name, entry, result.settings, others, by=by, choose=choose,
                            choose_target=choose_target, num_resamples=num_resamples, seed=seed)
               for class_name, entry in result.classes.items()]
    studies = chosen.study(truth, read, result, options)
    reports = [replace(report, readers=studies.get(report.name)) for report in reports]
    result.write(out / 'record.json', source=dict(
        name=name, predictions=Path(predictions).name, annotations=truth.name,
        kind=find_reader(predictions), points_from=truth.num_from, command=shlex.join(sys.argv)),
        readers=plain_study(studies, chosen))
    write_image_table(out / 'images.csv', [
        row for report in reports
        for row in image_rows(report.result.events, report.point.threshold, report.name,
                              report.point.serves_findings)])
    other = None if compare is None else other_name(others['compare'], name)
    figures = draw_figures(out, name, reports, result, num_resamples, seed, other)
    write_report(out / 'report.md', name, reports, result, figures, other=other, more_lines={
        report.name: reader_lines(report.readers, name) for report in reports})
    return result


def report_class(name: str, result: Any, settings: Mapping[str, Any], others: Any, *, by: Any,
                 choose: Any, choose_target: Any, num_resamples: int, seed: int) -> ClassReport:
    """Return the :class:`ClassReport` of one class; see :func:`evaluate_files`."""
    how = FROCSettings.from_record(settings)
    resamples = num_resamples or DEFAULT_RESAMPLES
    comparison = other_events = point_result = None
    if 'compare' in others:
        other_events = others['compare'].events(name)
        comparison = compare_systems(result.events, other_events, how, num_resamples=resamples,
                                     seed=seed)
    chosen_on = result.events
    if 'operating_point' in others:
        chosen_on = others['operating_point'].events(name)
        check_other_images(others['operating_point'], chosen_on, result.events)
    point = choose_operating_point(chosen_on, choose, choose_target, how.fp_denominator,
                                   has_one_scale([*chosen_on, *result.events]))
    if 'operating_point' in others:
        point_result = apply_operating_point(point, result.events, num_resamples=resamples, seed=seed)
    return ClassReport(name=name, result=result, point=point, point_result=point_result,
                       strata=None if by is None else evaluate_strata(
                           result.events, by, how, num_resamples=resamples, seed=seed),
                       comparison=comparison, other_events=other_events)


def has_one_scale(events: Sequence[ImageEvents]) -> bool:
    """Tell whether no finding beats the score of its image: one threshold then serves both."""
    try:
        check_scale(events)
    except ValueError:
        return False
    return True


def check_other_images(record: Record, chosen_on: Sequence[ImageEvents],
                       events: Sequence[ImageEvents]) -> None:
    """Reject a threshold that would be chosen on the images it is applied to."""
    def names(images: Sequence[ImageEvents]) -> Iterator[Any]:
        # An image is the same by its id and bare file name together, or by its file name alone.
        for img in images:
            file_name = img.fields.get('file_name')
            yield img.image_id, None if file_name is None else Path(file_name).name
            if file_name is not None:
                yield file_name

    common = set(names(chosen_on)) & set(names(events))
    if common:
        num = sum(not common.isdisjoint(names([img])) for img in events)
        raise ValueError(f'{record.path}: {num} of its images are evaluated here as well, '
                         f'such as {min(common, key=str)}; an operating point is chosen on '
                         'validation images, never on those it is reported for')


def other_name(record: Record, name: str) -> str:
    """Return how the system of a record is called next to one of another name."""
    path = record.path or Path('other')  # a record that was not read from a file has none
    other = record.source.get('name') or path.parent.name or path.stem
    return f'{other} ({path.parent.name or path.stem})' if other == name else other


def check_same_scoring(record: Record, settings: Mapping[str, Any]) -> None:
    """Reject a record whose events were made by another rule: they cannot be compared."""
    keys = ('rule', 'frame_side', *rule_numbers(settings['rule']))
    theirs = {key: record.settings.get(key) for key in keys}
    mine = {key: settings[key] for key in keys}
    if theirs != mine:
        raise ValueError(f'{record.path}: scored with {theirs}, but here it is {mine}; score both '
                         'alike')


def draw_figures(out: Any, name: str, reports: Sequence[ClassReport], result: Any,
                 num_resamples: int, seed: int, other: str | None = None) -> list[str]:
    """Draw the curves of each class; return the figures' names, in order.

    Without matplotlib there is none, and a line on standard error says how to get it.
    """
    if find_spec('matplotlib') is None:
        print('evaluate: no figures, because matplotlib is not installed; '
              "pip install 'mmwindow[plots]'", file=sys.stderr)
        return []
    how, figures = result.settings, []
    for report in reports:
        suffix = '' if len(reports) == 1 else '_' + re.sub(r'[\\/:]', '-', report.name)
        froc, bands = {name: report.result.froc}, {}
        roc = {name: report.result.roc}
        if other is not None and report.other_events is not None:
            theirs = summarise_class(report.other_events, replace(result.settings, num_resamples=0))
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


def describe(result: EvaluationResult) -> list[str]:
    """Return the numbers of a result as lines of text."""
    width = max(len(key) for key in result.metrics)
    return [f'{key:{width}}  {format_number(value, 4)}' for key, value in result.metrics.items()]
