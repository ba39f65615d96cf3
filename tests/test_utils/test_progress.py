"""The display of progress, on a terminal and in a log file."""
import io
from types import SimpleNamespace

import pytest

from mmwindow.utils import progress
from mmwindow.utils.progress import ProgressDisplay, describe_seconds, track


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=100.)
    monkeypatch.setattr(progress.time, 'monotonic', lambda: clock.now)
    return clock


def test_a_log_gets_a_line_now_and_then(clock):
    display = ProgressDisplay(interval=20, stream=io.StringIO())
    for second in range(45):
        clock.now = 100. + second
        display.show(f'second {second}')
    display.say('done')
    display.clear()
    assert display.stream.getvalue() == 'second 20\nsecond 40\ndone\n'


def test_a_terminal_has_one_line_that_is_rewritten_and_fits(monkeypatch):
    monkeypatch.setattr(progress.shutil, 'get_terminal_size', lambda: SimpleNamespace(columns=9))
    display = ProgressDisplay(stream=Terminal())
    display.show('0123456789')  # a longer line would wrap and stay
    display.say('a line that stays')
    display.show('x')
    display.clear()
    assert display.stream.getvalue().split('\r\033[K') == [
        '', '01234567', 'a line that stays\n', 'x', '']


def test_items_are_passed_on_with_an_estimate(clock):
    """Three of four items at 30 s each: 30 s are left."""
    display = ProgressDisplay(stream=io.StringIO())
    items = []
    for item in track('abcd', 4, 'images', display):
        items.append(item)
        clock.now += 30
    assert items == list('abcd')
    assert display.stream.getvalue().splitlines()[2:] == [
        '3 of 4 images, about 30 s left', '4 of 4 images, about 0 s left', '4 of 4 images, 2 min']
    assert list(track([], 0, display=display)) == []


def test_seconds_in_words():
    assert [describe_seconds(value) for value in (0, 89, 90, 5400, 7500)] == [
        '0 s', '89 s', '2 min', '1 h 30 min', '2 h 5 min']
