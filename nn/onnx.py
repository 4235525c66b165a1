"""Models as ONNX files, which other programs run: a forward pass is recorded as a tape, and each primitive on it becomes nodes.

https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from math import prod
from typing import Any, NamedTuple

import numpy as np

from autograd.api.creation import as_tensor
from autograd.engine.graph import ambient, memory, write
from autograd.engine.tape import Tape
from autograd.engine.tensor import Tensor, wrap
from autograd.errors import ArgumentError, AutogradError, MissingError, UnsupportedError, describe
from autograd.files.parts import replacing

from .functional.resample import resample
from .mode import in_mode
from .module import Module

__all__ = ["export"]

OPSET, IR = 20, 10  # what the onnx package would write by default is newer than many programs read


def export(
    model: Any, args: Any, f: str | os.PathLike[str], input_names: Any = None, output_names: Any = None,
    dynamic_axes: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Write what `model(*args)` computes to the file `f`, in ONNX's format (torch.onnx.export). Needs the extra `onnx`.

    The model is called once, in evaluation mode, and what it did with `args`, a tensor or a tuple of them, is what the
    file says: a choice that it made in Python, by a value or a size, is made for good. Parameters keep their names. Sizes
    are fixed, except that of the first dim of the inputs named in `dynamic_axes`: with `{"input": {0: "batch"}}` it may
    be any; the model is then called twice, to see that nothing else depends on it. Raises UnsupportedError, which names
    the op, for one that has no counterpart, or that depends on the size of a batch.
    """
    args = tuple(map(as_tensor, args if isinstance(args, tuple) else (args,)))
    names = _names("input", input_names, len(args))
    batches = _batches(names, dynamic_axes or {})
    with in_mode(model, training=False), ambient(grad=False):
        graph = Graph(model, args, names, output_names, batches)
        if batches:
            more = tuple(_one_more(x) if name in batches else x for x, name in zip(args, names, strict=True))
            _compare(graph, other := Graph(model, more, names, output_names, batches))
            graph.shapes = [
                [m if m == n else next(iter(batches.values())) for m, n in zip(a.shape, b.shape, strict=True)]
                for a, b in zip(graph.results, other.results, strict=True)
            ]
    with replacing(f, "onnx.export") as file:
        file.write(graph.model().SerializeToString(deterministic=True))


class Value(NamedTuple):
    """An array as emitters see it: by name, with what is known of it."""

    name: str
    dtype: Any
    shape: tuple[int, ...]


