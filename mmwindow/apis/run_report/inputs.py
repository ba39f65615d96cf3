"""What the report of a training or a test is made of, and what was written."""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mmwindow.apis.run_numbers import ClassNumbers
from mmwindow.apis.training_log import TrainingLog
from mmwindow.evaluation.hit_rules import HitRule
from mmwindow.evaluation.results import EvaluationResult
from mmwindow.images.decode import ImageSettings
from mmwindow.utils.operating_points import ModelOperatingPoints

if TYPE_CHECKING:
    from mmwindow.visualization.examples import Example


@dataclass(frozen=True)
class ReportInputs:
    """What a report is made of.

    Attributes:
        title: Of the page.
        result: With the events of all images.
        points: The stored thresholds; None where there are none.
        images: Some predicted ones.
        facts: Rows of the table at the head.
        warnings: What a reader must know before any number.
        chosen_here: The thresholds were chosen on these very images.
        image_settings: How images are read.
        training: How the training went, in its own report.
        best_epoch: Of the training.
        numbers: Of each class, where they are measured already.
    """

    title: str
    result: EvaluationResult
    points: ModelOperatingPoints | None = None
    images: 'ReportImages | None' = None
    facts: Mapping[str, object] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    chosen_here: bool = False
    image_settings: ImageSettings | None = None
    training: TrainingLog | None = None
    best_epoch: int | None = None
    numbers: Sequence[ClassNumbers] | None = None


class ReportImages(Protocol):
    """Images that a report can show."""

    def __len__(self) -> int:
        """Return how many there are."""

    def examples(self, label: int, threshold: float, rule: HitRule,
                 settings: ImageSettings | None = None) -> 'list[Example]':
        """Return examples of each outcome of a class at a threshold, with their pixels."""


@dataclass(frozen=True)
class ReportOutcome:
    """What was written.

    Attributes:
        path: The page.
        seconds: That it took.
        problems: What could not be drawn, and why.
    """

    path: Path
    seconds: float
    problems: tuple[str, ...]
