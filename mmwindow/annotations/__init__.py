"""Point files: reading, checking, writing; imports nothing of the OpenMMLab family."""
from mmwindow.annotations.groups import group_name, unit_name
from mmwindow.annotations.point_file import (
    load_point_json,
    point_file_content,
    points_digest,
    read_point_file,
    write_point_file,
)
from mmwindow.annotations.point_rules import POINT_RULES
from mmwindow.annotations.records import ImageRecord, PointFile

__all__ = ['POINT_RULES', 'ImageRecord', 'PointFile', 'group_name', 'load_point_json',
           'point_file_content', 'points_digest', 'read_point_file', 'unit_name',
           'write_point_file']
