"""Splits need no mmdet; the registered types are found where they are asked for."""
import subprocess
import sys

import pytest


def test_splits_and_folds_load_no_mmdet():
    code = ('import sys\nfrom mmwindow.datasets import folds, fracatlas, splits\n'
            'print(sorted({"torch", "mmdet", "mmengine"} & set(sys.modules)))')
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == '[]'


def test_types_are_found_by_name():
    from mmwindow import datasets

    assert datasets.CocoPointDataset.__module__ == 'mmwindow.datasets.coco_point'
    assert datasets.BalancedImageSampler.__module__ == 'mmwindow.datasets.samplers'
    assert datasets.ResizeToInput.__module__.startswith('mmwindow.datasets.transforms')
    with pytest.raises(AttributeError, match='Nothing'):
        datasets.Nothing  # noqa: B018
