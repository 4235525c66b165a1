"""Which ops are Tensor's operators, methods and in-place methods, in PyTorch's spelling: one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..engine import dtypes, inplace, into
from ..engine.tensor import Tensor, wrap
from ..errors import ShapeError
from ..ops import common
from ..ops import elementwise as table
from . import (
    convert,
    creation,
    decomposition,
    devices,
    fused,
    index,
    join,
    leaf,
    linalg,
    passing,
    random,
    reduce,
    scan,
    scatter,
    shape,
    sort,
    statistics,
)
from . import elementwise as e
from .common import one_dim
from .spelling import publish


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
    devices.check_device("to", device)
    if dtype is None or (kind := dtypes.as_dtype(dtype)) == self.dtype:
        return shape.clone(self) if copy else self
    return e.astype(self, kind)


def type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """What PyTorch calls the kind of this Tensor; or, given a dtype or that name of one, this Tensor in it (torch.Tensor.type).

    >>> import autograd
    >>> autograd.tensor([1, 2]).type(), autograd.tensor([1, 2]).type("torch.FloatTensor")
    ('torch.LongTensor', tensor([1., 2.]))
    """
    if dtype is None:
        return "torch." + next(name for name, kind in creation.TYPED.items() if kind.dtype == self.dtype)
    if dtype in (Tensor, "torch.Tensor"):
        return to(self, dtypes.get_default_dtype())
    if isinstance(dtype, str):
        dtype = creation.TYPED.get(dtype.removeprefix("torch."), dtype)
    return to(self, getattr(dtype, "dtype", dtype))


def _cast(dtype: Any) -> Callable[[Tensor], Tensor]:
    return lambda self: to(self, dtype)


def size(self: Tensor, dim: int | None = None) -> Any:
    """The shape, or the length of one dim."""
    return creation.Size(self.shape) if dim is None else self.shape[one_dim("size", dim, self.ndim)]


def numel(self: Tensor) -> int:
    """The number of elements."""
    return int(self.array.size)


def copy_(self: Tensor, src: Any) -> Tensor:
    """Take the values of `src`, broadcast, in place."""
    src = _as_tensor(src)
    ops.shape.expand(src.detach(), self.shape)  # or an error that says why not
    inplace.put(self, "copy_", ..., src)
    return self


def _as_tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else wrap(np.asarray(value))


def _random_(name: str, draw: Callable[..., Any]) -> Callable[..., Tensor]:
    def fill(self: Tensor, *args: Any, generator: random.Generator | None = None, **options: Any) -> Tensor:
        return self._take(name, draw, generator or random.default_generator, *args, **options)

    fill.__name__ = fill.__qualname__ = name
    fill.__doc__ = draw.__doc__
    return fill


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Put a number on the diagonal, in place; in a tall matrix `wrap` begins it again after each block of rows."""
    if self.ndim < 2 or (self.ndim > 2 and len(set(self.shape)) > 1):
        raise ShapeError(f"fill_diagonal_ needs a matrix, or more dims of equal length, got shape {self.shape}")
    mask = np.zeros_like(self.array, dtype=bool)
    np.fill_diagonal(mask, True, wrap)
    return self._take("fill_diagonal_", lambda x: table.choose(mask, table.fill(x, fill_value), x))


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """This Tensor in the dtype of `other`."""
    return to(self, other.dtype)


# ---------------------------------------------------------------- the table
BINARY = {  # operator: the op; each has a reflected and an in-place form
    "add": table.add, "sub": table.subtract, "mul": table.multiply, "truediv": table.divide, "div": table.divide, "floordiv": table.floor_divide, "mod": table.remainder,
    "pow": e.pow, "matmul": linalg.matmul, "and": table.bitwise_and, "or": table.bitwise_or, "xor": table.bitwise_xor,
    "lshift": table.bitwise_left_shift, "rshift": table.bitwise_right_shift,
}  # fmt: skip
UNARY = {"neg": table.negative, "pos": table.positive, "abs": table.absolute, "invert": table.bitwise_not}
COMPARE = {"eq": table.eq, "ne": table.ne, "lt": table.lt, "le": table.le, "gt": table.gt, "ge": table.ge}


