"""Reading an image file."""
import contextlib

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmengine.fileio import get

# Radiographs are digitised with these numbers of bits and stored in 16.
BIT_DEPTHS = (8, 10, 12, 14, 16)


def to_8_bit(pixels):
    """Return 16-bit pixels as 8-bit ones.

    The range is that of the smallest usual bit depth (8, 10, 12, 14 or 16) that holds the image's
    maximum: full white of a 12-bit image, stored in 16, stays white, and images of one detector are
    scaled alike. It is not a window chosen by content.

    Args:
        pixels (ndarray): uint16, any shape.

    Returns:
        ndarray: uint8, same shape.
    """
    maximum = int(pixels.max())
    white = next(2 ** depth - 1 for depth in BIT_DEPTHS if maximum < 2 ** depth)
    return np.round(pixels.astype(np.float32) * (255 / white)).astype(np.uint8)


def decode_radiograph(content, name):
    """Return the pixels of an encoded image; its EXIF orientation is ignored.

    Points were placed in the file's own rows and columns, so these are what is kept.

    Args:
        content (bytes): The file.
        name (str): For the message.

    Returns:
        ndarray: ``(H, W, 3)`` uint8, blue, green, red; grey images have three equal channels.

    Raises:
        ValueError: The content is no image, cut short, or of an unknown depth.
    """
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = None
    if content:
        with contextlib.suppress(cv2.error):  # of sizes beyond its limits; other faults give None
            pixels = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), flags)
    if pixels is None:
        raise ValueError(
            f'{name}: {len(content)} bytes, but no whole image in them (cut short, damaged, or of a '
            'format that OpenCV cannot read); copy the file again, or take the image and its '
            'annotations out of the point file')
    if pixels.dtype == np.uint16:
        return to_8_bit(pixels)
    if pixels.dtype != np.uint8:
        raise ValueError(f'{name}: pixels are {pixels.dtype}; 8- or 16-bit whole numbers are '
                         'expected, for example a PNG')
    return pixels


@TRANSFORMS.register_module()
class LoadRadiograph(BaseTransform):
    """Load an image as three 8-bit channels, with errors that name the file.

    16-bit images are brought to 8 bits (:func:`to_8_bit`). The EXIF orientation is ignored.

    Required Keys:

    - img_path
    - height, width (optional: compared with the image)

    Added Keys:

    - img (uint8, ``(H, W, 3)``, BGR)
    - img_shape
    - ori_shape

    Args:
        backend_args (dict, optional): File backend of mmengine.
    """

    def __init__(self, backend_args=None):
        self.backend_args = backend_args

    def transform(self, results):
        """Load the image.

        Raises:
            ValueError: The file is missing, no whole image, or of another size than announced.
        """
        path = results['img_path']
        try:
            content = get(path, backend_args=self.backend_args)
        except OSError as error:
            raise ValueError(f'{path}: the image cannot be read ({error.strerror or error}); check '
                             'data_root and data_prefix.img in the config') from error
        pixels = decode_radiograph(content, path)
        announced = (results.get('height'), results.get('width'))
        if None not in announced and announced != pixels.shape[:2]:
            raise ValueError(
                f'{path}: the image is {pixels.shape[1]} x {pixels.shape[0]} (width x height), the '
                f'point file says {announced[1]} x {announced[0]}; scale its points or mend its size')
        results['img'] = pixels
        results['img_shape'] = results['ori_shape'] = pixels.shape[:2]
        return results

    def __repr__(self):
        return f'{type(self).__name__}(backend_args={self.backend_args})'
