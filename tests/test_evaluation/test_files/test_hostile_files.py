"""Files made to hurt: pickles that make numpy read pointers, archives of gigabytes, pipes."""
import io
import json
import os
import pickle
import struct
import time
import tracemalloc
import zipfile

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
        with pytest.raises(ValueError, match='no ordinary file'):
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


def test_a_pickle_of_eight_bytes_asks_for_no_gigabytes(tmp_path):
    """``LONG_BINPUT`` names a place of a table that the unpickler in C then makes: 2 GB here."""
    path = tmp_path / 'boxes.pkl'
    path.write_bytes(b'\x80\x02]r\xff\xff\xff\x07.')
    tracemalloc.start()
    try:
        assert load_samples(path) == []
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
