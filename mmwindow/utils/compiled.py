"""Functions compiled by numba, which is imported where one is made."""
from collections.abc import Callable
from typing import Any


def compile_function(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator: compile at the first call, keep the result where it can be written.

    Args:
        **options: Of numba's ``njit``.

    Raises:
        ImportError: numba is not installed, or rejects the numpy that is.
    """
    from numba import njit

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # no writable cache folder
            return njit(**options)(function)
    return decorate
