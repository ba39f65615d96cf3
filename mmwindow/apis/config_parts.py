"""Finding things in a complete config: annotation files, the metric, the weights to start from."""
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from mmwindow.datasets.folds import file_checksum


def innermost_dataset(dataset: ConfigDict) -> ConfigDict:
    """Return the part of a data set's config that names the annotation file.

    Raises:
        ValueError: There is none, as in a concatenation.
    """
    while 'ann_file' not in dataset and isinstance(dataset.get('dataset'), dict):
        dataset = dataset['dataset']
    if 'ann_file' not in dataset:
        raise ValueError(f'a data set of type {dataset.get("type")!r} has no ann_file; the folds are '
                         'set there: one data set with an ann_file, wrapped or not, is expected')
    return dataset


def annotation_files(cfg: Config, split: str) -> list[Path]:
    """Return the annotation files of a split, of concatenated and wrapped data sets as well."""
    return [path for path, _ in annotation_rules(cfg, split)]


def annotation_rules(cfg: Config, split: str) -> list[tuple[Path, str]]:
    """Return the annotation files of a split, each with the ``points_from`` of its data set."""
    return list(_walk_files((cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}))


def _walk_files(part: Any) -> Iterator[tuple[Path, str]]:
    if isinstance(part, list | tuple):
        for item in part:
            yield from _walk_files(item)
    elif isinstance(part, dict):
        names = part.get('ann_file') or []
        for name in [names] if isinstance(names, str) else names:
            yield (Path(os.path.join(part.get('data_root') or '', name)),
                   part.get('points_from', 'auto'))
        yield from _walk_files(part.get('dataset'))
        yield from _walk_files(part.get('datasets'))


def files_digest(cfg: Config, split: str) -> str:
    """Return the SHA-256 of the annotation files of a split, 64 hexadecimal digits.

    Raises:
        ValueError: One cannot be read.
    """
    digests = [file_checksum(path) for path in annotation_files(cfg, split)]
    return digests[0] if len(digests) == 1 else hashlib.sha256(' '.join(digests).encode()).hexdigest()


def find_froc_metric(evaluator: Any) -> ConfigDict:
    """Return the config of the one FROCMetric of an evaluator's config.

    Raises:
        ValueError: There is none, or several.
    """
    metrics = evaluator if isinstance(evaluator, list) else [evaluator]
    froc_metrics = [metric for metric in metrics if metric.get('type') == 'FROCMetric']
    if len(froc_metrics) != 1:
        raise ValueError(f'the evaluator has {len(froc_metrics)} FROCMetric; one is needed, its '
                         'record is the result of a run')
    return froc_metrics[0]
