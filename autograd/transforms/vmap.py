"""vmap: a function of one sample made one of many, which it runs on all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from copy import deepcopy
from functools import wraps
from typing import Any

import numpy as np

from ..api.join import cat, stack
from ..api.random import default_generator, drawing_from
from ..api.tree import tree_build, tree_map
from ..engine.tensor import Tensor, wrap
from ..engine.warn import inside
from ..errors import ArgumentError, BatchError, GraphError, ShapeError, describe

Function = Callable[..., Any]


def vmap(
    func: Function, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *, chunk_size: int | None = None,
    fallback: str = "loop",
) -> Function:  # fmt: skip
    """The function that applies `func` to each slice of its arguments, and stacks the results (torch.vmap).

    `in_dims` says along which dim an argument is sliced, None for not at all; `out_dims` where that dim is in a result,
    None for a result that is the same for all. Each may be a number for everything, or a tuple, list or dict of them in
    the structure of the arguments, or of the result. Keyword arguments go to every call as they are. Arrays of NumPy
    are sliced as Tensors are; if there are no others, arrays come out.

    `func` runs once: its arguments look like one slice, and hold all. Gradients inside and outside, nested vmaps, modules by
    `functional_call` and writes in place work. An `if` on a value, or `item()`, is fine while all slices agree.
    `fallback` says what happens where they do not, and with whatever else cannot be done at once. By default, "loop", an op
    goes slice by slice, as does the whole function if that is not enough: it is called again for each, so what it did to
    anything outside until then is done once more. "op" lets single ops do so only; "error" lets nothing: the BatchError
    says what it was, which is how to learn why a vmap is slow.

    `randomness` is what it means that `func` draws random numbers: an "error", "different" numbers for each slice, or the
    "same" for all. `chunk_size` is how many slices at most run at once. What is kept of a slice in a list or an attribute
    cannot be used when vmap is over.

    >>> import autograd
    >>> vmap(autograd.dot, in_dims=(0, None))(autograd.tensor([[1.0, 2.0], [3.0, 4.0]]), autograd.tensor([1.0, 10.0]))
    tensor([21., 43.])

    The gradient for each example, where `grad` alone gives their sum:

    >>> loss = lambda w, x: (w * x).sum() ** 2
    >>> w, x = autograd.tensor([1.0, 2.0]), autograd.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> vmap(autograd.func.grad(loss), in_dims=(None, 0))(w, x)
    tensor([[2., 0.],
            [0., 4.],
            [6., 6.]])

    Why it loops:

    >>> vmap(lambda x: x if x > 0 else 0 * x, fallback="error")(autograd.tensor([1.0, -1.0]))
    Traceback (most recent call last):
    autograd.errors.BatchError: vmap: `if`, or what tests like it, asks for one value where the samples differ
    """
    for name, given, known in (
        ("randomness", randomness, ("error", "different", "same")),
        ("fallback", fallback, ("loop", "op", "error")),
    ):
        if given not in known:
            raise ArgumentError(f"vmap: {name} is {known[0]!r}, {known[1]!r} or {known[2]!r}, got {given!r}")
    if chunk_size is not None and (not isinstance(chunk_size, int) or chunk_size < 1):
        raise ArgumentError(f"vmap: chunk_size is a positive number of slices, got {chunk_size!r}")

    @wraps(func, updated=())
    def mapped(*args: Any, **kwargs: Any) -> Any:
        dims = in_dims if isinstance(in_dims, (tuple, list)) else (in_dims,) * len(args)
        given: list[tuple[Any, Any]] = []  # each leaf of the arguments, and its dim
        tree_map(lambda dim, branch: tree_map(lambda t: given.append((t, dim)), branch), dims, args)
        arrays = not any(isinstance(t, Tensor) for t, _ in given)
        leaves = [(wrap(t) if isinstance(t, np.ndarray) else t, dim) for t, dim in given]
        sizes = {_length(t, dim) for t, dim in leaves if dim is not None}
        if len(sizes) != 1:
            found = f"got the lengths {sorted(sizes)}" if sizes else "but in_dims is None for all of them"
            raise ShapeError(f"vmap: the dims that in_dims names have one length, {found}")

        def call(*leaves: Any) -> Any:
            with inside("vmap"):
                return func(*tree_build(args, leaves), **kwargs)

        (n,) = sizes
        before = None if randomness == "error" else default_generator.get_state()
        try:
            out = _together(call, leaves, n, out_dims, randomness, chunk_size or max(n, 1), fallback)
        except BatchError as error:
            if fallback != "loop":
                raise BatchError(str(error)) from error
            if before is not None:
                default_generator.set_state(before)
            out = _in_turn(call, leaves, n, out_dims, randomness)
        return tree_map(lambda t: t if t.requires_grad else t.array, out) if arrays else out  # a graph would be lost

    return mapped


def _length(t: Any, dim: Any) -> int:
    """How many slices there are along this dim."""
    if not isinstance(t, Tensor) or not isinstance(dim, int) or not -t.ndim <= dim < t.ndim:
        raise ArgumentError(f"vmap: in_dims says dim {dim!r} where the argument is {describe(t)}; None leaves it as it is")
    return int(t.shape[dim])


def _need_tensor(t: Any) -> Any:
    if not isinstance(t, Tensor):
        raise ArgumentError(f"vmap: the function returns Tensors, got {describe(t)}")
    return t


_DIFFERS = "vmap: out_dims is None for a result that is not the same for all slices"
Leaves = Sequence[tuple[Any, Any]]  # of the arguments, each with the dim of the slices, or None


def _together(call: Function, leaves: Leaves, n: int, out_dims: Any, randomness: str, step: int, fallback: str) -> Any:
    """All slices at once, or so many at a time."""
    from .batching import at_once

    parts = []
    for start in range(0, max(n, 1), step):
        length = min(step, n - start)
        some = [t if dim is None or length == n else t.narrow(dim, start, length) for t, dim in leaves]
        out, leave = at_once(call, some, [dim for _, dim in leaves], randomness, fallback)
        parts.append(tree_map(lambda dim, branch: tree_map(lambda t: leave(_need_tensor(t), dim), branch), out_dims, out))  # noqa: B023

    def joined(dim: Any, *ts: Any) -> Any:
        return _the_same(ts) if dim is None else cat(ts, dim)

    return (
        parts[0] if len(parts) == 1 else tree_map(lambda dim, *bs: tree_map(lambda *ts: joined(dim, *ts), *bs), out_dims, *parts)
    )


def _the_same(ts: Sequence[Any]) -> Any:
    """One of these, which are all the same."""
    if any(not np.array_equal(t.array, ts[0].array, equal_nan=True) for t in ts):
        raise ArgumentError(_DIFFERS)
    return ts[0]


def _in_turn(call: Function, leaves: Leaves, n: int, out_dims: Any, randomness: str) -> Any:
    """One slice after the other; of none, one of zeros, to see what comes out."""

    def slices(t: Any, dim: Any) -> Any:
        return (
            [t] * max(n, 1)
            if dim is None
            else t.unbind(dim)
            if n
            else [wrap(np.zeros_like(t.array, shape=np.delete(t.shape, dim)))]
        )

    results = []
    before = default_generator.get_state()
    with nullcontext() if randomness == "different" else drawing_from(deepcopy(default_generator.source)):
        for some in zip(*(slices(*leaf) for leaf in leaves), strict=True):
            if randomness == "same":
                default_generator.set_state(before)
            results.append(call(*some))
            if randomness == "error" and default_generator.get_state() != before:
                raise GraphError("vmap: the function draws random numbers; pass randomness='different' or 'same'")
        after = default_generator.get_state()
    if randomness == "same":
        default_generator.set_state(after)

    def joined(dim: Any, *ts: Any) -> Any:
        ts = tuple(map(_need_tensor, ts))
        return _the_same(ts) if dim is None else stack(ts, dim) if n else stack(ts, dim).narrow(dim, 0, 0)

    return tree_map(lambda dim, *bs: tree_map(lambda *ts: joined(dim, *ts), *bs), out_dims, *results)
