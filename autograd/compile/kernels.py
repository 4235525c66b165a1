"""Ops, gradient rules and rules of optimizers as compiled C in eager mode: made when used often, called where they win.

A rule is a pure function of arrays, so it is recorded, lowered and written as C as a whole step is. The engine knows nothing of
it: while kernels are on, `fun` and `plans` in the scope of some primitives' functions are others, which call C for arrays
of a kind that came often enough, and else do what they did.

What is made serves more arrays than it was made for. A function is recorded twice, with different lengths of the leading dim. If
the same C comes of both but for that length as the end of loops, then it is a parameter. If all is elementwise, arrays are
taken as flat, in whatever order they lie in memory. Failing that, the C is for these shapes alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import queue
import re
import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache, partial
from math import prod
from typing import Any

import numpy as np
from numpy import ndarray

from ..engine.graph import ambient, mode
from ..engine.primitive import Plan, Plans, Results
from ..engine.tensor import PRIMITIVES, Tensor, wrap
from ..errors import CompileError
from . import cc
from .emit import BLOCK, CTYPE, C, Emitter
from .loops import Loops
from .lower import LOWER
from .memory import Memory, padded
from .program import SHORT, Value, Values
from .record import Program, Recording

# ---------------------------------------------------------------- where they win: the fewest elements, forward and backward
NEVER = sys.maxsize
# fmt: off
LEAST: dict[str, tuple[int, int]] = dict(
    tanh=(NEVER, 2**14), sigmoid=(2**10, 2**14), relu=(2**13, 2**14), clip_min=(2**13, 2**14), clip_max=(2**13, 2**14),
    sqrt=(2**14, NEVER), rsqrt=(2**13, 2**14), square=(NEVER, 2**15), absolute=(NEVER, 2**14), power=(2**10, 2**14),
    divide=(NEVER, 2**15), maximum=(NEVER, 2**10), minimum=(NEVER, 2**10), where=(2**13, 2**14), logit=(NEVER, 2**13),
    erf=(2**10, 2**12), erfc=(2**10, 2**12), gelu=(2**10, 2**10), gelu_tanh=(2**10, 2**10), softplus=(2**14, 2**14),
    hardtanh=(2**14, 2**14), hardswish=(2**10, 2**10),
    sum=(2**13, NEVER), mean=(2**13, NEVER), var=(2**10, 2**10), amax=(2**10, 2**10), amin=(2**10, 2**10),
    vector_norm=(2**10, 2**10), softmax=(2**10, 2**10), log_softmax=(2**10, 2**12), logsumexp=(2**10, 2**10),
    layer_norm=(2**10, 2**10), rms=(2**10, 2**10), attention=(2**10, 2**10), index=(2**13, 2**10), gather=(NEVER, 2**13),
    cross_entropy=(2**12, 2**14), mse_loss=(2**12, 2**14), huber=(2**13, 2**14),
    binary_cross_entropy=(2**10, 2**13), binary_cross_entropy_with_logits=(2**12, 2**13),
    conv=(2**10, 2**10), conv_transpose=(2**10, 2**10), window_max=(2**10, 2**10), window_sum=(2**10, 2**10),
    lstm_step=(2**10, 2**10), gru_step=(2**10, 2**10), rnn=(2**10, 2**10), lstm=(2**10, 2**10), gru=(2**10, 2**10),
)
# fmt: on
FEW = 2**15, 2**11  # the fewest elements of parameters that optimizers step by kernels, if their rule is short and if it is long
USES = 3  # arrays of a kind come so often before a kernel is made for them
KEPT = 1000  # kinds of arguments of one function, before all are forgotten
APART = {"conv", "conv_transpose"}  # each argument's gradient has a kernel of its own
ROWS = 256  # so many are added one after the other, in a sum that can be made by blocks; else it is BLOCK
LENGTHS = 6, 35  # of the leading dim in the two recordings: whatever is computed of it differs
PLAIN = {int, float, bool, str, type(None)}
SEVERAL = {tuple, list, Results}


# ---------------------------------------------------------------- arguments, and what is the same of some of them
def look(values: Sequence[Any], arrays: list[Any]) -> Any:
    """What arguments are but for the numbers in arrays, which go to `arrays`. Raises KeyError for what kernels are not given."""
    found: list[Any] = []
    for v in values:
        t = type(v)
        if t is ndarray:
            arrays.append(v)
            found += (v.dtype, v.shape, v.strides)
        elif t in PLAIN:
            found += (t, v or repr(v))  # 0.0 and -0.0 are equal
        elif t in SEVERAL:
            found.append(look(v, arrays))
        else:
            raise KeyError(t)
    return tuple(found)


def replaced(x: Any, each: Callable[[Any], Any]) -> Any:
    """Arguments with something else in the place of each array."""
    if type(x) is ndarray:
        return each(x)
    if type(x) in SEVERAL:
        some = [replaced(v, each) for v in x]
        return some if type(x) is list else tuple(some)
    return x


def layout(a: Any) -> tuple[int, ...] | None:
    """The order in which the dims of an array lie in memory; None if there are gaps, so that it is to be copied."""
    order = tuple(range(a.ndim)) if a.flags.c_contiguous else tuple(sorted(range(a.ndim), key=lambda k: -a.strides[k]))
    return order if a.transpose(order).flags.c_contiguous else None


class Kind:
    """Arguments of a function: their arrays, and how these lie in memory."""

    def __init__(self, args: Any, arrays: list[Any]) -> None:
        self.args, self.dtypes = args, [a.dtype for a in arrays]
        right = all([a.size and a.flags.aligned and a.dtype.isnative and a.dtype in CTYPE for a in arrays])
        self.right = right and any(a.dtype.kind == "f" for a in arrays)
        if self.right:
            orders = [layout(a) for a in arrays]
            self.copied = [k for k, order in enumerate(orders) if order is None]
            self.orders = [tuple(range(a.ndim)) if o is None else o for a, o in zip(arrays, orders, strict=True)]
            self.shapes = [a.transpose(order).shape for a, order in zip(arrays, self.orders, strict=True)]  # as in memory
            top = max(map(len, self.shapes))
            first = next(shape for shape in self.shapes if len(shape) == top)
            self.leads = [
                top > 1 and len(s) > 0 and o[0] == 0 and s[0] == first[0] for s, o in zip(self.shapes, self.orders, strict=True)
            ]  # never the last dim, of which there may be parts, and never another, in which there may be windows
            self.alike = not self.copied and len({(s, o) for s, o in zip(self.shapes, self.orders, strict=True) if s}) == 1

    def families(self) -> tuple[Any, Any, Any]:
        """What is common to arguments that one kernel serves: if it is elementwise; if the leading dim is free; if nothing is."""
        by_memory = list(zip(self.dtypes, self.shapes, self.orders, strict=True))
        flat = [(d, len(s) > 0) for d, s, _ in by_memory]
        free = [(d, s[1:] if lead else s, lead, o) for (d, s, o), lead in zip(by_memory, self.leads, strict=True)]
        rest = look(replaced(self.args, lambda a: None), [])
        return ((rest, *flat) if self.alike else None), (rest, *free), (rest, *by_memory)


# ---------------------------------------------------------------- a function as C
class Length(int):
    """The length of a loop that C is told in each call."""

    def __str__(self) -> str:
        return "length"

    def __format__(self, spec: str) -> str:
        return "length"


class Lowered:
    """A function as loops in C, recorded with made-up arrays like these; `lead` is the length of the first dim of `leads`."""

    def __init__(
        self, fun: Callable[..., Any], kind: Kind, written: frozenset[int], seed: int, leads: Sequence[bool] = (), lead: int = 0
    ) -> None:  # fmt: skip
        rng, self.arrays, tensors = np.random.default_rng(seed), list[Any](), list[Any]()
        self.leads = leads or [False] * len(kind.shapes)
        for d, s, free in zip(kind.dtypes, kind.shapes, self.leads, strict=True):
            like = rng.uniform(0.2, 0.8, (lead, *s[1:]) if free else s)
            self.arrays.append(np.asarray(like if d.kind == "f" else like > 0.5 * seed, d))
        inputs = [a for k, a in enumerate(self.arrays) if k not in written]
        tape = Recording([(self.arrays[k], f"a{k}") for k in written], inputs)
        with ambient(grad=False, tape=tape), np.errstate(all="ignore"):
            for a, order in zip(self.arrays, kind.orders, strict=True):
                back = tuple(np.argsort(order).tolist())
                moved = order != tuple(range(len(order)))
                tensors.append(PRIMITIVES["permute"](wrap(a), back) if moved else wrap(a))
            each = iter(tensors)
            out = fun(*replaced(kind.args, lambda a: next(each)))
        self.several = type(out) if isinstance(out, (tuple, list)) else None
        outs = list(out) if self.several else [out]
        if not all(t is None or isinstance(t, Tensor) for t in outs):
            raise CompileError("a result is no array")
        program = Program(tape, [t if t is None else t.array for t in outs], ())
        self.values = values = Values(program, LOWER)
        if values.draws or values.checks or len({v.id for v in values.outputs if v}) < sum(v is not None for v in values.outputs):
            raise CompileError("random numbers, looks at values, or a result that is there twice")
        self.inputs = {v.id: self._place_of(inputs[p]) for p, v in values.inputs.items()}
        self.orders = [self._in_memory(k) for k in range(len(outs))]
        values.prune()

    def _in_memory(self, k: int) -> tuple[int, ...] | None:
        """Leave result `k` in the order in which it is computed. Returns how NumPy transposes it then."""
        v = self.values.outputs[k]
        if isinstance(v, Value) and v.op == "permute" and v.args[0].op != "leaf":
            self.values.outputs[k] = v.args[0]
            return tuple(v.info[0])
        return None

    def elementwise(self) -> bool:
        """Is each value computed of the same elements of others? If so, they are flat from now on."""
        values = [v for v in self.values.values if v.shape]
        whole = {v.shape for v in values}
        views = all(v.op in C or v.op == "leaf" or (v.op == "expand" and not isinstance(v.args[0], Value)) for v in values)
        if len(whole) != 1 or not views or any(v is not None and not v.shape for v in self.values.outputs):
            return False
        for v in values:
            v.shape = (v.size,)
        return True

    def place(self) -> None:
        """Find the loops and the places of values."""
        self.loops = Loops(self.values)
        self.memory = Memory(self.loops)
        self.outs = [(v.shape, v.dtype) if v is not None else None for v in self.values.outputs]

    def rows(self) -> dict[int, int]:
        """Of each sum: how many numbers are added one after the other, as it is not the innermost loop, which goes by blocks."""
        found = {}
        for v, dims in [(v, g.dims) for g in self.loops.groups for v in g.items]:
            if v.op == "addrows":  # all may come to one row
                found[v.id] = prod(v.args[1].shape)
            elif v.op == "sum":
                own = [k for k, n in enumerate(v.args[0].shape) if n != 1]
                innermost = own[-1] if len(own) == len(dims) else None
                found[v.id] = prod([v.args[0].shape[k] for k in v.info[0] if k != innermost])
        return found

    def write(self, parts: Sequence[int | None] = (), block: int = 0) -> None:
        """Write the text; the loops' lengths are final. With `block`, C goes by so many of the leading dim.

        `parts` says of each result how many bytes of it are one of the leading dim; None is a sum, which blocks are added to.
        """
        self.emitter = e = Emitter(self.loops, self.memory)
        if not all(isinstance(s, list) for s in e.segments):
            raise CompileError("an op that is not in C")
        for k, v in enumerate(self.values.outputs):
            if v is not None and e.where.get(v.id) != ("out", k):
                raise CompileError("a result that lies in other memory")
        self.constants: list[Any] = []
        self.room, leaf, after = self.memory.size, list[str](), ""
        for v in e.leaves:
            if v.id in self.inputs or v.info[0] == "state":
                k = self.inputs[v.id] if v.id in self.inputs else self._place_of(v.array)
                part = prod(v.shape[1:]) * v.dtype.itemsize if block and self.leads[k] else 0
                leaf.append(f"DATA({k}) + {part} * at" if part else f"DATA({k})")
            else:
                self.constants.append(np.ascontiguousarray(v.array))
                leaf.append(f"DATA({len(self.arrays) + len(self.constants) - 1})")
        k = len(self.arrays) + len(self.constants)
        for j, v in enumerate(self.values.outputs):
            if v is None:
                leaf.append("0")
                continue
            if block and (part := parts[j]) is None:
                leaf.append(f"at ? arena + {self.room} : DATA({k})")
                after += f" ADD({CTYPE[v.dtype]}, DATA({k}), arena + {self.room}, {v.size})"
                self.room += padded(v.size * v.dtype.itemsize)
            else:
                leaf.append(f"DATA({k}) + {part} * at" if block else f"DATA({k})")
            k += 1
        arena = f"ROOM(DATA({k}))" if self.room else "0"
        self.room += 63 * (self.room > 0)  # whose first bytes may be skipped
        steps = "".join(f" step{k}(leaf, arena);" for k in range(len(e.segments)))
        body = f"void *leaf[] = {{{', '.join(leaf)}}};{steps}"
        if block:
            some = f"given = n - at < {block} ? n - at : {block};"
            body = f"for (long at = 0; at < n; at += {block}) {{ {some} {body} if (at) {{{after} }} }}"
        run = f"EXPORT void run(void *tuple, long n) {{ char *arena = {arena}; given = n; {body} }}\n"
        text = re.sub(r"(?m)^(\w[^\n]*\bvoid kernel\d+_[^\n]*\{)$", r"\1\n    const long length = given;", e.source())
        self.source = re.sub(r"//.*", "", ACCESS.format(*offsets()) + text + run)
        if re.search(r"\w\[length\];", self.source):
            raise CompileError("a row of any length is no array of C")

    def kept(self) -> list[int]:
        """How large the values are that are kept on the way."""
        return [v.size for v in self.values.values if self.memory.where.get(v.id, ("",))[0] == "arena"]

    def _place_of(self, array: Any) -> int:
        return next(k for k, a in enumerate(self.arrays) if a is array)


ACCESS = """\
#include <stdint.h>
static __thread long given;
#define DATA(k) (*(char **)(((char **)((char *)tuple + {}))[k] + {}))
#define ROOM(p) (char *)(((uintptr_t)(p) + 63) & ~(uintptr_t)63)
#define ADD(type, x, y, n) for (long k = 0; k < n; k++) ((type *)(x))[k] += ((type *)(y))[k];
"""


@cache
def offsets() -> tuple[int, int]:
    """Where a tuple has its items, and an array the address of its memory: C reads them there, which is quicker than asking."""
    if sys.implementation.name == "cpython":
        a = np.zeros(3)
        t = a, None
        found = []
        for owner, what in ((t, id(a)), (a, a.ctypes.data)):
            words = (ctypes.c_size_t * (t.__sizeof__() // 8)).from_address(id(owner))
            found += [8 * k for k, word in enumerate(words) if word == what][:1]
        if len(found) == 2:
            return found[0], found[1]
    raise CompileError("this interpreter keeps its objects in another way")


class Kernel:
    """A function in C, for all arguments of a family: of 0, elementwise; 1, the leading dim is free; 2, just these shapes."""

    def __init__(self, lowered: Lowered, family: int, outs: list[Any], most: int = NEVER) -> None:
        self.family, self.outs = family, outs  # outs: shapes, with None where the free length is, and dtypes
        self.most = most  # the largest free length
        self.orders, self.several = lowered.orders, lowered.several
        self.constants, self.room = lowered.constants, lowered.room
        self.library = library = cc.load(lowered.source)
        self.run, self.outside = library.run, library.was_outside if lowered.emitter.checks else None
        self.run.argtypes, self.run.restype = [ctypes.c_void_p, ctypes.c_long], None


class Bound:
    """A kernel with all that follows from the shapes of its arguments."""

    def __init__(self, kernel: Kernel, kind: Kind) -> None:
        self.kernel, self.copied = kernel, kind.copied
        first = next((k for k, s in enumerate(kind.shapes) if s), 0)
        whole, flat = kind.shapes[first], kernel.family == 0
        self.length = prod(whole) if flat else 0
        if kernel.family == 1:
            self.length = next(s[0] for s, lead in zip(kind.shapes, kind.leads, strict=True) if lead)
        self.made: list[Any] = []  # shape, dtype and the order of dims of each result
        for out, turn in zip(kernel.outs, kernel.orders, strict=True):
            if out is not None:
                shape = whole if flat else tuple([self.length if n is None else n for n in out[0]])
                back = tuple(np.argsort(kind.orders[first]).tolist()) if flat else turn
                self.made.append((shape, out[1], None if back is None or back == tuple(range(len(back))) else back))
        self.simple = kernel.several is None and len(self.made) == 1 and self.made[0][2] is None

    def __call__(self, arrays: list[Any], fun: Callable[..., Any], args: Any) -> Any:
        kernel = self.kernel
        for k in self.copied:
            arrays[k] = np.ascontiguousarray(arrays[k])
        outs = [np.empty(shape, dtype) for shape, dtype, _ in self.made]
        items = *arrays, *kernel.constants, *outs, np.empty(kernel.room, np.uint8) if kernel.room else None
        kernel.run(id(items), self.length)
        if kernel.outside and kernel.outside():
            return fun(*args)  # which says what is wrong
        if self.simple:
            return outs[0]
        outs = [out if order is None else out.transpose(order) for out, (*_, order) in zip(outs, self.made)]  # noqa: B905
        if kernel.several is None:
            return outs[0] if outs else None
        each = iter(outs)
        return kernel.several([None if out is None else next(each) for out in kernel.outs])


def made(fun: Callable[..., Any], kind: Kind, written: frozenset[int], free: bool) -> Kernel:
    """The kernel, of as wide a family as can be. Raises CompileError where there can be none."""
    for flat, leads in ((True, [len(s) > 0 for s in kind.shapes]), (False, kind.leads)):
        if free and any(leads) and kind.alike >= flat:
            with contextlib.suppress(Exception):
                return _free(fun, kind, written, leads, flat)
    pair = one, _ = [Lowered(fun, kind, written, seed) for seed in (0, 1)]
    for x in pair:
        x.place()
        x.write()
    if max(one.rows().values(), default=0) > BLOCK or not _same(*pair):
        raise CompileError("what is computed depends on values, or a sum of many rows would lose digits")
    return Kernel(one, 2, one.outs)


def _free(fun: Callable[..., Any], kind: Kind, written: frozenset[int], leads: Sequence[bool], flat: bool) -> Kernel:
    """The same, for any length of the leading dim, or, if it is elementwise, of all dims."""
    pair = one, two = [Lowered(fun, kind, written, seed, leads, n) for seed, n in enumerate(LENGTHS)]
    if flat and not all([x.elementwise() for x in pair]):
        raise CompileError("not elementwise")
    short = [v for v in one.values.values if v.op == "sum" and 1 < prod(v.args[0].shape[v.info[0][-1] + 1 :]) < SHORT]
    if short and not any(v.op in C and v.size >= short[0].args[0].size for v in one.values.values):
        raise CompileError("nothing but sums of short rows, which NumPy makes as products")
    for x in pair:
        x.place()
    rows, alone = _rows(one, two)
    rest = prod(next(s for s in kind.shapes if s)[1:]) if flat else 1
    for g, h in zip(one.loops.groups, two.loops.groups, strict=True):
        pairs = list(zip(g.dims, h.dims, strict=True))
        g.dims = h.dims = tuple([_free_or(n, m, Length(2**40), rest) for n, m in pairs])
    outs, parts = list(one.outs), list[int | None]()  # in bytes, one of the leading dim
    for k, (v, w) in enumerate(zip(one.outs, two.outs, strict=True)):
        parts.append(None)
        if v is not None and w is not None and v[0] != w[0] and not flat:
            outs[k] = shape, _ = tuple([_free_or(n, m, None) for n, m in zip(v[0], w[0], strict=True)]), v[1]
            parts[k] = prod(v[0][1:]) * v[1].itemsize
            alone = alone and shape[0] is None
    for x in pair:
        x.write(parts, max(1, ROWS // rows) if rows and alone else 0)
    if not _same(*pair) or one.kept() != two.kept():
        raise CompileError("the leading dim is not only the end of loops")
    return Kernel(one, 0 if flat else 1, outs, NEVER if alone or not rows else BLOCK // rows)


def _rows(one: Lowered, two: Lowered) -> tuple[int, bool]:
    """How many numbers sums add one after the other for each of the leading dim; and if just these are results without it."""
    counts = two.rows()
    rows = {i: n // LENGTHS[0] for i, n in one.rows().items() if n != counts[i]}
    if any(n > BLOCK for i, n in one.rows().items() if i not in rows):
        raise CompileError("a sum of many rows would lose digits")
    sums = {v.id for v, w in zip(one.values.values, two.values.values, strict=True) if v.op == "sum" and _summed(v) != _summed(w)}
    alone = True
    for v in one.values.values:
        if any(isinstance(a, Value) and a.id in sums for a in v.args):
            sums.add(v.id)
            alone = alone and v.op == "reshape"
    outs = zip(one.values.outputs, two.values.outputs, strict=True)
    return max(rows.values(), default=0), alone and all(v is None or (v.id in sums) == (v.shape == w.shape) for v, w in outs)


def _summed(v: Value) -> int:
    return prod([v.args[0].shape[k] for k in v.info[0]])


def _free_or(n: int, m: int, free: Any, rest: int = 1) -> Any:
    """A length that is the same in both recordings, or `free` if it is the leading dim's, or `rest` times that."""
    if n == m:
        return n
    if (n, m) != (LENGTHS[0] * rest, LENGTHS[1] * rest):
        raise CompileError("a length that is not only the leading dim's")
    return free


