"""How a Tensor looks from outside: to Python, to print, copy and pickle, and to NumPy's functions with their options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..engine.dtypes import get_default_dtype
from ..engine.graph import Array
from ..engine.printing import format_tensor
from ..engine.tape import recording
from ..engine.tensor import NUMPY, Tensor
from ..engine.warn import leave, seen
from ..errors import ArgumentError, DtypeError, GraphError, NoGradientError, ShapeError, UnsupportedError, misuse, name_in_numpy
from .devices import CPU, device_of, put


# ---------------------------------------------------------------- to Python
def item(self: Tensor) -> Any:
    """The value of a one-element Tensor as a Python number."""
    if self.array.size != 1:
        raise ShapeError(f"item needs exactly one element, got shape {self.array.shape}; use tolist()")
    seen("item")
    return put("item", self.array, CPU).item()


def tolist(self: Tensor) -> Any:
    """The values as nested lists of Python numbers."""
    seen("tolist")
    return put("tolist", self.array, CPU).tolist()


def __len__(self: Tensor) -> int:
    if not self.array.shape:
        raise UnsupportedError("a 0-d tensor has no len()")
    return int(self.array.shape[0])


def __iter__(self: Tensor) -> Iterator[Any]:
    if not self.array.shape:
        raise UnsupportedError("a 0-d tensor cannot be iterated over")
    return iter(self.unbind(0))


def __contains__(self: Tensor, value: Any) -> bool:
    seen("in")
    return bool((self.array == getattr(value, "array", value)).any())


def __bool__(self: Tensor) -> bool:
    if self.array.size != 1:
        raise ArgumentError(f"a tensor of shape {self.array.shape} is neither true nor false; use any() or all()")
    seen("bool")
    return bool(self.array)


def __float__(self: Tensor) -> float:
    leave("float", self)
    return float(self.item())


def __int__(self: Tensor) -> int:
    leave("int", self)
    return int(self.item())


def __complex__(self: Tensor) -> complex:
    leave("complex", self)
    return complex(self.item())


def __index__(self: Tensor) -> int:
    if self.array.dtype.kind not in "iub":
        raise DtypeError(f"only integer tensors can be an index, not {self.array.dtype}")
    leave("index", self)
    return int(self.item())


# ---------------------------------------------------------------- to print
def __format__(self: Tensor, spec: str) -> str:
    one = self.array.size == 1 and (spec or (self.ndim == 0 and isinstance(self.array, np.ndarray)))
    return format(self.item(), spec) if one else str(self)


def __repr__(self: Tensor) -> str:
    seen("repr")
    where = device_of(self.array)
    notes = [] if where == CPU else [f"device={str(where)!r}"]
    return format_tensor(put("repr", self.array, CPU), self.grad_fn, self.requires_grad, get_default_dtype(), notes)


# ---------------------------------------------------------------- to a copy
def __copy__(self: Tensor) -> Any:
    requires_grad = self.requires_grad
    return _leaf(type(self), self.array, requires_grad)  # of the class that it is then: see Outdated


def __deepcopy__(self: Tensor, memo: dict[int, Any]) -> Any:
    if not self.is_leaf:
        raise GraphError("only leaves can be deep-copied, as a copy has no place in the graph; detach() first")
    seen("deepcopy")
    copy = memo[id(self)] = _leaf(type(self), np.copy(self.array), self.requires_grad)
    if self.grad is not None:
        copy.grad = self.grad.detach().clone()
    return copy


def __reduce__(self: Tensor) -> Any:  # values travel, graphs do not
    seen("pickle")
    requires_grad = self.requires_grad and self.is_leaf
    return _leaf, (type(self), self.array, requires_grad)


def _leaf(cls: type[Any], array: Array, requires_grad: bool) -> Any:
    t = object.__new__(cls)
    t.array, t.node = array, None
    t.requires_grad = requires_grad
    return t


# ---------------------------------------------------------------- to NumPy
def numpy(self: Tensor, force: bool = False) -> Any:
    """The array itself, sharing memory; `force` detaches first. Raises NoGradientError if it requires grad."""
    if self.node is not None and not force:
        raise NoGradientError("numpy: this tensor requires grad, which an array cannot; use t.detach().numpy()")
    if (where := device_of(self.array)) != CPU:
        raise UnsupportedError(f"numpy: this tensor is on {where}; use t.cpu().numpy()")
    seen("numpy")
    return self.array


def __array__(self: Tensor, dtype: Any = None, copy: bool | None = None) -> Any:
    if recording() and not seen("__array__"):
        raise UnsupportedError("a tensor cannot become an array while a tape records: its value would be a constant")
    return np.array(self.numpy(), dtype, copy=copy)


def __dlpack__(self: Tensor, **kwargs: Any) -> Any:
    return self.numpy().__dlpack__(**kwargs)


def __dlpack_device__(self: Tensor) -> Any:
    return self.array.__dlpack_device__()


def __array_ufunc__(self: Tensor, ufunc: Any, method: str, *args: Any, **options: Any) -> Any:
    function = ufunc if method == "__call__" else getattr(ufunc, method)
    return (run_into if options else run)(function, args, options)


def __array_function__(self: Tensor, function: Any, types: Any, args: Any, options: Any) -> Any:
    return (run_into if "out" in options else run)(function, args, options)


def run(function: Any, args: Any, options: dict[str, Any]) -> Any:
    """What a function of NumPy does to Tensors. Raises UnsupportedError if that is nothing."""
    try:
        return NUMPY[function](*args, **options)
    except (KeyError, TypeError) as error:
        raise misuse(function, NUMPY.get(function), args, options, error) from error


def run_into(function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """What a function of NumPy does to Tensors when it is given `out`; or a ufunc, which may be given `where` and `dtype`."""
    options, name, where = dict(options), name_in_numpy(function), True
    out = options.pop("out", None)
    out = out if isinstance(out, tuple) else () if out is None else (out,)
    if isinstance(function, np.ufunc):
        where, dtype = options.pop("where", True), options.pop("dtype", None)
        if where is not True and not out:
            what = "with where does not work on Tensors without out, a Tensor of what stands elsewhere"
            raise UnsupportedError(f"np.{name} {what}; give it, or use np.where")
        if dtype is not None:
            args = tuple(NUMPY[np.astype](a, dtype) if isinstance(a, (Tensor, np.ndarray)) else a for a in args)
    if not out:
        return run(function, args, options)
    if not all(isinstance(o, Tensor) for o in out):
        raise UnsupportedError(f"np.{name} cannot put a Tensor into an array; leave out= (or +=) away")
    if len(out) > 1:
        raise UnsupportedError(f"np.{name} cannot put its results into several Tensors; leave out= away")

    def fresh(old: Any, *args: Any) -> Any:
        if where is True:
            return run(function, args, options)
        with np.errstate(all="ignore"):  # where it does not hold, nothing is to be seen of the op
            return np.where(where, run(function, args, options), old)

    return out[0]._take(f"np.{name} with out", fresh, *args)


METHODS: dict[str, Any] = {
    f.__name__: f
    for f in (
        *(item, tolist, __len__, __iter__, __contains__, __bool__, __float__, __int__, __complex__, __index__),
        *(__format__, __repr__, __copy__, __deepcopy__, __reduce__, numpy, __array__, __dlpack__, __dlpack_device__),
        *(__array_ufunc__, __array_function__),
    )
} | {"__nonzero__": __bool__, "__long__": __int__}  # as Python 2 had them, and PyTorch still has
