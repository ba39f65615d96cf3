"""Matching one to one against all matchings there are."""
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwindow.evaluation.readers import match_points

COORDINATE = st.integers(0, 6).map(lambda step: 20. * step)
POINTS = st.lists(st.tuples(COORDINATE, COORDINATE), max_size=4, unique=True)


def best_matching(first, second, radius):
    """Return how many pairs the largest matching has, and the smallest sum of its distances."""
    if len(first) > len(second):
        first, second = second, first
    best = (0, 0.)
    for places in itertools.permutations(range(len(second)), len(first)):
        distances = [math.dist(one, second[place]) for one, place in zip(first, places, strict=True)]
        # Any of the pairs within the radius may be left out, but none is worth leaving out.
        near = [distance for distance in distances if distance <= radius + 1e-9]
        best = min(best, (-len(near), sum(near)))
    return -best[0], best[1]


@settings(max_examples=100, deadline=None)
@given(POINTS, POINTS, st.sampled_from([20., 45., 50., 60.]))
def test_as_many_pairs_as_possible_and_of_these_the_closest(first, second, radius):
    matches = match_points(first, second, radius)
    assert (len(matches.distances), matches.distances.sum()) == pytest.approx(
        best_matching(first, second, radius))
    assert len(set(matches.first)) == len(set(matches.second)) == len(matches.first)
    for one, other, distance in zip(*matches, strict=True):
        assert distance == math.dist(first[one], second[other]) <= radius + 1e-9


@settings(max_examples=50, deadline=None)
@given(POINTS, POINTS)
def test_it_is_the_same_from_either_side(first, second):
    one, other = match_points(first, second), match_points(second, first)
    assert len(one.distances) == len(other.distances)
    assert one.distances.sum() == pytest.approx(other.distances.sum())


def test_a_closer_pair_is_given_up_for_one_pair_more():
    # Greedy by distance would take 5 and 30 apart first and leave one pair.
    matches = match_points([[0, 0], [35, 0]], [[30, 0], [75, 0]], 45)
    assert matches.first.tolist() == [0, 1] and matches.distances.tolist() == [30, 40]


@pytest.mark.parametrize('first, second', [([], []), ([], [[1, 1]]), ([[0, 0]], [[50.001, 0]])])
def test_nothing_to_match(first, second):
    matches = match_points(first, second)
    assert len(matches.first) == len(matches.second) == len(matches.distances) == 0


def test_bad_input():
    with pytest.raises(ValueError, match="'second' has marked .* twice"):
        match_points([[0, 0]], [[1, 1], [1, 1]])
    with pytest.raises(ValueError, match='radius'):
        match_points([], [], -1)
    with pytest.raises(ValueError, match='finite'):
        match_points([[np.nan, 0]], [])
