"""FROC settings: hit rule, budgets, convention, denominator; one object, written into each result."""
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.froc import CONVENTIONS, DEFAULT_BUDGETS, FROCCurve, froc_curve
from mmwindow.evaluation.hit_rules import HitRule, hit_rule_names, make_hit_rule, rule_numbers
from mmwindow.evaluation.metric_names import metric_names
from mmwindow.evaluation.statistics.table import check_statistics
from mmwindow.utils.frame import FRAME_SIDE
from mmwindow.utils.messages import none_of, shorten

# Of false positives: all images, or the negative images alone ('normals' as results name them).
FP_DENOMINATORS = ('all', 'normals')
MAP_EXTENTS = ('frame', 'image')
MISSING = ('refuse', 'empty')
MAX_RESAMPLES = 1_000_000
# FP rates by name: the paper's, and those of LUNA16 (Setio et al. 2017).
BUDGETS = dict(paper=DEFAULT_BUDGETS, luna16=(0.125, 0.25, 0.5, 1., 2., 4., 8.))


@dataclass(frozen=True)
class FROCSettings(Mapping[str, Any]):
    """How images are scored and a FROC is read; written into each result.

    It is also a mapping of the names and values that a record holds: ``settings['budgets']``.

    Attributes:
        budgets: FP rates at which recall is reported, or a name of :data:`BUDGETS`.
        convention: As in :meth:`~mmwindow.evaluation.FROCCurve.recall_at`.
        fp_denominator: 'all': false positives on all images, per image. 'normals': those on
            negative images alone, per negative image.
        rule: What a hit and a false positive are.
        map_extent: What a map covers: 'frame', what the network sees, padding included, or
            'image', the image alone.
        missing: What to do with an image without a prediction: 'refuse' raises, 'empty' counts it
            as one without a finding.
        num_resamples: Of the bootstrap behind the intervals; 0 for none.
        seed: Of the bootstrap.
        statistics: Names of statistics in addition to AUROC, recalls and FROC score: rows of
            :data:`~mmwindow.evaluation.statistics.table.STATISTICS`. None takes those that the
            table has on by default.

    Raises:
        ValueError: One of them is unknown or makes no sense.
    """

    budgets: Any = DEFAULT_BUDGETS
    convention: str = 'first_crossing'
    fp_denominator: str = 'all'
    rule: HitRule = field(default_factory=make_hit_rule)
    map_extent: str = 'frame'
    missing: str = 'refuse'
    num_resamples: int = 0
    seed: int = 0
    statistics: Any = None

    def __post_init__(self) -> None:
        budgets: Any = self.budgets
        if isinstance(budgets, str):
            if budgets not in BUDGETS:
                raise ValueError(f'budgets are {budgets!r}; numbers, or one of {sorted(BUDGETS)}, '
                                 'are expected')
            budgets = BUDGETS[budgets]
        object.__setattr__(self, 'budgets', tuple(float(budget) for budget in budgets))
        if not self.budgets or not np.isfinite(self.budgets).all() or min(self.budgets) < 0:
            raise ValueError(f'budgets are {self.budgets}; some finite FP rates of at least 0 are '
                             'expected')
        object.__setattr__(self, 'statistics', check_statistics(self.statistics))
        if len(set(self.names)) != len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise ValueError(f'budgets are {self.budgets}; two of them have one name, '
                             f'{twice!r}: they must differ within six digits')
        for name in ('num_resamples', 'seed'):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
                raise ValueError(f'{name} is {shorten(value)}; a whole number of at least 0 is '
                                 'expected')
        if self.num_resamples > MAX_RESAMPLES:
            raise ValueError(f'num_resamples is {shorten(self.num_resamples)}; at most '
                             f'{MAX_RESAMPLES} are made: more would change no digit that is shown '
                             '(--intervals)')
        for name, allowed in (('convention', CONVENTIONS), ('fp_denominator', FP_DENOMINATORS),
                              ('map_extent', MAP_EXTENTS), ('missing', MISSING)):
            if getattr(self, name) not in allowed:
                raise ValueError(f'{name} is {getattr(self, name)!r}; it must be one of {allowed}')

    @classmethod
    def from_record(cls, settings: Mapping[str, Any]) -> 'FROCSettings':
        """Return the settings that a record holds as plain data; what it lacks has its default."""
        if isinstance(settings, cls):
            return settings
        name = settings.get('rule', 'disk_overlap')
        numbers = {} if name not in hit_rule_names() else {
            key: settings[key] for key in rule_numbers(name) if key in settings}
        own = {entry.name for entry in fields(cls)} - {'rule'}
        return cls(rule=make_hit_rule(name, **numbers),
                   **{key: value for key, value in settings.items() if key in own})

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the numbers: ``auroc``, ``recall@0.1``, ..., ``froc_score``, additional ones."""
        return metric_names(self.budgets, self.statistics)

    @property
    def added_names(self) -> tuple[str, ...]:
        """Names of those that :attr:`statistics` adds."""
        return self.names[len(metric_names(self.budgets)):]

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as a record names them."""
        result = dict(
            **self.rule.settings, frame_side=FRAME_SIDE, budgets=self.budgets,
            convention=self.convention, fp_denominator=self.fp_denominator,
            map_extent=self.map_extent, missing=self.missing)
        if self.num_resamples:
            result.update(num_resamples=self.num_resamples, seed=self.seed)
        if self.statistics:
            result.update(statistics=list(self.statistics))
        return result

    def __getitem__(self, name: str) -> Any:
        return self.as_dict()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.as_dict())

    def __len__(self) -> int:
        return len(self.as_dict())


def counted_events(events: Sequence[ImageEvents], settings: FROCSettings) -> list[ImageEvents]:
    """Return events with the false positives that the settings count; inputs are untouched."""
    if settings.fp_denominator == 'all':
        return list(events)
    return [replace(event, fp_levels=event.fp_levels[:0], fp_changes=event.fp_changes[:0])
            if event.is_positive else event for event in events]


def counted_curve(events: Sequence[ImageEvents], settings: FROCSettings) -> FROCCurve:
    """Return the FROC curve whose FP rate has the denominator of the settings.

    Args:
        events: One per image, negative ones included.
        settings: Of these only the denominator matters.

    Returns:
        FROCCurve: Its ``num_images`` is the denominator. With 'normals' it has no ``counts``
        of other findings, which are counted on all images.

    Raises:
        ValueError: No image, or none to count false positives on.
    """
    events = list(events)
    curve = froc_curve(counted_events(events, settings))
    if settings.fp_denominator == 'all':
        return curve
    negatives = sum(not event.is_positive for event in events)
    if negatives == 0:
        raise ValueError(f"fp_denominator is 'normals', but {none_of(len(events), 'image')} is "
                         "negative; use 'all'")
    counts = np.rint(curve.fp_rate * curve.num_images)  # integers, of which the rate was made
    return replace(curve, fp_rate=counts / negatives, num_images=negatives, counts={})
