"""What the log files of a training say of its losses and validations."""
import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmwindow.engine.hooks.validation_log_hook import FILE as VALIDATION_FILE

Curve = list[tuple[float, float]]
SHOWN_METRICS = ('auroc', 'froc_score', 'recall@0.1')


@dataclass(frozen=True)
class TrainingLog:
    """How a training went.

    Attributes:
        losses: 'loss', then its parts where there are several: (epoch, mean over its lines).
        metrics: Numbers of the validations: (epoch, value); those without a number left out.
    """

    losses: dict[str, Curve] = field(default_factory=dict)
    metrics: dict[str, Curve] = field(default_factory=dict)


def read_training_log(work_dir: str | Path) -> TrainingLog:
    """Return the losses and validations of a training, also of one that was resumed.

    Args:
        work_dir: Of the training. Lines that are no JSON, as a cut leaves one, are left out.
    """
    work_dir = Path(work_dir)
    steps: dict[int, dict[str, Any]] = {}
    for path in sorted(work_dir.glob('*/vis_data/*.json')):  # by the time of their start
        lines = [line for line in _read_lines(path) if 'loss' in line and _is_number(
            line.get('epoch')) and _is_number(line.get('step'))]
        if lines:  # a resumed training repeats what came after its checkpoint
            first = min(line['step'] for line in lines)
            steps = {step: line for step, line in steps.items() if step < first}
            steps.update({line['step']: line for line in lines})
    sums: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in steps.values():
        for name, value in line.items():
            if 'loss' in name and _is_number(value):
                sums[name][line['epoch']].append(value)
    losses = {name: [(epoch, sum(values) / len(values)) for epoch, values in sorted(epochs.items())]
              for name, epochs in sorted(sums.items(), key=lambda item: item[0] != 'loss')}
    validations = [line for line in _read_lines(work_dir / VALIDATION_FILE)
                   if _is_number(line.get('epoch'))]
    names = [name for shown in SHOWN_METRICS for line in validations[-1:] for name in line
             if name.rpartition('/')[2] == shown]
    metrics = {name: [(line['epoch'], line[name]) for line in validations if _is_number(
        line.get(name))] for name in names}
    return TrainingLog(losses, {name: curve for name, curve in metrics.items() if curve})


def _read_lines(path: Path) -> list[dict[str, Any]]:
    lines = []
    for text in path.read_text(encoding='utf-8', errors='replace').splitlines(
            ) if path.is_file() else ():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            lines.append(line)
    return lines


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