class Graph:
    """The nodes of a model, made from what a call of it recorded.

    What does not depend on the inputs is not computed by nodes: it is a constant, with the value that it had.
    """

    def __init__(self, model: Any, args: tuple[Any, ...], names: list[str], outputs: Any, batches: dict[str, str]) -> None:
        try:
            self.onnx = import_module("onnx")
        except ImportError as error:
            raise MissingError("nn.onnx.export needs the package onnx: pip install 'chainrule[onnx]'") from error
        self.batches, self.nodes, self.made = batches, list[Any](), list[str]()  # of each node, the primitive it was made for
        self.initializers: dict[str, Any] = {}
        self.values: dict[int, str] = {}  # by id of the array; `kept` sees to it that ids stay theirs
        self.kept: list[Any] = []
        self.read: set[int] = set()  # ids of the memory of constants
        self.parameters = {id(t.array): n for n, t in model.state_dict().items()} if isinstance(model, Module) else {}
        self.expanding: list[str] = []
        self.inputs = [self._named(x.array, name) for x, name in zip(args, names, strict=True)]
        tape = Tape()
        with ambient(tape=tape):
            results = model(*args)
        self.results = _leaves(results)
        if not all(isinstance(t, Tensor) for t in self.results):
            raise UnsupportedError(f"nn.onnx.export: a model returns a tensor or several, not {describe(results)}")
        self.shapes: list[Any] = [t.shape for t in self.results]
        self.add(tape)
        for t, name in zip(self.results, _names("output", outputs, len(self.results)), strict=True):
            self.nodes.append(self.onnx.helper.make_node("Identity", [self.value(t.array).name], [name]))
            self.made.append("the result")
        self.outputs = _names("output", outputs, len(self.results))

    def _named(self, array: Any, name: str) -> Value:
        self.kept.append(array)
        self.values[id(array)] = name
        return Value(name, array.dtype, array.shape)

    # ------------------------------------------------------------ from the tape
    def add(self, tape: Tape) -> None:
        """Make nodes of the entries of a tape that depend on the inputs."""
        for op, args, out in tape:
            if op is write:
                self._write(tape, *args)
            elif any(id(a) in self.values for a in _leaves(args)):
                self._emit(op, args, out)
            self.kept.append(out)

    def _write(self, tape: Tape, array: Any, index: Any, value: Any) -> None:
        """A write of all of an array gives its name to the new values, if nobody else sees that memory."""
        self.kept += [array, value]
        if id(memory(array)) in self.read:  # a constant has the value that it had at the end
            raise UnsupportedError("nn.onnx.export: the model writes to a buffer that it has read; ONNX knows no such state")
        if id(array) not in self.values and not any(id(a) in self.values for a in (*_leaves(index), value)):
            return
        others = {id(a) for _, args, out in tape for a in _leaves((*args, out)) if memory(a) is memory(array)}
        if index is not ... or others - {id(array)} or np.shape(value) != array.shape:
            raise UnsupportedError("nn.onnx.export: ONNX knows no writing to parts or views in place; use ops without _")
        self._named(array, self.cast(self.value(value), array.dtype).name)

    def _emit(self, op: Any, args: list[Any], out: Any) -> None:
        self.expanding.append(op.name)
        if op.name in NODES:
            made = NODES[op.name](self, out, *map(self._shown, args))
            for array, value in zip(
                out if isinstance(out, tuple) else (out,), made if isinstance(made, list) else [made], strict=True
            ):
                self._named(array, self.cast(value, array.dtype).name)
        elif self.expanding.count(op.name) > 1:
            raise self.unknown()
        else:  # by the steps that it is made of: its NumPy code, run on Tensors
            for array, result in zip(_leaves(out), self._steps(op, args, out), strict=True):
                self._named(array, self.value(result.array).name)
        self.expanding.pop()

    def _steps(self, op: Any, args: list[Any], out: Any) -> list[Any]:
        tape = Tape()
        try:
            with ambient(tape=tape):
                results = _leaves(op.fun(*(wrap(a) if hasattr(a, "dtype") else a for a in args)))
        except (AutogradError, TypeError, ValueError, AttributeError) as error:
            raise self.unknown() from error
        if not all(isinstance(r, Tensor) and r.shape == a.shape for r, a in zip(results, _leaves(out), strict=True)):
            raise self.unknown()
        self.kept.append(results)
        self.add(tape)
        return results

    def unknown(self, what: str = "") -> UnsupportedError:
        """The error for a primitive that has no counterpart."""
        ops = " within ".join(reversed(self.expanding))
        return UnsupportedError(f"nn.onnx.export: there is no way to write {ops}{what} in ONNX; compose it of other ops")

    def _shown(self, arg: Any) -> Any:
        if hasattr(arg, "dtype") and hasattr(arg, "shape"):
            return self.value(arg)
        return type(arg)(map(self._shown, arg)) if type(arg) in (tuple, list) else arg

    # ------------------------------------------------------------ values and nodes
    def value(self, array: Any) -> Value:
        """An array of the tape: what a node made, an input, or else a constant."""
        array = np.asarray(array)
        if id(array) not in self.values:
            self._constant(array, self.parameters.get(id(array)) or f"constant_{len(self.initializers)}")
        return Value(self.values[id(array)], array.dtype, array.shape)

    def _constant(self, array: Any, name: str) -> None:
        self.initializers[name] = self.onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        self.kept.append(array)
        self.read.add(id(memory(array)))
        self.values[id(array)] = name

    def number(self, numbers: Any, dtype: Any) -> Value:
        """A number, or a list of them, as a constant."""
        array = np.asarray(numbers, dtype)
        name = f"{array.dtype} {array.tolist()}".replace(" ", "_")
        if name not in self.initializers:
            self.initializers[name] = self.onnx.numpy_helper.from_array(array, name)
        return Value(name, array.dtype, array.shape)

    def integers(self, *numbers: int) -> Value:
        """Sizes, axes or positions as a constant."""
        return self.number(list(numbers), np.int64)

    def cast(self, x: Any, dtype: Any) -> Value:
        """A value or a number in another dtype."""
        if not isinstance(x, Value):
            return self.number(x, dtype)
        if x.dtype == dtype:
            return x
        return self("Cast", x, to=self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))._replace(dtype=np.dtype(dtype))

    def __call__(self, kind: str, *inputs: Value | None, **attributes: Any) -> Value:
        """Add a node; its result, said to be like its first input until the emitter's caller looks at what it is."""
        return self.several(kind, 1, *inputs, **attributes)[0]

    def several(self, kind: str, count: int, *inputs: Value | None, **attributes: Any) -> list[Value]:
        """Add a node with `count` results."""
        names = [f"{self.expanding[0]}_{len(self.nodes)}" + f"_{i}" * (count > 1) for i in range(count)]
        self.nodes.append(self.onnx.helper.make_node(kind, ["" if x is None else x.name for x in inputs], names, **attributes))
        self.made.append(self.expanding[0])
        like = next(x for x in inputs if x is not None)
        dtype = np.dtype(bool) if kind in BOOLEAN else np.dtype(np.int64) if kind == "ArgMax" or kind == "ArgMin" else like.dtype
        return [Value(name, dtype, like.shape) for name in names]

    def reshape(self, x: Value, shape: tuple[int, ...]) -> Value:
        """`x` in another shape; if batches may have any size, so may its first dim."""
        if self.batches and shape and prod(shape[1:]):
            shape = (-1, *shape[1:])
        return self("Reshape", x, self.integers(*shape))._replace(shape=shape)

    def model(self) -> Any:
        """The whole, as onnx has it, checked."""
        make, kind_of = self.onnx.helper, self.onnx.helper.np_dtype_to_tensor_dtype

        def info(name: str, array: Any, shape: Any) -> Any:
            return make.make_tensor_value_info(name, kind_of(array.dtype), shape)

        inputs = [
            info(x.name, x, [self.batches.get(x.name, n) if i == 0 else n for i, n in enumerate(x.shape)]) for x in self.inputs
        ]
        outputs = list(map(info, self.outputs, self.results, self.shapes))
        graph = make.make_graph(self.nodes, "chainrule", inputs, outputs, list(self.initializers.values()))
        opset = make.make_opsetid("", OPSET)
        model = make.make_model(graph, opset_imports=[opset], ir_version=IR, producer_name="chainrule")
        self.onnx.checker.check_model(model, full_check=True)
        return model


