"""How far a long work is, told to people."""
import contextlib


def describe_seconds(seconds):
    """Return a rough duration in words: '40 s', '3 min', '2 h 5 min'."""
    if seconds < 90:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    return f'{minutes} min' if minutes < 90 else f'{minutes // 60} h {minutes % 60} min'


@contextlib.contextmanager
def quiet(log):
    """Send what the runner prints to a file: the terminal keeps the progress line."""
    with open(log, 'a', encoding='utf-8') as stream, contextlib.redirect_stdout(stream):
        yield
