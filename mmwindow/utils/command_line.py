"""What all command lines share: ``KEY=VALUE`` options, and a user's error in one line."""
import argparse
import contextlib
import os
import shlex
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

from mmwindow.utils.messages import shorten
from mmwindow.utils.processes import end_rank, launched_rank

MAX_CHARACTERS = 700  # of a message
NOT_WRITTEN = 'a checkpoint could not be written; is the disk full, or the folder read-only?'
# Words of RuntimeErrors that are no fault of ours, and what the user is told.
FOREIGN_ERRORS = {
    'PytorchStreamWriter failed': NOT_WRITTEN,
    'iostream error': NOT_WRITTEN,  # of torch.save into a full disk, and then:
    'inline_container.cc': NOT_WRITTEN,
    'DataLoader worker': 'a process that reads images ended; the memory may be too small: lower '
                         'num_workers or batch_size',
    'CUDA out of memory': 'the memory of the GPU is too small: lower batch_size or input_size',
    "can't allocate memory": 'the memory is too small: lower batch_size or input_size',
    'Connection closed by peer': 'another process of this training or test has ended',
    'Connection reset by peer': 'another process of this training or test has ended',
    'Broken pipe': 'another process of this training or test has ended',
    'Timed out waiting': 'another process of this training or test does not answer',
    'remote process exited': 'another process of this training or test has ended'}


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


def parse_names(text: str) -> tuple[str, ...]:
    """Return names that are separated by commas, without blanks around them.

    >>> parse_names('Sex, Age')
    ('Sex', 'Age')
    """
    return tuple(name.strip() for name in text.split(','))


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
    if isinstance(error, MemoryError):
        text = f'the memory is too small ({text}): lower batch_size or input_size'
    if isinstance(error, OSError) and error.filename and error.strerror:
        text = f'{error.filename}: {error.strerror}'
    if 'Original Traceback' in text:  # of a data loader's process: its last line says it
        text = text.strip().splitlines()[-1].partition(': ')[2]
    return shorten(' '.join(text.split()), MAX_CHARACTERS)


def describe_foreign_error(error: BaseException) -> str | None:
    """Return a ``RuntimeError`` of torch in words of the user's; None where it may be our fault.

    >>> describe_foreign_error(RuntimeError('[enforce fail] . PytorchStreamWriter failed writing'))
    'a checkpoint could not be written; is the disk full, or the folder read-only?'
    """
    cause: BaseException | None = error
    while cause is not None:  # an OSError in between names the file
        if isinstance(cause, OSError):
            return describe_error(cause)
        cause = cause.__cause__ or cause.__context__
    text = str(error)
    return next((words for sign, words in FOREIGN_ERRORS.items() if sign in text), None)


def was_interrupted(error: BaseException) -> bool:
    """Return whether an error came of Ctrl-C, as where torch writes a checkpoint and is stopped."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


@contextlib.contextmanager
def one_line_errors(name: str, stopped: str = 'stopped') -> Iterator[None]:
    """Turn a user's error into one line on standard error and exit status 1.

    Args:
        name: Of the command; begins the line.
        stopped: What is said after Ctrl-C.

    Raises:
        SystemExit: Bad input, a full disk, a read-only folder, too little memory, or Ctrl-C. One of
            several processes ends at once, and only the first says that it was stopped.
    """
    cause: Exception | None
    try:
        try:
            yield
            sys.stdout.flush()
            return
        except BrokenPipeError:  # as of `| head`; Python would complain again when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None
        except (ValueError, OSError, MemoryError, zipfile.BadZipFile, RuntimeError) as error:
            if was_interrupted(error):
                raise KeyboardInterrupt from error
            reason = (describe_foreign_error(error) if isinstance(error, RuntimeError) else
                      describe_error(error))
            if reason is None:
                raise
            text, cause = reason, error
    # Also one that comes while an error is described: a rank that has waited in C++ for one that is
    # stopped hears of its own Ctrl-C only then.
    except KeyboardInterrupt:
        text, cause = stopped if launched_rank() == 0 else '', None
    rank = launched_rank()  # now: the command has said by now whether it is one of several
    if text:
        sys.stderr.write(f'{name}: ' + (f'rank {rank}: ' if rank else '') + text + '\n')
    end_rank(1)
    raise SystemExit(1) from cause


class OneLineParser(argparse.ArgumentParser):
    """A parser whose error is one line of bounded length, whatever the arguments are."""

    def error(self, message: str) -> NoReturn:
        """Show how the command is called and what is wrong, and end with status 2."""
        super().error(shorten(message, MAX_CHARACTERS - len(self.prog) - 20))


def run_command(verb: Verb, program: str, arguments: Sequence[str] | None = None) -> None:
    """Parse a command line and run it.

    Args:
        verb: The module of the command.
        program: How the user calls it: 'tools/train.py' or 'mmwindow train'.
        arguments: After the program; those of this process if None.

    Raises:
        SystemExit: Status 2 for bad usage, 1 for any other error of the user's.
    """
    parser = OneLineParser(prog=program, description=verb.__doc__,
                           formatter_class=argparse.RawDescriptionHelpFormatter)
    verb.add_arguments(parser)
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    args = parser.parse_args(arguments)
    args.command_line = shlex.join([*program.split(), *arguments])
    with one_line_errors(Path(program.split()[-1]).stem, getattr(verb, 'STOPPED', 'stopped')):
        verb.run(args)