def _leaves(value: Any) -> list[Any]:
    return [v for part in value for v in _leaves(part)] if isinstance(value, (list, tuple)) else [value]


# ---------------------------------------------------------------- one line an op, as ONNX spells it
BOOLEAN = "Equal Less LessOrEqual Greater GreaterOrEqual And Or Xor Not IsNaN IsInf".split()
SAME = {  # elementwise, with one argument
    "negative": "Neg", "absolute": "Abs", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "root": "Sqrt", "reciprocal": "Reciprocal",
    "sin": "Sin", "cos": "Cos", "tan": "Tan", "arcsin": "Asin", "arccos": "Acos", "arctan": "Atan", "sinh": "Sinh",
    "cosh": "Cosh", "tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu", "erf": "Erf", "softplus": "Softplus", "sign": "Sign",
    "floor": "Floor", "ceil": "Ceil", "positive": "Identity", "arcsinh": "Asinh", "arccosh": "Acosh", "arctanh": "Atanh",
}  # fmt: skip
PAIRS = {  # elementwise, with two
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "power": "Pow", "maximum": "Max", "minimum": "Min",
    "clip_min": "Max", "clip_max": "Min", "equal": "Equal", "less": "Less", "less_equal": "LessOrEqual", "greater": "Greater",
    "greater_equal": "GreaterOrEqual", "logical_and": "And", "logical_or": "Or", "logical_xor": "Xor",
}  # fmt: skip
FAR = 2**62  # beyond the end of every dim
REDUCTIONS = {"sum": "ReduceSum", "mean": "ReduceMean", "amax": "ReduceMax", "amin": "ReduceMin", "logsumexp": "ReduceLogSumExp"}

Emitter = Callable[..., Any]
NODES: dict[str, Emitter] = {}


def _same(kind: str) -> Emitter:
    return lambda g, out, x: g(kind, g.cast(x, out.dtype))


