"""How a primitive's function is written out: one Python function for each, made for its arguments.

As namedtuple and dataclass do it. A loop over `*args` would say the same and take half as long again, and a function
that has its real signature reports a wrong call by itself. What differs from op to op stands in braces below; for
`multiply` the signature is `x, y`, and the arguments are ARGUMENT twice, with x, x_, 1 and with y, y_, 2. A variadic
argument has one bit in the mask, however many it is, and a list of those that lead to a gradient.
`autograd.engine.codegen.source("multiply")` shows what came out.
"""

from __future__ import annotations

import inspect
import linecache
from textwrap import indent
from typing import Any

import numpy as np

from ..errors import AutogradError, DivisionError, DtypeError, describe
from .accumulate import any_half, in_single
from .dtypes import wrapped_around

ARGUMENT = """\
if isinstance({x}, Tensor):
    _plain = False
    if (_node := {x}.node) is not None:
        {mark}
        _parents.append(_node)
    {raw} = {x}.array
    if (_d := {raw}.dtype) is not _dtype:
        if _dtype is not None:
            _mixed = True
        elif _d.char not in "fd":
            _odd = True
        _dtype = _d
elif not hasattr({x}, "dtype"):
    {raw} = {value}
elif isinstance({x}, generic):  # NumPy's scalars are as weak as Python's
    {raw} = {x}.item()
else:
    {raw}, _mixed = {x}, True
"""
VARIADIC = """\
{x}_, _among = [], []
for _i, _a in enumerate({x}, {first}):
{each}
    {x}_.append(_r)
"""
AMONG = """\
        if _among:
            _plan = Among(_plan, _among)
"""
PRIMITIVE = """\
def op({signature}, out=None):
    if out is not None:
        return into(out, op, {values})
    _parents, _mask, _dtype = [], 0, None
    _mixed, _odd, _plain = False, False, {plain}
{arguments}
    try:
        if _plain:  # called from a rule on plain arrays: stay plain
            return fun({values})
        if _mixed and casts is not None and (_cast := promoted([{values}], casts)) is not None:
            return op(*_cast)
        _out = {out}
    except AutogradError:  # clear already
        raise
    except (TypeError, ValueError, IndexError, OverflowError, AttributeError) as _error:
        if isinstance(_error, OverflowError) and op.name in ring:
            return op(*wrapped_around([{values}]))
        raise explain(op.name, op.names, [{raws}], _error) from _error
    if type(_out) is not ndarray:
        _out = as_array(_out)
    if _odd:
        if casts is not None and (_cast := promoted([{values}], casts, _out.dtype)) is not None:
            return op(*_cast)
        if _mask and any_half(({raws},)):
            _mask = -_mask  # its rules are run in single precision
    _recording, _tape = current_mode()
    _node = None
    if _mask and _recording and differentiable:
        _plan = plans[_mask]
{among}        _node = new(Node)
        _node.parents, _node.plan, _node.time = _parents, _plan, tick()
        _node.saved, _node.shape, _node.dtype = _plan.save(_out, {raws}), _out.shape, _out.dtype
        _node.grad, _node.hooks, _node.keeps = None, None, False
    if _tape is not None:
        _tape.append((op, [{raws}], _out))
        if _node is not None and not isinstance(_tape, list):  # debug.py listens
            _tape.watch(_node)
    if type(_out) is Results:
        _results = items(_out, _node)
{looks}        return _results
    _result = new(Tensor)
    _result.array, _result.node = _out, _node
{look}    return _result
"""
LOOK = """\
    if isinstance({x}, Tensor):
        look(_result, {x}, op, ({rest}), _recording)
"""
LOOKS = """\
        if isinstance({x}, Tensor):
            for _i, _r in enumerate(_results):
                look(_r, {x}, op, ({rest}), _recording, _i)
"""


# Where reckoning modulo 2**8 and the like is exact, integers that a dtype does not hold are wrapped around, as PyTorch's are.
RING = {"add", "subtract", "multiply", "bitwise_and", "bitwise_or", "bitwise_xor"}
DIVISIONS = {"floor_divide", "remainder", "fmod"}  # which of integers by 0 have no result


def whole(fun: Any, args: tuple[Any, Any]) -> Any:
    """The division `fun(*args)`. Raises DivisionError for integers by 0, of which NumPy makes 0."""
    with np.errstate(divide="ignore"):
        out = fun(*args)
    if out.dtype.kind in "iu" and out.size and not np.all(args[1]):
        what = f"{describe(args[0])} is divided by 0, of which no integer is the result"
        raise DivisionError(f"{fun.__name__}: {what}; use / or float()")
    return out


def number(op: str, argument: str, value: Any) -> Any:
    """`value`, if it is a number or speaks NumPy's protocols. Raises DtypeError."""
    if isinstance(value, (int, float, np.generic)) or hasattr(value, "__array_ufunc__"):
        return value
    raise DtypeError(f"{op}: {argument} must be a number, an array or a tensor, not {describe(value)}")


def write_out(name: str, parameters: list[inspect.Parameter], plain: bool, view: bool, scope: dict[str, Any]) -> Any:
    """The function that PRIMITIVE describes, for these parameters and in this scope; of a `view`, results are told of it."""
    arguments, among, signature, values, raws = "", "", [], [], []
    scope |= {"AutogradError": AutogradError, "_numbers": (float, int, bool), "_number": number}
    scope |= {"wrapped_around": wrapped_around, "ring": RING, "in_single": in_single, "any_half": any_half, "whole": whole}
    operands = range(len(parameters))[scope["casts"] or slice(0)]  # the others may be anything: sizes, dims, None
    for i, p in enumerate(parameters):
        star, mark = "*" * (p.kind is p.VAR_POSITIONAL), f"_mask |= {1 << i}"
        value = '{x} if type({x}) in _numbers else _number(op.name, "{name}", {x})' if i in operands else "{x}"
        if star:
            mark, among = f"{mark}; _among.append(_i)", AMONG
            each = ARGUMENT.format(x="_a", raw="_r", mark=mark, value=value.format(x="_a", name=p.name))
            arguments += VARIADIC.format(x=p.name, first=i, each=indent(each, "    "))
        else:
            arguments += ARGUMENT.format(x=p.name, raw=p.name + "_", mark=mark, value=value.format(x=p.name, name=p.name))
        values.append(star + p.name)
        raws.append(star + p.name + "_")
        signature.append(values[-1] + ("" if p.default is p.empty else f"=_default_{p.name}"))
        scope["_default_" + p.name] = p.default
    careful = "in_single" if scope["computes"] else "whole" * (name in DIVISIONS)
    code = PRIMITIVE.format(
        signature=", ".join(signature if any("*" in s for s in signature) else [*signature, "*"]),
        plain=plain,
        values=", ".join(values),
        raws=", ".join(raws),
        among=among,
        out=f"fun({', '.join(raws)})" + f" if not _odd else {careful}(fun, ({', '.join(raws)},))" * bool(careful),
        arguments=indent(arguments, "    ").rstrip(),
        look=LOOK.format(x=parameters[0].name, rest="".join(r + ", " for r in raws[1:])) if view else "",
        looks=LOOKS.format(x=parameters[0].name, rest="".join(r + ", " for r in raws[1:])) if view else "",
    )
    file = f"<primitive {name}>"
    linecache.cache[file] = len(code), None, code.splitlines(True), file  # so that tracebacks and debuggers show it
    exec(compile(code, file, "exec"), scope)
    return scope["op"]


def source(name: str) -> str:
    """The code that was written out for the primitive of this name."""
    return "".join(linecache.getlines(f"<primitive {name}>"))
