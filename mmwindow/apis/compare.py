"""Several models next to each other on the same images, each at its own threshold (Figure 3)."""
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.annotations.image_places import find_image_folder
from mmwindow.annotations.point_file import read_point_file
from mmwindow.annotations.records import ImageRecord
from mmwindow.apis.model_places import find_model
from mmwindow.apis.predictors import (
    Predictor,
    UnreadImage,
    iterate_predictions,
    load_predictor,
    override_reading,
)
from mmwindow.apis.thresholds import Findings, Thresholds, choose_thresholds, find_findings
from mmwindow.evaluation.hit_rules import HitRule, make_hit_rule
from mmwindow.images.sources import InputImage
from mmwindow.structures.image_prediction import ImagePrediction
from mmwindow.utils.files import write_json
from mmwindow.utils.messages import count_words, name_some, shorten
from mmwindow.utils.outputs import check_not_source, check_output_file
from mmwindow.visualization.comparison import judge_cell, outcome_of, save_comparison
from mmwindow.visualization.examples import Example

NEGATIVE_SHARE = 4  # one image of so many is a negative one


@dataclass(frozen=True)
class Comparison:
    """What a figure shows.

    Attributes:
        figure: The file.
        images: Names of the rows.
        thresholds: Name of a system to what it calls.
        outcomes: Of each image, name of a system to its counts.
        rule: By which images were drawn, in words.
    """

    figure: Path
    images: tuple[str, ...]
    thresholds: dict[str, Thresholds]
    outcomes: list[dict[str, dict[str, int]]]
    rule: str


