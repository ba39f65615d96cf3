"""``torchrun`` whose errors are those of its ranks: ``python -m mmwindow.utils.launcher`` ARGUMENTS.

torch adds a traceback and a table of 20 lines to the one line in which a rank says what is wrong.
What no rank can say, such as that it was killed, is said here in one line.
"""
import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any


def describe_failures(failures: dict[int, Any]) -> str | None:
    """Return in words which ranks were killed; None where they ended by themselves.

    Args:
        failures: Rank -> torch's ``ProcessFailure``. The launcher itself ends the others by SIGTERM.
    """
    killed = [(rank, failure) for rank, failure in sorted(failures.items())
              if failure.exitcode < 0 and -failure.exitcode != signal.SIGTERM]
    if not killed:
        return None
    rank, failure = killed[0]
    name = signal.Signals(-failure.exitcode).name
    return (f'rank {rank} (process {failure.pid}) was ended by {name}; where nobody did it, the '
            'memory may have been too small')


def main(arguments: Sequence[str] | None = None) -> int:
    """Run torch's launcher; return the exit status."""
    logging.getLogger('torch.distributed.elastic').setLevel(logging.CRITICAL)
    # Their own default, without the line that says so.
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    try:
        run.run(run.parse_args(list(sys.argv[1:] if arguments is None else arguments)))
    except ChildFailedError as error:
        text = describe_failures(error.failures)
        if text:
            print(text, file=sys.stderr)
        return 1
    except (SignalException, KeyboardInterrupt):
        return 1  # the ranks have said it
    return 0


if __name__ == '__main__':
    sys.exit(main())
