"""Polygons of a COCO annotation: read with named errors, and points drawn inside them.

``cv2`` is imported where it draws: reading points needs numpy alone.
"""
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwindow.annotations.checks import ImageId, is_finite
from mmwindow.utils.frame import FRAME_SIDE
from mmwindow.utils.messages import quote, shorten

Polygon = NDArray[np.float64]
LENGTH_PER_POINT = 150.
MAX_POINTS = 4
MAX_MASK_CELLS = 2 ** 30


class PolygonMask(NamedTuple):
    """Polygons as pixels.

    Attributes:
        mask: ``(h, w)`` uint8, 1 inside.
        corner: ``(2,)``, x and y of the mask's top left corner in image pixels.
    """

    mask: NDArray[np.uint8]
    corner: NDArray[np.float64]


def read_polygons(segmentation: object, where: str) -> list[Polygon]:
    """Return the polygons of one annotation.

    Args:
        segmentation: COCO's: a list of ``[x1, y1, x2, y2, ...]``, in pixels of the image.
        where: Names the annotation in messages.

    Returns:
        One array ``(N, 2)`` per polygon, x and y in pixels, N at least 3.

    Raises:
        ValueError: It is a run-length mask, or a polygon is no flat list of at least three pairs of
            finite numbers; the message says which.
    """
    expected = 'polygons are expected, a list of [x1, y1, x2, y2, ...]'
    if isinstance(segmentation, dict):
        raise ValueError(f'{where} has a run-length mask (RLE) as segmentation; {expected}, '
                         'or a bbox')
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError(f'{where} has the segmentation {quote(segmentation)}; {expected}')
    polygons = []
    for number, part in enumerate(segmentation):
        what = f'{where}: polygon {number} of its segmentation'
        if not isinstance(part, list):
            raise ValueError(f'{what} is {quote(part)}, no list; {expected}')
        if any(isinstance(value, list) for value in part):
            raise ValueError(f'{what} is nested too deep, {shorten(part)}; {expected}')
        if not all(map(is_finite, part)):
            raise ValueError(f'{what} is {shorten(part)}, not all of it finite numbers; {expected}')
        if len(part) % 2:
            raise ValueError(f'{what} has an odd number of coordinates ({len(part)}); x and y are '
                             'expected for each corner')
        if len(part) < 6:
            raise ValueError(f'{what} has {len(part) // 2} corners, fewer than three; fix it or take '
                             'it out')
        polygons.append(np.array(part, dtype=np.float64).reshape(-1, 2))
    return polygons


def polygon_mask(polygons: Sequence[Polygon], oversampling: int = 4) -> PolygonMask:
    """Return a mask of polygons at a multiple of the image's resolution, and its corner.

    Args:
        polygons: ``(N, 2)`` each, x and y in image pixels.
        oversampling: Mask pixels along one image pixel.

    Raises:
        ValueError: The polygons span more pixels than a mask can have.
    """
    import cv2

    vertices = np.concatenate(polygons)
    corner = np.floor(vertices.min(axis=0)) - 1
    size = np.ceil(vertices.max(axis=0) - corner) + 2
    if size.prod() * oversampling ** 2 > MAX_MASK_CELLS:
        raise ValueError(f'the polygons span {size[0]:g} x {size[1]:g} pixels, too many for a mask')
    shape = (int(size[1]) * oversampling, int(size[0]) * oversampling)
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round((polygon - corner) * oversampling - 0.5).astype(np.int32)
                        for polygon in polygons], [1])
    return PolygonMask(mask, corner)


