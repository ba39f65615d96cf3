"""The worked example of docs/readers.md: three readers, eight images, numbers by hand."""
from pathlib import Path

import pytest

from mmwindow.annotations import read_point_file
from mmwindow.evaluation.readers import read_images

EXAMPLE = Path(__file__).parents[3] / 'docs' / 'examples' / 'readers'


@pytest.fixture(scope='session')
def example():
    """The images with the marks of R1, R2 and R3, who has not read image 8."""
    return read_images(read_point_file(EXAMPLE / 'points.json', readers='all'))
