"""Your own differentiable functions: by named rules (`differentiable`), or as PyTorch's `Function` with its `backward`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper, wraps
from typing import Any

import numpy as np

from ..engine.accumulate import settled
from ..engine.graph import Node, ambient, mode
from ..engine.inplace import lineage, refuse, replaced, settle
from ..engine.primitive import Item, Plan, primitive
from ..engine.tape import recording
from ..engine.tensor import Tensor, wrap
from ..errors import GraphError, ShapeError, UnsupportedError, describe


def differentiable(**rules: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a function of arrays with the gradient rules of its arguments: it then works on Tensors too (see `primitive`).

    A rule is the formula for the gradient with respect to the argument of its name. It takes `g`, the gradient of the
    result, and by name what else it needs: arguments, `out` (the result), `x_shape`. As rules are NumPy and nothing else,
    the rest follows: derivatives of any order, broadcasting, dtypes, `jvp`, and errors for in-place writes that would hurt.

    >>> import numpy as np, autograd
    >>> @differentiable(x=lambda g, y, out: g * y * out, y=lambda g, x, out: g * x * out)
    ... def exp_of_product(x, y):
    ...     return np.exp(x * y)
    >>> x = autograd.tensor([0.0, 1.0], requires_grad=True)
    >>> exp_of_product(x, 2.0).sum().backward(); x.grad
    tensor([ 2.0000, 14.7781])
    """
    return lambda fun: update_wrapper(primitive(fun, **rules), fun)


