"""Merging of readers' points against its definition, and the promises that it makes."""
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwindow.annotations.merging import (
    MergeSettings,
    ReaderMarks,
    merge_marks,
    merge_readers,
)

# A grid of 20 pixels: many equal distances and points at one place, some exactly at the radius.
COORDINATE = st.integers(0, 7).map(lambda step: 20. * step)
POINTS = st.lists(st.tuples(COORDINATE, COORDINATE), max_size=5, unique=True)
READERS = st.dictionaries(st.sampled_from('ABCD'), POINTS, min_size=1)
ANY = MergeSettings(50, 1)


def literal_clusters(readers, radius):
    """Join, from single points on, the closest clusters without a common reader, as the text says.

    The distance of two clusters is looked for among all pairs of their points each time.
    """
    clusters = [frozenset([(point, name)]) for name, points in readers.items() for point in points]

    def smallest(cluster):
        return min(point for point, _ in cluster)

    while True:
        candidates = []
        for number, one in enumerate(clusters):
            for other in clusters[number + 1:]:
                distance = max(math.dist(a, b) for a, _ in one for b, _ in other)
                if not {name for _, name in one} & {name for _, name in other} and distance <= radius:
                    first_points = sorted([smallest(one), smallest(other)])
                    candidates.append((distance, first_points, one, other))
        if not candidates:
            return clusters
        _, _, one, other = min(candidates, key=lambda entry: entry[:2])
        clusters = [entry for entry in clusters if entry not in (one, other)] + [one | other]


def clusters_of(readers, merged):
    return sorted(sorted((name, tuple(readers[name][place])) for name, place in members.items())
                  for members in merged.members)


@settings(max_examples=80, deadline=None)
@given(READERS)
def test_merging_equals_its_definition(readers):
    merged = merge_readers(readers, ANY)
    expected = [sorted((name, point) for point, name in cluster)
                for cluster in literal_clusters(readers, 50)]
    assert clusters_of(readers, merged) == sorted(expected)
    for centre, members in zip(merged.points, merged.members, strict=True):
        assert centre == pytest.approx(np.mean([readers[name][place]
                                                for name, place in members.items()], axis=0))


@settings(max_examples=80, deadline=None)
@given(READERS, st.randoms(use_true_random=False))
def test_merging_depends_neither_on_order_nor_on_names(readers, random):
    merged = merge_readers(readers, ANY)
    names = list(readers)
    new_names = dict(zip(names, random.sample('WXYZ', len(names)), strict=True))
    shuffled = {new_names[name]: random.sample(readers[name], len(readers[name]))
                for name in random.sample(names, len(names))}
    again = merge_readers(shuffled, ANY)
    assert again.points.tolist() == merged.points.tolist()      # to the last bit
    renamed = [sorted((new_names[name], point) for name, point in cluster)
               for cluster in clusters_of(readers, merged)]
    assert clusters_of(shuffled, again) == sorted(renamed)


@settings(max_examples=60, deadline=None)
@given(READERS, st.floats(1, 120))
def test_no_finding_has_two_points_of_a_reader_or_points_beyond_the_radius(readers, radius):
    merged = merge_readers(readers, MergeSettings(radius, 1))
    used = [(name, place) for members in merged.members for name, place in members.items()]
    assert sorted(used) == sorted((name, place) for name, points in readers.items()
                                  for place in range(len(points)))  # each point once
    for members in merged.members:
        points = [readers[name][place] for name, place in members.items()]
        assert max(math.dist(a, b) for a in points for b in points) <= radius + 1e-9


def test_images_on_which_nobody_marked_anything():
    merged = merge_readers({'A': [], 'B': [], 'C': []})
    assert merged.points.shape == (0, 2) and merged.members == () and merged.num_left_out == 0
    with pytest.raises(ValueError, match='0 readers have read the image'):
        merge_readers({})


def test_a_chain_of_points_is_not_one_finding():
    # 40 pixels from each to the next: single linkage would join all four over 120 pixels.
    chain = {name: [[40. * number, 0]] for number, name in enumerate('ABCD')}
    assert merge_readers(chain, ANY).points.tolist() == [[20, 0], [100, 0]]


