"""The ROC curve of image scores."""
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata


@dataclass(frozen=True)
class ROCCurve:
    """The ROC at every distinct score.

    Attributes:
        thresholds (ndarray): ``(T,)`` descending, the first infinite.
        false_positive_rate (ndarray): ``(T,)``, 1 - specificity.
        true_positive_rate (ndarray): ``(T,)``, sensitivity.
    """
    thresholds: np.ndarray
    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray


def check_labels(labels, scores):
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
            f'AUROC compares images with and without findings; of {len(labels)} images '
            f'{int(labels.sum())} have one')
    return labels, scores


def auroc(labels, scores):
    """Return the area under the ROC curve; ties count half.

    Args:
        labels (array): ``(N,)``, true or 1 where the image has a finding.
        scores (array): ``(N,)``; infinite ones are allowed.

    Raises:
        ValueError: Lengths differ, a label is neither 0 nor 1, a score is NaN, or there is only
            one class.
    """
    labels, scores = check_labels(labels, scores)
    num_positives = int(labels.sum())
    num_normals = len(labels) - num_positives
    rank_sum = rankdata(scores)[labels].sum()
    return float((rank_sum - num_positives * (num_positives + 1) / 2)
                 / (num_positives * num_normals))


def roc_curve(labels, scores):
    """Return the ROC curve; equal scores enter together.

    Args and errors as in :func:`auroc`.
    """
    labels, scores = check_labels(labels, scores)
    negated, index = np.unique(-scores, return_inverse=True)
    positives = np.bincount(index, weights=labels, minlength=len(negated)).cumsum()
    normals = np.bincount(index, weights=~labels, minlength=len(negated)).cumsum()
    return ROCCurve(
        thresholds=np.concatenate([[np.inf], -negated]),
        false_positive_rate=np.concatenate([[0.], normals / normals[-1]]),
        true_positive_rate=np.concatenate([[0.], positives / positives[-1]]))
