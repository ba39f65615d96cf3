"""The FROC and AUROC as a metric of mmdet's runner."""
from pathlib import Path

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log

from mmwindow.evaluation.events.components import box_events, map_events
from mmwindow.evaluation.events.kept_events import KeptEvents
from mmwindow.evaluation.events.targets import FRAME_SIDE
from mmwindow.evaluation.files.records import write_record
from mmwindow.evaluation.froc import CONVENTIONS, DEFAULT_BUDGETS, froc_curve
from mmwindow.evaluation.hit_rules import make_hit_rule
from mmwindow.evaluation.roc import auroc


def to_numpy(value):
    """Return a tensor or an array as an array; low-precision floats become float32.

    float64 stays: a classifier's scores near 1 are told apart in it alone.
    """
    if hasattr(value, 'detach'):
        value = value.detach().cpu()
        is_low = value.is_floating_point() and value.element_size() < 4
        value = (value.float() if is_low else value).numpy()
    return np.asarray(value)


def scores_to_numpy(value, what):
    """Return scores as an array; float16 and bfloat16 are refused.

    A float16 sigmoid is 1.0 from logit 8.3 on. Once made float32, its ties would look honest.
    """
    dtype = str(getattr(value, 'dtype', ''))
    if dtype.endswith('float16'):
        raise ValueError(f'the {what} are of type {dtype}; float32 is expected. Compute the sigmoid '
                         'outside autocast, or set val_cfg.fp16 and test_cfg.fp16 to False')
    return to_numpy(value)


