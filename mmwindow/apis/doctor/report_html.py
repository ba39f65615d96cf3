"""The report as one page: nothing is loaded from elsewhere, no script runs, every text is escaped."""
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np

from mmwindow.apis.doctor.checkup import Checkup
from mmwindow.apis.doctor.data_source import describe_source
from mmwindow.apis.doctor.duplicate_checks import CopyPair
from mmwindow.apis.doctor.label_checks import Suspect
from mmwindow.apis.doctor.pictures import picture_uri
from mmwindow.apis.doctor.problems import ERROR, NOTE, WARNING, Problem
from mmwindow.apis.doctor.report import DoctorReport
from mmwindow.apis.doctor.report_text import describe_timing
from mmwindow.apis.doctor.split_checks import findings_histogram
from mmwindow.images.decode import ImageSettings
from mmwindow.utils.files import write_text
from mmwindow.utils.markdown import format_with_interval
from mmwindow.utils.messages import count_words, printable

MAX_ITEMS = 2000  # of a problem
NUM_PAIRS, NUM_SUSPECTS, NUM_OVERLAYS = 12, 12, 12
STYLE = '''
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 62rem; padding: 1.5rem;
       color: #1a1a1a; background: #fff; overflow-wrap: anywhere }
h1 { font-size: 1.5rem } h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #ccc }
table { border-collapse: collapse; margin: .8rem 0 } th, td { padding: .2rem .7rem; text-align: right;
        border-bottom: 1px solid #ddd } th:first-child, td:first-child { text-align: left }
.problem { border-left: .4rem solid; padding: .3rem .8rem; margin: .7rem 0; background: #f7f7f7 }
.error { border-color: #b00020 } .warning { border-color: #c77700 } .note { border-color: #5b7fa6 }
.word { font-weight: 700; text-transform: uppercase; font-size: .8rem; letter-spacing: .04em }
.what { display: block } .advice { color: #333 } details li { font-size: .85rem }
figure { display: inline-block; vertical-align: top; margin: .4rem; max-width: 30rem;
         font-size: .8rem; color: #333 }
figure img { height: 220px; max-width: 100%; background: #000; object-fit: contain;
             margin-right: 4px } figcaption { max-width: 28rem }
.bar { fill: #4477aa } .scale { color: #555; font-size: .85rem }
.range { width: 200px; height: 16px; vertical-align: middle }
'''
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
PRIVACY = ('This page holds pictures and file names of the data: keep it where the data may be kept.')


def render_html(report: DoctorReport, settings: ImageSettings | None = None) -> str:
    """Return the page.

    Args:
        report: All that was found.
        settings: By which images are read for pictures.
    """
    settings = settings or ImageSettings()
    checkup = report.checkup
    title = f'Data check: {checkup.source.path.name}'
    body = [f'<h1>{_text(title)}</h1>', f'<p>{_text(describe_source(checkup.source))}. '
            f'{_text(PRIVACY)}</p>', *_problems(report), '<h2>Counts</h2>',
            *(_table(table.rows) for table in report.tables[:1]), *_histogram(checkup),
            *(_table(table.rows) for table in report.tables[2:]), *_shortcuts(report),
            *_pairs(checkup, report.copies.pairs, settings), *_suspects(report, settings),
            *_overlays(checkup, settings), *_suggestions(report),
            f'<h2>Cost</h2><p>{_text(describe_timing(report.timing))}</p>']
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<title>{_text(title)}</title>\n<style>{STYLE}</style></head>\n<body>\n'
            + '\n'.join(body) + '\n</body></html>\n')


def write_report_html(report: DoctorReport, path: str | Path, settings: ImageSettings | None = None
                      ) -> None:
    """Write the page atomically."""
    write_text(path, render_html(report, settings))


def _text(value: object) -> str:
    """Return text as HTML that is only text: file names are written by anybody."""
    return escape(printable(str(value)), quote=True)


