"""``--fix``: a point file without what stops a training. No image and no source is touched."""
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from mmwindow.annotations.image_places import IMAGES_KEY
from mmwindow.annotations.point_file import read_point_file, write_point_file
from mmwindow.apis.doctor.checkup import Checkup
from mmwindow.apis.doctor.data_source import SPLITS, DataPart, DataSource, find_point_files
from mmwindow.apis.doctor.duplicate_checks import EXACT, Copies
from mmwindow.apis.doctor.point_checks import SAME_PLACE
from mmwindow.apis.doctor.report import DoctorReport
from mmwindow.apis.doctor.split_checks import divided_groups
from mmwindow.utils.files import atomic_file
from mmwindow.utils.messages import count_phrase, count_words, shorten
from mmwindow.utils.outputs import check_output_file

SHOWN = 5  # changes of a kind on the screen
Content = dict[str, Any]


@dataclass(frozen=True)
class FixReport:
    """What was written.

    Attributes:
        paths: The files.
        changes: What was done -> each image or finding.
        unchanged: What a person must decide.
    """

    paths: Sequence[Path]
    changes: Mapping[str, Sequence[str]]
    unchanged: Sequence[str] = ()

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        lines = [f'written: {", ".join(map(str, self.paths))}']
        for what, items in self.changes.items():
            lines.append(f'  {count_phrase(len(items), what)}')
            lines += [f'    {shorten(item, 160)}' for item in items[:SHOWN]]
            if len(items) > SHOWN:
                lines.append(f'    and {len(items) - SHOWN} more (all are in "fixes" of "info")')
        if not self.changes:
            lines.append('  nothing had to be changed')
        if self.unchanged:
            lines.append(f'  left for a person to decide: {count_words(len(self.unchanged), "set")} '
                         'of copies with different findings')
            lines += [f'    {shorten(item, 160)}' for item in self.unchanged[:SHOWN]]
        return lines


