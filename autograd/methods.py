"""Which ops are Tensor's operators, methods and in-place methods, in PyTorch's spelling: one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import dtypes, random
from .errors import UnsupportedError
from .ops import decomposition, fused, index, linalg, reduce, shape
from .ops import elementwise as e
from .ops.common import one_dim
from .tensor import Tensor, wrap


# ---------------------------------------------------------------- methods that are no functions
def to(self: Tensor, *args: Any, dtype: Any = None, device: Any = None, copy: bool = False, **ignored: Any) -> Tensor:
    """This Tensor in another dtype (or that of another Tensor); itself if there is nothing to do. The only device is 'cpu'."""
    for a in args:
        if isinstance(a, Tensor):
            dtype = a.dtype
        elif isinstance(a, str) and a.split(":")[0] in ("cpu", "cuda", "mps"):
            device = a
        elif not isinstance(a, bool):
            dtype = a
    if device not in (None, "cpu"):
        raise UnsupportedError(f"to: the only device here is 'cpu', not {device!r}")
    if dtype is None or (kind := dtypes.as_dtype(dtype)) == self.dtype:
        return shape.clone(self) if copy else self
    return e.astype(self, kind)


def _cast(dtype: Any) -> Callable[[Tensor], Tensor]:
    return lambda self: to(self, dtype)


def size(self: Tensor, dim: int | None = None) -> Any:
    """The shape, or the length of one dim."""
    return self.shape if dim is None else self.shape[one_dim("size", dim, self.ndim)]


def numel(self: Tensor) -> int:
    """The number of elements."""
    return int(self.array.size)


def copy_(self: Tensor, src: Any) -> Tensor:
    """Take the values of `src`, broadcast, in place."""
    return self._take("copy_", lambda _, v: shape.clone(shape.broadcast_(to(v, self.dtype), self.shape)), _as_tensor(src))


def _as_tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else wrap(np.asarray(value))


def _random_(draw: Callable[..., Any]) -> Callable[..., Tensor]:
    def fill(self: Tensor, *args: Any, generator: random.Generator | None = None, **options: Any) -> Tensor:
        source = generator or random.default_generator
        return self._take(draw.__name__ + "_", lambda x: draw(x, source, *args, **options))

    return fill


def uniform(x: Tensor, source: random.Generator, low: float = 0, high: float = 1, **named: float) -> Any:
    low, high = named.get("from_", low), named.get("to", high)
    return random.uniform_(source, low, high, x.shape, x.dtype)


def normal(x: Tensor, source: random.Generator, mean: float = 0, std: float = 1) -> Any:
    return random.normal_(source, mean, std, x.shape, x.dtype)


def bernoulli(x: Tensor, source: random.Generator, p: float = 0.5) -> Any:
    return random.bernoulli_(source, p, x.shape, x.dtype)


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """This Tensor in the dtype of `other`."""
    return to(self, other.dtype)


# ---------------------------------------------------------------- the table
BINARY = {  # operator: (the op, does it have an in-place form?)
    "add": e.add, "sub": e.subtract, "mul": e.multiply, "truediv": e.divide, "floordiv": e.floor_divide, "mod": e.remainder,
    "pow": e.pow, "matmul": linalg.matmul, "and": e.bitwise_and, "or": e.bitwise_or, "xor": e.bitwise_xor,
}  # fmt: skip
UNARY = {"neg": e.negative, "pos": e.positive, "abs": e.absolute, "invert": e.bitwise_not}
COMPARE = {"eq": e.eq, "ne": e.ne, "lt": e.lt, "le": e.le, "gt": e.gt, "ge": e.ge}


def _named(family: Any, names: str) -> dict[str, Any]:
    """The ops that are called in their family what PyTorch calls them."""
    return {name: getattr(family, name) for name in names.split()}


# name: op, by family; last in each, what has another name there.
FUNCTIONS: dict[str, Any] = {
    **_named(e, """
        multiply div floor_divide remainder negative positive pow square reciprocal absolute sign exp expm1 log
        log1p sqrt rsqrt sin cos tan arcsin arccos arctan sinh cosh tanh sigmoid relu erf maximum minimum clamp
        where floor ceil trunc round isfinite isnan isinf isclose allclose equal eq ne lt le gt ge logical_and
        logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_not
    """),
    "add": e.add_scaled, "sub": e.sub_scaled, "subtract": e.sub_scaled, "mul": e.multiply, "divide": e.div,
    "true_divide": e.divide, "neg": e.negative, "abs": e.absolute, "asin": e.arcsin, "acos": e.arccos, "atan": e.arctan, "clip": e.clamp,
    **_named(reduce, "sum mean prod var std max min amax amin argmax argmin all any logsumexp cumsum"),
    **_named(shape, """
        reshape flatten squeeze unsqueeze transpose permute movedim t broadcast_to split chunk unbind flip roll
        tile tril triu diagonal clone
    """),
    "ravel": shape.flatten, "swapaxes": shape.transpose,
    **_named(index, "gather scatter_add index_select masked_fill take_along_dim sort argsort topk"),
    **_named(linalg, "matmul mm bmm mv dot outer vdot inner kron cross addmm addmv addbmm baddbmm"),
    **_named(decomposition, "det slogdet matrix_power"),
    "norm": decomposition.p_norm, "inverse": decomposition.inv,
    **_named(fused, "softmax log_softmax"),
}  # fmt: skip
ONLY_FUNCTIONS: dict[str, Any] = {
    **_named(shape, "cat stack"),
    "concat": shape.cat, "concatenate": shape.cat,
    **_named(linalg, "einsum tensordot cdist"),
}  # fmt: skip
ONLY_METHODS: dict[str, Any] = {
    "view": shape.view, "expand": shape.expand, "repeat": shape.repeat, "to": to, "type": to, "type_as": type_as,
    "float": _cast(dtypes.float32), "double": _cast(dtypes.float64), "half": _cast(dtypes.float16), "long": _cast(dtypes.int64),
    "int": _cast(dtypes.int32), "short": _cast(dtypes.int16), "bool": _cast(dtypes.bool), "cpu": lambda self: self,
    "contiguous": lambda self: self, "size": size, "numel": numel, "dim": lambda self: self.ndim, "nelement": numel,
    "is_floating_point": lambda self: self.dtype.kind == "f", "element_size": lambda self: self.dtype.itemsize,
    "view_as": lambda self, other: shape.reshape(self, other.shape), "expand_as": lambda self, other: shape.broadcast_to(self, other.shape),
    "copy_": copy_, "uniform_": _random_(uniform), "normal_": _random_(normal), "bernoulli_": _random_(bernoulli),
    "fill_": lambda self, value: self._take("fill_", e.fill, value), "zero_": lambda self: self._take("zero_", e.fill, 0),
    "__getitem__": index.getitem, "__setitem__": index.setitem, "where": lambda self, condition, other: e.where(condition, self, other),
}  # fmt: skip
IN_PLACE = """
    add sub subtract mul multiply div divide true_divide floor_divide remainder neg negative pow square reciprocal abs absolute sign
    exp expm1 log log1p sqrt rsqrt sin cos tan asin acos atan arcsin arccos arctan sinh cosh tanh sigmoid relu
    clamp clip floor ceil trunc round
    cumsum
    tril triu
    masked_fill scatter_add
