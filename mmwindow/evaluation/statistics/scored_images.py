"""A set of images as a statistic sees it: events, labels, scores and curves, computed once."""
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.froc import FROCCurve
from mmwindow.evaluation.froc_settings import FROCSettings, counted_curve
from mmwindow.evaluation.roc import ROCCurve, roc_curve
from mmwindow.evaluation.statistics.table import NoNumberError


@dataclass(frozen=True)
class ScoredImages:
    """The events of some images, and what is made of them when a statistic asks for it.

    Attributes:
        events: One per image, negative ones included; in a resample an image occurs repeatedly.
        settings: How the FROC is read.
    """

    events: Sequence[ImageEvents]
    settings: FROCSettings

    @cached_property
    def labels(self) -> NDArray[np.bool_]:
        """``(N,)``, whether an image has a finding."""
        return np.array([bool(event.is_positive) for event in self.events], bool)

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """``(N,)``, the image scores."""
        return np.array([event.score for event in self.events], np.float64)

    @cached_property
    def floor(self) -> float | None:
        """The highest floor of the events; None where they are known completely."""
        return max((event.floor for event in self.events if event.floor is not None), default=None)

    @cached_property
    def curve(self) -> FROCCurve:
        """The FROC, exact; its FP rate has the denominator of the settings.

        Raises:
            NoNumberError: There is no image, or none to count false positives on.
        """
        try:
            return counted_curve(self.events, self.settings)
        except ValueError as error:
            raise NoNumberError(str(error)) from error

    @property
    def roc(self) -> ROCCurve | None:
        """The ROC of the image scores; None with one kind of image."""
        return self._roc_or_reason[0]

    @property
    def no_roc_reason(self) -> str:
        """Why there is no ROC; '' where there is one."""
        return self._roc_or_reason[1]

    @cached_property
    def _roc_or_reason(self) -> tuple[ROCCurve | None, str]:
        try:
            return roc_curve(self.labels, self.scores), ''
        except ValueError as error:
            return None, str(error)
