"""Words of error messages: values in a bounded number of characters. Standard library."""
import re
from collections.abc import Collection

MAX_CHARACTERS = 200
MAX_NAMES = 5
PLURAL = re.compile(r'((?:\w*[^\Ws] )?)(\w+s)\b( that are\b)?')  # at most one word stands before it


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


def count_words(number: int, singular: str, plural: str = '') -> str:
    """Return a number with its noun, and a verb where the words have one.

    Args:
        number: How many.
        singular: Words of one.
        plural: Words of none and of several; ``singular`` with an s if ''.

    >>> count_words(1, 'image'), count_words(2, 'copy is', 'copies are')
    ('1 image', '2 copies are')
    """
    return f'{number} {singular if number == 1 else plural or singular + "s"}'


def none_of(number: int, singular: str) -> str:
    """Return the subject of a sentence about things of which none is or has something.

    Args:
        number: How many there are.
        singular: Noun of one.

    >>> none_of(6, 'image'), none_of(1, 'image')
    ('none of the 6 images', 'none of the images (there is 1)')
    """
    return (f'none of the {singular}s (there is 1)' if number == 1
            else f'none of the {number} {singular}s')


def count_phrase(number: int, plural: str) -> str:
    """Return a number with words whose first noun is a plural; of one it becomes a singular.

    >>> print(count_phrase(1, 'boxes without area'), count_phrase(2, 'marks that are there twice'))
    1 box without area 2 marks that are there twice
    >>> print(count_phrase(1, 'marks that are there'), count_phrase(1, 'compound graphics (rulers)'))
    1 mark that is there 1 compound graphic (rulers)
    """
    if number != 1:
        return f'{number} {plural}'
    found = PLURAL.match(plural)
    if found is None:
        return f'1 {plural}'
    before, noun, that = found.groups()
    singular = (noun[:-2] if noun.endswith('xes') else noun[:-3] + 'y' if noun.endswith('ies')
                else noun[:-1])
    return f'1 {before}{singular}{" that is" if that else ""}{plural[found.end():]}'
