"""Functions of the user's that are told values in each step, compiled or not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from types import MethodType
from typing import Any

import numpy as np

from ..engine.batch import checked
from ..engine.graph import ambient
from ..engine.tensor import wrap
from ..errors import ArgumentError


class Callback:
    """What `autograd.compile.callback` makes of a function. A program keeps `tell`, and is not told by what that reads."""

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise ArgumentError(f"compile.callback takes a function, not a {type(function).__name__}")
        update_wrapper(self, function)
        self.tell = partial(_tell, function)

    def __call__(self, *values: Any) -> None:
        checked(self.tell, *values)

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        return self if owner is None else MethodType(self, owner)


def _tell(function: Callable[..., Any], *values: Any) -> None:
    """Call it with copies, as the memory of a step is used again."""
    with ambient(grad=False, tape=None):
        function(*(wrap(np.copy(v)) if hasattr(v, "dtype") and hasattr(v, "shape") else v for v in values))
