"""Transforms of functions: gradient, derivative along a direction, Jacobian, Hessian, form for batches; torch.func's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from ..api.tree import tree_build
from ..engine.tensor import Tensor
from ..errors import ArgumentError, ShapeError, StateError, UnsupportedError, describe
from .core import Argnums, Call, Function, Linear, jacobian_blocks, matched, pull
from .vmap import vmap as vmap


# ---------------------------------------------------------------- gradients
def grad_and_value(func: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """As `grad`, and the value: (gradient, value), or (gradient, (value, aux)) (torch.func.grad_and_value)."""

    @wraps(func, updated=())
    def both(*args: Any, **kwargs: Any) -> Any:
        call = Call("grad", func, args, kwargs, argnums, has_aux)
        y, create = call.out, call.creates()
        if not isinstance(y, Tensor) or y.ndim or y.dtype.kind != "f":
            raise ShapeError(f"grad: the function must return a float, 0-d, got {describe(y)}; sum() it, or see jacrev")
        gradient = tree_build(call.point, pull([y], call.inputs, [None], create, retain=create))
        value = call.release((y, call.aux) if has_aux else y)
        return call.release(gradient), value

    return both


def value_and_grad(func: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """As `grad_and_value`, in the order that JAX has: (value, gradient), or ((value, aux), gradient).

    >>> import autograd
    >>> value_and_grad(lambda x: x**2)(autograd.tensor(3.0))
    (tensor(9.), tensor(6.))
    """
    both = grad_and_value(func, argnums, has_aux)
    return wraps(func, updated=())(lambda *args, **kwargs: both(*args, **kwargs)[::-1])


def grad(func: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """The function that computes the gradient of `func` with respect to its arguments `argnums` (torch.func.grad).

    `func` returns a 0-d Tensor, or (that, aux) with `has_aux`, and then so does the gradient. An argument may be a nested
    tuple, list or dict of Tensors: its gradient is one, too. A tuple of `argnums` gives a tuple of gradients. Nothing
    needs `requires_grad`; what `func` uses besides its arguments is constant, unless an outer transform or `backward`
    differentiates by it. Transforms nest in any way. Raises ShapeError, DtypeError, UnsupportedError, ArgumentError.

    >>> import autograd
    >>> grad(lambda w: (w["a"] ** 2 * w["b"]).sum())({"a": autograd.tensor([1.0, 2.0]), "b": autograd.tensor(3.0)})
    {'a': tensor([ 6., 12.]), 'b': tensor(5.)}
    >>> grad(grad(autograd.sin))(autograd.tensor(0.5))
    tensor(-0.4794)
    """
    both = grad_and_value(func, argnums, has_aux)

    @wraps(func, updated=())
    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def vjp(func: Function, *primals: Any, has_aux: bool = False) -> Any:
    """`func(*primals)`, and the function from weights, one for each output element, to the gradients of the weighted sum.

    The weights have the structure of the output. The gradients are a tuple with one entry for each of `primals`.
    With `has_aux`, `func` returns (output, aux), and aux comes third. PyTorch: torch.func.vjp.

    >>> import autograd
    >>> out, pullback = vjp(lambda x: x**2, autograd.tensor([1.0, 2.0]))
    >>> pullback(autograd.tensor([1.0, 10.0]))
    (tensor([ 2., 40.]),)
    """
    call = Call("vjp", func, primals, {}, _all(primals), has_aux)

    def pullback(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        seeds = matched("vjp", cotangents, call.out)
        create = call.creates(*seeds) if create_graph is None else create_graph
        return call.release(tree_build(call.point, pull(call.outputs, call.inputs, seeds, create, retain_graph)), create)

    out = call.release(call.out), pullback, call.release(call.aux)
    return out if has_aux else out[:2]


def _all(primals: Any) -> tuple[int, ...]:
    """The numbers of all arguments."""
    if not isinstance(primals, tuple):
        raise UnsupportedError(f"primals are a tuple with one entry for each argument, got {describe(primals)}")
    return tuple(range(len(primals)))


# ---------------------------------------------------------------- derivatives along directions
def linearize(func: Function, *primals: Any) -> tuple[Any, Function]:
    """`func(*primals)`, and the function from directions, one for each of `primals`, to the derivative along them.

    For many directions at one point, where `jvp` would run `func` for each (torch.func.linearize).
    """
    call = Call("linearize", func, primals, {}, _all(primals))
    linear = Linear(call)

    def derivative(*tangents: Any) -> Any:
        return tree_build(call.out, linear(matched("linearize", tangents, call.point)))

    return call.release(call.out), derivative


def jvp(
    func: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...], *, strict: bool = False, has_aux: bool = False
) -> Any:
    """`func(*primals)` and its derivative along `tangents`, in the structure of the output (torch.func.jvp).

    Both are tuples, with one entry for each argument. With `has_aux`, aux comes third. If `strict`, it is an error that
    the outputs do not depend on an input. The work is that of two gradients: see `Linear`.

    >>> import autograd
    >>> jvp(autograd.sin, (autograd.tensor(0.0),), (autograd.tensor(2.0),))
    (tensor(0.), tensor(2.))
    """
    call = Call("jvp", func, primals, {}, _all(primals), has_aux)
    directions = matched("jvp", tangents, call.point)
    derivative = tree_build(call.out, Linear(call, "jvp" if strict else "")(directions))
    out = call.release(call.out), derivative, call.release(call.aux)
    return out if has_aux else out[:2]


def hvp(func: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
    """The Hessian of `func`, which returns a 0-d Tensor, at `primals` times `tangents`: the work of two gradients.

    As `jvp(grad(func), primals, tangents)[1]`; but since a Hessian is symmetric, transposing once will do.

    >>> import autograd
    >>> hvp(lambda x: (x**3).sum(), (autograd.tensor([1.0, 2.0]),), (autograd.tensor([1.0, 1.0]),))
    tensor([ 6., 12.])
    """
    found = vjp(grad(func, _all(primals)), *primals)[1](tangents)
    return found[0] if len(primals) == 1 else found


# ---------------------------------------------------------------- Jacobians
def _jacobian(name: str, blocks: Callable[[Call], list[list[Any]]], func: Function, argnums: Argnums, has_aux: bool) -> Function:
    @wraps(func, updated=())
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        call = Call(name, func, args, kwargs, argnums, has_aux)
        found = tree_build(call.out, [call.release(tree_build(call.point, row)) for row in blocks(call)])
        return (found, call.release(call.aux)) if has_aux else found

    return jacobian


def jacrev(func: Function, argnums: Argnums = 0, *, has_aux: bool = False, chunk_size: int | None = None) -> Function:
    """The function that computes the Jacobian of `func` with respect to its arguments `argnums` (torch.func.jacrev).

    Where `func` returns a Tensor, this returns its derivatives by the argument, of shape (*output.shape, *input.shape); in
    the structure of the argument, or a tuple for a tuple of `argnums`. With `has_aux`, `func` and this return (that, aux).
    Takes one backward for all output elements at once, or for `chunk_size` of them at a time (by default, for as many as
    give 2**24 numbers).

    >>> import autograd
    >>> jacrev(lambda x: x[:2] * x[2])(autograd.tensor([1.0, 2.0, 3.0]))
    tensor([[3., 0., 1.],
            [0., 3., 2.]])
    """
    return _jacobian(
        "jacrev", lambda c: jacobian_blocks(c.outputs, c.inputs, c.creates(), chunk_size=chunk_size), func, argnums, has_aux
    )


def jacfwd(func: Function, argnums: Argnums = 0, has_aux: bool = False, *, randomness: str = "error") -> Function:
    """As `jacrev`, with a backward for each input element: for more outputs than inputs (torch.func.jacfwd).

    `func` runs once, so that `randomness` is accepted and changes nothing.
    """
    return _jacobian("jacfwd", lambda c: Linear(c).blocks(), func, argnums, has_aux)


def hessian(func: Function, argnums: Argnums = 0) -> Function:
    """The function that computes all second derivatives of `func`, as `jacfwd(jacrev(func))` (torch.func.hessian).

    >>> import autograd
    >>> hessian(lambda x: x.prod())(autograd.tensor([2.0, 3.0]))
    tensor([[0., 1.],
            [1., 0.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


# ---------------------------------------------------------------- modules
def functional_call(
    module: Any, parameter_and_buffer_dicts: Any, args: Any = None, kwargs: Mapping[str, Any] | None = None,
    *, tie_weights: bool = True, strict: bool = False,
) -> Any:  # fmt: skip
    """`module(*args, **kwargs)` with other parameters and buffers, a dict (or several) by path (torch.func.functional_call).

    Those not given are the module's own; `strict` asks for all. A tensor that the module has under several paths is
    replaced under all of them, unless not `tie_weights`. A buffer that the module gives a new Tensor during the call is
    given it in the dict. `args` is a tuple, or the one argument. Raises StateError for paths that the module has not.

    >>> import autograd, nn
    >>> layer, x = nn.Linear(2, 1), autograd.tensor([1.0, 2.0])
    >>> weights = {"weight": autograd.tensor([[3.0, 4.0]]), "bias": autograd.zeros(1)}
    >>> grad(lambda w: functional_call(layer, w, x).sum())(weights)
    {'weight': tensor([[1., 2.]]), 'bias': tensor([1.])}
    """
    dicts = parameter_and_buffer_dicts
    dicts = [dicts] if isinstance(dicts, Mapping) else list(dicts)
    given: dict[str, Any] = {path: d for d in dicts for path in d}
    if len(given) < sum(map(len, dicts)):
        raise ArgumentError("functional_call: two of the dicts have a key in common")
    places, old = {}, {}
    for prefix, owner in module.named_modules(remove_duplicate=False):
        for registry in (owner._parameters, owner._buffers):
            for name, value in registry.items():
                if value is not None:
                    path = f"{prefix}.{name}" if prefix else name
                    places[path], old[path] = (registry, name), value
    unknown, missing = [p for p in given if p not in places], [p for p in places if p not in given] if strict else []
    if unknown or missing:
        parts = [f"{what}: {', '.join(paths)}" for what, paths in (("unexpected", unknown), ("missing", missing)) if paths]
        raise StateError(f"functional_call of {type(module).__name__}: {'; '.join(parts)}")
    new: dict[str, Any] = {}
    for path, d in given.items():
        for other in [p for p in places if old[p] is old[path]] if tie_weights else [path]:
            if new.setdefault(other, d[path]) is not d[path]:
                raise ArgumentError(f"functional_call: {other} and {path} are one tensor in the module, but two were given")
    try:
        for path, value in new.items():
            registry, name = places[path]
            registry[name] = value
        args = () if args is None else args if isinstance(args, tuple) else (args,)
        return module(*args, **(kwargs or {}))
    finally:
        for path, (registry, name) in places.items():
            if path in given:
                given[path][path] = registry[name]
            registry[name] = old[path]
