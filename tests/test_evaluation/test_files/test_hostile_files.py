"""Files made to hurt: pickles that make numpy read pointers, archives of gigabytes, pipes."""
import io
import json
import os
import pickle
import struct
import time
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from mmwindow.evaluation.files.array_files import iterate_npz, load_npy, load_png
from mmwindow.evaluation.files.prediction_archive import read_description
from mmwindow.evaluation.files.safe_pickle import load_samples


def write_pickle(path, reduce):
    """Write a list of one object that is rebuilt as ``reduce`` says."""
    class Hostile:
        def __reduce__(self):
            return reduce
    path.write_bytes(pickle.dumps([Hostile()]))
    return path


class Reduced:
    """Rebuilt by a function, arguments and state."""

    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


RECONSTRUCT = np.zeros(0).__reduce__()[0]
POINTER = struct.pack('<Q', 0xdeadbeef)


def test_no_sample_at_all(tmp_path):
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps([]))
    assert load_samples(tmp_path / 'a.pkl') == []


@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
def test_arrays_and_numbers_are_rebuilt_without_numpy(tmp_path, protocol):
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.asfortranarray(np.eye(3)[:, :2]),
              np.arange(3, dtype='>i4'), np.zeros((0, 4)), np.array([True, False]), np.array(5.)]
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps([*arrays, np.float64(0.1), np.int64(7)], protocol))
    found = load_samples(path)
    for old, new in zip(arrays, found, strict=False):
        assert old.shape == new.shape and old.dtype == new.dtype and (old == new).all()
    assert found[-2:] == [0.1, 7]


@pytest.mark.parametrize('hostile', [
    Reduced(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (1,), np.dtype('O'), False, POINTER)),
    Reduced(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (1,), np.dtype('O'), False, [1])),
    Reduced(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (1 << 60,), np.dtype('f8'), False, b'')),
    Reduced(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (-1,), np.dtype('f8'), False, b'')),
    Reduced(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (1,), np.dtype('f8'), False, b'123')),
    Reduced(RECONSTRUCT, (np.ndarray, (0,), b'b'), 3),
    Reduced(type(np.float64(1).__reduce__()[0]) and np.float64(1).__reduce__()[0],
            (np.dtype('O'), POINTER)),
    Reduced(np.dtype, ('O8', False, True)), Reduced(np.dtype, ('V8', False, True)),
    np.array([object], dtype=object), np.zeros(1, dtype=[('a', 'O')]),
])
def test_numpy_never_takes_foreign_bytes_for_objects(tmp_path, hostile):
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps([hostile]))
    with pytest.raises(ValueError, match='a.pkl: no prediction file'):
        load_samples(path)


def test_functions_are_never_called(tmp_path):
    path = write_pickle(tmp_path / 'a.pkl', (os.system, (f'touch {tmp_path}/called',)))
    load_samples(path)
    assert not (tmp_path / 'called').exists()


def test_pipes_are_rejected_at_once(tmp_path):
    for read, name in ((load_samples, 'a.pkl'), (load_npy, 'a.npy'), (load_png, 'a.png'),
                       (read_description, 'a.npz')):
        os.mkfifo(tmp_path / name)
        with pytest.raises(ValueError, match=f'{name}: .*it is a pipe'):
            read(tmp_path / name)


def header(shape, descr='<f8'):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, dict(shape=shape, fortran_order=False, descr=descr))
    return stream.getvalue()


def test_an_archive_that_would_become_gigabytes_is_rejected_cheaply(tmp_path):
    path = tmp_path / 'bomb.npz'
    num = (1 << 28) + (1 << 22)  # 260 MiB of zeros in a quarter of a megabyte
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive, archive.open(
            'a.npy', 'w', force_zip64=True) as stream:
        stream.write(header((num,), '|u1'))
        for _ in range(num >> 22):
            stream.write(bytes(1 << 22))
    started = time.process_time()
    with pytest.raises(ValueError, match="the entry 'a' has .* would become"):
        list(iterate_npz(path))
    assert time.process_time() - started < 1
    for content, words in ((header((1 << 60,)), 'the header says'),
                           (header((-3, 2)), 'says|shape|neg'),
                           (header((1,), '|O') + POINTER, 'of type object'), (b'junk', 'magic|read')):
        (tmp_path / 'a.npy').write_bytes(content)
        with pytest.raises(ValueError, match=words):
            load_npy(tmp_path / 'a.npy')
        with zipfile.ZipFile(path, 'w') as archive:
            archive.writestr('a.npy', content)
        with pytest.raises(ValueError, match=words):
            list(iterate_npz(path))


