"""From points to bounds on the confidence: the paper's eq. 1 and 2.

Coordinates are continuous pixels of the frame the network sees: the centre of the cell in row i and
column j of a level of stride s lies at ``((j + 0.5) s, (i + 0.5) s)``. Lengths are pixels of the same
frame; :func:`scale_length` brings them from the frame of side 1024 in which configs give them.
"""
import math
from dataclasses import dataclass

import torch

from mmwindow.utils.frame import FRAME_SIDE


@dataclass(frozen=True)
class Bounds:
    """The lowest and highest confidence of each cell that costs nothing.

    Attributes:
        lower: ``(C, H, W)`` float32 in [0, 1]; a confidence below it is an error.
        upper: ``(C, H, W)`` float32 in [0, 1]; a confidence above it is an error.
    """

    lower: torch.Tensor
    upper: torch.Tensor


def scale_length(length: float, input_side: float) -> float:
    """Return a length in pixels of the network's frame, given one in 1024-frame pixels."""
    return length * input_side / FRAME_SIDE


def check_window(lower_radius: float, upper_radius: float, softness: float) -> None:
    """Check a window's three lengths before anything is computed with them.

    Args:
        lower_radius: Radius of the lower bound; within it the confidence is to be high.
        upper_radius: Radius of the upper bound; outside it the confidence is to be low.
        softness: tau, the width of the slope; 0 is the hard step.

    Raises:
        ValueError: A value is no finite number or is negative, or ``lower_radius`` is the larger one.
    """
    values = dict(lower_radius=lower_radius, upper_radius=upper_radius, softness=softness)
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f'window: {name} is {value!r}; a number (1024-frame pixels) is needed')
        if not math.isfinite(value) or value < 0:
            raise ValueError(f'window: {name} is {value}; it must be finite and not negative '
                             '(softness 0 is the hard step)')
    if lower_radius > upper_radius:
        raise ValueError(
            f'window: lower_radius {lower_radius} is larger than upper_radius {upper_radius}: no '
            'confidence can satisfy both bounds; exchange them or make them equal')


def distance_to_nearest(points: torch.Tensor, num_rows: int, num_columns: int,
                        stride: float) -> torch.Tensor:
    """Return the distance of each cell's centre to the nearest point.

    Args:
        points: ``(N, 2)``, x and y in frame pixels; N may be 0, and points may lie outside the frame.
        num_rows: Rows of the level.
        num_columns: Columns of the level.
        stride: Side of a cell in frame pixels.

    Returns:
        ``(num_rows, num_columns)`` float32, frame pixels; +inf without points.

    Raises:
        ValueError: The points are not ``(N, 2)`` or not finite, or the grid is empty.
    """
    if points.dim() != 2 or points.shape[1] != 2:
        raise ValueError(f'points have shape {tuple(points.shape)}; (N, 2) is expected, x and y')
    if not torch.isfinite(points).all():
        raise ValueError(f'points hold NaN or infinity: {str(points.tolist())[:200]}; fix the point '
                         'file or the transform before this one')
    if num_rows < 1 or num_columns < 1 or stride <= 0:
        raise ValueError(f'a grid of {num_rows} x {num_columns} cells of side {stride} is empty; '
                         'all three must be positive')
    points = points.to(torch.float32)
    columns = (torch.arange(num_columns, dtype=torch.float32, device=points.device) + 0.5) * stride
    rows = (torch.arange(num_rows, dtype=torch.float32, device=points.device) + 0.5) * stride
    squared_x = (columns[None] - points[:, :1]).square_()
    squared_y = (rows[None] - points[:, 1:]).square_()
    nearest = points.new_full((num_rows, num_columns), torch.inf)
    # One point after the other: an image has few, and no (N, H, W) array is ever held.
    for from_x, from_y in zip(squared_x, squared_y, strict=True):
        torch.minimum(nearest, from_y[:, None] + from_x[None], out=nearest)
    return nearest.sqrt_()


def bounds_from_distance(distance: torch.Tensor, radius: float, softness: float) -> torch.Tensor:
    """Return one bound from the distance to the nearest point (paper, eq. 1 or 2).

    ``max_k sigmoid((r - D_k) / tau) = sigmoid((r - min_k D_k) / tau)``, so the nearest point is all
    that counts. Assumption (docs/method.md, section 3): a softness of 0 is the hard step, and a cell
    exactly at the radius belongs to the disk.

    Args:
        distance: Any shape, frame pixels; +inf gives 0.
        radius: Frame pixels.
        softness: tau, frame pixels.

    Returns:
        The shape of ``distance``, float32 in [0, 1].

    Raises:
        ValueError: radius or softness is negative.
    """
    if radius < 0 or softness < 0:
        raise ValueError(f'radius {radius} and softness {softness} must not be negative')
    if softness == 0:
        return (distance <= radius).to(torch.float32)
    return torch.sigmoid((radius - distance.to(torch.float32)) / softness)  # eq. 1 and 2


def point_bounds(points: torch.Tensor, labels: torch.Tensor, num_classes: int, num_rows: int,
                 num_columns: int, stride: float, lower_radius: float, upper_radius: float,
                 softness: float) -> Bounds:
    """Return both bounds of one level, one pair of maps per class.

    They are evaluated at the level's own cell centres, never resized from a full map.
    Assumption (docs/method.md, section 3).

    Args:
        points: ``(N, 2)``, x and y in frame pixels.
        labels: ``(N,)`` integers, class of each point, 0 to ``num_classes - 1``.
        num_classes: C.
        num_rows: Rows of the level.
        num_columns: Columns of the level.
        stride: Side of a cell, frame pixels.
        lower_radius: Frame pixels.
        upper_radius: Frame pixels.
        softness: tau, frame pixels; 0 is the hard step.

    Returns:
        ``lower`` and ``upper``, each ``(C, num_rows, num_columns)``; 0 without points.

    Raises:
        ValueError: As :func:`check_window` and :func:`distance_to_nearest`; or labels and points
            disagree in number, or a label is out of range.

    Example:
        A point in the middle of the first of two cells of 8 pixels: the first cell lies inside both
        radii, the second (8 pixels away) only inside the upper one.

        >>> bounds = point_bounds(torch.tensor([[4., 4.]]), torch.tensor([0]), num_classes=1,
        ...                       num_rows=1, num_columns=2, stride=8, lower_radius=5,
        ...                       upper_radius=10, softness=0)
        >>> bounds.lower.tolist(), bounds.upper.tolist()
        ([[[1.0, 0.0]]], [[[1.0, 1.0]]])
    """
    check_window(lower_radius, upper_radius, softness)
    if len(labels) != len(points):
        raise ValueError(f'{len(points)} points came with {len(labels)} labels; each needs one')
    if len(labels) and not (0 <= int(labels.min()) and int(labels.max()) < num_classes):
        raise ValueError(f'labels {sorted(set(labels.tolist()))} came with {num_classes} classes; '
                         f'labels go from 0 to {num_classes - 1}')
    lower = torch.zeros(num_classes, num_rows, num_columns, device=points.device)
    upper = torch.zeros_like(lower)
    for label in set(labels.tolist()):
        distance = distance_to_nearest(points[labels == label], num_rows, num_columns, stride)
        lower[label] = bounds_from_distance(distance, lower_radius, softness)
        upper[label] = bounds_from_distance(distance, upper_radius, softness)
    return Bounds(lower=lower, upper=upper)
