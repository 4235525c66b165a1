"""Functions of integers that stand for things: one-hot vectors and rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import ops
from autograd.api.elementwise import where
from autograd.api.index import setitem
from autograd.api.linalg import vector_norm
from autograd.engine.batch import checked, whole
from autograd.engine.dtypes import int64
from autograd.engine.grad_mode import no_grad
from autograd.engine.graph import Array
from autograd.engine.primitive import primitive
from autograd.engine.tensor import Tensor
from autograd.engine.warn import seen, warn
from autograd.errors import ArgumentError, DimError, DtypeError, ShapeError
from autograd.ops.elementwise import reciprocal
from autograd.ops.index import gather, getindex, unindex

from .checks import need_tensors


# ---------------------------------------------------------------- the table
def _first_largest(x: Array, bags: Array, n: int) -> Array:
    """Which row has the largest value in a column, for each of `n` bags of rows; of several the first, of none row 0."""
    top = np.full_like(x, -np.inf, shape=(n, x.shape[1]))
    np.maximum.at(top, bags, x)
    row = np.expand_dims(np.arange(x.shape[0], like=x), 1)
    first = np.full_like(row, x.shape[0], shape=top.shape)
    np.minimum.at(first, bags, np.where((x == top[bags]) | (x != x), row, x.shape[0]))
    return first % max(x.shape[0], 1)


# fmt: off
lookup        = primitive(lambda w, i, share: w[i], "embedding", moves=True,
    w=lambda g, w_shape, i, share: unindex(g * share, w_shape, i),
            says="The rows of w at the positions i (torch.nn.functional.embedding).")  # share of the gradient
first_largest = primitive(_first_largest, "first_largest",
            says="For each of n bags of rows, and in each column, which row has the largest value; of several the first.")
# fmt: on


# ---------------------------------------------------------------- rows of a table
def embedding(
    input: Any, weight: Any, padding_idx: int | None = None, max_norm: float | None = None, norm_type: float = 2.0,
    scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:  # fmt: skip
    """The rows of `weight` at the positions in `input` (torch.nn.functional.embedding).

    No gradient goes to the row `padding_idx`. With `max_norm`, rows that are used and whose `norm_type`-norm is larger are
    first scaled down to it, in place. `scale_grad_by_freq` divides gradients by how often a row is used. Gradients are
    always dense: `sparse` has no effect.

    Shape: (...) and (n, m) give (..., m). Raises DtypeError, ShapeError, and DimError for a position that is no row.

    >>> import autograd
    >>> embedding(autograd.tensor([2, 0]), autograd.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    tensor([[4., 5.],
            [0., 1.]])
    """
    padding = _check_rows("embedding", input, weight, padding_idx)
    return _rows(input, weight, padding, max_norm, norm_type, scale_grad_by_freq)


def _check_rows(op: str, input: Any, weight: Any, padding_idx: int | None) -> int | None:
    """Check positions of rows. Returns `padding_idx` counted from the front."""
    need_tensors(op, input=input, weight=weight)
    if input.dtype.kind not in "iu":
        raise DtypeError(f"{op}: input holds positions, integers, not {input.dtype}; use long()")
    if weight.ndim != 2:
        raise ShapeError(f"{op}: weight is a matrix, of which to take rows; got shape {weight.shape}")
    n = weight.shape[0]

    def look(found: Any) -> None:
        if found.size and not (np.min(found) >= 0 and np.max(found) < n):
            raise DimError(f"{op}: input holds {np.min(found)} to {np.max(found)}, but weight has rows 0 to {n - 1}")

    checked(look, input)
    if padding_idx is not None and not -n <= padding_idx < n:
        raise DimError(f"{op}: padding_idx {padding_idx} is no row; weight has rows 0 to {n - 1}")
    return None if padding_idx is None else padding_idx % n


def _rows(input: Any, weight: Any, padding: int | None, max_norm: float | None, norm_type: float, by_frequency: bool) -> Any:
    if max_norm is not None:
        with no_grad():
            rows = getindex(weight, input)
            norms = vector_norm(rows, norm_type, -1, True)
            setitem(weight, input, rows * where(norms > max_norm, max_norm / (norms + 1e-7), 1.0).to(weight.dtype))
    share = None if padding is None else (input != padding).to(weight.dtype)
    if by_frequency:
        often = reciprocal(getindex(unindex(np.ones_like(input), weight.shape[:1], input), input)).to(weight.dtype)
        share = often if share is None else share * often
    return getindex(weight, input) if share is None else lookup(weight, input, np.expand_dims(share, -1))


def embedding_bag(
    input: Any, weight: Any, offsets: Any = None, max_norm: float | None = None, norm_type: float = 2,
    scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, per_sample_weights: Any = None,
    include_last_offset: bool = False, padding_idx: int | None = None,
) -> Tensor:  # fmt: skip
    """The 'sum', 'mean' or 'max' of the rows of `weight` at the positions in each bag (torch.nn.functional.embedding_bag).

    A matrix `input` has a bag in each row; a vector has bags that begin at `offsets` (with `include_last_offset`, the last
    of these is the end). `per_sample_weights`, of the shape of `input`, multiply rows before they are summed. The position
    `padding_idx` does not count. An empty bag gives zeros. The rest is as in `embedding`. Positions that come second, as in
    old programs, are taken with a warning.

    Shape: (bags, k), or (k,) and (bags,), and (n, m) give (bags, m). Raises as `embedding` does, and ArgumentError.

    >>> import autograd
    >>> table = autograd.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    >>> embedding_bag(autograd.tensor([0, 1, 2]), table, autograd.tensor([0, 2]))
    tensor([[1., 2.],
            [4., 5.]])
    """
    op = "embedding_bag"
    need_tensors(op, input=input, weight=weight)
    if input.dtype.kind == "f" and weight.dtype == int64:
        warn(f"{op} takes input, the positions, before weight; the other order, of old programs, may become an error")
        input, weight = weight, input
    padding = _check_rows(op, input, weight, padding_idx)
    _check_bags(op, input, weight, offsets, mode, per_sample_weights, scale_grad_by_freq)
    if offsets is None:
        bags, size = input.shape
        bag = np.broadcast_to(np.expand_dims(np.cumsum(np.ones_like(input, shape=(bags,)), axis=0), 1), (bags, size))
        bag, input = np.reshape(bag, (-1,)) - 1, np.reshape(input, (-1,))
    else:  # how many bags have begun, where each is: the number of the bag, and one more
        bags = offsets.shape[0] - include_last_offset
        begun = unindex(np.ones_like(offsets), (input.shape[0] + 1,), offsets)
        bag = np.cumsum(begun, axis=0)[: input.shape[0]] - 1
    if padding is not None:
        bag = where(input == padding, bags, bag)  # beyond the last, where also goes what comes after the last offset
    rows = _rows(input, weight, None, max_norm, norm_type, scale_grad_by_freq)
    if per_sample_weights is not None:
        rows = rows * np.reshape(per_sample_weights, (-1, 1))
    counts = np.expand_dims(unindex(np.ones_like(bag), (bags + 1,), bag), 1)[:bags]
    if mode == "max" and rows.shape[0]:
        return gather(rows, first_largest(rows, bag, bags + 1)[:bags], 0) * (counts > 0)
    total = unindex(rows, (bags + 1, weight.shape[1]), bag)[:bags]
    return total / np.maximum(counts, 1) if mode == "mean" else total


def _check_bags(op: str, input: Any, weight: Any, offsets: Any, mode: str, per_sample_weights: Any, by_frequency: bool) -> None:
    if mode not in ("sum", "mean", "max"):
        raise ArgumentError(f"{op}: mode is 'sum', 'mean' or 'max', got {mode!r}")
    if input.ndim not in (1, 2) or (input.ndim == 2) != (offsets is None):
        what = "no offsets" if offsets is None else "offsets"
        raise ArgumentError(f"{op} takes a matrix of bags, or a vector and the offsets of bags; got input {input.shape}, {what}")
    if offsets is not None:
        need_tensors(op, offsets=offsets)
        if offsets.dtype.kind not in "iu" or offsets.ndim != 1:
            raise DtypeError(f"{op}: offsets are a vector of integers, not {offsets.dtype} {offsets.shape}")
        most = input.shape[0]

        def look(at: Any) -> None:
            if at.size and (at[0] != 0 or at[-1] > most or np.any(np.diff(at) < 0)):
                raise ArgumentError(f"{op}: offsets rise from 0 to at most the length of input, {most}; got {at.tolist()}")

        checked(look, offsets)
    if by_frequency and mode == "max":
        raise ArgumentError(f"{op}: scale_grad_by_freq does not go with mode 'max'")
    if per_sample_weights is None:
        return
    if mode != "sum":
        raise ArgumentError(f"{op}: per_sample_weights go with mode 'sum', not {mode!r}")
    if per_sample_weights.shape != input.shape:
        raise ShapeError(f"{op}: per_sample_weights have the shape of input, {input.shape}; got {per_sample_weights.shape}")
    if per_sample_weights.dtype != weight.dtype:
        raise DtypeError(f"{op}: per_sample_weights are {per_sample_weights.dtype}, but weight is {weight.dtype}; use to()")


# ---------------------------------------------------------------- one-hot vectors
def one_hot(tensor: Any, num_classes: int = -1) -> Tensor:
    """Integers as rows of zeros with a 1 at that place; as many classes as needed by default (torch.nn.functional.one_hot).

    >>> import autograd
    >>> one_hot(autograd.tensor([0, 2]), num_classes=3)
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    need_tensors("one_hot", tensor=tensor)
    if tensor.dtype.kind not in "iu":
        raise DtypeError(f"one_hot needs integers, not {tensor.dtype}; use long()")
    if not tensor.numel() and num_classes < 0:
        raise ArgumentError("one_hot: say num_classes for a tensor without elements")
    if num_classes == -1:
        seen("one_hot without num_classes")
    classes = int(np.max(whole(tensor))) + 1 if num_classes == -1 else num_classes

    def look(found: Any) -> None:
        low, high = (np.min(found), np.max(found)) if found.size else (0, -1)
        if low < 0 or high >= classes:
            raise ArgumentError(f"one_hot: values are classes, 0 to {classes - 1}; got {low} to {high}")

    checked(look, tensor)
    return ops.index.one_hot(tensor, classes, np.dtype(np.int64))
