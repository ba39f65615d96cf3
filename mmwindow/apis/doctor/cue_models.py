"""Linear fits of an image's label on a few plain numbers: what a data set gives away for free.

Logistic regressions with balanced classes, as ``LogisticRegression(class_weight='balanced')`` of
scikit-learn defines them. It would be the slowest part of a check by far: all strengths are fitted at
once here, from one Gram matrix.
"""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from mmwindow.evaluation.roc import auroc
from mmwindow.utils.messages import count_words

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.)  # inverse strength of the regularisation
NUM_BINS = 8  # of one number, at its quantiles: the label need not rise with it
TOLERANCE = 3e-3  # of the last step, relative to the weights, where a fit ends
MAX_STEPS = 300


@dataclass(frozen=True)
class CueFit:
    """A fit whose regularisation was chosen on validation images.

    Attributes:
        strength: The chosen one of :data:`STRENGTHS`.
        validation_auroc: With it; NaN where validation has one kind of image only.
        scores: ``(N,)`` of the test images.
    """

    strength: float
    validation_auroc: float
    scores: np.ndarray


def fit_cue(train: np.ndarray, train_labels: np.ndarray, val: np.ndarray, val_labels: np.ndarray,
            test: np.ndarray) -> CueFit:
    """Fit on training images, choose the regularisation on validation images, score test images.

    Args:
        train, val, test: ``(N, F)`` numbers of each image.
        train_labels, val_labels: ``(N,)`` bool.

    Raises:
        ValueError: The training images are of one kind.
    """
    mean, deviation = train.mean(0), train.std(0) + 1e-6
    both = bool(val_labels.any() and not val_labels.all())
    strengths = STRENGTHS if both else STRENGTHS[2:3]
    weights = fit_logistic((train - mean) / deviation, train_labels, strengths)
    best = 0
    areas = [float('nan')] * len(strengths)
    if both:
        areas = [auroc(val_labels, scores) for scores in (((val - mean) / deviation) @ weights).T]
        best = int(np.argmax(areas))  # the first of equal ones: the strongest regularisation
    return CueFit(strengths[best], areas[best], ((test - mean) / deviation) @ weights[:, best])


def fit_logistic(values: np.ndarray, labels: np.ndarray, strengths: Sequence[float],
                 tolerance: float = TOLERANCE, precision: type[np.floating[Any]] = np.float32
                 ) -> np.ndarray:
    """Return the weights of logistic regressions without their constants, which rank no image.

    Minimised is ``|w|^2 / 2 + C sum(s log(1 + exp(-y (x w + b))))``, with s such that both labels
    weigh the same. The matrix of second derivatives is nowhere above that at w = 0 (Boehning and
    Lindsay, Annals of the Institute of Statistical Mathematics 40 (1988) 641), so that steps by its
    inverse need no search along a line; they are accelerated (Nesterov), and this starts again
    where it leads uphill (O'Donoghue and Candes, Foundations of Computational Mathematics 15 (2015)
    715).

    Args:
        values: ``(N, F)``.
        labels: ``(N,)`` bool.
        strengths: C of each fit.
        tolerance: Of the last step, relative to the weights.
        precision: Of products with all images; weights are float64.

    Returns:
        ``(F, S)``, a column for each strength.

    Raises:
        ValueError: The labels are of one kind.
    """
    num_positives = int(labels.sum())
    if num_positives in (0, len(labels)):
        number = count_words(len(labels), 'training image has', 'training images have')
        raise ValueError(f'{num_positives} of {number} a finding; a fit needs both kinds')
    shares = np.where(labels, len(labels) / (2 * num_positives),
                      len(labels) / (2 * (len(labels) - num_positives)))[:, None].astype(precision)
    columns = np.column_stack([values, np.ones(len(values))]).astype(precision)
    gram = (columns.T @ (columns * (shares / 4))).astype(np.float64)
    penalties = np.array([[1 / strength] * values.shape[1] + [0.] for strength in strengths]).T
    factors = [cho_factor(gram + np.diag(penalty)) for penalty in penalties.T]
    targets = labels[:, None].astype(precision)
    weights = ahead = np.zeros_like(penalties)
    momentum = np.ones(len(strengths))
    for _ in range(MAX_STEPS):
        errors = shares * (expit(columns @ ahead.astype(precision)) - targets)
        slopes = columns.T @ errors + penalties * ahead
        new = ahead - np.column_stack([cho_solve(factor, slope, check_finite=False)
                                       for factor, slope in zip(factors, slopes.T, strict=True)])
        step = new - weights
        uphill = (slopes * step).sum(0) > 0
        momentum[uphill] = 1.
        grown = (1 + np.sqrt(1 + 4 * momentum ** 2)) / 2
        ahead = new + np.where(uphill, 0., (momentum - 1) / grown) * step
        weights, momentum = new, np.where(uphill, 1., grown)
        if (np.abs(step).max(0) <= tolerance * np.abs(weights).max(0)).all():
            break
    return weights[:-1]


def encode_bins(train: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Return numbers as indicators of the quantiles of the training images.

    Args:
        train: ``(N, F)``; bins of equal counts are made from it, fewer where values repeat.
        others: ``(M, F)``, put into the same bins.

    Returns:
        ``(N, B)`` and so on, 0 and 1.
    """
    shares = np.linspace(0, 1, NUM_BINS + 1)[1:-1]
    columns: list[list[np.ndarray]] = [[] for _ in (train, *others)]
    for number in range(train.shape[1]):
        edges = np.unique(np.quantile(train[:, number], shares))
        # Below and above an edge differ, so that a value that many images share has its own bin.
        edges = np.unique(np.concatenate([edges, np.nextafter(edges, np.inf)]))
        for encoded, values in zip(columns, (train, *others), strict=True):
            places = np.searchsorted(edges, values[:, number], side='right')
            encoded.append(np.eye(len(edges) + 1)[places])
    return [np.concatenate(encoded, axis=1) for encoded in columns]