def _table(rows: Sequence[Sequence[object]]) -> str:
    head, *body = rows
    lines = ['<tr>' + ''.join(f'<th>{_text(cell)}</th>' for cell in head) + '</tr>']
    lines += ['<tr>' + ''.join(f'<td>{_text(cell)}</td>' for cell in row) + '</tr>' for row in body]
    return f'<table>{"".join(lines)}</table>'


def _problems(report: DoctorReport) -> list[str]:
    counts = ', '.join(count_words(report.count(severity), severity)
                       for severity in (ERROR, WARNING, NOTE))
    end = 'A training is impossible before the errors are fixed.' if report.status else (
        'A training is possible.')
    return [f'<h2>Problems</h2><p>{_text(counts)}. {_text(end)}</p>',
            *(_problem(problem) for problem in report.problems)]


def _problem(problem: Problem) -> str:
    where = f'{problem.where}: ' if problem.where else ''
    items = ''
    if problem.items:
        shown = ''.join(f'<li>{_text(item)}</li>' for item in problem.items[:MAX_ITEMS])
        more = len(problem.items) - MAX_ITEMS
        items = (f'<details><summary>{_text(count_words(len(problem.items), "entry", "entries"))}'
                 f'</summary><ul>{shown}</ul>'
                 + (f'<p>and {more} more (--json)</p>' if more > 0 else '') + '</details>')
    return (f'<div class="problem {problem.severity}"><span class="word">{problem.severity}</span> '
            f'<b>{_text(problem.kind)}</b><span class="what">{_text(where + problem.what)}.</span>'
            f'<span class="advice">What to do: {_text(problem.advice)}.</span>{items}</div>')


def _histogram(checkup: Checkup) -> list[str]:
    counts = findings_histogram(checkup)
    most = max(counts.values(), default=0) or 1
    bars = ''.join(
        f'<tr><td>{_text(name)}</td><td><svg class="range" role="img" aria-label="{number}">'
        f'<rect class="bar" width="{200 * number / most:.1f}" height="16"/></svg></td>'
        f'<td>{number}</td></tr>' for name, number in counts.items())
    return ['<table><tr><th>findings in an image</th><th></th><th>images</th></tr>', bars, '</table>']


def _shortcuts(report: DoctorReport) -> list[str]:
    shortcuts = report.shortcuts
    lines = ['<h2>Shortcut cues</h2><p>How well something that is no finding predicts whether an '
             'image has one. An AUROC of .5 is chance. A model can learn a strong cue in place of '
             'findings, and fails where the cue is absent.</p>']
    if not shortcuts.cues:
        return [*lines, f'<p>None: {_text(shortcuts.reason or "all images are alike")}.</p>']
    rows = ''.join(
        f'<tr><td>{_text(cue.name)}</td><td>'
        f'{_text(format_with_interval(cue.auroc.estimate, cue.auroc, 2))}</td>'
        f'<td>{_range(cue.auroc.low, cue.auroc.estimate, cue.auroc.high)}</td>'
        f'<td>{_text(cue.advice) if cue.is_warned else ""}</td></tr>' for cue in shortcuts.cues)
    return [*lines, '<table><tr><th>cue</th><th>AUROC (95 % interval)</th><th>.3 to 1; line: .5</th>'
            f'<th>what to do</th></tr>{rows}</table>', f'<p class="scale">Five folds by patient, '
            f'{count_words(shortcuts.num_images, "image")}; linear fits, so that a network may find '
            f'more.</p>']


def _range(low: float, estimate: float, high: float) -> str:
    """Return an interval as a picture, from .3 to 1."""
    low, estimate, high = (float(np.clip((value - .3) / .7, 0, 1)) * 200
                           for value in (low, estimate, high))
    chance = .2 / .7 * 200
    return (f'<svg class="range" role="img" aria-label="interval"><line x1="{chance:.1f}" y1="0" '
            f'x2="{chance:.1f}" y2="16" stroke="#999"/><line x1="{low:.1f}" y1="8" x2="{high:.1f}" '
            f'y2="8" stroke="#4477aa" stroke-width="3"/><circle cx="{estimate:.1f}" cy="8" r="5" '
            'fill="#4477aa"/></svg>')


