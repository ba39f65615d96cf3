"""The loaders of pipelines read what images/decode.py reads."""
import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from mmengine.registry import init_default_scope

from mmwindow.datasets.transforms import LoadRadiograph
from mmwindow.datasets.transforms.load_radiograph import LoadFitted, fuse_loading
from mmwindow.images.decode import ImageSettings, read_image
from mmwindow.images.padding import is_one_channel


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


def pipeline(input_size, cache, bit_depth=None, before=()):
    """Return the steps of a training of single steps, built."""
    init_default_scope('mmdet')
    return [TRANSFORMS.build(step) for step in (
        dict(type='LoadImageFromFile', backend_args=dict(
            backend='radiograph', bit_depth=bit_depth, cache=cache)),
        *before,
        dict(type='LoadAnnotations', with_bbox=True, box_type='point'),
        dict(type='ResizeToInput', input_size=input_size),
        dict(type='RandomFlip', prob=1.), dict(type='PadToInput', divisor=1),
        dict(type='PackPointInputs', meta_keys=META))]


META = ('img_path', 'ori_shape', 'img_shape', 'scale_factor', 'input_size', 'flip')


def run(steps, path, height=30, width=41):
    results = dict(img_path=str(path), height=height, width=width, instances=[
        dict(bbox=[3.5, 20.25], bbox_label=0, ignore_flag=0)])
    for step in steps:
        results = step.transform(results)
    sample = results['data_samples']
    return results['inputs'], sample.gt_instances.bboxes.tensor, sample.metainfo


@pytest.mark.parametrize('input_size', [16, (64, 80), (30, 41), (20, 90)])
@pytest.mark.parametrize('name, dtype, shape, bit_depth', [
    ('a.png', np.uint8, (30, 41), None), ('a.jpg', np.uint8, (30, 41, 3), None),
    ('a.png', np.uint16, (30, 41), 12), ('a.tif', np.uint16, (30, 41, 3), 16)])
def test_the_network_sees_the_same_with_and_without_the_cache(
        tmp_path, name, dtype, shape, bit_depth, input_size):
    """Bit for bit: single steps, one step without cache, with it, and from it; points too."""
    path = tmp_path / name
    top = 2 ** (bit_depth or 8)
    cv2.imwrite(str(path), np.random.default_rng(1).integers(0, top, shape).astype(dtype))
    expected = run(pipeline(input_size, False, bit_depth), path)
    for cache in (False, str(tmp_path / 'cache'), str(tmp_path / 'cache')):
        steps, reader = fuse_loading(pipeline(input_size, cache, bit_depth))
        assert isinstance(steps[0], LoadFitted)
        inputs, points, meta = run(steps, path)
        assert torch.equal(inputs, expected[0]) and torch.equal(points, expected[1])
        assert meta == expected[2] and meta['ori_shape'] == (30, 41)
    assert reader.cache.num_found == 1 and reader.cache.num_kept == 0
    with pytest.raises(ValueError, match='41 x 30 .* the point file says 41 x 31'):
        run(steps, path, height=31)


@pytest.mark.parametrize('shape', [(30, 41), (30, 41, 3), (16, 16), (9, 5)])
def test_channels_are_one_in_the_memory_only_where_no_step_changes_pixels(tmp_path, shape):
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8))
    steps = [step for step in pipeline(16, False) if type(step).__name__ != 'RandomFlip']
    test_steps = [step for step in steps if type(step).__name__ != 'LoadAnnotations']
    results = [dict(img_path=str(path)), dict(img_path=str(path))]
    fused = fuse_loading(test_steps)[0]
    assert fused[0].is_viewed and fuse_loading(steps)[0][0].is_viewed  # points alone are loaded
    assert not fuse_loading(pipeline(16, False))[0][0].is_viewed
    assert is_one_channel(fused[0].transform(dict(results[0]))['img']) == (len(shape) == 2)
    packed = []
    for result, chosen in zip(results, (test_steps, fused), strict=True):
        for step in chosen:
            result = step.transform(result)
        packed.append(result['inputs'])
    assert packed[0].shape == (3, 16, 16) and torch.equal(*packed)
    assert packed[1].is_contiguous() and packed[1].untyped_storage().nbytes() == 3 * 16 * 16


def test_a_loader_that_cannot_use_the_cache_stays_or_says_so(tmp_path):
    other = dict(type='RandomIntensity')
    steps = pipeline(16, None, before=[other])
    assert fuse_loading(steps) == (steps, None)
    with pytest.raises(ValueError, match='cache is True, but .* ResizeToInput has to follow'):
        fuse_loading(pipeline(16, True, before=[other]))
    for loader in (dict(type='LoadImageFromFile', to_float32=True,
                        backend_args=dict(backend='radiograph')), dict(type='LoadImageFromFile')):
        steps = [TRANSFORMS.build(loader), *pipeline(16, None)[1:]]
        assert fuse_loading(steps) == (steps, None)
    assert fuse_loading([]) == ([], None)
    for step in (dict(type='LoadRadiograph', cache=3), dict(
            type='LoadImageFromFile', backend_args=dict(backend='radiograph', cache=''))):
        with pytest.raises(ValueError, match='cache is'):
            load(tmp_path / 'a.png', step)