def _pair(kind: str) -> Emitter:
    def emit(g: Graph, out: Any, x: Any, y: Any) -> Value:
        dtype = out.dtype
        if kind in BOOLEAN:  # then it is the dtype of the arguments that counts; numbers follow arrays
            dtypes = [v.dtype for v in (x, y) if isinstance(v, Value)]
            dtype = np.dtype(bool) if kind in ("And", "Or", "Xor") else np.result_type(*dtypes)
            if len(dtypes) == 1 and dtype.kind != "f" and isinstance(x if isinstance(y, Value) else y, float):
                dtype = np.dtype(np.float32)
        return g(kind, g.cast(x, dtype), g.cast(y, dtype))

    return emit


def _reduction(kind: str) -> Emitter:
    def emit(g: Graph, out: Any, x: Value, axis: tuple[int, ...], keepdims: bool) -> Value:
        x = g.cast(x, out.dtype)
        return g(kind, x, g.integers(*axis), keepdims=int(keepdims)) if axis else g("Identity", x)

    return emit


def _position(kind: str) -> Emitter:
    def emit(g: Graph, out: Any, x: Value, axis: int | None, keepdims: bool) -> Value:
        if axis is None:
            found = g(kind, g("Reshape", x, g.integers(-1)), axis=0, keepdims=0)
            return g("Reshape", found, g.integers(*out.shape))
        return g(kind, x, axis=axis, keepdims=int(keepdims))

    return emit


NODES |= {name: _same(kind) for name, kind in SAME.items()}
NODES |= {name: _pair(kind) for name, kind in PAIRS.items()}
NODES |= {name: _reduction(kind) for name, kind in REDUCTIONS.items()}
NODES |= {
    "argmax": _position("ArgMax"),
    "argmin": _position("ArgMin"),
    "not_equal": lambda g, out, x, y: g("Not", _pair("Equal")(g, out, x, y)),
    "logical_not": lambda g, out, x: g("Not", g.cast(x, np.dtype(bool))),
    "isnan": lambda g, out, x: g("IsNaN", x),
    "isinf": lambda g, out, x: g("IsInf", x),
    "invert": lambda g, out, x: g("Not" if out.dtype == np.dtype(bool) else "BitwiseNot", x),
    "trunc": lambda g, out, x: g("Mul", g("Sign", x), g("Floor", g("Abs", x))),
    "expm1": lambda g, out, x: g("Sub", g("Exp", x), g.number(1, out.dtype)),
    "log1p": lambda g, out, x: g("Log", g("Add", x, g.number(1, out.dtype))),
    "log2": lambda g, out, x: g("Div", g("Log", x), g.number(np.log(2), out.dtype)),
    "log10": lambda g, out, x: g("Div", g("Log", x), g.number(np.log(10), out.dtype)),
    "exp2": lambda g, out, x: g("Pow", g.number(2, out.dtype), x),
    "clone": lambda g, out, x, order: g("Identity", x),
    "isfinite": lambda g, out, x: g("Not", g("Or", g("IsNaN", x), g("IsInf", x))),
    "square": lambda g, out, x: g("Mul", x, x),
    "astype": lambda g, out, x, dtype: g.cast(x, dtype),
    "round": lambda g, out, x, decimals: g("Round", x) if decimals == 0 else _refuse(g, f" to {decimals} decimals"),
    "softmax": lambda g, out, x, axis: g("Softmax", x, axis=axis),
    "log_softmax": lambda g, out, x, axis: g("LogSoftmax", x, axis=axis),
    "cumsum": lambda g, out, x, axis: g("CumSum", g.cast(x, out.dtype), g.number(axis, np.int64)),
    # shapes
    "reshape": lambda g, out, x, shape: g.reshape(x, out.shape),
    "permute": lambda g, out, x, axes: g("Transpose", x, perm=[a % out.ndim for a in axes]),
    "expand": lambda g, out, x, shape: g("Expand", x, g.integers(*(1 if m == n else n for m, n in _aligned(x.shape, shape)))),
    "concatenate": lambda g, out, axis, *xs: g("Concat", *(g.cast(x, out.dtype) for x in xs), axis=axis),
    "flip": lambda g, out, x, axis: _cut(g, x, axis, [-1] * len(axis), [-FAR] * len(axis), [-1] * len(axis)) if axis else x,
    "tril": lambda g, out, x, k: g("Trilu", x, g.number(k, np.int64), upper=0),
    "triu": lambda g, out, x, k: g("Trilu", x, g.number(k, np.int64), upper=1),
    # products
    "matmul": lambda g, out, x, y: g("MatMul", x, y),
    "matvec": lambda g, out, x, y: g("MatMul", x, y),
    "vecmat": lambda g, out, x, y: g("MatMul", x, y),
    "dot": lambda g, out, x, y: g("MatMul", x, y),
    "einsum": lambda g, out, spec, *xs: g("Einsum", *xs, equation=spec),
}  # fmt: skip


