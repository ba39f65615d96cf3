"""The files of a model of the zoo: checkpoint and exported file, with weights in half precision."""
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from mmwindow.apis.config import load_config
from mmwindow.apis.export import choose_images, evaluation_settings, export
from mmwindow.apis.export_half import write_half_model
from mmwindow.apis.half_weights import halve_state
from mmwindow.apis.inference import PointInferencer
from mmwindow.apis.runner import quiet_mmengine
from mmwindow.apis.zoo.recipes import LAST_EPOCH, Recipe
from mmwindow.engine.model_description import META_KEY, POINTS_KEY, describe_model
from mmwindow.engine.run_file import TrainingRun, read_run
from mmwindow.engine.safe_loading import load_own_checkpoint
from mmwindow.engine.weights import state_dict_of
from mmwindow.runtime import RuntimeModel
from mmwindow.runtime.model_info import ModelInfo
from mmwindow.runtime.sessions import read_model_file
from mmwindow.utils.files import atomic_file
from mmwindow.utils.messages import shorten
from mmwindow.utils.operating_points import ModelOperatingPoints

KEPT_META = ('epoch', 'iter', 'seed', 'dataset_meta')
MAX_DIFFERENCE = 0.02  # of image scores by rounding: a fault, not rounding, is larger


@dataclass(frozen=True)
class HalfExport:
    """An exported file with weights in half precision.

    Attributes:
        path: The file.
        info: What it says of itself.
        check: How the file with the same weights in single precision differs from torch.
    """

    path: Path
    info: ModelInfo
    check: dict[str, Any]


@dataclass(frozen=True)
class RoundingCheck:
    """How image scores of the exported file differ from those of the weights as they were trained.

    Attributes:
        images: That were compared.
        source: Of the images, in words.
        largest: Difference.
        mean: Difference, of absolute values.
    """

    images: int
    source: str
    largest: float
    mean: float

    def to_json(self) -> dict[str, Any]:
        """Return the check as JSON data."""
        return asdict(self)


def finished_run(work_dir: Path) -> TrainingRun:
    """Return the training in a work dir, which must be finished.

    Raises:
        ValueError: It is not, or there is none.
    """
    run = read_run(work_dir)
    if run is None:
        raise ValueError(f'{shorten(str(work_dir))}: there is no training (no run.json)')
    if not run.is_finished:
        raise ValueError(f'{shorten(str(work_dir))}: the training is not finished, {run.epoch} '
                         'epochs '
                         'are done; the same command resumes it')
    return run


def last_checkpoint(work_dir: Path) -> Path:
    """Return the checkpoint of the last epoch of a finished training.

    Not the best one: the images of the validation are among those that were trained on.

    Raises:
        ValueError: The training is not finished, or the file is gone.
    """
    path = work_dir / LAST_EPOCH.format(finished_run(work_dir).epoch)
    if not path.is_file():
        raise ValueError(f'{shorten(str(path))}: the checkpoint of the last epoch is not there')
    return path


def write_checkpoint(recipe: Recipe, trained: Path, points: ModelOperatingPoints | None, out: Path
                     ) -> Path:
    """Write weights in half precision, with the description of their model and nothing else.

    Args:
        recipe: Of the model; its config describes it where the checkpoint does not.
        trained: Checkpoint of a training.
        points: Take the place of those that it has; None for none.
        out: The new file.

    Raises:
        ValueError: The checkpoint is damaged, or says no classes.
    """
    content = load_own_checkpoint(trained)
    meta = content.get('meta') or {}
    classes = (meta.get('dataset_meta') or {}).get('classes')
    if not classes:
        raise ValueError(f'{shorten(str(trained))}: it does not say its classes')
    with quiet_mmengine():
        description = dict(meta.get(META_KEY) or describe_model(
            load_config(recipe.config_path), classes))
    description.pop(POINTS_KEY, None)
    if points is not None:
        description[POINTS_KEY] = points.to_json()
    kept = {key: meta[key] for key in KEPT_META if key in meta}
    kept['dataset_meta'] = dict(classes=tuple(map(str, classes)))
    with atomic_file(out) as part:
        torch.save(dict(meta={**kept, META_KEY: description},
                        state_dict=halve_state(state_dict_of(content))), part)
    return out


def write_half(recipe: Recipe, checkpoint: Path, out: Path, images: Path, num_images: int,
               data: dict[str, str] | None = None) -> HalfExport:
    """Export a checkpoint, checked against torch, and round the weights of the graph.

    Args:
        recipe: Of the model.
        checkpoint: With a description.
        out: The file.
        images: Folder of radiographs to compare with torch on.
        num_images: So many of them.
        data: Digests of the annotations of the training.

    Raises:
        ValueError: The export differs from torch.
    """
    with TemporaryDirectory() as folder:
        single = export(checkpoint, Path(folder) / 'single.onnx', None, images, num_images)
        graphs = read_model_file(single.path).graphs
    with quiet_mmengine():
        evaluation = evaluation_settings(load_config(recipe.config_path))
    info = replace(single.info, evaluation=evaluation, data=data or {},
                   check={**single.check.to_json(), 'source': 'FracAtlas'})
    with atomic_file(out) as part:
        info = write_half_model(part, graphs, info)
    return HalfExport(out, info, dict(info.check))


def check_rounding(recipe: Recipe, trained: Path, exported: Path, images: Path, num_images: int
                   ) -> RoundingCheck:
    """Compare image scores of an exported file with torch and the weights as they were trained.

    Args:
        recipe: Of the model.
        trained: Checkpoint of the training.
        exported: In half precision.
        images: Folder of radiographs.
        num_images: So many of them, evenly.

    Raises:
        ValueError: They differ by more than rounding can.
    """
    sources, _ = choose_images(images, None, num_images)
    with quiet_mmengine():
        torch_model = PointInferencer(recipe.config_path, trained, device='cpu')
    theirs = torch_model(list(sources), with_maps=False)
    ours = RuntimeModel(exported).predict(list(sources), with_maps=False)
    differences = np.array([np.abs(our.image_scores - their.image_scores).max()
                            for our, their in zip(ours, theirs, strict=True)])
    if not differences.max() <= MAX_DIFFERENCE:
        raise ValueError(f'{shorten(str(exported))}: image scores differ by {differences.max():.2g} '
                         'from '
                         f'those of {shorten(str(trained))}; rounding alone gives less than '
                         f'{MAX_DIFFERENCE}')
    return RoundingCheck(len(sources), 'FracAtlas', float(differences.max()),
                         float(differences.mean()))