@METRICS.register_module()
class FROCMetric(BaseMetric):
    """Exact FROC and AUROC of point-annotated findings (docs/method.md, sections 6 and 7).

    Each image is reduced to its events where it is processed; only these are kept and
    travel between ranks, and of these only what the numbers can depend on: less than 2 kB
    an image and class (docs/evaluation.md, "Speed"). Reads a sample's ``pred_heatmap.scores``
    (the map over the padded square) or, where there is none, the boxes of ``pred_instances``
    in pixels of the original image; the points come from the metainfo (``ori_points``).

    Keys, with several classes the mean over those that have a number, then one set per
    class: ``froc/auroc``, ``froc/recall@0.1`` and so on, ``froc/froc_score``.

    Args:
        hit_radius (float): Radius of the disk around a point, or with the rule 'distance' how far
            a finding's centre may lie from it; in pixels of a frame of side 1024.
        max_overlap (float): A box that overlaps the disks by less than this fraction of
            its area is a false positive ('disk_overlap').
        rule (str): 'disk_overlap', the paper's, or 'distance'; see
            :mod:`~mmwindow.evaluation.hit_rules`. Rules that ask for target boxes are those
            of ``tools/evaluate.py``.
        budgets (Sequence[float]): False positives per image at which recall is reported.
        convention (str): 'first_crossing', 'best' or 'interpolated'; see
            :meth:`~mmwindow.evaluation.FROCCurve.recall_at`.
        outfile (str, optional): A JSON that receives the record: every image's events, the
            settings, the operating points; see :func:`~mmwindow.evaluation.read_record`.
        keep_up_to (float | str, optional): False positives per image up to which events are
            kept; the numbers are the same to the digit whatever it is. 'auto': the largest
            budget; but everything with an ``outfile``, since a record is for intervals, tests
            and strata, which spend a budget elsewhere than all images together, and with the
            convention 'best', which reads every threshold. A number, at least the largest
            budget: that many, in the ``outfile`` too, whose intervals are then refused where a
            resample spends its budget further down. None: everything.
        collect_device (str): 'cpu' or 'gpu'.
        prefix (str): Of the keys.
    """

    default_prefix = 'froc'

    def __init__(self, hit_radius=50., max_overlap=0.1, budgets=DEFAULT_BUDGETS,
                 convention='first_crossing', outfile=None, keep_up_to='auto', rule='disk_overlap',
                 collect_device='cpu', prefix=None):
        super().__init__(collect_device=collect_device, prefix=prefix)
        if convention not in CONVENTIONS:
            raise ValueError(f'FROCMetric: convention is {convention!r}; it must be one of '
                             f'{CONVENTIONS}')
        if not budgets or min(budgets) < 0:
            raise ValueError(f'FROCMetric: budgets {budgets} must be some numbers of at least 0')
        try:
            self.rule = make_hit_rule(rule, hit_radius=hit_radius, max_overlap=max_overlap)
        except ValueError as error:
            raise ValueError(f'FROCMetric: {error}') from error
        if self.rule.needs_boxes:
            raise ValueError(f'FROCMetric: the rule {rule!r} asks for target boxes, but samples '
                             'carry points; write the predictions with tools/test.py --out and '
                             f'score them with tools/evaluate.py --rule {rule}')
        self.budgets = tuple(budgets)
        self.convention = convention
        self.outfile = outfile
        self.keep_up_to = self.check_keep_up_to(keep_up_to)
        self.expect_images(None)

    def check_keep_up_to(self, keep_up_to):
        """Return how many false positives per image are kept; None for all."""
        if keep_up_to == 'auto':
            everything = self.outfile is not None or self.convention == 'best'
            return None if everything else max(self.budgets)
        if keep_up_to is not None and self.convention == 'best':
            raise ValueError(f"FROCMetric: keep_up_to is {keep_up_to!r}, but the convention 'best' "
                             'reads every threshold; leave keep_up_to out')
        if keep_up_to is not None and (isinstance(keep_up_to, str)
                                       or not keep_up_to >= max(self.budgets)):
            raise ValueError(f"FROCMetric: keep_up_to is {keep_up_to!r}; 'auto', None or false "
                             f'positives per image of at least the largest budget, '
                             f'{max(self.budgets)}, are expected')
        return keep_up_to

    def expect_images(self, num_images):
        """Tell how many images, over all ranks, the evaluation that begins has.

        :class:`~mmwindow.engine.hooks.EvaluationSizeHook` does. What cannot matter is then
        dropped while the images stream by; else only before the events travel between ranks.

        Args:
            num_images (int, optional): One too large only drops less; None if it is not known.
        """
        self.kept = KeptEvents(self.results, self.keep_up_to, num_images)

    def process(self, data_batch, data_samples):
        """Reduce each image of a batch to its events, one per class."""
        for sample in data_samples:
            try:
                row = self.image_events(sample)
                if self.keep_up_to is not None and self.outfile is None:
                    row = [events.without_other_counts() for events in row]
                self.kept.add(row)
            except (ValueError, KeyError) as error:
                raise ValueError(f'FROCMetric, image {sample.get("img_path")}: {error}') from error

    def evaluate(self, size):
        """Return the numbers over all images; only events that can matter are gathered.

        Args:
            size (int): Number of images over all ranks, without those that a sampler repeats.
        """
        self.kept.prune(size)
        metrics = super().evaluate(size)
        self.expect_images(None)  # the next evaluation may be of other images
        return metrics

    def image_events(self, sample):
        """Return the events of one image, a list over classes.

        Args:
            sample (dict): A data sample as a dict, predictions and metainfo.
        """
        for name in ('ori_points', 'ori_point_labels', 'ori_shape', 'img_id'):
            if name not in sample:
                raise ValueError(f'the data sample has no {name}; PackPointInputs puts it into the '
                                 'metainfo')
        scale = FRAME_SIDE / max(sample['ori_shape'][:2])
        points = np.asarray(sample['ori_points'], dtype=np.float64).reshape(-1, 2) * scale
        labels = np.asarray(sample['ori_point_labels'], dtype=int).reshape(-1)
        num_classes = len(self.class_names(labels))
        if len(labels) != len(points) or (len(labels) and not (
                0 <= labels.min() <= labels.max() < num_classes)):
            raise ValueError(f'{len(points)} points have the labels {labels.tolist()}; one each is '
                             f'expected, from 0 to {num_classes - 1}')
        image_scores = [None] * num_classes
        if 'image_score' in sample:
            image_scores = scores_to_numpy(sample['image_score'], 'image scores').reshape(-1)
            if len(image_scores) != num_classes:
                raise ValueError(f'there are {len(image_scores)} image scores for {num_classes} '
                                 'classes; set num_classes of the head')
        common = dict(rule=self.rule)
        identity = sample_identity(sample)
        events = []
        for label in range(num_classes):
            chosen = dict(targets=points[labels == label], image_score=image_scores[label],
                          floor=self.kept.floor(label), **common, **identity)
            if 'pred_heatmap' in sample:
                scores = scores_to_numpy(sample['pred_heatmap']['scores'], 'map scores')
                if len(scores) != num_classes:
                    raise ValueError(f'the map has {len(scores)} classes, the data set '
                                     f'{num_classes}; set num_classes of the head')
                events.append(map_events(scores[label], **chosen))
            else:
                events.append(self.instance_events(sample, label, scale, chosen))
        return events

    @staticmethod
    def instance_events(sample, label, scale, chosen):
        """Return the events of one class of a box detector's findings."""
        instances = sample['pred_instances']
        mine = to_numpy(instances['labels']) == label
        height, width = sample['ori_shape'][:2]
        boxes = to_numpy(instances['bboxes']).reshape(-1, 4)[mine].astype(np.float64)
        if not np.isfinite(boxes).all():
            raise ValueError('a box has a coordinate that is not finite')
        scores = scores_to_numpy(instances['scores'], 'box scores')[mine]
        boxes = boxes.clip(0, [width, height, width, height])
        visible = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        return box_events(boxes[visible] * scale, scores[visible], **chosen)

    def class_names(self, labels=()):
        """Return the data set's classes; numbers where it names none."""
        classes = (self.dataset_meta or {}).get('classes')
        return list(classes) if classes else [
            str(label) for label in range(max([0, *labels]) + 1)]

    def compute_metrics(self, results):
        """Return the numbers over all images, and write ``outfile`` if it is set."""
        names = self.class_names()
        if len({len(row) for row in results}) != 1:
            raise ValueError('FROCMetric: images have different numbers of classes')
        if len(results[0]) != len(names):
            names = [str(label) for label in range(len(results[0]))]
        rows = [self.class_metrics(name, events)
                for name, events in zip(names, zip(*results, strict=True), strict=True)]
        metrics = {}
        for key in rows[0]:
            values = np.array([row[key] for row in rows])
            known = values[~np.isnan(values)]
            metrics[key] = float(known.mean()) if len(known) else float('nan')
        if len(rows) > 1:
            for name, row in zip(names, rows, strict=True):
                metrics.update({f'{name}_{key}': value for key, value in row.items()})
        if self.outfile is not None:
            self.write(names, results, metrics)
        return metrics

    def class_metrics(self, name, events):
        """Return the numbers of one class; NaN, and a word why, where there is none."""
        logger = MMLogger.get_current_instance()
        try:
            area = auroc([event.is_positive for event in events],
                         [event.score for event in events])
        except ValueError as error:
            print_log(f'FROCMetric, class {name}: no AUROC. {error}', logger=logger)
            area = float('nan')
        curve = froc_curve(events)
        if curve.num_points == 0:
            print_log(f'FROCMetric, class {name}: no recall, the {len(events)} images have no '
                      'point', logger=logger)
        recalls = {f'recall@{budget:g}': curve.recall_at(budget, self.convention)
                   for budget in self.budgets}
        return dict(auroc=area, **recalls,
                    froc_score=curve.score(self.budgets, self.convention))

    def write(self, names, results, metrics):
        """Write the record (:mod:`mmwindow.evaluation.files.records`) of all images."""
        settings = dict(**self.rule.settings, frame_side=FRAME_SIDE, budgets=self.budgets,
                        convention=self.convention, fp_denominator='all')
        write_record(
            self.outfile, dict(zip(names, zip(*results, strict=True), strict=True)), settings,
            metrics={f'{self.prefix}/{key}': value for key, value in metrics.items()})


def sample_identity(sample):
    """Return what names an image in its events: id, patient, file name and other fields."""
    name = Path(sample['img_path']).name if sample.get('img_path') else None
    fields = {**({'file_name': name} if name else {}), **(sample.get('fields') or {})}
    group = sample.get('group')
    return dict(image_id=sample['img_id'], group='' if group is None else str(group),
                fields=fields)
