"""Tensor: an array and, if gradients flow to it, its node in the graph; and the gradients of some of others."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import (
    ArgumentError,
    AutogradError,
    DtypeError,
    GraphError,
    NoGradientError,
    ShapeError,
    UnsupportedError,
    describe,
)  # fmt: skip
from .graph import Array, Node, ambient, fit, memory, sweep, tick
from .hooks import RemovableHandle
from .tape import recording
from .warn import warn

if TYPE_CHECKING:
    from ..api.typed import Methods
else:
    Methods = object

PRIMITIVES: dict[str, Any] = {}  # the table: every primitive by its name
NUMPY: dict[Callable[..., Any], Callable[..., Any]] = {}  # np.exp -> what it does to Tensors
_adding = RLock()  # held by the thread that adds to a gradient, which others may add to as well


class Tensor(Methods):
    """An n-dimensional array that remembers how it was computed.

    Make one by `autograd.tensor`. As in PyTorch, `Tensor(2, 3)` has these sizes and whatever was in memory, and
    `Tensor([2, 3])` these numbers, in the default dtype. `t.array` is the raw array: if you write to it, call
    `autograd.touch(t.array)`. PyTorch: torch.Tensor.

    >>> import autograd
    >>> x = autograd.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ("__weakref__", "_link", "_resting", "array", "node")
    array: Array
    node: Node | None
    _resting: Node | None  # the node of a leaf that requires no grad for now
    _link: Any  # of a base: its family of views; of a view: how it was made; see inplace.py
    rebinds = 0  # when a Tensor was last given another array: who holds arrays must look again when this moves

    shape = property(attrgetter("array.shape"))
    dtype = property(attrgetter("array.dtype"))
    ndim = property(attrgetter("array.ndim"))

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
            raise GraphError("requires_grad can only be switched off on leaves; detach() makes a leaf of this result")
        if not on:
            self._resting = self._need_node("requires_grad")
            self._resting.keeps, self.node = False, None  # what comes back through graphs made before is not wanted any more
        elif self.dtype.kind != "f":
            raise DtypeError(f"only floating-point tensors can require gradients, not {self.dtype}; use float() first")
        else:
            self.node = self._leaf_node()
            self.node.keeps = True

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad`, and return this Tensor."""
        self.requires_grad = requires_grad
        return self

    def _leaf_node(self) -> Node:
        """This leaf's node, which rests while no grad is required: a gradient may have been left on it."""
        node = getattr(self, "_resting", None) or Node(None, (), (), self.shape, self.dtype)
        self._resting = node
        return node

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` left here, of this shape and dtype. Kept on leaves, and after `retain_grad`."""
        node = self.node or getattr(self, "_resting", None)
        if node is not None and node.grad is None and not node.keeps and not self.is_leaf:
            warn(".grad of a tensor that is no leaf stays None, as backward leaves none there; call retain_grad() on it before")
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
            raise NoGradientError(f"{what}: this tensor does not require grad; call requires_grad_() on it before it is used")
        return self.node

    def retain_grad(self) -> None:
        """Let `backward` leave a gradient here although this is not a leaf."""
        self._need_node("retain_grad").keeps = True

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call `hook(gradient)` each time this Tensor's gradient is known; what it returns, if anything, replaces it."""
        node = self._need_node("register_hook")
        node.hooks = {} if node.hooks is None else node.hooks
        return RemovableHandle(node.hooks, hook)

    def detach(self) -> Tensor:
        """This Tensor outside the graph, sharing its memory."""
        return wrap(self.array)

    def detach_(self) -> Tensor:
        """Take this Tensor out of the graph."""
        self.node = None
        return self

    @property
    def data(self) -> Tensor:
        """This Tensor outside the graph, sharing its memory. Assigning gives this one the array of another."""
        return wrap(self.array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if self.node is not None and (value.shape, value.dtype) != (self.node.shape, self.node.dtype):
            raise ShapeError(f"new data is like that which requires grad, {describe(self)}; got {describe(value)}")
        self._resting = None if value.shape != self.shape else getattr(self, "_resting", None)
        self._leave()
        self.array = value.array
        Tensor.rebinds = tick()

    # ------------------------------------------------------------ where NumPy's functions find what they do to it
    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **options: Any) -> Any:
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        return self._numpy_options(function, args, options) if options else run(function, args, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return self._numpy_options(function, args, options) if "out" in options else run(function, args, options)

    # ------------------------------------------------------------ gradients
    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
    ) -> None:
        """Add to `.grad` of every leaf (or of `inputs`) the gradient of this Tensor, weighted by `gradient`.

        `gradient` has this Tensor's shape, and may be left out for one element. `create_graph` makes the gradients
        differentiable; `retain_graph` lets the graph be used again. PyTorch: torch.Tensor.backward.
        Raises NoGradientError, ShapeError, FreedGraphError or InPlaceError.
        """
        inputs = [inputs] if isinstance(inputs, Tensor) else inputs
        targets = None if inputs is None else {t._need_node("backward with inputs") for t in inputs}
        found = _gradients([self], [gradient], targets, retain_graph, create_graph)
        held = _memories([gradient])
        with ambient(grad=create_graph):
            while found:
                node, g = found.popitem()
                with _adding:
                    if (old := node.grad) is None:  # a view may be read-only, and the graph of create_graph holds its own
                        t = _alone(g, held)
                        node.grad = t.clone() if create_graph or memory(t.array) is not t.array else t
                    else:
                        t = g if isinstance(g, Tensor) else wrap(g)
                        node.grad = old + t if create_graph else old.add_(t)