def _emitter(emit: Emitter) -> Emitter:
    """Put a function into the table under its name without the underscore."""
    NODES[emit.__name__[1:]] = emit
    return emit


def _refuse(g: Graph, what: str) -> Any:
    raise g.unknown(what)


def _aligned(shape: tuple[int, ...], to: tuple[int, ...]) -> Any:
    return zip((1,) * (len(to) - len(shape)) + shape, to, strict=True)


# ---------------------------------------------------------------- shapes and indices
def _cut(g: Graph, x: Value, axes: Any, starts: Any, stops: Any, steps: Any) -> Value:
    return g("Slice", x, *(g.integers(*numbers) for numbers in (starts, stops, axes, steps)))


@_emitter
def _where(g: Graph, out: Any, c: Any, x: Any, y: Any) -> Value:
    return g("Where", g.cast(c, np.dtype(bool)), g.cast(x, out.dtype), g.cast(y, out.dtype))._replace(dtype=out.dtype)


@_emitter
def _transpose(g: Graph, out: Any, x: Value, a: int, b: int) -> Value:
    perm = list(range(out.ndim))
    perm[a], perm[b] = perm[b], perm[a]
    return g("Transpose", x, perm=perm)


@_emitter
def _stack(g: Graph, out: Any, axis: int, *xs: Any) -> Value:
    return g("Concat", *(g("Unsqueeze", g.cast(x, out.dtype), g.integers(axis)) for x in xs), axis=axis)


@_emitter
def _split(g: Graph, out: Any, x: Value, ends: Any, axis: int) -> list[Value]:
    return g.several("Split", len(out), x, g.integers(*(part.shape[axis] for part in out)), axis=axis)


@_emitter
def _unbind(g: Graph, out: Any, x: Value, axis: int) -> list[Value]:
    parts = g.several("Split", len(out), x, g.integers(*[1] * len(out)), axis=axis)
    return [g("Squeeze", part, g.integers(axis)) for part in parts]


@_emitter
def _roll(g: Graph, out: Any, x: Value, shift: Any, axis: Any) -> Value:
    for by, a in zip(shift, axis, strict=True):
        if n := out.shape[a]:
            parts = [_cut(g, x, [a], [start], [stop], [1]) for start, stop in ((n - by % n, n), (0, n - by % n))]
            x = g("Concat", *parts, axis=a)
    return x


@_emitter
def _slice(g: Graph, out: Any, x: Value, index: Any) -> Value:
    """Slices are cut out, the dims of integers go, and those of None come."""
    parts, gone, new = list[tuple[int, int, int, int]](), list[int](), list[int]()
    axis = at = 0  # in x, and in the result
    rest = len(x.shape) - sum(i is not None and i is not ... for i in index)  # the dims that the ellipsis stands for
    for i in index if ... in index else (*index, ...):
        if i is None:
            new.append(at)
        elif isinstance(i, slice) and i != slice(None):
            step = 1 if i.step is None else i.step
            first, last = (0, FAR) if step > 0 else (FAR, -FAR)
            parts.append((axis, first if i.start is None else i.start, last if i.stop is None else i.stop, step))
        elif isinstance(i, int):
            parts.append((axis, i, i + 1 or FAR, 1))
            gone.append(axis)
        axis += rest if i is ... else i is not None
        at += rest if i is ... else not isinstance(i, int)
    x = _cut(g, x, *zip(*parts, strict=True)) if parts else x
    x = g("Squeeze", x, g.integers(*gone)) if gone else x
    return g("Unsqueeze", x, g.integers(*new)) if new else x


