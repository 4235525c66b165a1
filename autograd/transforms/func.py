"""Transforms of functions: gradient, derivative along a direction, Jacobian, Hessian, form for batches; torch.func's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import numpy as np

from ..api.join import stack
from ..api.tree import tree_build
from ..engine.tensor import Tensor
from ..errors import ArgumentError, ShapeError, StateError, UnsupportedError, describe
from .core import Argnums, Call, Function, Linear, jacobian_blocks, matched, pull
from .forward import along
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
        gradient = call.as_given(pull([y], call.inputs, [None], create, retain=create))
        return gradient, call.release((y, call.aux) if has_aux else y)

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

    Arrays and floats will do for Tensors, in all transforms: `func` sees Tensors in their place, and what comes back for an
    array is an array of its dtype, and a float for a float; as long as it depends on nothing else that requires a gradient.
    So this is the `jac` that SciPy asks for: `scipy.optimize.minimize(f, x0, jac=grad(f))`.

    >>> import autograd, numpy as np
    >>> grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0])), grad(np.tanh)(1.0)
    (array([2., 4.]), 0.41997434161402614)
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


def elementwise_grad(func: Function, argnums: Argnums = 0) -> Function:
    """As `grad`, for a function that works on each element: its derivative at each, the gradient of the sum of its output.

    HIPS autograd: autograd.elementwise_grad.

    >>> import numpy as np
    >>> elementwise_grad(elementwise_grad(np.sin))(np.array([0.0, np.pi / 2])).round(12)
    array([-0., -1.])
    """
    return grad(wraps(func, updated=())(lambda *args, **kwargs: np.sum(func(*args, **kwargs))), argnums)


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
        return call.as_given(pull(call.outputs, call.inputs, seeds, create, retain_graph), create)

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
    the outputs do not depend on an input. Forward mode: the work and the memory of one gradient, see `forward.py`.

    >>> import autograd
    >>> jvp(autograd.sin, (autograd.tensor(0.0),), (autograd.tensor(2.0),))
    (tensor(0.), tensor(2.))
    """
    call = Call("jvp", func, primals, {}, _all(primals), has_aux)
    directions = matched("jvp", tangents, call.point)
    derivative = tree_build(call.out, along(call, directions, "jvp" if strict else ""))
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
        found = tree_build(call.out, [call.as_given(row) for row in blocks(call)])
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
def stack_module_state(models: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and the buffers of several modules of one kind, stacked along a new dim 0: two dicts by path.

    With them `functional_call` of one of the modules runs all under `vmap`: an ensemble. They are copies; parameters are leaves
    that require grad if those do. Raises ArgumentError or ShapeError for modules that differ (torch.func.stack_module_state).

    >>> import autograd, nn
    >>> models, x = [nn.Linear(3, 2) for _ in range(5)], autograd.ones(3)
    >>> params, buffers = stack_module_state(models)
    >>> vmap(lambda p, b: functional_call(models[0], (p, b), x))(params, buffers).shape
    (5, 2)
    """
    models = list(models)
    if not models:
        raise ArgumentError("stack_module_state: there are no models")
    if len({type(m) for m in models}) > 1 or len({m.training for m in models}) > 1:
        found = ", ".join(f"{type(m).__name__} in {'training' if m.training else 'evaluation'}" for m in models)
        raise ArgumentError(f"stack_module_state: models are of one class and in one mode, got {found}")
    params, buffers = (_stacked([dict(getattr(m, named)()) for m in models]) for named in ("named_parameters", "named_buffers"))
    return params, buffers


def _stacked(states: list[dict[str, Any]]) -> dict[str, Any]:
    """Tensors of several modules as one, by path."""
    first, *others = states
    if any(state.keys() != first.keys() for state in others):
        raise ArgumentError(f"stack_module_state: models hold the same tensors, got {' and '.join(map(str, map(list, states)))}")
    out = {}
    for path in first:
        each = [state[path] for state in states]
        if len({(t.shape, t.dtype, t.requires_grad) for t in each}) > 1:
            found = ", ".join(f"{describe(t)}{' that requires grad' * t.requires_grad}" for t in each)
            raise ShapeError(f"stack_module_state: {path} is the same in all models, got {found}")
        out[path] = stack([t.detach() for t in each]).requires_grad_(each[0].requires_grad)
    return out


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
