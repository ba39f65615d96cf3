"""Heat maps, points, bounds and findings painted onto an image; OpenCV and numpy only."""
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike

from mmwindow.visualization.examples import cells_along

# RGB. Shapes differ too, so that nothing hangs on colour alone: the cross of a point that is found
# stands upright, the box of a finding that hits a point has solid lines.
COLOURS = dict(found=(0, 255, 140), missed=(255, 70, 255), finding=(255, 255, 255),
               false_positive=(90, 190, 255), lower=(0, 255, 140), upper=(255, 160, 60))
OUTLINE = (0, 0, 0)


def as_rgb(img: np.ndarray) -> np.ndarray:
    """Return a copy ``(H, W, 3)`` uint8 of a gray or RGB image.

    Raises:
        ValueError: The image is neither, or not uint8.
    """
    img = np.asarray(img)
    if img.dtype != np.uint8 or img.ndim not in (2, 3) or (img.ndim == 3 and img.shape[2] != 3):
        raise ValueError(f'the image is {img.dtype} of shape {img.shape}; uint8 of shape (H, W) or '
                         '(H, W, 3) is expected')
    return np.repeat(img[..., None], 3, axis=2) if img.ndim == 2 else img.copy()


def map_on_image(scores: np.ndarray, img_shape: tuple[int, ...]) -> np.ndarray:
    """Return a map of the frame at the pixels of the image, ``(H, W)`` float32.

    Args:
        scores: ``(h, w)`` in [0, 1], over the frame.
        img_shape: Height and width of the image, which lies at the top left of the frame and
            touches its right or lower edge.

    Raises:
        ValueError: The map has another number of axes, or holds something that is no score.
    """
    scores = np.asarray(scores, dtype=np.float32)
    if scores.ndim != 2 or not scores.size:
        raise ValueError(f'the map has shape {scores.shape}; (h, w) is expected, one class over the '
                         'padded frame')
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError(f'the map reaches from {scores.min()} to {scores.max()}; scores in '
                         '[0, 1] are expected (sigmoid applied)')
    height, width = img_shape[:2]
    cell = max(height, width) / cells_along(scores.shape, img_shape)
    size = [max(round(cells * cell), edge)
            for cells, edge in zip(scores.shape, (height, width), strict=True)]
    return cv2.resize(scores, size[::-1], interpolation=cv2.INTER_LINEAR)[:height, :width]


def blend(img: np.ndarray, heat: np.ndarray, opacity: float) -> np.ndarray:
    """Return RGB pixels with a map over them: the higher the score, the less shows through.

    The colours run from dark red to yellow, and a score of 0 leaves the image as it is.
    """
    levels = np.rint((0.35 + 0.6 * heat) * 255).astype(np.uint8)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1]
    weight = (opacity * heat)[..., None]
    return np.rint(img * (1 - weight) + colours * weight).astype(np.uint8)


def draw_marks(img: np.ndarray, lines: Sequence[Sequence[float]], colour: tuple[int, int, int],
               thickness: int) -> None:
    """Paint line segments ``(x1, y1, x2, y2)`` into ``img``, with a dark outline."""
    for width, paint in ((thickness + 2, OUTLINE), (thickness, colour)):
        for x1, y1, x2, y2 in np.rint(lines).astype(int).tolist():
            cv2.line(img, (x1, y1), (x2, y2), paint, width)


def point_lines(point: Sequence[float] | np.ndarray, size: float, diagonal: bool
                ) -> list[tuple[float, ...]]:
    """Return the two strokes of a cross, upright or diagonal."""
    x, y = point
    if diagonal:
        size = size * 0.75
        return [(x - size, y - size, x + size, y + size), (x - size, y + size, x + size, y - size)]
    return [(x - size, y, x + size, y), (x, y - size, x, y + size)]


def box_lines(box: Sequence[float] | np.ndarray, dash: float = 0.) -> list[tuple[float, ...]]:
    """Return the four sides of a box, in dashes of a length, or solid for 0."""
    x1, y1, x2, y2 = box
    sides: list[tuple[float, ...]] = [
        (x1, y1, x2, y1), (x2, y1, x2, y2), (x2, y2, x1, y2), (x1, y2, x1, y1)]
    if not dash:
        return sides
    lines: list[tuple[float, ...]] = []
    for x1, y1, x2, y2 in sides:
        num = max(1, round(max(abs(x2 - x1), abs(y2 - y1)) / dash / 2))
        at = np.arange(num)[:, None] + (0.25, 0.75)  # a dash in the middle of each part
        x, y = x1 + (x2 - x1) * at / num, y1 + (y2 - y1) * at / num
        lines += [(*ends[0], *ends[1]) for ends in np.stack([x, y], axis=2).tolist()]
    return lines


