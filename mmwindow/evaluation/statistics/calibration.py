"""Calibration of image scores: whether of the images that score .3, three in ten have a finding."""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.statistics.few_units import few_units_note
from mmwindow.evaluation.statistics.intervals import Interval, clustered_proportion, t_quantile
from mmwindow.evaluation.statistics.resampling import (
    bca_tails,
    check_events,
    draw_weights,
    find_units,
    leave_one_out,
)
from mmwindow.utils.messages import count_words

NUM_BINS = 10
NUM_RESAMPLES = 1000
# Of each kind. Collins, Ogundimu and Altman, Stat Med 35 (2016) 214: validation needs 100 events.
ENOUGH_IMAGES = 100
CLIP = 1e-6  # a score of 0 or 1 has no logit
MAX_STEPS = 100  # of Newton's method; some ten are usual
TOO_STEEP = 1e3  # a slope of separated classes grows without end


@dataclass(frozen=True)
class ReliabilityBin:
    """The images whose score lies in one part of [0, 1].

    Attributes:
        low, high: Of the part; the last one holds its upper end, too.
        num_images: In it; never 0.
        mean_score: Of these.
        share: Of them that have a finding; without an interval (both ends NaN) where all images are
            of one patient.
    """

    low: float
    high: float
    num_images: int
    mean_score: float
    share: Interval


@dataclass(frozen=True)
class Calibration:
    """How far image scores are probabilities. None, never NaN, where there is no number.

    Attributes:
        num_images, num_positives, num_units: What it is computed from.
        mean_score: Of all images; with :attr:`prevalence` the first thing to compare.
        prevalence: Share of images with a finding.
        bins: The reliability table, empty bins left out.
        ece: Expected calibration error: the mean over images of their bin's distance between mean
            score and share.
        ece_by_chance: What it would be on average if the scores were the probabilities: with few
            images far from 0.
        brier: Mean squared distance of score and label, 0 at best; ``prevalence (1 - prevalence)``
            is that of a model that gives every image the prevalence.
        slope: Of the logistic regression of the label on the score's logit: 1 is calibrated, below
            1 scores are too extreme.
        intercept: Of the same regression with the slope held at 1 (calibration in the large): below
            0 scores are too high.
        reasons: For each number that there is not, why.
        notes: What a reader should know.
        num_resamples, seed: Of the bootstrap.
    """

    num_images: int
    num_positives: int
    num_units: int
    mean_score: float | None
    prevalence: float
    bins: tuple[ReliabilityBin, ...]
    ece: Interval | None
    ece_by_chance: float | None
    brier: Interval | None
    slope: Interval | None
    intercept: Interval | None
    reasons: dict[str, str]
    notes: tuple[str, ...]
    num_resamples: int
    seed: int


def measure_calibration(events: Sequence[ImageEvents], num_bins: int = NUM_BINS, level: float = 0.95,
                        num_resamples: int = NUM_RESAMPLES, seed: int = 0) -> Calibration:
    """Return how far the scores of images are probabilities of a finding.

    An image without any finding of a box detector (score -inf) has the probability 0.

    Args:
        events: One per image, negative ones included.
        num_bins: Of equal width, of the reliability table and the ECE.
        level: Nominal confidence.
        num_resamples, seed: Of the bootstrap.

    Returns:
        Intervals are over patients: of shares the score interval (``clustered_proportion``), of
        slope and intercept Student's t with the sandwich variance, of the Brier score BCa. The ECE
        is larger in a sample than in truth, so that its interval is the basic one, which corrects
        that, wide enough to hold the estimate.

    Raises:
        ValueError: No image, an image twice, or less than one bin.

    Source: Van Calster et al., J Clin Epidemiol 74 (2016) 167 (slope, intercept); Naeini et al.,
    AAAI 2015 (ECE).
    """
    if num_bins < 1:
        raise ValueError(f'num_bins is {num_bins}; at least 1 is expected')
    events = check_events(events)
    units = find_units(events)
    labels = np.array([bool(event.is_positive) for event in events], float)
    scores = np.array([event.score for event in events], float)
    scores[scores == -np.inf] = 0.
    common: dict[str, Any] = dict(
        num_images=len(events), num_positives=int(labels.sum()), num_units=len(units),
        prevalence=float(labels.mean()), num_resamples=num_resamples, seed=seed)
    if scores.min() < 0 or scores.max() > 1:
        reason = (f'image scores reach from {scores.min():g} to {scores.max():g}; probabilities in '
                  '[0, 1] are expected')
        return Calibration(
            mean_score=None, bins=(), ece=None, ece_by_chance=None, brier=None, slope=None,
            intercept=None, notes=(), **common,
            reasons=dict.fromkeys(('ece', 'brier', 'slope', 'intercept'), reason))
    index = bin_index(scores, num_bins)
    reasons: dict[str, str] = {}
    many = len(units) > 1
    if not many:
        reasons.update(dict.fromkeys(('ece', 'brier', 'slope', 'intercept'),
                                     'no interval, so no number: all images are of one patient'))
    slope, why_slope = logistic_slope(scores, labels, units.index, level) if many else (None, '')
    intercept, why = logistic_intercept(scores, labels, units.index, level) if many else (None, '')
    reasons.update({name: text for name, text in (('slope', why_slope), ('intercept', why)) if text})
    return Calibration(
        mean_score=float(scores.mean()), bins=reliability_bins(scores, labels, units.index, num_bins,
                                                               level),
        ece=ece_interval(scores, labels, index, units.index, level, num_resamples, seed)
        if many else None,
        ece_by_chance=chance_error(scores, index, num_resamples, seed),
        brier=brier_interval(scores, labels, units.index, level, num_resamples, seed)
        if many else None,
        slope=slope, intercept=intercept, reasons=reasons,
        notes=tuple(small_sample_notes(scores, labels, len(units))), **common)


