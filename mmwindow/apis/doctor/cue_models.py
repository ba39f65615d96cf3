"""Linear fits of an image's label on a few plain numbers: what a data set gives away for free.

scikit-learn is needed; it is no requirement of the package.
"""
from dataclasses import dataclass

import numpy as np

from mmwindow.evaluation.roc import auroc

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.)  # inverse strength of the regularisation
NUM_BINS = 8  # of one number, at its quantiles: the label need not rise with it
MISSING = ('shortcut cues need scikit-learn, which is not installed; '
           "pip install 'scikit-learn>=1.3,<2'")


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


def has_scikit_learn() -> bool:
    """Return whether fits can be made."""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        return False
    return True


def fit_cue(train: np.ndarray, train_labels: np.ndarray, val: np.ndarray, val_labels: np.ndarray,
            test: np.ndarray) -> CueFit:
    """Fit on training images, choose the regularisation on validation images, score test images.

    Args:
        train, val, test: ``(N, F)`` numbers of each image.
        train_labels, val_labels: ``(N,)`` bool.

    Raises:
        ImportError: scikit-learn is not installed; the message says how to get it.
        ValueError: The training images are of one kind.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise ImportError(MISSING) from error
    mean, deviation = train.mean(0), train.std(0) + 1e-6
    best: CueFit | None = None
    both = bool(val_labels.any() and not val_labels.all())
    for strength in STRENGTHS if both else STRENGTHS[2:3]:
        model = LogisticRegression(C=strength, max_iter=2000, class_weight='balanced')
        model.fit((train - mean) / deviation, train_labels)
        area = (auroc(val_labels, model.decision_function((val - mean) / deviation)) if both
                else float('nan'))
        if best is None or area > best.validation_auroc:
            best = CueFit(strength, area, model.decision_function((test - mean) / deviation))
    assert best is not None  # noqa: S101  # there is a strength
    return best


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
