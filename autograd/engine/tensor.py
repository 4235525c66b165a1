"""Tensor: an array and, if gradients flow to it, its node in the graph; `backward` and `grad`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError, GraphError, NoGradientError, ShapeError
from .batch import one_for_all
from .graph import Array, Grads, Node, ambient, fit, memory, sweep
from .hooks import tell_after_grad
from .tape import recording

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
    _resting: Node | None  # the node of a leaf that requires no grad for now, see api/leaf.py
    _link: Any  # of a view: its lineage; of its base: the family of views; see inplace.py
    rebinds = 0  #: When a Tensor was last given another array: who holds arrays looks again when this moves

    shape = property(attrgetter("array.shape"), doc="The length of each dim (torch.Tensor.shape).")
    dtype = property(attrgetter("array.dtype"), doc="What its elements are (torch.Tensor.dtype).")
    ndim = property(attrgetter("array.ndim"), doc="The number of dims (torch.Tensor.ndim).")

    def _need_node(self, what: str) -> Node:
        if self.node is None:
            advice = "call requires_grad_() on it before it is used"
            raise NoGradientError(f"{what}: this tensor does not require grad; {advice}")
        return self.node

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
        targets = None if inputs is None else {t._need_node("backward with inputs") for t in inputs}
        with ambient(grad=create_graph), np.errstate(all="ignore"):
            found, held = _gradients([self], [gradient], targets, retain_graph, create_graph)
            one_for_all(found)
            while found:
                node, g = found.popitem()
                with _adding:
                    if (old := node.grad) is None:
                        t = _alone(g, held, whole=True)
                        node.grad = t.clone() if create_graph and t is g else t
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


# ---------------------------------------------------------------- gradients
def _alone(g: Any, held: set[int], whole: bool = False) -> Tensor:
    """The gradient `g` as a Tensor that shares memory with none that is `held`, to which it is added.

    One array may have come to several nodes, as in x + y, or be what backward was given; but a gradient
    belongs to one Tensor. That which is to stay has a `whole` array: a view may be read-only.
    """
    t = g if isinstance(g, Tensor) else wrap(g)
    owner = memory(t.array)
    t = t.clone() if id(owner) in held or (whole and owner is not t.array) else t
    held.add(id(memory(t.array)))
    return t


def _gradients(
    outputs: Sequence[Tensor], seeds: Sequence[Any], targets: set[Node] | None,
    retain: bool | None, create_graph: bool,
) -> tuple[Grads, set[int]]:  # fmt: skip
    """Sweep back from `outputs`. Returns the gradients, and the memory that is somebody else's.

    It is called in the mode that the rules are to be run in, where overflow is silent. On a tape they run on
    Tensors too, so that it hears of every step.
    """
    symbolic = create_graph or recording()
    grads: Grads = {}
    held: set[int] = set()  # written so, as set[int]() costs a microsecond
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
        held.add(id(memory(seed.array)))
        seed = fit(seed if symbolic else seed.array, t.node)
        grads[t.node] = grads[t.node] + seed if t.node in grads else seed
    return sweep(grads, targets, wrap, symbolic, create_graph if retain is None else retain), held


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
    with ambient(grad=create_graph), np.errstate(all="ignore"):
        found, held = _gradients(outputs, seeds, set(nodes), retain_graph, create_graph)
        unused = [i for i, n in enumerate(nodes) if n not in found]
        if unused and not (allow_unused or materialize_grads):
            what = f"grad: the outputs do not depend on input {unused[0]}"
            raise NoGradientError(f"{what}; pass allow_unused=True if that is meant")
        if materialize_grads:
            found |= {nodes[i]: np.zeros_like(inputs[i].array) for i in unused}
        return tuple(g if g is None else _alone(g, held) for g in map(found.get, nodes))