def bin_index(scores: NDArray[Any], num_bins: int) -> NDArray[np.int_]:
    """Return the bin of each score in [0, 1]; a score on an edge belongs to the upper bin."""
    edges = np.arange(num_bins + 1) / num_bins  # linspace has .30000000000000004
    return np.asarray(np.searchsorted(edges[1:-1], scores, 'right'))


def small_sample_notes(scores: NDArray[Any], labels: NDArray[Any], num_units: int) -> list[str]:
    """Return what a reader should know of few images and of scores without a logit."""
    positives = int(labels.sum())
    notes = []
    if min(positives, len(labels) - positives) < ENOUGH_IMAGES:
        notes.append(f'{count_words(positives, "image")} with and {len(labels) - positives} without '
                     f'a finding: '
                     f'below {ENOUGH_IMAGES} of either, calibration is a rough guide')
    if few := few_units_note(num_units):
        notes.append(few)
    clipped = int(((scores < CLIP) | (scores > 1 - CLIP)).sum())
    if clipped:
        notes.append(f'{clipped} scores nearer than {CLIP:g} to 0 or 1 are moved there for slope and '
                     'intercept')
    return notes


def reliability_bins(scores: NDArray[Any], labels: NDArray[Any], units: NDArray[Any], num_bins: int,
                     level: float) -> tuple[ReliabilityBin, ...]:
    """Return the bins that hold an image, by rising score.

    Args:
        scores, labels: ``(N,)``.
        units: ``(N,)`` integers, the patient of each image.
        num_bins: Of equal width.
        level: Nominal confidence.
    """
    edges, index = np.linspace(0, 1, num_bins + 1), bin_index(scores, num_bins)
    bins = []
    for number in np.unique(index):
        inside = index == number
        _, members = np.unique(units[inside], return_inverse=True)
        successes, trials = np.bincount(members, labels[inside]), np.bincount(members)
        share = float(labels[inside].mean())
        found = (clustered_proportion(successes, trials, level, 'score') if len(trials) > 1 else
                 Interval(share, np.nan, np.nan, level, '', 'its images are of one patient'))
        bins.append(ReliabilityBin(float(edges[number]), float(edges[number + 1]),
                                   int(inside.sum()), float(scores[inside].mean()), found))
    return tuple(bins)


def bin_sums(values: NDArray[Any], index: NDArray[Any], units: NDArray[Any], num_bins: int
             ) -> NDArray[Any]:
    """Return the sums of values by unit and bin, ``(U, num_bins)``."""
    sums = np.zeros((int(units.max()) + 1, num_bins))
    np.add.at(sums, (units, index), values)
    return sums


def ece_interval(scores: NDArray[Any], labels: NDArray[Any], index: NDArray[Any],
                 units: NDArray[Any], level: float, num_resamples: int, seed: int) -> Interval:
    """Return the expected calibration error and its interval.

    Args:
        scores, labels: ``(N,)``.
        index: ``(N,)``, bins.
        units: ``(N,)``, patients.
        level: Nominal confidence.
        num_resamples, seed: Of the bootstrap.
    """
    gaps = bin_sums(scores - labels, index, units, int(index.max()) + 1)
    sizes = np.bincount(units)

    def errors(weights: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.abs(weights @ gaps).sum(axis=1) / (weights @ sizes))

    estimate = float(errors(np.ones((1, len(sizes))))[0])
    replicates = np.concatenate([errors(block) for block in draw_weights(
        np.zeros(len(sizes), int), num_resamples, np.random.default_rng(seed))])
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(np.clip(2 * estimate - high, 0, estimate)),
                    float(np.clip(2 * estimate - low, estimate, 1)), level, 'bootstrap_basic')


def chance_error(scores: NDArray[Any], index: NDArray[Any], num_draws: int, seed: int) -> float:
    """Return the mean ECE of labels drawn with the scores as their probabilities."""
    generator = np.random.default_rng(seed)
    errors = [np.abs(np.bincount(index, scores - (generator.random(len(scores)) < scores))).sum()
              for _ in range(num_draws)]
    return float(np.mean(errors) / len(scores))


