"""One system, a config over its folds, and which systems can be compared."""
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.utils.messages import name_some

OWN_LABELS = {'wl_plus': 'WL+'}  # systems that are not the paper's, below its rows
# Systems by the beginning of their configs' names, in the order of tables.
PUBLISHED_SYSTEMS = dict(
    chexnet='CheXNet', wspl='WSPL', ufdet='UFDet', faster_rcnn='Faster R-CNN', retinanet='RetinaNet',
    fcos='FCOS', wl_mse='WL-MSE', wl_kld='WL-KLD', **OWN_LABELS)


@dataclass(frozen=True)
class System:
    """One config and its runs.

    Attributes:
        name: Of its config file.
        results: Fold (None: the config's own split) -> content of ``result.json``.
        events: Fold -> images of the test split.
        settings: Of the records: hit rule, frame side, budgets, convention.
        class_name: The class that the events are of.
    """

    name: str
    results: Mapping[int | None, Mapping[str, Any]]
    events: Mapping[int | None, Sequence[ImageEvents]]
    settings: Mapping[str, Any]
    class_name: str = ''

    @property
    def first(self) -> Mapping[str, Any]:
        """The result of the first fold; what it says of the config holds for all."""
        return next(iter(self.results.values()))

    @property
    def pooled(self) -> list[ImageEvents]:
        """The events of all folds; each image is tested once."""
        return [event for fold in self.events for event in self.events[fold]]

    def without(self, folds: Collection[int | None]) -> 'System':
        """Return the system without some folds."""
        return replace(
            self, results={fold: self.results[fold] for fold in self.results if fold not in folds},
            events={fold: self.events[fold] for fold in self.events if fold not in folds})

    def froc_settings(self) -> FROCSettings:
        """Return the settings of the FROC that the records name, hit rule included.

        Without the statistics that a record has in addition: tables show the paper's.
        """
        return FROCSettings.from_record(
            {name: value for name, value in self.settings.items() if name != 'statistics'})


def describe_fold(fold: int | None) -> str:
    """Return a fold in words."""
    return 'the single split' if fold is None else f'fold {fold}'


def describe_settings(first: str, settings: Mapping[str, Any], second: str,
                      others: Mapping[str, Any]) -> str:
    """Return in words how the settings of two records differ."""
    differing = [f'{key} {settings.get(key)!r} and {others.get(key)!r}'
                 for key in sorted({*settings, *others}) if settings.get(key) != others.get(key)]
    return (f'{first} and {second} were scored with different settings: {"; ".join(differing)}. Test '
            'them again with one metric')


def check_comparable(systems: Sequence[System]) -> None:
    """Reject systems that were not tested on the same images, fold by fold, or alike.

    Raises:
        ValueError: The message says what differs.
    """
    first = systems[0]
    for other in systems[1:]:
        if other.settings != first.settings:
            raise ValueError(describe_settings(first.name, first.settings, other.name,
                                               other.settings))
        if set(first.events) != set(other.events):
            raise ValueError(
                f'{first.name} has {", ".join(map(describe_fold, first.events))}, {other.name} has '
                f'{", ".join(map(describe_fold, other.events))}: they were tested on different '
                'images. Run the missing folds, or choose common ones with --only')
        for fold in first.events:
            where = f'{first.name} and {other.name}, {describe_fold(fold)}'
            check_same_images(where, first.events[fold], other.events[fold])
            named = next((system for system in systems  # the first may be too old to name any
                          if system.results[fold].get('points_digest') is not None), other)
            found = [system.results[fold].get('points_digest') for system in (named, other)]
            digests = {digest for digest in found if digest is not None}
            if len(digests) > 1:
                where = f'{named.name} and {other.name}, {describe_fold(fold)}'
                raise ValueError(f'{where}: tested on the same images with other points (digests '
                                 f'{" and ".join(sorted(digests))}); test both again on one '
                                 'annotation file')


def check_same_images(where: str, events: Iterable[ImageEvents], others: Iterable[ImageEvents]
                      ) -> None:
    """Reject events of different images, or of images whose labels or points differ."""
    mine, theirs = ({event.image_id: event for event in side} for side in (events, others))
    differing = [f'{what} {name_some(ids)}' for what, ids in (
        ('only the first has images', set(mine) - set(theirs)),
        ('only the second has images', set(theirs) - set(mine))) if ids]
    if differing:
        raise ValueError(f'{where}: tested on different images: {"; ".join(differing)}')
    for what, value in (('file names', lambda event: event.fields.get('file_name')),
                        ('points', lambda event: len(event.recall_levels)),
                        ('labels', lambda event: bool(event.is_positive)),
                        ('groups', lambda event: event.group)):
        wrong = [key for key in mine if len({value(mine[key]), value(theirs[key])} - {None}) > 1]
        if wrong:
            raise ValueError(f'{where}: the {what} differ on images {name_some(wrong)}; test them '
                             'again on one annotation file')


def paper_key(name: str, keys: Collection[str]) -> str | None:
    """Return the key of the paper's system that a config is named after, or None.

    ``wl_kld_lite0_fpn`` is named after ``wl_kld``.
    """
    matches = [key for key in keys if re.match(rf'{re.escape(key)}(_|$)', name)]
    return max(matches, key=len, default=None)