def main_axis(scatter: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unit vector along which a cloud of places is longest.

    Its sign decides which stretch is drawn from first, and is fixed here: libraries of linear
    algebra may return either. y is positive for a cloud that is clearly upright, else x is negative:
    FracAtlas' points were drawn with these signs.

    Args:
        scatter: ``(2, 2)``, sums of the products of centred x and y.

    Returns:
        ``(2,)``, x and y.

    Example:
        >>> main_axis(np.array([[4., 0.], [0., 1.]])).tolist()
        [-1.0, 0.0]
    """
    axis: NDArray[np.float64] = np.linalg.svd(scatter)[0][:, 0]
    (xx, xy), (_, yy) = scatter
    is_upright = xx * (yy - xx) > 2 * xy ** 2 or xx == 0
    leading = axis[1] if is_upright else -axis[0]
    return (-axis if leading < 0 else axis) + 0.  # no -0.


def draw_points(polygons: Sequence[Polygon], generator: np.random.Generator, frame_scale: float,
                length_per_point: float = LENGTH_PER_POINT, oversampling: int = 4
                ) -> NDArray[np.float64]:
    """Draw the points of one finding, inside its polygons and mostly near their middle.

    A place is drawn with a probability that grows with the square of its distance from
    the outline. A long finding gets several, one in each of as many stretches along
    its main axis.

    Args:
        polygons: ``(N, 2)`` each, x and y in image pixels.
        generator: Source of randomness.
        frame_scale: Frame pixels (side 1024) along an image pixel.
        length_per_point: A finding gets one point for every started stretch of this length, in
            frame pixels, at most four.
        oversampling: Resolution of the mask, per image pixel.

    Returns:
        ``(K, 2)``, x and y in image pixels, K from 1 to 4.
    """
    import cv2

    mask, corner = polygon_mask(polygons, oversampling)
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    rows, columns = np.nonzero(mask)
    places = np.stack([columns, rows], axis=1) / oversampling + 0.5 / oversampling + corner
    weights = depth[rows, columns].astype(np.float64) ** 2
    centred = places - places.mean(axis=0)
    along = centred @ main_axis(centred.T @ centred)
    length = (along.max() - along.min()) * frame_scale
    num_points = int(np.clip(np.ceil(length / length_per_point), 1, MAX_POINTS))
    edges = np.linspace(along.min(), along.max(), num_points + 1)
    stretch = np.clip(np.searchsorted(edges, along, side='right') - 1, 0, num_points - 1)
    points = []
    for number in range(num_points):
        candidates = np.nonzero(stretch == number)[0]
        if len(candidates) == 0:
            continue
        probability = weights[candidates] / weights[candidates].sum()
        points.append(places[generator.choice(candidates, p=probability)])
    return np.stack(points)


def annotation_generator(seed: int, annotation_id: ImageId) -> np.random.Generator:
    """Return the random stream of one annotation: others neither move it nor are moved by it."""
    if isinstance(annotation_id, str) or annotation_id < 0:
        digest = hashlib.sha256(repr(annotation_id).encode('utf-8', 'backslashreplace')).digest()
        return np.random.default_rng([seed, *digest])
    return np.random.default_rng([seed, annotation_id])


def draw_annotation_points(polygons: Sequence[Polygon], annotation_id: ImageId,
                           size: tuple[int, int], where: str, seed: int = 0,
                           length_per_point: float = LENGTH_PER_POINT) -> list[tuple[float, float]]:
    """Draw the points of one annotation: the same for the same id, seed and polygons.

    Args:
        polygons: From :func:`read_polygons`.
        annotation_id: Seeds the drawing, with ``seed``.
        size: Height and width of the image in pixels.
        where: Names the annotation in messages.
        seed: Of all drawings.
        length_per_point: See :func:`draw_points`.

    Returns:
        x and y in image pixels, inside the image, to a hundredth of a pixel.

    Raises:
        ValueError: A corner lies more than a pixel outside the image.
    """
    height, width = size
    corners = np.concatenate(polygons)
    if (corners < -1).any() or (corners > (width + 1, height + 1)).any():
        raise ValueError(f'{where}: its polygons span {corners.min(axis=0)} to '
                         f'{corners.max(axis=0)}, outside its {width} x {height} pixels (width x '
                         'height); are they of another scale?')
    points = draw_points(polygons, annotation_generator(seed, annotation_id),
                         FRAME_SIDE / max(height, width), length_per_point)
    return [(round(float(np.clip(x, 0, width)), 2), round(float(np.clip(y, 0, height)), 2))
            for x, y in points]
