"""OpenCV as the decoder of formats whose files were checked and made plain before."""
import cv2
import numpy as np

from mmwindow.images.formats.header import DamagedImageError, ImageHeader

READ_AS_STORED = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION


def decode_with_opencv(content: bytes, header: ImageHeader) -> np.ndarray:
    """Return the pixels of a file, ``(H, W)``, or ``(H, W, 3)`` where its header says colour.

    Raises:
        ValueError: OpenCV returns none, or others than the header announces.
    """
    try:
        pixels = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), READ_AS_STORED)
    except cv2.error as error:
        raise DamagedImageError(f'{header.kind}: {" ".join(str(error).split())[:200]}') from error
    dtype = np.uint8 if header.bits == 8 else np.uint16
    if pixels is None or pixels.shape[:2] != (header.height, header.width) or pixels.dtype != dtype:
        raise DamagedImageError(f'{header.kind}: its data are not what its header says')
    if pixels.ndim == 2 and header.channels == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    if pixels.ndim == 3 and header.channels == 1:  # grey and alpha: three equal channels
        pixels = np.ascontiguousarray(pixels[..., 0])
    return pixels
