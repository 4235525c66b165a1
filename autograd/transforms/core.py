"""What transforms are made of: the call of a function, gradients that go back through it, and its Jacobian both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import prod
from typing import Any

import numpy as np

from ..api.devices import beside
from ..api.join import cat
from ..api.tree import tree_build, tree_leaves, tree_map
from ..engine.dtypes import DType, get_default_dtype
from ..engine.graph import Array, ambient, mode
from ..engine.tensor import Tensor, wrap
from ..engine.tensor import grad as gradients
from ..engine.warn import inside
from ..errors import ArgumentError, DtypeError, NoGradientError, ShapeError, UnsupportedError, describe

Function = Callable[..., Any]
Argnums = int | tuple[int, ...]


class Call:
    """A call of a function in which stand-ins take the places of the Tensors, arrays and floats in the arguments `argnums`.

    A stand-in is a Tensor that has the values of what it stands for and a node of its own, where the gradients of this call
    end, whoever else uses that Tensor: so transforms nest. The Tensor's node, if it has one, is the stand-in's parent, and an
    outer transform sees through it. Whatever goes out does so by `release`, which takes off the nodes that nobody outside can
    know, or by `as_given`: for arrays and floats there come arrays and floats.
    """

    def __init__(
        self, name: str, func: Function, args: Sequence[Any], kwargs: Mapping[str, Any], argnums: Argnums, has_aux: bool = False
    ) -> None:
        self.name, self.recording, self.inputs, self.kinds = name, mode().grad, list[Tensor](), list[type]()
        args = list(args)
        for i in (argnums,) if isinstance(argnums, int) else argnums:
            if not -len(args) <= i < len(args):
                raise ArgumentError(f"{name}: argnums names argument {i}, but {len(args)} were given")
            args[i] = tree_map(self._stand_in, args[i])
        self.point = args[argnums] if isinstance(argnums, int) else tuple(args[i] for i in argnums)
        self.own = {t.node for t in self.inputs}
        with ambient(grad=True), inside(name):
            out = func(*args, **kwargs)
        if has_aux and not (isinstance(out, tuple) and len(out) == 2):
            raise UnsupportedError(f"{name}: with has_aux the function returns (output, aux), got {describe(out)}")
        self.out: Any = out[0] if has_aux else out
        self.aux: Any = out[1] if has_aux else None
        self.outputs: list[Tensor] = tree_leaves(self.out)
        if odd := [t for t in self.outputs if not isinstance(t, Tensor)]:
            what = f"{name}: the function returns Tensors, got {describe(odd[0])}"
            raise UnsupportedError(f"{what}, which depends on no argument; return all else as aux")
        self.open = self.recording and any(map(self._reaches_out, [*self.outputs, *tree_leaves(self.aux)]))

    def _stand_in(self, value: Any) -> Tensor:
        t, kind = of_kind(value)
        if kind is None:
            what = f"{self.name}: gradients are with respect to Tensors, arrays and floats, got {describe(value)}"
            raise UnsupportedError(f"{what}; argnums says which arguments these are")
        if t.dtype.kind != "f":
            raise DtypeError(f"{self.name}: only floating-point tensors have gradients, got {describe(value)}; use float() first")
        self.kinds.append(kind)
        self.inputs.append(t.view(t.shape) if self.recording and t.requires_grad else t.detach().requires_grad_())
        return self.inputs[-1]

    def _reaches_out(self, t: Any) -> bool:
        """Does `t` depend on a leaf that is none of this call's?"""
        stack = [t.node] if isinstance(t, Tensor) and t.node is not None else []
        seen = set(stack)
        while stack:
            node = stack.pop()
            if not node.parents and node not in self.own:
                return True
            stack += (new := set(node.parents) - seen)
            seen |= new
        return False

    def release(self, tree: Any, keep: bool | None = None) -> Any:
        """`tree` for the outside: what depends on this call's stand-ins alone loses its node; all do unless `keep`.

        And if they stand for arrays and floats alone, it becomes arrays, or numbers if it is 0-d.
        """
        return tree_map(lambda t: self._released(t, keep, float if self.kinds and Tensor not in self.kinds else Tensor), tree)

    def as_given(self, leaves: Sequence[Any], keep: bool | None = None) -> Any:
        """`leaves`, which go with the inputs, for the outside: in their structure, each of the kind that was given."""
        return tree_build(self.point, [self._released(t, keep, k) for t, k in zip(leaves, self.kinds, strict=True)])

    def _released(self, t: Any, keep: bool | None, kind: type) -> Any:
        keep = self.open if keep is None else keep
        if not isinstance(t, Tensor) or (keep and self._reaches_out(t)):  # an array would lose its graph
            return t
        if kind is Tensor:
            return t.detach()
        return t.item() if kind is float and not t.ndim else np.array(t.array)

    def creates(self, *seeds: Tensor) -> bool:
        """Are gradients of this call, weighted by `seeds`, to be differentiable from outside?"""
        return mode().grad and (self.open or any(s.requires_grad for s in seeds))


def of_kind(value: Any) -> tuple[Any, type | None]:
    """`value` as a Tensor, and the kind that goes back for it: Tensor, ndarray, float; None if it is nothing of these.

    An array is copied: nobody would see that its owner writes to it.
    """
    if isinstance(value, Tensor):
        return value, Tensor
    if isinstance(value, np.ndarray):
        return wrap(np.array(value)), np.ndarray
    if isinstance(value, (float, int, np.generic)):
        return wrap(np.asarray(value)), float
    return None, None