""".split()  # as methods with _ at the end
PROPERTIES: dict[str, Any] = {
    "T": lambda self: shape.permute(self, tuple(range(self.ndim))[::-1]),
    "mT": lambda self: shape.transpose(self, -2, -1),
    "device": lambda self: "cpu",
    "is_cuda": lambda self: False,
}


def _in_place(name: str, op: Callable[..., Any]) -> Callable[..., Tensor]:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return self._take(name, op, *args, **kwargs)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"""As `{name.rstrip("_")}`, in place."""
    return method


def _equality(op: Callable[..., Any]) -> Callable[..., Any]:
    """`op` on what tensors can be compared with; Python itself says that they are not equal to anything else."""
    return lambda self, other: op(self, other) if isinstance(other, (int, float)) or hasattr(other, "dtype") else NotImplemented


def _reflected(op: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: op(other, self)


def _attach() -> None:
    put: Callable[[str, Any], None] = lambda name, value: setattr(Tensor, name, value)  # noqa: E731
    for name, op in BINARY.items():
        put(f"__{name}__", op)
        put(f"__r{name}__", _reflected(op))
        put(f"__i{name}__", _in_place(f"__i{name}__", op))
    for name, op in (UNARY | COMPARE).items():
        put(f"__{name}__", _equality(op) if name in ("eq", "ne") else op)
    for name, op in (FUNCTIONS | ONLY_METHODS).items():
        put(name, op)
    for name in IN_PLACE:
        put(name + "_", _in_place(name + "_", FUNCTIONS[name]))
    for name, function in PROPERTIES.items():
        put(name, property(function))


_attach()
