"""Processes that belong together end together. Standard library."""
import _thread
import contextlib
import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1  # of Linux's prctl
_ends_at_once = False
_interrupted = threading.Event()


def end_with_parent_process(leave: Callable[[int], Any] = os._exit, poll_seconds: float = 1.
                            ) -> threading.Thread:
    """End this process when the process that started it dies, however that ends.

    A rank whose torchrun is killed would train on, and write where the next start works. Linux sends
    the signal; elsewhere, and where the parent was gone before, a thread looks.

    Args:
        leave: Is called with the exit status.
        poll_seconds: Between two looks.

    Returns:
        The thread that looks.
    """
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError, TypeError):  # no Linux
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(poll_seconds)
        leave(1)

    thread = threading.Thread(target=look, daemon=True, name='mmwindow parent')
    thread.start()
    return thread


def rank_of_environment() -> int:
    """Return the rank that the launcher gave this process; 0 for the only one."""
    names = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
    text = next((os.environ[name] for name in names if name in os.environ), '0')
    return int(text) if text.isdigit() else 0


def launched_rank() -> int:
    """Return the rank of a process that :func:`become_rank` prepared; 0 of any other."""
    return rank_of_environment() if _ends_at_once else 0


def become_rank(launcher: str) -> None:
    """Prepare a process that is one of several: it ends with its launcher, and without Python's end.

    Args:
        launcher: 'none' changes nothing.
    """
    global _ends_at_once
    if launcher == 'none':
        return
    _ends_at_once = True
    if threading.current_thread() is threading.main_thread():  # others may set no handler
        signal.signal(signal.SIGINT, Interruption())
    if launcher == 'pytorch':
        end_with_parent_process()


class Interruption:
    """What Ctrl-C does in a rank: raise ``KeyboardInterrupt`` once, and again where that was lost.

    The terminal tells a rank, and torchrun tells it again: the second signal would interrupt the line
    that says that the training was stopped. And Python drops an exception in a callback, such as that
    of a compiler or a destructor; the rank would work on until torchrun kills it.

    Args:
        patience: Seconds after which the rank is interrupted again, if it still runs.
    """

    def __init__(self, patience: float = 5.) -> None:
        self.patience = patience
        self.is_raised = False

    def __call__(self, number: int, frame: Any) -> None:
        """Handle a signal."""
        if self.is_raised:
            return
        self.is_raised = True
        _interrupted.set()
        timer = threading.Timer(self.patience, self.repeat)
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    def repeat(self) -> None:
        """Interrupt the main thread again."""
        self.is_raised = False
        _thread.interrupt_main()


def is_interrupted() -> bool:
    """Return whether a rank has got a Ctrl-C: it ends by itself, and so do the others."""
    return _interrupted.is_set()


def end_rank(status: int = 0) -> None:
    """End a process that is one of several at once; do nothing in the only one.

    Threads of gloo may outlive its process group, and a Python that ends with one of them running
    aborts now and then ("terminate called without an active exception"): torchrun then reports a
    finished work as failed. All files are closed by now, so nothing is lost without Python's own end.
    """
    if _ends_at_once:
        leave(status)


def leave(status: int) -> NoReturn:
    """End this process without Python's own end; what was printed is written."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
