"""Making Tensors: from data, and filled."""

from __future__ import annotations

from functools import reduce
from math import isfinite, prod
from operator import index
from typing import Any

import numpy as np

from ..engine.dtypes import as_dtype, float64, get_default_dtype, number, promote_types, result_type
from ..engine.graph import memory
from ..engine.tensor import NUMPY, Tensor, wrap
from ..engine.warn import leave
from ..errors import ArgumentError, DtypeError, ShapeError, describe
from .devices import device_of, put
from .spelling import publish


def as_shape(op: str, sizes: tuple[Any, ...], size: Any = None) -> tuple[int, ...]:
    """The shape in `zeros(2, 3)`, `zeros((2, 3))` and `zeros(size=(2, 3))`. Raises ShapeError."""
    sizes = sizes if size is None else (size,)
    sizes = tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    if not all(hasattr(n, "__index__") and n >= 0 for n in sizes):
        raise ShapeError(f"{op}: the sizes of a tensor are integers, none negative, got {sizes}")
    return tuple(map(index, sizes))


def leaf(op: str, tensor: Tensor, requires_grad: bool, device: Any) -> Tensor:
    """`tensor`, fresh from memory, as the options that all of these functions have want it."""
    if device is not None:
        tensor.array = put(op, tensor.array, device)
    return tensor.requires_grad_(requires_grad)


def _array(op: str, data: Any, dtype: Any, copy: bool | None) -> Any:
    """`data` as an array of a dtype that Tensors have: PyTorch's for Python numbers, their own for arrays and NumPy's scalars."""
    parts = _leaves(data)
    others = [v for v in parts if type(v) not in (float, int, bool)]
    leave(op, *others)
    if isinstance(data, Tensor):
        data = data.array
    elif isinstance(data, (list, tuple)) and (typed := {v.dtype for v in others if hasattr(v, "dtype")}):
        plain = {type(v): v for v in parts if not hasattr(v, "dtype")}.values()  # one of each type
        data, dtype = _plain(data), reduce(promote_types, typed.union(map(result_type, plain))) if dtype is None else dtype
    own = hasattr(data, "dtype")
    try:
        array = data if own and not isinstance(data, np.generic) else np.asarray(data)
    except ValueError as error:
        raise ShapeError(f"tensor needs nested lists of equal lengths, got {describe(data)}") from error
    if dtype is None:
        dtype = array.dtype
        if not own and dtype.kind == "f":
            dtype = get_default_dtype()
        if not array.size and not own:
            dtype = get_default_dtype()
    kind = as_dtype(dtype, lambda: f"; got {type(data).__name__} {str(data)[:40]!r}")
    if type(array) is not np.ndarray:  # another library's array, which stays one
        return array
    if not own and array.dtype.kind == "i" and array.dtype != kind and kind.kind in "iu" and (array.astype(kind) != array).any():
        raise DtypeError(f"tensor: {describe(data)} does not fit into {kind}; use a wider dtype")
    array = array.astype(kind, copy=bool(copy))
    return array if array.dtype is kind else array.view(kind)  # one object for each dtype: the engine compares with `is`


def _leaves(data: Any) -> list[Any]:
    return [v for part in data for v in _leaves(part)] if isinstance(data, (list, tuple)) else [data]


def _plain(data: Any) -> Any:
    return [_plain(v) for v in data] if isinstance(data, (list, tuple)) else getattr(data, "array", data)


