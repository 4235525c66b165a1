"""Tensor: an array and, if gradients flow to it, its node in the graph; `backward` and `grad`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError, DtypeError, GraphError, NoGradientError, ShapeError, describe, misuse
from .batch import one_for_all
from .graph import Array, Grads, Node, ambient, fit, memory, sweep
from .hooks import tell_after_grad
from .tape import recording
from .warn import warn

if TYPE_CHECKING:
    from ..api.methods import Methods
else:
    Methods = object

PRIMITIVES: dict[str, Any] = {}  # the table: every primitive by its name
NUMPY: dict[Callable[..., Any], Callable[..., Any]] = {}  # np.exp -> what it does to Tensors
_adding = RLock()  # held by the thread that adds to a gradient, which others may add to as well


class Tensor(Methods):
    """An n-dimensional array that remembers how it was computed.

    Make one by `autograd.tensor`. As in PyTorch, `Tensor(2, 3)` has these sizes and whatever was in memory,
    and `Tensor([2, 3])` these numbers, in the default dtype. `t.array` is the raw array: if you write to it,
    call `autograd.touch(t.array)`. PyTorch: torch.Tensor.

    >>> import autograd
    >>> x = autograd.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ("__weakref__", "_link", "_resting", "array", "node")
    array: Array  #: The numbers, an array of NumPy's or another library's; after writing to it, call `touch`.
    node: Node | None  #: How it was computed, and where its gradient is; None if it requires none.
    _resting: Node | None  # the node of a leaf that requires no grad for now
    _link: Any  # of a base: its family of views; of a view: how it was made; see inplace.py
    rebinds = 0  #: When a Tensor was last given another array: who holds arrays looks again when this moves

    shape = property(attrgetter("array.shape"), doc="The length of each dim (torch.Tensor.shape).")
    dtype = property(attrgetter("array.dtype"), doc="What its elements are (torch.Tensor.dtype).")
    ndim = property(attrgetter("array.ndim"), doc="The number of dims (torch.Tensor.ndim).")

    # ------------------------------------------------------------ its place in the graph
    @property
    def requires_grad(self) -> bool:
        """Do gradients flow here? May be set on leaves."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, on: bool) -> None:
        if on == (self.node is not None):
            return
        if not self.is_leaf:
            what = "requires_grad can only be switched off on leaves"
            raise GraphError(f"{what}; detach() makes a leaf of this result")
        if not on:
            self._resting = self._need_node("requires_grad")
            self._resting.retains, self.node = False, None  # no gradient is wanted through graphs made before
        elif self.dtype.kind != "f":
            what = "only floating-point tensors can require gradients"
            raise DtypeError(f"{what}, not {self.dtype}; use float() first")
        else:
            self.node = self._leaf_node()
            self.node.retains = True

    def _leaf_node(self) -> Node:
        """This leaf's node, which rests while no grad is required: a gradient may have been left on it."""
        self._resting = node = getattr(self, "_resting", None) or Node(None, (), (), self.shape, self.dtype)
        return node

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` left here, like this Tensor: on leaves, or after `retain_grad`."""
        node = self.node or getattr(self, "_resting", None)
        if node is not None and node.grad is None and not node.retains and not self.is_leaf:
            what = ".grad of a tensor that is no leaf stays None, as backward leaves none there"
            warn(f"{what}; call retain_grad() on it before")
        return None if node is None else node.grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and (value.shape, value.dtype) != (self.shape, self.dtype):
            raise ShapeError(f"a gradient is like its tensor, {describe(self)}; got {describe(value)}")
        (self.node or self._leaf_node()).grad = value

    @property
    def grad_fn(self) -> Node | None:
        """The node of the op that made this, None for a leaf."""
        return None if self.is_leaf else self.node

    @property
    def is_leaf(self) -> bool:
        """Was it made by the user, or by ops that were not recorded?"""
        return self.node is None or self.node.plan is None

    def _need_node(self, what: str) -> Node:
        if self.node is None:
            advice = "call requires_grad_() on it before it is used"
            raise NoGradientError(f"{what}: this tensor does not require grad; {advice}")
        return self.node

    def detach(self) -> Tensor:
        """This Tensor outside the graph, sharing its memory."""
        return wrap(self.array)

    # ------------------------------------------------------------ what NumPy's functions do to it
    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **options: Any) -> Any:
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        return (self._run_into if options else run)(function, args, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return (self._run_into if "out" in options else run)(function, args, options)

    # ------------------------------------------------------------ gradients
    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None,
        create_graph: bool = False, inputs: Any = None,
    ) -> None:  # fmt: skip
        """Add to `.grad` of every leaf (or of `inputs`) the gradient of this Tensor, weighted by `gradient`.

        `gradient` has this Tensor's shape, and may be left out for one element. `create_graph` makes the
        gradients differentiable; `retain_graph` lets the graph be used again. PyTorch: torch.Tensor.backward.
        Raises NoGradientError, ShapeError, FreedGraphError or InPlaceError.
        """
        inputs = [inputs] if isinstance(inputs, Tensor) else inputs
        ends = None if inputs is None else {t._need_node("backward with inputs") for t in inputs}
        found, held = _gradients([self], [gradient], ends, retain_graph, create_graph), _memories([gradient])
        one_for_all(found)
        with ambient(grad=create_graph):
            while found:
                node, g = found.popitem()
                with _adding:
                    if (old := node.grad) is None:
                        t, borrowed = _alone(g, held), create_graph  # from the graph; a view may be read-only
                        node.grad = t.clone() if borrowed or memory(t.array) is not t.array else t
                    else:
                        t = g if isinstance(g, Tensor) else wrap(g)
                        node.grad = old + t if create_graph else old.add_(t)
                tell_after_grad(node)


_new = object.__new__


def wrap(array: Array, node: Node | None = None) -> Tensor:
    """A Tensor around `array` itself, at `node`."""
    t: Tensor = _new(Tensor)
    t.array, t.node = array, node
    return t


def run(function: Any, args: Sequence[Any], options: dict[str, Any]) -> Any:
    """What a function of NumPy does to Tensors. Raises UnsupportedError if that is nothing."""
    try:
        return NUMPY[function](*args, **options)
    except (KeyError, TypeError) as error:
        raise misuse(function, NUMPY.get(function), args, options, error) from error


# ---------------------------------------------------------------- gradients
def _memories(values: Iterable[Any]) -> set[int]:
    return {id(memory(getattr(v, "array", v))) for v in values}


def _alone(g: Any, held: set[int]) -> Tensor:
    """The gradient `g` as a Tensor that shares memory with none that is `held`, to which it is added.

    One array may have come to several nodes, as in x + y, or be what backward was given; but a gradient
    belongs to one Tensor.
    """
    t = g if isinstance(g, Tensor) else wrap(g)
    t = t.clone() if id(memory(t.array)) in held else t
    held.add(id(memory(t.array)))
    return t


def _gradients(
    outputs: Sequence[Tensor], seeds: Sequence[Any], targets: set[Node] | None,
    retain: bool | None, create_graph: bool,
) -> Grads:  # fmt: skip
    """Sweep back from `outputs`. On a tape the rules run on Tensors too, so that it hears of every step."""
    symbolic = create_graph or recording()
    grads: Grads = {}
    with ambient(grad=create_graph), np.errstate(all="ignore"):
        for i, (t, seed) in enumerate(zip(outputs, seeds, strict=True)):
            if t.node is None:
                raise NoGradientError(f"output {i} does not depend on anything that requires grad")
            if seed is None and t.array.size != 1:
                what = f"backward from shape {t.shape} needs a gradient of that shape"
                raise GraphError(f"{what}; only one element does without")
            if not isinstance(seed, Tensor):
                seed = wrap(np.ones_like(t.array) if seed is None else np.asarray(seed))
            if seed.shape != t.shape:
                raise ShapeError(f"the gradient of output {i} has its shape, {t.shape}; got {seed.shape}")
            seed = fit(seed if symbolic else seed.array, t.node)
            grads[t.node] = grads[t.node] + seed if t.node in grads else seed
        return sweep(grads, targets, wrap, symbolic, create_graph if retain is None else retain)


def grad(
    outputs: Any, inputs: Any = None, grad_outputs: Any = None, retain_graph: bool | None = None,
    create_graph: bool = False, only_inputs: bool = True, allow_unused: bool | None = None,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:  # fmt: skip
    """The gradients of `outputs` with respect to `inputs`, as a tuple; `.grad` is left alone.

    Several outputs are summed, each weighted by its entry in `grad_outputs` (may be None for one element). An
    input that the outputs do not depend on is an error unless `allow_unused` (its gradient is then None) or
    `materialize_grads` (zeros). `only_inputs` is always so, as in PyTorch: torch.autograd.grad.

    >>> import autograd
    >>> x = autograd.tensor(3.0, requires_grad=True)
    >>> (first,) = autograd.grad(x**3, x, create_graph=True)
    >>> first.item(), autograd.grad(first, x)[0].item()
    (27.0, 18.0)
    """
    if callable(outputs) or inputs is None:
        raise ArgumentError("grad takes outputs and inputs, Tensors; the gradient of a function is func.grad")
    outputs, inputs = ([v] if isinstance(v, Tensor) else list(v) for v in (outputs, inputs))
    seeds = [grad_outputs] if hasattr(grad_outputs, "shape") else list(grad_outputs or [None] * len(outputs))
    if len(seeds) != len(outputs):
        raise ArgumentError(f"grad: there are {len(seeds)} grad_outputs for {len(outputs)} outputs")
    nodes = [t._need_node(f"grad: input {i}") for i, t in enumerate(inputs)]
    found = _gradients(outputs, seeds, set(nodes), retain_graph, create_graph)
    unused = [i for i, n in enumerate(nodes) if n not in found]
    if unused and not (allow_unused or materialize_grads):
        what = f"grad: the outputs do not depend on input {unused[0]}"
        raise NoGradientError(f"{what}; pass allow_unused=True if that is meant")
    if materialize_grads:
        found |= {nodes[i]: np.zeros_like(inputs[i].array) for i in unused}
    held = _memories(seeds)
    with ambient(grad=create_graph):
        return tuple(g if g is None else _alone(g, held) for g in map(found.get, nodes))
