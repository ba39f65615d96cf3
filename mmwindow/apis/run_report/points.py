"""The sections of a report about stored thresholds: where they come from, and what they do."""
from mmwindow.apis.evaluation_report import table
from mmwindow.apis.run_numbers import AtThreshold, ClassNumbers
from mmwindow.apis.run_report.inputs import ReportInputs
from mmwindow.evaluation.statistics.model_points import ADVICE
from mmwindow.utils.markdown import format_with_interval
from mmwindow.utils.messages import count_words
from mmwindow.utils.operating_points import OperatingPoint

TITLES = dict(sensitivity='sensitivity of images', specificity='specificity of images',
              recall='recall of points', fp_rate='false positives per image')
CHOOSE_HINT = '`mmwindow test MODEL --choose-threshold fp_budget` chooses one on validation images'
FOLDS_HINT = ('The final model takes its threshold from the held-out images of all folds, where '
              'these are enough')


def point_section(entry: ClassNumbers, inputs: ReportInputs) -> list[str]:
    """Return what the stored thresholds of a class are and do."""
    lines = ['### Operating point', '']
    if entry.folds:
        return lines + fold_points(entry)
    if entry.at_threshold is None or inputs.points is None:
        why = entry.points.reasons.get('findings') or entry.points.reasons.get('images')
        hint = f'{ADVICE[:1].upper()}{ADVICE[1:]}' if why else CHOOSE_HINT
        return [*lines, f'No stored threshold{": " + why if why else ""}. {hint}.', '']
    where = ('on these very images: the numbers at it flatter' if inputs.chosen_here else
             f'on {count_words(inputs.points.num_images, "image")} of '
             f'{count_words(inputs.points.num_patients, "patient")} '
             f'({inputs.points.split})')
    images, findings = entry.points.images, entry.points.findings
    if images == findings:
        lines += [point_sentence('Images and findings', images, where), '']
    else:
        lines += [line for name, point in (('Images', images), ('Findings', findings))
                  for line in (point_sentence(name, point, where), '')]
    return [*lines, *threshold_tables(entry.at_threshold),
            'Intervals of the numbers are over patients; that the threshold was chosen on '
            'finitely many images is in the interval of the threshold alone.', '']


def threshold_tables(found: AtThreshold) -> list[str]:
    """Return what thresholds do on images, and the confusion."""
    lines = table(['', 'value (95 % interval)'], [
        [TITLES[key], value_or_reason(found, key)] for key in TITLES])
    counts = found.counts
    if counts.get('true_positives') is not None:
        lines += table(['images', 'called', 'not called'], [
            ['with a finding', counts['true_positives'], counts['false_negatives']],
            ['without', counts['false_positives'], counts['true_negatives']]])
    return lines


def fold_points(entry: ClassNumbers) -> list[str]:
    """Return the thresholds of folds and what they do together."""
    rows = []
    for number, part in entry.folds.items():
        images, findings = part.points.images, part.points.findings
        chosen = findings or images
        rows.append([number, *('none' if point is None else f'{point.threshold:.4g}'
                               for point in (images, findings)),
                     '' if chosen is None else f'{chosen.describe()}, on '
                                               f'{count_words(chosen.num_images, "image")} '
                                               'of its validation'])
    lines = table(['fold', 'images', 'findings', 'chosen by'], rows)
    if entry.at_threshold is None:
        return [*lines, f'No fold has a stored threshold. {FOLDS_HINT}.', '']
    return [*lines, 'Each image is called or not at the threshold of its own fold, which was chosen '
            'on other images. These decisions, not the scores, are counted together:', '',
            *threshold_tables(entry.at_threshold), 'Intervals are over patients.', '']


def point_sentence(name: str, point: OperatingPoint | None, where: str) -> str:
    """Return a threshold with its origin in words."""
    if point is None:
        return f'{name}: no stored threshold.'
    ends = point.threshold_interval
    between = '' if ends is None else f' (95 % interval {ends[0]:.4g} to {ends[1]:.4g})'
    note = f' {point.note[:1].upper()}{point.note[1:]}.' if point.note else ''
    return (f'{name}: from a score of {point.threshold:.4g}{between}, chosen by {point.describe()} '
            f'{where}.{note}')


def value_or_reason(part: AtThreshold, key: str, with_note: bool = True) -> str:
    """Return a number at a threshold with its interval, or why there is none."""
    interval = part.intervals.get(key)
    if interval is None:
        return f'none: {part.reasons.get(key, "not counted")}'
    return format_with_interval(interval.estimate, interval) + (
        f'; {interval.note}' if interval.note and with_note else '')


def by_field_section(entry: ClassNumbers) -> list[str]:
    """Return what the stored thresholds do for each value of each field."""
    lines = []
    for key, parts in entry.by_field.items():
        if parts:
            lines += [f'### At the stored threshold, by {key}', '', *table(
                [key, *TITLES.values()],
                [[part.name, *(value_or_reason(part, name, False) for name in TITLES)]
                 for part in parts])]
    return lines
