"""The loaders of pipelines read what images/decode.py reads."""
import cv2
import numpy as np
import pytest
from mmdet.registry import TRANSFORMS
from mmengine.registry import init_default_scope

from mmwindow.datasets.transforms import LoadRadiograph
from mmwindow.images.decode import ImageSettings, read_image


def load(path, step):
    init_default_scope('mmdet')
    return TRANSFORMS.build(step).transform(dict(img_path=str(path)))


def steps(bit_depth=None):
    """Return the short and the long form of the first step of a pipeline."""
    return [dict(type='LoadRadiograph', bit_depth=bit_depth),
            dict(type='LoadImageFromFile',
                 backend_args=dict(backend='radiograph', bit_depth=bit_depth))]


@pytest.mark.parametrize('name, dtype, shape, bit_depth', [
    ('a.png', np.uint8, (30, 41), None), ('a.jpg', np.uint8, (30, 41, 3), None),
    ('a.png', np.uint16, (30, 41), 12), ('a.tif', np.uint16, (30, 41, 3), 16)])
def test_both_forms_give_the_pixels_of_the_decoder(tmp_path, name, dtype, shape, bit_depth):
    top = 2 ** (bit_depth or 8)
    cv2.imwrite(str(tmp_path / name), np.random.default_rng(0).integers(0, top, shape).astype(dtype))
    expected = read_image(tmp_path / name, ImageSettings(bit_depth)).to_bgr()
    for step in steps(bit_depth):
        results = load(tmp_path / name, step)
        assert np.array_equal(results['img'], expected)
        assert results['img_shape'] == results['ori_shape'] == (30, 41)


def test_files_may_lie_elsewhere(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((4, 4), 7, np.uint8))
    assert (load(tmp_path / 'a.png', dict(type='LoadRadiograph', backend_args=dict(
        backend='local')))['img'] == 7).all()


def test_errors_name_the_file(tmp_path):
    (tmp_path / 'a.png').write_bytes(b'nothing')
    for step in steps():
        for name, says in (('a.png', 'no image that can be read'), ('b.png', 'cannot be read')):
            with pytest.raises(ValueError, match=f'{tmp_path}/{name}: .*{says}'):
                load(tmp_path / name, step)
    with pytest.raises(ValueError, match='bit_depth is 3'):
        LoadRadiograph(bit_depth=3)


def test_the_limit_of_pixels_reaches_the_decoder(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((4, 4), 7, np.uint8))
    for step in steps():
        args = {'backend_args': dict(step['backend_args'], max_pixels=15)} if 'backend_args' in step \
            else dict(max_pixels=15)
        with pytest.raises(ValueError, match='more than the limit of 15; raise max_pixels'):
            load(tmp_path / 'a.png', {**step, **args})
