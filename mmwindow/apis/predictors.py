"""What predicts images, with torch or without, behind one interface; and the loop over images."""
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol

from mmwindow.apis.model_places import ModelPlace, find_run_config
from mmwindow.images.colour import check_is_grey
from mmwindow.images.decode import GrayImage, ImageSettings, read_image
from mmwindow.images.option_words import name_options
from mmwindow.images.sources import InputImage
from mmwindow.structures.image_prediction import ImagePrediction
from mmwindow.utils.operating_points import ModelOperatingPoints


@dataclass(frozen=True)
class UnreadImage:
    """An image that could not be read.

    Attributes:
        image: Of the inputs.
        reason: One line.
    """

    image: InputImage
    reason: str


@dataclass(frozen=True)
class PredictedImage:
    """An image with its prediction.

    Attributes:
        image: Of the inputs.
        pixels: As they were read.
        prediction: With its map, where the model makes maps.
    """

    image: InputImage
    pixels: GrayImage
    prediction: ImagePrediction


class Predictor(Protocol):
    """What predicts images.

    Attributes:
        classes: Names, in the order of the labels.
        settings: How images are read.
        operating_points: The model's thresholds; None where it has none.
    """

    classes: tuple[str, ...]
    settings: ImageSettings
    operating_points: ModelOperatingPoints | None

    def check_image(self, image: GrayImage, name: str) -> None:
        """Reject an image that the model cannot take, such as a photograph."""

    def predict_images(self, names: Sequence[str], images: Sequence[GrayImage]
                       ) -> list[ImagePrediction]:
        """Return the predictions of images that were read."""


class RuntimePredictor:
    """An exported model behind the interface of :class:`Predictor`; it imports no torch.

    Args:
        place: Of the exported file.

    Raises:
        ValueError: It is damaged, no export of mmwindow, or a package is missing.
    """

    def __init__(self, place: ModelPlace) -> None:
        from mmwindow.runtime import load_model
        assert place.exported is not None
        self.model: Any = load_model(place.exported)
        info = self.model.info
        self.classes: tuple[str, ...] = info.classes
        self.settings = ImageSettings(info.preprocessing.bit_depth, info.preprocessing.max_pixels)
        self.operating_points: ModelOperatingPoints | None = None if (
            info.operating_points is None) else ModelOperatingPoints.from_json(
                info.operating_points, place.name)

    def check_image(self, image: GrayImage, name: str) -> None:
        """Reject an image whose three channels differ."""
        from mmwindow.runtime.frames import grey_pixels
        check_is_grey(image, name)
        grey_pixels(image, name)

    def predict_images(self, names: Sequence[str], images: Sequence[GrayImage]
                       ) -> list[ImagePrediction]:
        """Return the predictions of images that were read."""
        from mmwindow.runtime.frames import grey_pixels
        pixels = [grey_pixels(image, name) for name, image in zip(names, images, strict=True)]
        predicted = self.model.predict(pixels, batch_size=len(pixels))
        return [replace(prediction, name=name, orientation=image.orientation)
                for name, image, prediction in zip(names, images, predicted, strict=True)]


def load_predictor(place: ModelPlace, tta: bool = False, device: str | None = None,
                   cfg_options: dict[str, Any] | None = None) -> Predictor:
    """Return what predicts with a model.

    Args:
        place: Of the model.
        tta: Average mirrored and turned views.
        device: Of torch; None for a GPU where there is one.
        cfg_options: Overrides of the config.

    Raises:
        ValueError: The model cannot be used, or an option is none of an exported model.
    """
    if place.exported is not None:
        for name, value in (('--tta', tta), ('--device', device), ('--cfg-options', cfg_options)):
            if value:
                raise ValueError(f'{name}: an exported model has none; give the checkpoint that it '
                                 'was exported from')
        return RuntimePredictor(place)
    from mmwindow.apis.inference import PointInferencer
    assert place.checkpoint is not None
    config = place.config if place.is_config_given else None
    if config is None and place.folder is not None and (
            cfg_options or not describes_model(place)):
        config = place.config or find_run_config(place.folder)
    if config is None:
        return PointInferencer(place.checkpoint, None, device, cfg_options, tta)
    return PointInferencer(config, place.checkpoint, device, cfg_options, tta)


def override_reading(predictor: Predictor, bit_depth: int | None = None,
                     max_pixels: int | None = None) -> None:
    """Let a predictor read images as the user says.

    Args:
        predictor: Is changed.
        bit_depth: Of 16-bit images that do not say it; None as the model was trained.
        max_pixels: Of the largest image that is read; likewise.

    Raises:
        ValueError: A number is none that images can have.
    """
    given = dict(bit_depth=bit_depth, max_pixels=max_pixels)
    changed = {name: value for name, value in given.items() if value is not None}
    if changed:
        predictor.settings = ImageSettings(**{**vars(predictor.settings), **changed})


def describes_model(place: ModelPlace) -> bool:
    """Tell whether a checkpoint describes its model.

    Raises:
        ValueError: It is missing or damaged.
    """
    from mmwindow.engine.model_description import META_KEY
    from mmwindow.engine.safe_loading import load_own_checkpoint
    meta = {} if place.checkpoint is None else load_own_checkpoint(place.checkpoint).get('meta')
    return isinstance(meta, dict) and META_KEY in meta


def read_input(image: InputImage, predictor: Predictor) -> GrayImage | UnreadImage:
    """Read an image; one that is damaged, or no radiograph, is returned as such."""
    try:
        pixels = read_image(image.source, predictor.settings, image.name)
        predictor.check_image(pixels, image.name)
    except ValueError as error:
        return UnreadImage(image, name_options(' '.join(str(error).split())))
    return pixels


def iterate_predictions(predictor: Predictor, images: Iterable[InputImage], batch_size: int = 1
                        ) -> Iterator[PredictedImage | UnreadImage]:
    """Yield predictions in the order of the images; only a batch is in memory.

    Args:
        predictor: The model.
        images: From :func:`~mmwindow.images.sources.find_images`.
        batch_size: Images that the network gets at once.

    Raises:
        ValueError: The network gives NaN.
    """
    if batch_size < 1:
        raise ValueError(f'batch_size is {batch_size}; at least 1 image is expected')
    images = iter(images)
    while batch := list(islice(images, batch_size)):
        read = [read_input(image, predictor) for image in batch]
        good = [(image, pixels) for image, pixels in zip(batch, read, strict=True)
                if isinstance(pixels, GrayImage)]
        predictions = iter(predictor.predict_images(
            [image.name for image, _ in good], [pixels for _, pixels in good]) if good else ())
        for image, pixels in zip(batch, read, strict=True):
            yield pixels if isinstance(pixels, UnreadImage) else PredictedImage(
                image, pixels, next(predictions))
