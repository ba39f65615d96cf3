"""Reading the pickle of mmdet's ``DumpDetResults`` without mmdet, and without running its code.

A pickle may name any function to be called when it is read. Nothing of numpy is: arrays are built
here from their bytes, with types of plain numbers alone. A class of any other library becomes an
empty stand-in. A few bytes of a pickle can ask for gigabytes, or for lists that hold each other a
billion times: both are rejected before anything is built of them.
"""
import io
import math
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.utils.files import check_ordinary_file
from mmwindow.utils.messages import shorten

# Names of torch that rebuild tensors, and run nothing else.
TORCH_NAMES = {('torch', 'device'), ('torch', 'Size'), ('torch.serialization', '_get_layout')}
MEMO_OPCODES = ('PUT', 'BINPUT', 'LONG_BINPUT')
# Objects that references to one object may make of each opcode; real files have less than ten.
MAX_OBJECTS_PER_OPCODE = 100


class StandIn:
    """Takes the place of an object of a class that is not let through."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class DtypeStandIn:
    """A numpy dtype of numbers, from its name and the byte order in its state."""

    def __init__(self, name: object, *_: object) -> None:
        if not isinstance(name, str) or len(name) > 8 or name[:1] not in 'biufc':
            raise ValueError(f'an array is of type {str(name)[:40]!r}; plain numbers are expected')
        self.dtype = np.dtype(name)

    def __setstate__(self, state: Any) -> None:
        # Version, byte order, and what only types with fields have.
        if not isinstance(state, tuple) or len(state) < 5 or state[0] not in (3, 4) or (
                state[1] not in ('<', '>', '|', '=')) or any(part is not None for part in state[2:5]):
            raise ValueError(f'the type of an array is of the form {shorten(state, 80)}')
        if state[1] == '>':
            self.dtype = self.dtype.newbyteorder('>')


def build_array(data: Any, dtype: Any, shape: Any, is_fortran: bool = False) -> np.ndarray:
    """Return an array from its bytes.

    Raises:
        ValueError: They are no bytes, of no number type, or not as many as the shape asks for.
    """
    if not isinstance(dtype, DtypeStandIn) or not isinstance(data, bytes | bytearray):
        raise ValueError('an array holds objects; plain numbers are expected')
    if not isinstance(shape, tuple) or len(shape) > 8 or not all(
            isinstance(side, int) and side >= 0 for side in shape):
        raise ValueError(f'an array has the shape {str(shape)[:80]}')
    if math.prod(shape) * dtype.dtype.itemsize != len(data):
        raise ValueError(f'an array of shape {shape} has {len(data)} bytes')
    return np.frombuffer(bytes(data), dtype.dtype).reshape(
        shape, order='F' if is_fortran else 'C').copy()


class ArrayStandIn:
    """An array whose content comes as its state; :func:`resolve` puts the array in its place."""

    def __init__(self, *_: object) -> None:
        self.array = np.zeros(0)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, data = state
        self.array = build_array(data, dtype, shape, is_fortran)


def build_scalar(dtype: Any, data: Any) -> Any:
    """Return a number of numpy from its bytes."""
    return build_array(data, dtype, (1, ))[0]


def build_from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    """Return an array as protocol 5 of pickle writes it."""
    return build_array(data, dtype, shape, order == 'F')


def encode(text: Any, encoding: Any) -> bytes:
    """Return bytes as protocol 2 of pickle writes them."""
    if encoding != 'latin1' or not isinstance(text, str):
        raise ValueError(f'bytes are encoded as {str(encoding)[:40]!r}')
    return text.encode('latin1')


def empty_bytes() -> bytes:
    """Return no bytes, as protocol 2 writes those of an empty array."""
    return b''


def load_storage(data: bytes) -> object:
    """Return the storage of a tensor from its bytes, by torch's own restricted reader."""
    if not isinstance(data, bytes | bytearray):
        raise ValueError(f'a tensor has its numbers in {type(data).__name__}; bytes are expected')
    stream = io.BytesIO(data)
    if zipfile.is_zipfile(stream):
        with zipfile.ZipFile(stream) as archive:
            if sum(member.file_size for member in archive.infolist()) > len(data):
                raise ValueError('the numbers of a tensor are compressed, or not as many as it says')
    stream.seek(0)
    return import_module('torch').load(stream, weights_only=True, map_location='cpu')


def build_tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: object) -> Any:
    """Return a tensor of numbers that lie in its storage.

    Raises:
        ValueError: The storage does not hold as many; torch would make it as large as is asked for.
    """
    torch = import_module('torch')
    if not isinstance(storage, torch.storage.TypedStorage):
        raise ValueError(f'a tensor is made of {type(storage).__name__}; a storage is expected')
    for numbers in (shape, stride):
        if not isinstance(numbers, tuple) or len(numbers) > 8 or not all(
                isinstance(side, int) and side >= 0 for side in numbers):
            raise ValueError(f'a tensor has shape and strides {shorten((shape, stride), 80)}')
    reach = sum((side - 1) * step for side, step in zip(shape, stride, strict=True))
    if not isinstance(offset, int) or offset < 0 or math.prod(shape) and (
            max(offset + reach + 1, math.prod(shape)) > storage.size()):
        raise ValueError(f'a tensor of shape {shape} has {storage.size()} numbers')
    tensor = torch.tensor([], dtype=storage.dtype)
    return tensor.set_(storage._untyped_storage, offset, shape, stride)


