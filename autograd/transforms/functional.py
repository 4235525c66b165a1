"""The same derivatives as in func.py, of a function at a point: torch.autograd.functional's signatures.

In all of them `inputs` is a Tensor or a tuple of Tensors, the arguments of `func`, and what comes back has a part for
each. `create_graph` makes the results differentiable by inputs that require grad. `strict` makes it an error
that the outputs do not depend on an input, where zeros are returned otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..api.tree import tree_build, tree_leaves, tree_map
from ..engine.graph import ambient
from ..engine.tensor import Tensor, wrap
from ..errors import ArgumentError, ShapeError, UnsupportedError, describe
from .core import Call, Function, Linear, jacobian_blocks, matched, pull
from .forward import along


def _call(name: str, func: Function, inputs: Any) -> Call:
    args = inputs if isinstance(inputs, tuple) else (inputs,)
    if odd := [x for x in args if not isinstance(x, Tensor)]:
        raise UnsupportedError(f"{name}: inputs is a Tensor or a tuple of Tensors, got {describe(odd[0])}")
    return Call(name, func, args, {}, tuple(range(len(args))) if isinstance(inputs, tuple) else 0)


def _gradient(name: str, func: Function, inputs: Any, strict: bool) -> tuple[Call, Any]:
    """The call of the function that computes the gradient of `func`, and the value of `func`."""
    value = None

    def gradient(*args: Any) -> Any:
        nonlocal value
        value = func(*args)
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise ShapeError(f"{name}: the function must return one element, got {describe(value)}")
        found = pull([value], args, [None], create=True, strict=name * strict)
        return tuple(found) if isinstance(inputs, tuple) else found[0]

    call = _call(name, gradient, inputs)
    return call, call.release(value)


def _weights(name: str, v: Any, like: Any) -> list[Any]:
    """`v`, the weights or the direction for `like`; 1 if it is None, for a single element."""
    if v is None:
        if [t.numel() for t in tree_leaves(like)] != [1]:
            raise ArgumentError(f"{name}: v may be left out for one element only; here it goes with {tree_map(describe, like)}")
        return [wrap(np.ones_like(t.array)) for t in tree_leaves(like)]
    if isinstance(like, tuple) and isinstance(v, Tensor):  # of one, in a tuple or not
        v = (v,)
    elif isinstance(v, tuple) and len(v) == 1 and not isinstance(like, tuple):
        (v,) = v
    return matched(name, v, like)


def vjp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """`func(*inputs)`, and `v`, in the structure of that, times the Jacobian (torch.autograd.functional.vjp).

    >>> import autograd
    >>> vjp(lambda x: x**2, autograd.tensor([1.0, 2.0]), autograd.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    with ambient(grad=create_graph):
        call = _call("vjp", func, inputs)
        found = pull(call.outputs, call.inputs, _weights("vjp", v, call.out), create_graph, create_graph, "vjp" * strict)
        return call.release(call.out), call.as_given(found, create_graph)


def jvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """`func(*inputs)`, and the Jacobian times `v`, in the structure of `inputs` (torch.autograd.functional.jvp).

    >>> import autograd
    >>> jvp(lambda x: x**2, autograd.tensor([1.0, 2.0]), autograd.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    with ambient(grad=create_graph):
        call = _call("jvp", func, inputs)
        directions = _weights("jvp", v, call.point)
        return call.release(call.out), tree_build(call.out, along(call, directions, "jvp" * strict))


def vhp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """`func(*inputs)`, of one element, and `v` times its Hessian (torch.autograd.functional.vhp).

    >>> import autograd
    >>> vhp(lambda x: (x**3).sum(), autograd.tensor([1.0, 2.0]), autograd.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def hvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """`func(*inputs)`, of one element, and its Hessian times `v`: as `vhp`, since a Hessian is symmetric.

    PyTorch: torch.autograd.functional.hvp.
    """
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def _hessian_product(name: str, func: Function, inputs: Any, v: Any, create_graph: bool, strict: bool) -> tuple[Any, Any]:
    with ambient(grad=create_graph):
        call, value = _gradient(name, func, inputs, strict)
        seeds = _weights(name, v, call.point)
        found = pull(call.outputs, call.inputs, seeds, create_graph, create_graph, name * strict)
        return value, call.as_given(found, create_graph)


def jacobian(
    func: Function, inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The Jacobian of `func` at `inputs`, shape (*output.shape, *input.shape) (torch.autograd.functional.jacobian).

    A tuple of outputs gives a tuple, and a tuple of inputs a tuple for each. `strategy` "reverse-mode" takes one backward
    for each output element, "forward-mode" for each input element. `vectorize` is accepted and changes nothing.

    >>> import autograd
    >>> jacobian(lambda x, y: x * y, (autograd.tensor([1.0, 2.0]), autograd.tensor(3.0)))
    (tensor([[3., 0.],
            [0., 3.]]), tensor([1., 2.]))
    """
    _check_strategy("jacobian", strategy)
    with ambient(grad=create_graph):
        return _blocks(_call("jacobian", func, inputs), "jacobian" * strict, strategy)


def hessian(
    func: Function, inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, outer_jacobian_strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The second derivatives of `func`, of one element, at `inputs` (torch.autograd.functional.hessian).

    Shape: (*input.shape, *input.shape); for a tuple of inputs a tuple of tuples, by every two of them.

    >>> import autograd
    >>> hessian(lambda x: x.prod(), autograd.tensor([2.0, 3.0]))
    tensor([[0., 1.],
            [1., 0.]])
    """
    _check_strategy("hessian", outer_jacobian_strategy)
    with ambient(grad=create_graph):
        return _blocks(_gradient("hessian", func, inputs, strict)[0], "hessian" * strict, outer_jacobian_strategy)


def _check_strategy(name: str, strategy: str) -> None:
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ArgumentError(f"{name}: the strategy is 'reverse-mode' or 'forward-mode', got {strategy!r}")


def _blocks(call: Call, strict: str, strategy: str) -> Any:
    """The Jacobian of a call, in the structure of its output and its point."""
    if strategy == "forward-mode":
        blocks = Linear(call, strict).blocks()
    else:
        blocks = jacobian_blocks(call.outputs, call.inputs, call.creates(), strict)
    return tree_build(call.out, [call.as_given(row) for row in blocks])