def test_the_cache_serves_files_that_lie_elsewhere(tmp_path):
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), np.random.default_rng(1).integers(0, 256, (30, 41)).astype(np.uint8))
    expected = run(pipeline(16, False), path)
    step = dict(type='LoadRadiograph', backend_args=dict(backend='local'),
                cache=str(tmp_path / 'cache'))
    for _ in range(2):
        steps, reader = fuse_loading([TRANSFORMS.build(step), *pipeline(16, None)[1:]])
        assert torch.equal(run(steps, path)[0], expected[0])
    assert reader.cache.num_found == 1


def test_a_data_set_trains_on_equal_samples_and_decodes_once(own_tiny_dataset, tmp_path, monkeypatch):
    """The check before training fills the cache; the second building decodes nothing."""
    from mmdet.registry import DATASETS

    from mmwindow.images import cache as cache_module
    from mmwindow.images import file_check, fitted_reader
    monkeypatch.setattr(cache_module, 'SETTLED', -1.)

    def build(cache):
        init_default_scope('mmdet')
        return DATASETS.build(dict(
            type='CocoPointDataset', data_root=str(own_tiny_dataset), data_prefix=dict(img='images/'),
            ann_file='annotations/train.json', pipeline=[
                dict(type='LoadImageFromFile', backend_args=dict(backend='radiograph', cache=cache)),
                dict(type='LoadAnnotations', with_bbox=True, box_type='point'),
                dict(type='ResizeToInput', input_size=64), dict(type='PadToInput'),
                dict(type='PackPointInputs')]))

    def samples(dataset):
        return [(sample['inputs'], sample['data_samples'].gt_instances.bboxes.tensor,
                 sample['data_samples'].ori_points) for sample in dataset]

    expected = samples(build(False))
    place = str(tmp_path / 'cache')
    decode = file_check.decode_image
    decoded = []
    for module in (file_check, fitted_reader):
        monkeypatch.setattr(module, 'decode_image',
                            lambda *args: decoded.append(args[3]) or decode(*args))
    for _ in range(2):
        for ours, theirs in zip(samples(build(place)), expected, strict=True):
            assert torch.equal(ours[0], theirs[0]) and torch.equal(ours[1], theirs[1])
            assert ours[2] == theirs[2]
        assert len(decoded) == len(set(decoded)) == 6


def write_dicom(path, pixels):
    """Write an image of 8 bits of somebody with a name."""
    pydicom = pytest.importorskip('pydicom')
    data_set = pydicom.Dataset()
    data_set.file_meta = pydicom.dataset.FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data_set.SOPClassUID, data_set.SOPInstanceUID = '1.2.840.10008.5.1.4.1.1.1', '1.2.3'
    data_set.PatientName, data_set.PatientID = 'Mustermann^Erika', 'PID-4711'
    data_set.Rows, data_set.Columns = pixels.shape
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, 'MONOCHROME2'
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 8, 8, 7
    data_set.PixelRepresentation = 0
    data_set.PixelData = pixels.tobytes()
    data_set.save_as(path, enforce_file_format=True)


def test_a_data_set_of_dicom_is_cached_by_itself(own_tiny_dataset, tmp_path, monkeypatch):
    """By the loader of configs/_base_/datasets/points.py, without a word in a config."""
    from mmdet.registry import DATASETS
    monkeypatch.setenv('MMWINDOW_CACHE', str(tmp_path / 'cache'))
    for path in (own_tiny_dataset / 'images').glob('train_*.png'):
        write_dicom(path, read_image(path).pixels)

    def build(**cache):
        init_default_scope('mmdet')
        return DATASETS.build(dict(
            type='CocoPointDataset', data_root=str(own_tiny_dataset), data_prefix=dict(img='images/'),
            ann_file='annotations/train.json', test_mode=True, pipeline=[
                dict(type='LoadImageFromFile', backend_args=dict(
                    backend='radiograph', bit_depth=None, **cache)),
                dict(type='ResizeToInput', input_size=64), dict(type='PadToInput'),
                dict(type='PackPointInputs')]))

    expected = [sample['inputs'] for sample in build(cache=False)]
    assert not (tmp_path / 'cache').exists()
    dataset = build()
    kept = list((tmp_path / 'cache' / 'images' / 'pixels').glob('*/*'))
    assert len(kept) == 6
    for sample, inputs in zip(dataset, expected, strict=True):
        assert torch.equal(sample['inputs'], inputs)
    content = b''.join(path.read_bytes() + str(path.relative_to(tmp_path)).encode()
                       for path in (tmp_path / 'cache').rglob('*') if path.is_file())
    assert not any(word in content for word in (b'Mustermann', b'4711', b'train_'))
