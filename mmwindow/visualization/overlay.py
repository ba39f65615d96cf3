"""Heat maps, points and findings painted onto a film."""
import cv2
import numpy as np
from matplotlib import colormaps

# RGB. Shapes differ too, so that nothing hangs on colour alone.
COLOURS = dict(found=(0, 255, 140), missed=(255, 70, 255), finding=(255, 255, 255),
               false=(90, 190, 255))
OUTLINE = (0, 0, 0)


def as_rgb(img):
    """Return a copy ``(H, W, 3)`` uint8 of a grey or RGB image.

    Raises:
        ValueError: The image is neither, or not uint8.
    """
    img = np.asarray(img)
    if img.dtype != np.uint8 or img.ndim not in (2, 3) or (img.ndim == 3 and img.shape[2] != 3):
        raise ValueError(f'the image is {img.dtype} of shape {img.shape}; uint8 of shape (H, W) or '
                         '(H, W, 3) is expected')
    return np.repeat(img[..., None], 3, axis=2) if img.ndim == 2 else img.copy()


def map_on_image(scores, img_shape):
    """Return a map of the square frame at the pixels of the image, ``(H, W)`` float32.

    Args:
        scores (ndarray): ``(h, h)`` in [0, 1], over the frame.
        img_shape (tuple[int, int]): Height and width of the image, which lies at the top
            left of the frame.

    Raises:
        ValueError: The map is not square, or holds something that is no score.
    """
    scores = np.asarray(scores, dtype=np.float32)
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1]:
        raise ValueError(f'the map has shape {scores.shape}; a square (h, h) is expected, one '
                         'class over the whole padded frame')
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError(f'the map reaches from {scores.min()} to {scores.max()}; scores in '
                         '[0, 1] are expected (sigmoid applied)')
    height, width = img_shape[:2]
    side = max(height, width)
    return cv2.resize(scores, (side, side), interpolation=cv2.INTER_LINEAR)[:height, :width]


def blend(img, heat, opacity):
    """Return RGB pixels with a map over them: the higher the score, the less shows through.

    The colours run from dark red to yellow, and a score of 0 leaves the film as it is.
    """
    colours = colormaps['inferno'](0.35 + 0.6 * heat)[..., :3] * 255
    weight = (opacity * heat)[..., None]
    return np.rint(img * (1 - weight) + colours * weight).astype(np.uint8)


def draw_marks(img, lines, colour, thickness):
    """Paint line segments ``(x1, y1, x2, y2)`` into ``img``, with a dark outline."""
    for width, paint in ((thickness + 2, OUTLINE), (thickness, colour)):
        for x1, y1, x2, y2 in np.rint(lines).astype(int).tolist():
            cv2.line(img, (x1, y1), (x2, y2), paint, width)


def point_lines(point, size, diagonal):
    """Return the two strokes of a cross, upright or diagonal."""
    x, y = point
    if diagonal:
        size = size * 0.75
        return [(x - size, y - size, x + size, y + size), (x - size, y + size, x + size, y - size)]
    return [(x - size, y, x + size, y), (x, y - size, x, y + size)]


def box_lines(box):
    """Return the four sides of a box."""
    x1, y1, x2, y2 = box
    return [(x1, y1, x2, y1), (x2, y1, x2, y2), (x2, y2, x1, y2), (x1, y2, x1, y1)]


def overlay_heatmap(img, scores=None, points=None, boxes=None, found=None, false=None,
                    opacity=0.65):
    """Return a film with a heat map, points as small crosses and findings as boxes.

    Args:
        img (ndarray): ``(H, W)`` or ``(H, W, 3)`` RGB, uint8; it is not changed.
        scores (ndarray, optional): ``(h, h)`` in [0, 1], over the square frame.
        points (ndarray, optional): ``(N, 2)``, x and y in pixels of the image.
        boxes (ndarray, optional): ``(M, 4)``, x1, y1, x2, y2 in pixels of the image.
        found (ndarray, optional): ``(N,)`` bool; green upright crosses where true,
            magenta diagonal ones where false. All upright without it.
        false (ndarray, optional): ``(M,)`` bool; white boxes where false, blue ones
            where true (a false alarm). All white without it.
        opacity (float): Of a score of 1.

    Returns:
        ndarray: ``(H, W, 3)`` RGB, uint8.

    Raises:
        ValueError: Image or map are not what is expected.
    """
    canvas = as_rgb(img)
    if scores is not None:
        canvas = blend(canvas, map_on_image(scores, canvas.shape), opacity)
    height, width = canvas.shape[:2]
    thickness = max(2, round(max(height, width) / 400))
    boxes = np.asarray([] if boxes is None else boxes, dtype=np.float64).reshape(-1, 4)
    false = np.zeros(len(boxes), bool) if false is None else false
    # Inside the film, so that a box along its edge keeps four visible sides.
    boxes = boxes.clip(0, np.array([width, height, width, height]) - 1.)
    for box, is_false in zip(boxes, false, strict=True):
        draw_marks(canvas, box_lines(box), COLOURS['false' if is_false else 'finding'], thickness)
    points = np.asarray([] if points is None else points, dtype=np.float64).reshape(-1, 2)
    found = np.ones(len(points), bool) if found is None else found
    size = max(5., max(height, width) / 50)
    for point, is_found in zip(points, found, strict=True):
        # The pixel that holds the point, as OpenCV counts: from its centre.
        draw_marks(canvas, point_lines(point - 0.5, size, not is_found),
                   COLOURS['found' if is_found else 'missed'], thickness)
    return canvas


def side_by_side(imgs, gap=4):
    """Return images of one height next to each other, white between them.

    Args:
        imgs (Sequence[ndarray]): ``(H, W_i)`` or ``(H, W_i, 3)``, uint8.
        gap (int): Pixels between neighbours.

    Raises:
        ValueError: There is none, or heights differ.
    """
    imgs = [as_rgb(img) for img in imgs]
    if len({len(img) for img in imgs}) != 1:
        raise ValueError(f'side_by_side: images of heights {[len(img) for img in imgs]}; at least '
                         'one, all of one height, is expected')
    white = np.full((len(imgs[0]), gap, 3), 255, np.uint8)
    return np.concatenate([part for img in imgs for part in (img, white)][:-1], axis=1)
