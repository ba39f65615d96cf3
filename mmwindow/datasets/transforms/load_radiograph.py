"""Reading image files for mmdet's pipelines, through :func:`mmwindow.images.decode.read_image`."""
from collections.abc import Sequence
from pathlib import Path

import cv2
from mmcv.transforms import BaseTransform, LoadAnnotations, LoadImageFromFile
from mmdet.registry import TRANSFORMS
from mmengine.fileio import LocalBackend, get, register_backend

from mmwindow.datasets.transforms.pack_point_inputs import PackPointInputs
from mmwindow.datasets.transforms.pad_to_input import PadToInput
from mmwindow.datasets.transforms.resize_to_input import ResizeToInput
from mmwindow.images.decode import MAX_PIXELS, ImageSettings, read_image
from mmwindow.images.fitted_reader import FittedReader, check_cache_setting, make_cache
from mmwindow.utils.messages import quote


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
        cache: What a data set keeps decoded: None DICOM alone, True every format, False nothing, the
            path of a folder every format and there (docs/images.md). It needs ``ResizeToInput`` as
            the next step that touches the image; single images are never kept.
    """

    def __init__(self, bit_depth: int | None = None, storage: dict | None = None,
                 max_pixels: int = MAX_PIXELS, cache: bool | str | None = None) -> None:
        check_cache_setting(cache)
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
        cache: What a data set keeps decoded: None DICOM alone, True every format, False nothing, the
            path of a folder every format and there (docs/images.md). It needs ``ResizeToInput`` as
            the next step that touches the image; single images are never kept.
    """

    def __init__(self, bit_depth: int | None = None, backend_args: dict | None = None,
                 max_pixels: int = MAX_PIXELS, cache: bool | str | None = None) -> None:
        ImageSettings(bit_depth, max_pixels)
        check_cache_setting(cache)
        super().__init__(backend_args=dict(backend='radiograph', bit_depth=bit_depth,
                                           storage=backend_args, max_pixels=max_pixels, cache=cache))


class LoadFitted(BaseTransform):
    """Load an image as the ResizeToInput behind takes it: the same pixels, in less time.

    A data set puts it in the place of ``LoadImageFromFile`` (:func:`fuse_loading`). Grey images are
    shrunk in one channel, and come from the cache where it has them.

    Required Keys:

    - img_path

    Added Keys:

    - img (uint8, ``(h, w, 3)``, BGR)
    - img_shape
    - ori_shape (of the image file)
    - source_shape (the same, for ResizeToInput, which takes it out)

    Args:
        reader: How images are read.
        storage: ``backend_args`` of the place that holds the files; None for a local disk.
        is_viewed: Whether no step behind changes pixels in place: the channels of a grey image are
            then one in the memory.
    """

    def __init__(self, reader: FittedReader, storage: dict | None = None, is_viewed: bool = False
                 ) -> None:
        self.reader = reader
        self.storage = storage
        self.is_viewed = is_viewed

    def transform(self, results: dict) -> dict:
        """Load.

        Raises:
            ValueError: As :func:`~mmwindow.images.decode.read_image`.
        """
        path = results['img_path']
        if self.storage is None:
            image = self.reader.read(path)
        else:
            image = self.reader.read_content(get(path, backend_args=self.storage), str(path))
        pixels = image.view_bgr() if self.is_viewed else image.to_bgr()
        results.update(img=pixels, img_shape=pixels.shape[:2], ori_shape=image.source_shape,
                       source_shape=image.source_shape)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(input_size={self.reader.input_size})'


def fuse_loading(transforms: Sequence[object]) -> tuple[list, FittedReader | None]:
    """Return the steps of a pipeline whose loader reads what its ResizeToInput leaves of an image.

    Args:
        transforms: Of a pipeline; it is not changed.

    Returns:
        The steps, and how the first one reads; None, and the steps as they are, where the loader is
        another one, or another step than LoadAnnotations comes before ResizeToInput.

    Raises:
        ValueError: ``cache`` is True or a folder, and the loader cannot be replaced.
    """
    steps = list(transforms)
    loader = steps[0] if steps else None
    if not isinstance(loader, LoadImageFromFile):
        return steps, None
    args = loader.backend_args or {}
    if type(loader) not in (LoadImageFromFile, LoadRadiograph) or args.get('backend') != 'radiograph':
        return steps, None
    rest = [step for step in steps[1:] if not isinstance(step, LoadAnnotations)]
    is_plain = (not loader.to_float32 and loader.color_type == 'color' and not loader.ignore_empty
                and not getattr(loader, 'file_client_args', None))
    cache = args.get('cache')
    if not is_plain or not rest or type(rest[0]) is not ResizeToInput:
        if cache:
            raise ValueError(f'cache is {quote(cache)}, but the pipeline cannot use one: '
                             'ResizeToInput has to follow LoadImageFromFile, with LoadAnnotations '
                             'alone between them; or set cache=False')
        return steps, None
    reader = FittedReader(
        rest[0].input_size, ImageSettings(args.get('bit_depth'), args.get('max_pixels', MAX_PIXELS)),
        make_cache(cache), keeps_all=bool(cache))
    is_viewed = all(type(step) in (ResizeToInput, PadToInput, PackPointInputs) for step in rest)
    return [LoadFitted(reader, args.get('storage'), is_viewed), *steps[1:]], reader