def draw_bounds(img: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Return an image with the contours of both bounds, where they are one half.

    Args:
        img: ``(H, W)`` or ``(H, W, 3)`` RGB, uint8: the frame.
        lower: ``(h, w)`` in [0, 1], over the same frame.
        upper: Likewise.
    """
    canvas = as_rgb(img)
    height, width = canvas.shape[:2]
    for name, bound in (('upper', upper), ('lower', lower)):
        inside = cv2.resize(np.asarray(bound, np.float32), (width, height)) >= 0.5
        contours, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_LIST,
                                       cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, contours, -1, COLOURS[name], line_thickness(canvas))
    return canvas


def line_thickness(img: np.ndarray) -> int:
    """Return the thickness of lines at the size of an image, pixels."""
    return max(1, round(max(img.shape[:2]) / 400))


def overlay_heatmap(img: np.ndarray, scores: np.ndarray | None = None,
                    points: ArrayLike | None = None, boxes: ArrayLike | None = None,
                    found: ArrayLike | None = None, is_hit: ArrayLike | None = None,
                    is_false_positive: ArrayLike | None = None, opacity: float = 0.65) -> np.ndarray:
    """Return an image with a heat map, points as small crosses and findings as boxes.

    Args:
        img: ``(H, W)`` or ``(H, W, 3)`` RGB, uint8; it is not changed.
        scores: ``(h, w)`` in [0, 1], over the frame.
        points: ``(N, 2)``, x and y in pixels of the image.
        boxes: ``(M, 4)``, x1, y1, x2, y2 in pixels of the image.
        found: ``(N,)`` bool; green upright crosses where true, magenta diagonal ones where false.
            All upright without it.
        is_hit: ``(M,)`` bool; solid lines where true, dashes where false. All solid without it.
        is_false_positive: ``(M,)`` bool; white boxes where false, blue ones where true. All white
            without it. A finding can be a hit and a false positive.
        opacity: Of a score of 1.

    Returns:
        ``(H, W, 3)`` RGB, uint8.

    Raises:
        ValueError: Image or map are not what is expected.
    """
    canvas = as_rgb(img)
    if scores is not None:
        canvas = blend(canvas, map_on_image(scores, canvas.shape), opacity)
    height, width = canvas.shape[:2]
    thickness = max(2, line_thickness(canvas))
    boxes = np.asarray([] if boxes is None else boxes, dtype=np.float64).reshape(-1, 4)
    is_hit = np.ones(len(boxes), bool) if is_hit is None else np.asarray(is_hit)
    is_false_positive = (np.zeros(len(boxes), bool) if is_false_positive is None
                         else np.asarray(is_false_positive))
    # Inside the image, so that a box along its edge keeps four visible sides.
    boxes = boxes.clip(0, np.array([width, height, width, height]) - 1.)
    for box, hits, is_false in zip(boxes, is_hit, is_false_positive, strict=True):
        draw_marks(canvas, box_lines(box, 0 if hits else 3 * thickness),
                   COLOURS['false_positive' if is_false else 'finding'], thickness)
    points = np.asarray([] if points is None else points, dtype=np.float64).reshape(-1, 2)
    found = np.ones(len(points), bool) if found is None else np.asarray(found)
    size = max(5., max(height, width) / 50)
    for point, is_found in zip(points, found, strict=True):
        # The pixel that holds the point, as OpenCV counts: from its centre.
        draw_marks(canvas, point_lines(point - 0.5, size, not is_found),
                   COLOURS['found' if is_found else 'missed'], thickness)
    return canvas


def side_by_side(imgs: Sequence[np.ndarray], gap: int = 4) -> np.ndarray:
    """Return images of one height next to each other, white between them.

    Args:
        imgs: ``(H, W_i)`` or ``(H, W_i, 3)``, uint8.
        gap: Pixels between neighbours.

    Raises:
        ValueError: There is none, or heights differ.
    """
    imgs = [as_rgb(img) for img in imgs]
    if len({len(img) for img in imgs}) != 1:
        raise ValueError(f'side_by_side: images of heights {[len(img) for img in imgs]}; at least '
                         'one, all of one height, is expected')
    white = np.full((len(imgs[0]), gap, 3), 255, np.uint8)
    return np.concatenate([part for img in imgs for part in (img, white)][:-1], axis=1)