def draw_images(records: Sequence[ImageRecord], num_images: int, seed: int = 0
                ) -> tuple[list[ImageRecord], str]:
    """Return images by a rule that looks at no prediction, and the rule in words.

    One image in four, rounded down, is a negative one, where there are such; the others have a point.
    All are drawn at random, at most one a patient.

    Args:
        records: Of the point file.
        num_images: To be drawn.
        seed: Of the random numbers.

    Raises:
        ValueError: The number is not positive, or there are fewer.
    """
    if num_images < 1:
        raise ValueError(f'{count_words(num_images, "image is", "images are")} to be drawn; at '
                         f'least 1 is expected')
    order = np.random.default_rng(seed).permutation(len(records))
    chosen: dict[bool, list[ImageRecord]] = {True: [], False: []}
    patients: set[Any] = set()
    for record in (records[index] for index in order):
        if not record.group or record.group not in patients:
            patients.add(record.group)
            chosen[bool(record.points)].append(record)
    num_negative = min(num_images // NEGATIVE_SHARE, len(chosen[False]))
    num_negative = max(num_negative, num_images - len(chosen[True]))
    if num_negative > len(chosen[False]):
        raise ValueError(f'{count_words(num_images, "image is", "images are")} to be drawn, at most '
                         f'one a patient; there are '
                         f'{len(chosen[True])} with and {len(chosen[False])} without a point')
    num_positive = num_images - num_negative
    rule = (f'{count_words(num_positive, "image")} with and {num_negative} without a point, drawn '
            f'at random (seed '
            f'{seed}) from {len(records)}, at most one a patient, before anything was predicted')
    return chosen[True][:num_positive] + chosen[False][:num_negative], rule


def name_systems(models: Sequence[str]) -> dict[str, str]:
    """Return names of models, given as ``NAME=MODEL`` or by the last part of the path that differs.

    Raises:
        ValueError: Two have one name.

    >>> name_systems(['runs/wl/training', 'runs/fcos/training', 'CheXNet=a.pth'])
    {'wl/training': 'runs/wl/training', 'fcos/training': 'runs/fcos/training', 'CheXNet': 'a.pth'}
    """
    named: list[tuple[str, str]] = []
    for text in models:
        name, equals, model = str(text).partition('=')
        named.append((name, model) if equals and name and model and not Path(text).exists() else (
            '', str(text)))
    unnamed = [Path(model) for name, model in named if not name]
    for depth in range(1, 1 + max((len(path.parts) for path in unnamed), default=1)):
        short = ['/'.join(path.parts[-depth:]) for path in unnamed]
        if len(set(short)) == len(short):
            break
    rest = iter(short if unnamed else [])
    found: dict[str, str] = {}
    for name, model in named:
        label = name or next(rest)
        if label in found:
            raise ValueError(f'{shorten(label)}: two models have this name; give NAME=MODEL')
        found[label] = model
    return found


def compare(models: Sequence[str], images: str | Path, out: str | Path, num_images: int = 6,
            seed: int = 0, image_folder: str | Path | None = None, threshold: float | None = None,
            rule: str | HitRule = 'disk_overlap', tta: bool = False, bit_depth: int | None = None,
            max_pixels: int | None = None) -> Comparison:
    """Draw several models next to each other on the same images; docs/predict.md has an example.

    Args:
        models: As ``mmwindow predict`` takes them, also as ``NAME=MODEL``.
        images: Point file.
        out: The figure, .png, .jpg, .pdf or .svg; a ``.json`` next to it holds what it shows.
        num_images: Rows.
        seed: Of the images.
        image_folder: Where the images lie; None to look near the point file.
        threshold: Of all models; None for each one's operating point.
        rule: What a hit is; one that needs no target boxes.
        tta: Average mirrored and turned views.
        bit_depth: Of 16-bit images that do not say it; None as each model was trained.
        max_pixels: Of the largest image that is read; likewise.

    Raises:
        ValueError: A model or an image cannot be used.
    """
    names, out = name_systems(models), Path(out)
    check_output_file(out, '--out')
    check_not_source(out.with_suffix('.json'), [images], '--out')
    hit_rule = make_hit_rule(rule)
    if hit_rule.needs_boxes:
        raise ValueError(f'--rule {hit_rule.name}: it asks for boxes of the targets, and points are '
                         'compared; take disk_overlap or distance')
    points = read_point_file(str(images))
    records, how = draw_images(points.records, num_images, seed)
    folder = find_image_folder(images, [record.file_name for record in records], image_folder,
                               '--image-folder')
    inputs = [InputImage(str(folder / record.file_name), folder / record.file_name, record.file_name)
              for record in records]
    thresholds: dict[str, Thresholds] = {}
    cells: list[list[list[Example]]] = [[] for _ in records]
    for name, model in names.items():
        predictor = load_predictor(find_model(model), tta)
        override_reading(predictor, bit_depth, max_pixels)
        check_classes(predictor, points.classes, name)
        thresholds[name] = limits = choose_thresholds(predictor.classes, predictor.operating_points,
                                                      threshold)
        for row, record, done in zip(cells, records, iterate_predictions(predictor, inputs),
                                     strict=True):
            if isinstance(done, UnreadImage):
                raise ValueError(done.reason)
            pixels = done.pixels.to_bgr()[..., ::-1]
            row.append(make_cell(record, pixels, done.prediction, limits, points.classes))
    titles = [f'{name}\nthreshold {" / ".join(f"{value:.3g}" for value in limits.findings)}'
              + ('' if limits.is_stored or threshold is not None else ' (none stored)')
              for name, limits in thresholds.items()]
    save_comparison(titles, cells, out, title=f'{how[0].upper()}{how[1:]}.', rule=hit_rule)
    outcomes = [{name: outcome_of(judge_cell(cell, hit_rule))._asdict()
                 for name, cell in zip(names, row, strict=True)} for row in cells]
    result = Comparison(out, tuple(record.file_name for record in records), thresholds, outcomes, how)
    write_json(out.with_suffix('.json'), dict(
        images=list(result.images), drawn=how, hit_rule=hit_rule.settings,
        systems=[dict(name=name, model=names[name], thresholds=limits.to_json())
                 for name, limits in thresholds.items()], outcomes=outcomes))
    return result


def check_classes(predictor: Predictor, classes: Sequence[str], name: str) -> None:
    """Check that a model finds the classes of the points.

    Raises:
        ValueError: It finds others.
    """
    if sorted(predictor.classes) != sorted(classes):
        raise ValueError(f'{shorten(name)}: the model finds {name_some(predictor.classes)}, the '
                         f'points are of {name_some(list(classes))}')


def make_cell(record: ImageRecord, pixels: np.ndarray, prediction: ImagePrediction,
              thresholds: Thresholds, classes: Sequence[str]) -> list[Example]:
    """Return an image once for each class, with its points and what was found.

    Raises:
        ValueError: The image is of another size than its points.
    """
    if prediction.image_size != (record.height, record.width):
        raise ValueError(f'{shorten(record.file_name)}: the image has height and width '
                         f'{prediction.image_size}, its points were set on {record.height} and '
                         f'{record.width}')
    found: Findings = find_findings(prediction, thresholds)
    labels, cell = np.asarray(record.labels, dtype=int), []
    marked = np.asarray(record.points, dtype=float).reshape(-1, 2)
    for label, name in enumerate(prediction.classes):
        is_map = prediction.heatmap is not None
        cell.append(Example(
            pixels, marked[labels == list(classes).index(name)],
            prediction.heatmap[label] if prediction.heatmap is not None else None,
            None if is_map else found.boxes[found.labels == label], thresholds.findings[label],
            record.file_name))
    return cell
