"""Which ops are Tensor's operators, methods and in-place methods, in PyTorch's spelling: one table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import numpy as np

from .. import ops
from ..engine import dtypes, inplace, into
from ..engine.tensor import Tensor, wrap
from ..errors import GraphError, ShapeError
from ..ops import common
from ..ops import elementwise as table
from . import (
    absent,
    convert,
    creation,
    decomposition,
    devices,
    fourier,
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
def destination(*args: Any, dtype: Any = None, device: Any = None, **ignored: Any) -> tuple[Any, Any]:
    """The dtype and the device that the arguments of `to` mean; None where they say nothing."""
    for a in args:
        if isinstance(a, Tensor):
            dtype, device = a.dtype, devices.device_of(a.array)
        elif isinstance(a, str) and a.split(":")[0] in ("cpu", "mps", *devices.KNOWN):
            device = a
        elif not isinstance(a, bool):
            dtype = a
    return None if dtype is None else dtypes.as_dtype(dtype), device


def to(self: Tensor, *args: Any, copy: bool = False, **kwargs: Any) -> Tensor:
    """This Tensor in another dtype or on another device, or as another Tensor is; itself if there is nothing to do.

    Gradients go back to where it was. Raises UnsupportedError for a device that is not there.
    """
    dtype, device = destination(*args, **kwargs)
    new = self if dtype is None or dtype == self.dtype else e.astype(self, dtype)
    here = devices.device_of(self.array)
    if (there := devices.meant("to", device, here)) != here:
        new = ops.shape.transfer(new, *(partial(devices.put, "to", where=where) for where in (there, here)))
    return shape.clone(new) if copy and new is self else new


def cpu(self: Tensor) -> Tensor:
    """This Tensor on the CPU; itself if it is there (torch.Tensor.cpu)."""
    return to(self, device="cpu")


def cuda(self: Tensor, device: Any = None, non_blocking: bool = False) -> Tensor:
    """This Tensor on a GPU, the first one or that of this number (torch.Tensor.cuda)."""
    return to(self, device="cuda" if device is None else f"cuda:{device}" if isinstance(device, int) else device)


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
    def cast(self: Tensor) -> Tensor:
        return to(self, dtype)

    cast.__doc__ = f"""This Tensor as {np.dtype(dtype)}; itself if it is that already."""
    return cast


def size(self: Tensor, dim: int | None = None) -> Any:
    """The shape, or the length of one dim."""
    return creation.Size(self.shape) if dim is None else self.shape[one_dim("size", dim, self.ndim)]


def numel(self: Tensor) -> int:
    """The number of elements."""
    return int(self.array.size)


def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Do the elements lie in memory in order; of images and volumes also in 'channels_last' (torch.Tensor.is_contiguous)?"""
    last = memory_format in (passing.channels_last, passing.channels_last_3d)
    if last and self.ndim != (4 if memory_format == passing.channels_last else 5):
        return False
    return common.is_contiguous(shape.movedim(self, 1, -1) if last else self)


def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """This Tensor if its elements lie in memory in order, else a copy of it in which they do (torch.Tensor.contiguous).

    There is no other memory format: 'channels_last' is accepted, and changes nothing.
    """
    return common.contiguous(self)


def new(self: Tensor, *data: Any, **options: Any) -> Tensor:
    """What the first constructors make, of this dtype: memory of these sizes, or these numbers (torch.Tensor.new)."""
    return Tensor(*data, **options, op="new", dtype=self.dtype)


def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Replace each element by what a function of Python numbers makes of it, in place and slowly (torch.Tensor.apply_)."""
    values = [callable(v) for v in self.detach().flatten().tolist()]
    return self._take("apply_", lambda x: wrap(np.reshape(np.array(values, x.dtype), x.shape)))


def resize_(self: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """Make this Tensor of other sizes; elements stay, in order, as far as there are any (torch.Tensor.resize_)."""
    want = creation.as_shape("resize_", sizes)
    if self.requires_grad:
        raise GraphError("resize_: a tensor that requires grad cannot be resized; use reshape()")
    if (more := prod(want) - self.array.size) > 0:
        self.data = wrap(np.resize(np.append(self.array, np.zeros(more, self.dtype)), want))
    else:
        self.data = wrap(np.reshape(self.array, (-1,))[: prod(want)].reshape(want))
    return self


def set_(self: Tensor, source: Tensor) -> Tensor:
    """Let this Tensor look at the memory of another one (torch.Tensor.set_)."""
    self.data = source.detach()
    return self


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Take the values of `src`, broadcast, in place."""
    src = _as_tensor(src).to(device=devices.device_of(self.array))
    ops.shape.expand(src.detach(), self.shape)  # or an error that says why not
    inplace.put(self, "copy_", ..., src)
    return self