def _same(one: Lowered, two: Lowered) -> bool:
    """Is it the same C, and are the constants the same?"""
    alike = len(one.constants) == len(two.constants) and all(map(np.array_equal, one.constants, two.constants))
    return alike and one.source == two.source


# ---------------------------------------------------------------- a function, and the kernels it has by now
class Quick:
    """A function that has a kernel for some arguments; `recorded` is the same on Tensors.

    If there is a `gradient`, which of the arrays it is, the function writes into the others of its shape, in place.
    """

    def __init__(self, fun: Callable[..., Any], recorded: Callable[..., Any], gradient: int | None = None) -> None:
        self.fun, self.recorded, self.gradient = fun, recorded, gradient
        self.ready: dict[Any, Bound | None] = {}  # by what `look` sees; None where there is no kernel
        self.known: dict[Any, Any] = {}  # by family: a Kernel, how often there was none, or None where there will be none
        self.why: list[str] = []

    def __call__(self, *args: Any) -> Any:
        arrays: list[Any] = []
        try:
            key = look(args, arrays)
        except KeyError:
            return self.fun(*args)
        if mode().tape is not None:
            return self.fun(*args)
        bound = self.ready[key] if key in self.ready else self.meet(key, args, arrays)
        return self.fun(*args) if bound is None else bound(arrays, self.fun, args)

    def meet(self, key: Any, args: Any, arrays: list[Any]) -> Bound | None:
        """Look for a kernel that serves these arguments, or count, and have one made."""
        if len(self.ready) > KEPT:
            self.ready.clear()
        if len(self.known) > KEPT:  # numbers among the arguments may be others each time
            self.known = {family: found for family, found in self.known.items() if type(found) is not int}
        if len(self.known) > KEPT or not arrays or not (kind := Kind(args, arrays)).right:
            return self.ready.setdefault(key, None)
        families = _, free, whole = kind.families()
        for family in families:
            if isinstance(found := self.known.get(family), Kernel):
                bound = Bound(found, kind)
                return self.ready.setdefault(key, bound if bound.length <= found.most else None)
        if self.known.get(whole, 0) is None:
            return self.ready.setdefault(key, None)
        counted = whole if self.known.get(free, 0) is None else free
        self.known[counted] = uses = self.known.get(counted, 0) + 1
        if uses != USES:
            return None
        kind.args = replaced(args, lambda a: HOLE)  # it keeps no array
        WAITING.add(partial(self.make, kind, families, counted is free))
        return None if WAITING.background else self.meet(key, args, arrays)

    def make(self, kind: Kind, families: Any, free: bool) -> None:
        """Make a kernel for these families."""
        try:
            written = frozenset(k for k, s in enumerate(kind.shapes) if s and k != self.gradient)
            kernel = made(self.recorded, kind, frozenset() if self.gradient is None else written, free)
            if kernel.family == 2:
                self.known[families[1]] = None
            self.known[families[kernel.family]] = kernel
        except Exception as error:  # it stays as it was
            self.why.append(f"{type(error).__name__}: {error}")
            self.known[families[1]] = self.known[families[2]] = None


