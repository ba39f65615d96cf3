"""The events of one image: levels at which what is counted changes."""
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]
KINDS = ('fp', 'hit', 'both', 'neither')  # of findings
# Fields of ImageEvents that neither the FROC nor the ROC reads.
OTHER_COUNTS = tuple(f'{kind}_{part}' for kind in KINDS[1:] for part in ('levels', 'changes'))
# Pairs of arrays of one length, the levels descending.
EVENT_PAIRS = (*((f'{kind}_levels', f'{kind}_changes') for kind in KINDS),
               ('recalled_levels', 'recalled_changes'))


@dataclass(frozen=True)
class ImageEvents:
    """All that the FROC and the ROC need of one image and class.

    Counts come as two arrays, levels ``(K,)``, descending, and changes ``(K,)``, integers: the
    count at a threshold t is the sum of the changes at levels ``>= t``.

    Attributes:
        score: Image score.
        recall_levels: ``(P,)``, for each target in the frame the highest threshold at which a
            finding hits it; -inf where none does.
        fp_levels: Of the number of false positives.
        fp_changes: Likewise.
        is_positive: Whether the image carries a target (in the frame or not).
        image_id: Names the image.
        group: Names the patient; '' where there is none.
        fields: Anything else to report by.
        hit_levels: Of the number of findings that hit a target.
        hit_changes: Likewise.
        both_levels: Of those, the false positives: the paper's rule lets a finding be both.
        both_changes: Likewise.
        neither_levels: Of the number of findings that are neither. All findings are false
            positives + hits - both + neither.
        neither_changes: Likewise.
        floor: Nothing below this threshold was looked at, or kept; None: everything was.
        recalled_levels: Of the number of targets that the findings at a threshold hit, where a hit
            can be lost as findings merge (maps, by all rules but the paper's). None: a target is
            hit at its recall level and at every lower threshold.
        recalled_changes: Likewise.
    """

    score: float
    recall_levels: Floats
    fp_levels: Floats
    fp_changes: Integers
    is_positive: bool
    image_id: Any = None
    group: str = ''
    fields: dict[str, Any] = field(default_factory=dict)
    hit_levels: Floats | None = None
    hit_changes: Integers | None = None
    both_levels: Floats | None = None
    both_changes: Integers | None = None
    neither_levels: Floats | None = None
    neither_changes: Integers | None = None
    floor: float | None = None
    recalled_levels: Floats | None = None
    recalled_changes: Integers | None = None

    @property
    def num_points(self) -> int:
        """Number of targets in the frame."""
        return len(self.recall_levels)

    def recall_events(self) -> tuple[Floats, Integers]:
        """Return levels ``(K,)``, in any order, and changes of the number of targets hit."""
        if self.recalled_levels is not None and self.recalled_changes is not None:
            return np.asarray(self.recalled_levels, np.float64), self.recalled_changes
        levels = np.asarray(self.recall_levels, np.float64)
        levels = levels[levels > -np.inf]
        return levels, np.ones(len(levels), np.int32)

    def num_recalled(self, threshold: float) -> int:
        """Return how many targets the findings at a threshold hit.

        Args:
            threshold: Findings of this score or better count.
        """
        levels, changes = self.recall_events()
        return int(changes[levels >= threshold].sum())

    def count(self, kind: str, threshold: float) -> int:
        """Return how many findings of a kind there are at a threshold.

        Args:
            kind: 'fp', 'hit', 'both' or 'neither'.
            threshold: Findings of this score or better count.

        Raises:
            ValueError: The kind is unknown or was not counted, or the threshold lies below
                the floor.
        """
        if kind not in KINDS:
            raise ValueError(f'the kind of finding is {kind!r}; it must be one of {KINDS}')
        levels, changes = getattr(self, f'{kind}_levels'), getattr(self, f'{kind}_changes')
        if levels is None:
            raise ValueError(f'image {self.image_id!r}: its events do not say how many findings '
                             f'are {kind}; make them with map_events or box_events')
        if self.floor is not None and threshold < self.floor:
            raise ValueError(f'image {self.image_id!r} was only looked at down to {self.floor}; '
                             f'make its events again for the threshold {threshold}')
        return int(changes[levels >= threshold].sum())

    def num_false_positives(self, threshold: float) -> int:
        """Return the number of false positives at a threshold; see :meth:`count`."""
        return self.count('fp', threshold)

    def num_findings(self, threshold: float) -> int:
        """Return the number of findings at a threshold; see :meth:`count`."""
        return (self.count('fp', threshold) + self.count('hit', threshold)
                - self.count('both', threshold) + self.count('neither', threshold))

    def without_other_counts(self) -> 'ImageEvents':
        """Return the same without the counts that neither the FROC nor the ROC reads."""
        return replace(self, **dict.fromkeys(OTHER_COUNTS))  # type: ignore[arg-type]


def pack_counts(levels: Floats, changes: Integers) -> dict[str, Any]:
    """Return the fields of :class:`ImageEvents` that hold counts.

    Args:
        levels: ``(K,)`` descending.
        changes: ``(K, 4)``, of the kinds in their order.
    """
    counts = {}
    for kind, change in zip(KINDS, changes.T, strict=True):
        counts[f'{kind}_levels'] = levels[change != 0]
        counts[f'{kind}_changes'] = change[change != 0].astype(np.int32)
    return counts