def _as_tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else wrap(np.asarray(value))


def _random_(name: str, draw: Callable[..., Any]) -> Callable[..., Tensor]:
    def fill(self: Tensor, *args: Any, generator: random.Generator | None = None, **options: Any) -> Tensor:
        def drawn(x: Tensor) -> Tensor:
            return draw(x, generator or random.default_generator, *args, **options).to(device=devices.device_of(x.array))

        return self._take(name, drawn)

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


def __matmul__(self: Tensor, other: Any) -> Any:
    """The product of matrices; with an array of another dtype as np.matmul, with such a Tensor refused, as by PyTorch."""
    return np.matmul(self, other) if isinstance(other, np.ndarray) else linalg.matmul(self, other)


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """This Tensor in the dtype of `other`."""
    return to(self, other.dtype)


# ---------------------------------------------------------------- the table
BINARY = {  # operator: the op; each has a reflected and an in-place form
    "add": table.add, "sub": table.subtract, "mul": table.multiply, "truediv": table.divide, "div": table.divide, "floordiv": table.floor_divide, "mod": table.remainder,
    "pow": e.pow, "matmul": __matmul__, "and": table.bitwise_and, "or": table.bitwise_or, "xor": table.bitwise_xor,
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
        frexp ldexp gcd lcm nextafter isfinite isnan isinf isposinf isneginf isclose allclose equal eq ne lt le gt ge logical_and logical_or logical_xor logical_not
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
        repeat_interleave flip fliplr flipud rot90 roll narrow select tril triu diagonal diag diag_embed diagflat clone
    """),
    "unsafe_chunk": join.chunk, "unsafe_split": join.split, "unsafe_split_with_sizes": join.split_with_sizes,
    "swapdims": shape.transpose, "moveaxis": shape.movedim,
    **_named(join, "split split_with_sizes chunk tensor_split hsplit vsplit dsplit unbind"),
    **_named(index, """
        index_put masked_fill masked_select masked_scatter take put
        slice_scatter select_scatter diagonal_scatter as_strided as_strided_scatter
    """),
    **_named(scatter, """
        gather scatter scatter_add scatter_reduce take_along_dim index_select index_add index_copy index_fill index_reduce
    """),
    **_named(sort, "sort argsort msort topk nonzero argwhere"),
    **_named(statistics, """
        median nanmedian kthvalue mode quantile nanquantile cov corrcoef unique unique_consecutive bincount histc histogram
    """),
    **_named(linalg, "matmul mm bmm mv dot outer vdot inner kron cross addmm addmv addbmm baddbmm addr dist renorm"),
    **_named(decomposition, "det slogdet logdet matrix_power matrix_exp cholesky_solve cholesky_inverse pinverse"),
    **{name: getattr(decomposition, "first_" + name) for name in ("cholesky", "qr", "svd")},
    "ger": linalg.outer, "norm": decomposition.p_norm, "inverse": decomposition.inv,
    **_named(fused, "softmax log_softmax"),
    **_named(fourier, "stft istft"),
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
    **_named(linalg, "einsum tensordot cdist vander chain_matmul"), "spmm": linalg.mm,
    **_named(index, "combinations unravel_index"),
}  # fmt: skip
ONLY_METHODS: dict[str, Any] = {
    "view": shape.view, "expand": shape.expand, "repeat": shape.repeat, "to": to, "cpu": cpu, "cuda": cuda, "type": type, "type_as": type_as,
    "float": _cast(dtypes.float32), "double": _cast(dtypes.float64), "half": _cast(dtypes.float16), "long": _cast(dtypes.int64),
    "int": _cast(dtypes.int32), "short": _cast(dtypes.int16), "bool": _cast(dtypes.bool), "char": _cast(dtypes.int8),
    "byte": _cast(dtypes.uint8),
    **_named(shape, "reshape_as expand_as sum_to_size stride"), "contiguous": contiguous, "is_contiguous": is_contiguous, "view_as": shape.reshape_as,
    "unfold": shape.unfold, "storage_offset": index.storage_offset, "resize_": resize_, "set_": set_, "new": new, "apply_": apply_,
    "resize_as_": lambda self, other: resize_(self, other.shape),
    **_named(random, "bernoulli multinomial"), "size": size, "numel": numel, "dim": lambda self: self.ndim, "nelement": numel,
    "ndimension": lambda self: self.ndim,
    "is_floating_point": lambda self: self.dtype.kind == "f", "element_size": lambda self: self.dtype.itemsize,
    "new_tensor": creation.new_tensor, "new_zeros": creation.new_zeros, "new_ones": creation.new_ones,
    "new_empty": creation.new_empty, "new_full": creation.new_full, "polygamma": lambda self, n: e.polygamma(n, self),
    "astype": e.astype, "copy": shape.clone, "__round__": lambda self, ndigits=None: e.round(self, ndigits or 0),
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
    bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift gcd lcm ldexp nextafter
    cumsum cumprod
    tril triu
    addmm addmv addbmm baddbmm addr renorm
    masked_fill masked_scatter scatter scatter_add scatter_reduce index_add index_copy index_fill index_reduce index_put put
""".split()  # as methods with _ at the end
RESHAPING = "squeeze unsqueeze transpose swapaxes swapdims t".split()  # in place too, though the shape changes: no element does
PROPERTIES: dict[str, Any] = {
    "T": lambda self: shape.permute(self, tuple(range(self.ndim))[::-1]),
    "mT": shape.adjoint,
    "mH": shape.adjoint,
    "H": shape.H,
    "device": lambda self: devices.device_of(self.array),
    "itemsize": lambda self: self.dtype.itemsize,
    "nbytes": lambda self: self.array.size * self.dtype.itemsize,
    "retains_grad": lambda self: not self.is_leaf and self.node.retains,
    "is_cpu": lambda self: True,
    "layout": lambda self: passing.strided,
    "real": lambda self: self,
    **dict.fromkeys("is_cuda is_mps is_xpu is_meta is_quantized is_sparse is_sparse_csr is_nested".split(), lambda self: False),
}
SAYS = {  # what help() says of those that are a line
    "T": "With the dims in reversed order (torch.Tensor.T).",
    "device": "Where it is: on the CPU (torch.Tensor.device).",
    "itemsize": "The bytes of one element (torch.Tensor.itemsize).",
    "nbytes": "The bytes of all elements (torch.Tensor.nbytes).",
    "is_cuda": "Is it on a GPU? None is (torch.Tensor.is_cuda).",
    "cpu": "This Tensor, which is on the CPU (torch.Tensor.cpu).",
    "dim": "The number of dims (torch.Tensor.dim).",
    "is_floating_point": "Are they floats (torch.Tensor.is_floating_point)?",
    "element_size": "The bytes of one element (torch.Tensor.element_size).",
    "fill_": "Put a number everywhere, in place (torch.Tensor.fill_).",
    "zero_": "Put 0 everywhere, in place (torch.Tensor.zero_).",
    "where": "This Tensor where the condition holds, `other` elsewhere (torch.Tensor.where).",
    "polygamma": "As `autograd.polygamma(n, input)` (torch.Tensor.polygamma).",
    "is_pinned": "Is its memory pinned for a GPU? None is (torch.Tensor.is_pinned).",
    "is_shared": "Is its memory shared between processes? None is (torch.Tensor.is_shared).",
    "ndimension": "The number of dims (torch.Tensor.ndimension).",
    "get_device": "The number of the GPU that it is on: -1, none (torch.Tensor.get_device).",
    "is_signed": "Can its numbers be negative (torch.Tensor.is_signed)?",
    "is_nonzero": "Is its one number not 0 (torch.Tensor.is_nonzero)?",
    "is_same_size": "Has the other the same shape (torch.Tensor.is_same_size)?",
    "resize_as_": "As `resize_`, to the shape of another (torch.Tensor.resize_as_).",
    "layout": "How it lies in memory: by strides (torch.Tensor.layout).",
    "real": "This Tensor, as its numbers are real (torch.Tensor.real).",
    "is_cpu": "Is it on the CPU? It is (torch.Tensor.is_cpu).",
    "retains_grad": "Does backward leave a gradient here although this is no leaf (torch.Tensor.retains_grad)?",
}
for _name, _says in SAYS.items():
    (ONLY_METHODS | PROPERTIES)[_name].__doc__ = _says


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


def _listed(self: Tensor) -> list[str]:
    return [name for name in object.__dir__(self) if not isinstance(vars(Tensor).get(name), absent.Absent)]


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
    here = tuple(dir(Tensor))
    for name in absent.pytorchs()["torch.Tensor"].difference(here):
        put(name, absent.Absent(name, lambda: here))
    put("__dir__", _listed)


_attach()
