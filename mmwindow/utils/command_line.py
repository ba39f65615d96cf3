"""What all command lines share: ``KEY=VALUE`` options, and a user's error in one line."""
import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from mmwindow.utils.messages import shorten

MAX_CHARACTERS = 700  # of a message


class Verb(Protocol):
    """A module that is one command: its docstring is the help.

    ``STOPPED``, where it has it, is what an interrupted user is told.
    """

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments."""

    @staticmethod
    def run(args: argparse.Namespace) -> None:
        """Do what the command does; ``args.command_line`` is how it was called."""


class OptionsAction(argparse.Action):
    """Collect ``KEY=VALUE`` as MMEngine's ``DictAction`` does, which is imported only then."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: Any, option_string: str | None = None) -> None:
        """Add the overrides to those of an earlier ``--cfg-options``."""
        from mmengine.config import DictAction
        for value in values:
            if '=' not in value:
                parser.error(f'{option_string} {shorten(value)}: KEY=VALUE is expected')
        DictAction(self.option_strings, self.dest, nargs=self.nargs)(
            parser, namespace, values, option_string)


def parse_pairs(values: Sequence[str], option: str) -> dict[str, str]:
    """Return ``['a=b']`` as ``{'a': 'b'}``.

    Raises:
        ValueError: One has no ``=``, or nothing on a side of it.

    >>> parse_pairs(['x=Column X'], '--columns')
    {'x': 'Column X'}
    """
    pairs = {}
    for value in values:
        key, found, text = value.partition('=')
        if not (key and found and text):
            raise ValueError(f'{option} {shorten(value)}: NAME=VALUE is expected')
        pairs[key] = text
    return pairs


def add_options_argument(parser: argparse.ArgumentParser, whose: str = 'the config') -> None:
    """Add ``--cfg-options``."""
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction, metavar='KEY=VALUE',
                        help=f'override entries of {whose}')


def describe_error(error: BaseException) -> str:
    """Return an error as one line of bounded length.

    >>> describe_error(FileNotFoundError(2, 'No such file or directory', 'a.py'))
    'a.py: No such file or directory'
    """
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.filename and error.strerror:
        text = f'{error.filename}: {error.strerror}'
    if 'Original Traceback' in text:  # of a data loader's process: its last line says it
        text = text.strip().splitlines()[-1].partition(': ')[2]
    return shorten(' '.join(text.split()), MAX_CHARACTERS)


@contextlib.contextmanager
def one_line_errors(name: str, stopped: str = 'stopped') -> Iterator[None]:
    """Turn a user's error into one line on standard error and exit status 1.

    Args:
        name: Of the command; begins the line.
        stopped: What is said after Ctrl-C.

    Raises:
        SystemExit: Bad input, a full disk, a read-only folder, or Ctrl-C.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:  # as of `| head`; Python would complain again when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (ValueError, OSError) as error:
        print(f'{name}: {describe_error(error)}', file=sys.stderr)
        raise SystemExit(1) from error
    except KeyboardInterrupt:
        print(f'{name}: {stopped}', file=sys.stderr)
        raise SystemExit(1) from None


def run_command(verb: Verb, program: str, arguments: Sequence[str] | None = None) -> None:
    """Parse a command line and run it.

    Args:
        verb: The module of the command.
        program: How the user calls it: 'tools/train.py' or 'mmwindow train'.
        arguments: After the program; those of this process if None.

    Raises:
        SystemExit: Status 2 for bad usage, 1 for any other error of the user's.
    """
    parser = argparse.ArgumentParser(prog=program, description=verb.__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    verb.add_arguments(parser)
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    args = parser.parse_args(arguments)
    args.command_line = shlex.join([*program.split(), *arguments])
    with one_line_errors(Path(program.split()[-1]).stem, getattr(verb, 'STOPPED', 'stopped')):
        verb.run(args)
