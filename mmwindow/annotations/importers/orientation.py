"""From the image as a tool shows it to the rows and columns of the file.

LabelMe, Label Studio and CVAT turn an image by its EXIF or TIFF orientation tag and annotate what is
shown; our points are in stored pixels (docs/method.md, section 1), so importers turn points back and
exporters turn them again.
"""
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
# Tag -> from shown (x, y) to stored (x, y), with the *stored* width and height. Tag 6, for example:
# the stored image is shown after a quarter turn clockwise, so shown x = stored height - stored y.
_BACK: dict[int, Callable[[Points, float, float], tuple[Points, Points]]] = {
    1: lambda p, w, h: (p[..., 0], p[..., 1]),
    2: lambda p, w, h: (w - p[..., 0], p[..., 1]),
    3: lambda p, w, h: (w - p[..., 0], h - p[..., 1]),
    4: lambda p, w, h: (p[..., 0], h - p[..., 1]),
    5: lambda p, w, h: (p[..., 1], p[..., 0]),
    6: lambda p, w, h: (p[..., 1], h - p[..., 0]),
    7: lambda p, w, h: (w - p[..., 1], h - p[..., 0]),
    8: lambda p, w, h: (w - p[..., 1], p[..., 0]),
}
INVERSE = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}


def shown_size(size: tuple[int, int], tag: int) -> tuple[int, int]:
    """Return height and width of an image as it is shown.

    Args:
        size: Stored height and width.
        tag: Orientation, 1 to 8.
    """
    return (size[1], size[0]) if tag >= 5 else size


def to_stored(points: Points, size: tuple[int, int], tag: int) -> Points:
    """Turn points of the shown image back.

    Args:
        points: ``(..., 2)``, x and y in pixels of the shown image.
        size: Stored height and width.
        tag: Orientation, 1 to 8.

    Returns:
        Same shape, x and y in stored pixels.

    >>> to_stored(np.array([10., 20.]), size=(100, 300), tag=6).tolist()  # shown: 300 high, 100 wide
    [20.0, 90.0]
    """
    height, width = size
    return np.stack(_BACK[tag](np.asarray(points, dtype=np.float64), width, height), axis=-1)


def to_shown(points: Points, size: tuple[int, int], tag: int) -> Points:
    """Turn stored points into those of the shown image; the inverse of :func:`to_stored`.

    >>> to_shown(np.array([20., 90.]), size=(100, 300), tag=6).tolist()
    [10.0, 20.0]
    """
    height, width = shown_size(size, tag)
    # The shown image, turned by the inverse tag, is the stored one.
    return np.stack(_BACK[INVERSE[tag]](np.asarray(points, dtype=np.float64), width, height), axis=-1)