OWN: dict[tuple[str, str], Callable[..., Any]] = {
    ('_codecs', 'encode'): encode, ('__builtin__', 'bytes'): empty_bytes,
    ('builtins', 'bytes'): empty_bytes, ('collections', 'OrderedDict'): OrderedDict,
    ('numpy', 'dtype'): DtypeStandIn, ('numpy', 'ndarray'): StandIn,
    ('torch.storage', '_load_from_bytes'): load_storage,
    ('torch._utils', '_rebuild_tensor_v2'): build_tensor,
    **{(f'numpy.{core}.{module}', name): function for core in ('core', '_core')
       for module, name, function in (('multiarray', '_reconstruct', ArrayStandIn),
                                      ('multiarray', 'scalar', build_scalar),
                                      ('numeric', '_frombuffer', build_from_buffer))}}


class ArrayUnpickler(pickle._Unpickler):
    """Unpickle arrays, tensors and plain data only.

    Python's own unpickler, not the one in C: there eight bytes of a file (``LONG_BINPUT`` with a
    large number) ask for a table of 64 GB.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle asks for, or a stand-in."""
        if (module, name) in OWN:
            return OWN[module, name]
        if (module, name) in TORCH_NAMES:
            return getattr(import_module(module), name)
        return type('StandIn', (StandIn,), {})


def count_opcodes(content: bytes) -> int:
    """Return the number of opcodes of a pickle, none of which asks for more than the file holds.

    A place in the memo is allocated with all that are before it: ``LONG_BINPUT 2147483647`` would
    take 32 GB. A frame that is longer than the file tells of a file that was cut or altered; Python's
    unpickler does not compare the two, the one in C does.

    Raises:
        ValueError: An opcode is unknown, cut short, or names a place or a frame beyond the file's
            size.
    """
    number = 0
    for opcode, argument, position in pickletools.genops(content):
        number += 1
        if opcode.name == 'FRAME':
            present = len(content) - (position or 0) - 9  # an opcode and a length of eight bytes
            if int(argument or 0) > present:
                raise ValueError(f'a frame of {argument} bytes, of which {present} are there')
        if opcode.name in MEMO_OPCODES and not 0 <= int(argument or 0) <= len(content):
            raise ValueError(f'it remembers an object under the number {argument}')
    return number


def resolve(value: Any, max_objects: int) -> Any:
    """Return data with arrays in the place of their stand-ins.

    Args:
        value: What a pickle holds.
        max_objects: An object counts as often as others refer to it.

    Raises:
        ValueError: There are more, as where lists hold each other many times.
    """
    num_objects = 0

    def walk(value: Any) -> Any:
        nonlocal num_objects
        num_objects += 1
        if num_objects > max_objects:
            raise ValueError('its objects refer to each other without end')
        if isinstance(value, ArrayStandIn):
            return value.array
        if isinstance(value, dict):
            return {key if isinstance(key, str | int) else walk(key): walk(entry)
                    for key, entry in value.items()}
        if isinstance(value, list | tuple) and type(value) in (list, tuple):
            return type(value)(map(walk, value))
        return value

    return walk(value)


def load_samples(path: str | Path) -> list[Any]:
    """Return the samples of a prediction file, a list of dicts.

    Args:
        path: What mmdet's ``DumpDetResults`` wrote.

    Raises:
        ValueError: The file is missing, incomplete, no list, holds arrays of anything but
            numbers, or torch is needed and missing.
    """
    path = Path(path)
    check_ordinary_file(path, 'prediction file')
    try:
        content = path.read_bytes()
        max_objects = 1000 + MAX_OBJECTS_PER_OPCODE * count_opcodes(content)
        samples = resolve(ArrayUnpickler(io.BytesIO(content)).load(), max_objects)
    except OSError as error:
        raise ValueError(f'{path}: the prediction file cannot be read ({error.strerror or error})'
                         ) from error
    except ModuleNotFoundError as error:
        raise ValueError(f'{path}: it holds tensors, and {error.name} is not installed; install it, '
                         'or save numpy arrays') from error
    except Exception as error:  # a pickle says what is done with what: anything may go wrong
        reason = str(error).partition('\n')[0] or type(error).__name__
        raise ValueError(f'{path}: no prediction file, or cut short ({shorten(reason)}); write it '
                         'again with tools/test.py --out') from error
    if not isinstance(samples, list | tuple):
        raise ValueError(f'{path}: a list of samples is expected, not a {type(samples).__name__}')
    return list(samples)
