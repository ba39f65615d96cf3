"""Writing a trained model as a file that predicts without torch."""
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.config import load_config
from mmwindow.apis.export_check import ExportCheck, compare_predictions
from mmwindow.apis.export_decoder import make_decoder_info
from mmwindow.apis.export_graph import make_graphs
from mmwindow.apis.inference import PointInferencer
from mmwindow.apis.model_files import read_checkpoint
from mmwindow.apis.model_places import find_model
from mmwindow.apis.runner import quiet_mmengine
from mmwindow.datasets.transforms import PadToInput, ResizeToInput
from mmwindow.engine.safe_loading import load_own_checkpoint
from mmwindow.engine.weights import trained_config
from mmwindow.images.sources import ImageSource, list_images
from mmwindow.runtime import RuntimeModel
from mmwindow.runtime.model_info import METADATA_KEY, ModelInfo, Preprocessing
from mmwindow.runtime.onnx_file import write_metadata
from mmwindow.runtime.sessions import STAGES, write_graphs
from mmwindow.synthetic.radiograph import generate_radiograph
from mmwindow.utils.config_pipelines import find_datasets
from mmwindow.utils.environment import describe_versions
from mmwindow.utils.files import atomic_file
from mmwindow.utils.messages import count_words, shorten
from mmwindow.utils.outputs import check_output_file

NUM_IMAGES = 8  # to compare with torch
CONFIG_FILE = 'config.py'  # that a training leaves next to its checkpoints
# Steps of a test pipeline that the runtime does, in this order; the first one reads the image.
KNOWN_STEPS = ('ResizeToInput', 'PadToInput', 'PackPointInputs')


@dataclass(frozen=True)
class ModelSource:
    """What a model is exported from.

    Attributes:
        checkpoint: The weights.
        config: The config file; None where there is none.
        describes_itself: Whether the model is built from the description in its checkpoint.
        system: Name of the config that it was trained with.
        operating_points: That belong to the checkpoint, as JSON data; None where there are none.
        data: Split -> SHA-256 of the annotation files of its training.
    """

    checkpoint: Path
    config: Path | None
    describes_itself: bool
    system: str
    operating_points: dict[str, Any] | None
    data: dict[str, str]

    @property
    def inferencer_arguments(self) -> tuple[Path, Path | None]:
        """What :class:`~mmwindow.apis.inference.PointInferencer` is called with."""
        if self.describes_itself or self.config is None:
            return self.checkpoint, None
        return self.config, self.checkpoint


@dataclass(frozen=True)
class ExportResult:
    """What an export wrote.

    Attributes:
        path: The file.
        info: What it says of itself.
        check: How it differs from torch.
        sources: The images on which it was compared.
    """

    path: Path
    info: ModelInfo
    check: ExportCheck
    sources: Sequence[ImageSource] = ()


def export(model: str | Path, out: str | Path, checkpoint: str | Path | None = None,
           images: str | Path | None = None, num_images: int = NUM_IMAGES) -> ExportResult:
    """Write a model for :mod:`mmwindow.runtime`, after it was compared with torch on images.

    Args:
        model: A run folder, a checkpoint that describes its model, or a config.
        out: The file: ``.onnx``; ``.zip`` for Faster R-CNN, which has two stages.
        checkpoint: The weights, where ``model`` is a config.
        images: Folder of radiographs to compare on; None: the validation images of the config, else
            synthetic radiographs.
        num_images: So many of them.

    Raises:
        ValueError: The model is missing, of a kind that is not exported, or differs from torch by
            more than rounding: nothing is written.
    """
    check_output_file(out, '--out')
    source = find_source(model, checkpoint)
    with quiet_mmengine():
        inferencer = PointInferencer(*source.inferencer_arguments, device='cpu')
        cfg = None if source.config is None else load_config(source.config)
    info = describe_export(inferencer, source, cfg)
    graphs = make_graphs(inferencer.model, info.input_size)
    check_ending(out, len(graphs))
    sources, origin = choose_images(images, cfg, num_images)
    with atomic_file(out) as part:
        write_model(part, [graph.content for graph in graphs], info)
        check = check_export(part, inferencer, sources, origin)
        info = replace(info, check=check.to_json())
        write_model(part, [graph.content for graph in graphs], info)
    return ExportResult(Path(out), info, check, sources)


def check_ending(out: str | Path, num_graphs: int) -> None:
    """Check that the name of the file says what it will be.

    Raises:
        ValueError: It does not.
    """
    ending = '.onnx' if num_graphs == 1 else '.zip'
    if Path(out).suffix != ending:
        why = ('the file is an ONNX graph' if num_graphs == 1 else
               'Faster R-CNN has two stages, and the file is a ZIP of their graphs')
        raise ValueError(f'--out {shorten(str(out))}: {why}; let its name end in {ending}')


def write_model(path: Path, graphs: Sequence[bytes], info: ModelInfo) -> None:
    """Write the graphs of a model and what it says of itself."""
    first = write_metadata(graphs[0], {METADATA_KEY: info.to_json()})
    if len(graphs) == 1:
        write_graphs(path, first)
    else:
        write_graphs(path, dict(zip(STAGES, (first, *graphs[1:]), strict=True)))