def _figure(uris: Iterable[str], caption: str) -> str:
    pictures = ''.join(f'<img src="{uri}" alt="">' if uri else '<i>cannot be read</i>'
                       for uri in uris)
    return f'<figure>{pictures}<figcaption>{_text(caption)}</figcaption></figure>'


def _image_uri(checkup: Checkup, index: int, settings: ImageSettings) -> str:
    image = checkup.images[index]
    return picture_uri(image.path, image.record.points, settings)


def _describe_image(checkup: Checkup, index: int) -> str:
    image = checkup.images[index]
    label = (count_words(len(image.record.points), 'finding') if image.is_positive else 'negative')
    return f'{checkup.name(index)}, {label}'


def _pairs(checkup: Checkup, pairs: Sequence[CopyPair], settings: ImageSettings) -> list[str]:
    if not pairs:
        return []
    def badness(pair: CopyPair) -> tuple[bool, bool, float]:
        one, other = checkup.images[pair.first], checkup.images[pair.second]
        return (one.split == other.split, one.is_positive == other.is_positive, -pair.correlation)
    chosen = sorted(pairs, key=badness)[:NUM_PAIRS]
    lines = [f'<h2>Copies and similar pictures</h2><p>{len(chosen)} of '
             f'{_text(count_words(len(pairs), "pair"))}; pairs across splits and labels first.</p>']
    for pair in chosen:
        kind = pair.kind + (f', correlation {pair.correlation:.3f}' if pair.correlation < 1 else '')
        lines.append(_figure(
            [_image_uri(checkup, index, settings) for index in (pair.first, pair.second)],
            ' = '.join(_describe_image(checkup, index) for index in (pair.first, pair.second))
            + f': {kind}'))
    return lines


def _suspects(report: DoctorReport, settings: ImageSettings) -> list[str]:
    if report.suspects is None:
        return []
    lines = ['<h2>Suspicious labels</h2><p>Images that a model, which was not trained on them, ranks '
             f'against their label ({_text(count_words(report.suspects.num_records, "test"))}). The '
             'most suspicious first. Many are hard cases, not mistakes.</p>']
    for title, found, words in (
            ('Positive images with low scores', report.suspects.positives, 'negative images score '
             'higher'),
            ('Negative images with high scores', report.suspects.negatives, 'positive images score '
             'lower')):
        lines.append(f'<h3>{title}</h3>' if found else '')
        lines += [_suspect(report.checkup, suspect, words, settings)
                  for suspect in found[:NUM_SUSPECTS]]
    return lines


def _suspect(checkup: Checkup, suspect: Suspect, words: str, settings: ImageSettings) -> str:
    return _figure([_image_uri(checkup, suspect.index, settings)],
                   f'{checkup.name(suspect.index)}: {1 - suspect.share:.0%} of {words}, mean score '
                   f'{suspect.score:.3f}')


def _overlays(checkup: Checkup, settings: ImageSettings) -> list[str]:
    positive = np.flatnonzero(checkup.is_positive & checkup.usable)
    if not len(positive):
        return []
    chosen = positive[np.unique(np.linspace(0, len(positive) - 1, NUM_OVERLAYS).astype(int))]
    return ['<h2>Points on images</h2><p>Evenly spread over the positive images. Does each cross lie '
            'on a finding?</p>', *(_figure([_image_uri(checkup, index, settings)],
                                           _describe_image(checkup, index))
                                   for index in chosen.tolist())]


def _suggestions(report: DoctorReport) -> list[str]:
    if not report.suggestions:
        return []
    rows = [['setting', 'value', 'why', 'option'], *(
        [entry.name, entry.value, entry.reason, entry.options] for entry in report.suggestions)]
    return ['<h2>Suggested settings</h2>', _table(rows)]
