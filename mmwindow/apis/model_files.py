"""What a checkpoint says of its model, and a config that tests it."""
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwindow.engine.model_description import META_KEY, read_description, read_points
from mmwindow.engine.safe_loading import load_own_checkpoint
from mmwindow.utils.operating_points import ModelOperatingPoints

BATCH_SIZE = 4  # of a model without a config


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
