"""Shortcut cues: how well size, format, border, brightness and a tiny thumbnail predict the label.

A network finds such a cue before it finds a fracture, and its numbers then say how well it knows the
scanner. Cross-validated AUROC over five folds by patient, with the interval of all AUROCs here.
"""
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmwindow.apis.doctor.checkup import Checkup
from mmwindow.apis.doctor.cue_models import encode_bins, fit_cue
from mmwindow.apis.doctor.image_facts import THUMBNAIL_SIDE
from mmwindow.apis.doctor.problems import NOTE, WARNING, Problem
from mmwindow.datasets.splits import Split, split_folds
from mmwindow.evaluation.statistics.fold_areas import ScoredFold, scored_area_interval
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.utils.markdown import format_with_interval

NUM_FOLDS = 5
MIN_UNITS = 20  # patients of each kind: with fewer an AUROC over five folds says nothing
MAX_IMAGES = 6000  # so many are drawn where there are more: the interval is short enough
CUE_SIDE = 16
# A cue counts where it is this good, and the low end of its interval is above the second number.
MIN_AUROC, MIN_LOW = .6, .55
Encode = Callable[[Checkup, list[int]], np.ndarray]


@dataclass(frozen=True)
class Cue:
    """What predicts the label.

    Attributes:
        name: In words.
        auroc: Mean over the folds, with its 95 % interval.
        is_warned: Whether it is worth a warning.
        advice: What to do about it.
    """

    name: str
    auroc: Interval
    is_warned: bool
    advice: str


@dataclass(frozen=True)
class Shortcuts:
    """All cues, and why there are none.

    Attributes:
        cues: The strongest first.
        reason: Why there are none; '' where there are.
        num_images: Images that were used.
    """

    cues: list[Cue]
    reason: str = ''
    num_images: int = 0


def find_shortcuts(checkup: Checkup, units: list[int], seed: int = 0) -> Shortcuts:
    """Return how well each cue predicts whether an image has a finding.

    Args:
        checkup: Images of all splits; they are divided anew.
        units: Number of the unit of each image; no fold divides one.
        seed: Of the folds, and of the images that are drawn.
    """
    chosen = _choose_images(checkup, units, seed)
    labels = checkup.is_positive[chosen]
    kinds = [len({units[index] for index, label in zip(chosen, labels, strict=True) if label == kind})
             for kind in (True, False)]
    if min(kinds) < MIN_UNITS:
        return Shortcuts([], f'{kinds[0]} patients with a positive and {kinds[1]} with a negative '
                         f'image; at least {MIN_UNITS} of each are needed')
    groups = [units[index] for index in chosen]
    splits = split_folds(groups, labels.tolist(), NUM_FOLDS, seed)
    cues = []
    for name, (encode, advice) in CUES.items():
        values = encode(checkup, chosen)
        if not np.ptp(values, axis=0).any():
            continue  # the same for all images
        interval = cross_validate(values, labels, groups, splits, values.shape[1] < CUE_SIDE ** 2)
        if interval is not None:
            is_warned = interval.estimate >= MIN_AUROC and interval.low > MIN_LOW
            cues.append(Cue(name, interval, is_warned, advice))
    return Shortcuts(sorted(cues, key=lambda cue: -cue.auroc.estimate), '', len(chosen))


def _choose_images(checkup: Checkup, units: list[int], seed: int) -> list[int]:
    """Return the indices of readable images; complete units are drawn where there are too many."""
    usable = [index for index in range(len(checkup.images)) if checkup.usable[index]]
    if len(usable) <= MAX_IMAGES:
        return usable
    order = np.random.default_rng(seed).permutation(sorted({units[index] for index in usable}))
    members: dict[int, list[int]] = {}
    for index in usable:
        members.setdefault(units[index], []).append(index)
    drawn: list[int] = []
    for unit in order.tolist():
        if len(drawn) >= MAX_IMAGES:
            break
        drawn += members[unit]
    return sorted(drawn)


