"""The short config file of a training on a user's data: written, or compared with one there."""
import ast
import contextlib
import os
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmwindow.apis.external_data import file_mark
from mmwindow.datasets.splits import SPLITS
from mmwindow.utils.files import write_text
from mmwindow.utils.messages import shorten

CONFIG_FOLDER = 'config'
WIDTH = 98
PLACES = 'Places: '  # the note of where the data lie
OPTIONS = 'Trained with --cfg-options '
NUM_COMPARED = 20  # images of two folders
_PATH = re.compile(r'[^\s\'"]*/(?=[^\s/])')
_FILE = re.compile(r'(ann_file=|load_from = )([\'"])(?:(?!\{\{).*/)?(.*)\2')
_IMAGES = re.compile(r'^images = dict\(img=([\'"].*)\)$', re.MULTILINE)


@dataclass(frozen=True)
class OwnConfig:
    """What the config file of a training on a user's data says.

    Attributes:
        base: The config that it inherits: ``mmwindow::...`` or a path.
        images: Folder of the images.
        files: Split -> point file; those in the work dir are written relative to it.
        model: Part of the model that differs.
        balanced: Whether an epoch takes as many negative images as positive ones.
        readers: Whose points, where there are several readers.
        batch_size: None: that of the base.
        input_size: None: that of the base.
        loop: Entries of ``train_cfg`` that differ.
        load_from: Weights to begin with.
        notes: Lines of comment at the head; that of :data:`PLACES` may differ in the same training.
        names: Of the images, by which those of a folder that has moved are recognised.
    """

    base: str
    images: Path
    files: Mapping[str, Path]
    model: Mapping[str, Any] = field(default_factory=dict)
    balanced: bool = False
    readers: str | None = None
    batch_size: int | None = None
    input_size: int | None = None
    loop: Mapping[str, Any] = field(default_factory=dict)
    load_from: Path | None = None
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def text(self, work_dir: Path) -> str:
        """Return the file as text.

        Args:
            work_dir: Of the training, in whose folder ``config`` the file lies; moved together, it
                finds its point files again.
        """
        lines = [line for note in self.notes for line in textwrap.wrap(
            note, WIDTH, initial_indent='# ', subsequent_indent='#   ', break_on_hyphens=False,
            break_long_words=False)]  # a long path stays one word
        lines.append(f'_base_ = {self.base!r}')
        if self.model:
            lines.append(f'model = {_as_dict(self.model)}')
        if self.input_size is not None:
            lines.append(f'input_size = {self.input_size}')
        lines.append(f'images = dict(img={os.path.abspath(self.images) + "/"!r})')
        reader = f', readers={self.readers!r}' if self.readers else ''
        for split in SPLITS:
            lines += [f'{split}_dataloader = dict(']
            if split == 'train' and self.batch_size is not None:
                lines.append(f'    batch_size={self.batch_size},')
            if split == 'train' and self.balanced:
                lines.append("    sampler=dict(_delete_=True, type='BalancedImageSampler'),")
            lines += [f"    dataset=dict(data_root='', data_prefix=images{reader},",
                      f'                 ann_file={_place(self.files[split], work_dir)}))']
        if self.loop:
            lines.append(f'train_cfg = {_as_dict(self.loop)}')
        if self.load_from is not None:
            lines.append(f'load_from = {_place(self.load_from, work_dir)}')
        return '\n'.join(lines) + '\n'


def _as_dict(value: Any) -> str:
    """Return nested dicts as Python text, with ``dict(key=value)``."""
    if isinstance(value, Mapping):
        return f'dict({", ".join(f"{key}={_as_dict(item)}" for key, item in value.items())})'
    return repr(value)


def _place(path: Path, work_dir: Path) -> str:
    """Return a path as the text of a string: in the work dir relative to the config file."""
    path, home = Path(os.path.abspath(path)), Path(os.path.abspath(work_dir))
    if not path.is_relative_to(home):
        return repr(str(path))
    # mmengine puts the folder's name into the text of the file.
    mark = '"' if "'" in str(home) else "'"
    if mark in str(home) or '\\' in str(home):
        raise ValueError(f'--work-dir {shorten(str(work_dir))}: its name has a backslash, or '
                         'quotation marks of both kinds, which no config can hold; choose another '
                         '--work-dir')
    return f'{mark}{{{{ fileDirname }}}}/../{path.relative_to(home).as_posix()}{mark}'


