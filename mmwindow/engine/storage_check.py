"""Each tensor of a checkpoint lies within its numbers: torch would make up those that are missing.

``torch.load`` enlarges a storage that is shorter than the tensor over it, without a word: the rest
are whatever was in memory, and a few bytes can ask for gigabytes.
"""
import copy
import io
import math
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import torch

from mmwindow.utils.messages import shorten


class Storage(NamedTuple):
    """The numbers of tensors.

    Attributes:
        name: Of the part of the archive.
        length: How many there are.
    """

    name: str
    length: int


class Nothing:
    """Takes the place of every object: nothing of a checkpoint is built here."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass

    def __setitem__(self, *_: Any) -> None:
        pass

    def append(self, *_: Any) -> None:
        """Take what belongs to a list, or by its other names to a set."""

    extend = add = update = append

    def __call__(self, *_: Any, **__: Any) -> 'Nothing':
        return self


def check_tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> Nothing:
    """Check one tensor.

    Raises:
        ValueError: It reaches beyond its storage, or has more numbers.
    """
    if isinstance(storage, Storage):
        last = offset + sum((side - 1) * step for side, step in zip(shape, stride, strict=True))
        number = math.prod(shape)
        if number and not (0 <= offset and last < storage.length and number <= storage.length):
            raise ValueError(f'a tensor of shape {shorten(tuple(shape), 80)} has {storage.length} '
                             'numbers')
    return Nothing()


class TensorChecker(pickle._Unpickler):  # type: ignore[name-defined]
    """Walk through a checkpoint's pickle; that of Python, whose memo takes what it holds alone."""

    def __init__(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        if not member.CRC:  # torch.serialization.set_crc32_options(False): there is none to compare
            member = copy.copy(member)
            del member.CRC
        super().__init__(io.BytesIO(archive.read(member)))
        self.sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        self.root = member.filename.rpartition('/')[0]

    def find_class(self, module: str, name: str) -> Any:
        """Return the check of tensors, the size of a number, or nothing."""
        if (module, name) == ('torch._utils', '_rebuild_tensor_v2'):
            return check_tensor
        if module == 'torch' and name.endswith('Storage'):
            return getattr(torch, name, Nothing)
        return Nothing

    def persistent_load(self, pid: Any) -> Any:
        """Return the length of a storage."""
        _, kind, key, *_ = pid
        with warnings.catch_warnings():  # torch warns that its own format will be another one
            warnings.simplefilter('ignore')
            itemsize = getattr(getattr(kind, 'dtype', None), 'itemsize', 1)
        name = f'{self.root}/data/{key}'
        return Storage(name, self.sizes.get(name, 0) // itemsize)


def check_storages(path: str | Path) -> None:
    """Check the tensors of a checkpoint in torch's format since 1.6; others are left to torch.

    Raises:
        ValueError: A tensor has more numbers than its part of the archive.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.rpartition('/')[2] == 'data.pkl':
                    TensorChecker(archive, member).load()
    except Exception as error:  # of any kind: a pickle says what is done with what
        raise ValueError(f'checkpoint {shorten(str(path))}: it is damaged '
                         f'({shorten(str(error) or type(error).__name__, 200)})') from error
