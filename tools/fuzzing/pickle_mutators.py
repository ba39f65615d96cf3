"""Mutations of pickles: opcodes, memo, lengths, foreign callables, and other objects in them."""
import collections
import copy
import datetime
import os
import pickle
import pickletools
import random
import struct
from typing import Any

import numpy as np

from fuzzing.byte_mutators import mutate_bytes
from fuzzing.json_mutators import NAMES, Raw


class Call:
    """Is rebuilt by a call of anything."""

    def __init__(self, function: Any, *parts: Any) -> None:
        self.parts = (function, *parts)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts


class Foreign:
    """A class that no reader knows."""

    def __init__(self, value: Any = None) -> None:
        self.value = value


RECONSTRUCT = np.zeros(0).__reduce__()[0]
SCALAR = np.float64(1).__reduce__()[0]
POINTER = struct.pack('<Q', 0xdeadbeef)


def nested(depth: int) -> Any:
    """Return lists in lists."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def laughs(depth: int = 30) -> Any:
    """Return a list that holds another ten times, and so on: few bytes, no end when written out."""
    value: Any = ['ha']
    for _ in range(depth):
        value = [value] * 10
    return value


def strange_objects() -> tuple[Any, ...]:
    """Return objects that a field of a pickle may hold by mistake or by malice."""
    numbers = (None, True, 0, -1, 3, 2.5, float('nan'), float('inf'), 10 ** 400, 2 ** 63, 1j)
    arrays = (
        np.zeros((0, 4)), np.zeros(4), np.zeros((3, 4, 5)), np.ones((2, 4), np.float16), np.full((1,
                                                            4), np.nan),
        np.zeros((1, 4), np.complex64), np.array(['a', 'b']), np.array([object]), np.zeros(2, [('a',
                                                            'f4')]),
        np.arange(3), np.array(5.), np.float64(.5), np.int64(7), np.bool_(True), np.zeros((1,) * 30),
        np.array([1 << 62, 3]), np.array(['2020'], 'M8[Y]'))
    calls = (
        Call(os.system, ('touch called',)), Call(eval, ("__import__('os').mkdir('called')",)),
        Call(os.mkdir, ('called',)), Call(getattr, (os, 'system')), Call(bytearray, (1 << 33,)),
        Call(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (1,), np.dtype('O'), False, POINTER)),
        Call(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (1 << 60,), np.dtype('f8'), False, b'')),
        Call(RECONSTRUCT, (np.ndarray, (1 << 40,), b'b')), Call(RECONSTRUCT, (np.ndarray, (0,),
                                                            b'b'), 3),
        Call(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, 2)), Call(SCALAR, (np.dtype('O'), POINTER)),
        Call(np.dtype, ('f8', False, True), (3, '>')), Call(np.dtype, ('f8', False, True), 5),
        Call(collections.OrderedDict, ([('a', 1)],)), Call(Foreign, (1,)), Foreign(3), Foreign,
        datetime.datetime(2020, 1, 1), collections.Counter('aab'), os.stat_result((0,) * 10))
    containers = ([], {}, (), [[]], {'a': 1}, set(), {1, 2}, b'abc', bytearray(3), nested(60),
                  nested(800), range(3), laughs(), {'a': laughs()})
    import torch

    storage = torch.zeros(3).storage()
    rebuild = torch._utils._rebuild_tensor_v2
    calls += tuple(Call(rebuild, arguments) for arguments in (
        (storage, 0, (1 << 34,), (0,), False, collections.OrderedDict()),
        (storage, 0, (1 << 34,), (1,), False, collections.OrderedDict()),
        (storage, 1 << 40, (1,), (1,), False, collections.OrderedDict()),
        (storage, 0, (3, 1), (-1, 1), False, collections.OrderedDict()), (storage, 0, (2,), (1,),
                                                            False, 'a'),
        (None, 0, (1,), (1,), False, collections.OrderedDict())))
    texts = tuple(name for name in NAMES if not isinstance(name, Raw))
    return (*numbers, *arrays, *calls, *containers, *texts)


def places(tree: Any, depth: int = 6) -> list[tuple[Any, Any]]:
    """Return each place of dicts and lists in a tree, down to a depth: it may hold itself."""
    found: list[tuple[Any, Any]] = []
    if depth:
        entries: Any = tree.items() if isinstance(tree, dict) else (
            enumerate(tree) if isinstance(tree, list) else ())
        for key, value in entries:
            found += [(tree, key), *places(value, depth - 1)]
    return found


def mutate_objects(tree: Any, rng: random.Random) -> Any:
    """Return a mutated copy of the objects of a pickle."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice([1, 1, 2])):
        candidates = places(tree)
        if not candidates:
            return rng.choice(strange_objects())
        container, key = rng.choice(candidates)
        way = rng.randrange(6)
        if way < 3:
            container[key] = rng.choice(strange_objects())
        elif way == 3:
            del container[key]
        elif way == 4:
            other, place = rng.choice(candidates)
            container[key] = other[place]
        else:
            container[key] = container if rng.random() < .3 else [container[key]]
    return tree


