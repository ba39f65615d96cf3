"""Reading image files for mmdet's pipelines, through :func:`mmwindow.images.decode.read_image`."""
from pathlib import Path

import cv2
from mmcv.transforms import LoadImageFromFile
from mmdet.registry import TRANSFORMS
from mmengine.fileio import LocalBackend, get, register_backend

from mmwindow.images.decode import MAX_PIXELS, ImageSettings, read_image


@register_backend('radiograph', force=True)
class RadiographBackend(LocalBackend):
    """A file backend of mmengine whose image files hold 8-bit pixels in stored rows and columns.

    The loaders of mmcv and mmdet decode what a file backend gives them. With
    ``dict(type='LoadImageFromFile', backend_args=dict(backend='radiograph'))`` as its first step a
    pipeline reads radiographs with our decoder, and mmdet's ``DetInferencer`` and
    ``inference_detector``, which look for a step of this name, take it as it is.

    Args:
        bit_depth: Of images stored in 16 bits; see :class:`~mmwindow.images.decode.ImageSettings`.
        storage: ``backend_args`` of the place that holds the files; None for a local disk.
        max_pixels: Width times height of the largest image that is decoded.
    """

    def __init__(self, bit_depth: int | None = None, storage: dict | None = None,
                 max_pixels: int = MAX_PIXELS) -> None:
        self.settings = ImageSettings(bit_depth, max_pixels)
        self.storage = storage

    def get(self, filepath: str | Path) -> bytes:
        """Return a BMP, which has neither compression nor tags, of the pixels of an image file.

        Raises:
            ValueError: The file is missing, incomplete, no image or of an unknown bit depth.
        """
        source = filepath if self.storage is None else get(filepath, backend_args=self.storage)
        pixels = read_image(source, self.settings, str(filepath)).to_8_bit()
        return cv2.imencode('.bmp', pixels)[1].tobytes()


@TRANSFORMS.register_module()
class LoadRadiograph(LoadImageFromFile):
    """Load an image as three 8-bit channels, with errors that name the file.

    The short form of mmcv's ``LoadImageFromFile`` with :class:`RadiographBackend`, which the configs
    use: ``DetInferencer`` does not find this name.

    Required Keys:

    - img_path

    Added Keys:

    - img (uint8, ``(H, W, 3)``, BGR)
    - img_shape
    - ori_shape

    Args:
        bit_depth: Of images stored in 16 bits; see :class:`~mmwindow.images.decode.ImageSettings`.
        backend_args: File backend of mmengine that holds the files.
        max_pixels: Width times height of the largest image that is decoded.
    """

    def __init__(self, bit_depth: int | None = None, backend_args: dict | None = None,
                 max_pixels: int = MAX_PIXELS) -> None:
        ImageSettings(bit_depth, max_pixels)
        super().__init__(backend_args=dict(backend='radiograph', bit_depth=bit_depth,
                                           storage=backend_args, max_pixels=max_pixels))
