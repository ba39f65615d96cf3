"""Who the patient is: the one rule of splits, folds, importers and resampling.

Images of one group belong together: no split divides them, and statistics draw them together. An
image without a group is a unit of its own. Group 3, 3.0 and '3' are the same patient.
"""
import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Protocol

from mmwindow.utils.messages import quote

# What a missing value becomes where a table is written as text; as a patient's name it would join
# all images that have none.
MISSING_WORDS = ('nan', 'none', 'null', '<na>', 'nat', 'na', 'n/a', '#n/a')


class Grouped(Protocol):
    """An image that may name its patient."""

    @property
    def img_id(self) -> int | str:
        """Return the id of the image."""

    @property
    def group(self) -> str | None:
        """Return the name of the patient."""


def group_name(value: object) -> str | None:
    """Return the name of a patient as text; None where the image names none.

    Args:
        value: ``images[*].group``. None, NaN and blank text name nobody.

    Raises:
        ValueError: It is neither a whole number nor a text, or a word for a missing value.

    Examples:
        >>> group_name(3), group_name(3.0), group_name(' 3 ')
        ('3', '3', '3')
        >>> group_name(None), group_name(float('nan')), group_name('')
        (None, None, None)
    """
    if value is None:
        return None
    if type(value) is int:  # the usual case; the abstract types below are slow
        return str(value)
    if isinstance(value, str):
        name = value.strip()
        if name.lower() in MISSING_WORDS:
            raise ValueError(f'group is the word {value!r}, as if the image had none; leave group '
                             'empty or out, or write null')
        return name or None
    if isinstance(value, Real) and not isinstance(value, bool):
        if isinstance(value, Integral):
            return str(int(value))
        number = float(value)
        if math.isnan(number):
            return None
        if number.is_integer():
            return str(int(number))
    raise ValueError(f'group is {quote(value)}; a whole number or a text that names the patient '
                     'is expected, or null')


def unit_name(group: object, image_id: object) -> str:
    """Return what an image is kept together by: its group, else the image alone.

    Args:
        group: As :func:`group_name` reads it.
        image_id: Names the image; an image without group is no member of the group of its number.

    Examples:
        >>> unit_name(3, image_id=7), unit_name('', image_id=3)
        ('group 3', 'image 3')
    """
    name = group_name(group)
    return f'image {image_id}' if name is None else f'group {name}'


def unit_names(images: Iterable[Grouped]) -> list[str]:
    """Return :func:`unit_name` of each image."""
    return [unit_name(image.group, image.img_id) for image in images]
