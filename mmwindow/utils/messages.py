"""Words of error messages: values in a bounded number of characters. Standard library."""
from collections.abc import Collection

MAX_CHARACTERS = 200
MAX_NAMES = 5


def shorten(value: object, max_characters: int = MAX_CHARACTERS) -> str:
    """Return a value as one line of bounded length, for a message.

    Args:
        value: A string is returned as it is, anything else as its ``repr``. What cannot be printed,
            such as the escape that begins a terminal's commands, is written as Python writes it.
        max_characters: A longer text is cut there, and its full length is said.

    >>> print(shorten('a' + chr(10) + 'b'), len(shorten('a' * 5000)))
    a\\nb 221
    """
    try:
        text = value if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):  # an integer of 5,000 digits, a list in itself
        text = f'<{type(value).__name__}>'
    if not isinstance(value, str) and len(text) <= 10 * max_characters:
        text = ' '.join(text.split())  # of an array, which has a line for each row
    shown = printable(text[:max_characters])[:max_characters]
    if len(text) <= max_characters:
        return shown
    return f'{shown}... ({len(text)} characters)'


def printable(text: str) -> str:
    """Return text whose line breaks and other characters that cannot be printed are escaped.

    >>> print(printable('a' + chr(10) + 'b'), printable('Röntgen'))
    a\\nb Röntgen
    """
    if text.isprintable():
        return text
    return ''.join(character if character.isprintable() else
                   character.encode('unicode_escape').decode() for character in text)


def quote(value: object, max_characters: int = MAX_CHARACTERS) -> str:
    """Return the ``repr`` of a value in bounded length: a string has its quotation marks."""
    return shorten(repr(value) if isinstance(value, str) else value, max_characters)


def name_some(values: Collection[object], max_names: int = MAX_NAMES) -> str:
    """Return the first values in order as text, and how many more there are.

    Args:
        values: Image ids, groups or names; they may be of several types.
        max_names: So many are named.
    """
    ordered = sorted(values, key=str)
    more = f' and {len(ordered) - max_names} more' if len(ordered) > max_names else ''
    return ', '.join(quote(value) for value in ordered[:max_names]) + more
