"""Settings of the whole process that make training quicker: what memory stays, when to look for cycles."""

from __future__ import annotations

import ctypes
import gc
import os

from ..errors import ArgumentError

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as malloc.h has them


def tune_memory(keep: int = 2**28, collect_every: int = 5_000) -> bool:
    """Let up to `keep` bytes that arrays leave stay here for the next ones. Returns whether it worked.

    Each step of training makes large arrays and lets go of them. glibc, the C library of most Linuxes, gives
    what is left of them back to the system, which hands it out again page by page, cleared: often as much
    work as the step's own. This keeps it, so steps on large arrays take 5 to 45 % less time; the most memory
    ever held is the same, but it stays held in between. With any other C library that does not happen.

    Python looks for garbage in cycles whenever there are 700 more lists, nodes and the like than before
    (2,000 from 3.13 on), and a large graph, which has no cycles, is looked through again and again while it
    grows. From now on it waits for `collect_every` of them, if it waited for fewer: graphs of thousands of
    ops take a quarter less time. Cycles are still found, but later; gc.set_threshold has the last word.

    These are settings of the whole process, made when autograd is imported, unless CHAINRULE_TUNE_MEMORY=0 is
    in the environment; both may be changed later. Raises ArgumentError for negative numbers.
    """
    if keep < 0 or collect_every < 0:
        what = "keep is a number of bytes, collect_every of objects, neither negative"
        raise ArgumentError(f"tune_memory: {what}, got {keep!r} and {collect_every!r}")
    first, *older = gc.get_threshold()
    if 0 < first < collect_every:  # 0: it is switched off
        gc.set_threshold(collect_every, *older)
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
