"""Models that come with mmwindow: names, files, check sums (standard library alone).

A model is an exported file, which predicts without torch, a checkpoint to fine-tune from, and a card.
``tools/train_zoo.py`` makes them and ``index.json``, which names them; docs/zoo.md.
"""
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmwindow.utils.files import load_own_json
from mmwindow.utils.json_fields import LIST, NUMBER, OBJECT, TEXT, WHOLE, Kind, check_fields
from mmwindow.utils.messages import name_some, quote, shorten

FOLDER = Path(__file__).parent
INDEX = 'index.json'
FORMAT = 'mmwindow-zoo'
VERSION = 1
FILE_KINDS: dict[str, Kind] = dict(name=TEXT, bytes=WHOLE, sha256=TEXT)
MODEL_KINDS: dict[str, Kind] = dict(exported=OBJECT, checkpoint=OBJECT, card=TEXT, description=TEXT,
                                    references=LIST.optional)
ALIAS_KINDS: dict[str, Kind] = dict(model=TEXT, reason=TEXT)
REFERENCE_KINDS: dict[str, Kind] = dict(seed=WHOLE, score=NUMBER)
AGAIN = 'install mmwindow again: pip install --force-reinstall --no-deps mmwindow'


@dataclass(frozen=True)
class ZooFile:
    """A file of the zoo.

    Attributes:
        path: Inside the package.
        num_bytes: That it has.
        sha256: Of its content, hexadecimal.
    """

    path: Path
    num_bytes: int
    sha256: str

    def check(self) -> Path:
        """Return the path of the file, after its content was compared with its check sum.

        Raises:
            ValueError: It is missing, or its content is another.
        """
        try:
            content = self.path.read_bytes() if self.path.stat().st_size == self.num_bytes else b''
        except OSError as error:
            raise ValueError(f'{shorten(str(self.path))}: a file of the zoo cannot be read '
                             f'({error.strerror or error}); {AGAIN}') from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise ValueError(f'{shorten(str(self.path))}: this file of the zoo is damaged (its '
                             'content '
                             f'is not that of the check sum); {AGAIN}')
        return self.path


@dataclass(frozen=True)
class ZooModel:
    """A model of the zoo.

    Attributes:
        name: As the user calls it, an alias too.
        model: Its own name, that of its files.
        description: One line.
        reason: Why an alias stands for it; '' for its own name.
        exported: What predicts without torch.
        checkpoint: What a training begins with.
        card: The model card.
        references: Seed of a generated image
            (:func:`~mmwindow.apis.zoo.reference_images.make_reference_image`) -> image score that the
            exported file gives it.
    """

    name: str
    model: str
    description: str
    reason: str
    exported: ZooFile
    checkpoint: ZooFile
    card: Path
    references: dict[int, float]


def read_zoo(folder: Path = FOLDER) -> dict[str, ZooModel]:
    """Return the models of the zoo by name, aliases included and first; none where it is empty.

    Args:
        folder: With ``index.json``.

    Raises:
        ValueError: The index is damaged.
    """
    return dict(_read_zoo(folder))


@lru_cache(maxsize=4)
def _read_zoo(folder: Path) -> dict[str, ZooModel]:
    path, what = folder / INDEX, 'index of the zoo'
    if not path.is_file():
        return {}
    content = load_own_json(path, what, FORMAT, VERSION, 'tools/train_zoo.py')
    name = shorten(str(path))
    check_fields(content, name, what, dict(models=OBJECT, aliases=OBJECT))
    models = {key: _read_model(key, entry, folder, name)
              for key, entry in content['models'].items()}
    aliases = {}
    for key, entry in content['aliases'].items():
        check_fields(entry, name, f'alias {quote(key)}', ALIAS_KINDS)
        if entry['model'] not in models:
            raise ValueError(f'{name}: the alias {quote(key)} stands for {quote(entry["model"])}, '
                             'which '
                             f'is no model of the zoo; {AGAIN}')
        model = models[entry['model']]
        aliases[key] = ZooModel(**{**vars(model), 'name': key, 'reason': entry['reason']})
    return aliases | models


def _read_model(key: str, entry: Any, folder: Path, name: str) -> ZooModel:
    what = f'model {quote(key)}'
    check_fields(entry, name, what, MODEL_KINDS)
    files = {}
    for kind in ('exported', 'checkpoint'):
        file = check_fields(entry[kind], name, f'"{kind}" of the {what}', FILE_KINDS)
        files[kind] = ZooFile(folder / Path(file['name']).name, file['bytes'], file['sha256'])
    references = [check_fields(each, name, f'reference of the {what}', REFERENCE_KINDS)
                  for each in entry.get('references') or []]
    return ZooModel(name=key, model=key, description=entry['description'], reason='', **files,
                    card=folder / Path(entry['card']).name,
                    references={each['seed']: each['score'] for each in references})


def is_zoo_name(name: object) -> bool:
    """Tell whether something is the name of a model of the zoo, and no file or folder here.

    >>> is_zoo_name('no such model'), is_zoo_name('work_dirs/run/best.pth')
    (False, False)
    """
    return isinstance(name, str) and name in read_zoo() and not Path(name).exists()


def describe_zoo(zoo: Mapping[str, ZooModel]) -> str:
    """Return which names the zoo has, for a message."""
    return f'the zoo has {name_some(list(zoo), 20)}' if zoo else 'the zoo of this version is empty'


def find_zoo_model(name: str, folder: Path = FOLDER) -> ZooModel:
    """Return a model of the zoo.

    Args:
        name: Such as 'fracatlas'.
        folder: Of the zoo.

    Raises:
        ValueError: There is no such model, or the index is damaged.
    """
    zoo = read_zoo(folder)
    if name in zoo:
        return zoo[name]
    raise ValueError(f'{shorten(name)}: there is no such model; {describe_zoo(zoo)}')
