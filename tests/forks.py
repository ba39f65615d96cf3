"""Python programs in forks of this process, which has imported what takes them seconds to import.

What a program is as a user starts it, one test each shows with a real process.
"""
import os
import runpy
import subprocess
import sys
import traceback
from types import SimpleNamespace

import torch


def run_program(command):
    """Run ``[python, SCRIPT or -m MODULE, *arguments]`` in this process; return its status."""
    _, first, *rest = map(str, command)
    try:
        if first == '-m':
            sys.argv = rest
            runpy.run_module(rest[0], run_name='__main__', alter_sys=True)
        else:
            sys.argv = [first, *rest]
            runpy.run_path(first, run_name='__main__')
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


class Fork:
    """What the tests need of ``subprocess.Popen``, of a Python program in a fork.

    Args:
        command: The interpreter, then a script or ``-m`` and a module, then arguments.
        stdout: An open file for what the program writes.
        env: Its environment; that of this process if None.
        options: Of ``Popen``; standard input is a pipe, and errors go to standard output.
    """

    def __init__(self, command, stdout, env=None, **options):
        read, write = os.pipe()
        self.returncode = None
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid:
            os.close(read)
            self.stdin = os.fdopen(write, 'wb')
            return
        status = 1
        try:
            os.close(write)
            for source, target in ((read, 0), (stdout.fileno(), 1), (stdout.fileno(), 2)):
                os.dup2(source, target)
            sys.stdout = sys.stderr = os.fdopen(1, 'w', buffering=1, closefd=False)
            os.environ.update(env or {})
            torch.set_num_threads(1)  # the threads of a pool are not there after a fork
            status = run_program(command)
            sys.stdout.flush()
        finally:
            os._exit(status)

    def wait(self, timeout=None):
        """Return the exit status."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def poll(self):
        """Return the exit status, or None where the program runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def terminate(self):
        """End the program."""
        if self.poll() is None:
            os.kill(self.pid, 15)

    kill = terminate


# For `monkeypatch.setattr(module, 'subprocess', FORKS)`.
FORKS = SimpleNamespace(Popen=Fork, PIPE=subprocess.PIPE, STDOUT=subprocess.STDOUT,
                        TimeoutExpired=subprocess.TimeoutExpired)
