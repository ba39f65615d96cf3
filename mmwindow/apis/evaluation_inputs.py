"""What an evaluation of files is given next to predictions and annotations: rule, other records."""
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.csv_files import POINT, read_header
from mmwindow.evaluation.files.prediction_files import find_reader
from mmwindow.evaluation.files.records import Record, read_record
from mmwindow.evaluation.hit_rules import HIT_RULES, HitRule, make_hit_rule, rule_numbers
from mmwindow.evaluation.statistics.shared_images import KnownImages

RULE_NUMBERS = ('hit_radius', 'max_overlap', 'min_iou')  # that evaluate() takes


class OtherRecords(NamedTuple):
    """The records that a result is put next to.

    Attributes:
        compared: Of other systems on the same images, by name.
        operating_point: Of this system on validation images.
    """

    compared: dict[str, Record]
    operating_point: Record | None

    def records(self) -> list[Record]:
        """Return all of them."""
        return [*self.compared.values(),
                *([] if self.operating_point is None else [self.operating_point])]


def read_others(name: str, compare: str | Path | Sequence[str | Path] | None,
                operating_point: str | Path | None) -> OtherRecords:
    """Read the records that a result is put next to.

    Args:
        name: Of the system that is scored.
        compare: As in :func:`evaluate_files`.
        operating_point: Likewise.

    Raises:
        ValueError: A record cannot be read, or is given twice.
    """
    paths = [] if compare is None else [compare] if isinstance(compare, str | Path) else list(compare)
    compared: dict[str, Record] = {}
    for path in paths:
        record = read_record(path)
        if any(other.path is not None and Path(path).samefile(other.path)
               for other in compared.values()):
            raise ValueError(f'{path}: this record is given twice (--compare); give each once')
        shown = other_name(record, name)
        if shown in compared:
            shown = f'{shown} ({record.path})'
        compared[shown] = record
    return OtherRecords(compared, None if operating_point is None else read_record(operating_point))


def complete_options(predictions: str | Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with their hit rule, and without those that are not given (None).

    Args:
        predictions: Decides where no rule is given: points of a CSV have no extent, which the
            paper's rule asks for.
        options: Of :func:`evaluate_files`.

    Raises:
        ValueError: A number is given that the rule does not read.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if 'rule' not in given:
        has_points = find_reader(predictions) == 'csv' and read_header(predictions).places == POINT
        given['rule'] = 'distance' if has_points else 'disk_overlap'
    if isinstance(given['rule'], HitRule):
        return given
    own = make_hit_rule(given['rule']).settings
    for name in RULE_NUMBERS:
        if name in given and name not in own:
            readers = [rule for rule in HIT_RULES if name in rule_numbers(rule)]
            raise ValueError(
                f'--{name.replace("_", "-")} {given[name]:g}: the hit rule {given["rule"]} does not '
                f'read it, {" and ".join(readers)} {"do" if readers[1:] else "does"}; leave it out, '
                'or choose the rule (--rule)')
    return given


def check_other_images(record: Record, chosen_on: Sequence[ImageEvents],
                       events: Sequence[ImageEvents]) -> None:
    """Reject a threshold that would be chosen on the images it is applied to."""
    shared = KnownImages.of(chosen_on).shared(events).images
    if shared:
        raise ValueError(f'{record.path}: {len(shared)} of its images are evaluated here as well, '
                         f'such as {min(shared)}; an operating point is chosen on '
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


def check_same_points(record: Record, num_from: Mapping[str, int]) -> None:
    """Reject a record whose points were taken from another entry of the annotations.

    Args:
        record: To compare with.
        num_from: How many points come from which entry here.

    Raises:
        ValueError: The message names both.
    """
    theirs = record.source.get('points_from')
    if not isinstance(theirs, Mapping):  # of an older version, or no evaluation of files
        return
    entries = [', '.join(sorted(key for key, number in one.items() if number))
               for one in (theirs, num_from)]
    if entries[0] != entries[1]:
        raise ValueError(f'{record.path}: its points are from {entries[0] or "nothing"}, here they '
                         f'are from {entries[1] or "nothing"}; score both with one --points-from')
