"""What a check says: problems with a severity, a place and what to do."""
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mmwindow.utils.messages import shorten

ERROR, WARNING, NOTE = 'error', 'warning', 'note'
SEVERITIES = (ERROR, WARNING, NOTE)  # an error stops a training; a note may be right as it is
MAX_WORDS = 160  # characters of one item


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, or that a reader should know.

    Attributes:
        severity: :data:`ERROR`: a training of this data stops, or learns nothing; :data:`WARNING`:
            numbers will be wrong or worse; :data:`NOTE`: to be known.
        kind: A name that stays the same, such as ``'damaged images'``.
        where: The split or file it was found in; '' for all of them.
        what: In words, one line, with its count.
        advice: What to do, one line.
        items: All that it is about, each in one line: images, findings, pairs.
    """

    severity: str
    kind: str
    where: str
    what: str
    advice: str
    items: tuple[str, ...] = ()

    def line(self) -> str:
        """Return the problem as one line of text."""
        where = f'{self.where}: ' if self.where else ''
        return f'{self.severity}: {self.kind}: {where}{self.what}. {self.advice}'


class Table(NamedTuple):
    """Rows of cells; the first row is the head."""

    title: str
    rows: list[list[str]]


def make_items(texts: Iterable[object]) -> tuple[str, ...]:
    """Return lines of bounded length that can be printed."""
    return tuple(shorten(str(text), MAX_WORDS) for text in texts)


def sort_problems(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems with the worst first, else in the order in which they were found."""
    return sorted(problems, key=lambda problem: SEVERITIES.index(problem.severity))


def has_errors(problems: Sequence[Problem]) -> bool:
    """Return whether a training of the data is impossible."""
    return any(problem.severity == ERROR for problem in problems)