@dataclass
class Plan:
    """What will be changed.

    Attributes:
        dropped: Part -> index of an image in its file -> reason.
        dropped_findings: Part -> indices of findings.
        moved: Part -> index of an image -> number of the part it goes to.
        changes, unchanged: As of :class:`FixReport`.
    """

    dropped: dict[int, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    dropped_findings: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    moved: dict[int, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    changes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unchanged: list[str] = field(default_factory=list)


def fixed_paths(source: DataSource, out: Path) -> list[Path]:
    """Return the files that ``--fix`` writes, one for each part.

    Without splits that is ``out`` itself. With splits ``out`` is a data folder, which receives
    ``annotations/train.json`` and so on; or it ends in ``.json`` and ``_train`` is put before that.
    """
    if not source.has_splits:
        return [out]
    if out.suffix.lower() == '.json':
        return [out.with_name(f'{out.stem}_{part.split}.json') for part in source.parts]
    return [out / 'annotations' / f'{part.split}.json' for part in source.parts]


def check_fix_target(path: Path, out: Path) -> None:
    """Check before the check that ``--fix`` can write, and overwrites no source.

    Raises:
        ValueError: It would, or cannot.
    """
    files = find_point_files(path) if path.exists() else {}
    is_json = out.suffix.lower() == '.json'
    if set(files) <= {''} and not is_json:
        raise ValueError(f'--fix {shorten(str(out))}: a name that ends in .json is expected')
    targets = [out] if is_json else [out / 'annotations' / f'{split}.json' for split in SPLITS]
    for target in [*targets, *(out.with_name(f'{out.stem}_{split}.json') for split in SPLITS
                               if is_json)]:
        check_not_source(target, [path, *files.values()], '--fix')
    check_output_file(targets[0], '--fix')


def check_not_source(target: Path, sources: Sequence[Path], option: str) -> None:
    """Reject an output that is a source, also by another name of it.

    Raises:
        ValueError: It is.
    """
    for source in sources:
        if target.exists() and source.exists() and os.path.samefile(target, source):
            raise ValueError(f'{option} {shorten(str(target))}: this is what is checked, and is '
                             'never overwritten; choose another name')


def write_fixed(report: DoctorReport, out: Path) -> FixReport:
    """Write cleaned point files, and return what was changed.

    Args:
        report: Of the data.
        out: As in :func:`fixed_paths`.

    Raises:
        ValueError: Nothing would be left, a file would overwrite its source, or the cleaned file
            still cannot be read, since it has a fault that nobody can fix without a guess.
    """
    source = report.checkup.source
    paths = fixed_paths(source, out)
    for path in paths:
        check_not_source(path, [source.path, *(part.path for part in source.parts)], '--fix')
    plan = make_plan(report.checkup, report.copies)
    contents = apply_plan(source.parts, plan)
    for path, content, part in zip(paths, contents, source.parts, strict=True):
        if not content['images']:
            raise ValueError(f'--fix: no image of {part.split or "the data"} would be left; nothing '
                             'is written')
        content['info'] = {**content['info'], 'fixes': dict(plan.changes),
                           IMAGES_KEY: os.path.relpath(part.folder.resolve(),
                                                       path.parent.resolve())}
        with atomic_file(path) as temporary:
            write_point_file(temporary, content, indent=1)
            read_point_file(temporary, readers='all')  # what is written can be read
    return FixReport(paths, plan.changes, plan.unchanged)


def make_plan(checkup: Checkup, copies: Copies) -> Plan:
    """Return what has to be changed."""
    plan = Plan()
    parts = checkup.source.parts
    numbers = {part.split: number for number, part in enumerate(parts)}
    for number, part in enumerate(parts):
        for index, reason in part.faults.images.items():
            plan.dropped[number][index] = reason
            plan.changes['image records that cannot be used left out'].append(reason)
        for what, faults in (('findings that cannot be used', part.faults.findings),
                             ('findings outside their image', part.faults.outside)):
            for index, reason in faults.items():
                plan.dropped_findings[number].add(index)
                plan.changes[f'{what} left out'].append(reason)
    kept = [index for index in range(len(checkup.images))
            if not _drop_unusable(checkup, index, numbers, plan)]
    kept = _drop_copies(checkup, copies, kept, numbers, plan)
    _move_groups(checkup, set(kept), numbers, plan)
    return plan


def _drop_unusable(checkup: Checkup, index: int, numbers: Mapping[str, int], plan: Plan) -> bool:
    image, facts = checkup.images[index], checkup.facts[index]
    what = ''
    if facts.problem:
        what = 'images that cannot be read left out'
    elif (facts.height, facts.width) != (image.record.height, image.record.width):
        what = 'images of another size than the point file says left out'
    if what:
        plan.dropped[numbers[image.split]][image.index] = what
        plan.changes[what].append(checkup.name(index))
    return bool(what)


def _drop_copies(checkup: Checkup, copies: Copies, kept: list[int], numbers: Mapping[str, int],
                 plan: Plan) -> list[int]:
    """Leave out all but the first of exact copies with the same findings; return what is kept."""
    sets: dict[int, list[int]] = {}
    usable = set(kept)
    for pair in copies.pairs:
        if pair.kind in EXACT and {pair.first, pair.second} <= usable:
            sets.setdefault(pair.first, [pair.first]).append(pair.second)
    dropped: set[int] = set()
    for members in sets.values():
        if not all(_same_findings(checkup, members[0], index) for index in members[1:]):
            plan.unchanged.append(' = '.join(checkup.names(members)))
            continue
        for index in members[1:]:
            image = checkup.images[index]
            plan.dropped[numbers[image.split]][image.index] = 'a copy'
            plan.changes['exact copies left out'].append(
                f'{checkup.name(index)} = {checkup.name(members[0])}')
            dropped.add(index)
    return [index for index in kept if index not in dropped]


def _same_findings(checkup: Checkup, first: int, second: int) -> bool:
    """Whether two images have the same findings: each of one has one of the other at its place.

    Places may differ as two clicks on one finding do, by less than :data:`SAME_PLACE`.
    """
    records = [checkup.images[index].record for index in (first, second)]
    parts = {part.split: part.classes for part in checkup.source.parts}
    classes = [np.array([parts[checkup.images[index].split][label] for label in record.labels])
               for index, record in zip((first, second), records, strict=True)]
    points = [np.array(record.points).reshape(-1, 2) for record in records]
    if len(points[0]) != len(points[1]):
        return False
    differs = (cdist(*points) >= SAME_PLACE) | (classes[0][:, None] != classes[1])
    return not differs[linear_sum_assignment(differs)].any()


def _move_groups(checkup: Checkup, kept: set[int], numbers: Mapping[str, int], plan: Plan) -> None:
    """Move all images of a divided patient into the split that has most of them, else the first."""
    for indices in divided_groups(checkup).values():
        members = [index for index in indices if index in kept]
        counts = Counter(checkup.images[index].split for index in members)
        if len(counts) < 2:
            continue
        target = max(counts, key=lambda split: (counts[split], -numbers[split]))
        for index in members:
            image = checkup.images[index]
            if image.split != target:
                plan.moved[numbers[image.split]][image.index] = numbers[target]
                plan.changes['images of divided patients moved'].append(
                    f'{checkup.name(index)} to {target}')


def apply_plan(parts: Sequence[DataPart], plan: Plan) -> list[Content]:
    """Return the cleaned content of each part; the parts stay as they are."""
    contents = []
    for part in parts:
        info = part.content.get('info')
        contents.append({**part.content, 'info': dict(info) if isinstance(info, dict) else {},
                         'images': [], 'annotations': []})
    moved: list[tuple[int, int, Content, list[Content]]] = []
    for number, part in enumerate(parts):
        findings: dict[Any, list[Content]] = defaultdict(list)
        for index, annotation in enumerate(part.content['annotations']):
            if index not in plan.dropped_findings[number]:
                findings[_key(annotation.get('image_id'))].append(annotation)
        for index, image in enumerate(part.content['images']):
            if index in plan.dropped[number]:
                continue
            own = findings[_key(image.get('id'))]
            target = plan.moved[number].get(index)
            if target is None:
                contents[number]['images'].append(image)
                contents[number]['annotations'] += own
            else:
                moved.append((number, target, image, own))
    for number, target, image, own in moved:
        _add_moved(contents[target], parts[number], image, own)
    return contents


def _add_moved(content: Content, origin: DataPart, image: Content, findings: Sequence[Content]
               ) -> None:
    """Add an image of another part; ids that are taken are replaced."""
    names = {_key(category['id']): category['name'] for category in origin.content['categories']}
    categories = {category['name']: category['id'] for category in content['categories']}
    image_id = _free_id(image['id'], content['images'])
    content['images'].append({**image, 'id': image_id})
    for finding in findings:
        content['annotations'].append({
            **finding, 'id': _free_id(finding['id'], content['annotations']), 'image_id': image_id,
            'category_id': categories[names[_key(finding['category_id'])]]})


def _free_id(wanted: Any, records: Sequence[Content]) -> Any:
    taken = {_key(record['id']) for record in records}
    if _key(wanted) not in taken:
        return wanted
    return max((key for key in taken if isinstance(key, int)), default=0) + 1


def _key(value: Any) -> Any:
    """Return an id as the reader sees it: 3.0 is 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
