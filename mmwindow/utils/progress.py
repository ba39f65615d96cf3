"""THE display of progress: one line on a terminal, a new line now and then in a log file.

tqdm and rich draw bars for terminals alone: in a log file tqdm leaves one endless line of carriage
returns and rich nothing before its end.
"""
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

Item = TypeVar('Item')
LOG_INTERVAL = 20.  # seconds between lines of a log file


def describe_seconds(seconds: float) -> str:
    """Return a rough duration in words.

    >>> describe_seconds(40), describe_seconds(200), describe_seconds(7500)
    ('40 s', '3 min', '2 h 5 min')
    """
    if seconds < 90:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    return f'{minutes} min' if minutes < 90 else f'{minutes // 60} h {minutes % 60} min'


def describe_bar(fraction: float, width: int = 20) -> str:
    """Return a bar of which a fraction is filled.

    >>> describe_bar(0.25, 8)
    '[##......]'
    """
    filled = round(width * fraction)
    return f'[{"#" * filled}{"." * (width - filled)}]'


class ProgressDisplay:
    """A line of progress that replaces the one before on a terminal, and is rare in a log file.

    Args:
        interval: Seconds between lines where the output is no terminal.
        stream: Where to write; standard error if None.
    """

    def __init__(self, interval: float = LOG_INTERVAL, stream: TextIO | None = None) -> None:
        self.interval = interval
        self.stream = stream
        self.last = time.monotonic()

    def show(self, text: str) -> None:
        """Show the state of a work, unless a line of a log has just been written."""
        if self.is_terminal:
            columns = shutil.get_terminal_size().columns
            self._write('\r\033[K' + text[:columns - 1])
        elif time.monotonic() - self.last >= self.interval:
            self._write(text + '\n')
            self.last = time.monotonic()

    def say(self, text: str) -> None:
        """Write a line that stays."""
        self._write(('\r\033[K' if self.is_terminal else '') + text + '\n')
        self.last = time.monotonic()

    def clear(self) -> None:
        """Take the line away from a terminal."""
        if self.is_terminal:
            self._write('\r\033[K')

    @property
    def is_terminal(self) -> bool:
        """Whether lines are rewritten in place."""
        return (self.stream or sys.stderr).isatty()

    def _write(self, text: str) -> None:
        stream = self.stream or sys.stderr
        stream.write(text)
        stream.flush()


def track(items: Iterable[Item], total: int, what: str = 'images',
          display: ProgressDisplay | None = None) -> Iterator[Item]:
    """Yield items and show how many are done and how long the others will take.

    Args:
        items: Any iterable.
        total: How many there are.
        what: What they are, in the plural.
        display: Where it is shown; a new one if None.
    """
    display = display or ProgressDisplay()
    started, number = time.monotonic(), 0
    for number, item in enumerate(items, start=1):
        yield item
        left = (time.monotonic() - started) / number * max(total - number, 0)
        display.show(f'{number} of {total} {what}, about {describe_seconds(left)} left')
    display.say(f'{number} of {total} {what}, {describe_seconds(time.monotonic() - started)}')
