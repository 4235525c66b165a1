"""Where a Tensor stands in the graph, as PyTorch says it: does it require a gradient, is it a leaf, and what is left on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engine.graph import Node, tick
from ..engine.hooks import AfterGrad, RemovableHandle
from ..engine.into import leave
from ..engine.tensor import Tensor, wrap
from ..engine.warn import warn
from ..errors import DtypeError, GraphError, ShapeError, describe


# ---------------------------------------------------------------- leaves
def requires_grad(self: Tensor) -> bool:
    """Do gradients flow here? May be set on leaves."""
    return self.node is not None


def _set_requires_grad(self: Tensor, on: bool) -> None:
    if on == (self.node is not None):
        return
    if not self.is_leaf:
        raise GraphError("requires_grad can only be switched off on leaves; detach() makes a leaf of this result")
    if not on:
        self._resting = self._need_node("requires_grad")
        self._resting.retains, self.node = False, None  # no gradient is wanted through graphs made before
    elif self.dtype.kind != "f":
        raise DtypeError(f"only floating-point tensors can require gradients, not {self.dtype}; use float() first")
    else:
        self.node = _leaf_node(self)
        self.node.retains = True


def requires_grad_(self: Tensor, requires_grad: bool = True) -> Tensor:
    """Set `requires_grad`, and return this Tensor."""
    self.requires_grad = requires_grad
    return self


def _leaf_node(self: Tensor) -> Node:
    """This leaf's node, which rests while no grad is required: a gradient may have been left on it."""
    node = getattr(self, "_resting", None) or Node(None, (), (), self.shape, self.dtype)
    self._resting = node
    return node


def is_leaf(self: Tensor) -> bool:
    """Was it made by the user, or by ops that were not recorded?"""
    return self.node is None or self.node.plan is None


def grad_fn(self: Tensor) -> Node | None:
    """The node of the op that made this, None for a leaf."""
    return None if self.is_leaf else self.node


# ---------------------------------------------------------------- what is left on it
def grad(self: Tensor) -> Tensor | None:
    """The gradient that `backward` left here, like this Tensor: on leaves, or after `retain_grad`."""
    node = self.node or getattr(self, "_resting", None)
    if node is not None and node.grad is None and not node.retains and not self.is_leaf:
        warn(".grad of a tensor that is no leaf stays None, as backward leaves none there; call retain_grad() on it before")
    return None if node is None else node.grad


def _set_grad(self: Tensor, value: Tensor | None) -> None:
    if value is not None and (value.shape, value.dtype) != (self.shape, self.dtype):
        raise ShapeError(f"a gradient is like its tensor, {describe(self)}; got {describe(value)}")
    (self.node or _leaf_node(self)).grad = value


def retain_grad(self: Tensor) -> None:
    """Let `backward` leave a gradient here although this is not a leaf."""
    self._need_node("retain_grad").retains = True


def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call `hook(gradient)` each time the gradient of this is known; what it returns, if anything, replaces it."""
    node = self._need_node("register_hook")
    node.hooks = {} if node.hooks is None else node.hooks
    return RemovableHandle(node.hooks, hook)


def register_post_accumulate_grad_hook(self: Tensor, hook: Callable[[Tensor], None]) -> RemovableHandle:
    """Call `hook(self)` each time a backward has added to `.grad` of this leaf, as for a step of its own that frees it.

    Raises GraphError for what is no leaf, NoGradientError for what requires no grad.

    >>> import autograd
    >>> w = autograd.tensor([1.0, 2.0], requires_grad=True)
    >>> handle = w.register_post_accumulate_grad_hook(lambda w: print(w.grad))
    >>> (w * w).sum().backward()
    tensor([2., 4.])
    """
    if self.node is not None and not self.is_leaf:
        what = "register_post_accumulate_grad_hook is for leaves, where backward adds to .grad"
        raise GraphError(f"{what}; register_hook() shows the gradient of this result")
    return register_hook(self, AfterGrad(hook, self))


# ---------------------------------------------------------------- out of the graph
def detach(self: Tensor) -> Tensor:
    """This Tensor outside the graph, sharing its memory."""
    return wrap(self.array)


def detach_(self: Tensor) -> Tensor:
    """Take this Tensor out of the graph."""
    if self.node is not None:
        self.node = None
    return self


def _set_data(self: Tensor, value: Tensor) -> None:
    if self.node is not None and (value.shape, value.dtype) != (self.node.shape, self.node.dtype):
        raise ShapeError(f"new data is like that which requires grad, {describe(self)}; got {describe(value)}")
    self._resting = None if value.shape != self.shape else getattr(self, "_resting", None)
    leave(self)
    self.array = value.array
    Tensor.rebinds = tick()


METHODS: dict[str, Any] = {
    f.__name__: f for f in (requires_grad_, retain_grad, register_hook, register_post_accumulate_grad_hook, detach, detach_)
}
PROPERTIES: dict[str, Any] = {
    "requires_grad": property(requires_grad, _set_requires_grad),
    "grad": property(grad, _set_grad),
    "data": property(detach, _set_data, doc="This Tensor outside the graph, sharing its memory. May be set: to another's array."),
    "is_leaf": property(is_leaf),
    "grad_fn": property(grad_fn),
}
