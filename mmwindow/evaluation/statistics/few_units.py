"""What a result of few patients says about itself."""
from mmwindow.utils.messages import count_words

WARN_BELOW = 10  # units (patients, or images where these are unnamed)
TEST_FROM = 8
WARN_CARRIERS_BELOW = 5  # units that a number rests on, such as those with a point


def few_units_note(num_units: int, carriers: int | None = None, what: str = '') -> str:
    """Return a warning of an interval that rests on few units, or ''.

    Args:
        num_units: Patients, or images where these are unnamed.
        carriers: Units that the number rests on.
        what: What these are, in the plural.

    >>> few_units_note(9)
    'only 9 patients (images where none is named): an interval below 10 is a rough guide'
    >>> few_units_note(60, 3, 'with a point')
    'it rests on 3 patients with a point: a rough guide'
    >>> few_units_note(60, 20, 'with a point')
    ''
    """
    if num_units < WARN_BELOW:
        return (f'only {count_words(num_units, "patient")} (images where none is named): an interval '
                f'below {WARN_BELOW} is a rough guide')
    if carriers is not None and carriers < WARN_CARRIERS_BELOW:
        return f'it rests on {carriers} patients {what}: a rough guide'
    return ''


def no_test_note(num_units: int) -> str:
    """Return why there is no p-value, or ''.

    >>> no_test_note(7)
    'no p-value: 7 patients (images where none is named); a test needs at least 8'
    >>> no_test_note(8)
    ''
    """
    return '' if num_units >= TEST_FROM else (
        f'no p-value: {count_words(num_units, "patient")} (images where none is named); a test needs '
        f'at least {TEST_FROM}')


def join_notes(*notes: str) -> str:
    """Return the notes that say something, in one line."""
    return '; '.join(filter(None, notes))