def tensor(data: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Tensor:
    """A new leaf with a copy of `data`: numbers, nested lists, arrays (torch.tensor).

    Python floats get the default dtype, integers int64, booleans bool; arrays keep theirs.

    >>> import autograd
    >>> autograd.tensor([[1, 2], [3, 4]]), autograd.tensor([1.0, 2.5], requires_grad=True)
    (tensor([[1, 2],
            [3, 4]]), tensor([1.0000, 2.5000], requires_grad=True))
    """
    return leaf("tensor", wrap(_array("tensor", data, dtype, copy=True)), requires_grad, device)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a Tensor, without a copy where that is possible; a Tensor stays in its graph (torch.as_tensor)."""
    if isinstance(data, Tensor):
        return data.to(dtype=dtype, device=device)
    return wrap(put("as_tensor", _array("as_tensor", data, dtype, copy=False), device))


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False
) -> Tensor:  # fmt: skip
    """`obj` as a Tensor that shares its memory where that is possible, or never (`copy=True`), or must (False) (torch.asarray).

    Unless `requires_grad` it is outside of the graph.

    >>> asarray([1, 2], dtype="float32")
    tensor([1., 2.])
    """
    if not requires_grad:
        leave("asarray", obj)
        obj = obj.detach() if isinstance(obj, Tensor) else obj
    made = as_tensor(obj, dtype, device)
    shares = memory(made.array) is memory(getattr(obj, "array", obj)) and made.array.size > 0
    if copy is False and not shares:
        raise ArgumentError(f"asarray: {describe(obj)} cannot become a tensor of {made.dtype} without a copy")
    made = made.clone() if copy and shares else made
    return made.requires_grad_() if requires_grad else made


def scalar_tensor(s: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Tensor:
    """A 0-d tensor of one number, in the default dtype (torch.scalar_tensor)."""
    return tensor(s, dtype=as_dtype(dtype), requires_grad=requires_grad, device=device)


def from_numpy(array: Any) -> Tensor:
    """A Tensor that shares the memory of `array` (torch.from_numpy)."""
    if not hasattr(array, "dtype"):
        raise DtypeError(f"from_numpy needs an array, got {type(array).__name__}; use tensor()")
    return wrap(_array("from_numpy", array, None, copy=False))


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A vector that shares the memory of a buffer, as bytes, of which the first `offset` are left out (torch.frombuffer).

    >>> frombuffer(b"ab", dtype="uint8")
    tensor([97, 98], dtype=uint8)
    """
    kind = as_dtype(dtype)
    return wrap(np.frombuffer(buffer, kind, count, offset).view(kind)).requires_grad_(requires_grad)


# ---------------------------------------------------------------- PyTorch's first constructors
class _AnyTuple(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, tuple)


class Size(tuple[int, ...], metaclass=_AnyTuple):
    """A shape: what `size()` returns, parts and sums of it too. Every tuple counts as one, as `shape` is one (torch.Size).

    >>> import autograd
    >>> autograd.zeros(2, 3, 4).size()[1:].numel()
    12
    """

    def numel(self) -> int:
        """The number of elements in a tensor of these sizes."""
        return prod(self)

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> Any:
        return Size(tuple.__add__(self, other))


def construct(
    self: Tensor, *sizes: Any, data: Any = None, size: Any = None, device: Any = None, op: str = "Tensor", dtype: Any = None
) -> None:
    """Make `self` what PyTorch's first constructors make: of sizes memory as it is, of numbers a copy, of a tensor a view."""
    first = sizes[0] if len(sizes) == 1 else data
    self.node = None
    if isinstance(first, Tensor):
        alias = first.view(first.shape) if dtype is None else first.to(dtype)
        self.array, self.node = alias.array, alias.node
    elif size is not None or type(first) is Size:
        self.array = np.empty(as_shape(op, (), first if size is None else size), as_dtype(dtype))
    elif first is None or (isinstance(first, (int, np.integer)) and not isinstance(first, bool)):
        self.array = np.empty(as_shape(op, sizes or (0,)), as_dtype(dtype))
    elif isinstance(first, tuple) and first and all(type(n) is int for n in first):
        raise ArgumentError(f"{op}: {first} may be sizes or numbers; say {op}(*{first}) or {op}({list(first)})")
    elif isinstance(first, (tuple, list, range)) or (hasattr(first, "__array__") and not isinstance(first, np.generic)):
        self.array = _array(op, list(first) if isinstance(first, range) else first, as_dtype(dtype), copy=False)
    else:
        raise DtypeError(f"{op} takes sizes, a list of numbers, an array or a tensor, not {describe(first)}; use tensor()")
    self.array = put(op, self.array, device)


construct.__qualname__ = "Tensor"  # as which Python's own errors name it


class _OfDtype(type):
    """The type of FloatTensor and its like, which make Tensors of one dtype; all Tensors of that dtype are theirs."""

    dtype: Any

    def __call__(cls, *data: Any, **options: Any) -> Tensor:
        return Tensor(*data, **options, op=cls.__name__, dtype=cls.dtype)

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, Tensor) and value.dtype == cls.dtype


