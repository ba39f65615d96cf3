"""Mutations of ZIP archives and of the NPY files in them."""
import functools
import io
import random
import struct
import zipfile
import zlib

import numpy as np

from fuzzing.byte_mutators import mutate_bytes

DTYPES = ('<f4', '<f8', '>f4', '<f2', '|b1', '|u1', '<i8', '<u8', '<c16', '|O', '|V8', '<U3', '|S5',
          '<M8[s]', '<m8',
          'O8', 'f4,f4', '<f16', '|V0', '<U0', 'x', '', '<f4' * 100)
SHAPES = ('()', '(0,)', '(1,)', '(0, 5)', '(-1, 5)', '(5,)', '(1, 1)', '(2**3,)',
          '(1073741824, 1073741824)', '(4294967296,)',
          '(' + '1, ' * 40 + ')', '(1.0, 5)', 'None', '5', '(True, 5)', '(9223372036854775807, 2)',
          "('a',)", '(10, 10, 10)')
BOMB_BYTES = 400 << 20


def npy_with_header(header: str, data: bytes, version: int = 1) -> bytes:
    """Return an NPY file of any header text."""
    text = header.encode('latin-1', 'replace')
    text += b' ' * (-(len(text) + 11) % 64) + b'\n'
    length = struct.pack('<H', len(text) % 65536) if version == 1 else struct.pack('<I', len(text))
    return b'\x93NUMPY' + bytes([version, 0]) + length + text + data


def split_npy(data: bytes) -> tuple[np.dtype, tuple[int, ...], bytes]:
    """Return type, shape and bytes of a valid NPY file of version 1."""
    array = np.load(io.BytesIO(data))
    return array.dtype, array.shape, array.tobytes()


def mutate_npy(data: bytes, rng: random.Random) -> bytes:
    """Return a mutated NPY file: header, values or bytes.

    Args:
        data: A valid one.
        rng: Source of chance.
    """
    way = rng.randrange(5)
    if way == 0:
        return mutate_bytes(data, rng)
    dtype, shape, body = split_npy(data)
    if way == 1:  # other values of the right form
        values = np.frombuffer(body, dtype).copy()
        if values.size:
            with np.errstate(all='ignore'):
                places = [rng.randrange(values.size) for _ in range(rng.choice([1, 1, 5, 50]))]
                values[places] = np.array(rng.choice([
                    np.nan, np.inf, -np.inf, 0., -0., 1., -1., 1e-40, 1e38, .5, 2.,
                    300.])).astype(dtype)
        stream = io.BytesIO()
        np.save(stream, values.reshape(shape))
        return stream.getvalue()
    if way == 2:  # another type or order of the same values
        stream = io.BytesIO()
        values = np.frombuffer(body, dtype).reshape(shape)
        with np.errstate(all='ignore'):
            values = rng.choice([
                lambda: values.astype(rng.choice(['<f8', '>f4', '>f8', '<f2', '|b1', '<i4', '<U9',
                                                  '<c8', '<f16'])),
                lambda: np.asfortranarray(values), lambda: values[..., None], lambda: values[None],
                lambda: values.reshape(-1), lambda: values[..., ::-1], lambda: values[:1],
                lambda: values * 0,
                lambda: values.T])()
        np.save(stream, values)
        return stream.getvalue()
    descr = repr(dtype.str) if rng.random() < .5 else repr(rng.choice(DTYPES))
    shape_text = repr(shape) if rng.random() < .5 else rng.choice(SHAPES)
    order = rng.choice(['False', 'False', 'True', 'None', '3'])
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape_text}, }}"
    if rng.random() < .2:
        header = rng.choice([
            "__import__('os').mkdir('called')", '{}', '[]', '{' * 3000, '(' * 50000, header[:-3],
            header + ' 1',
            "{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,), }", 'a' * 70000,
            '\0' * 30,
            "{'descr': ('<f4', (2000000000,)), 'fortran_order': False, 'shape': (1,), }",
            header.replace("'shape'", "'shapes'"), header.replace('}', "'more': 1}")])
    return npy_with_header(header, rng.choice([body, body, body, b'', body * 2, body[:-1]]),
                           rng.choice([1, 1, 1, 2, 3, 4, 0]))


