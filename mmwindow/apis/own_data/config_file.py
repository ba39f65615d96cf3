"""The short config file of a training on a user's data: written, or compared with one there."""
import os
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmwindow.datasets.splits import SPLITS
from mmwindow.utils.files import write_text
from mmwindow.utils.messages import shorten

CONFIG_FOLDER = 'config'
WIDTH = 98


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
        notes: Lines of comment at the head.
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

    def text(self, work_dir: Path) -> str:
        """Return the file as text.

        Args:
            work_dir: Of the training, in whose folder ``config`` the file lies; moved together, it
                finds its point files again.
        """
        lines = [line for note in self.notes for line in textwrap.wrap(
            note, WIDTH, initial_indent='# ', subsequent_indent='#   ', break_on_hyphens=False)]
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
    """Write the config file of a training; one of the same text stays.

    Returns:
        The file.

    Raises:
        ValueError: The work dir has a config file of another text: its training is another one.
    """
    path, text = config_path(work_dir, config.base), config.text(work_dir)
    others = sorted(path.parent.glob('*.py'))
    if path in others and path.read_text(encoding='utf-8') == text:
        return path
    if others:
        raise ValueError(f'--work-dir {shorten(str(work_dir))} holds another training '
                         f'({others[0].name}): {describe_change(others[0], text)}. Choose another '
                         '--work-dir, or delete it')
    write_text(path, text)
    return path


def describe_change(path: Path, text: str, max_pairs: int = 2) -> str:
    """Return in one line how a config file and another text differ: settings first, then notes."""
    old, new = (_entries(each) for each in (path.read_text(encoding='utf-8'), text))
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