HOLE = np.empty(0)  # stands for an array in arguments
HOLE.flags.writeable = False


class Waiting:
    """Kernels to be made, one after the other, in a thread that nobody waits for, or at once."""

    background = True
    jobs: queue.SimpleQueue[Callable[[], None]]
    thread: threading.Thread | None = None

    def add(self, job: Callable[[], None]) -> None:
        """Do this, now or in its turn."""
        if not self.background:
            job()
            return
        if self.thread is None or not self.thread.is_alive():  # as after a fork
            self.jobs = queue.SimpleQueue()
            self.thread = threading.Thread(target=self.run, name="kernels", daemon=True)
            self.thread.start()
        self.jobs.put(job)

    def run(self) -> None:
        """All that come."""
        while True:
            self.jobs.get()()


WAITING = Waiting()


# ---------------------------------------------------------------- in the table of ops
def large(function: Callable[..., Any], least: int, recorded: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """`function`, by its kernels for arrays of so many elements; `recorded` is the same on Tensors."""
    quick = Quick(function, recorded or function)

    def either(*args: Any) -> Any:
        a = args[0]
        if type(a) is list:  # the gradients of several results, None for some
            a = next((x for x in a if x is not None), None)
        return quick(*args) if type(a) is ndarray and a.size >= least else function(*args)

    either.quick = quick  # type: ignore[attr-defined]
    return either


class KernelPlan(Plan):
    """A plan whose gradients are computed by kernels."""

    def partial(self, wanted: tuple[bool, ...]) -> Any:
        if (pull := self.pulls.get(wanted)) is None:
            pull, least = super().partial(wanted), LEAST[self.op.name][1]
            if self.op.name in APART and sum(wanted) > 1:
                each = [self.partial(tuple([k == i for k in range(len(wanted))])) for i, want in enumerate(wanted) if want]
                self.pulls[wanted] = pull = lambda g, s: [d for one in each for d in one(g, s)]
            elif not self.half and least != NEVER:
                self.pulls[wanted] = pull = large(pull, least)
        return pull


class KernelPlans(Plans):
    """The plans of a primitive while kernels are on."""

    def __init__(self, op: Any) -> None:
        super().__init__()
        self.op = op

    def __missing__(self, mask: int) -> Plan:
        return self.setdefault(mask, KernelPlan(self.op, mask))


@cache
def replacements(name: str) -> dict[str, Any]:
    """What stands in the scope of a primitive while kernels are on; what was compiled stays for the next time."""
    op = PRIMITIVES[name]
    forward, backward = LEAST[name]
    new: dict[str, Any] = {} if forward == NEVER else {"fun": large(op.fun, forward, op)}
    return new if backward == NEVER else new | {"plans": KernelPlans(op)}


class Switch:
    """Turns kernels on or off when it is made; as a context manager, until its end. See `autograd.compile.kernels`.

    `in_places` is where functions that work in place look for what makes kernels of them.
    """

    on = False

    def __init__(self, enabled: bool, background: bool, in_places: list[Any]) -> None:
        self.in_places, self.before = in_places, (Switch.on, WAITING.background)
        self.set(enabled and can_be_made(), background)

    def set(self, on: bool, background: bool) -> None:
        """Put functions with kernels in the scope of the primitives that there are by now, or those of the table."""
        Switch.on, WAITING.background = on, background
        for name in LEAST.keys() & PRIMITIVES.keys():
            op = PRIMITIVES[name]
            op.__globals__.update({"fun": op.fun, "plans": op.plans} | (replacements(name) if on else {}))
        self.in_places[:] = [in_place] if on else []

    def __enter__(self) -> Switch:
        return self

    def __exit__(self, *error: Any) -> None:
        self.set(*self.before)


def can_be_made() -> bool:
    """Is there a compiler, a BLAS, and an interpreter whose objects C can read?"""
    with contextlib.suppress(CompileError):
        return cc.compiler() is not None and bool(cc.blas()) and bool(offsets())
    return False


# ---------------------------------------------------------------- rules of optimizers, written out to work in place
def in_place(update: Callable[..., None], temporaries: int) -> Callable[..., None]:
    """`update(arrays, temporaries, *numbers)`, which writes into all of the arrays but the second, the gradient."""

    def recorded(a: list[Any], *numbers: Any) -> None:
        update(a, [wrap(np.empty_like(a[0].array)) for _ in range(temporaries)], *numbers)

    quick, least = Quick(lambda *args: False, recorded, gradient=1), FEW[temporaries > 1]

    def run(a: list[Any], t: list[Any], *numbers: float) -> None:
        if a[0].size < least or quick(a, *map(np.array, numbers)) is False:
            update(a, t, *numbers)

    return run