def _named(family: Any, names: str) -> dict[str, Any]:
    """The ops that are called in their family what PyTorch calls them: spelled there, or primitives that need no more."""
    primitives = getattr(ops, family.__name__.rpartition(".")[2], None)
    return {name: getattr(family, name, None) or getattr(primitives, name) for name in names.split()}


# name: op, by family; last in each, what has another name there.
FUNCTIONS: dict[str, Any] = {
    **_named(e, """
        multiply div floor_divide remainder fmod negative positive pow float_power square reciprocal absolute hypot copysign
        exp exp2 expm1 log log2 log10 log1p sqrt rsqrt sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh
        arctanh deg2rad rad2deg sigmoid logit relu erf erfc erfinv lgamma digamma sinc i0 xlogy logaddexp logaddexp2
        addcmul addcdiv lerp maximum minimum fmax fmin clamp where nan_to_num sign signbit heaviside frac floor ceil trunc round
        isfinite isnan isinf isclose allclose equal eq ne lt le gt ge logical_and logical_or logical_xor logical_not
        bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift
    """),
    "add": e.add, "sub": e.subtract, "subtract": e.subtract, "mul": table.multiply, "divide": e.div,
    "true_divide": table.divide, "neg": table.negative, "abs": table.absolute, "asin": table.arcsin, "acos": table.arccos, "atan": table.arctan, "clip": e.clamp,
    "asinh": table.arcsinh, "acosh": table.arccosh, "atanh": table.arctanh, "atan2": table.arctan2, "sgn": table.sign, "fix": table.trunc, "clamp_min": table.clip_min,
    "clamp_max": table.clip_max, "greater": table.gt, "greater_equal": table.ge, "less": table.lt, "less_equal": table.le, "not_equal": table.ne,
    **_named(reduce, """
        sum mean prod nansum nanmean count_nonzero trace var std max min amax amin aminmax argmax argmin all any logsumexp
    """),
    **_named(scan, "cumsum cumprod cummax cummin logcumsumexp diff"),
    **_named(shape, """
        reshape flatten ravel unflatten squeeze unsqueeze transpose swapaxes permute movedim t adjoint broadcast_to tile
        repeat_interleave flip fliplr flipud rot90 roll narrow select tril triu diagonal diag diag_embed clone
    """),
    "swapdims": shape.transpose, "moveaxis": shape.movedim,
    **_named(join, "split split_with_sizes chunk tensor_split hsplit vsplit dsplit unbind"),
    **_named(index, "index_put masked_fill masked_select masked_scatter take"),
    **_named(scatter, "gather scatter scatter_add scatter_reduce take_along_dim index_select index_add index_copy index_fill"),
    **_named(sort, "sort argsort msort topk nonzero argwhere"),
    **_named(statistics, """
        median nanmedian kthvalue mode quantile nanquantile cov corrcoef unique unique_consecutive bincount histc histogram
    """),
    **_named(linalg, "matmul mm bmm mv dot outer vdot inner kron cross addmm addmv addbmm baddbmm"),
    **_named(decomposition, "det slogdet matrix_power"),
    "norm": decomposition.p_norm, "inverse": decomposition.inv,
    **_named(fused, "softmax log_softmax"),
}  # fmt: skip
ONLY_FUNCTIONS: dict[str, Any] = {
    **_named(e, "rsub polygamma"),
    **_named(reduce, "var_mean std_mean"),
    **_named(scan, "trapezoid cumulative_trapezoid"),
    "trapz": scan.trapezoid, "simpson": scan.simpson,
    **_named(join, """
        cat stack hstack vstack dstack column_stack block_diag broadcast_shapes broadcast_tensors meshgrid cartesian_prod
        atleast_1d atleast_2d atleast_3d
    """),
    "concat": join.cat, "concatenate": join.cat, "row_stack": join.vstack,
    **_named(shape, "tril_indices triu_indices"), **_named(sort, "searchsorted bucketize isin"),
    **_named(linalg, "einsum tensordot cdist"),
}  # fmt: skip
ONLY_METHODS: dict[str, Any] = {
    "view": shape.view, "expand": shape.expand, "repeat": shape.repeat, "to": to, "type": type, "type_as": type_as,
    "float": _cast(dtypes.float32), "double": _cast(dtypes.float64), "half": _cast(dtypes.float16), "long": _cast(dtypes.int64),
    "int": _cast(dtypes.int32), "short": _cast(dtypes.int16), "bool": _cast(dtypes.bool), "cpu": lambda self: self,
    **_named(shape, "reshape_as expand_as sum_to_size stride"), **_named(common, "contiguous is_contiguous"), "view_as": shape.reshape_as,
    "unfold": shape.unfold,
    **_named(random, "bernoulli multinomial"), "size": size, "numel": numel, "dim": lambda self: self.ndim, "nelement": numel,
    "is_floating_point": lambda self: self.dtype.kind == "f", "element_size": lambda self: self.dtype.itemsize,
    "new_tensor": creation.new_tensor, "new_zeros": creation.new_zeros, "new_ones": creation.new_ones,
    "new_empty": creation.new_empty, "new_full": creation.new_full, "polygamma": lambda self, n: e.polygamma(n, self),
    "copy_": copy_, "fill_diagonal_": fill_diagonal_, **{name: _random_(name, draw) for name, draw in random.FILLS.items()},
    "fill_": lambda self, value: self._take("fill_", table.fill, value), "zero_": lambda self: self._take("zero_", table.fill, 0),
    "where": lambda self, condition, other: e.where(condition, self, other), **passing.METHODS,
}  # fmt: skip
IN_PLACE = """
    add sub subtract mul multiply div divide true_divide floor_divide remainder fmod neg negative pow float_power square reciprocal
    abs absolute hypot copysign exp exp2 expm1 log log2 log10 log1p sqrt rsqrt sin cos tan asin acos atan atan2 arcsin arccos arctan
    arctan2 sinh cosh tanh asinh acosh atanh arcsinh arccosh arctanh deg2rad rad2deg sigmoid logit relu erf erfc erfinv lgamma digamma
    sinc i0 xlogy addcmul addcdiv lerp clamp clip clamp_min clamp_max nan_to_num sign sgn heaviside frac floor ceil trunc fix round
    eq ne lt le gt ge greater greater_equal less less_equal not_equal logical_and logical_or logical_xor logical_not
    bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift
    cumsum cumprod
    tril triu
    addmm addmv addbmm baddbmm
    masked_fill masked_scatter scatter scatter_add scatter_reduce index_add index_copy index_fill index_put
""".split()  # as methods with _ at the end
RESHAPING = "squeeze unsqueeze transpose swapaxes swapdims t".split()  # in place too, though the shape changes: no element does
PROPERTIES: dict[str, Any] = {
    "T": lambda self: shape.permute(self, tuple(range(self.ndim))[::-1]),
    "mT": shape.adjoint,
    "mH": shape.adjoint,
    "H": shape.H,
    "device": lambda self: devices.CPU,
    "itemsize": lambda self: self.dtype.itemsize,
    "nbytes": lambda self: self.array.size * self.dtype.itemsize,
    "is_cuda": lambda self: False,
}


