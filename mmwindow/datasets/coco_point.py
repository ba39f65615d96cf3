"""The data set: images with points, negative images included."""
import logging
import os.path
from collections.abc import Iterable
from typing import Any

from mmcv.transforms import LoadImageFromFile
from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS
from mmengine.logging import print_log

from mmwindow.annotations.point_file import read_point_file
from mmwindow.annotations.point_rules import check_point_rule
from mmwindow.annotations.reader_names import ALL
from mmwindow.annotations.readers import choose_readers, describe_left_out
from mmwindow.annotations.records import ImageRecord
from mmwindow.datasets.transforms.load_radiograph import fuse_loading
from mmwindow.images.decode import MAX_PIXELS, ImageSettings
from mmwindow.images.file_check import check_image_files, describe_problems, describe_turned
from mmwindow.utils.messages import count_words, none_of, shorten

# Settings of version 0.1 that are now those of transforms.
MOVED = {
    'input_side': 'input_size of ResizeToInput: --cfg-options input_size=..',
    'window': 'the arguments of PointToBoundTransform: --cfg-options window.lower_radius=..'}


@DATASETS.register_module()
class CocoPointDataset(BaseDetDataset):
    """Images of COCO point files; an image without annotations is a negative image and stays in.

    Everything that can be known before training is checked when the data set is built, and each
    problem is an error that names the file, the record and what to do: the point file's records, and
    for each image that it is there, complete, and of the announced size. The same reader reads the
    ground truth of ``tools/evaluate.py``, so both have the same points.

    A sample holds ``img_id, img_path, height, width, group, fields`` (to report by), ``instances``
    (``bbox`` is ``[x, y]``; load with ``LoadAnnotations(with_bbox=True, box_type='point')``) and
    ``ori_points`` and ``ori_point_labels`` for the metric (in test pipelines as well), and where
    every point of an image has a box, ``ori_boxes``, ``[x1, y1, x2, y2]``, for rules that need boxes.

    Args:
        *args: As in mmdet's ``BaseDetDataset``; images lie in ``data_prefix['img']``, or without it
            in ``data_root``. ``ann_file`` is one point file or a list of them.
        points_from: How an annotation gives its points: 'auto' (by keypoints, else bbox, else
            polygon), or one of :data:`~mmwindow.annotations.point_rules.POINT_RULES`. So COCO boxes
            train as their centres.
        readers: Whose points are taken where annotations name several readers: 'merge' (findings of
            more than half of the readers of an image, at the mean of their points within 50 pixels
            of the 1024 frame), 'all' (every reader's, so that a place can have several points) or
            the name of one, on the images that this reader has read. None: several readers are
            rejected; see docs/readers.md.
        check_images: Read every image file when the data set is built (docs/images.md says what it
            costs).
        **kwargs: As in mmdet's ``BaseDetDataset``; ``metainfo=dict(classes=...)`` gives the labels
            their order (default: the file's categories by id).

    Raises:
        ValueError: Anything in the settings, the point file or the images is wrong.
    """

    METAINFO = dict(palette=[(220, 20, 60), (0, 114, 189), (237, 177, 32), (119, 172, 48),
                             (126, 47, 142), (77, 190, 238)])
    ann_file: str | list[str]

    def __init__(self, *args: Any, points_from: str = 'auto', readers: str | None = None,
                 check_images: bool = True, **kwargs: Any) -> None:
        check_point_rule(points_from)
        for name, place in MOVED.items():
            if kwargs.pop(name, None) is not None:
                raise ValueError(f'CocoPointDataset: {name} is now {place}, which reaches the '
                                 'pipelines of training, validation and test; leave it out here')
        if any((kwargs.get('filter_cfg') or {}).values()):
            raise ValueError(f'CocoPointDataset: filter_cfg is {dict(kwargs["filter_cfg"])}, but no '
                             'image is ever dropped: filter_empty_gt would drop the negative '
                             'images, and min_size would silently do nothing; leave it out')
        self.points_from = points_from
        self.readers = readers
        self.check_images = check_images
        super().__init__(*args, **kwargs)

    def _join_prefix(self) -> None:
        """Join ``data_root`` with the folder of images and with each annotation file."""
        files = self.ann_file
        if isinstance(files, str):
            super()._join_prefix()
            return
        self.ann_file = ''
        super()._join_prefix()
        # An absolute path stays as it is.
        self.ann_file = [os.path.join(self.data_root or '', file) for file in files]

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return one dict per image of the point files."""
        everybody = read_point_file(self.ann_file, self._metainfo.get('classes'), self.points_from,
                                    readers=ALL)
        point_file = choose_readers(everybody, self.readers)
        left_out = describe_left_out(everybody, point_file)
        if left_out:
            print_log(f'{self.ann_file}: {left_out}', 'current', logging.WARNING)
        self._metainfo['classes'] = point_file.classes
        for transform in self.pipeline.transforms:
            if getattr(transform, 'num_classes', 0) is None:  # of PointToBoundTransform
                transform.num_classes = len(point_file.classes)
        records = point_file.records
        if not self.test_mode and not any(record.points for record in records):
            print_log(f'{self.ann_file}: {none_of(len(records), "image")} has a point; a model '
                      'that is trained on them alone learns to find nothing', 'current',
                      logging.WARNING)
        folder = self._image_folder()
        settings = image_settings(self.pipeline.transforms)
        self.pipeline.transforms, reader = fuse_loading(self.pipeline.transforms)
        problems, turned = check_image_files(
            records if self.check_images else [], folder, settings, reader)
        if reader and reader.cache and reader.cache.problem:
            print_log(reader.cache.problem, 'current', logging.WARNING)
        if turned:
            print_log(f'{self.ann_file}: {describe_turned(turned)}', 'current', logging.WARNING)
        if problems:
            raise ValueError(f'{self.ann_file}: {len(problems)} of '
                             f'{count_words(len(records), "image")} in '
                             f'{folder or "."} cannot be used:\n{describe_problems(problems)}')
        return [self.parse_data_info(record) for record in records]

    def _image_folder(self) -> str:
        return self.data_prefix.get('img') or self.data_root or ''

    def parse_data_info(self, raw_data_info: ImageRecord) -> dict[str, Any]:
        """Return the dict of one image."""
        record = raw_data_info
        has_boxes = record.points and None not in record.boxes
        return dict(
            **(dict(ori_boxes=[list(box) for box in record.boxes if box]) if has_boxes else {}),
            img_id=record.img_id,
            img_path=os.path.join(self._image_folder(), record.file_name),
            height=record.height, width=record.width, group=record.group, fields=dict(record.fields),
            instances=[dict(bbox=list(point), bbox_label=label, ignore_flag=0)
                       for point, label in zip(record.points, record.labels, strict=True)])

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return one sample before its pipeline."""
        info = super().get_data_info(idx)
        info['ori_points'] = [list(instance['bbox']) for instance in info['instances']]
        info['ori_point_labels'] = [instance['bbox_label'] for instance in info['instances']]
        return info


def image_settings(transforms: Iterable[object]) -> ImageSettings:
    """Return how the loader of a pipeline reads images.

    Raises:
        ValueError: A loader would decode them otherwise: mmcv's turns images by their tags and takes
            the upper 8 of 16 bits.
    """
    for transform in transforms:
        args = getattr(transform, 'backend_args', None) or {}
        if args.get('backend') == 'radiograph':
            return ImageSettings(args.get('bit_depth'), args.get('max_pixels', MAX_PIXELS))
        if isinstance(transform, LoadImageFromFile):
            raise ValueError('LoadImageFromFile has the backend_args '
                             f'{shorten(dict(args))}, by which mmcv decodes images and turns them by '
                             "their tags, but not their points; give it backend_args=dict(backend="
                             "'radiograph'), and what the files lie in as its storage")
    return ImageSettings()