def pull(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], seeds: Sequence[Any],
    create: bool = False, retain: bool = True, strict: str = "",
) -> list[Any]:  # fmt: skip
    """The gradients of <seeds, outputs> with respect to `inputs`: zeros where there is no dependence.

    That is an error if `strict`, the name of the caller, is given.
    """
    found: Sequence[Any] = [None] * len(inputs)
    if pairs := [(t, s) for t, s in zip(outputs, seeds, strict=True) if t.requires_grad]:
        tracked, weights = zip(*pairs, strict=True)
        found = gradients(tracked, inputs, weights, retain_graph=retain, create_graph=create, allow_unused=True)
    if strict and (unused := [i for i, g in enumerate(found) if g is None]):
        raise NoGradientError(f"{strict}: the outputs do not depend on input {unused[0]}, which strict=True refuses")
    return [wrap(np.zeros_like(x.array)) if g is None else g for g, x in zip(found, inputs, strict=True)]


def matched(name: str, tree: Any, like: Any) -> list[Any]:
    """The leaves of `tree`, the weights or directions for `like`, which have its structure, shapes and kind of dtype."""

    def check(t: Tensor, value: Any) -> Tensor:
        v, kind = of_kind(value)
        v = v.to(t.dtype) if kind is float and t.dtype.kind == "f" else v
        if v is None or v.shape != t.shape or v.dtype.kind != t.dtype.kind:
            raise ShapeError(f"{name}: what goes with a tensor is like it, {describe(t)}; got {describe(value)}")
        return v

    return tree_leaves(tree_map(check, like, tree))


def jacobian_blocks(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], create: bool, strict: str = "", chunk_size: int | None = None
) -> list[list[Any]]:
    """For each output and input the derivatives of one by the other, of shape (*output.shape, *input.shape).

    A row, the derivatives of one element of an output by all inputs, takes one backward. All rows run as one batch, or
    `chunk_size` of them at a time.
    """
    blocks = []
    for y in outputs:
        n = y.array.size
        step = chunk_size or max(1, _MOST // max(1, n, *(x.array.size for x in inputs)))
        parts = [_rows(y, inputs, range(i, min(n, i + step)), create, strict) for i in range(0, max(n, 1), step)]
        columns = [c[0] if len(c) == 1 else cat(c) for c in zip(*parts, strict=True)]
        blocks.append([c.reshape(*y.shape, *x.shape) for c, x in zip(columns, inputs, strict=True)])
    return blocks


_MOST = 2**24  # numbers in a batch of rows


def _rows(y: Tensor, inputs: Sequence[Tensor], which: range, create: bool, strict: str) -> list[Any]:
    """The derivatives of these elements of `y`, one after the other, by each input."""
    from .vmap import vmap

    seeds = np.zeros_like(y.array, shape=(len(which), y.array.size))
    seeds[np.arange(len(which)), np.arange(which.start, which.stop)] = 1
    rows = vmap(lambda seed: tuple(pull([y], inputs, [seed], create, strict=strict)), randomness="same")
    return list(rows(wrap(np.reshape(seeds, (len(which), *y.shape)))))


class Linear:
    """The derivative of a call as a linear function of the direction, got by transposing twice.

    The gradients J^T u are linear in the weights u, so their gradient with respect to u, weighted by a direction v, is
    J v. So many directions at one point cost a backward each; for one, `forward.jvp` is quicker and holds less.
    """

    def __init__(self, call: Call, strict: str = "") -> None:
        self.call = call
        self.weights = [generic(t.shape, t.dtype, t.array) for t in call.outputs]
        call.own.update(u.node for u in self.weights)
        self.pulled = pull(call.outputs, call.inputs, self.weights, create=True, strict=strict)

    def __call__(self, directions: Sequence[Tensor]) -> list[Tensor]:
        """The derivative of each output along `directions`, of which there is one for each input."""
        create = self.call.creates(*directions)
        found = self.call.release(pull(self.pulled, self.weights, directions, create), create)
        return [d if t.dtype.kind == "f" else wrap(np.zeros_like(t.array)) for d, t in zip(found, self.call.outputs, strict=True)]

    def blocks(self) -> list[list[Any]]:
        """What `jacobian_blocks` makes of the call, with one backward for each element of the inputs."""
        inputs, outputs = self.call.inputs, self.call.outputs
        transposed = jacobian_blocks(self.pulled, self.weights, self.call.creates())
        return [[_swapped(row[o], x, y) for row, x in zip(transposed, inputs, strict=True)] for o, y in enumerate(outputs)]


def generic(shape: tuple[int, ...], dtype: DType, like: Array) -> Tensor:
    """A leaf for the place of a gradient, beside the array `like`.

    What is made of it is linear in it, so it does not matter where that is differentiated. Except that a 0 would hide a
    derivative that is infinite ("zero stays zero"): so none is 0, and no simple sum of them.
    """
    n, dtype = prod(shape), dtype if dtype.kind == "f" else get_default_dtype()
    numbers = _few(dtype)[:n] if n <= FEW else _generic(n, dtype)
    return wrap(beside(np.reshape(numbers, shape), like)).requires_grad_()


FEW = 2**12


def _generic(n: int, dtype: DType) -> Array:
    return np.cos(np.arange(1, n + 1)).astype(dtype)


@cache
def _few(dtype: DType) -> Array:
    return _generic(FEW, dtype)


def _swapped(block: Any, x: Tensor, y: Tensor) -> Any:
    """A block of shape (*x.shape, *y.shape) as (*y.shape, *x.shape)."""
    return block.reshape(x.numel(), y.numel()).T.reshape(*y.shape, *x.shape)
