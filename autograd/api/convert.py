"""How a Tensor looks from outside: to Python, to print, copy and pickle, and to NumPy's functions with their options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..engine.dtypes import get_default_dtype
from ..engine.graph import Array, tick
from ..engine.hooks import AfterGrad, RemovableHandle
from ..engine.into import leave as leave_array
from ..engine.printing import format_tensor
from ..engine.tape import recording
from ..engine.tensor import NUMPY, Tensor, run, wrap
from ..engine.warn import leave
from ..errors import ArgumentError, DtypeError, GraphError, NoGradientError, ShapeError, UnsupportedError, describe, name_in_numpy


# ---------------------------------------------------------------- to Python
def item(self: Tensor) -> Any:
    """The value of a one-element Tensor as a Python number."""
    if self.array.size != 1:
        raise ShapeError(f"item needs exactly one element, got shape {self.array.shape}; use tolist()")
    return self.array.item()


def tolist(self: Tensor) -> Any:
    """The values as nested lists of Python numbers."""
    return self.array.tolist()


def __len__(self: Tensor) -> int:
    if not self.array.shape:
        raise UnsupportedError("a 0-d tensor has no len()")
    return int(self.array.shape[0])


def __iter__(self: Tensor) -> Iterator[Any]:
    if not self.array.shape:
        raise UnsupportedError("a 0-d tensor cannot be iterated over")
    return iter(self.unbind(0))


def __contains__(self: Tensor, value: Any) -> bool:
    return bool((self.array == getattr(value, "array", value)).any())


def __bool__(self: Tensor) -> bool:
    if self.array.size != 1:
        raise ArgumentError(f"a tensor of shape {self.array.shape} is neither true nor false; use any() or all()")
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
    return format_tensor(self.array, self.grad_fn, self.requires_grad, get_default_dtype())


# ---------------------------------------------------------------- its place in the graph
def retain_grad(self: Tensor) -> None:
    """Let `backward` leave a gradient here although this is not a leaf."""
    self._need_node("retain_grad").retains = True


def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call `hook(gradient)` each time the gradient of this is known; what it returns, if anything, replaces it."""
    node = self._need_node("register_hook")
    node.hooks = {} if node.hooks is None else node.hooks
    return RemovableHandle(node.hooks, hook)


def register_post_accumulate_grad_hook(self: Tensor, hook: Callable[[Tensor], None]) -> RemovableHandle:
    """Call `hook(self)` each time a backward has added to `.grad` of this leaf, as for a step of its own that frees it.

    Raises GraphError for what is no leaf, NoGradientError for what requires no grad.

    >>> import autograd
    >>> w = autograd.tensor([1.0, 2.0], requires_grad=True)
    >>> handle = w.register_post_accumulate_grad_hook(lambda w: print(w.grad))
    >>> (w * w).sum().backward()
    tensor([2., 4.])
    """
    node = self._need_node("register_post_accumulate_grad_hook")
    if not self.is_leaf:
        what = "register_post_accumulate_grad_hook is for leaves, where backward adds to .grad"
        raise GraphError(f"{what}; register_hook() shows the gradient of this result")
    node.hooks = {} if node.hooks is None else node.hooks
    return RemovableHandle(node.hooks, AfterGrad(hook, self))


def requires_grad_(self: Tensor, requires_grad: bool = True) -> Tensor:
    """Set `requires_grad`, and return this Tensor."""
    self.requires_grad = requires_grad
    return self


def detach_(self: Tensor) -> Tensor:
    """Take this Tensor out of the graph."""
    self.node = None
    return self


def _data(self: Tensor) -> Tensor:
    """This Tensor outside the graph, sharing its memory. Assigning gives this one the array of another."""
    return wrap(self.array)


def _set_data(self: Tensor, value: Tensor) -> None:
    if self.node is not None and (value.shape, value.dtype) != (self.node.shape, self.node.dtype):
        raise ShapeError(f"new data is like that which requires grad, {describe(self)}; got {describe(value)}")
    self._resting = None if value.shape != self.shape else getattr(self, "_resting", None)
    leave_array(self)
    self.array = value.array
    Tensor.rebinds = tick()


# ---------------------------------------------------------------- to a copy
def __copy__(self: Tensor) -> Any:
    return _leaf(type(self), self.array, self.requires_grad)


def __deepcopy__(self: Tensor, memo: dict[int, Any]) -> Any:
    if not self.is_leaf:
        raise GraphError("only leaves can be deep-copied, as a copy has no place in the graph; detach() first")
    copy = memo[id(self)] = _leaf(type(self), self.array.copy(), self.requires_grad)
    if self.grad is not None:
        copy.grad = self.grad.detach().clone()
    return copy


def __reduce__(self: Tensor) -> Any:  # values travel, graphs do not
    requires_grad = self.requires_grad and self.is_leaf
    return _leaf, (type(self), self.array, requires_grad)  # of the class that it is then: see Outdated


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
    return self.array


def __array__(self: Tensor, dtype: Any = None, copy: bool | None = None) -> Any:
    if recording():
        raise UnsupportedError("a tensor cannot become an array while a tape records: its value would be a constant")
    return np.array(self.numpy(), dtype, copy=copy)


def __dlpack__(self: Tensor, **kwargs: Any) -> Any:
    return self.numpy().__dlpack__(**kwargs)


def __dlpack_device__(self: Tensor) -> Any:
    return self.array.__dlpack_device__()


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
        *(requires_grad_, detach_, retain_grad, register_hook, register_post_accumulate_grad_hook),
    )
} | {
    "data": property(_data, _set_data), "_run_into": staticmethod(run_into),
    "__nonzero__": __bool__, "__long__": __int__,  # as Python 2 had them, and PyTorch still has
}  # fmt: skip
