"""The data set: images with points, negative images included."""
import logging
import os.path
from typing import Any

from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS
from mmengine.logging import print_log

from mmwindow.annotations.point_file import read_point_file
from mmwindow.annotations.point_rules import check_point_rule
from mmwindow.annotations.records import ImageRecord
from mmwindow.images.file_check import check_image_files, describe_problems
from mmwindow.structures.bounds import check_window


@DATASETS.register_module()
class CocoPointDataset(BaseDetDataset):
    """Images of COCO point files; an image without annotations is a negative image and stays in.

    Everything that can be known before training is checked when the data set is built, and each
    problem is an error that names the file, the record and what to do: the point file's records, and
    for each image that it is there, complete, and of the announced size. The same reader reads the
    ground truth of ``tools/evaluate.py``, so both have the same points.

    A sample holds ``img_id, img_path, height, width, group, fields`` (to report by), ``instances``
    (``bbox`` is ``[x, y]``; load with ``LoadAnnotations(with_bbox=True, box_type='point')``),
    ``ori_points`` and ``ori_point_labels`` for the metric (in test pipelines as well), and what
    transforms need to know: ``input_side``, ``window`` and ``num_classes``.

    Args:
        *args: As in mmdet's ``BaseDetDataset``; images lie in ``data_prefix['img']``, or without it
            in ``data_root``. ``ann_file`` is one point file or a list of them.
        points_from: How an annotation gives its points: 'auto' (by keypoints, else bbox, else
            polygon), or one of :data:`~mmwindow.annotations.point_rules.POINT_RULES`. So COCO boxes
            train as their centres.
        input_side (int, optional): Side of the square that the network sees, in pixels.
        window (dict, optional): ``lower_radius``, ``upper_radius`` and ``softness`` in pixels of
            a frame of side 1024; transforms scale them to the input side.
        check_images: Look at every image file when the data set is built (about 0.4 ms
            each).
        **kwargs: As in mmdet's ``BaseDetDataset``; ``metainfo=dict(classes=...)`` gives the labels
            their order (default: the file's categories by id).

    Raises:
        ValueError: Anything in the settings, the point file or the images is wrong.
    """

    METAINFO = dict(palette=[(220, 20, 60), (0, 114, 189), (237, 177, 32), (119, 172, 48),
                             (126, 47, 142), (77, 190, 238)])

    def __init__(self, *args: Any, points_from: str = 'auto', input_side=None, window=None,
                 check_images: bool = True, **kwargs: Any) -> None:
        check_point_rule(points_from)
        if input_side is not None and (
                isinstance(input_side, bool) or not isinstance(input_side, int) or input_side < 1):
            raise ValueError(f'CocoPointDataset: input_side is {input_side!r}; it must be a positive '
                             'whole number of pixels')
        if window is not None:
            _check_window_keys(window)
            check_window(**window)
        if any((kwargs.get('filter_cfg') or {}).values()):
            raise ValueError(f'CocoPointDataset: filter_cfg is {dict(kwargs["filter_cfg"])}, but no '
                             'image is ever dropped: filter_empty_gt would drop the negative '
                             'images, and min_size would silently do nothing; leave it out')
        self.points_from = points_from
        self.input_side = input_side
        self.window = None if window is None else dict(window)
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
        point_file = read_point_file(self.ann_file, self._metainfo.get('classes'), self.points_from)
        self._metainfo['classes'] = point_file.classes
        records = point_file.records
        if not self.test_mode and not any(record.points for record in records):
            print_log(f'{self.ann_file}: none of the {len(records)} images has a point; a model that '
                      'is trained on them alone learns to find nothing', 'current', logging.WARNING)
        folder = self._image_folder()
        problems = check_image_files(records, folder) if self.check_images else {}
        if problems:
            raise ValueError(f'{self.ann_file}: {len(problems)} of {len(records)} images in '
                             f'{folder or "."} cannot be used:\n{describe_problems(problems)}')
        return [self.parse_data_info(record) for record in records]

    def _image_folder(self) -> str:
        return self.data_prefix.get('img') or self.data_root or ''

    def parse_data_info(self, raw_data_info: ImageRecord) -> dict[str, Any]:
        """Return the dict of one image."""
        record = raw_data_info
        return dict(
            img_id=record.img_id,
            img_path=os.path.join(self._image_folder(), record.file_name),
            height=record.height, width=record.width, group=record.group, fields=dict(record.fields),
            instances=[dict(bbox=list(point), bbox_label=label, ignore_flag=0)
                       for point, label in zip(record.points, record.labels, strict=True)])

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return one sample before its pipeline: image, points, and what transforms need."""
        info = super().get_data_info(idx)
        info['ori_points'] = [list(instance['bbox']) for instance in info['instances']]
        info['ori_point_labels'] = [instance['bbox_label'] for instance in info['instances']]
        info['num_classes'] = len(self.metainfo['classes'])
        info['input_side'] = self.input_side
        info['window'] = self.window and dict(self.window)
        return info


def _check_window_keys(window):
    expected = {'lower_radius', 'upper_radius', 'softness'}
    if set(window) != expected:
        raise ValueError(f'CocoPointDataset: window has {sorted(window)}; expected '
                         f'{sorted(expected)}, all in pixels of a frame of side 1024')
