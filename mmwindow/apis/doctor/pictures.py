"""Pictures of a page: small JPEGs as data URIs, with points and a frame of one size."""
import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmwindow.images.decode import ImageSettings, read_image

SIDE = 220  # pixels, long edge
QUALITY = 82
# As in mmwindow.visualization.overlay, which loads torch: a bright cross with a dark outline.
CROSS, OUTLINE, CROSS_SIZE = (140, 255, 0), (0, 0, 0), 15  # blue, green, red; pixels


def picture_uri(path: Path, points: Sequence[Sequence[float]] = (),
                settings: ImageSettings | None = None, side: int = SIDE) -> str:
    """Return an image file as a data URI, with a cross at each point; '' where it cannot be read.

    Args:
        path: The file.
        points: x and y in pixels of the file.
        settings: What the file does not say.
        side: Long edge of the picture.
    """
    try:
        pixels = read_image(path, settings).to_bgr()
    except ValueError:
        return ''
    factor = side / max(pixels.shape[:2])
    size = [max(1, round(edge * factor)) for edge in pixels.shape[1::-1]]
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    # OpenCV counts from the centre of the first pixel.
    for x, y in np.rint(np.array(points, float).reshape(-1, 2) * factor - .5).astype(int).tolist():
        for colour, thickness in ((OUTLINE, 4), (CROSS, 2)):
            cv2.drawMarker(small, (x, y), colour, cv2.MARKER_CROSS, CROSS_SIZE, thickness)
    return encode_uri(small)


def encode_uri(picture: np.ndarray) -> str:
    """Return a picture ``(H, W, 3)`` uint8, blue, green, red, as a data URI."""
    done, content = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise ValueError('a picture could not be written as JPEG')
    return f'data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode()}'
