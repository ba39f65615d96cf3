"""THE renderer of numbers and tables in Markdown, for reports, tables and the README."""
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol


class HasLimits(Protocol):
    """What has a lower and an upper limit, such as an ``Interval``."""

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


class Limits(NamedTuple):
    """The limits of an interval where there is no ``Interval``, as in a result file."""

    low: float
    high: float


def format_number(value: float | None, digits: int = 3, signed: bool = False) -> str:
    """Return a number as text; an infinite one is a threshold.

    >>> format_number(0.98765), format_number(None), format_number(0.5, 2, signed=True)
    ('0.988', 'none', '+0.50')
    """
    if value is None or math.isnan(value):
        return 'none'
    if math.isinf(value):
        return 'no threshold' if value > 0 else 'every score'
    return f'{value:{"+" if signed else ""}.{digits}f}'


def format_with_interval(value: float | None, interval: HasLimits | None, digits: int = 3,
                         signed: bool = False) -> str:
    """Return a number as text, with its interval where it has one.

    >>> format_with_interval(0.9, Limits(0.85, 0.93))
    '0.900 (0.850 to 0.930)'
    """
    text = format_number(value, digits, signed)
    if interval is None:
        return text
    return (f'{text} ({format_number(interval.low, digits, signed)} to '
            f'{format_number(interval.high, digits, signed)})')


def format_p_value(value: float | None) -> str:
    """Return a p-value as text; below 0.001 its digits mean nothing.

    >>> format_p_value(0.0004), format_p_value(0.21), format_p_value(None)
    ('< 0.001', '0.210', 'none')
    """
    return '< 0.001' if value is not None and value < 0.001 else format_number(value)


def markdown_table(rows: Iterable[Sequence[object]]) -> str:
    """Return rows of cells, the first of them the head, as a Markdown table.

    >>> print(markdown_table([['system', 'AUROC'], ['WL-KLD', '0.983']]))
    | system | AUROC |
    |---|---|
    | WL-KLD | 0.983 |
    """
    rows = list(rows)
    lines = ['| ' + ' | '.join(map(_format_cell, row)) + ' |' for row in rows]
    lines.insert(1, '|---' * len(rows[0]) + '|')
    return '\n'.join(lines)


def _format_cell(cell: object) -> str:
    """Return a cell as text that ends neither the cell nor the row."""
    return str(cell).replace('|', '\\|').replace('\n', ' ')


def code_block(lines: Iterable[str]) -> str:
    """Return lines as a block of code."""
    return '\n'.join(['```', *lines, '```'])
