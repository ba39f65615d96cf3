"""Reading an image file."""
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmengine.fileio import get

from mmwindow.images.decode import decode_radiograph


@TRANSFORMS.register_module()
class LoadRadiograph(BaseTransform):
    """Load an image as three 8-bit channels, with errors that name the file.

    16-bit images are brought to 8 bits (:func:`~mmwindow.images.decode.to_8_bit`). The EXIF
    orientation is ignored.

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
