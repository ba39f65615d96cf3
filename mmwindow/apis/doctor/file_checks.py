"""Image files: missing, damaged, empty, of another size, turned, unlisted."""
import os
import posixpath
from collections import Counter
from collections.abc import Sequence

from mmwindow.annotations.importers.image_index import IMAGE_SUFFIXES
from mmwindow.annotations.importers.values import find_names
from mmwindow.apis.doctor.checkup import Checkup
from mmwindow.apis.doctor.data_source import CheckedImage, listed_names
from mmwindow.apis.doctor.image_facts import ImageFacts
from mmwindow.apis.doctor.problems import (
    ERROR,
    NOTE,
    WARNING,
    Problem,
    Table,
    make_items,
)
from mmwindow.utils.messages import count_words, none_of

EVEN_DEVIATION = 1.  # grey levels: a picture that deviates less from its mean shows nothing
MAX_ROWS = 12  # of the table of sizes


def check_files(checkup: Checkup) -> list[Problem]:
    """Return the problems of files."""
    problems = [*_check_readable(checkup), *_check_sizes(checkup), *_check_even(checkup),
                *_check_orientation(checkup), *_check_unlisted(checkup)]
    return problems


def _check_readable(checkup: Checkup) -> list[Problem]:
    problems = []
    bad = [index for index, facts in enumerate(checkup.facts) if facts.problem]
    missing = {index for index in bad if not os.path.lexists(checkup.images[index].path)}
    damaged = [index for index in bad if index not in missing]
    if bad and len(bad) == len(checkup.images):
        advice = ('Is --images the right folder?' if len(missing) == len(bad) else
                  'See below, or docs/images.md for what is read')
        problems.append(Problem(
            ERROR, 'no readable image', '', f'{none_of(len(bad), "listed image")} can be read',
            advice, make_items(checkup.names(sorted(missing)) if not damaged else ())))
        if not damaged:
            return problems
    if missing:
        problems.append(Problem(
            ERROR, 'missing images', '', f'{count_words(len(missing), "listed image")} '
            f'{"is" if len(missing) == 1 else "are"} not there', 'Copy them into the folder of '
            'images (--images), or leave them out (--fix)',
            make_items(checkup.names(sorted(missing)))))
    if damaged:
        num_unknown = sum('--bit-depth' in checkup.facts[index].problem for index in damaged)
        advice = 'Copy them again from their source, or leave them out (--fix)'
        if num_unknown:  # these are whole
            others = f'. {advice.replace("them", "the others", 1)}' * (num_unknown < len(damaged))
            advice = f'State how many bits the images of 16 bits use (--bit-depth){others}'
        problems.append(Problem(
            ERROR, 'damaged images', '', f'{count_words(len(damaged), "image")} cannot be read',
            advice,
            make_items(f'{checkup.name(index)}: {checkup.facts[index].problem}'
                       for index in damaged)))
    return problems


def _check_sizes(checkup: Checkup) -> list[Problem]:
    other = []
    for index, (image, facts) in enumerate(zip(checkup.images, checkup.facts, strict=True)):
        listed = (image.record.height, image.record.width)
        if facts.height and (facts.height, facts.width) != listed:
            turned = ', exchanged' if (facts.width, facts.height) == listed else ''
            other.append(f'{checkup.name(index)}: the file has {facts.width} x {facts.height} (width '
                         f'x height), the point file says {listed[1]} x {listed[0]}{turned}')
    if not other:
        return []
    return [Problem(ERROR, 'other sizes', '', f'{count_words(len(other), "image")} '
                    f'{"has" if len(other) == 1 else "have"} another size than the point file says',
                    'Scale or turn their points, or fix height and width', make_items(other))]


def _check_even(checkup: Checkup) -> list[Problem]:
    even = [index for index, facts in enumerate(checkup.facts)
            if facts.levels is not None and facts.levels[1] < EVEN_DEVIATION]
    if not even:
        return []
    return [Problem(WARNING, 'empty pictures', '', f'{count_words(len(even), "image")} '
                    f'{"is" if len(even) == 1 else "are"} of one grey level',
                    'Look at them; leave them out if nothing can be seen',
                    make_items(checkup.names(even)))]


def _check_orientation(checkup: Checkup) -> list[Problem]:
    turned = [index for index, facts in enumerate(checkup.facts)
              if not facts.problem and facts.orientation != 1]
    if not turned:
        return []
    marked = sum(checkup.images[index].is_positive for index in turned)
    severity = WARNING if marked else NOTE
    return [Problem(
        severity, 'orientation tags', '', f'{count_words(len(turned), "image")} '
        f'{"has" if len(turned) == 1 else "have"} a tag that viewers apply and training does not, '
        f'{marked} of them with findings', 'Points must be in stored rows and columns; look at the '
        'overlays (docs/images.md)', make_items(
            f'{checkup.name(index)}: {checkup.facts[index].orientation}' for index in turned))]


def _check_unlisted(checkup: Checkup) -> list[Problem]:
    problems = []
    listed: dict[str, set[str]] = {}
    folders = {}
    for folder, name in listed_names(checkup.source.parts):
        key = os.path.abspath(folder)
        folders[key] = folder
        listed.setdefault(key, set()).add(posixpath.normpath(name))
    for key, names in listed.items():
        unlisted = [place for name in find_names(folders[key], IMAGE_SUFFIXES)
                    if (place := name.replace(os.sep, '/')) not in names]
        if unlisted:
            problems.append(Problem(
                NOTE, 'unlisted images', '', f'{count_words(len(unlisted), "image")} in the folder '
                f'{"is" if len(unlisted) == 1 else "are"} in no point file', 'Training does not see '
                'them; negative images must be listed (mmwindow import --unlisted negative)',
                make_items(unlisted)))
    return problems


def table_files(images: Sequence[CheckedImage], facts: Sequence[ImageFacts]) -> list[Table]:
    """Return how many images there are of each size, format and depth, positive and negative ones."""
    sizes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    positives: Counter[str] = Counter()
    for image, seen in zip(images, facts, strict=True):
        if seen.problem:
            continue
        colour = 'grey' if seen.channels == 1 else 'colour'
        kind = f'{seen.kind}, {seen.bits} bits, {colour}' + (
            f', orientation {seen.orientation}' if seen.orientation != 1 else '')
        size = f'{seen.width} x {seen.height}'
        sizes[size] += 1
        kinds[kind] += 1
        for name in (size, kind):
            positives[name] += image.is_positive
    return [_count_table(title, counts, positives) for title, counts in (
        ('size (width x height)', sizes), ('format', kinds))]


def _count_table(title: str, counts: Counter[str], positives: Counter[str]) -> Table:
    rows = [[title, 'images', 'positive']]
    rows += [[name, str(number), str(positives[name])]
             for name, number in counts.most_common(MAX_ROWS)]
    rest = counts.most_common()[MAX_ROWS:]
    if rest:
        rows.append([f'{len(rest)} more', str(sum(number for _, number in rest)),
                     str(sum(positives[name] for name, _ in rest))])
    return Table(title, rows)