def brier_interval(scores: NDArray[Any], labels: NDArray[Any], units: NDArray[Any], level: float,
                   num_resamples: int, seed: int) -> Interval:
    """Return the Brier score and its BCa interval over patients; arguments as :func:`ece_interval`.

    Source: Brier, Mon Weather Rev 78 (1950) 1.
    """
    losses, sizes = np.bincount(units, (scores - labels) ** 2), np.bincount(units)
    estimate = float(losses.sum() / sizes.sum())

    def means(blocks: Any) -> NDArray[Any]:
        return np.concatenate([np.asarray(block @ losses) / (block @ sizes) for block in blocks])

    replicates = means(draw_weights(np.zeros(len(sizes), int), num_resamples,
                                    np.random.default_rng(seed)))
    tails = bca_tails(estimate, replicates, means(leave_one_out(len(sizes))), level)
    low, high = np.quantile(replicates, tails, method='weibull')
    return Interval(estimate, float(low), float(high), level, 'bootstrap_bca')


def logistic_slope(scores: NDArray[Any], labels: NDArray[Any], units: NDArray[Any], level: float
                   ) -> tuple[Interval | None, str]:
    """Return the slope of ``logit P(label) = a + slope logit(score)``; or None and the reason."""
    values = logit(np.clip(scores, CLIP, 1 - CLIP))
    if not 0 < labels.sum() < len(labels):
        return None, 'a slope needs images with and without a finding'
    if np.ptp(values) == 0:
        return None, 'all scores are the same, so there is no slope'
    positives, negatives = values[labels > 0], values[labels == 0]
    if positives.min() >= negatives.max() or negatives.min() >= positives.max():
        return None, 'the scores separate the images with a finding, so that no slope is the best'
    found = fit_logistic(np.stack([np.ones_like(values), values], axis=1), np.zeros_like(values),
                         labels, units)
    if found is None or abs(found[0][1]) > TOO_STEEP:
        return None, 'the regression has no end: the scores nearly separate the images'
    return t_interval(found[0][1], found[1][1, 1], units, level), ''


def logistic_intercept(scores: NDArray[Any], labels: NDArray[Any], units: NDArray[Any], level: float
                       ) -> tuple[Interval | None, str]:
    """Return the intercept of ``logit P(label) = a + logit(score)``; or None and the reason."""
    if not 0 < labels.sum() < len(labels):
        return None, 'an intercept needs images with and without a finding'
    found = fit_logistic(np.ones((len(scores), 1)), logit(np.clip(scores, CLIP, 1 - CLIP)), labels,
                         units)
    if found is None:
        return None, 'the regression has no end'
    return t_interval(found[0][0], found[1][0, 0], units, level), ''


def t_interval(estimate: float, variance: float, units: NDArray[Any], level: float) -> Interval:
    """Return the interval of an estimate whose variance over patients is known."""
    half = t_quantile(level, len(np.unique(units))) * np.sqrt(variance)
    return Interval(float(estimate), float(estimate - half), float(estimate + half), level,
                    'sandwich')


def fit_logistic(columns: NDArray[Any], offset: NDArray[Any], labels: NDArray[Any],
                 units: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return coefficients and their covariance over patients by maximum likelihood.

    Args:
        columns: ``(N, K)``.
        offset: ``(N,)``, of the linear part.
        labels: ``(N,)``, 0 or 1.
        units: ``(N,)`` integers, patients: the covariance is the sandwich with sums over patients
            and the factor G / (G - 1) of their number.

    Returns:
        ``(K,)`` and ``(K, K)``; None where Newton's method with step halving finds no maximum.

    Source: Liang and Zeger, Biometrika 73 (1986) 13 (sandwich).
    """
    def likelihood(coefficients: NDArray[Any]) -> float:
        linear = offset + columns @ coefficients
        return float((labels * linear - np.logaddexp(0, linear)).sum())

    coefficients, old = np.zeros(columns.shape[1]), likelihood(np.zeros(columns.shape[1]))
    for _ in range(MAX_STEPS):
        share = expit(offset + columns @ coefficients)
        information = (columns.T * (share * (1 - share))) @ columns
        if not np.isfinite(information).all() or np.linalg.cond(information) > 1e14:
            return None
        step = np.linalg.solve(information, columns.T @ (labels - share))
        factor = 1.
        while likelihood(coefficients + factor * step) < old and factor > 1e-6:
            factor /= 2
        coefficients = coefficients + factor * step
        new = likelihood(coefficients)
        if np.abs(step).max() < 1e-10 or abs(new - old) < 1e-13 * abs(old):
            break
        old = new
    else:
        return None
    share = expit(offset + columns @ coefficients)
    bread = np.linalg.inv((columns.T * (share * (1 - share))) @ columns)
    _, members = np.unique(units, return_inverse=True)
    sums = np.zeros((members.max() + 1, columns.shape[1]))
    np.add.at(sums, members, columns * (labels - share)[:, None])
    meat = sums.T @ sums * len(sums) / max(len(sums) - 1, 1)
    return coefficients, bread @ meat @ bread
