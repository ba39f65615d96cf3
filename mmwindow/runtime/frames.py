"""From an image to the frame that an exported network sees: the pixels that torch would see."""
from typing import NamedTuple

import numpy as np

from mmwindow.images.decode import GrayImage, ImageSettings, read_image
from mmwindow.images.fitting import fitted_size, resize_pixels
from mmwindow.images.padding import pad_to_size
from mmwindow.images.sources import ImageSource
from mmwindow.runtime.decoders import Place
from mmwindow.runtime.model_info import ModelInfo


class Frame(NamedTuple):
    """What the network sees of one image.

    Attributes:
        pixels: ``(H, W)`` uint8.
        place: Of the image in it.
        orientation: Tag of the file, 1 to 8; it was not applied.
    """

    pixels: np.ndarray
    place: Place
    orientation: int = 1


def grey_pixels(image: GrayImage, name: str) -> np.ndarray:
    """Return the grey levels of an image as ``(H, W)`` uint8.

    Raises:
        ValueError: It is in colour: its three channels differ.
    """
    pixels = image.pixels
    if pixels.ndim == 3:
        if (pixels != pixels[..., :1]).any():
            raise ValueError(f'{name}: this image is in colour, and an exported model takes grey '
                             'levels alone; save it in grey, if it is a radiograph')
        pixels = np.ascontiguousarray(pixels[..., 0])
    return GrayImage(pixels, image.bit_depth).to_8_bit()


def make_frame(source: ImageSource, info: ModelInfo, name: str) -> Frame:
    """Read an image, scale it to fit the network's input and pad it.

    Args:
        source: As :func:`~mmwindow.images.decode.read_image` takes it.
        info: Of the model.
        name: Of the image in messages.

    Raises:
        ValueError: It is no image that can be read, or in colour.
    """
    settings = ImageSettings(info.preprocessing.bit_depth, info.preprocessing.max_pixels)
    image = read_image(source, settings, name)
    height, width = image.shape
    rows, columns = fitted_size(height, width, info.input_size)
    pixels = resize_pixels(grey_pixels(image, name), rows, columns)
    return Frame(pad_to_size(pixels, *info.input_size, info.preprocessing.pad_value),
                 Place(info.input_size, image.shape, (columns / width, rows / height)),
                 image.orientation)
