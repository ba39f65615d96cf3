"""The ROC curve of image scores."""
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from mmwindow.utils.messages import count_words


@dataclass(frozen=True)
class ROCCurve:
    """The ROC at every distinct score.

    Attributes:
        thresholds: ``(T,)`` descending, the first infinite.
        false_positive_rate: ``(T,)``, 1 - specificity.
        true_positive_rate: ``(T,)``, sensitivity.
    """
    thresholds: NDArray[np.float64]
    false_positive_rate: NDArray[np.float64]
    true_positive_rate: NDArray[np.float64]


def check_labels(labels: ArrayLike, scores: ArrayLike
                 ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return labels as bool and scores as float64.

    Raises:
        ValueError: Lengths differ, a label is neither 0 nor 1, a score is NaN, or there is only
            one class.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise ValueError(f'labels {labels.shape} and scores {scores.shape} must be one number per '
                         'image each')
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f'labels hold {labels[~np.isin(labels, (0, 1))][0]}; 1 for an image with a '
                         'finding and 0 for one without are expected')
    if np.isnan(scores).any():
        raise ValueError(f'{int(np.isnan(scores).sum())} of {len(scores)} image scores are NaN')
    labels = labels.astype(bool)
    if labels.all() or not labels.any():
        raise ValueError(
            f'AUROC compares images with and without findings; of '
            f'{count_words(len(labels), "image")} '
            f'{int(labels.sum())} have one')
    return labels, scores


def auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the area under the ROC curve; ties count half.

    Args:
        labels: ``(N,)``, true or 1 where the image has a finding.
        scores: ``(N,)``; infinite ones are allowed.

    Raises:
        ValueError: Lengths differ, a label is neither 0 nor 1, a score is NaN, or there is only
            one class.

    Example:
        >>> auroc([1, 1, 0, 0], [0.9, 0.4, 0.4, 0.1])
        0.875
    """
    labels, scores = check_labels(labels, scores)
    num_positives = int(labels.sum())
    num_negatives = len(labels) - num_positives
    rank_sum = rankdata(scores)[labels].sum()
    return float((rank_sum - num_positives * (num_positives + 1) / 2)
                 / (num_positives * num_negatives))


def roc_curve(labels: ArrayLike, scores: ArrayLike) -> ROCCurve:
    """Return the ROC curve; equal scores enter together.

    Args and errors as in :func:`auroc`.
    """
    labels, scores = check_labels(labels, scores)
    negated, index = np.unique(-scores, return_inverse=True)
    positives = np.bincount(index, weights=labels, minlength=len(negated)).cumsum()
    negatives = np.bincount(index, weights=~labels, minlength=len(negated)).cumsum()
    return ROCCurve(
        thresholds=np.concatenate([[np.inf], -negated]),
        false_positive_rate=np.concatenate([[0.], negatives / negatives[-1]]),
        true_positive_rate=np.concatenate([[0.], positives / positives[-1]]))
