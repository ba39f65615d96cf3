"""How the C library's allocator treats large tensors on a CPU."""
import ctypes

# From malloc.h of glibc.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Let this process keep memory that it has freed, as torch does by itself on a GPU.

    By default glibc takes each tensor above 32 MB from the system and gives it back at once; every
    page of the next one is then mapped and zeroed again. ``tools/benchmark_step.py`` prints what
    a step gains. The process's peak of memory stays as it was, but is held to its end.

    Returns:
        Whether it took effect; False with other C libraries.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, 2 ** 31 - 1)
                and mallopt(M_TOP_PAD, 2 ** 26))
