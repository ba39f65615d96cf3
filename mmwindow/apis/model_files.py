"""From MODEL of a command line to config and checkpoint: a run folder, a checkpoint, or both."""
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwindow.apis.config import load_config
from mmwindow.engine.checkpoint import check_checkpoint, find_best_checkpoint
from mmwindow.engine.model_description import META_KEY, read_description, read_points
from mmwindow.engine.run_file import RUN_FILE, TrainingRun, read_run
from mmwindow.engine.safe_loading import load_own_checkpoint
from mmwindow.utils.messages import shorten
from mmwindow.utils.operating_points import ModelOperatingPoints
from mmwindow.zoo import find_zoo_model, is_zoo_name

TRAINING = 'training'  # where a run of folds has its work dir
BATCH_SIZE = 4  # of a model without a config


@dataclass(frozen=True)
class ModelFiles:
    """What MODEL names.

    Attributes:
        config: The config file; None: the checkpoint describes its model.
        checkpoint: The weights; a text where they are an address.
        run: Of the training; None where its ``run.json`` is not next to the weights.
        folder: Work dir of the training; None where a config or a checkpoint was named.
    """

    config: Path | None
    checkpoint: Path | str
    run: TrainingRun | None = None
    folder: Path | None = None


@dataclass(frozen=True)
class CheckpointContent:
    """What a checkpoint says of its model, besides the weights.

    Attributes:
        classes: Names; empty where it has none.
        points: Operating points; None where it has none.
        has_description: Whether a model can be built from it alone.
    """

    classes: tuple[str, ...]
    points: ModelOperatingPoints | None
    has_description: bool


def find_model(model: str | Path, checkpoint: str | Path | None = None,
               config: str | Path | None = None, work_dir: str | Path | None = None) -> ModelFiles:
    """Return config and checkpoint.

    Args:
        model: A run folder (work dir of a training, or a folder of ``mmwindow folds`` with one), a
            checkpoint, a name of the zoo, or with ``checkpoint`` a config file.
        checkpoint: The weights of the config ``model``; 'best' for the best of its work dir.
        config: Of a run folder or a checkpoint, in place of its own.
        work_dir: Of the config, where 'best' is searched; the config's own if None.

    Raises:
        ValueError: Something is missing, or two configs are given.
    """
    name, path = shorten(str(model)), Path(model)
    if checkpoint is None and is_zoo_name(model):
        path = find_zoo_model(str(model)).checkpoint.check()
    if checkpoint is not None:
        if config is not None:
            raise ValueError(f'--config {shorten(str(config))}: the config is {name} already; give '
                             'one of them')
        if str(checkpoint) == 'best':
            checkpoint = find_best_checkpoint(Path(load_config(path, work_dir).work_dir))
        check_checkpoint(checkpoint)
        if '://' in str(checkpoint):  # mmengine loads it
            return ModelFiles(path, str(checkpoint))
        return ModelFiles(path, Path(checkpoint), read_run_next_to(Path(checkpoint)))
    if path.is_dir():
        folder = path / TRAINING if (path / TRAINING / RUN_FILE).is_file() else path
        best = find_best_checkpoint(folder)
        check_checkpoint(best)
        run = read_run(folder)
        noted = folder / Path(run.config).name if run is not None and run.config else None
        own = noted if noted is not None and noted.suffix == '.py' and noted.is_file() else None
        return ModelFiles(Path(config) if config is not None else own, best, run, folder)
    if path.suffix == '.py':
        raise ValueError(f'{name}: a config alone is no model; give CONFIG CHECKPOINT, CONFIG best, '
                         'a run folder or a checkpoint')
    check_checkpoint(path)
    return ModelFiles(None if config is None else Path(config), path, read_run_next_to(path))


def read_run_next_to(checkpoint: Path) -> TrainingRun | None:
    """Return the training that a checkpoint is of, where its folder says so."""
    try:
        run = read_run(checkpoint.parent)
    except ValueError:  # another file of this name, as that of a run of folds
        return None
    return run


def read_checkpoint(path: Path | str) -> CheckpointContent:
    """Return what a checkpoint says of its model; nothing of one at an address.

    Raises:
        ValueError: It is damaged, or its operating points are none.
    """
    if '://' in str(path):
        return CheckpointContent((), None, False)
    content = load_own_checkpoint(path)
    meta: Any = content.get('meta')
    meta = meta if isinstance(meta, dict) else {}
    classes = (meta.get('dataset_meta') or {}).get('classes') or ()
    return CheckpointContent(tuple(map(str, classes)), read_points(content, path),
                             isinstance(meta.get(META_KEY), dict))


def describe_config(checkpoint: Path | str, work_dir: str | Path | None = None) -> Config:
    """Return a config that tests the model which a checkpoint describes.

    It has no data set: one comes with ``--data``. Findings are scored by the paper's rule.

    Args:
        checkpoint: With a description.
        work_dir: For the log; ``work_dirs/<name of the checkpoint>`` if None.

    Raises:
        ValueError: It has no description, or one that could run more than a model.
    """
    description = read_description(load_own_checkpoint(checkpoint), checkpoint)
    return Config(dict(
        default_scope='mmdet', model=description.model,
        work_dir=str(work_dir or Path('work_dirs') / Path(checkpoint).stem),
        custom_imports=dict(imports=['mmwindow'], allow_failed_imports=False),
        default_hooks=dict(timer=dict(type='IterTimerHook'), logger=dict(type='LoggerHook'),
                           visualization=dict(type='PointVisualizationHook', score_thr=0.5)),
        env_cfg=dict(mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
                     dist_cfg=dict(backend='nccl')),
        visualizer=dict(type='PointVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
        log_processor=dict(type='LogProcessor', window_size=20, by_epoch=True), log_level='INFO',
        launcher='none', load_from=None, resume=False, test_cfg=dict(type='TestLoop'),
        test_evaluator=dict(type='FROCMetric'),
        test_dataloader=dict(
            batch_size=BATCH_SIZE, num_workers=1, persistent_workers=False, drop_last=False,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(type='CocoPointDataset', pipeline=description.pipeline, test_mode=True,
                         metainfo=dict(classes=list(description.classes))))))