@_emitter
def _unslice(g: Graph, out: Any, x: Value, index: Any, shape: Any) -> Value:
    """Zeros around, which is what padding is."""
    spans = [i.indices(n) for i, n in zip(_whole(g, index, len(shape)), shape, strict=True)]
    if any(step != 1 for _, _, step in spans):
        raise g.unknown(" with steps")
    ends = [n - stop if n != stop else 0 for (_, stop, _), n in zip(spans, shape, strict=True)]
    return g("Pad", x, g.integers(*(start for start, _, _ in spans), *ends))


def _whole(g: Graph, index: Any, ndim: int) -> list[slice]:
    """An index of slices alone, with one for each dim."""
    if not all(i is ... or isinstance(i, slice) for i in index):
        raise g.unknown(" with this index")
    at = index.index(...) if ... in index else len(index)
    after = index[at + 1 :]
    return [*index[:at], *[slice(None)] * (ndim - at - len(after)), *after]


@_emitter
def _index(g: Graph, out: Any, x: Value, *index: Any) -> Value:
    arrays = [i for i, part in enumerate(index) if isinstance(part, Value)]
    rest = [part for part in index if not isinstance(part, Value)]
    if len(arrays) != 1 or any(part != slice(None) for part in rest) or index[arrays[0]].dtype.kind == "b":
        raise g.unknown(" with a mask or several indices")
    return g("Gather", x, g.cast(index[arrays[0]], np.dtype(np.int64)), axis=arrays[0])


@_emitter
def _gather(g: Graph, out: Any, x: Value, index: Value, axis: int) -> Value:
    return g("GatherElements", x, g.cast(index, np.dtype(np.int64)), axis=axis)


@_emitter
def _one_hot(g: Graph, out: Any, labels: Value, n: int, dtype: Any) -> Value:
    column = g("Unsqueeze", g.cast(labels, np.dtype(np.int64)), g.integers(len(labels.shape)))
    return g.cast(g("Equal", column, g.integers(*range(n))), dtype)


def _bits(kind: str) -> Emitter:
    return lambda g, out, x, y: _pair(kind if out.dtype == np.dtype(bool) else f"Bitwise{kind}")(g, out, x, y)


@_emitter
def _erfc(g: Graph, out: Any, x: Value) -> Value:
    """1 - erf(x)."""
    return g("Sub", g.number(1, out.dtype), g("Erf", x))


@_emitter
def _remainder(g: Graph, out: Any, x: Any, y: Any) -> Value:
    """With the sign of the divisor, as Python has it."""
    x, y = g.cast(x, out.dtype), g.cast(y, out.dtype)
    return g("Mod", x, y) if out.dtype.kind != "f" else g("Sub", x, g("Mul", g("Floor", g("Div", x, y)), y))


@_emitter
def _floor_divide(g: Graph, out: Any, x: Any, y: Any) -> Value:
    exact = out.dtype if out.dtype.kind == "f" else np.dtype(np.float64)
    return g.cast(g("Floor", g("Div", g.cast(x, exact), g.cast(y, exact))), out.dtype)


def _every(kind: str) -> Emitter:
    def emit(g: Graph, out: Any, x: Value, axis: tuple[int, ...], keepdims: bool) -> Value:
        numbers = g.cast(g.cast(x, np.dtype(bool)), np.dtype(np.int32))
        return g.cast(_reduction(kind)(g, np.empty(0, np.int32), numbers, axis, keepdims), np.dtype(bool))

    return emit


NODES |= {"all": _every("ReduceMin"), "any": _every("ReduceMax")}
NODES |= {"bitwise_and": _bits("And"), "bitwise_or": _bits("Or"), "bitwise_xor": _bits("Xor")}


# ---------------------------------------------------------------- products
@_emitter
def _linear(g: Graph, out: Any, x: Value, w: Value, b: Value | None = None) -> Value:
    if len(x.shape) == 2:
        return g("Gemm", x, w, *([] if b is None else [b]), transB=1)
    product = g("MatMul", x, g("Transpose", w, perm=[1, 0]))
    return product if b is None else g("Add", product, b)


# ---------------------------------------------------------------- windows
def _window(windows: Any, size: Any, count: Any) -> dict[str, Any]:
    """The attributes of a pooling or a convolution; its windows may hang over the end, never short of it."""
    kernel, strides, before, dilations = zip(*windows, strict=True)
    after = [max(0, (m - 1) * s + (k - 1) * d + 1 - p - n) for (k, s, p, d), n, m in zip(windows, size, count, strict=True)]
    return dict(kernel_shape=kernel, strides=strides, pads=[*before, *after], dilations=dilations)


