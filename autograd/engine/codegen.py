"""How a primitive's function is written out: one Python function for each, made for its arguments.

As namedtuple and dataclass do it. A loop over `*args` would say the same and take half as long again, and a
function that has its real signature reports a wrong call by itself. What differs from op to op stands in
braces below; for `multiply` the signature is `input, other`, and the arguments are ARGUMENT twice, with
input, input_, 1 and with other, other_, 2. A variadic argument has one bit in the mask, however many it is,
and a list of those that lead to a gradient. `autograd.engine.codegen.source("multiply")` shows what comes
out. Compiling it takes a millisecond, so it is done when the primitive is first called.
"""

from __future__ import annotations

import linecache
from inspect import Parameter, Signature
from textwrap import indent
from types import FunctionType
from typing import Any

from .tensor import PRIMITIVES

ARGUMENT = """\
if isinstance({x}, Tensor):
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
else:  # NumPy's scalars are as weak as Python's
    {raw}, _mixed = ({x}.item(), _mixed) if isinstance({x}, generic) else ({x}, True)
"""
NUMBER = '{x} if type({x}) in numbers else number(op.name, "{name}", {x})'
VARIADIC = """\
{x}_, _among = [], []
for _i, _a in enumerate({x}, {first}):
{each}
    {x}_.append(_r)
"""
PRIMITIVE = """\
def op({signature}, out=None):
    if out is not None:
        return into(out, op, {values})
    _parents, _mask, _dtype = [], 0, None
    _mixed, _odd = False, False
{arguments}
    try:
        if _dtype is None and plain:  # called from a rule on plain arrays: stay plain
            return fun({values})
        if _mixed and casts is not None and (_cast := promoted([{values}], casts)) is not None:
            return op(*_cast)
        _out = {out}
    except FAILURES as _error:
        return failed(op, [{values}], [{raws}], _error)
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
        _plan = plans[_mask]{among}
        _node = new(Node)
        _node.parents, _node.plan, _node.time = _parents, _plan, tick()
        _node.saved, _node.shape, _node.dtype = _plan.save(_out, {raws}), _out.shape, _out.dtype
        _node.grad, _node.hooks, _node.retains = None, None, False
    if _tape is not None:
        _tape.op(op, [{raws}], _out)
        if _node is not None:
            _tape.node(_node)
    if type(_out) is Results:
        _result = items(_out, _node)
    else:
        _result = new(Tensor)
        _result.array, _result.node = _out, _node
{look}    return _result
"""


def text(op: Any) -> str:
    """The function that PRIMITIVE describes, for the arguments of `op`."""
    arguments, among, signature, values = "", "", [], []
    operands = range(len(op.parameters))[op.casts or slice(0)]  # the others may be anything: sizes, None
    for i, p in enumerate(op.parameters):
        x, mark = op.spelling.get(p.name, p.name), f"_mask |= {1 << i}"
        value = NUMBER if i in operands else "{x}"
        if star := "*" * (p.kind is p.VAR_POSITIONAL):
            mark, among = f"{mark}; _among.append(_i)", ".among(_among)"
            each = ARGUMENT.format(x="_a", raw="_r", mark=mark, value=value.format(x="_a", name=p.name))
            arguments += VARIADIC.format(x=x, first=i, each=indent(each, "    ").rstrip())
        else:
            arguments += ARGUMENT.format(x=x, raw=f"{x}_", mark=mark, value=value.format(x=x, name=p.name))
        values.append(f"{star}{x}")
        signature.append(values[-1] + ("" if p.default is p.empty else f"=_default_{p.name}"))
    raws = [f"{x}_" for x in values]
    raw, rest = ", ".join(raws), "".join(f"{r}, " for r in raws[1:])
    return PRIMITIVE.format(
        signature=", ".join(signature if among else [*signature, "*"]),
        values=", ".join(values),
        raws=raw,
        arguments=indent(arguments, "    ").rstrip(),
        among=among,
        out=f"fun({raw})" + f" if not _odd else with_care(fun, ({raw},))" * bool(op.with_care),
        look=f"    look(_result, {values[0]}, op, ({rest}), _recording)\n" * op.view,
    )


def source(name: str) -> str:
    """The code that is written out for the primitive of this name."""
    return text(PRIMITIVES[name])


# ---------------------------------------------------------------- when it is first called


def unwritten(name: str, parameters: list[Parameter], scope: dict[str, Any]) -> Any:
    """A function that writes itself out, in this scope, when it is first called; it stays the same object."""
    op: Any = FunctionType(_first_call.__code__, scope, name)
    scope |= {f"_default_{p.name}": p.default for p in parameters}
    scope |= {"op": op, "write_out": write_out}
    op.__qualname__ = op.name = name
    op.parameters = parameters
    return spelled(op)


op: Any = None  # in the scope of a primitive: itself


def _first_call(*args: Any, **kwargs: Any) -> Any:
    write_out(op)
    return op(*args, **kwargs)


def spelled(op: Any, **names: str) -> Any:
    """Let users call arguments of `op` by other names than rules do. The next call writes it out anew."""
    op.spelling = names
    parameters = [p.replace(name=names.get(p.name, p.name)) for p in op.parameters]
    op.__signature__ = Signature([*parameters, Parameter("out", Parameter.KEYWORD_ONLY, default=None)])
    op.__code__ = _first_call.__code__
    return op


def write_out(op: Any) -> None:
    """Give `op` the code that is written for it. Threads that do so at once do the same."""
    code, file, made = text(op), f"<primitive {op.name}>", dict[str, Any]()
    linecache.cache[file] = len(code), None, code.splitlines(True), file  # for tracebacks and debuggers
    exec(compile(code, file, "exec"), op.__globals__, made)
    op.__defaults__, op.__kwdefaults__ = made["op"].__defaults__, made["op"].__kwdefaults__
    op.__code__ = made["op"].__code__  # last: the code before takes whatever it is given
