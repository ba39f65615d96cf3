"""Where the pixels of a view of an image come from, read from what transforms recorded."""
from collections.abc import Mapping

import numpy as np

NOT_RIGID = 1e-3  # a scale that is further off than this is no rounding


def view_matrix(img_meta: Mapping) -> np.ndarray:
    """Return the matrix from pixels of the original image to those that the network sees.

    Mirror images, rotations, shifts and the scaling of the image are understood, as mmdet's
    transforms record them: ``scale_factor``, ``flip``, ``flip_direction`` and ``homography_matrix``
    (with the scaling where ``Resize`` wrote it, without where ``ResizeToInput`` leaves it out).

    The warps of mmdet (``Rotate``, ``TranslateX``) are given in pixel indices, its mirror images in
    continuous pixels, half a pixel apart. Assumption: where there are both, the mirror image comes
    first, as in our pipelines; the other order is off by 0.7 pixels times the angle in radians.

    Args:
        img_meta: Of one view. ``img_shape`` and ``ori_shape`` are needed for a mirror image
            without a matrix.

    Returns:
        ``(3, 3)`` float64, acting on continuous pixels ``(x, y, 1)``.

    Raises:
        ValueError: The geometry is contradictory, incomplete or of another kind.
    """
    name = img_meta.get('img_path')
    factors = np.asarray(img_meta.get('scale_factor', (1., 1.)), dtype=np.float64)
    scaling = np.diag([*factors, 1.])
    mirror = mirror_signs(img_meta)
    matrix = img_meta.get('homography_matrix')
    if matrix is None:
        return mirror_of_frame(img_meta, factors, mirror) @ scaling
    matrix = np.asarray(matrix, dtype=np.float64)
    squares = matrix[:2, :2].T @ matrix[:2, :2]
    has_scaling = np.abs(squares - np.diag(factors ** 2)).max() < np.abs(squares - np.eye(2)).max()
    rigid = matrix @ np.linalg.inv(scaling) if has_scaling else matrix
    if np.abs(rigid[:2, :2].T @ rigid[:2, :2] - np.eye(2)).max() > NOT_RIGID or (
            np.abs(rigid[2] - (0, 0, 1)).max() > 1e-9):
        raise ValueError(f'{name}: the geometry recorded for the test scales or shears the image '
                         f'(homography_matrix {matrix.round(4).tolist()}); only mirror images, '
                         'rotations, shifts and Resize can be undone')
    if np.linalg.det(rigid) * mirror.prod() < 0:
        raise ValueError(f'{name}: flip is {img_meta.get("flip")}, flip_direction '
                         f'{img_meta.get("flip_direction")!r}, but homography_matrix says otherwise; '
                         'mirror the image by one RandomFlip alone')
    # The warp alone, whose matrix M acts on indices: on pixels it is x -> M (x - 1/2) + 1/2.
    warp = rigid[:2, :2] @ np.diag(mirror)
    continuous = rigid.copy()
    continuous[:2, 2] += (np.eye(2) - warp) @ (0.5, 0.5)
    return continuous @ scaling


def mirror_signs(img_meta: Mapping) -> np.ndarray:
    """Return the signs ``(2,)`` that a recorded mirror image gives to x and y."""
    if not img_meta.get('flip'):
        return np.ones(2)
    direction = img_meta.get('flip_direction')
    signs = dict(horizontal=(-1, 1), vertical=(1, -1), diagonal=(-1, -1))
    if direction not in signs:
        raise ValueError(f'{img_meta.get("img_path")}: flip_direction is {direction!r}; one of '
                         f'{tuple(signs)} is expected')
    return np.array(signs[direction], dtype=np.float64)


def mirror_of_frame(img_meta: Mapping, factors: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Return the matrix of a mirror image whose axis nobody recorded: the middle of the frame.

    Raises:
        ValueError: The image was padded, so that its own middle is another axis.
    """
    matrix = np.diag([*mirror, 1.])
    if (mirror > 0).all():
        return matrix
    size = np.asarray(img_meta['img_shape'][1::-1], dtype=np.float64)
    image = np.asarray(img_meta['ori_shape'][1::-1]) * factors
    if (np.abs(size - image) >= 1)[mirror < 0].any():
        raise ValueError(f'{img_meta.get("img_path")}: it is mirrored and padded, and nothing says '
                         'in which order; put homography_matrix into the meta_keys of '
                         'PackPointInputs, where RandomFlip writes its axis')
    matrix[:2, 2] = np.where(mirror < 0, size, 0.)
    return matrix


def check_upright(img_meta: Mapping) -> None:
    """Reject an image that was mirrored, turned or shifted: its map would not lie over it.

    Raises:
        ValueError: It was; the message says what undoes it.
    """
    scaling = np.diag([*img_meta.get('scale_factor', (1., 1.)), 1.])
    if np.abs(view_matrix(img_meta) - scaling).max() > NOT_RIGID:
        raise ValueError(
            f'{img_meta.get("img_path")}: it was mirrored, turned or shifted for the test, and a map '
            'predicted from it does not lie over the image; set tta_model = '
            "dict(type='PointTTAModel') (tools/test.py --tta), or take the transform out of the "
            'test pipeline')
