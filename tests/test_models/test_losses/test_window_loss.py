"""The Window Loss against numbers worked out by hand and against the paper's literal formulas."""
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmwindow.models.losses import WindowLoss, window_loss
from mmwindow.models.losses.window_loss import kullback_leibler, squared_error
from mmwindow.structures.bounds import point_bounds

DIVERGENCES = ('kld', 'mse')


def cells(*values):
    """Return values as one row of cells ``(1, 1, 1, N)``."""
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, -1)


def literal_window_loss(logits, lower, upper, divergence):
    """Return the paper's eq. 3 to 5 per cell, word for word, in float64 with logarithms."""
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))

    def distance(y):
        if divergence == 'mse':
            return (p - y) ** 2
        with np.errstate(divide='ignore', invalid='ignore'):
            first = np.where(y > 0, y * np.log(y / p), 0)
            second = np.where(y < 1, (1 - y) * np.log((1 - y) / (1 - p)), 0)
        return first + second

    return np.where(p <= lower, distance(lower), np.where(p <= upper, 0, distance(upper)))


def random_case(seed=0, shape=(3, 2, 5, 7)):
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 4, shape)
    bounds = np.sort(generator.uniform(0, 1, (2, *shape)), axis=0)
    hard = generator.uniform(0, 1, shape)
    lower = np.where(hard < 0.2, 0, bounds[0])
    upper = np.where((hard > 0.1) & (hard < 0.3), lower, bounds[1])
    upper = np.where(hard > 0.9, 1, upper)
    return logits, lower, upper


# Normals first: both bounds 0 everywhere.

@pytest.mark.parametrize('logit, kld, mse', [
    (0., math.log(2), 0.25),                      # p = 1/2: -log(1 - p), p^2
    (math.log(3), math.log(4), 0.5625),           # p = 3/4
    (-math.log(99), -math.log(0.99), 1e-4),       # p = 1/100
])
def test_normal_costs_what_a_plain_negative_costs(logit, kld, mse):
    logits, zeros = torch.full((2, 1, 3, 4), logit), torch.zeros(2, 1, 3, 4)
    assert window_loss(logits, zeros, zeros, 'kld').item() == pytest.approx(kld, rel=1e-5)
    assert window_loss(logits, zeros, zeros, 'mse').item() == pytest.approx(mse, rel=1e-5)


def test_a_normal_that_scores_nothing_is_free_and_still_gives_a_gradient():
    logits = torch.full((1, 1, 2, 2), -30., requires_grad=True)
    zeros = torch.zeros(1, 1, 2, 2)
    loss = window_loss(logits, zeros, zeros)
    loss.backward()
    assert loss.item() == pytest.approx(math.exp(-30), rel=1e-3)
    assert (logits.grad > 0).all()


@pytest.mark.parametrize('logit, lower, upper, kld, mse', [
    # .9 ln(.9/.5) + .1 ln(.1/.5), (.9 - .5)^2
    (0., 0.9, 1.0, 0.3680642071684971, 0.16),
    (0., 0.0, 0.1, 0.3680642071684971, 0.16),
    # .25 ln(.25/.75) + .75 ln(.75/.25) = .5 ln 3, (.75 - .25)^2
    (math.log(3), 0.1, 0.25, 0.5493061443340549, 0.25),
    # hard bounds: -ln p and -ln(1 - p); the entropy terms are 0, not NaN
    (0., 1.0, 1.0, 0.6931471805599453, 0.25),
    (math.log(3), 0.0, 0.0, 1.3862943611198906, 0.5625),
    # inside the window, and on its edges
    (0., 0.2, 0.8, 0., 0.),
    (0., 0.5, 0.8, 0., 0.),
    (0., 0.2, 0.5, 0., 0.),
    (50., 0.2, 1.0, 0., 0.),
])
def test_golden_values_of_one_cell(logit, lower, upper, kld, mse):
    arguments = cells(logit), cells(lower), cells(upper)
    assert window_loss(*arguments, 'kld').item() == pytest.approx(kld, abs=1e-6)
    assert window_loss(*arguments, 'mse').item() == pytest.approx(mse, abs=1e-6)


def test_mean_is_over_cells_classes_and_batch():
    logits = torch.zeros(2, 3, 1, 2)
    lower, upper = torch.zeros(2, 3, 1, 2), torch.ones(2, 3, 1, 2)
    lower[0, 0, 0, 0] = 1.0                       # one cell of twelve costs ln 2
    assert window_loss(logits, lower, upper).item() == pytest.approx(math.log(2) / 12, rel=1e-6)


