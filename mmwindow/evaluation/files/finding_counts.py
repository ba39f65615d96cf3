"""Findings that were not taken as a file of predictions has them, counted and told."""
from collections.abc import Mapping
from typing import NamedTuple


class FindingCounts(NamedTuple):
    """How many findings were changed or left out.

    Attributes:
        num_left_out: Boxes or points outside their image, boxes without area.
        num_clipped: Boxes that reached beyond their image and were clipped to it.
        num_repeated: Findings that are there twice, of which one was taken.
    """

    num_left_out: int = 0
    num_clipped: int = 0
    num_repeated: int = 0

    def __add__(self, other: tuple[int, ...]) -> 'FindingCounts':  # type: ignore[override]
        return FindingCounts(*(one + two for one, two in zip(self, other, strict=True)))

    def as_dict(self) -> dict[str, int]:
        """Return the counts as results name them; those that older results lack where not 0."""
        others = dict(boxes_clipped=self.num_clipped, findings_repeated=self.num_repeated)
        return dict(boxes_left_out=self.num_left_out,
                    **{name: value for name, value in others.items() if value})


NOTHING_COUNTED = FindingCounts()


def describe_counts(counts: Mapping[str, int]) -> list[str]:
    """Return one sentence for each kind of finding that was changed or left out.

    Args:
        counts: Of a result or of the source of a record.

    >>> describe_counts({'boxes_left_out': 2, 'boxes_clipped': 0})
    ['2 findings left out: outside their image, or boxes without area']
    """
    texts = dict(
        boxes_left_out='left out: outside their image, or boxes without area',
        boxes_clipped='clipped: boxes that reach beyond their image',
        findings_repeated='left out: there twice (same place, score and class)')
    return [f'{counts[name]} finding{"" if counts[name] == 1 else "s"} {text}'
            for name, text in texts.items() if counts.get(name)]