def describe_export(inferencer: PointInferencer, source: ModelSource, cfg: Any) -> ModelInfo:
    """Return what an exported model says of itself.

    Raises:
        ValueError: The test pipeline does something that the runtime does not, or the model has a
            setting that it does not know.
    """
    steps = list(inferencer.pipeline.transforms)
    names = tuple(type(step).__name__ for step in steps)
    if names != KNOWN_STEPS:
        raise ValueError(f'the test pipeline has the steps {", ".join(names)} after the image is '
                         f'read; {", ".join(KNOWN_STEPS)} can be exported')
    resize, pad = steps[:2]
    assert isinstance(resize, ResizeToInput) and isinstance(pad, PadToInput)
    return ModelInfo(
        system=source.system, classes=inferencer.classes, input_size=resize.input_size,
        preprocessing=Preprocessing(inferencer.settings.bit_depth, inferencer.settings.max_pixels,
                                    int(pad.pad_val)),
        decoder=make_decoder_info(inferencer.model), evaluation=evaluation_settings(cfg),
        operating_points=source.operating_points, versions=describe_versions(), data=source.data)


def find_source(model: str | Path, checkpoint: str | Path | None) -> ModelSource:
    """Return the parts of a model to export.

    Args:
        model: A run folder, a checkpoint that describes its model, or a config.
        checkpoint: The weights, where ``model`` is a config.

    Raises:
        ValueError: Something is missing, or nothing says what the model is.
    """
    files = find_model(model, checkpoint, needs_weights=True)
    if not isinstance(files.checkpoint, Path):
        raise ValueError(f'{shorten(files.checkpoint)}: download the checkpoint, and give its path')
    content = read_checkpoint(files.checkpoint)
    config = files.config
    if config is None and (files.checkpoint.parent / CONFIG_FILE).is_file():
        config = files.checkpoint.parent / CONFIG_FILE
    if config is None and not content.has_description:
        raise ValueError(f'checkpoint {shorten(str(files.checkpoint))}: it does not describe its '
                         'model; give the config, too: CONFIG CHECKPOINT')
    points = content.points
    best = files.run.best if files.run else None
    if points is None and best is not None and best.checkpoint == files.checkpoint.name:
        points = best.operating_points
    describes_itself = content.has_description and files.config is None
    return ModelSource(files.checkpoint, config, describes_itself, name_system(
        files.checkpoint, config), None if points is None else points.to_json(),
        dict(files.run.data) if files.run else {})


def name_system(checkpoint: Path, config: Path | None) -> str:
    """Return the name of the config that a model was trained with, else that of its weights."""
    trained = trained_config(load_own_checkpoint(checkpoint))
    for name in (trained, config and config.name):
        if name and Path(name).name != CONFIG_FILE:
            return Path(name).stem
    return checkpoint.stem


def evaluation_settings(cfg: Any) -> dict[str, Any]:
    """Return the settings of a config's test metric; {} where it has none of ours."""
    evaluator = (cfg or {}).get('test_evaluator') or []
    metrics = evaluator if isinstance(evaluator, list | tuple) else [evaluator]
    return next(({key: value for key, value in dict(metric).items() if key not in (
        'type', 'outfile', 'ann_file') and isinstance(value, str | int | float | None | list)}
        for metric in metrics if metric.get('type') == 'FROCMetric'), {})


def choose_images(images: str | Path | None, cfg: Any, number: int
                  ) -> tuple[list[ImageSource], str]:
    """Return images to compare on, and where they are from, in words.

    Args:
        images: A folder or file; None: of the config's validation, else synthetic ones.
        cfg: The config; None where there is none.
        number: So many, evenly from all.

    Raises:
        ValueError: The folder holds no image.
    """
    if number < 1:
        raise ValueError(f'{count_words(number, "image")} to compare on; at least 1 is expected')
    if images is not None:
        return pick([source for _, source in list_images(images)], number), shorten(str(images))
    found = validation_images(cfg)
    if found:
        return pick(found, number), 'validation images of the config'
    return [generate_radiograph(seed).img for seed in range(number)], 'synthetic radiographs'


def pick(sources: Sequence[ImageSource], number: int) -> list[ImageSource]:
    """Return a number of items, evenly from a list."""
    places = np.linspace(0, len(sources) - 1, min(number, len(sources))).round().astype(int)
    return [sources[place] for place in places]


def validation_images(cfg: Any) -> list[ImageSource]:
    """Return the image files of a config's validation; none where they are not there."""
    dataset = next((place.value for place in find_datasets(cfg or {})
                    if place.key.startswith('val_dataloader')), None)
    if dataset is None or not isinstance(dataset.get('ann_file'), str):
        return []
    root = dataset.get('data_root') or ''
    folder = os.path.join(root, (dataset.get('data_prefix') or {}).get('img') or '')
    try:
        records = read_point_file(os.path.join(root, dataset['ann_file'])).records
    except ValueError:
        return []
    paths = [Path(folder, record.file_name) for record in records]
    return [path for path in paths if path.is_file()]


def check_export(path: Path, inferencer: PointInferencer, sources: Sequence[ImageSource], origin: str
                 ) -> ExportCheck:
    """Compare an exported file with torch on images.

    Raises:
        ValueError: It differs by more than rounding, or an image cannot be read.
    """
    runtime = RuntimeModel(path)
    # Two at a time: the batch is a free dimension of the graph, and an image alone comes, too.
    ours = runtime.predict(list(sources), batch_size=2)
    theirs = inferencer(list(sources))
    threshold = getattr(runtime.decoder, 'score_threshold', 0.)
    return compare_predictions(ours, theirs, origin, threshold)


