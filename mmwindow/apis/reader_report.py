"""The pages of a report that are about readers."""
from collections.abc import Iterable, Mapping

from mmwindow.apis.evaluation_report import note_lines, table
from mmwindow.apis.reader_study import ReaderStudy
from mmwindow.evaluation.readers import PairAgreement, ReaderAgreement, ReaderPoint
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.utils.markdown import format_number, format_with_interval
from mmwindow.utils.messages import count_words


def reader_lines(study: ReaderStudy | None, name: str) -> list[str]:
    """Return the section about the readers of one class.

    Args:
        study: None: no lines.
        name: Of the system.
    """
    if study is None:
        return []
    lines = ['### Readers', '']
    if study.counts is not None:
        counts = study.counts
        lines += [
            f'Reference: findings {study.merge.describe()}; each at the mean of its marks. '
            f'{count_words(counts.num_findings, "finding")}; '
            f'{count_words(counts.num_left_out, "place")} that fewer readers marked '
            f'are left out. On {count_words(counts.num_disputed, "image")} enough readers marked '
            f'something, but no '
            'place has enough marks: these count as negative images.', '']
    if study.agreement is not None:
        lines += agreement_lines(study.agreement)
    return lines + point_lines(study, name)


def agreement_lines(agreement: ReaderAgreement) -> list[str]:
    """Return what each reader marked, and how far pairs of readers agree."""
    lines = table(['reader', 'images read', 'with a mark', 'marks', 'marks per image'], [
        [entry.reader, entry.num_images, entry.num_positive, entry.num_points,
         format_number(entry.points_per_image)] for entry in agreement.readers])
    lines += table(['readers', 'images', 'same call', "Cohen's kappa", 'marks', 'same place',
                     'positive agreement', 'median distance'],
                    [_pair_row(pair) for pair in agreement.pairs])
    lines += [f"Krippendorff's alpha of all readers' calls: "
              f'{format_with_interval(agreement.alpha, agreement.alpha_interval)}.', '',
              'Call: whether a reader marks anything on an image. Same place: marks matched one to '
              f'one within {agreement.radius:g} pixels of the 1024 frame, as are distances; '
              'positive agreement is twice their number over all marks of both. 95 % intervals are '
              'by patient.', '']
    return lines + _notes([
        *((f'{pair.first} and {pair.second}, {key}', reason) for pair in agreement.pairs
          for key, reason in pair.reasons.items()),
        *((key, reason) for key, reason in agreement.reasons.items()),
        *((what, interval.note) for what, interval in (
            *((f'{pair.first} and {pair.second}, kappa', pair.kappa_interval)
              for pair in agreement.pairs), ('alpha', agreement.alpha_interval))
          if interval is not None)])


def _pair_row(pair: PairAgreement) -> list[object]:
    return [f'{pair.first} and {pair.second}', pair.num_images, _number(pair.same_call),
            format_with_interval(pair.kappa, pair.kappa_interval),
            f'{pair.num_first} and {pair.num_second}', pair.num_matched, _number(pair.same_place),
            format_number(pair.median_distance, 1)]


def point_lines(study: ReaderStudy, name: str) -> list[str]:
    """Return each reader's operating point, and the system at the same place."""
    who = 'the findings of the other readers' if study.reference is None else (
        f'the marks of reader {study.reference}')
    lines = table(
        [f'reader, against {who}', 'images', 'findings', 'recall', 'false positives per image',
         'sensitivity', 'specificity'],
        [[point.reader, point.num_images, point.num_points, _number(point.recall),
          _number(point.fp_rate), _number(point.sensitivity), _number(point.specificity)]
         for point in study.points])
    systems: Mapping[str, ReaderPoint] = {point.reader: point for point in study.points
                                          if point.system is not None}
    if systems:
        lines += table(
            ['reader', f'recall of {name} at the FP rate', 'reader minus system',
             f'sensitivity of {name} at the specificity', 'reader minus system'],
            [_system_row(point) for point in systems.values()])
    lines += [_explain(study, name), '']
    return lines + _notes([
        *((f'{point.reader}, {key}', reason) for point in study.points
          for key, reason in point.reasons.items()),
        *((f'{point.reader}, {key.replace("_", " ")}', interval.note) for point in study.points
          for key, interval in (('recall', point.recall), ('fp_rate', point.fp_rate),
                                ('sensitivity', point.sensitivity),
                                ('specificity', point.specificity)) if interval is not None),
        *((f'{reader} minus system, {key}', reason) for reader, point in systems.items()
          if point.system is not None for key, reason in point.system.reasons.items())])


def _system_row(point: ReaderPoint) -> list[object]:
    system = point.system
    if system is None:
        return [point.reader]
    return [point.reader, format_number(system.recall), _number(system.recall_difference, True),
            format_number(system.sensitivity), _number(system.sensitivity_difference, True)]


def _explain(study: ReaderStudy, name: str) -> str:
    if study.reference is not None:
        return (f'The curves of {name} are against reader {study.reference} as well, on all images '
                'of this reader; the filled marks are the other readers, on the images that both '
                f'have read, and the hollow ones {name} on the same images at the same FP rate or '
                'specificity. Differences: paired bootstrap over patients.')
    return (f'The curves of {name} are against the findings of all readers. A reader cannot be '
            'measured by findings that this very reader helped to make, so each filled mark is '
            'against the findings of the others, another reference: compare it with the hollow mark '
            f'of the same shape, {name} at the same FP rate or specificity against the same findings '
            'on the same images, not with the curve. Differences: paired bootstrap over patients, '
            "in which the reader's FP rate and specificity are found again each time.")


def _number(interval: Interval | None, signed: bool = False) -> str:
    return 'none' if interval is None else format_with_interval(interval.estimate, interval,
                                                                signed=signed)


def _notes(notes: Iterable[tuple[str, str]]) -> list[str]:
    """Return pairs of a name and a note as a list, without those that say nothing."""
    return note_lines([f'{name}: {note}' for name, note in notes if note])
