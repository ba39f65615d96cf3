"""A radiograph in colour is read, a photograph is rejected."""
import numpy as np
import pytest

from mmwindow.images.colour import check_is_grey
from mmwindow.images.decode import GrayImage


def image(share, spread, side=100):
    """Return an image of which a share of the rows is coloured by a spread of levels."""
    pixels = np.full((side, side, 3), 100, np.uint8)
    pixels[:round(share * side), :, 0] += spread
    return GrayImage(pixels)


def test_what_is_a_photograph():
    for share, spread in ((0, 0), (1, 20), (.12, 150)):  # equal, tinted by JPEG, a coloured marker
        check_is_grey(image(share, spread), 'a.jpg')
    check_is_grey(GrayImage(np.full((9, 9), 7, np.uint8)), 'a.jpg')
    check_is_grey(GrayImage(np.full((1, 1, 3), 7, np.uint8)), 'a.jpg')
    with pytest.raises(ValueError, match=r'a.jpg: this image is in colour \(52% of its pixels\)'):
        check_is_grey(image(.5, 60), 'a.jpg')
    deep = GrayImage(image(.5, 60).pixels.astype(np.uint16) * 256, 16)
    with pytest.raises(ValueError, match='in colour'):
        check_is_grey(deep, 'a.tif')
