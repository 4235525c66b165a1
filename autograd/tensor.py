"""Tensor: an array and, if gradients flow to it, its node in the graph; `backward` and `grad` over both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .dtypes import DType, _category, get_default_dtype
from .errors import ArgumentError, DtypeError, GraphError, InPlaceError, NoGradientError, ShapeError, UnsupportedError
from .graph import Array, Node, RemovableHandle, ambient, fit, mode, shared, sweep, write
from .printing import format_tensor

NUMPY: dict[Callable[..., Any], Callable[..., Any]] = {}  # np.exp -> what it does to Tensors


class Tensor:
    """An n-dimensional array that remembers how it was computed.

    `Tensor(data)` copies `data` to the default float dtype; `autograd.tensor` keeps integers integers.
    `t.array` is the raw array: if you write to it, call `autograd.touch(t.array)`. PyTorch: torch.Tensor.

    >>> import autograd
    >>> x = autograd.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ("__weakref__", "_resting", "array", "node")
    rebinds = 0  # how often any Tensor was given another array: who holds arrays must look again when this moves
    array: Array
    node: Node | None

    def __init__(self, data: Any = (), requires_grad: bool = False) -> None:
        self.array = np.array(data.array if isinstance(data, Tensor) else data, get_default_dtype())
        self.node = None
        self.requires_grad = requires_grad

    # ------------------------------------------------------------ what it is
    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> DType:
        return self.array.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        return self.array.ndim  # type: ignore[no-any-return]

    @property
    def data(self) -> Tensor:
        """This Tensor outside the graph, sharing its memory. Assigning gives this one the array of another."""
        return wrap(self.array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if value.dtype != self.dtype and self.node is not None:
            raise DtypeError(f"data must keep the dtype {self.dtype} of a tensor that requires grad, got {value.dtype}")
        self.array = value.array
        Tensor.rebinds += 1
        if self.node is not None:
            self.node.shape = value.shape

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
            raise GraphError("requires_grad can only be switched off on leaves; detach() makes one of this result")
        if not on:  # the leaf rests, and keeps its gradient
            self._resting, self.node = self.node, None
        elif self.dtype.kind != "f":
            raise DtypeError(f"only floating-point tensors can require gradients, not {self.dtype}; use float() first")
        else:
            self.node = self._rest()

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad`, and return this Tensor."""
        self.requires_grad = requires_grad
        return self

    def _rest(self, make: bool = True) -> Any:
        """The node that a leaf keeps while it does not require grad: a `grad` may have been left on it."""
        if getattr(self, "_resting", None) is None and make:
            self._resting = Node(None, (), (), self.shape, self.dtype)
        return getattr(self, "_resting", None)

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` left here, of this shape and dtype. Kept on leaves, and after `retain_grad`."""
        node = self.node or self._rest(make=False)
        return None if node is None else node.grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and (value.shape, value.dtype) != (self.shape, self.dtype):
            found, need = f"{value.dtype} {value.shape}", f"{self.dtype} {self.shape}"
            raise ShapeError(f"a gradient has the shape and dtype of its tensor: expected {need}, got {found}")
        (self.node or self._rest()).grad = value

    @property
    def grad_fn(self) -> Node | None:
        """The node of the op that made this, None for a leaf."""
        return None if self.is_leaf else self.node

    @property
    def is_leaf(self) -> bool:
        """Was it made by the user, or by ops that were not recorded?"""
        return self.node is None or self.node.plan is None

    def retain_grad(self) -> None:
        """Let `backward` leave a gradient here although this is not a leaf."""
        self._need_node("retain_grad").keeps = True

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call `hook(gradient)` each time this Tensor's gradient is known; what it returns, if anything, replaces it."""
        node = self._need_node("register_hook")
        node.hooks = {} if node.hooks is None else node.hooks
        return RemovableHandle(node.hooks, hook)

    def _need_node(self, what: str) -> Node:
        if self.node is None:
            raise NoGradientError(f"{what}: this tensor does not require grad; call requires_grad_() on it first")
        return self.node

    def detach(self) -> Tensor:
        """This Tensor outside the graph, sharing its memory."""
        return wrap(self.array)

    def detach_(self) -> Tensor:
        """Take this Tensor out of the graph."""
        self.node = self._resting = None
        return self

    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
    ) -> None:
        """Add to `.grad` of every leaf (or of `inputs`) the gradient of this Tensor, weighted by `gradient`.

        `gradient` has this Tensor's shape, and may be left out for one element. `create_graph` makes the gradients
        differentiable; `retain_graph` lets the graph be used again. PyTorch: torch.Tensor.backward.
        Raises NoGradientError, ShapeError, FreedGraphError or InPlaceError.
        """
        inputs = [inputs] if isinstance(inputs, Tensor) else inputs
        targets = None if inputs is None else {t._need_node("backward(inputs=...)") for t in inputs}
        found = _gradients([self], [gradient], targets, retain_graph, create_graph)
        with ambient(grad=create_graph):
            while found:
                node, g = found.popitem()
                t = g if isinstance(g, Tensor) else wrap(g)
                del g
                if node.grad is None:
                    node.grad = t.clone() if shared(t) else t
                elif create_graph:
                    node.grad = node.grad + t
                else:
                    node.grad.add_(t)

    # ------------------------------------------------------------ in place
    def _take(self, name: str, op: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Become `op(self, *args, **kwargs)`, the one way in which ops work in place.

        While gradients are recorded this Tensor is given a new array and node, so values saved from the old one
        stay right; nobody else may be looking at the old array then, since they would not see the change.
        Otherwise the new values are written to memory, where all see them and the clock is stamped.
        """
        looked_at = mode().grad and shared(self)
        new = op(self, *args, **kwargs)
        if new.shape != self.shape:
            raise ShapeError(f"{name}: the result has shape {new.shape}, which does not fit in place into {self.shape}")
        if _category(new.dtype) > _category(self.dtype):
            raise DtypeError(f"{name}: the result is {new.dtype}, which does not fit in place into {self.dtype}")
        new = new.to(self.dtype)
        if not mode().grad or (self.node is None and new.node is None):
            write(self.array, ..., new.array)
            return self
        if self.node is not None and self.is_leaf:
            raise InPlaceError(f"{name}: a leaf that requires grad can only be modified in place under no_grad()")
        if looked_at:
            raise InPlaceError(
                f"{name}: while gradients are recorded this tensor cannot be modified in place, as something else sees its "
                "memory (a view, an alias or a value saved for backward); use the form without _, or clone() first"
            )
        self.array, self.node = new.array, new.node
        return self

    # ------------------------------------------------------------ as Python and NumPy see it
    def item(self) -> Any:
        """The value of a one-element Tensor as a Python number."""
        if self.array.size != 1:
            raise ShapeError(f"item needs exactly one element, got shape {self.shape}; use tolist()")
        return self.array.item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self.array.tolist()

    def numpy(self, force: bool = False) -> Any:
        """The array itself, sharing memory; `force` detaches first. Raises NoGradientError if it requires grad."""
        if self.node is not None and not force:
            raise NoGradientError("numpy: this tensor requires grad, which an array cannot; use t.detach().numpy()")
        return self.array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if mode().tape is not None:
            raise UnsupportedError("a tensor cannot become an array while a tape records: its value would be a constant")
        return np.array(self.numpy(), dtype, copy=copy)

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        if ufunc not in NUMPY or method != "__call__" or kwargs:
            call = ufunc.__name__ + ("" if method == "__call__" else "." + method) + (f" with {', '.join(kwargs)}" if kwargs else "")
            raise UnsupportedError(f"np.{call} does not work on Tensors; compose it of others, or detach().numpy() first")
        if out is None:
            return NUMPY[ufunc](*args)
        if not isinstance(out[0], Tensor):
            raise UnsupportedError(f"np.{ufunc.__name__} cannot put a Tensor into an array; leave out= (or +=) away")
        return out[0]._take(f"np.{ufunc.__name__}(out=)", lambda _, *xs: NUMPY[ufunc](*xs), *args)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function not in NUMPY:
            name = f"np.{function.__name__}"
            raise UnsupportedError(f"{name} does not work on Tensors; compose it of others, or detach().numpy() first")
        return NUMPY[function](*args, **kwargs)

    def __len__(self) -> int:
        if not self.shape:
            raise UnsupportedError("a 0-d tensor has no len()")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise UnsupportedError("a 0-d tensor cannot be iterated over")
        return iter(self.unbind(0))

    def __contains__(self, value: Any) -> bool:
        return bool((self.array == getattr(value, "array", value)).any())

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise ArgumentError(f"a tensor of shape {self.shape} is neither true nor false; use any() or all()")
        return bool(self.array)

    __float__ = lambda self: float(self.item())  # noqa: E731
    __int__ = lambda self: int(self.item())  # noqa: E731
    __hash__ = object.__hash__

    def __index__(self) -> int:
        if self.dtype.kind not in "iub":
            raise DtypeError(f"only integer tensors can be an index, not {self.dtype}")
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self.array.size == 1 else str(self)

    def __repr__(self) -> str:
        return format_tensor(self.array, self.grad_fn, self.requires_grad, get_default_dtype())

    def __copy__(self) -> Tensor:
        return self._like(self.array)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise GraphError("only leaves can be deep-copied, as a copy has no place in the graph; detach() first")
        copy = memo[id(self)] = self._like(self.array.copy())
        if self.grad is not None:
            copy.grad = self.grad.detach().clone()
        return copy

    def _like(self, array: Array) -> Any:
        """A leaf of this class and requires_grad over `array`."""
        return _restore(type(self), array, self.requires_grad)

    def __reduce__(self) -> Any:  # values travel, graphs do not
        return _restore, (type(self), self.array, self.requires_grad and self.is_leaf)

    if TYPE_CHECKING:  # operators and methods come from one table, methods.py

        def __getattr__(self, name: str) -> Any: ...
        def _operator(self, other: Any) -> Any: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _operator
        __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __mod__ = __floordiv__ = __getitem__ = _operator
        __lt__ = __le__ = __gt__ = __ge__ = __and__ = __or__ = __xor__ = _operator
        __eq__ = __ne__ = _operator  # type: ignore[assignment]

        def __neg__(self) -> Any: ...
        def __invert__(self) -> Any: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...


_new = object.__new__


def wrap(array: Array, node: Node | None = None) -> Tensor:
    """A Tensor around `array` itself, at `node`."""
    t: Tensor = _new(Tensor)
    t.array, t.node = array, node
    return t


def _restore(cls: type[Tensor], array: Array, requires_grad: bool) -> Tensor:
    t = _new(cls)
    t.array, t.node = array, None
    t.requires_grad = requires_grad
    return t


# ---------------------------------------------------------------- gradients
def _gradients(
    outputs: Sequence[Tensor], seeds: Sequence[Any], targets: set[Node] | None, retain_graph: bool | None, create_graph: bool
) -> dict[Node, Any]:
    """Sweep back from `outputs`. Under a tape the rules run on Tensors too, so that it hears of every step."""
    symbolic = create_graph or mode().tape is not None
    grads: dict[Node, Any] = {}
    with ambient(grad=create_graph), np.errstate(all="ignore"):
        for i, (t, seed) in enumerate(zip(outputs, seeds, strict=True)):
            if t.node is None:
                raise NoGradientError(f"output {i} does not depend on anything that requires grad")
            if seed is None:
                if t.array.size != 1:
                    raise GraphError(f"backward from shape {t.shape} needs a gradient of that shape; only one element does without")
                seed = np.ones_like(t.array)
            seed = seed if isinstance(seed, Tensor) else wrap(np.asarray(seed, t.dtype) if not hasattr(seed, "dtype") else seed)
            if seed.shape != t.shape:
                raise ShapeError(f"the gradient for output {i} has shape {seed.shape}; the output has {t.shape}")
            seed = fit(seed if symbolic else seed.array, t.node)
            grads[t.node] = grads[t.node] + seed if t.node in grads else seed
        return sweep(grads, targets, wrap, symbolic, create_graph if retain_graph is None else retain_graph)


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
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    seeds = [grad_outputs] if grad_outputs is None or hasattr(grad_outputs, "shape") else list(grad_outputs)
    seeds = seeds * len(outputs) if seeds == [None] else seeds
    if len(seeds) != len(outputs):
        raise ArgumentError(f"grad_outputs has {len(seeds)} entries for {len(outputs)} outputs")
    nodes = [t._need_node(f"grad: input {i}") for i, t in enumerate(inputs)]
    found = _gradients(outputs, seeds, set(nodes), retain_graph, create_graph)
    if not (allow_unused or materialize_grads) and (unused := [i for i, n in enumerate(nodes) if n not in found]):
        raise NoGradientError(f"grad: the outputs do not depend on input {unused[0]}; pass allow_unused=True if that is meant")
    blank = (lambda t: wrap(np.zeros_like(t.array))) if materialize_grads else lambda t: None
    results = (found.get(n, None) for n in nodes)
    return tuple(blank(t) if g is None else g if isinstance(g, Tensor) else wrap(g) for t, g in zip(inputs, results, strict=True))


# ---------------------------------------------------------------- switching recording on and off
def no_grad(function: Any = None) -> Any:
    """Do not record graphs in a with-block, or in the function that this decorates (torch.no_grad).

    >>> import autograd
    >>> x = autograd.ones(2, requires_grad=True)
    >>> with autograd.no_grad():
    ...     (x * 2).requires_grad
    False
    """
    return ambient(grad=False) if function is None else ambient(grad=False)(function)


def enable_grad(function: Any = None) -> Any:
    """Record graphs in a with-block, or in the function that this decorates, even inside `no_grad` (torch.enable_grad)."""
    return ambient(grad=True) if function is None else ambient(grad=True)(function)


def inference_mode(mode: Any = True) -> Any:
    """As `no_grad` when `mode` is true; a name that PyTorch programs use (torch.inference_mode)."""
    return no_grad(mode) if callable(mode) else ambient(grad=not mode)


class set_grad_enabled(ambient):  # noqa: N801
    """Record graphs from here on, or not; in a with-block or decorator, until its end (torch.set_grad_enabled)."""

    def __init__(self, mode: bool) -> None:
        super().__init__(grad=mode)
        super().__enter__()

    def __enter__(self) -> None:
        pass  # it holds since it was made

    def __call__(self, function: Any) -> Any:
        self.__exit__()
        return ambient(**self.changes)(function)


def is_grad_enabled() -> bool:
    """Are graphs being recorded here?"""
    return mode().grad
