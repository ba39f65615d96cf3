"""Reading the pickle of mmdet's ``DumpDetResults`` without mmdet, and without running its code.

A pickle may name any function to be called when it is read. Nothing of numpy is: arrays are built
here from their bytes, with types of plain numbers alone. A class of any other library becomes an
empty stand-in.
"""
import io
import math
import pickle
from collections import OrderedDict
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.evaluation.files.array_files import check_regular_file

# Names of torch that rebuild tensors, and run nothing else.
TORCH_NAMES = {('torch._utils', '_rebuild_tensor_v2'), ('torch', 'device'), ('torch', 'Size'),
               ('torch.serialization', '_get_layout')}


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
    return import_module('torch').load(io.BytesIO(data), weights_only=True, map_location='cpu')


OWN: dict[tuple[str, str], Callable[..., Any]] = {
    ('_codecs', 'encode'): encode, ('__builtin__', 'bytes'): empty_bytes,
    ('builtins', 'bytes'): empty_bytes, ('collections', 'OrderedDict'): OrderedDict,
    ('numpy', 'dtype'): DtypeStandIn, ('numpy', 'ndarray'): StandIn,
    ('torch.storage', '_load_from_bytes'): load_storage,
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


def resolve(value: Any) -> Any:
    """Return data with arrays in the place of their stand-ins."""
    if isinstance(value, ArrayStandIn):
        return value.array
    if isinstance(value, dict):
        return {key: resolve(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(resolve(entry) for entry in value)
    return value


def load_samples(path: str | Path) -> list[Any]:
    """Return the samples of a prediction file, a list of dicts.

    Args:
        path: What mmdet's ``DumpDetResults`` wrote.

    Raises:
        ValueError: The file is missing, incomplete, no list, holds arrays of anything but
            numbers, or torch is needed and missing.
    """
    path = Path(path)
    check_regular_file(path, 'prediction file')
    try:
        with open(path, 'rb') as stream:
            samples = resolve(ArrayUnpickler(stream).load())
    except OSError as error:
        raise ValueError(f'{path}: the prediction file cannot be read ({error.strerror or error})'
                         ) from error
    except ModuleNotFoundError as error:
        raise ValueError(f'{path}: it holds tensors, and {error.name} is not installed; install it, '
                         'or save numpy arrays') from error
    except (pickle.UnpicklingError, EOFError, AttributeError, TypeError, ValueError, IndexError,
            KeyError, RuntimeError, MemoryError, OverflowError) as error:
        raise ValueError(f'{path}: no prediction file, or cut short ({str(error)[:200]}); write it '
                         'again with tools/test.py --out') from error
    if not isinstance(samples, list | tuple):
        raise ValueError(f'{path}: a list of samples is expected, not a {type(samples).__name__}')
    return list(samples)
