"""Warnings at the user's line, and what is said when a recorded value becomes a plain one."""

from __future__ import annotations

import contextlib
import functools
import linecache
import os
import sys
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from ..errors import DetachedWarning, GraphError, UnsupportedError
from .graph import mode
from .tape import recording

# Frames of these are not the user's: the two packages, NumPy on the way to them, decorators, and code that
# was written out.
_PACKAGE = Path(__file__).parents[1]
_FOLDERS = [str(p) + os.sep for p in (_PACKAGE, _PACKAGE.with_name("nn"), Path(np.__file__).parent)]
OURS = (*_FOLDERS, str(contextlib.__file__), str(functools.__file__), "<primitive ", "<rules of ")


class Line(NamedTuple):
    """A line of the user's program; `within` names the op in whose gradient an op was called there."""

    file: str
    number: int
    within: str = ""

    def __str__(self) -> str:
        code = linecache.getline(self.file, self.number).strip()
        within = f" (in the gradient of {self.within})" * bool(self.within)
        return f"{self.file}:{self.number}{within}" + f", `{code}`" * bool(code)


def users_frame() -> FrameType:
    """The innermost frame that is the user's."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(OURS) and frame.f_back is not None:
        frame = frame.f_back
    return frame


def users_line() -> Line:
    """The line of the innermost frame that is the user's."""
    frame = users_frame()
    return Line(frame.f_code.co_filename, frame.f_lineno)


def warn(message: str, category: type[UserWarning] = UserWarning) -> None:
    """Warn at the user's line, in whose module Python notes it: by default it shows a message once a line."""
    frame = users_frame()
    names, file, line = frame.f_globals, frame.f_code.co_filename, frame.f_lineno
    registry = names.setdefault("__warningregistry__", {})
    warnings.warn_explicit(message, category, file, line, names.get("__name__"), registry, source=None)


# ---------------------------------------------------------------- leaving the graph
_transform = ContextVar("transform", default="")  # whose function is running


@contextlib.contextmanager
def inside(transform: str) -> Iterator[None]:
    """While the function of this transform runs, no recorded value can become a plain one."""
    token = _transform.set(transform)
    try:
        yield
    finally:
        _transform.reset(token)


def seen(what: str) -> bool:
    """Say that Python sees values by `what`, on which may depend what it does. Does a tape note it?"""
    noted = getattr(mode().tape, "seen", None)
    if noted is not None:
        noted(what)
    return noted is not None


def leave(op: str, *values: Any) -> None:
    """Say that `op` makes plain numbers of `values`, if Tensors are among them that gradients flow to.

    The one way out of the graph, beside those that a program takes on purpose: `item()`, `tolist()`,
    `detach()`. What tests a value, as `if` and comparisons do, does not go through here. Under `no_grad`
    nothing is lost.
    """
    tensors = [v for v in values if hasattr(v, "node")]
    if not tensors:
        return
    if recording() and not seen(op):
        what = f"{op}: a tensor cannot become a number while a tape records"
        raise UnsupportedError(f"{what}: its value would be a constant")
    if not mode().grad or all(t.node is None for t in tensors):
        return
    what = f"{op} makes plain numbers of a tensor that requires grad, and no gradient flows through them"
    advice = "stack() and other functions of tensors keep it; .item() or detach() says that none is wanted"
    if transform := _transform.get():
        raise GraphError(f"{what}, which is an error inside {transform}; {advice}")
    warn(f"{what}; {advice}", DetachedWarning)