def mutate_opcodes(data: bytes, rng: random.Random) -> bytes:
    """Return a pickle with opcodes left out, repeated, exchanged or inserted."""
    starts = [position for _, _, position in pickletools.genops(data)] + [len(data)]
    parts = [data[start:end] for start, end in zip(starts[:-1], starts[1:], strict=True)]
    for _ in range(rng.choice([1, 1, 2, 4])):
        place = rng.randrange(len(parts))
        way = rng.randrange(6)
        if way == 0:
            del parts[place]
        elif way == 1:
            parts.insert(place, parts[rng.randrange(len(parts))])
        elif way == 2:
            other = rng.randrange(len(parts))
            parts[place], parts[other] = parts[other], parts[place]
        elif way == 3:
            parts.insert(place, rng.choice(OPCODES))
        elif way == 4:
            parts[place] = rng.choice(OPCODES)
        else:
            parts[place] = mutate_bytes(parts[place], rng)
        if not parts:
            return b''
    return b''.join(parts)


OPCODES = (
    b'0', b'1', b'2', b'(', b')', b']', b'}', b'\x8f', b'l', b'd', b't', b'a', b'e', b's', b'u',
    b'b', b'R', b'i', b'o',
    b'\x81', b'\x92', b'Q', b'Pa\n', b'\x82\x01', b'\x83\x01\0', b'h\xff', b'j\xff\xff\xff\x7f',
    b'q\xff',
    b'r\xff\xff\xff\x7f', b'g0\n', b'p0\n', b'\x94', b'cos\nsystem\n', b'cbuiltins\neval\n',
    b'c\n\n', b'cnumpy\nndarray\n',
    b'S"touch called"\n', b'I99999999999\n', b'L1L\n', b'Fnan\n', b'F1e999\n', b'V\\ud800\n',
    b'I01\n', b'N', b'\x88',
    b'\x8a\xff' + b'\x7f' * 255, b'\x8b\xff\xff\xff\x7f', b'\x8b\xff\xff\xff\xff',
    b'B\xff\xff\xff\x7f', b'T\xff\xff\xff\x7f',
    b'X\xff\xff\xff\x7f', b'\x8d' + b'\xff' * 7 + b'\x7f', b'\x8e\0\0\0\0\x01\0\0\0',
    b'\x96\0\0\0\0\x01\0\0\0', b'\x97',
    b'\x98', b'\x95\xff\xff\xff\xff\xff\xff\xff\x7f', b'\x95\0\0\0\0\0\0\0\0', b'.', b'\x80\x05',
    b'\x80\x63', b'\x93',
    b'(' * 2000, b'](' * 500, b']' * 3000 + b'a' * 2999, b'G\x7f\xf8\0\0\0\0\0\0')


def mutate_pickle(data: bytes, rng: random.Random) -> bytes:
    """Return a mutated pickle.

    Args:
        data: A valid one, of plain data and arrays.
        rng: Source of chance.
    """
    way = rng.randrange(6)
    if way == 0:
        return mutate_bytes(data, rng)
    if way < 3:
        return mutate_opcodes(data, rng)
    objects = mutate_objects(pickle.loads(data), rng)  # a seed of ours
    try:
        return pickle.dumps(objects, rng.choice([2, 3, 4, 5]))
    except (RecursionError, TypeError, AttributeError, pickle.PicklingError, OverflowError):
        return mutate_opcodes(data, rng)
