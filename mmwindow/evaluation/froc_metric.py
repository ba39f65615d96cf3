"""The FROC and AUROC, and the file of predictions, as metrics of mmengine's runner."""
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from mmdet.registry import METRICS
from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log

from mmwindow.evaluation.events.floor import prune_events
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.finding_counts import (
    NOTHING_COUNTED,
    FindingCounts,
    describe_counts,
)
from mmwindow.evaluation.files.ground_truth import read_annotations
from mmwindow.evaluation.files.prediction_archive import write_predictions
from mmwindow.evaluation.files.predictions import Prediction, Target, check_target
from mmwindow.evaluation.files.samples import Sample, sample_prediction, sample_target
from mmwindow.evaluation.froc import DEFAULT_BUDGETS
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.hit_rules import make_hit_rule
from mmwindow.evaluation.results import EvaluationResult, summarise
from mmwindow.evaluation.scoring import reduce_image
from mmwindow.evaluation.statistics.table import find_rows


@METRICS.register_module()
class FROCMetric(BaseMetric):
    """Exact FROC and AUROC of point-annotated findings (docs/method.md, sections 6 and 7).

    A thin adapter: each image is reduced to its events where it is processed, by the function that
    ``tools/evaluate.py`` uses; only these are kept and travel between ranks, and of these only what
    the numbers can depend on. Predictions are a sample's ``pred_heatmap.scores`` (the map over the
    frame) or, where there is none, the boxes of ``pred_instances``. Points come from ``ann_file``,
    else from the sample: from our pipelines, or the boxes of a stock one, so that the metric works
    next to ``CocoMetric`` (:func:`~mmwindow.evaluation.files.samples.sample_target`).

    Keys, with several classes the mean over those that have a number, then one set per
    class: ``froc/auroc``, ``froc/recall@0.1`` and so on, ``froc/froc_score``.

    Args:
        hit_radius: Of the rule, in pixels of a frame of side 1024; see
            :mod:`~mmwindow.evaluation.hit_rules`.
        max_overlap: Of the rule.
        budgets: False positives per image at which recall is reported.
        convention: 'first_crossing', 'best' or 'interpolated'; see
            :meth:`~mmwindow.evaluation.FROCCurve.recall_at`.
        outfile: A JSON that receives the record: every image's events, the settings, the operating
            points; see :func:`~mmwindow.evaluation.read_record`.
        keep_up_to: False positives per image up to which events are kept; the numbers are the same
            to the digit whatever it is. 'auto': the largest budget; but everything with an
            ``outfile``, since a record is for intervals, tests and strata, which spend a budget
            elsewhere than all images together, and with the convention 'best' or an additional
            statistic that reads every threshold. A number, at least the largest budget: that many,
            in the ``outfile`` too, whose intervals are then rejected where a resample spends its
            budget further down. None: everything.
        rule: The hit rule.
        collect_device: 'cpu' or 'gpu'.
        prefix: Of the keys.
        min_iou: Of the rule.
        fp_denominator: 'all' or 'normals'; see :class:`~mmwindow.evaluation.FROCSettings`.
        ann_file: Point file with the ground truth; None takes that of the samples.
        points_from: How an annotation of ``ann_file`` gives its point; see
            :mod:`~mmwindow.annotations.point_rules`.
        statistics: Names of additional statistics; see :class:`~mmwindow.evaluation.FROCSettings`.
        readers: Whose points of ``ann_file`` are the truth where it names several readers: 'merge',
            'all' or a name; see :class:`~mmwindow.datasets.CocoPointDataset`, which has the same
            argument for the points of the samples.

    Attributes:
        finding_counts: Of the last evaluation, findings that were left out or clipped
            (:mod:`~mmwindow.evaluation.files.finding_counts`); empty where none were.
        result: Of the last evaluation, with its events; None before, and on other ranks than the
            first.

    Raises:
        ValueError: A setting is unknown or makes no sense.
    """

    default_prefix = 'froc'

    def __init__(self, hit_radius: float = 50., max_overlap: float = 0.1,
                 budgets: Sequence[float] | str = DEFAULT_BUDGETS,
                 convention: str = 'first_crossing', outfile: str | None = None,
                 keep_up_to: float | str | None = 'auto', rule: str = 'disk_overlap',
                 collect_device: str = 'cpu', prefix: str | None = None, min_iou: float = 0.5,
                 fp_denominator: str = 'all', ann_file: str | None = None,
                 points_from: str = 'auto', statistics: Sequence[str] | None = None,
                 readers: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        try:
            self.settings = FROCSettings(budgets, convention, fp_denominator, make_hit_rule(
                rule, hit_radius=hit_radius, max_overlap=max_overlap, min_iou=min_iou),
                statistics=statistics)
            self.keep_up_to = check_keep_up_to(keep_up_to, self.settings, outfile is not None)
        except ValueError as error:
            raise ValueError(f'FROCMetric: {error}') from error
        if readers is not None and ann_file is None:
            raise ValueError(f'FROCMetric: readers is {readers!r} but there is no ann_file; the '
                             'truth is then that of the data set: say it there, dataset.readers')
        self.outfile = outfile
        self.truth = None if ann_file is None else read_annotations(
            ann_file, points_from, self.settings.rule.needs_boxes, readers)
        self.targets = {} if self.truth is None else {
            target.image_id: target for target in self.truth.targets}
        self.finding_counts: dict[str, int] = {}
        self.result: EvaluationResult | None = None
        self._changed: dict[Any, FindingCounts] = {}  # images with findings left out or clipped

    def process(self, data_batch: Any, data_samples: Sequence[Sample]) -> None:
        """Reduce each image of a batch to its events, one per class."""
        for sample in data_samples:
            try:
                row = self.image_events(sample)
            except (ValueError, KeyError) as error:
                raise ValueError(f'FROCMetric, image {sample.get("img_path")}: {error}') from error
            if self.keep_up_to is not None and self.outfile is None:
                row = [events.without_other_counts() for events in row]
            self.results.append(row)

    def image_events(self, sample: Sample) -> list[ImageEvents]:
        """Return the events of one image, one per class.

        Args:
            sample: A data sample as a dict, predictions and metainfo.
        """
        target = self.target_of(sample)
        names = self.class_names(target)
        target = check_target(target, len(names))
        prediction = sample_prediction(sample, self.own_classes())
        if (prediction.height, prediction.width) != (target.height, target.width):
            raise ValueError(f'it was predicted at {prediction.height} x {prediction.width} pixels '
                             f'(height x width) but is annotated at {target.height} x '
                             f'{target.width}')
        reduced = reduce_image(prediction, target, names, self.settings)
        if reduced.counted != NOTHING_COUNTED:
            self._changed[target.image_id] = reduced.counted
        return reduced.events

    def target_of(self, sample: Sample) -> Target:
        """Return the ground truth of one image, from ``ann_file`` or the sample."""
        if self.truth is None:
            return sample_target(sample)
        if sample.get('img_id') not in self.targets:
            raise ValueError(f'img_id {sample.get("img_id")!r} is not in {self.truth.path}')
        target = self.targets[sample['img_id']]
        name, path = target.fields.get('file_name'), sample.get('img_path')
        if name is not None and path is not None and PurePath(name).name != PurePath(path).name:
            raise ValueError(f'img_id {target.image_id!r} is {name} in {self.truth.path}; is '
                             'ann_file of these images?')
        return target

    def own_classes(self) -> tuple[str, ...] | None:
        """Return the data set's classes, which the labels of predictions count; None if unknown."""
        classes = (self.dataset_meta or {}).get('classes')
        return tuple(classes) if classes else None

    def class_names(self, target: Target | None = None) -> tuple[str, ...]:
        """Return the names that labels of the ground truth count; numbers where none are known."""
        if self.truth is not None:
            return self.truth.classes
        own = self.own_classes()
        if own is None and target is not None:
            own = tuple(map(str, range(max([0, *map(int, target.labels)]) + 1)))  # type: ignore[arg-type]
        return own or ('0', )

    def evaluate(self, size: int) -> dict[str, float]:
        """Return the numbers over all images; only events that can matter are gathered.

        Args:
            size: Number of images over all ranks, without those that a sampler repeats.
        """
        # Where there are more rows, some are of images seen twice.
        if self.keep_up_to is not None and 0 < len(self.results) <= size:
            for label in range(min(map(len, self.results))):
                pruned = prune_events([row[label] for row in self.results], [self.keep_up_to], size)
                for row, events in zip(self.results, pruned, strict=True):
                    row[label] = events
        self.finding_counts = self._gather_counts()
        metrics: dict[str, float] = super().evaluate(size)
        return metrics

    def _gather_counts(self) -> dict[str, int]:
        """Return how many findings of all ranks were left out or clipped; {} where none were.

        They are counted by image, as a sampler may give one to two ranks.
        """
        changed: dict[Any, FindingCounts] = {}
        for part in all_gather_object(self._changed):
            changed.update(part)
        self._changed = {}
        return sum(changed.values(), NOTHING_COUNTED).as_dict() if changed else {}

    def compute_metrics(self, results: list[list[ImageEvents]]) -> dict[str, float]:
        """Return the numbers over all images, and write ``outfile`` if it is set."""
        names = self.class_names()
        if len({len(row) for row in results}) != 1:
            raise ValueError('FROCMetric: images have different numbers of classes')
        if len(results[0]) != len(names):
            names = tuple(map(str, range(len(results[0]))))
        result = summarise({name: [row[label] for row in results]
                            for label, name in enumerate(names)}, self.settings, self.finding_counts)
        self.result = result
        for text in describe_counts(self.finding_counts):
            print_log(f'FROCMetric: {text}', MMLogger.get_current_instance())
        for name, entry in result.classes.items():
            for note in entry.notes:
                print_log(f'FROCMetric, class {name}: {note}', MMLogger.get_current_instance())
        if self.outfile is not None:
            self.write(result, self.outfile)
        return result.metrics

    def write(self, result: EvaluationResult, path: str) -> None:
        """Write the record (:mod:`mmwindow.evaluation.files.records`) of all images."""
        settings = {name: value for name, value in result.settings.items()
                    if name not in ('map_extent', 'missing')}  # choices of files alone
        replace(result, settings=settings).write(path, prefix=self.prefix)


def check_keep_up_to(keep_up_to: float | str | None, settings: FROCSettings,
                     has_outfile: bool) -> float | None:
    """Return how many false positives per image are kept; None for all.

    Raises:
        ValueError: It is neither 'auto', None nor a number that the settings allow.
    """
    reads_all = (settings.convention == 'best' or settings.fp_denominator != 'all'
                 or any(row.reads_all for row in find_rows(settings.statistics)))
    if keep_up_to is None:
        return None
    if keep_up_to == 'auto':
        return None if has_outfile or reads_all else max(settings.budgets)
    if reads_all:
        raise ValueError(f'keep_up_to is {keep_up_to!r}, but the convention {settings.convention!r} '
                         f'with the denominator {settings.fp_denominator!r} and the additional '
                         f'statistics {settings.statistics} reads more thresholds; leave keep_up_to '
                         'out')
    if isinstance(keep_up_to, str) or not keep_up_to >= max(settings.budgets):
        raise ValueError(f"keep_up_to is {keep_up_to!r}; 'auto', None or false positives per image "
                         f'of at least the largest budget, {max(settings.budgets)}, are expected')
    return keep_up_to


@METRICS.register_module()
class DumpPredictions(BaseMetric):
    """Write what was predicted of each image, of all ranks, into one file of ours.

    Args:
        out_file_path: The ``.npz``; a ``.json`` of the same name goes next to it. The format is
            that of :mod:`~mmwindow.evaluation.files.prediction_archive`.
        settings: Plain data to keep with it.
        collect_device: 'cpu' or 'gpu'.

    Raises:
        ValueError: The suffix is not ``.npz``.
    """

    default_prefix = 'predictions'  # it has no numbers, but mmengine asks for one

    def __init__(self, out_file_path: str, settings: Mapping[str, Any] | None = None,
                 collect_device: str = 'cpu') -> None:
        super().__init__(collect_device=collect_device)
        if Path(out_file_path).suffix != '.npz':
            raise ValueError(f'DumpPredictions: {out_file_path} does not end in .npz')
        self.out_file_path = out_file_path
        self.settings = dict(settings or {})

    def process(self, data_batch: Any, data_samples: Sequence[Sample]) -> None:
        """Keep the predictions of a batch as arrays."""
        for sample in data_samples:
            try:
                prediction = sample_prediction(sample)
            except (ValueError, KeyError) as error:
                raise ValueError(f'DumpPredictions, image {sample.get("img_path")}: {error}'
                                 ) from error
            self.results.append((prediction, Path(str(sample.get('img_path', ''))).name))

    def compute_metrics(self, results: list[tuple[Prediction, str]]) -> dict[str, float]:
        """Write the file."""
        classes = (self.dataset_meta or {}).get('classes') or ('finding', )
        write_predictions(self.out_file_path, [prediction for prediction, _ in results], classes,
                          [name for _, name in results], self.settings)
        print_log(f'predictions are in {self.out_file_path}', MMLogger.get_current_instance())
        return {}
