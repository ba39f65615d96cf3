"""Holm's correction against numbers worked by hand and against its definition."""
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmwindow.evaluation.statistics.holm import holm, holm_by_name


def test_numbers_worked_by_hand():
    # R: p.adjust(c(.01, .04, .03, .005), 'holm') is .03 .06 .06 .02
    assert holm([.01, .04, .03, .005]) == pytest.approx([.03, .06, .06, .02])
    assert holm([.5, .6]) == [1., 1.]


def test_a_test_without_p_value_is_not_counted():
    assert holm([None, .02, math.nan, .04]) == pytest.approx([None, .04, None, .04])
    assert holm([]) == []
    assert holm([None]) == [None]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(.001, .5))
def test_rejects_what_the_step_down_procedure_rejects(p_values, level):
    """Against Holm's own words: from the smallest on, reject while p <= level / remaining."""
    rejected, remaining = set(), len(p_values)
    for place in sorted(range(len(p_values)), key=p_values.__getitem__):
        if p_values[place] * remaining > level:
            break
        rejected.add(place)
        remaining -= 1
    assert {place for place, value in enumerate(holm(p_values)) if value <= level} == rejected


def test_names_keep_their_p_values():
    assert holm_by_name(dict(wspl=.04, fcos=None, ufdet=.01)) == pytest.approx(
        dict(wspl=.04, fcos=None, ufdet=.02))


def test_no_p_value_is_rejected():
    with pytest.raises(ValueError, match=r'1\.5.*0 to 1'):
        holm([.2, 1.5])