def cross_validate(values: np.ndarray, labels: np.ndarray, groups: list[int], splits: list[Split],
                   has_bins: bool) -> Interval | None:
    """Return the mean AUROC over folds of linear fits, each image scored by a fit without it.

    Args:
        values: ``(N, F)``.
        labels: ``(N,)`` bool.
        groups: ``(N,)``, no fold divides one.
        splits: Training, validation and test images of each fold.
        has_bins: Whether numbers are put into bins first.
    """
    folds = []
    for split in splits:
        parts = [values[split[name]] for name in ('train', 'val', 'test')]
        if has_bins:
            parts = encode_bins(*parts)
        fit = fit_cue(parts[0], labels[split['train']], parts[1], labels[split['val']], parts[2])
        folds.append(ScoredFold(labels[split['test']], fit.scores,
                                [groups[index] for index in split['test']]))
    return scored_area_interval(folds, .95)


def size_values(checkup: Checkup, indices: list[int]) -> np.ndarray:
    """Return ``(N, 3)``: height, width and their ratio."""
    sizes = np.array([[checkup.facts[index].height, checkup.facts[index].width]
                      for index in indices], float)
    return np.column_stack([sizes, sizes[:, 0] / sizes[:, 1]])


def format_values(checkup: Checkup, indices: list[int]) -> np.ndarray:
    """Return ``(N, K)``: bits, channels, orientation, and an indicator of each format."""
    facts = [checkup.facts[index] for index in indices]
    kinds = sorted({seen.kind for seen in facts})
    return np.array([[seen.bits, seen.channels, seen.orientation,
                      *(seen.kind == kind for kind in kinds)] for seen in facts], float)


def border_values(checkup: Checkup, indices: list[int]) -> np.ndarray:
    """Return ``(N, 5)``: widths of even margins, and the level of the outermost pixels."""
    return np.array([checkup.facts[index].border for index in indices], float)


def level_values(checkup: Checkup, indices: list[int]) -> np.ndarray:
    """Return ``(N, 11)``: brightness and contrast."""
    return np.array([checkup.facts[index].levels for index in indices], float)


def thumbnail_values(checkup: Checkup, indices: list[int]) -> np.ndarray:
    """Return ``(N, 256)``: means of 16 x 16 equal parts of the picture, in [0, 1]."""
    # One product of matrices each, by which equal parts are summed: exact, since sums are small.
    step = THUMBNAIL_SIDE // CUE_SIDE
    sums = np.kron(np.eye(CUE_SIDE, dtype=np.float32), np.ones(step, np.float32))
    cells = np.array([sums @ checkup.thumbnail(index).astype(np.float32) @ sums.T
                      for index in indices], dtype=float)
    return cells.reshape(len(indices), -1) / (255 * step ** 2)


CUES: dict[str, tuple[Encode, str]] = {
    'image size': (size_values, 'Do positive images come from another scanner or another export? '
                   'Report AUROC within each size too'),
    'file format': (format_values, 'Export all images in one format and depth'),
    'border': (border_values, 'Cut frames and padding off, or give them to all images'),
    'brightness and contrast': (level_values, 'Compare exposure and export settings of positive and '
                                'negative images'),
    '16 x 16 thumbnail': (thumbnail_values, 'Body part, view or framing predict the label; report '
                          'this AUROC next to the model\'s, and results within body parts')}


def check_shortcuts(shortcuts: Shortcuts) -> list[Problem]:
    """Return a warning for each strong cue."""
    if shortcuts.reason:
        return [Problem(NOTE, 'shortcut cues', '', f'not looked for: {shortcuts.reason}',
                        'They are what a model may learn in place of findings')]
    return [Problem(
        WARNING, 'shortcut cue', '', f'the label is predicted by {cue.name} alone: AUROC '
        f'{format_with_interval(cue.auroc.estimate, cue.auroc, 2)}', cue.advice)
        for cue in shortcuts.cues if cue.is_warned]
