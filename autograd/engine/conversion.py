"""How a Tensor looks from outside: to Python, to NumPy, to print, copy and pickle; the base class of Tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError, AutogradError, DtypeError, GraphError, NoGradientError, ShapeError, UnsupportedError
from .dtypes import get_default_dtype
from .graph import Array, Node, mode
from .printing import format_tensor
from .warn import leave

NUMPY: dict[Callable[..., Any], Callable[..., Any]] = {}  # np.exp -> what it does to Tensors
PRIMITIVES: dict[str, Any] = {}  # the table: every primitive by its name


class Convertible:
    """What has an `array` and a `node`, and can be looked at, copied and handed to NumPy's functions."""

    __slots__ = ()
    array: Array
    node: Node | None

    # ------------------------------------------------------------ to Python
    def item(self) -> Any:
        """The value of a one-element Tensor as a Python number."""
        if self.array.size != 1:
            raise ShapeError(f"item needs exactly one element, got shape {self.array.shape}; use tolist()")
        return self.array.item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self.array.tolist()

    def __len__(self) -> int:
        if not self.array.shape:
            raise UnsupportedError("a 0-d tensor has no len()")
        return int(self.array.shape[0])

    def __iter__(self) -> Iterator[Any]:
        if not self.array.shape:
            raise UnsupportedError("a 0-d tensor cannot be iterated over")
        return iter(self.unbind(0))

    def __contains__(self, value: Any) -> bool:
        return bool((self.array == getattr(value, "array", value)).any())

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise ArgumentError(f"a tensor of shape {self.array.shape} is neither true nor false; use any() or all()")
        return bool(self.array)

    __nonzero__ = __bool__  # as Python 2 had it, and PyTorch still has

    def __float__(self) -> float:
        leave("float", self)
        return float(self.item())

    def __int__(self) -> int:
        leave("int", self)
        return int(self.item())

    __long__ = __int__

    def __complex__(self) -> complex:
        leave("complex", self)
        return complex(self.item())

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iub":
            raise DtypeError(f"only integer tensors can be an index, not {self.array.dtype}")
        leave("index", self)
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self.array.size == 1 else str(self)

    def __repr__(self) -> str:
        return format_tensor(self.array, self.grad_fn, self.requires_grad, get_default_dtype())

    __hash__ = object.__hash__

    # ------------------------------------------------------------ to NumPy
    def numpy(self, force: bool = False) -> Any:
        """The array itself, sharing memory; `force` detaches first. Raises NoGradientError if it requires grad."""
        if self.node is not None and not force:
            raise NoGradientError("numpy: this tensor requires grad, which an array cannot; use t.detach().numpy()")
        return self.array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if isinstance(mode().tape, list):
            raise UnsupportedError("a tensor cannot become an array while a tape records: its value would be a constant")
        return np.array(self.numpy(), dtype, copy=copy)

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, out: Any = (), **kwargs: Any) -> Any:
        if method != "__call__":  # np.add.reduce is in the table like any other function
            return _run(getattr(ufunc, method), f"{ufunc.__name__}.{method}", args, kwargs, *out)
        where, dtype = kwargs.pop("where", True), kwargs.pop("dtype", None)
        if where is not True and not out:
            what = "with where does not work on Tensors without out, a Tensor of what stands elsewhere; give it, or use np.where"
            raise UnsupportedError(f"np.{ufunc.__name__} {what}")
        if dtype is not None:
            args = tuple(NUMPY[np.astype](a, dtype) if isinstance(a, (Convertible, np.ndarray)) else a for a in args)
        return _run(ufunc, ufunc.__name__, args, kwargs, *out, where=where)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = f"{function.__module__}.{function.__name__}".removeprefix("numpy.")
        out = kwargs.get("out")
        return _run(function, name, args, {k: v for k, v in kwargs.items() if k != "out"}, *(() if out is None else (out,)))

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self.numpy().__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()

    # ------------------------------------------------------------ to a copy
    def __copy__(self) -> Any:
        return _leaf(type(self), self.array, self.requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if not self.is_leaf:
            raise GraphError("only leaves can be deep-copied, as a copy has no place in the graph; detach() first")
        copy = memo[id(self)] = _leaf(type(self), self.array.copy(), self.requires_grad)
        if self.grad is not None:
            copy.grad = self.grad.detach().clone()
        return copy

    def __reduce__(self) -> Any:  # values travel, graphs do not
        return _leaf, (type(self), self.array, self.requires_grad and self.is_leaf)

    if TYPE_CHECKING:  # what Tensor adds, and the operators and methods of the table in methods.py

        def __init__(self, *data: Any, **options: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...
        def _operator(self, other: Any) -> Any: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _operator
        __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __mod__ = __floordiv__ = __getitem__ = _operator
        __lt__ = __le__ = __gt__ = __ge__ = __and__ = __or__ = __xor__ = __lshift__ = __rshift__ = _operator
        __eq__ = __ne__ = _operator

        def __neg__(self) -> Any: ...
        def __invert__(self) -> Any: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...


def _run(function: Any, name: str, args: Any, kwargs: Any, *out: Any, where: Any = True) -> Any:
    """What a function of NumPy, called `name`, does to Tensors; into the Tensor `out`, if one is given, `where` that is meant."""
    op = NUMPY.get(function)
    if op is None:
        raise UnsupportedError(f"np.{name} does not work on Tensors; compose it of functions that do, or use detach().numpy()")
    try:
        return op(*args, **kwargs) if not out else _into(out, name, op, args, kwargs, where)
    except TypeError as error:
        if isinstance(error, AutogradError):
            raise
        raise UnsupportedError(f"np.{name} does not work like this on Tensors: {error}") from error


def _into(out: Any, name: str, op: Any, args: Any, kwargs: Any, where: Any) -> Any:
    if not all(isinstance(o, Convertible) for o in out):
        raise UnsupportedError(f"np.{name} cannot put a Tensor into an array; leave out= (or +=) away")
    if len(out) > 1:
        raise UnsupportedError(f"np.{name} cannot put its results into several Tensors; leave out= away")

    def fresh(old: Any, *args: Any) -> Any:
        if where is True:
            return op(*args, **kwargs)
        with np.errstate(all="ignore"):  # where it does not hold, nothing is to be seen of the op
            return np.where(where, op(*args, **kwargs), old)

    return out[0]._take(f"np.{name} with out", fresh, *args)


def _leaf(cls: type[Any], array: Array, requires_grad: bool) -> Any:
    t = object.__new__(cls)
    t.array, t.node = array, None
    t.requires_grad = requires_grad
    return t