def test_a_compressed_map_of_equal_scores_is_no_bomb(tmp_path):
    np.savez_compressed(tmp_path / 'a.npz', a=np.zeros((1024, 1024), np.float32))
    (name, values), = iterate_npz(tmp_path / 'a.npz')
    assert name == 'a' and values.shape == (1024, 1024) and not values.any()


@pytest.mark.parametrize('change, words', [
    (dict(format='other'), '"format" is not'), (dict(version=9), 'reads up to format 1'),
    (dict(images=3), 'no lists'), (dict(images=[3]), 'needs an image_id'),
    (dict(images=[dict(image_id=1, map='map_9')]), "no entry 'map_9'"),
    (dict(images=[dict(image_id=1, num_boxes=5)]), "no entry 'boxes'"),
])
def test_a_description_that_makes_no_sense_is_rejected(tmp_path, change, words):
    from mmwindow.evaluation.files.prediction_archive import iterate_archive
    content = {**dict(format='mmwindow-predictions', version=1, classes=['a'], images=[]), **change}
    path = tmp_path / 'a.npz'
    np.savez(path, description=np.frombuffer(json.dumps(content).encode(), np.uint8))
    with pytest.raises(ValueError, match=words):
        list(iterate_archive(path, read_description(path)))


def png(rows, height=2, width=3, tail=b'', broken=b''):
    """Return a grey PNG of 8 bits, each row one byte for its filter and the pixels."""
    def chunk(name, data):
        return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
    header = chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0))
    return b'\x89PNG\r\n\x1a\n' + header + chunk(b'IDAT', zlib.compress(rows)) + broken + (
        chunk(b'IEND', b'') if tail is not None else b'')


ROWS = bytes([0, 10, 20, 30, 0, 40, 50, 60])


def test_maps_of_a_complete_png_are_its_grey_values(tmp_path):
    (tmp_path / 'a.png').write_bytes(png(ROWS))
    assert (load_png(tmp_path / 'a.png') * 255).round().tolist() == [[10, 20, 30], [40, 50, 60]]


@pytest.mark.parametrize('content, words', [
    (png(ROWS[:4]), 'not the 3 x 2 of its header'),  # Pillow gives a row of zeros
    (png(ROWS[:6]), 'not the 3 x 2'), (png(ROWS * 2), 'not the 3 x 2'), (png(ROWS, tail=None),
                                                            'cut short'),
    (png(ROWS)[:-20], 'checksum'), (png(bytes([9]) + ROWS[1:]), 'unknown filter'),
    (png(ROWS)[:8] + png(ROWS)[33:], 'header'), (png(ROWS).replace(b'IDAT', b'IDAU'), 'checksum'),
    (png(ROWS, height=1 << 30), 'would become'), (b'', 'no PNG'), (b'GIF89a', 'no PNG')])
def test_a_map_whose_png_is_damaged_is_rejected(tmp_path, content, words):
    (tmp_path / 'a.png').write_bytes(content)
    with pytest.raises(ValueError, match=f'a.png: the map cannot be read .*{words}'):
        load_png(tmp_path / 'a.png')


@pytest.mark.parametrize('text', ["{'descr': '<f8', 'fortran_order'", '(' * 9000, "{'a': (1", '\0',
                                  '-' * 9000])
def test_a_header_of_npy_that_is_no_python_is_rejected_in_one_line(tmp_path, text):
    content = b'\x93NUMPY\x01\0' + struct.pack('<H', len(text)) + text.encode()
    (tmp_path / 'a.npy').write_bytes(content)
    with pytest.raises(ValueError, match='a.npy: the map cannot be read') as error:
        load_npy(tmp_path / 'a.npy')
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize('content', [
    b'\x80\x04]r\xff\xff\xff\x7f.',  # the place 2147483647 of the memo: 32 GB
    b'\x80\x04\x96' + struct.pack('<Q', 1 << 40) + b'.', b'\x80\x04\x8e' + struct.pack('<Q',
                                                            1 << 40) + b'.',
    b'\x80\x02\x8b\xff\xff\xff\x7f.', b'\x80\x04Pa\n.', b'', b'no pickle'])
def test_a_few_bytes_of_a_pickle_do_not_ask_for_gigabytes(tmp_path, content):
    (tmp_path / 'a.pkl').write_bytes(content)
    with pytest.raises(ValueError, match='a.pkl: no prediction file') as error:
        load_samples(tmp_path / 'a.pkl')
    assert not isinstance(error.value.__cause__,
                          MemoryError) and len(str(error.value).splitlines()) == 1