@_emitter
def _conv(g: Graph, out: Any, x: Value, w: Value, b: Value | None, windows: Any, count: Any, groups: int) -> Value:
    return g("Conv", x, w, *([] if b is None else [b]), group=groups, **_window(windows, x.shape[2:], count))


@_emitter
def _conv_transpose(g: Graph, out: Any, y: Value, w: Value, windows: Any, size: Any, groups: int) -> Value:
    kernel, strides, before, dilations = zip(*windows, strict=True)
    after = [(m - 1) * s + (k - 1) * d + 1 - p - n for (k, s, p, d), m, n in zip(windows, y.shape[2:], size, strict=True)]
    pads, extra = [*before, *(max(0, n) for n in after)], [max(0, -n) for n in after]
    attributes = dict(kernel_shape=kernel, strides=strides, pads=pads, dilations=dilations, output_padding=extra)
    return g("ConvTranspose", y, w, group=groups, **attributes)


@_emitter
def _window_max(g: Graph, out: Any, x: Value, windows: Any, count: Any) -> Value:
    return g("MaxPool", x, **_window(windows, x.shape[-len(windows) :], count))


@_emitter
def _window_sum(g: Graph, out: Any, x: Value, windows: Any, count: Any) -> Value:
    attributes = _window(windows, x.shape[-len(windows) :], count)
    means = g("AveragePool", x, count_include_pad=1, **attributes)
    return g("Mul", means, g.number(prod(attributes["kernel_shape"]), out.dtype))


@_emitter
def _resample(g: Graph, out: Any, x: Value, axis: int, how: Any, back: bool) -> Value:
    """A product with the matrix that resampling is."""
    n, perm = x.shape[axis], list(range(len(x.shape)))
    perm[axis], perm[-1] = perm[-1], perm[axis]
    matrix = g.value(resample.fun(np.eye(n, dtype=out.dtype), 1, how, back))
    return g("Transpose", g("MatMul", g("Transpose", x, perm=perm), matrix), perm=perm)


# ---------------------------------------------------------------- arguments
def _names(what: str, names: Any, count: int) -> list[str]:
    """The names that were given, or made-up ones."""
    found = list(names or ([what] if count == 1 else [f"{what}_{i}" for i in range(count)]))
    if len(found) != count or len(set(found)) != count:
        raise ArgumentError(f"nn.onnx.export: there are {count} {what}s, with the names {found}; give each its own")
    return found


def _batches(names: list[str], dynamic_axes: Mapping[str, Any]) -> dict[str, str]:
    """What the first dim is called of the inputs whose first dim may have any size."""
    found = {}
    for name in names:
        axes = dynamic_axes.get(name, {})
        axes = dict.fromkeys(axes, "batch") if not isinstance(axes, Mapping) else axes
        if set(axes) - {0}:
            raise UnsupportedError(f"nn.onnx.export: only dim 0 may have any size, not {sorted(axes)} of {name}; pad the others")
        if axes:
            found[name] = axes[0]
    return found


def _one_more(x: Any) -> Any:
    """`x` with one more example, the first again."""
    if not x.shape or not x.shape[0]:
        raise ArgumentError(f"nn.onnx.export: an input whose batches may have any size needs an example, got shape {x.shape}")
    return wrap(np.concatenate([x.array, x.array[:1]]))


def _compare(graph: Graph, other: Graph) -> None:
    """Raise unless two graphs differ in the sizes of batches only."""
    pairs = zip(graph.nodes, other.nodes, graph.made, strict=False)
    odd = next((op for a, b, op in pairs if a.SerializeToString() != b.SerializeToString()), None)
    constants = [{n: t.SerializeToString() for n, t in g.initializers.items()} for g in (graph, other)]
    if odd is None and constants[0] != constants[1]:
        wrong = {n for n in constants[0] if constants[0][n] != constants[1].get(n)}
        odd = next((op for node, op in zip(graph.nodes, graph.made, strict=True) if wrong & set(node.input)), "a constant")
    if odd is not None or len(graph.nodes) != len(other.nodes):
        raise UnsupportedError(
            f"nn.onnx.export: {odd or 'what the model does'} depends on the size of the batch; leave out dynamic_axes"
        )
