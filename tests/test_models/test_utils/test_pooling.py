"""Pooling: values worked by hand, limits, and no overflow."""
import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from mmwindow.models.utils import (
    bounded_scores,
    check_sharpness,
    log_sum_exp_pool,
    mean_pool,
    pooled_probability_logits,
)


def as_map(*values):
    """Return one image's map of one channel and one row."""
    return torch.tensor(values, dtype=torch.float32)[None, None, None]


def test_mean_pool():
    features = torch.arange(24.).reshape(1, 2, 3, 4)     # 0 to 11: mean 5.5; 12 to 23: 17.5
    assert mean_pool(features).tolist() == [[5.5, 17.5]]


def test_log_sum_exp_by_hand():
    # r = 1: log((e^0 + e^log 3) / 2) = log(4 / 2); r = 2: log((1 + 9) / 2) / 2 = log(5) / 2
    cells = as_map(0., math.log(3.))
    assert log_sum_exp_pool(cells, 1.).item() == pytest.approx(math.log(2), rel=1e-6)
    assert log_sum_exp_pool(cells, 2.).item() == pytest.approx(math.log(5) / 2, rel=1e-6)


@pytest.mark.parametrize('value', [-1000., 0., 1000.])
def test_log_sum_exp_of_equal_cells_is_their_value(value):
    pooled = log_sum_exp_pool(torch.full((2, 3, 4, 5), value), 10.)
    assert pooled.shape == (2, 3)
    assert torch.equal(pooled, torch.full((2, 3), value))


def test_log_sum_exp_does_not_overflow():
    # One cell of four at 1000, the others nothing beside it: 1000 - log(4) / 10.
    cells = as_map(1000., -1000., 0., 999.).requires_grad_()
    pooled = log_sum_exp_pool(cells, 10.)
    pooled.sum().backward()
    assert pooled.item() == pytest.approx(1000 - math.log(4) / 10, abs=1e-4)
    # Its gradient is the softmax of r x: exp(-10) for the cell one below.
    assert cells.grad.flatten().tolist() == pytest.approx([1, 0, 0, math.exp(-10)], rel=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=20),
       st.sampled_from([0.1, 1., 10.]))
def test_log_sum_exp_lies_between_mean_and_maximum(values, sharpness):
    cells = as_map(*values)
    pooled = log_sum_exp_pool(cells, sharpness).item()
    assert cells.mean().item() - 1e-3 <= pooled <= cells.max().item() + 1e-3


def test_log_sum_exp_reaches_mean_and_maximum():
    generator = torch.Generator().manual_seed(0)
    cells = torch.rand(2, 3, 6, 6, generator=generator).double()
    torch.testing.assert_close(log_sum_exp_pool(cells, 1e-6), cells.mean(dim=(2, 3)), rtol=0,
                               atol=1e-6)
    torch.testing.assert_close(log_sum_exp_pool(cells, 1e5), cells.amax(dim=(2, 3)), rtol=0,
                               atol=1e-4)


def test_pooled_probability_by_hand():
    # Sigmoids 1/4 and 3/4, r = 4: p = log((e + e^3) / 2) / 4.
    logits = as_map(-math.log(3), math.log(3))
    probability = math.log((math.e + math.e ** 3) / 2) / 4
    assert pooled_probability_logits(logits, 4.).sigmoid().item() == pytest.approx(
        probability, rel=1e-6)


@pytest.mark.parametrize('sharpness', [0.5, 10., 100.])
def test_pooled_probability_is_the_log_sum_exp_of_the_sigmoid(sharpness):
    generator = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(4, 2, 8, 8, generator=generator)
    probability = log_sum_exp_pool(logits.double().sigmoid(), sharpness)
    torch.testing.assert_close(pooled_probability_logits(logits, sharpness),
                               torch.logit(probability).float(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('value', [-100., -30., 30., 100.])
@pytest.mark.parametrize('label', [0., 1.])
def test_pooled_probability_of_saturated_maps(value, label):
    """All cells alike: p is their sigmoid, the logit comes back, and the gradient is finite."""
    logits = torch.full((1, 1, 4, 4), value, requires_grad=True)
    pooled = pooled_probability_logits(logits, 10.)
    assert pooled.item() == pytest.approx(value, rel=1e-5)
    F.binary_cross_entropy_with_logits(pooled, torch.full((1, 1), label)).backward()
    # dL/dp of the logit is sigmoid - label, shared by the 16 cells.
    assert logits.grad.sum().item() == pytest.approx(
        1 / (1 + math.exp(-value)) - label, abs=1e-4)


@pytest.mark.parametrize('sharpness', [1., 10., 37., 50., 100.])
@pytest.mark.parametrize('start', [-40., -6., 0., 6., 40.])
def test_pooled_probability_of_any_sharpness_against_decimal_arithmetic(sharpness, start):
    cells = torch.linspace(start - 3, start + 3, 7, dtype=torch.float64)
    with localcontext() as context:
        context.prec = 60
        scores = [1 / (1 + (-Decimal(cell)).exp()) for cell in cells.tolist()]
        mean = sum((Decimal(sharpness) * score).exp() for score in scores) / len(scores)
        pooled = mean.ln() / Decimal(sharpness)
        expected = float((pooled / (1 - pooled)).ln())
    logits = cells.reshape(1, 1, 1, -1).requires_grad_()
    found = pooled_probability_logits(logits, sharpness)
    assert found.item() == pytest.approx(expected, rel=1e-9, abs=1e-9)
    F.binary_cross_entropy_with_logits(found, torch.zeros_like(found)).backward()
    # The loss rises with each cell, and its gradient is that of finite differences.
    assert (logits.grad > 0).all()
    step = torch.zeros_like(logits)
    step[..., 3] = 1e-4
    with torch.no_grad():
        low, high = (F.softplus(pooled_probability_logits(logits + sign * step, sharpness)).item()
                     for sign in (-1, 1))
    assert logits.grad[0, 0, 0, 3].item() == pytest.approx((high - low) / 2e-4, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize('sharpness', [0, -1., 101, True, 'ten', None, float('nan')])
def test_a_sharpness_that_cannot_be_meant(sharpness):
    with pytest.raises(ValueError, match='sharpness is'):
        check_sharpness(sharpness)


def test_bounded_scores_by_hand():
    # 1/2 + z / 2(1 + |z|): -1 -> 1/4, 0 -> 1/2, 1 -> 3/4, 3 -> 7/8
    assert bounded_scores(torch.tensor([-1., 0., 1., 3.])).tolist() == [0.25, 0.5, 0.75, 0.875]


def test_bounded_scores_have_no_ties_where_a_sigmoid_has():
    logits = torch.arange(-100., 100., 0.5)
    scores = bounded_scores(logits)
    assert (scores.diff() > 0).all() and scores.min() > 0 and scores.max() < 1
    assert not (logits.sigmoid().diff() > 0).all()


@pytest.mark.parametrize('start', [-1e6, -3., 0.1, 3., 300., 1e6])
def test_bounded_scores_rise_from_each_float32_to_the_next(start):
    # Neighbours in float32 are 2 ** -24 to 2 ** -23 of their size apart.
    bits = np.float32(abs(start)).view(np.int32) + np.arange(20000, dtype=np.int32)
    logits = torch.from_numpy(np.sign(start).astype(np.float32) * bits.view(np.float32))
    scores = bounded_scores(logits)
    assert scores.dtype == torch.float64
    assert (scores.diff() * (1 if start > 0 else -1) > 0).all()