_KINDS = "Float float32 Double float64 Half float16 Long int64 Int int32 Short int16 Char int8 Byte uint8 Bool bool".split()
TYPED: dict[str, Any] = {
    f"{kind}Tensor": _OfDtype(
        f"{kind}Tensor", (), {"dtype": np.dtype(dtype), "__doc__": f"""{dtype} Tensors (torch.{kind}Tensor)."""}
    )
    for kind, dtype in zip(_KINDS[::2], _KINDS[1::2], strict=True)
}


def _filled(name: str, numpy: Any) -> tuple[Any, Any, Any]:
    def make(*sizes: Any, size: Any = None, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Tensor:
        return leaf(name, wrap(numpy(as_shape(name, sizes, size), as_dtype(dtype))), requires_grad, device)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"""A tensor of the given sizes {_FILLINGS[name]} (torch.{name})."""
    like_numpy = getattr(np, name + "_like")

    def like(input: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None, shape: Any = None) -> Tensor:
        kind = input.dtype if dtype is None else as_dtype(dtype)
        array = like_numpy(getattr(input, "array", input), dtype=kind, shape=shape)
        return leaf(name + "_like", wrap(array), requires_grad, device)

    like.__name__ = like.__qualname__ = name + "_like"
    like.__doc__ = f"""A tensor of the shape and dtype of `input` {_FILLINGS[name]} (torch.{name}_like)."""
    NUMPY[like_numpy] = lambda a, dtype=None, order="K", subok=True, shape=None, device=None: like(a, dtype=dtype, shape=shape)

    def new(self: Tensor, *sizes: Any, dtype: Any = None, **options: Any) -> Tensor:
        options = {"device": device_of(self.array)} | options
        return make(*sizes, dtype=self.dtype if dtype is None else dtype, **options)

    new.__name__ = new.__qualname__ = "new_" + name
    new.__doc__ = f"""A tensor of the given sizes {_FILLINGS[name]}, of this dtype (torch.Tensor.new_{name})."""
    return make, like, new


_FILLINGS = {"zeros": "full of zeros", "ones": "full of ones", "empty": "with whatever was in memory"}
zeros, zeros_like, new_zeros = _filled("zeros", np.zeros)
ones, ones_like, new_ones = _filled("ones", np.ones)
empty, empty_like, new_empty = _filled("empty", np.empty)


def new_tensor(self: Tensor, data: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Tensor:
    """A copy of `data`, of this dtype and on this device (torch.Tensor.new_tensor)."""
    kind, where = dtype or self.dtype, device or device_of(self.array)
    return tensor(data, dtype=kind, requires_grad=requires_grad, device=where)


def full(size: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Tensor:
    """A tensor of the given sizes full of `fill_value`, in the dtype that tensor(fill_value) has (torch.full)."""
    value = number("full", "fill_value", fill_value)
    kind = as_dtype(result_type(value) if dtype is None else dtype)
    return leaf("full", _full("full", np.full, as_shape("full", (size,)), value, kind), requires_grad, device)


def full_like(
    input: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None, shape: Any = None
) -> Tensor:
    """A tensor of the shape and dtype of `input` full of `fill_value` (torch.full_like)."""
    array, value = getattr(input, "array", input), number("full_like", "fill_value", fill_value)
    kind = input.dtype if dtype is None else as_dtype(dtype)
    return leaf("full_like", _full("full_like", np.full_like, array, value, kind, shape=shape), requires_grad, device)


def new_full(self: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, **options: Any) -> Tensor:
    """A tensor of the given sizes full of `fill_value`, of this dtype (torch.Tensor.new_full)."""
    return full(size, fill_value, dtype=self.dtype if dtype is None else dtype, **options)


def _full(op: str, numpy: Any, what: Any, value: Any, dtype: Any, **options: Any) -> Tensor:
    leave(op, value)
    try:
        with np.errstate(invalid="raise"):  # NaN is no integer
            return wrap(numpy(what, getattr(value, "array", value), dtype, **options))
    except (OverflowError, ValueError, FloatingPointError) as error:
        raise DtypeError(f"{op}: {describe(value)} does not fit into {dtype}: {error}") from error


def eye(n: int, m: int | None = None, *, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Tensor:
    """Ones on the diagonal, zeros elsewhere (torch.eye)."""
    n, m = as_shape("eye", (n, n if m is None else m))
    return leaf("eye", wrap(np.eye(n, m, dtype=as_dtype(dtype))), requires_grad, device)


def arange(
    start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, requires_grad: bool = False, device: Any = None
) -> Tensor:
    """From `start` (0 if left out) by `step` to before `end`; int64 if all are integers (torch.arange)."""
    start, end = (0, start) if end is None else (start, end)
    start, end, step = _numbers("arange", start, end, step)
    if step == 0 or (end - start) / step < 0:
        raise ArgumentError(f"arange: from {start} to {end} there is no way by steps of {step}")
    kind = as_dtype(dtype or result_type(start, end, step))
    return leaf("arange", wrap(np.arange(start, end, step, dtype=kind)), requires_grad, device)


def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Tensor:
    """`steps` numbers from `start` to `end`, both included, evenly spaced; integers are cut off (torch.linspace).

    >>> linspace(-3, 3, 6, dtype="int64")
    tensor([-3, -1,  0,  0,  1,  3])
    """
    return leaf("linspace", wrap(_spaced("linspace", start, end, steps, as_dtype(dtype))), requires_grad, device)


def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, requires_grad: bool = False, device: Any = None
) -> Tensor:
    """`base` to the power of `steps` numbers from `start` to `end`, both included, evenly spaced (torch.logspace).

    >>> logspace(0, 3, 4, base=2)
    tensor([1., 2., 4., 8.])
    """
    powers = float(base) ** _spaced("logspace", start, end, steps, float64)
    return leaf("logspace", wrap(powers.astype(as_dtype(dtype))), requires_grad, device)


def _spaced(op: str, start: Any, end: Any, steps: int, dtype: Any) -> Any:
    if not hasattr(steps, "__index__") or steps < 0:
        raise ArgumentError(f"{op}: steps is an integer, not negative, got {steps}")
    start, end = _numbers(op, start, end)
    if dtype.kind == "f":
        return np.linspace(start, end, steps, dtype=dtype)
    if dtype.kind == "b" or not all(isfinite(v) and np.iinfo(dtype).min <= int(v) <= np.iinfo(dtype).max for v in (start, end)):
        raise DtypeError(f"{op}: numbers from {start} to {end} do not fit into {dtype}; use a wider dtype")
    start, end, i = int(start), int(end), np.arange(steps)  # from both ends, as PyTorch does, which decides how they are rounded
    step = (end - start) / max(steps - 1, 1)
    return np.where(i < max(steps // 2, 1), start + step * i, end - step * (steps - 1 - i)).astype(dtype)


def _numbers(op: str, *values: Any) -> list[Any]:
    leave(op, *values)
    return [v.item() if isinstance(v, Tensor) else v for v in values]


NUMPY[np.full_like] = lambda a, fill_value, dtype=None, order="K", subok=True, shape=None, device=None: full_like(
    a, fill_value, dtype=dtype, shape=shape
)

globals().update(publish({f.__name__: f for f in (
    tensor, as_tensor, asarray, scalar_tensor, from_numpy, frombuffer, zeros, zeros_like, new_zeros, ones, ones_like, new_ones,
    empty, empty_like, new_empty, full, full_like, new_full, new_tensor, eye, arange, linspace, logspace,
)}))  # fmt: skip