def config_path(work_dir: Path, base: str) -> Path:
    """Return where the config file of a work dir lies.

    It has the name of its base, in a folder of its own: mmengine writes the complete config under
    the same name into the work dir.
    """
    return work_dir / CONFIG_FOLDER / Path(base.rpartition('::')[2]).name


def write_own_config(config: OwnConfig, work_dir: Path) -> Path:
    """Write the config file of a training; one of the same settings gets the places of now.

    Returns:
        The file.

    Raises:
        ValueError: The work dir has a config file of other settings, notes or images: its training
            is another one.
    """
    path, text = config_path(work_dir, config.base), config.text(work_dir)
    others = sorted(path.parent.glob('*.py'))
    if others:
        _check_same_training(others[0], text, config, work_dir)
        if others[0].read_text(encoding='utf-8') == text:
            return path
    write_text(path, text)
    return path


def _check_same_training(path: Path, text: str, config: OwnConfig, work_dir: Path) -> None:
    """Reject a config file that trains otherwise than another text; where things lie may differ.

    Raises:
        ValueError: The message says what differs.
    """
    there = path.read_text(encoding='utf-8')
    start = f'--work-dir {shorten(str(work_dir))} holds another training ({path.name}): '
    old, new = ([_without_place(line) for line in _entries(each) if not _is_place(line)]
                for each in (there, text))
    if old != new:
        # Never of what may be the same training, such as one whose own config has moved.
        hint = '' if [_PATH.sub('', line) for line in old] == [
            _PATH.sub('', line) for line in new] else ', or delete it'
        raise ValueError(f'{start}{_describe_lines(old, new)}. Choose another --work-dir{hint}')
    images = _images_of(there)
    if images is not None and not _has_moved(images, config.images, config.names):
        raise ValueError(f'{start}it takes other images of the same names, of '
                         f'{shorten(str(images))}; now: {shorten(str(config.images))}. Choose '
                         'another --work-dir')


def _is_place(line: str) -> bool:
    """Whether a line of a config file says where something lies, and nothing else."""
    return line.startswith(f'# {PLACES}') or _IMAGES.fullmatch(line) is not None


def _without_place(line: str) -> str:
    """Return a line of a config file without the folder of what it names."""
    if not line.startswith('#'):
        return _FILE.sub(r'\1\3', line)
    # Options are settings; other notes had paths before they had a line of their own.
    return line if line.startswith(f'# {OPTIONS}') else _PATH.sub('', line)


def _images_of(text: str) -> Path | None:
    """Return the folder of images that a config file names; None where it names none as we do."""
    match = _IMAGES.search(text)
    with contextlib.suppress(ValueError, SyntaxError):
        return None if match is None else Path(ast.literal_eval(match[1]))
    return None


def _has_moved(old: Path, new: Path, names: Sequence[str]) -> bool:
    """Whether images of a folder are those of another one, as far as they are still there.

    Some are compared by their bytes: those of another preparation would all differ.
    """
    if new.exists() and old.exists() and os.path.samefile(old, new):
        return True
    for name in names[::max(1, len(names) // NUM_COMPARED)]:
        with contextlib.suppress(OSError):  # it is no longer there
            marks = [file_mark(path, path.stat().st_size) for path in (old / name, new / name)]
            if marks[0] != marks[1]:
                return False
    return True


def describe_change(path: Path, text: str, max_pairs: int = 2) -> str:
    """Return in one line how a config file and another text differ: settings first, then notes."""
    return _describe_lines(_entries(path.read_text(encoding='utf-8')), _entries(text), max_pairs)


def _describe_lines(old: Sequence[str], new: Sequence[str], max_pairs: int = 2) -> str:
    removed = [line for line in old if line not in new]
    added = [line for line in new if line not in old]
    if not all(line.startswith('#') for line in removed + added):  # else the notes repeat it
        removed, added = ([line for line in lines if not line.startswith('#')]
                          for lines in (removed, added))
    shown = [f'{when}: {shorten(line.strip("# "), 120)}'
             for when, lines in (('there', removed), ('now', added)) for line in lines[:max_pairs]]
    return '; '.join(shown)


def _entries(text: str) -> list[str]:
    """Return the lines of a config file, settings before notes, each note as one line."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith('#   ') and lines:
            lines[-1] += f' {line[4:]}'
        else:
            lines.append(line)
    return sorted(lines, key=lambda line: line.startswith('#'))
