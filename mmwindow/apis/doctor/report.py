"""What the doctor found, for all outputs."""
from collections.abc import Sequence
from dataclasses import dataclass

from mmwindow.apis.doctor.checkup import Checkup
from mmwindow.apis.doctor.duplicate_checks import Copies
from mmwindow.apis.doctor.label_checks import Suspects
from mmwindow.apis.doctor.problems import Problem, Table, has_errors
from mmwindow.apis.doctor.shortcut_checks import Shortcuts
from mmwindow.apis.doctor.suggestions import Suggestion


@dataclass(frozen=True)
class Timing:
    """What a check cost.

    Attributes:
        num_images: Files that were read.
        decode_seconds: Processor time of reading and decoding them, of all processes.
        read_seconds: The same with all that was measured of them.
        check_seconds: Processor time of all checks after that.
        wall_seconds: Of all together.
    """

    num_images: int
    decode_seconds: float
    read_seconds: float
    check_seconds: float
    wall_seconds: float

    @property
    def reading_ratio(self) -> float:
        """Return how many times the cost of decoding alone reading and measuring took."""
        return self.read_seconds / max(self.decode_seconds, 1e-9)

    @property
    def total_ratio(self) -> float:
        """Return the same of all checks together."""
        return (self.read_seconds + self.check_seconds) / max(self.decode_seconds, 1e-9)


@dataclass(frozen=True)
class DoctorReport:
    """All that was found.

    Attributes:
        checkup: The data.
        problems: The worst first.
        tables: Counts.
        copies: Pairs of images that show the same.
        shortcuts: What predicts the label.
        suspects: Images to look at again; None without runs.
        suggestions: Settings.
        timing: What it cost.
    """

    checkup: Checkup
    problems: Sequence[Problem]
    tables: Sequence[Table]
    copies: Copies
    shortcuts: Shortcuts
    suspects: Suspects | None
    suggestions: Sequence[Suggestion]
    timing: Timing

    @property
    def status(self) -> int:
        """Return the exit status: 1 where a training is impossible."""
        return int(has_errors(self.problems))

    def count(self, severity: str) -> int:
        """Return how many problems are of a severity."""
        return sum(problem.severity == severity for problem in self.problems)
