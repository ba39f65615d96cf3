"""The window for the maximum, against numbers by hand and an implementation with loops."""
import math

import pytest
import torch

from mmwindow.models.losses import MaximumWindowLoss, maximum_window_loss, window_loss
from mmwindow.models.losses.maximum_window_loss import cells_of_points, soft_maximum
from mmwindow.structures.bounds import point_bounds

STRIDE = 4
NO_POINTS, NO_LABELS = torch.zeros(0, 2), torch.zeros(0, dtype=torch.long)


def softplus(value):
    return math.log1p(math.exp(value))


def bounds(points, labels, num_classes, side=8, radius=9.):
    return point_bounds(points, labels, num_classes, side, side, STRIDE, radius / 2, radius, 0.).upper


def literal_loss(logits, points, labels, radius, temperature):
    """Return the loss by loops over images, classes, points and cells, in float64."""
    images, near = [], []
    for image, (places, classes) in enumerate(zip(points, labels, strict=True)):
        for index, cells in enumerate(logits[image].double()):
            own = [place for place, label in zip(places, classes, strict=True) if label == index]
            beyond, by_point = [], {}
            for row in range(cells.shape[0]):
                for column in range(cells.shape[1]):
                    centre = ((column + 0.5) * STRIDE, (row + 0.5) * STRIDE)
                    distances = [math.dist(centre, place.tolist()) for place in own]
                    if not own or min(distances) > radius:
                        beyond.append(cells[row, column].item())
                    else:
                        nearest = distances.index(min(distances))
                        by_point.setdefault(nearest, []).append(cells[row, column].item())
            images.append(softplus(temperature * math.log(sum(
                math.exp(value / temperature) for value in beyond))) if beyond else 0.)
            near += [softplus(-temperature * math.log(sum(math.exp(value / temperature)
                                                          for value in values)))
                     for values in by_point.values()]
    return sum(images) / len(images) + (sum(near) / len(near) if near else 0.)


# Negative images first.

def test_a_negative_image_costs_its_maximum():
    logits = torch.full((1, 1, 2, 2), -40.)
    logits[0, 0, 1, 0] = 2.
    loss = maximum_window_loss(logits, torch.zeros_like(logits), [NO_POINTS], [NO_LABELS], STRIDE)
    assert loss.item() == pytest.approx(softplus(2.))


def test_the_blob_of_a_negative_image_has_nearly_all_of_its_gradient():
    """16 cells of p = .6 among 9200 of p = .01: a tenth of the paper's gradient, most of these."""
    logits = torch.full((1, 1, 96, 96), math.log(.01 / .99))
    logits[0, 0, 40:44, 40:44] = math.log(.6 / .4)
    upper = torch.zeros_like(logits)
    shares = []
    for loss in (lambda z: window_loss(z, upper, upper),
                 lambda z: maximum_window_loss(z, upper, [NO_POINTS], [NO_LABELS], STRIDE),
                 lambda z: window_loss(z, upper, upper, focus=1.)):
        z = logits.clone().requires_grad_()
        loss(z).backward()
        shares.append((z.grad[0, 0, 40:44, 40:44].sum() / z.grad.sum()).item())
    # 16 x .6 of 16 x .6 + 9200 x .01
    assert shares[0] == pytest.approx(9.6 / (9.6 + 92), rel=1e-3)
    # odds^2 of T = .5: 16 x 2.25 of 36 + 9200 x (1/99)^2
    assert shares[1] == pytest.approx(36 / (36 + 9200 / 99 ** 2), rel=1e-3)
    # d/dz of -p log(1 - p) is p (p - (1 - p) log(1 - p))
    share = [p * (p - (1 - p) * math.log(1 - p)) * count for p, count in ((.6, 16), (.01, 9200))]
    assert shares[2] == pytest.approx(share[0] / sum(share), rel=1e-4)  # .835


def test_each_point_weighs_alike_and_where_its_maximum_lies_is_free():
    points, labels = torch.tensor([[6., 6.], [26., 26.]]), torch.tensor([0, 0])
    upper = bounds(points, labels, 1)[None]
    logits = torch.full((1, 1, 8, 8), -40.)
    logits[0, 0, 1, 1] = 3.                       # at the first point; nothing at the second
    moved = torch.full((1, 1, 8, 8), -40.)
    moved[0, 0, 2, 2] = 3.                        # 5.7 pixels from it
    costs = [maximum_window_loss(z, upper, [points], [labels], STRIDE).item()
             for z in (logits, moved)]
    missed = 40 - 0.5 * math.log(upper[0, 0, 4:, 4:].sum().item())
    assert costs[0] == pytest.approx((softplus(-3.) + missed) / 2, rel=1e-5)
    assert costs[1] == pytest.approx(costs[0], rel=1e-6)


@pytest.mark.parametrize('seed', range(5))
def test_equals_loops_over_images_classes_points_and_cells(seed):
    generator = torch.Generator().manual_seed(seed)
    counts = (0, 1, 3)
    points = [torch.rand(count, 2, generator=generator) * 40 - 4 for count in counts]
    labels = [torch.randint(0, 2, (count, ), generator=generator) for count in counts]
    logits = torch.randn(3, 2, 8, 8, generator=generator) * 3
    upper = torch.stack([bounds(*pair, 2) for pair in zip(points, labels, strict=True)])
    loss = maximum_window_loss(logits, upper, points, labels, STRIDE, 0.7)
    assert loss.item() == pytest.approx(literal_loss(logits, points, labels, 9., 0.7), rel=1e-5)


def test_an_image_that_its_points_cover_costs_nothing_beyond_them():
    logits = torch.full((1, 1, 2, 2), 5., requires_grad=True)
    loss = maximum_window_loss(logits, torch.ones(1, 1, 2, 2), [torch.tensor([[4., 4.]])],
                               [torch.tensor([0])], STRIDE)
    loss.backward()
    assert loss.item() == pytest.approx(softplus(-5 - .5 * math.log(4)), rel=1e-5)
    assert torch.isfinite(logits.grad).all() and (logits.grad < 0).all()


def test_a_point_outside_the_frame_is_no_target():
    points, labels = torch.tensor([[-50., 4.]]), torch.tensor([0])
    logits = torch.zeros(1, 1, 2, 2)
    loss = maximum_window_loss(logits, bounds(points, labels, 1, 2)[None], [points], [labels], STRIDE)
    assert loss.item() == pytest.approx(softplus(.5 * math.log(4)), rel=1e-5)
    assert cells_of_points(NO_POINTS, torch.ones(2, 2, dtype=torch.bool), STRIDE) == []


def test_soft_maximum_lies_between_the_maximum_and_the_sum():
    values = torch.tensor([-1., 2., .5])
    assert 2 < soft_maximum(values, .5).item() < 2 + .5 * math.log(3)
    assert soft_maximum(values, 1e-3).item() == pytest.approx(2.)
    assert soft_maximum(values[:0], .5).item() == -math.inf


def test_bad_settings_and_shapes_are_named():
    with pytest.raises(ValueError, match='temperature is 0'):
        MaximumWindowLoss(temperature=0)
    with pytest.raises(ValueError, match=r'MaximumWindowLoss: logits \(1, 1, 2, 2\)'):
        maximum_window_loss(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), [], [], STRIDE)
    assert MaximumWindowLoss(2., .25)(
        torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), [NO_POINTS], [NO_LABELS], STRIDE
    ).item() == pytest.approx(2 * math.log(2))