# ---------------------------------------------------------------- PyTorch's interface
class Context:
    """`ctx`, by which `forward` hands things on to `backward`. Attributes set on it stay as they are, and are constants."""

    def __init__(self, name: str, nodes: Sequence[Node | None]) -> None:
        self.needs_input_grad = tuple(n is not None for n in nodes)  # in backward: which arguments this backward asks for
        self._name, self._parents = name, [n for n in nodes if n is not None]
        self._to_save: tuple[Any, ...] = ()
        self._saved: tuple[Any, ...] | None = None
        self._constant: tuple[Any, ...] = ()
        self._dirty: tuple[Any, ...] = ()
        self._materialize, self._recording = True, mode().grad

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep arguments and results (or None) for backward: watched for in-place writes, freed after it.

        A Tensor of floats that is neither is kept as well; but that a second derivative goes through it is an error, as
        nobody knows how it was computed: return it as one more result, or compute it in backward. If it is a constant,
        make it an attribute of ctx.
        """
        if odd := [t for t in tensors if t is not None and not isinstance(t, Tensor)]:
            raise UnsupportedError(f"save_for_backward takes Tensors, got {describe(odd[0])}; make it an attribute of ctx")
        self._to_save = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` was given. It is there in `backward`."""
        if self._saved is None:
            raise GraphError(f"{self._name}: saved_tensors are there while backward runs, not before or after")
        return self._saved

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say which results have no gradient. Those that are not floats have none anyway."""
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Say whether `backward` gets zeros for a result that nobody used, as it does by default, or None."""
        self._materialize = value

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say which arguments forward writes to, best before it does, and returns. InPlaceError if one must not be written."""
        for t in tensors if self._parents and self._recording else ():
            refuse(t, *lineage(t), self._name)
        self._dirty = tensors


class Function:
    """A differentiable function with a gradient of your own, called by `apply` (torch.autograd.Function).

    A subclass has two static methods. `forward(ctx, *args)` computes Tensors from Tensors and anything else; nothing is
    recorded meanwhile. What backward needs it keeps by `ctx.save_for_backward`. `backward(ctx, *grads)` gets the gradient of
    each result and returns that of each argument, or None; if it is written in Tensor ops, it can be differentiated in turn.
    In the newer form `forward(*args)` has no ctx, and `setup_context(ctx, inputs, output)` does the keeping.

    >>> import autograd
    >>> class Cube(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x * x
    >>> x = autograd.tensor(2.0, requires_grad=True)
    >>> (first,) = autograd.grad(Cube.apply(x), x, create_graph=True)
    >>> first.item(), autograd.grad(first, x)[0].item()
    (12.0, 12.0)
    """

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    setup_context: Callable[..., Any] | None = None

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Call `forward`. If gradients flow to one of `args`, what it returns has a node whose rule is `backward`."""
        for method in ("forward", "backward"):
            if not hasattr(cls, method):
                raise NotImplementedError(f"{cls.__name__} does not say how to go {method}: define a static method {method}")
        ctx = Context(cls.__name__, [a.node if isinstance(a, Tensor) else None for a in args])
        with ambient(grad=False):
            out = cls.forward(*args) if cls.setup_context else cls.forward(ctx, *args)
            if cls.setup_context:
                cls.setup_context(ctx, args, out)
        several = isinstance(out, tuple)
        outs = out if several else (out,)
        if not _places(ctx._dirty).keys() <= _places(outs).keys():
            raise GraphError(f"{cls.__name__}: forward must return what it marked as dirty")
        if not mode().grad or not ctx._parents:
            return out
        outs = _Record(cls, ctx, args, outs, several).attach(args, outs)
        return outs if several else outs[0]


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a `backward` that cannot be differentiated: that a second derivative goes through it is then an error.

    It gets detached Tensors and may compute in any way, with NumPy too (torch.autograd.function.once_differentiable).
    """

    @wraps(backward)
    def once(ctx: Context, *grads: Any) -> Any:
        ctx._saved = _detached(ctx.saved_tensors)
        with ambient(grad=False):
            found = backward(ctx, *_detached(grads))
        if not mode().grad:
            return found
        nodes = [*ctx._parents, *(g.node for g in grads if g is not None and g.node is not None)]
        end = partial(_dead_end, nodes, f"{ctx._name}.backward is once_differentiable, and this is a second derivative")
        return tuple(map(end, found)) if isinstance(found, tuple) else end(found)

    return once


def _detached(tensors: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(t if t is None else t.detach() for t in tensors)


# ---------------------------------------------------------------- in the graph
class _Plan(Plan):
    """That of one node, which has no primitive: it stands for one, as far as the drawing and detect_anomaly ask."""

    wants: dict[str, Any] = {}  # noqa: RUF012 (there are no rules, and there will be none)
    singular, fun, rules, arguments = False, None, wants, ()
    names: Sequence[str]
    op = property(lambda self: self)

    def __init__(self, name: str, tracked: Sequence[int]) -> None:
        self.name = self.title = name
        self.tracked = tracked


class _DeadEnd(_Plan):
    """The plan of a node that gradients cannot pass, though they should."""

    names = ("*xs",)

    def __init__(self, why: str, parents: Sequence[Node]) -> None:
        super().__init__("DeadEnd", range(len(parents)))
        self.why = why

    def partial(self, wanted: Any) -> Any:
        """Raises GraphError."""
        raise GraphError(self.why)


def _dead_end(parents: Sequence[Node], why: str, t: Any) -> Any:
    """The Tensor `t` (or None) as if it were computed from what is at `parents`, and nobody knew how."""
    if t is None or t.dtype.kind != "f":
        return t
    return wrap(t.array, Node(_DeadEnd(why, parents), parents, (), t.shape, t.dtype))


class _Record(_Plan):
    """The plan of the node of one call of a Function."""

    def __init__(self, cls: type[Function], ctx: Context, args: Sequence[Any], outs: Sequence[Any], several: bool) -> None:
        super().__init__(cls.__name__, [i for i, needed in enumerate(ctx.needs_input_grad) if needed])
        self.cls, self.ctx, self.several = cls, ctx, several
        self.kinds = [(t.shape, t.dtype) if isinstance(t, Tensor) else ((), None) for t in outs]
        given, made, fixed = _places(args), _places(outs), _places(ctx._constant)
        constant = [not isinstance(t, Tensor) or t.dtype.kind != "f" or id(t) in fixed for t in outs]
        self.smooth = [not c for c in constant]
        self.sources = [(given.get(id(v)), made.get(id(v))) for v in ctx._to_save]  # is it an argument, is it a result?

    def attach(self, args: Sequence[Any], outs: Sequence[Any]) -> tuple[Any, ...]:
        """What forward returned, the smooth results at nodes: the very same Tensors, unless they are somebody else's."""
        saved = tuple(v if v is None else v.array for v in self.ctx._to_save)
        dirty = _places(self.ctx._dirty)
        self.ctx._to_save = self.ctx._constant = self.ctx._dirty = ()
        kind = (tuple(shape for shape, _ in self.kinds), np.dtype(object)) if self.several else self.kinds[0]
        node = Node(self, self.ctx._parents, saved, *kind)
        if (tape := mode().tape) is not None:
            tape.node(node)
        found, given = list(outs), _places(args)
        for i, t in enumerate(outs):
            if self.smooth[i] and id(t) in dirty:
                base, steps, _ = lineage(t)
                settle(base, replaced(base, self._result(i, node), t.array, steps) if steps else self._result(i, node))
            elif self.smooth[i]:
                found[i] = t if t.node is None and id(t) not in given else wrap(t.array)
                found[i].node = self._result(i, node)
            elif isinstance(t, Tensor) and t.node is not None:
                found[i] = t.detach()
        return tuple(found)

    def _result(self, i: int, node: Node) -> Node | None:
        """The node of result `i`."""
        if not self.smooth[i]:
            return None
        return Node(Item(i, self.name, self.title), (node,), (), *self.kinds[i]) if self.several else node

    @property
    def names(self) -> list[str]:  # type: ignore[override]
        """What forward calls its arguments, `*xs` if there may be any number."""
        parameters = list(inspect.signature(self.cls.forward).parameters.values())[self.cls.setup_context is None :]
        return ["*" * (p.kind is p.VAR_POSITIONAL) + p.name for p in parameters]

    @property
    def keep(self) -> list[str]:  # type: ignore[override]
        """What to call the saved values."""
        names, found = self.names, []
        for argument, result in self.sources:
            if argument is not None:
                last = min(argument, len(names) - 1)
                found.append(names[last] if names[last][0] != "*" else f"{names[last][1:]}[{argument - last}]")
            else:
                found.append("a saved tensor" if result is None else f"result {result}" if self.several else "out")
        return found

    def unpack(self, node: Node, attach: Any) -> list[Any]:
        """What `node` saved, as Tensors: arguments at their nodes, results at this one, and all else at dead ends."""
        parents = dict(zip(self.tracked, node.parents, strict=True))
        found: list[Any] = []
        for v, (argument, result) in zip(node.saved, self.sources, strict=True):
            if v is None:
                found.append(None)
            elif argument is not None:
                found.append(attach(v, parents.get(argument)))
            elif result is not None:
                found.append(attach(v, self._result(result, node)))
            else:
                why = "this is a second derivative, and it goes through a saved tensor that is neither an argument nor a result"
                found.append(_dead_end(node.parents, f"{self.name}: {why}; return it as one more result", attach(v, None)))
        return found

    def partial(self, wanted: tuple[bool, ...]) -> Callable[[Any, Sequence[Any]], list[Any]]:
        """See above."""
        return partial(self._pull, [i for i, w in zip(self.tracked, wanted, strict=True) if w])

    def _pull(self, on: list[int], g: Any, s: Sequence[Any]) -> list[Any]:
        """Call backward."""
        ctx, given = self.ctx, g if self.several else [g]
        symbolic = any(isinstance(v, Tensor) for v in given)
        grads = [self._shown(v, kind) for v, kind in zip(given, self.kinds, strict=True)]
        wanted, parents = set(on), dict(zip(self.tracked, ctx._parents, strict=True))
        ctx.needs_input_grad = tuple(i in wanted for i in range(len(ctx.needs_input_grad)))
        ctx._saved = tuple(v if v is None or isinstance(v, Tensor) else wrap(v) for v in s)
        try:
            found = self.cls.backward(ctx, *grads)
        finally:
            ctx._saved = None
        found = found if isinstance(found, (tuple, list)) else (found,)
        n = len(ctx.needs_input_grad)
        if len(found) < n or any(d is not None for d in found[n:]):
            raise GraphError(f"{self.name}.backward returned {len(found)} gradients for the {n} arguments of forward")
        return [
            d if d is None or symbolic else np.copy(d.array) for d in (self._checked(i, found[i], parents[i].shape) for i in on)
        ]

    def _shown(self, g: Any, kind: Any) -> Any:
        """The gradient of one result as backward sees it: it cannot write into what others may be given as well."""
        if g is None:
            if kind[1] is None or not self.ctx._materialize:
                return None
            g = np.zeros(*kind)
        g = g if kind[1] is None else settled(g, kind[1])
        array, node = (g.array, g.node) if isinstance(g, Tensor) else (g, None)
        if type(array) is np.ndarray and not recording():  # a tape knows arrays by identity
            array = array.view()
            array.flags.writeable = False
        return wrap(array, node)

    def _checked(self, i: int, d: Any, shape: tuple[int, ...]) -> Any:
        """The gradient that backward returned for argument `i`, if it can be one."""
        if d is None:
            return None
        if not isinstance(d, Tensor):
            raise UnsupportedError(f"{self.name}.backward returns Tensors or None, got {describe(d)} for argument {i}")
        if len(d.shape) < len(shape) or any(n != m and m != 1 for n, m in zip(d.shape[::-1], shape[::-1], strict=False)):
            raise ShapeError(f"{self.name}.backward returned shape {d.shape} for argument {i}, which has shape {shape}")
        return d


def _places(among: Sequence[Any]) -> dict[int, int]:
    """Where each object is, by its id, if several times then first; None is nowhere."""
    return {id(t): i for i, t in reversed(tuple(enumerate(among))) if t is not None}
