"""What the families of functions share: results put in place, numbers where the input lives, and names in 1, 2 and 3 dims."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.engine.accumulate import in_single
from autograd.engine.tensor import Tensor, wrap

from .checks import need_float, need_tensors


def elementwise(name: str, input: Any, function: Callable[[Any], Any], inplace: bool = False, integers: bool = False) -> Any:
    """`function(input)`; if `inplace`, the input itself becomes that. Raises DtypeError but for floats (and `integers`)."""
    need_tensors(name, input=input)
    if not integers or input.dtype.kind not in "iu":
        need_float(name, input)
    if input.dtype == np.float16:
        steps, function = function, lambda x: in_single(steps, (x,))
    return input._take(name + "_", function) if inplace else function(input)


def constant(values: Any, x: Any, dtype: Any = None) -> Any:
    """Numbers as an array that lives where `x` does, of its dtype or another; a Tensor if `x` is one."""
    array = np.asarray(values, dtype or x.dtype, like=getattr(x, "array", x))
    return wrap(array) if isinstance(x, Tensor) else array


def in_dims(make: Callable[[int, str], Callable[..., Any]]) -> list[Any]:
    """The functions that `make` makes for images with 1, 2 and 3 sizes, told how many, and that it is called "conv2d", say.

    That name, after the one of `make`, and the number stand for {op} and {n} in the docstring.
    """
    functions = []
    for n in (1, 2, 3):
        function = make(n, op := f"{make.__name__.lstrip('_')}{n}d")
        function.__name__ = function.__qualname__ = op
        function.__doc__ = (function.__doc__ or "").format(n=n, op=op)
        functions.append(function)
    return functions
