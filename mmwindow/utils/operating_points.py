"""Operating points of a model: thresholds with where they come from, as plain JSON data.

They lie in ``run.json``, in checkpoints and in exported models, so that this file needs the standard
library alone. What chooses them is :mod:`mmwindow.evaluation.statistics.operating_point`.
"""
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmwindow.utils.json_fields import FLAG, LIST, NUMBER, OBJECT, TEXT, WHOLE, check_fields
from mmwindow.utils.messages import count_words, quote, shorten

RULES = ('fp_budget', 'sensitivity', 'specificity', 'youden')
DENOMINATORS = ('all', 'normals')
LEVELS = ('images', 'findings')
FORMAT = 'mmwindow-operating-points'
VERSION = 1
POINT_KINDS = dict(
    threshold=NUMBER, rule=TEXT, target=NUMBER.optional, same_scale=FLAG, fp_denominator=TEXT,
    achieved=OBJECT, num_images=WHOLE, note=TEXT.optional, threshold_interval=LIST.optional,
    intervals=OBJECT.optional)
KINDS = dict(
    classes=LIST, split=TEXT, data=TEXT.optional, training_data=TEXT.optional, num_images=WHOLE,
    num_patients=WHOLE, input_size=LIST.optional, preprocessing=TEXT.optional,
    versions=OBJECT.optional)


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and where it comes from.

    Attributes:
        threshold: Findings and images of this score or better are called. inf: none
            is; -inf: all are.
        rule: One of :data:`RULES`.
        target: Of the rule; None for 'youden'.
        same_scale: Whether image scores and finding scores are on one scale, so that
            one threshold serves both.
        fp_denominator: 'all' or 'normals', as in
            :class:`~mmwindow.evaluation.froc_settings.FROCSettings`.
        achieved: On the images it was chosen on: ``fp_rate`` and
            ``recall``, or ``sensitivity`` and ``specificity`` (None without that class).
        num_images: Of those.
        note: Says where the target was out of reach.
        chosen_on: The images and patients it was chosen on, by which they are recognised among those
            that it is applied to
            (:class:`~mmwindow.evaluation.statistics.shared_images.KnownImages`); not stored.
        threshold_interval: Low and high end, 95 %, of the thresholds that the rule chooses in
            resamples of the patients; None where none was computed.
        intervals: Of what it does on the images it was chosen on, name to ``[estimate, low, high]``,
            95 % over patients. They flatter: the threshold was chosen on these images.
    """
    threshold: float
    rule: str
    target: float | None
    same_scale: bool
    fp_denominator: str
    achieved: dict[str, Any]
    num_images: int
    note: str = ''
    chosen_on: Any = field(default=None, repr=False, compare=False)
    threshold_interval: tuple[float, float] | None = None
    intervals: dict[str, Any] = field(default_factory=dict)

    @property
    def serves_findings(self) -> bool:
        """Whether the threshold is one of findings too, not of image scores alone."""
        return self.same_scale or self.rule == 'fp_budget'

    @property
    def serves_images(self) -> bool:
        """Whether the threshold is one of image scores too, not of findings alone."""
        return self.same_scale or self.rule != 'fp_budget'

    def describe(self) -> str:
        """Return the rule and its target in words.

        >>> OperatingPoint(.4, 'fp_budget', .1, True, 'all', {}, 90).describe()
        'a budget of 0.1 false positives per image'
        """
        if self.rule == 'fp_budget':
            kind = '' if self.fp_denominator == 'all' else 'negative '
            return f'a budget of {self.target:g} false positives per {kind}image'
        if self.rule == 'youden':
            return "Youden's index (the largest sum of sensitivity and specificity)"
        return f'a {self.rule} of images of at least {self.target:g}'

    def to_json(self) -> dict[str, Any]:
        """Return the point as JSON data.

        Raises:
            ValueError: The threshold is infinite: it is none that a model can use.
        """
        if not math.isfinite(self.threshold):
            raise ValueError(f'the threshold is {self.threshold}; a finite one is expected')
        return dict(
            threshold=float(self.threshold), rule=self.rule, target=self.target,
            same_scale=self.same_scale, fp_denominator=self.fp_denominator,
            achieved=dict(self.achieved), num_images=self.num_images, note=self.note,
            threshold_interval=None if self.threshold_interval is None else [
                float(end) for end in self.threshold_interval],
            intervals={name: [float(number) for number in values]
                       for name, values in self.intervals.items()})

    @classmethod
    def from_json(cls, content: Any, name: str = 'operating point') -> 'OperatingPoint':
        """Return the point that JSON data holds, checked.

        Args:
            content: From :meth:`to_json`.
            name: Of the file, for the messages.

        Raises:
            ValueError: An entry is missing, or none that a point can have.
        """
        what = 'operating point'
        check_fields(content, name, what, POINT_KINDS)
        for key, allowed in (('rule', RULES), ('fp_denominator', DENOMINATORS)):
            if content[key] not in allowed:
                raise ValueError(f'{name}: "{key}" of the {what} is {quote(content[key])}; one of '
                                 f'{", ".join(allowed)} is expected')
        target = content.get('target')
        if (target is None) != (content['rule'] == 'youden'):
            raise ValueError(f'{name}: the {what} by {content["rule"]} has the target '
                             f'{quote(target)}; {"none" if target is not None else "a number"} is '
                             'expected')
        if target is not None and (target < 0 or content['rule'] != 'fp_budget' and target > 1):
            raise ValueError(f'{name}: "target" of the {what} by {content["rule"]} is {target}; '
                             'a rate of at least 0, or a share up to 1, is expected')
        if content['num_images'] < 1:
            raise ValueError(f'{name}: "num_images" of the {what} is {content["num_images"]}; at '
                             'least 1 is expected')
        ends = content.get('threshold_interval')
        if ends is not None and not _is_rising(ends, 2):
            raise ValueError(f'{name}: "threshold_interval" of the {what} is {quote(ends)}; a low '
                             'and a high end are expected')
        intervals = content.get('intervals') or {}
        for key, values in intervals.items():
            if not isinstance(values, list) or len(values) != 3 or not all(
                    map(NUMBER.fits, values)) or not values[1] <= values[0] <= values[2]:
                raise ValueError(f'{name}: the interval {quote(key)} of the {what} is '
                                 f'{quote(values)}; estimate, low and high end are expected')
        for key, value in content['achieved'].items():
            if not NUMBER.or_none.fits(value):
                raise ValueError(f'{name}: {quote(key)} that the {what} achieved is {quote(value)}; '
                                 'a number is expected')
        return cls(
            float(content['threshold']), content['rule'], None if target is None else float(target),
            content['same_scale'], content['fp_denominator'], dict(content['achieved']),
            content['num_images'], content.get('note') or '',
            threshold_interval=None if ends is None else (float(ends[0]), float(ends[1])),
            intervals={key: tuple(map(float, values)) for key, values in intervals.items()})


def _is_rising(values: Any, length: int) -> bool:
    return (isinstance(values, list) and len(values) == length and all(map(NUMBER.fits, values))
            and values == sorted(values))


@dataclass(frozen=True)
class ClassOperatingPoints:
    """The thresholds of one class.

    Attributes:
        images: Of image scores; None with a reason.
        findings: Of findings; None with a reason. Where image scores and findings are on one scale,
            both are the same point.
        reasons: For each level of :data:`LEVELS` without a point, why.
    """

    images: OperatingPoint | None = None
    findings: OperatingPoint | None = None
    reasons: dict[str, str] = field(default_factory=dict)

    def at(self, level: str) -> OperatingPoint | None:
        """Return the point of a level.

        Raises:
            ValueError: The level is unknown.
        """
        if level not in LEVELS:
            raise ValueError(f'the level is {quote(level)}; one of {", ".join(LEVELS)} is expected')
        return self.images if level == 'images' else self.findings


@dataclass(frozen=True)
class ModelOperatingPoints:
    """The thresholds that belong to a model, and what they were chosen on.

    Attributes:
        classes: By the names of the classes, in the order of the labels.
        split: Where the images are from: 'val', or the name of a data set.
        data: SHA-256 of its annotation files; '' where it is not known.
        training_data: Likewise, of the training.
        num_images: That they were chosen on.
        num_patients: Of these; images that name no patient count each.
        input_size: Height and width of what the network saw, pixels; None where it is not known.
        preprocessing: Digest of the test pipeline and the model's data preprocessor.
        versions: Of the packages.
    """

    classes: dict[str, ClassOperatingPoints]
    split: str
    num_images: int
    num_patients: int
    data: str = ''
    training_data: str = ''
    input_size: tuple[int, int] | None = None
    preprocessing: str = ''
    versions: dict[str, str | None] = field(default_factory=dict)

    def point(self, class_name: str, level: str) -> OperatingPoint | None:
        """Return the point of a class, of 'images' or 'findings'; None where there is none.

        Raises:
            ValueError: The level is unknown.
        """
        return self.classes.get(class_name, ClassOperatingPoints()).at(level)

    def threshold(self, class_name: str, level: str) -> float | None:
        """Return the threshold of a class, of 'images' or 'findings'; None where there is none.

        Raises:
            ValueError: The level is unknown.
        """
        point = self.point(class_name, level)
        return None if point is None else point.threshold

    def warnings(self) -> list[str]:
        """Return why classes have no threshold, a line each."""
        return [f'class {shorten(name, 60)}: no threshold of {level}: {reason}'
                for name, points in self.classes.items() for level, reason in points.reasons.items()]

    def to_json(self) -> dict[str, Any]:
        """Return the points as JSON data."""
        def plain(point: OperatingPoint | None) -> dict[str, Any] | None:
            return None if point is None else point.to_json()

        return dict(
            format=FORMAT, version=VERSION, split=self.split, data=self.data,
            training_data=self.training_data, num_images=self.num_images,
            num_patients=self.num_patients,
            input_size=None if self.input_size is None else list(self.input_size),
            preprocessing=self.preprocessing,
            # torch's version is a class of its own, which no checkpoint of data holds.
            versions={name: None if version is None else str(version)
                      for name, version in self.versions.items()},
            classes=[dict(name=name, images=plain(points.images), findings=plain(points.findings),
                          reasons=dict(points.reasons)) for name, points in self.classes.items()])

    @classmethod
    def from_json(cls, content: Any, name: str = 'operating points') -> 'ModelOperatingPoints':
        """Return the points that JSON data holds, checked.

        Args:
            content: From :meth:`to_json`.
            name: Of the file, for the messages.

        Raises:
            ValueError: An entry is missing or none that points can have, or the format is newer.
        """
        what = 'entry of operating points'
        if not isinstance(content, Mapping) or content.get('format') != FORMAT:
            raise ValueError(f'{name}: the {what} is {quote(content)}; what a training of mmwindow '
                             'wrote is expected')
        if content.get('version') != VERSION:
            raise ValueError(f'{name}: the {what} is of format {quote(content.get("version"))}; '
                             f'this mmwindow reads {VERSION}: update mmwindow')
        check_fields(dict(content), name, what, KINDS)
        classes: dict[str, ClassOperatingPoints] = {}
        for entry in content['classes']:
            check_fields(entry, name, 'class of the operating points', dict(
                name=TEXT, images=OBJECT.optional, findings=OBJECT.optional, reasons=OBJECT.optional))
            if entry['name'] in classes:
                raise ValueError(f'{name}: the {what} has the class {quote(entry["name"])} twice')
            points = {level: None if entry.get(level) is None else
                      OperatingPoint.from_json(entry[level], name) for level in LEVELS}
            classes[entry['name']] = ClassOperatingPoints(
                **points, reasons={str(key): shorten(str(reason)) for key, reason in
                                   (entry.get('reasons') or {}).items()})
        if content['num_images'] < 1 or not 0 < content['num_patients'] <= content['num_images']:
            raise ValueError(f'{name}: the {what} counts '
                             f'{count_words(content["num_images"], "image")} of '
                             f'{count_words(content["num_patients"], "patient")}; at least one of '
                             f'each, and no more '
                             'patients than images, are expected')
        size = content.get('input_size')
        if size is not None and (len(size) != 2 or not all(
                WHOLE.fits(side) and side > 0 for side in size)):
            raise ValueError(f'{name}: "input_size" of the {what} is {quote(size)}; height and width '
                             'are expected')
        return cls(classes, content['split'], content['num_images'], content['num_patients'],
                   content.get('data') or '', content.get('training_data') or '',
                   None if size is None else (size[0], size[1]),
                   content.get('preprocessing') or '', dict(content.get('versions') or {}))
