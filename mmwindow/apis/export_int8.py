"""Static 8-bit weights, kept only where a model scores as well with them."""
import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx

from mmwindow.annotations.image_places import find_image_folder
from mmwindow.annotations.point_file import read_point_file
from mmwindow.evaluation.files.ground_truth import read_annotations
from mmwindow.evaluation.files.predictions import Prediction
from mmwindow.evaluation.scoring import evaluate
from mmwindow.images.sources import ImageSource, list_images
from mmwindow.runtime import RuntimeModel
from mmwindow.runtime.frames import make_frame
from mmwindow.runtime.model_info import METADATA_KEY, ModelInfo
from mmwindow.runtime.onnx_file import write_metadata
from mmwindow.utils.files import atomic_file
from mmwindow.utils.messages import count_words, shorten

MIN_IMAGES = 600
MAX_CHANGE = 0.002  # of AUROC and FROC score, either way
METRICS = ('auroc', 'froc_score')
# Sigmoid, resizing and means stay float32: 8 bits of a map would tie its cells.
OPERATORS = ('Conv', 'Add', 'Clip')
MAX_CALIBRATION = 200  # images


@dataclass(frozen=True)
class Int8Result:
    """What became of 8-bit weights.

    Attributes:
        path: The file; None where it was rejected.
        float32: AUROC and FROC score of the model, by name.
        int8: Those with 8-bit weights.
        num_images: On which they were measured.
        sizes: Of the two files, bytes.
    """

    path: Path | None
    float32: dict[str, float]
    int8: dict[str, float]
    num_images: int
    sizes: tuple[int, int]

    def describe(self) -> str:
        """Return the numbers as one line."""
        numbers = ', '.join(f'{name} {self.float32[name]:.4f} -> {self.int8[name]:.4f} '
                            f'({self.int8[name] - self.float32[name]:+.4f})' for name in METRICS)
        what = f'{self.path}: 8-bit weights' if self.path else (
            f'8-bit weights rejected (a change of {MAX_CHANGE} or more)')
        return (f'{what}: {numbers} on {count_words(self.num_images, "image")}; '
                f'{self.sizes[0] / 1e6:.1f} -> {self.sizes[1] / 1e6:.1f} MB')


def export_int8(path: str | Path, calibration: str | Path, points: str | Path,
                images: str | Path | None = None) -> Int8Result:
    """Write an exported model with 8-bit weights next to it, if it scores as well.

    Args:
        path: The exported model, ``.onnx``; the new one is ``<name>_int8.onnx``.
        calibration: Folder of radiographs by which the ranges of values are chosen.
        points: Point file on whose images both are scored.
        images: Their folder; None: as
            :func:`~mmwindow.annotations.image_places.find_image_folder` finds it.

    Raises:
        ValueError: The model has two stages, there are fewer than 600 images, or some are missing.
    """
    path = Path(path)
    if path.suffix != '.onnx':
        raise ValueError(f'{shorten(str(path))}: 8-bit weights are for models of one stage')
    records = read_point_file(points).records
    if len(records) < MIN_IMAGES:
        raise ValueError(f'{shorten(str(points))}: '
                         f'{count_words(len(records), "image is", "images are")} too few to say that '
                         f'8-bit weights score as well; at least {MIN_IMAGES} are expected')
    folder = find_image_folder(points, [records[0].file_name], images, '--verify-images')
    model = RuntimeModel(path)
    settings = model.info.evaluation
    before = score_model(model, points, folder, settings)
    with TemporaryDirectory() as temporary:
        candidate = Path(temporary) / 'int8.onnx'
        quantise(path, candidate, model.info, [
            source for _, source in list_images(calibration)][:MAX_CALIBRATION])
        after = score_model(RuntimeModel(candidate), points, folder, settings)
        sizes = (path.stat().st_size, candidate.stat().st_size)
        # A change that is no number (AUROC without a positive image) is none that may pass.
        is_kept = all(abs(after[name] - before[name]) < MAX_CHANGE for name in METRICS)
        out = path.with_name(f'{path.stem}_int8.onnx')
        if is_kept:
            with atomic_file(out) as part:
                part.write_bytes(candidate.read_bytes())
    return Int8Result(out if is_kept else None, before, after, len(records), sizes)


def score_model(model: RuntimeModel, points: str | Path, folder: Path, settings: dict[str, Any]
                ) -> dict[str, float]:
    """Return AUROC and FROC score of an exported model on a point file.

    Args:
        model: Exported.
        points: The point file.
        folder: Of its images.
        settings: Of the metric that the model was tested by.

    Raises:
        ValueError: An image is missing, or the classes are others.
    """
    truth = read_annotations(points)

    def predictions() -> Iterator[Prediction]:
        for target in truth.targets:
            path = folder / str(target.fields['file_name'])
            prediction = model.predict(path)[0]
            has_map = prediction.heatmap is not None
            yield Prediction(
                target.image_id, maps=prediction.heatmap,
                boxes=None if has_map else prediction.boxes,
                scores=None if has_map else prediction.scores,
                labels=None if has_map else prediction.labels, image_scores=prediction.image_scores,
                height=prediction.image_size[0], width=prediction.image_size[1],
                classes=model.classes)

    known = ('rule', 'hit_radius', 'max_overlap', 'min_iou', 'convention', 'fp_denominator')
    result = evaluate(predictions(), truth.targets, classes=truth.classes,
                      **{key: settings[key] for key in known if key in settings})
    return {name: float(result.metrics[name]) for name in METRICS}


def quantise(path: Path, out: Path, info: ModelInfo, sources: Sequence[ImageSource]) -> None:
    """Write a model with 8-bit weights.

    Args:
        path: Of the exported model.
        out: The new file.
        info: Of the model.
        sources: Images by which the ranges of values are chosen.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Frames(CalibrationDataReader):
        """Frames of the images, one by one."""

        def __init__(self) -> None:
            self.frames = (make_frame(source, info, str(source)[:200]) for source in sources)

        def get_next(self) -> dict[str, np.ndarray] | None:
            """Return the next frame as the graph's input; None at the end."""
            frame = next(self.frames, None)
            return None if frame is None else dict(images=frame.pixels[None, None])

    with quiet_root_logger():
        quantize_static(
            str(path), str(out), Frames(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            op_types_to_quantize=list(OPERATORS),
            nodes_to_exclude=nodes_behind(onnx.load(str(path))))
    model = onnx.load(str(out))
    del model.metadata_props[:]
    changed = replace(info, precision='int8')
    out.write_bytes(write_metadata(model.SerializeToString(), {METADATA_KEY: changed.to_json()}))


@contextlib.contextmanager
def quiet_root_logger() -> Iterator[None]:
    """Keep the advice that ONNX Runtime's calibration gives by the root logger off the screen."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def nodes_behind(model: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes from the last convolutions on, which stay float32.

    A last convolution is one from which no path leads to another: 8 bits of what it gives would leave
    256 scores in a map.

    Args:
        model: Its nodes have names.
    """
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    leads_to_convolution: dict[str, bool] = {}
    for node in reversed(model.graph.node):  # nodes are in an order in which they can be computed
        leads_to_convolution[node.name] = any(
            reader.op_type == 'Conv' or leads_to_convolution[reader.name]
            for name in node.output for reader in readers.get(name, ()))
    return [name for name, leads in leads_to_convolution.items() if not leads]
