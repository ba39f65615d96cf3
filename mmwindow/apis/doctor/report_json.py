"""The report as JSON."""
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mmwindow
from mmwindow.apis.doctor.report import DoctorReport
from mmwindow.apis.doctor.split_checks import findings_histogram
from mmwindow.utils.files import write_json

FORMAT = 'mmwindow-check'
VERSION = 1


def report_content(report: DoctorReport) -> dict[str, Any]:
    """Return the report as plain data."""
    checkup, timing = report.checkup, report.timing
    return dict(
        format=FORMAT, version=VERSION, mmwindow=mmwindow.__version__,
        source=str(checkup.source.path), kind=checkup.source.kind, status=report.status,
        problems=[asdict(problem) for problem in report.problems],
        tables={table.title: table.rows for table in report.tables},
        findings_per_image=findings_histogram(checkup),
        copies=dict(candidates=report.copies.num_candidates, pairs=[
            dict(first=checkup.name(pair.first), second=checkup.name(pair.second), kind=pair.kind,
                 correlation=round(pair.correlation, 4)) for pair in report.copies.pairs]),
        shortcuts=dict(reason=report.shortcuts.reason, num_images=report.shortcuts.num_images, cues=[
            dict(name=cue.name, auroc=cue.auroc.estimate, low=cue.auroc.low, high=cue.auroc.high,
                 is_warned=cue.is_warned) for cue in report.shortcuts.cues]),
        suspects=None if report.suspects is None else dict(
            records=report.suspects.num_records, images=report.suspects.num_images, ranked=[
                dict(image=checkup.name(suspect.index), is_positive=suspect.is_positive,
                     share=suspect.share, score=suspect.score)
                for suspect in (*report.suspects.positives, *report.suspects.negatives)]),
        suggestions=[asdict(suggestion) for suggestion in report.suggestions],
        timing=dict(asdict(timing), reading_ratio=timing.reading_ratio,
                    total_ratio=timing.total_ratio))


def write_report_json(report: DoctorReport, path: str | Path) -> None:
    """Write the report atomically."""
    write_json(path, report_content(report))
