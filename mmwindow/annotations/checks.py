"""Which values of an annotation or prediction file are ids, whole numbers and coordinates.

Every reader asks these functions, so that a file means the same to all of them. A whole number may
be written as a float (``300.0``), as spreadsheets and data frames do; true and false are no numbers.
"""
import math
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import TypeGuard

from mmwindow.utils.messages import quote, shorten

ImageId = int | str
COCO_LISTS = ('images', 'annotations', 'categories')


def as_whole_number(value: object) -> int | None:
    """Return a value of JSON as an integer, None where it is no whole number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None


def as_id(value: object) -> ImageId | None:
    """Return a value of JSON as an id, a whole number or a string; None where it is neither."""
    return value if isinstance(value, str) else as_whole_number(value)


def is_id(value: object) -> bool:
    """Tell whether a value can name an image or a category: a whole number or a string."""
    return as_id(value) is not None


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether a value of JSON is a number that a float can hold; NaN and infinity are."""
    return isinstance(value, float) or (
        isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2 ** 1023)


def is_finite(value: object) -> TypeGuard[int | float]:
    """Tell whether a value of JSON is a finite number."""
    return is_number(value) and math.isfinite(value)


def is_text(value: object) -> TypeGuard[str]:
    """Tell whether a value is a string that can name a file: not empty, no NUL, valid Unicode."""
    if not isinstance(value, str) or not value or '\0' in value:
        return False
    return not any('\ud800' <= character <= '\udfff' for character in value)


def find_repeated(values: Iterable[Hashable]) -> Hashable | None:
    """Return the first value that occurs a second time, None where all differ."""
    seen = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


def check_classes(where: str | Path, classes: Iterable[str]) -> tuple[str, ...]:
    """Return class names as a tuple.

    Args:
        where: Names the file in the message.
        classes: Different names, at least one; their order gives the labels.

    Raises:
        ValueError: ``classes`` is one string, empty, or has a name twice.
    """
    names = classes if isinstance(classes, str) else tuple(classes)
    if isinstance(names, str) or not names or find_repeated(names) is not None:
        raise ValueError(
            f'{where}: the classes are {quote(names)}; one or more different names are expected, for '
            "example metainfo=dict(classes=('fracture', )) in the config, or the list categories of "
            'the file')
    return names


def read_categories(where: str | Path, categories: Iterable[dict[str, object]]
                    ) -> dict[ImageId, str]:
    """Return the names of categories by id, in the order of the ids (numbers before strings).

    Args:
        where: Names the file in messages.
        categories: The list of a COCO file.

    Raises:
        ValueError: A category has no id or name, or two have the same.
    """
    names: dict[ImageId, str] = {}
    for category in categories:
        key, name = as_id(category.get('id')), category.get('name')
        if key is None or not isinstance(name, str) or not name:
            raise ValueError(f'{where}: category {shorten(category)} needs an id (a whole number or '
                             'a string) and a name')
        if key in names or name in names.values():
            raise ValueError(f'{where}: category {shorten(category)} occurs twice; keep one of this '
                             'id and name')
        names[key] = name
    return {key: names[key] for key in sorted(names, key=lambda key: (isinstance(key, str), key))}
