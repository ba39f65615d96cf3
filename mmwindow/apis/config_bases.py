"""The files that a config inherits: there, and none of them inherits itself."""
import ast
from collections.abc import Iterator
from pathlib import Path

from mmwindow.utils.messages import quote, shorten


def base_names(path: Path) -> Iterator[str]:
    """Yield what ``_base_`` of a config names, as far as the text says it without being executed."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # mmengine will say what is wrong
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and any(
                isinstance(target,
                           ast.Name) and target.id == '_base_' for target in statement.targets):
            try:
                value = ast.literal_eval(statement.value)
            except ValueError:
                continue
            if not isinstance(value, str | list | tuple) or not all(
                    isinstance(name, str) for name in value):
                raise ValueError(f'config {shorten(str(path))}: _base_ is {quote(value)}; the path '
                                 'of a config or a list of paths is expected')
            yield from [value] if isinstance(value, str) else value


def check_bases(config: str | Path, heirs: tuple[Path, ...] = ()) -> None:
    """Check that all files exist that a config inherits, and that none of them inherits itself.

    mmengine reads such a ring to the limit of Python's recursion, which takes minutes.

    Args:
        config: The config file.
        heirs: The files that led to it.

    Raises:
        ValueError: The message names the files.
    """
    path = Path(config)
    place = path.resolve()
    if place in heirs:
        ring = ' -> '.join(heir.name for heir in (*heirs[heirs.index(place):], place))
        raise ValueError(f'config {shorten(str(path))}: it inherits itself ({shorten(ring)}); take '
                         'one of the _base_ out')
    for name in base_names(path):
        if '::' in name or '{{' in name:  # of a package, or filled in by mmengine
            continue
        base = path.parent / name
        try:
            is_there = base.is_file()
        except (OSError, ValueError):  # too long for a name, or NUL in it
            is_there = False
        if not is_there:
            raise ValueError(f'config {shorten(str(path))}: its _base_ {quote(name)} is no file; the '
                             'path is relative to the config')
        if base.suffix == '.py':
            check_bases(base, (*heirs, place))
