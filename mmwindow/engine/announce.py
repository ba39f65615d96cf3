"""One line for people, from inside a run."""
import logging
from typing import Any

from mmengine.dist import is_main_process


def announce(runner: Any, text: str) -> None:
    """Say one line in the log, and on the screen where the log does not go there; on rank 0."""
    runner.logger.warning(text)
    on_screen = any(isinstance(handler, logging.StreamHandler)
                    and not isinstance(handler, logging.FileHandler)
                    for handler in runner.logger.handlers)
    if is_main_process() and not on_screen:
        print(text, flush=True)
