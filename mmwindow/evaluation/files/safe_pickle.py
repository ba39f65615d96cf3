"""Reading the pickle of ``tools/test.py --out`` without mmdet, and without running its code.

A pickle may name any function to be called when it is read. Only what arrays and tensors are
made of is let through; a class of any other library becomes an empty stand-in.
"""
import io
import pickle
from importlib import import_module
from pathlib import Path

# Names that rebuild arrays and tensors, and run nothing else.
ALLOWED = {
    ('_codecs', 'encode'), ('collections', 'OrderedDict'),
    ('numpy', 'dtype'), ('numpy', 'ndarray'),
    ('numpy.core.multiarray', '_reconstruct'), ('numpy.core.multiarray', 'scalar'),
    ('numpy._core.multiarray', '_reconstruct'), ('numpy._core.multiarray', 'scalar'),
    ('numpy._core.numeric', '_frombuffer'), ('numpy.core.numeric', '_frombuffer'),
    ('torch._utils', '_rebuild_tensor_v2'), ('torch', 'device'), ('torch', 'Size'),
    ('torch.serialization', '_get_layout'),
}


class StandIn:
    """Takes the place of an object of a class that is not let through."""

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        pass


class ArrayUnpickler(pickle.Unpickler):
    """Unpickle arrays, tensors and plain data only."""

    def find_class(self, module, name):
        """Return what a pickle asks for, or a stand-in."""
        if (module, name) == ('torch.storage', '_load_from_bytes'):
            return load_storage
        if (module, name) in ALLOWED:
            return getattr(import_module(module), name)
        return type('StandIn', (StandIn,), {'original': f'{module}.{name}'})


def load_storage(data):
    """Return the storage of a tensor from its bytes, by torch's own restricted reader."""
    return import_module('torch').load(io.BytesIO(data), weights_only=True, map_location='cpu')


def load_samples(path):
    """Return the samples of a prediction file, a list of dicts.

    Args:
        path (str | Path): What ``tools/test.py --out`` wrote.

    Raises:
        ValueError: The file is missing, cut short or no list, or torch is needed and missing.
    """
    path = Path(path)
    try:
        with open(path, 'rb') as stream:
            samples = ArrayUnpickler(stream).load()
    except OSError as error:
        raise ValueError(f'{path}: the prediction file cannot be read ({error.strerror or error})'
                         ) from error
    except ModuleNotFoundError as error:
        raise ValueError(f'{path}: it holds tensors, and {error.name} is not installed; install it, '
                         'or save numpy arrays') from error
    except (pickle.UnpicklingError, EOFError, AttributeError, TypeError, ValueError, IndexError,
            KeyError, RuntimeError) as error:
        raise ValueError(f'{path}: no prediction file, or cut short ({error}); write it again with '
                         'tools/test.py --out') from error
    if not isinstance(samples, list | tuple):
        raise ValueError(f'{path}: a list of samples is expected, not a {type(samples).__name__}')
    return list(samples)