def test_lists_that_hold_each_other_without_end_are_rejected(tmp_path):
    laughs, own = ['ha'], []
    for _ in range(30):
        laughs = [laughs] * 10
    own.append(own)
    for value in (laughs, own, {'a': laughs}):
        (tmp_path / 'a.pkl').write_bytes(pickle.dumps([value]))
        with pytest.raises(ValueError, match='a.pkl: .*(without end|recursion)'):
            load_samples(tmp_path / 'a.pkl')


@pytest.mark.parametrize('arguments, words', [
    ((0, (1 << 34, ), (0, )), 'has 3 numbers'), ((0, (4, ), (1, )), 'has 3 numbers'), ((1 << 40, (1,
                                                            ), (1, )), 'has 3'),
    ((0, (3, ), (-1, )), 'shape and strides'), ((0, (2, ), ()), 'shorter'), ((-1, (1, ), (1, )),
                                                            'has 3 numbers')])
def test_a_tensor_has_the_numbers_of_its_storage(tmp_path, arguments, words):
    torch = pytest.importorskip('torch')
    path, rebuild = tmp_path / 'a.pkl', torch._utils._rebuild_tensor_v2
    storage = torch.arange(3.).storage()
    path.write_bytes(pickle.dumps([Reduced(rebuild, (storage, 1, (2, ), (1, ), False, {}))]))
    assert load_samples(path)[0].tolist() == [1., 2.]
    path.write_bytes(pickle.dumps([Reduced(rebuild, (storage, *arguments, False, {}))]))
    with pytest.raises(ValueError, match=f'a.pkl: .*{words}'):
        load_samples(path)


@pytest.mark.parametrize('change, words', [
    (dict(ori_shape=3.5), 'ori_shape'), (dict(ori_shape=('a', 2)), 'ori_shape'), (dict(ori_shape=(80,
                                                            )), 'ori_shape'),
    (dict(pred_instances=3), 'bboxes'), (dict(pred_heatmap=np.zeros((3, 40))), 'scores'),
    (dict(scores=np.array(['a'])), 'type'), (dict(bboxes=np.array([['a'] * 4])), 'type|convert'),
    (dict(labels=['x' * 5000]), 'labels are'), (dict(img_id='b\n' * 3000), 'no image'),
    (dict(img_id=[[]]), 'no image'),
    (dict(bboxes=np.zeros((1, 4), np.complex64)), 'type')])
def test_fields_of_a_pickle_of_another_type_are_named(tmp_path, change, words):
    from mmwindow.evaluation import Target, evaluate
    from mmwindow.evaluation.files.ground_truth import GroundTruth
    from mmwindow.evaluation.files.prediction_files import read_predictions
    sample = dict(img_id=1, ori_shape=(80, 100), pred_instances=dict(
        bboxes=np.array([[1., 2., 3., 4.]]), scores=np.array([.5]), labels=np.array([0])))
    for key, value in change.items():
        (sample['pred_instances'] if key in sample['pred_instances'] else sample)[key] = value
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps([sample]))
    targets = [Target(1, 80, 100, fields=dict(file_name='a.png'))]
    truth = GroundTruth(targets, ('fracture', ), {1: 0}, {}, tmp_path / 'points.json')
    with pytest.raises(ValueError, match=words) as error:
        evaluate(read_predictions(path, truth), targets)
    assert len(str(error.value).splitlines()) == 1 and len(str(error.value)) <= 700


def test_a_pickle_of_eight_bytes_asks_for_no_gigabytes(tmp_path):
    """``LONG_BINPUT`` names a place of a table that the unpickler in C then makes: 2 GB here."""
    path = tmp_path / 'boxes.pkl'
    path.write_bytes(b'\x80\x02]r\xff\xff\xff\x07.')
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match='remembers an object under the number 134217727'):
            load_samples(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_pickle_whose_frame_is_longer_than_the_file_is_rejected(tmp_path):
    sample = dict(img_id=1, ori_shape=(80, 100), pred_instances=dict(
        bboxes=np.zeros((0, 4)), scores=np.zeros(0), labels=np.zeros(0, int)))
    content = pickle.dumps([sample], protocol=4)
    path = tmp_path / 'boxes.pkl'
    path.write_bytes(content)
    assert len(load_samples(path)) == 1
    length, = struct.unpack_from('<Q', content, 3)
    path.write_bytes(content[:3] + struct.pack('<Q', length + 1) + content[11:])
    with pytest.raises(ValueError, match=f'a frame of {length + 1} bytes, of which {length}'):
        load_samples(path)
