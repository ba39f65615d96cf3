"""Names of readers: of an annotation (``reader``), and of those who read an image (``readers``)."""
from mmwindow.annotations.checks import as_whole_number, find_repeated, is_text
from mmwindow.annotations.groups import MISSING_WORDS
from mmwindow.utils.messages import quote

MERGE, ALL, KEEP = 'merge', 'all', 'keep'
RESERVED = (MERGE, ALL, KEEP)  # words of settings, which name no reader


def reader_name(value: object, where: str) -> str | None:
    """Return the name of a reader as text; None where there is none.

    Args:
        value: ``annotations[*].reader``: a text or a whole number; None and blank text name nobody.
        where: Begins the message.

    Raises:
        ValueError: It is neither, or a word that a setting or a missing value has.

    Examples:
        >>> reader_name(' Dr A ', 'annotation 1'), reader_name(3, ''), reader_name(None, '')
        ('Dr A', '3', None)
    """
    if value is None:
        return None
    number = as_whole_number(value)
    if number is not None:
        return str(number)
    if isinstance(value, str) and not value.strip():
        return None
    if not isinstance(value, str) or not is_text(value.strip()):
        raise ValueError(f'{where} has the reader {quote(value)}; a text or a whole number that '
                         'names the reader is expected')
    name = value.strip()
    if name.lower() in (*RESERVED, *MISSING_WORDS):
        raise ValueError(f'{where} has the reader {quote(name)}, a word for a setting or a missing '
                         'value; give the reader another name, or leave it out')
    return name


def read_reader_list(where: str, value: object) -> tuple[str, ...] | None:
    """Return the names of a list of readers; None where there is no list.

    Args:
        where: Begins the message.
        value: ``images[*].readers``, or ``readers`` of a file; ``[]``: nobody.

    Raises:
        ValueError: It is no list of names, or one is there twice.
    """
    if value is None:
        return None
    names = [reader_name(entry, where) for entry in value] if isinstance(value, list) else [None]
    if None in names:
        raise ValueError(f'{where} has readers {quote(value)}; a list of names such as ["A", "B"] is '
                         'expected')
    repeated = find_repeated(names)
    if repeated is not None:
        raise ValueError(f'{where} names reader {quote(repeated)} twice; name each once')
    return tuple(name for name in names if name is not None)
