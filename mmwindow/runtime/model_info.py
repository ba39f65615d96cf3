"""What an exported model says of itself: JSON data in the metadata of its file (standard library)."""
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mmwindow.utils.files import check_head, parse_json
from mmwindow.utils.json_fields import LIST, NUMBER, OBJECT, TEXT, WHOLE, Kind, check_fields
from mmwindow.utils.messages import quote

METADATA_KEY = 'mmwindow'
FORMAT = 'mmwindow-exported-model'
VERSION = 1
MAX_SIDE = 8192  # pixels of the network's input
MAX_CLASSES = 1000
PRECISIONS = ('float32', 'float16', 'int8')
KINDS: dict[str, Kind] = dict(
    system=TEXT, classes=LIST, input_size=LIST, preprocessing=OBJECT, decoder=OBJECT, precision=TEXT,
    evaluation=OBJECT.optional, operating_points=OBJECT.optional, versions=OBJECT.optional,
    data=OBJECT.optional, check=OBJECT.optional)
PREPROCESSING_KINDS: dict[str, Kind] = dict(
    bit_depth=WHOLE.optional, max_pixels=WHOLE, pad_value=WHOLE)


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the network's frame.

    The image is read (:func:`~mmwindow.images.decode.read_image`), scaled to fit the input
    (:mod:`mmwindow.images.fitting`) and padded to the right and below. Its grey levels are normalised
    inside the graph.

    Attributes:
        bit_depth: As in :class:`~mmwindow.images.decode.ImageSettings`.
        max_pixels: Likewise.
        pad_value: Grey level of the padding.
    """

    bit_depth: int | None
    max_pixels: int
    pad_value: int = 0


@dataclass(frozen=True)
class ModelInfo:
    """What an exported model says of itself.

    Attributes:
        system: Name of the config that it was trained with.
        classes: Names, in the order of the labels.
        input_size: Height and width of what the network sees, pixels.
        preprocessing: How an image becomes that.
        decoder: ``kind`` of the outputs and what turns them into findings
            (:mod:`mmwindow.runtime.decoders`).
        precision: Of the weights, one of :data:`PRECISIONS`.
        evaluation: Settings of the metric that the model was tested by, the hit rule among them.
        operating_points: As the training's checkpoint holds them.
        versions: Of the packages that wrote the file.
        data: Split -> SHA-256 of its annotation files, of the training.
        check: How the file was compared with torch: ``images``, ``source`` and the largest
            differences.
    """

    system: str
    classes: tuple[str, ...]
    input_size: tuple[int, int]
    preprocessing: Preprocessing
    decoder: dict[str, Any]
    precision: str = 'float32'
    evaluation: dict[str, Any] = field(default_factory=dict)
    operating_points: dict[str, Any] | None = None
    versions: dict[str, str | None] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    check: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the information as JSON text."""
        return json.dumps(dict(format=FORMAT, version=VERSION, **asdict(self)), allow_nan=False)


def read_info(metadata: Mapping[str, str], name: str) -> ModelInfo:
    """Return what the metadata of a file says, checked.

    Args:
        metadata: Of the file.
        name: Of the file, for the messages.

    Raises:
        ValueError: The file was not exported by mmwindow, or by a newer one; an entry is missing or
            none that a model can have.
    """
    what = 'description of the model'
    if METADATA_KEY not in metadata:
        raise ValueError(f'{name}: it has no description of mmwindow; "mmwindow export" writes files '
                         'that the runtime reads')
    content = parse_json(metadata[METADATA_KEY].encode(), name, what, allow_nan=False)
    check_head(content, name, what, FORMAT, VERSION, 'mmwindow export')
    check_fields(content, name, what, KINDS)
    given = {key: content[key] for key in KINDS if content.get(key) is not None}
    classes, size = given['classes'], given['input_size']
    if not 0 < len(classes) <= MAX_CLASSES or not all(map(TEXT.fits, classes)):
        raise ValueError(f'{name}: the classes of the {what} are {quote(classes)}; 1 to '
                         f'{MAX_CLASSES} names are expected')
    if len(size) != 2 or not all(WHOLE.fits(side) and 0 < side <= MAX_SIDE for side in size):
        raise ValueError(f'{name}: "input_size" of the {what} is {quote(size)}; height and width, at '
                         f'most {MAX_SIDE}, are expected')
    if given['precision'] not in PRECISIONS:
        raise ValueError(f'{name}: "precision" of the {what} is {quote(given["precision"])}; one of '
                         f'{", ".join(PRECISIONS)} is expected')
    steps = check_fields(given['preprocessing'], name, 'preprocessing', PREPROCESSING_KINDS)
    if not 0 <= steps['pad_value'] <= 255:
        raise ValueError(f'{name}: "pad_value" is {steps["pad_value"]}; a grey level from 0 to 255 '
                         'is expected')
    given.update(classes=tuple(classes), input_size=(size[0], size[1]), preprocessing=Preprocessing(
        steps.get('bit_depth'), steps['max_pixels'], steps['pad_value']))
    return ModelInfo(**given)


def numbers(value: Any, *shape: int | None) -> bool:
    """Tell whether a value is nested lists of numbers of a shape; None is any length up to 100."""
    if not shape:
        return NUMBER.fits(value)
    return (isinstance(value, list) and (0 < len(value) <= 100 if shape[0] is None
                                         else len(value) == shape[0])
            and all(numbers(item, *shape[1:]) for item in value))