def read_members(data: bytes) -> list[tuple[str, bytes]]:
    """Return names and contents of an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def write_members(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return an archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w', method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content, method)
    return stream.getvalue()


@functools.cache
def compressed_zeros() -> tuple[bytes, int]:
    """Return a raw deflate stream of many zeros, and their checksum."""
    packer, crc, chunk = zlib.compressobj(1, zlib.DEFLATED, -15), 0, bytes(1 << 20)
    parts = []
    for _ in range(BOMB_BYTES >> 20):
        parts.append(packer.compress(chunk))
        crc = zlib.crc32(chunk, crc)
    return b''.join([*parts, packer.flush()]), crc


def bomb(name: str, claimed: int) -> bytes:
    """Return an archive of one member that becomes far larger than it is, and may claim less."""
    packed, crc = compressed_zeros()
    encoded = name.encode('utf-8', 'replace')
    sizes = struct.pack('<IIIHH', crc, len(packed), claimed, len(encoded), 0)
    local = b'PK\3\4' + struct.pack('<HHHHH', 20, 0, 8, 0, 33) + sizes + encoded
    entry = (b'PK\1\2' + struct.pack('<HHHHHH', 20, 20, 0, 8, 0, 33) + sizes
             + struct.pack('<HHHII', 0, 0, 0, 0, 0) + encoded)
    end = b'PK\5\6' + struct.pack('<HHHHIIH', 0, 0, 1, 1, len(entry), len(local) + len(packed), 0)
    return local + packed + entry + end


def lie_in_directory(data: bytes, rng: random.Random) -> bytes:
    """Change one field of one entry of the archive's index."""
    places, start = [], data.find(b'PK\1\2')
    while start >= 0:
        places.append(start)
        start = data.find(b'PK\1\2', start + 4)
    if not places:
        return data
    changed, start = bytearray(data), rng.choice(places)
    field, size = rng.choice([(8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (42, 4)])
    number = rng.choice([0, 1, 8, 12, 14, 99, 0xffff, 2 ** 31 - 1, 2 ** 32 - 1,
                         rng.randrange(2 ** 32)])
    changed[start + field:start + field + size] = (number % (1 << 8 * size)).to_bytes(size, 'little')
    return bytes(changed)


def mutate_zip(data: bytes, rng: random.Random, mutate_member: object = None) -> bytes:
    """Return a mutated archive: members, index, sizes, checksums or bytes.

    Args:
        data: A valid one.
        rng: Source of chance.
        mutate_member: Takes name, content and ``rng`` and returns other content; NPY if None.
    """
    members = read_members(data)
    number = rng.randrange(len(members))
    name, content = members[number]
    way = rng.choice(['bytes', 'member', 'member', 'member', 'rename', 'drop', 'twice', 'order',
                      'directory', 'method',
                      'bomb', 'add'])
    if way == 'bytes':
        return mutate_bytes(data, rng)
    if way == 'directory':
        return lie_in_directory(data, rng)
    if way == 'bomb':
        return bomb(name, rng.choice([BOMB_BYTES, 1000,
                                      2 ** 32 - 1])) if rng.random() < .1 else data[:-22]
    if way == 'member':
        mutated = (mutate_member(name, content, rng) if callable(mutate_member)
                   else mutate_npy(content, rng))
        members[number] = name, mutated
    elif way == 'rename':
        new = rng.choice([name + 'x', name.replace('.npy', ''), 'a/' + name, '../' + name, '', '\0',
                          'x' * 5000,
                          members[rng.randrange(len(members))][0], name.upper(), 'é.npy'])
        members[number] = new, content
    elif way == 'drop':
        del members[number]
    elif way == 'twice':
        members.append((name, rng.choice([content, b'', content[:-1]])))
    elif way == 'order':
        rng.shuffle(members)
    elif way == 'add':
        members.append((rng.choice(['a.npy', 'a', 'a/', '__MACOSX/._a.npy', 'x' * 300 + '.npy']),
                        content))
    method = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2,
                         zipfile.ZIP_LZMA])
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of a name that is there twice
        return write_members(members, method if way == 'method' else zipfile.ZIP_STORED)
