"""Static 8-bit weights, kept only where a model scores as well with them."""
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmwindow.annotations.image_places import find_image_folder
from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.int8_recipes import DEFAULT, Int8Recipe, quantise
from mmwindow.evaluation.files.ground_truth import read_annotations
from mmwindow.evaluation.files.predictions import Prediction
from mmwindow.evaluation.scoring import evaluate
from mmwindow.images.sources import list_images
from mmwindow.runtime import RuntimeModel
from mmwindow.utils.files import atomic_file
from mmwindow.utils.messages import count_words, shorten

MIN_IMAGES = 600
MAX_CHANGE = 0.002  # of AUROC and FROC score, either way
METRICS = ('auroc', 'froc_score')


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
                images: str | Path | None = None, recipe: Int8Recipe = DEFAULT) -> Int8Result:
    """Write an exported model with 8-bit weights next to it, if it scores as well.

    Args:
        path: The exported model, ``.onnx``; the new one is ``<name>_int8.onnx``.
        calibration: Folder of radiographs by which the ranges of values are chosen.
        points: Point file on whose images both are scored.
        images: Their folder; None: as
            :func:`~mmwindow.annotations.image_places.find_image_folder` finds it.
        recipe: What becomes 8 bits, and how.

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
        quantise(path, candidate, model.info, [source for _, source in list_images(calibration)],
                 recipe)
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
