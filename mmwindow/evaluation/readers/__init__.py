"""Several human readers of the same images: merged reference, agreement, operating points.

Pure functions of numpy and scipy. Definitions and a worked example: docs/readers.md.
"""
from mmwindow.annotations.merging import MergedFindings, MergeSettings, merge_readers
from mmwindow.evaluation.readers.agreement import (
    PairAgreement,
    ReaderAgreement,
    ReaderCounts,
    reader_agreement,
)
from mmwindow.evaluation.readers.chance import cohens_kappa, krippendorffs_alpha
from mmwindow.evaluation.readers.matching import Matches, match_points
from mmwindow.evaluation.readers.operating_points import (
    ReaderPoint,
    SystemAtReader,
    reader_operating_points,
)
from mmwindow.evaluation.readers.readings import ReadImage, others_target, read_images

__all__ = ['Matches', 'MergeSettings', 'MergedFindings', 'PairAgreement', 'ReadImage',
           'ReaderAgreement', 'ReaderCounts', 'ReaderPoint', 'SystemAtReader', 'cohens_kappa',
           'krippendorffs_alpha', 'match_points', 'merge_readers', 'others_target', 'read_images',
           'reader_agreement', 'reader_operating_points']
