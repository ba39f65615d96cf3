"""Entries of a JSON file by name and kind: one that was changed by hand is an error with its name."""
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmwindow.utils.files import read_json
from mmwindow.utils.messages import quote, shorten


@dataclass(frozen=True)
class Kind:
    """What an entry may be.

    Attributes:
        types: Of Python. True, false, NaN and infinity are no numbers.
        name: In messages.
        is_needed: Whether the entry must be there.
        may_be_none: Whether null is an answer.
    """

    types: tuple[type, ...]
    name: str
    is_needed: bool = True
    may_be_none: bool = False

    @property
    def or_none(self) -> 'Kind':
        """The same, or null."""
        return replace(self, may_be_none=True)

    @property
    def optional(self) -> 'Kind':
        """The same, or no such entry, or null."""
        return replace(self, is_needed=False, may_be_none=True)

    def fits(self, value: Any) -> bool:
        """Tell whether a value is of this kind."""
        if value is None:
            return self.may_be_none
        if isinstance(value, bool) and bool not in self.types:
            return False
        return isinstance(value, self.types) and not (
            isinstance(value, float) and not math.isfinite(value))


TEXT, FLAG = Kind((str,), 'a text'), Kind((bool,), 'true or false')
WHOLE, NUMBER = Kind((int,), 'a whole number'), Kind((int, float), 'a number')
OBJECT, LIST = Kind((dict,), 'an object'), Kind((list,), 'a list')
Fields = Mapping[str, Kind]


def check_fields(content: Any, name: str, what: str, kinds: Fields) -> dict[str, Any]:
    """Return content that is an object whose entries are of their kinds; others are not looked at.

    Args:
        content: Of a JSON file, or a part of it.
        name: Of the file, for the message.
        what: It should be.
        kinds: Of the entries by name.

    Raises:
        ValueError: The message names the file and the entry.
    """
    if not isinstance(content, dict):
        raise ValueError(f'{name}: the {what} is {quote(content)}; an object is expected')
    for key, kind in kinds.items():
        if key not in content and kind.is_needed:
            raise ValueError(f'{name}: the {what} has no "{key}"; {kind.name} is expected')
        if key in content and not kind.fits(content[key]):
            raise ValueError(f'{name}: "{key}" of the {what} is {quote(content[key])}; {kind.name} '
                             'is expected')
    return content


def read_fields(path: str | Path, what: str, kinds: Fields) -> dict[str, Any] | None:
    """Return the object of a JSON file, checked by :func:`check_fields`; None without a file.

    Raises:
        ValueError: As :func:`~mmwindow.utils.files.load_json` and :func:`check_fields`.
    """
    content = read_json(path, what)
    if content is None and not Path(path).exists():
        return None
    return check_fields(content, shorten(str(path)), what, kinds)
