"""The events of one image: levels at which what is counted changes."""
from dataclasses import dataclass, field, replace

import numpy as np

KINDS = ('fp', 'hit', 'both', 'neither')  # of findings
# Fields of ImageEvents that neither the FROC nor the ROC reads.
OTHER_COUNTS = tuple(f'{kind}_{part}' for kind in KINDS[1:] for part in ('levels', 'changes'))


@dataclass(frozen=True)
class ImageEvents:
    """All that the FROC and the ROC need of one image and class.

    Counts come as two arrays, levels ``(K,)``, descending, and changes ``(K,)``, integers: the
    count at a threshold t is the sum of the changes at levels ``>= t``.

    Attributes:
        score (float): Image score.
        recall_levels (ndarray): ``(P,)``, for each target in the frame the highest
            threshold at which a finding hits it; -inf where none does.
        fp_levels, fp_changes (ndarray): Number of false positives.
        is_positive (bool): Whether the image carries a target (in the frame or not).
        image_id: Names the image.
        group (str): Names the patient.
        fields (dict): Anything else to report by.
        hit_levels, hit_changes (ndarray, optional): Number of findings that hit a target.
        both_levels, both_changes (ndarray, optional): Of those, the false positives: the
            paper's rule lets a finding be both.
        neither_levels, neither_changes (ndarray, optional): Number of findings that are
            neither. All findings are false positives + hits - both + neither.
        floor (float, optional): Nothing below this threshold was looked at, or kept; None:
            everything was.
    """
    score: float
    recall_levels: np.ndarray
    fp_levels: np.ndarray
    fp_changes: np.ndarray
    is_positive: bool
    image_id: object = None
    group: str = ''
    fields: dict = field(default_factory=dict)
    hit_levels: np.ndarray | None = None
    hit_changes: np.ndarray | None = None
    both_levels: np.ndarray | None = None
    both_changes: np.ndarray | None = None
    neither_levels: np.ndarray | None = None
    neither_changes: np.ndarray | None = None
    floor: float | None = None

    def count(self, kind, threshold):
        """Return how many findings of a kind there are at a threshold.

        Args:
            kind (str): 'fp', 'hit', 'both' or 'neither'.
            threshold (float): Findings of this score or better count.

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

    def num_false_positives(self, threshold):
        """Return the number of false positives at a threshold; see :meth:`count`."""
        return self.count('fp', threshold)

    def num_findings(self, threshold):
        """Return the number of findings at a threshold; see :meth:`count`."""
        return (self.count('fp', threshold) + self.count('hit', threshold)
                - self.count('both', threshold) + self.count('neither', threshold))

    def without_other_counts(self):
        """Return the same without the counts that neither the FROC nor the ROC reads."""
        return replace(self, **dict.fromkeys(OTHER_COUNTS))


def pack_counts(levels, changes):
    """Return the fields of :class:`ImageEvents` that hold counts.

    Args:
        levels (ndarray): ``(K,)`` descending.
        changes (ndarray): ``(K, 4)``, of the kinds in their order.
    """
    counts = {}
    for kind, change in zip(KINDS, changes.T, strict=True):
        counts[f'{kind}_levels'] = levels[change != 0]
        counts[f'{kind}_changes'] = change[change != 0].astype(np.int32)
    return counts
