"""What a controlled study varies of the radiographs; all else is drawn as ever."""
import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Variation:
    """What of a radiograph is varied; the defaults are the generator as it is.

    Attributes:
        extent_spread: Standard deviation of the logarithm of the length of fracture lines, whose
            median is then the same for all bones; 0: all of one length, as far as their bone has
            room for it. None: each site's own length.
        scale_range: The largest scale of the anatomy over the smallest; scales are uniform on the
            logarithm, and patients are of one size. 1: one scale for all. None: complete pelves and
            close views of one hip, as the seed decides.

    Raises:
        ValueError: A number is not finite, or out of its range.
    """

    extent_spread: float | None = None
    scale_range: float | None = None

    def __post_init__(self) -> None:
        for name, lowest, highest in (('extent_spread', 0., 1.), ('scale_range', 1., 3.)):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and lowest <= value <= highest):
                raise ValueError(f'{name} is {value}; a number from {lowest:g} to {highest:g}, or '
                                 'None for the generator as it is, is expected')

    def describe(self) -> dict[str, Any]:
        """Return what is varied, by name; nothing for the generator as it is."""
        return {name: value for name, value in asdict(self).items() if value is not None}