_new = object.__new__


def wrap(array: Array, node: Node | None = None) -> Tensor:
    """A Tensor around `array` itself, at `node`."""
    t: Tensor = _new(Tensor)
    t.array, t.node = array, node
    return t


# ---------------------------------------------------------------- what NumPy's functions do
def run(function: Any, args: Sequence[Any], options: dict[str, Any]) -> Any:
    """What a function of NumPy does to Tensors. Raises UnsupportedError if it does nothing, or not if called like this."""
    if (op := NUMPY.get(function)) is None:
        what = f"np.{name_in_numpy(function)} does not work on Tensors"
        raise UnsupportedError(f"{what}; compose it of functions that do, or use detach().numpy()")
    try:
        return op(*args, **options)
    except TypeError as error:
        if isinstance(error, AutogradError) or _takes(op, args, options):
            raise
        what = f"np.{name_in_numpy(function)} does not work like this on Tensors"
        raise UnsupportedError(f"{what}: {error}") from error


def _takes(op: Any, args: Sequence[Any], options: dict[str, Any]) -> bool:
    try:
        inspect.signature(op).bind(*args, **options)
    except TypeError:
        return False
    return True


def name_in_numpy(function: Any) -> str:
    """What comes after `np.`: `exp`, `linalg.inv`, `add.reduce`."""
    home = getattr(function, "__self__", None)
    if isinstance(home, np.ufunc):
        return f"{home.__name__}.{function.__name__}"
    return f"{getattr(function, '__module__', 'numpy')}.{function.__name__}".removeprefix("numpy.")


# ---------------------------------------------------------------- gradients
def _memories(values: Iterable[Any]) -> set[int]:
    return {id(memory(getattr(v, "array", v))) for v in values}


def _alone(g: Any, held: set[int]) -> Tensor:
    """The gradient `g` as a Tensor that shares memory with none that is `held`, to which it is added.

    One array may have come to several nodes, as in x + y, or be what backward was given; but a gradient belongs to one Tensor.
    """
    t = g if isinstance(g, Tensor) else wrap(g)
    t = t.clone() if id(memory(t.array)) in held else t
    held.add(id(memory(t.array)))
    return t


def _gradients(
    outputs: Sequence[Tensor], seeds: Sequence[Any], targets: set[Node] | None, retain: bool | None, create_graph: bool
) -> dict[Node, Any]:
    """Sweep back from `outputs`. Under a tape the rules run on Tensors too, so that it hears of every step."""
    symbolic, grads = create_graph or recording(), dict[Node, Any]()
    with ambient(grad=create_graph), np.errstate(all="ignore"):
        for i, (t, seed) in enumerate(zip(outputs, seeds, strict=True)):
            if t.node is None:
                raise NoGradientError(f"output {i} does not depend on anything that requires grad")
            if seed is None and t.array.size != 1:
                raise GraphError(f"backward from shape {t.shape} needs a gradient of that shape; only one element does without")
            seed = seed if isinstance(seed, Tensor) else wrap(np.ones_like(t.array) if seed is None else np.asarray(seed))
            if seed.shape != t.shape:
                raise ShapeError(f"the gradient of output {i} has its shape, {t.shape}; got {seed.shape}")
            seed = fit(seed if symbolic else seed.array, t.node)
            grads[t.node] = grads[t.node] + seed if t.node in grads else seed
        return sweep(grads, targets, wrap, symbolic, create_graph if retain is None else retain)


def grad(
    outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
    allow_unused: bool | None = None, materialize_grads: bool = False,
) -> tuple[Any, ...]:  # fmt: skip
    """The gradients of `outputs` with respect to `inputs`, as a tuple; `.grad` is left alone.

    Several outputs are summed, each weighted by its entry in `grad_outputs` (may be None for one element). An input
    that the outputs do not depend on is an error unless `allow_unused` (its gradient is then None) or
    `materialize_grads` (zeros). PyTorch: torch.autograd.grad.

    >>> import autograd
    >>> x = autograd.tensor(3.0, requires_grad=True)
    >>> (first,) = autograd.grad(x**3, x, create_graph=True)
    >>> first.item(), autograd.grad(first, x)[0].item()
    (27.0, 18.0)
    """
    outputs, inputs = ([v] if isinstance(v, Tensor) else list(v) for v in (outputs, inputs))
    seeds = [grad_outputs] if hasattr(grad_outputs, "shape") else list(grad_outputs or [None] * len(outputs))
    if len(seeds) != len(outputs):
        raise ArgumentError(f"grad: there are {len(seeds)} grad_outputs for {len(outputs)} outputs")
    nodes = [t._need_node(f"grad: input {i}") for i, t in enumerate(inputs)]
    found = _gradients(outputs, seeds, set(nodes), retain_graph, create_graph)
    unused = [i for i, n in enumerate(nodes) if n not in found]
    if unused and not (allow_unused or materialize_grads):
        raise NoGradientError(f"grad: the outputs do not depend on input {unused[0]}; pass allow_unused=True if that is meant")
    if materialize_grads:
        found |= {nodes[i]: np.zeros_like(inputs[i].array) for i in unused}
    held = _memories(seeds)
    with ambient(grad=create_graph):
        return tuple(g if g is None else _alone(g, held) for g in map(found.get, nodes))