@pytest.mark.parametrize('divergence', DIVERGENCES)
def test_equals_the_literal_formulas(divergence):
    logits, lower, upper = random_case()
    expected = literal_window_loss(logits, lower, upper, divergence).mean()
    loss = window_loss(*(torch.tensor(value, dtype=torch.float32)
                         for value in (logits, lower, upper)), divergence)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_kld_equals_torch_kl_div():
    logits, bound, _ = random_case(seed=1)
    z, y = torch.tensor(logits), torch.tensor(bound)
    log_p = torch.stack([F.logsigmoid(z), F.logsigmoid(-z)])
    expected = F.kl_div(log_p, torch.stack([y, 1 - y]), reduction='none').sum(dim=0)
    torch.testing.assert_close(kullback_leibler(y, z), expected)


@pytest.mark.parametrize('divergence', DIVERGENCES)
def test_gradient_equals_finite_differences(divergence):
    logits, lower, upper = random_case(seed=2, shape=(1, 2, 4, 6))
    step = 1e-5
    change = (literal_window_loss(logits + step, lower, upper, divergence)
              - literal_window_loss(logits - step, lower, upper, divergence)) / (2 * step)
    z = torch.tensor(logits, dtype=torch.float32, requires_grad=True)
    window_loss(z, torch.tensor(lower), torch.tensor(upper), divergence).backward()
    np.testing.assert_allclose(z.grad.numpy(), change / logits.size, atol=2e-7, rtol=1e-4)


@pytest.mark.parametrize('function', [kullback_leibler, squared_error])
def test_divergences_pass_gradcheck_in_float64(function):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    bound = torch.rand(4, 5, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z: function(bound, z), (logits,))


@pytest.mark.parametrize('divergence', DIVERGENCES)
def test_gradient_is_exactly_zero_inside_the_window(divergence):
    z = cells(-3., -1., 0., 1., 3.).requires_grad_()
    window_loss(z, cells(.2, .2, .2, .2, .2), cells(.8, .8, .8, .8, .8), divergence).backward()
    assert (z.grad != 0).flatten().tolist() == [True, False, False, False, True]
    assert z.grad[0, 0, 0, 0] < 0 < z.grad[0, 0, 0, 4]


@pytest.mark.parametrize('divergence', DIVERGENCES)
@pytest.mark.parametrize('radius', [5, 50])
def test_hard_equal_radii_are_a_plain_disk_mask(divergence, radius):
    # Tables 2 and 3, row (0, 50, 50).
    points = torch.tensor([[30.3, 70.8], [121., 20.]])
    bounds = point_bounds(points, torch.zeros(2, dtype=torch.long), 1, 32, 32, 4,
                          radius, radius, 0)
    y, x = (np.mgrid[:32, :32] + 0.5) * 4
    mask = torch.tensor(np.minimum(np.hypot(x - 30.3, y - 70.8), np.hypot(x - 121, y - 20))
                        <= radius, dtype=torch.float32)[None, None]
    assert 0 < mask.sum() < mask.numel()
    logits = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(3)) * 3
    loss = window_loss(logits, bounds.lower[None], bounds.upper[None], divergence)
    expected = (F.binary_cross_entropy_with_logits(logits, mask) if divergence == 'kld'
                else F.mse_loss(logits.sigmoid(), mask))
    # Two float32 formulas, each the mean of 1024 cells in an order that the vector width decides.
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-7)


EXTREMES = cells(-100., -100., 100., 100., -20., 20., 0.)
EXTREME_LOWER = cells(1., .5, 0., .2, .9, 0., 1.)
EXTREME_UPPER = cells(1., .9, 0., .7, 1., 0., 1.)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize('divergence', DIVERGENCES)
def test_extreme_logits_under_autocast(divergence, dtype):
    z = EXTREMES.to(dtype, copy=True).requires_grad_()
    low = dtype != torch.float32
    with torch.autocast('cpu', dtype=dtype if low else torch.bfloat16, enabled=low):
        loss = window_loss(z, EXTREME_LOWER, EXTREME_UPPER, divergence)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(z.grad).all()
    if divergence == 'mse':
        # (p - y)^2: 1, .25, 1, .09, .81, 1, .25
        assert loss.item() == pytest.approx(4.4 / 7, rel=1e-5)
    else:
        # The cross entropy is y * 100 or (1 - y) * 100 (or 20) where p is as good as 0 or 1.
        entropies = [0, .5 * math.log(.5) * 2, 0, .7 * math.log(.7) + .3 * math.log(.3),
                     .9 * math.log(.9) + .1 * math.log(.1), 0, 0]
        crosses = [100, 50, 100, 30, 18, 20, math.log(2)]
        assert loss.item() == pytest.approx(sum(entropies + crosses) / 7, rel=1e-5)
        # d/dz = p - y, over 7 cells
        torch.testing.assert_close(
            z.grad.float(), cells(-1., -.5, 1., .3, -.9, 1., -.5) / 7,
            rtol=1e-2 if low else 1e-5, atol=1e-6)