for _table in (FUNCTIONS, ONLY_FUNCTIONS, ONLY_METHODS):
    publish(_table)


def _in_place(name: str, op: Callable[..., Any]) -> Callable[..., Tensor]:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return self._take(name, op, *args, **kwargs)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"""As `{name.rstrip("_")}`, in place."""
    return method


def _reshaping(name: str, op: Callable[..., Any]) -> Callable[..., Tensor]:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return into.reshape_in_place(self, name, op, *args, **kwargs)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"""As `{name.rstrip("_")}`, of this Tensor itself; those that share its memory keep their shape."""
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
    put("_take", inplace.change)
    for name, method in (convert.METHODS | leaf.METHODS | leaf.PROPERTIES).items():
        put(name, method)
    put("__init__", creation.construct)
    put("__reversed__", lambda self: shape.flip(self, 0) if self.ndim else self)
    put("__getitem__", index.getitem)
    put("__setitem__", index.setitem)
    for name, op in (UNARY | COMPARE).items():
        put(f"__{name}__", _equality(op) if name in ("eq", "ne") else op)
    for name, op in (FUNCTIONS | ONLY_METHODS).items():
        put(name, op)
    for name in IN_PLACE:
        put(name + "_", _in_place(name + "_", FUNCTIONS[name]))
    for name in RESHAPING:
        put(name + "_", _reshaping(name + "_", FUNCTIONS[name]))
    for name, function in PROPERTIES.items():
        put(name, property(function))


_attach()