def test_the_closest_pair_is_joined_first():
    # A's point is 45 from B's and 10 from C's; B and C are 55 apart.
    merged = merge_readers({'A': [[0, 0]], 'B': [[45, 0]], 'C': [[-10, 0]]}, ANY)
    assert merged.members == (dict(C=0, A=0), dict(B=0))
    assert merged.points.tolist() == [[-5, 0], [45, 0]]


@pytest.mark.parametrize('min_readers, kept', [(1, 3), (2, 2), (3, 1), ('majority', 2)])
def test_how_many_readers_must_agree(min_readers, kept):
    readers = dict(A=[[0, 0], [300, 0], [600, 0]], B=[[10, 0], [310, 0]], C=[[20, 0]])
    merged = merge_readers(readers, MergeSettings(50, min_readers))
    assert len(merged.points) == kept and merged.num_left_out == 3 - kept
    assert merged.points[0].tolist() == [10, 0]


def test_a_majority_is_more_than_half_of_those_who_read():
    assert [MergeSettings().num_needed(number) for number in range(1, 6)] == [1, 2, 2, 3, 3]
    with pytest.raises(ValueError, match='1 reader has read the image, but 2 must agree'):
        merge_readers({'A': [[1, 1]]}, MergeSettings(min_readers=2))
    assert MergeSettings(min_readers=3).limited_to(2).num_needed(2) == 2


def test_the_radius_is_in_pixels_of_the_frame_and_met_exactly():
    readers = {'A': [[0, 0]], 'B': [[30, 40]]}                  # 50 pixels
    assert len(merge_readers(readers, ANY).points) == 1
    assert len(merge_readers(readers, ANY, scale=1.01).points) == 2
    assert len(merge_readers(readers, ANY, scale=0.5).points) == 1
    assert merge_readers(readers, ANY, scale=0.5).points.tolist() == [[15, 20]]  # in what came


@pytest.mark.parametrize('arguments, words', [
    (dict(radius=0), 'radius of merging is 0'), (dict(radius=math.nan), 'radius of merging is nan'),
    (dict(radius=True), 'radius of merging is True'),
    (dict(min_readers=0), 'min_readers is 0'), (dict(min_readers='half'), "min_readers is 'half'"),
    (dict(min_readers=1.5), 'min_readers is 1.5')])
def test_settings_that_make_no_sense(arguments, words):
    with pytest.raises(ValueError, match=words):
        MergeSettings(**arguments)


@pytest.mark.parametrize('points, words', [
    ([[1, 1], [2, 2], [1, 1]], r"reader 'A' has marked \(1, 1\) twice"),
    ([[1, math.inf]], "reader 'A' are .*inf"), ([1, 2, 3], "reader 'A' are")])
def test_points_that_make_no_sense(points, words):
    with pytest.raises(ValueError, match=words):
        merge_readers({'A': points})


def test_more_marks_than_any_image_has_are_rejected_and_do_not_hang():
    many = {name: [[number, 0] for number in range(1001)] for name in 'AB'}
    with pytest.raises(ValueError, match='2002 points of one class; at most 2000'):
        merge_readers(many)


def test_classes_are_merged_apart_and_boxes_are_averaged():
    marks = dict(
        A=ReaderMarks(np.array([[10., 10], [10, 20]]), np.array([0, 1]), ((0, 0, 20, 20), None)),
        B=ReaderMarks(np.array([[14., 10], [10, 24]]), np.array([0, 1]),
                      ((4, 0, 24, 20), (0, 14, 20, 34))))
    merged = merge_marks(marks, MergeSettings(), 1.).marks
    assert merged.points.tolist() == [[12, 10], [10, 22]] and merged.labels.tolist() == [0, 1]
    assert merged.boxes == ((2, 0, 22, 20), None)
    nothing = merge_marks({'A': ReaderMarks(np.zeros((0, 2)), np.zeros(0, int), ())},
                          MergeSettings(), 1.)
    assert nothing.marks.points.shape == (0, 2) and nothing.marks.labels.dtype == int