def test_kld_of_a_hopeless_cell_is_its_logit():
    # -log(sigmoid(-100)) = 100 to float32's last digit, where log(p + eps) would saturate.
    assert window_loss(cells(-100.), cells(1.), cells(1.)).item() == pytest.approx(100, rel=1e-6)
    assert window_loss(cells(100.), cells(0.), cells(0.)).item() == pytest.approx(100, rel=1e-6)


@pytest.mark.parametrize('divergence', DIVERGENCES)
def test_a_diverged_model_shows(divergence):
    loss = window_loss(cells(float('nan'), 0.), cells(0., 0.), cells(1., 1.), divergence)
    assert math.isnan(loss.item())


def test_inputs_are_left_alone():
    logits, lower, upper = (torch.tensor(value, dtype=torch.float32) for value in random_case())
    copies = logits.clone(), lower.clone(), upper.clone()
    window_loss(logits, lower, upper)
    for value, copy in zip((logits, lower, upper), copies, strict=True):
        assert torch.equal(value, copy)


@pytest.mark.parametrize('shapes', [
    ((2, 1, 4, 4), (2, 1, 4, 5), (2, 1, 4, 5)),
    ((2, 1, 4, 4), (2, 1, 4, 4), (2, 2, 4, 4)),
    ((2, 3, 4, 4), (2, 1, 4, 4), (2, 1, 4, 4)),   # would broadcast over classes silently
    ((2, 1, 4, 4), (1, 4, 4), (1, 4, 4)),
])
def test_shapes_that_disagree_are_all_printed(shapes):
    with pytest.raises(ValueError) as caught:
        window_loss(*(torch.zeros(shape) for shape in shapes))
    for shape in shapes:
        assert str(shape) in str(caught.value)
    assert 'PointToBoundTransform' in str(caught.value)


def test_module_weighs_and_refuses():
    logits, lower, upper = (torch.tensor(value, dtype=torch.float32) for value in random_case())
    module = WindowLoss('mse', loss_weight=2.5)
    torch.testing.assert_close(module(logits, lower, upper),
                               2.5 * window_loss(logits, lower, upper, 'mse'))
    assert "divergence='mse', loss_weight=2.5" in repr(module)
    with pytest.raises(ValueError, match="'kl'; it must be 'kld' or 'mse'"):
        WindowLoss('kl')
    with pytest.raises(ValueError, match="'bce'; it must be 'kld' or 'mse'"):
        window_loss(logits, lower, upper, 'bce')


# The focus, which is no part of the paper.

def test_focus_weighs_each_cell_by_its_error():
    logits = cells(0., math.log(3), 0.)           # p = 1/2, 3/4, 1/2
    lower, upper = cells(0., 0., .4), cells(0., 0., .6)
    expected = (math.log(2) * .5 ** 2 + math.log(4) * .75 ** 2 + 0) / 3
    assert window_loss(logits, lower, upper, focus=2).item() == pytest.approx(expected, rel=1e-5)
    assert WindowLoss(focus=2)(logits, lower, upper).item() == pytest.approx(expected, rel=1e-5)
    assert window_loss(logits, lower, upper, 'mse', focus=1).item() == pytest.approx(
        (.5 ** 3 + .75 ** 3) / 3, rel=1e-5)


@pytest.mark.parametrize('focus', [.5, 1, 2])
def test_focus_has_finite_gradients_everywhere_and_none_inside(focus):
    logits = cells(-100., 0., 100., 0.).requires_grad_()
    window_loss(logits, cells(0., .5, 1., .2), cells(0., .5, 1., .8), focus=focus).backward()
    assert torch.isfinite(logits.grad).all() and logits.grad[..., 3].item() == 0


@pytest.mark.parametrize('focus', [-1, math.nan, math.inf, 'two', True])
def test_a_focus_that_is_no_exponent_is_named(focus):
    with pytest.raises(ValueError, match='focus is'):
        WindowLoss(focus=focus)
