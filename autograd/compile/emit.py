"""From loop nests and places in memory to the text of one C file."""

from __future__ import annotations

import re
from collections import Counter
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CompileError
from . import cc
from .loops import (
    SMALL,
    ZERO,
    Sum,
    address,
    broadcast,
    canonical,
    layout,
    long,
    placed,
    strides,
    through,
    unsliced,
    variable,
)  # fmt: skip
from .memory import contiguous, padded
from .program import COSTLY, REDUCE, VIEWS, Value
from .roll import rolled

# The table: one line for each elementwise op. {0}, {1}, {2} are operands in the type of the result, ~ is f for floats.
C = dict(
    add="{0} + {1}", subtract="{0} - {1}", multiply="{0} * {1}", divide="{0} / {1}", negative="-{0}", square="{0} * {0}",
    maximum="LARGER({0}, {1})", minimum="SMALLER({0}, {1})", relu="{0} <= 0 ? 0 : {0}",
    astype="{0}", copy="{0}", absolute="ABSOLUTE({0})", sign="{0} != {0} ? {0} : ({0} > 0) - ({0} < 0)",
    sqrt="sqrt~({0})", exp="exp~({0})", exp2="exp2~({0})", expm1="expm1~({0})", log="log~({0})", log1p="log1p~({0})",
    tanh="tanh~({0})", sin="sin~({0})", cos="cos~({0})", arctan="atan~({0})", erf="erf~({0})", erfc="erfc~({0})",
    power="pow~({0}, {1})", sigmoid="1 / (1 + exp~(-{0}))",
    floor="floor~({0})", ceil="ceil~({0})", trunc="trunc~({0})", equal="{0} == {1}", not_equal="{0} != {1}", less="{0} < {1}",
    less_equal="{0} <= {1}", greater="{0} > {1}", greater_equal="{0} >= {1}", logical_and="({0} != 0) & ({1} != 0)",
    logical_or="({0} != 0) | ({1} != 0)", logical_not="{0} == 0", isnan="{0} != {0}", isfinite="{0} - {0} == 0",
    wins="({0} == {1}) + ({0} != {0})", isinf="{0} == {0} && {0} - {0} != 0", keep_zero="keep_zero~({0}, {1})",
    where="{0} ? {1} : {2}",
)  # fmt: skip
TESTS = set(
    "equal not_equal less less_equal greater greater_equal logical_and logical_or logical_not isnan isfinite isinf wins".split()
)
CTYPES = "float32=float float64=double int64=int64_t int32=int32_t uint8=uint8_t int8=int8_t bool=uint8_t"
CTYPE = {np.dtype(name): text for name, text in (pair.split("=") for pair in CTYPES.split())}
FOLD = dict(sum="{0} += {1};", amax="{0} = {1} > {0} ? {1} : {0};", amin="{0} = {1} < {0} ? {1} : {0};")
KEEP = dict(sum="{0} += {1};", amax="{0} = LARGER({0}, {1});", amin="{0} = SMALLER({0}, {1});")  # NaN as well
BLOCK = 2048  # how many numbers are summed before their sum is added to that of others
ROWS = 256  # and how many rows
LARGEST = 2**13  # elements of such a sum, which are held twice then
OFTEN = 4  # a matrix that is the second in so many products is packed once
SOME = 32  # statements of single numbers, beyond which it is not worth a compiler's while to make them quick
MANY = 32  # pointers, beyond which a kernel of single numbers is not handed them one by one
CLAUSE = dict(sum="+", amax="max", amin="min")
PART = 3_000  # ns: what a thread takes at once takes about so long
PARTS = 8  # of a loop, at most
MOST = 16  # threads that can share a product, and so be of use


def ctype(dtype: Any) -> Any:
    if (found := CTYPE.get(np.dtype(dtype))) is None:
        raise CompileError(f"{np.dtype(dtype)} has no type in C here")
    return found


def first_of(op: str, dtype: Any) -> str:
    """What a reduction begins with."""
    if op == "sum":
        return "0"
    if dtype.kind == "f":
        return "-INFINITY" if op == "amax" else "INFINITY"
    return {"amax": "0", "amin": "1"}[op] if dtype.kind == "b" else {"amax": "INT64_MIN", "amin": "INT64_MAX"}[op]


def literal(x: Any, dtype: Any) -> str:
    """A number in C, that may stand behind any operator."""
    dtype = np.dtype(dtype)
    if isinstance(x, bool):
        return str(int(x))
    if dtype.kind == "f":
        x = float(x)
        text = "NAN" if x != x else ("-INFINITY" if x < 0 else "INFINITY") if abs(x) == float("inf") else repr(x)
        text += "f" * (dtype == np.float32 and text[-1] not in "NYA")
    else:
        text = repr(int(x) if dtype.kind in "iu" and float(x).is_integer() else x)
    return f"({text})" if text[0] == "-" else text


class Emitter:
    """At most `threads` run it: what takes long enough is emitted in parts; `saved` is how many ns of it others may take over."""

    def __init__(self, loops: Any, memory: Any, threads: int = 1) -> None:
        self.loops, self.memory, self.where, self.threads = loops, memory, memory.where, threads
        self.saved, self.blas = 0.0, False  # is BLAS called?
        self.products = threads if cc.blas_threads() else 1  # a BLAS whose threads are its own affair is left to itself
        self.leaves = [v for v in loops.p.values if v.op == "leaf"]
        self.slots = {v.id: k for k, v in enumerate(self.leaves)}
        self.called: dict[str, int] = {}  # names of values, which belong to one only
        self.texts: dict[str, str] = {}  # of a kernel, its name: equal ones are written once
        self.kernels: list[str] = []
        self.checks: list[Any] = []
        self.zeroed: set[int] = set()
        self.packs: dict[Any, str] = {}  # of a matrix that is the second in many products: where it is packed
        self.uses = Counter(self.second(g.items[0]) for g in loops.groups if g.kind == "matmul")
        self.segments: list[Any] = [[]]  # lines of C, a value that NumPy computes, or "checks"
        self.lines: list[list[str]] = []  # of each group
        self.borrowed = 0  # bytes of the memory that each statement has for itself while it runs,
        self.most = 0  # and how many any of them needs
        looking = bool(loops.looked_at_within)
        for k, g in enumerate(loops.groups):
            self.borrowed = 0
            if g.late and not any(h.late for h in loops.groups[:k]):
                if looking:
                    self.segments += ["checks", []]
                    looking = False
                self.segments[-1].append("    if (outside) return;  // nothing is written then")
            if g.kind == "call":
                self.segments += [g.items[0], []]
                self.lines.append(["// NumPy's own, between two functions"])
                continue
            lines = Nest(self, g, k).write() if g.kind == "loop" else getattr(self, g.kind)(g.items[0])
            self.segments[-1] += lines
            self.lines.append(lines or ["// its parts are computed where they belong"])
        if looking:
            self.segments += ["checks", []]
        self.last()
        self.scratch = memory.extra(self.most)

    # ------------------------------------------------------------ names and places
    def name(self, v: Any) -> Any:
        if v.name:
            name = "p_" + re.sub(r"\W", "_", v.name)
            return name if self.called.setdefault(name, v.id) == v.id else f"{name}_{v.id}"
        return f"{'in' if v.op == 'leaf' else v.op}{v.id}"

    def home(self, v: Any) -> Any:
        """The value whose memory this one is in."""
        return self.memory.home.get(v.id, v)

    def spot(self, v: Any) -> Any:
        """The value that the memory of this one is named after, and how many elements behind its first it begins."""
        place = self.where.get(v.id, ("",))
        if place[0] == "part":
            base, offset = self.spot(place[1])
            return base, offset + address(placed(canonical(v.shape), place[2]), place[1].shape).constant
        v = self.home(v)
        return self.memory.slots.get(v.id, (v, 0))

    def at(self, v: Any, offset: int = 0) -> Any:
        """Where a value lies, or an element of it; `+ 0` is said as well, so that what repeats looks alike."""
        base, behind = self.spot(v)
        return f"{self.name(base)} + {behind + offset}"

    def in_pieces(self, v: Any) -> bool:
        """Is it a part of a larger value, and no one piece of its memory?"""
        place = self.where.get(v.id, ("",))
        return place[0] == "part" and not contiguous(place[2], place[1].shape)

    def array(self, v: Any) -> Any:
        """The same, to be indexed."""
        return f"({self.at(v)})"

    def element(self, v: Any, index: Any) -> str:
        """An element of a value, at any time after it was computed."""
        v, index = self.whole(v, index)
        base, behind = self.spot(v)
        return f"{self.name(base)}[{address(index, v.shape) + Sum((), behind)}]"

    def whole(self, v: Any, index: Any) -> Any:
        """The value that an element lies in, if this one lies there in pieces, and its index there."""
        while self.in_pieces(v):
            _, whole, place = self.where[v.id]
            v, index = whole, placed(index, place)
        return v, index

    def declared(self, v: Any, end: str = "") -> str:
        """The declaration of the pointer to the memory of a value, its name with this end; "" if it has none."""
        place = self.where.get(v.id, ("",))
        if v.op == "leaf":
            return f"{ctype(v.dtype)} *{self.name(v)}{end} = leaf[{self.slots[v.id]}];  // {v.dtype}{list(v.shape)}"
        if place[0] not in ("arena", "out") or v.id in self.memory.home:
            return ""
        where = f"(void *)(arena + {place[1]})" if place[0] == "arena" else f"leaf[{len(self.leaves) + place[1]}]"
        note = ", returned" * (place[0] == "out")
        return f"{ctype(v.dtype)} *{self.name(v)}{end} = {where};  // {v.dtype}{list(v.shape)}{note}"

    def source(self) -> Any:
        functions, names = [], {self.name(v): line for v in (*self.leaves, *self.loops.p.values) if (line := self.declared(v))}
        names["scratch"] = f"char *scratch = arena + {self.scratch};  // of each statement while it runs"
        for k, body in enumerate(s for s in self.segments if isinstance(s, list)):
            body = rolled(body)
            used = set(re.findall(r"\w+", "\n".join(body)))
            declared = [f"    {line}" for n, line in names.items() if n in used]
            team = ", team_t *team, int64_t loop, long me" * (self.threads > 1)
            head = f"EXPORT void step{k}(void **leaf, char *arena{team}) {{"
            if self.threads > 1:
                declared, body = ["    walk_t walk = {team, loop, me, 0};", *declared], together(body)
            functions.append("\n".join([head, *declared, "", *body, "}"]))
        files = ["runtime.h", "threads.h"][: 1 + (self.threads > 1)]
        runtime = "\n".join(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in files)
        runtime = f"#define THREADS {self.threads}\n" * (self.threads > 1) + runtime
        return runtime + "\n" + "\n".join(self.kernels) + "\n" + "\n".join(functions) + "\n"

    def position(self, i: Any, n: Any, v: Any) -> Any:
        """A position that is checked: one outside of `n` is noted, and the step ends before it writes anything."""
        self.checks.append((n, v))
        return f"AT({i}, {n}, {len(self.checks)})"

    def last(self) -> None:
        body = []
        for leaf, v in self.memory.copies:
            body.append(f"    memcpy({self.name(leaf)}, {self.at(v)}, {v.size} * sizeof({ctype(v.dtype)}));")
        if body:
            self.segments[-1] += ["    if (outside) return;", *body]

    def borrow(self, n: int) -> str:
        """Where in memory that others have before and after it a statement finds so many bytes."""
        at, self.borrowed = self.borrowed, self.borrowed + padded(n)
        self.most = max(self.most, self.borrowed)
        return f"scratch + {at}"

    # ------------------------------------------------------------ what threads share
    def parts(self, ns: float, *most: int) -> int:
        """In how many parts a loop that takes so long is taken, whatever the number of threads: 1 if by one thread alone."""
        parts = 1 if self.threads == 1 else max(1, min(int(ns / PART), *most))
        self.saved += ns * (1 - 1 / min(parts, self.threads))
        return parts

    def partly(self, v: Any, parts: int) -> tuple[str, list[str]]:
        """Memory for what each part makes of a reduction, and the loop that makes one of all, in their order."""
        n, t, at = -(-v.size * v.dtype.itemsize // 64) * 64, ctype(v.dtype), self.array(v)
        mine = f"({t} *)({self.borrow(n * parts)} + {{}} * {n})"
        whole = KEEP.get(v.op, KEEP["sum"]).format("whole", f"({mine.format('q')})[k]")
        first = f"{t} whole = ({mine.format(0)})[k];"
        rest = f"for (long q = 1; q < {parts}; q++) {whole}"
        return mine.format("part"), [f"    for (long k = 0; k < {v.size}; k++) {{ {first} {rest} {at}[k] = whole; }}"]

    # ------------------------------------------------------------ statements that are no loop nest of ours
    def matmul(self, v: Any) -> Any:
        place = self.where[v.id]
        if place[0] == "part" and (zero := self.zero(place[1])):
            return [*zero, *self.matmul(v)]
        (a, ao, as_), (b, bo, bs) = (layout(x, self.loops.anchors) for x in v.args[:2])
        ash, bsh = v.args[0].shape, v.args[1].shape
        shape, beta = v.shape, len(v.args) - 2
        if len(bsh) == 2 < len(ash) and as_ == strides(ash):  # one matrix for the whole stack
            ash, as_, shape = (prod(ash[:-1]), ash[-1]), as_[-2:], (prod(shape[:-1]), shape[-1])
        m, k, n, batch = ash[-2], ash[-1], bsh[-1], shape[:-2]

        def pad(st: Any, sh: Any) -> Any:
            return [0] * (len(batch) - len(sh) + 2) + [0 if d == 1 else s for s, d in zip(st[:-2], sh[:-2], strict=False)]

        index = [variable(f"n{d}") for d in range(len(batch))]

        def at(x: Any, offset: Any, st: Any) -> Any:
            moves = sum((i * s for i, s in zip(index, st, strict=False)), ZERO)
            return f"{self.at(x, offset)}{f' + {moves}' if moves.terms else ''}"

        places = at(a, ao, pad(as_, ash)), at(b, bo, pad(bs, bsh)), at(v, 0, strides(shape)[:-2])
        loops = [f"for (long n{d} = 0; n{d} < {size}; n{d}++) " for d, size in enumerate(batch)]
        note, t = f"  // {self.name(v)} = ({m} x {k}) @ ({k} x {n})", ctype(v.dtype)
        if (key := self.second(v)) and self.uses[key] >= OFTEN:
            lines, wide = [], -(-n // 64) * 64  # more than any WIDE
            if key not in self.packs:
                self.packs[key] = f"(float *)(arena + {self.memory.extra(4 * k * wide)})"
                lines = [f"    pack({k}, {n}, {places[1]}, {bs[-2]}, {bs[-1]}, {self.packs[key]});"]
            one, buffer, out, columns, shared = f"{places[0]}, {as_[-2]}, {as_[-1]}", self.packs[key], places[2], str(n), ""
            if (parts := min(self.products, self.parts(m * n * k * 0.01, wide // 64, MOST))) > 1:
                low, high = f"FROM({wide // 64}, {parts}) * 64", f"TO({wide // 64}, {parts}) * 64"
                columns, shared = f"({high} < {n} ? {high} : {n}) - {low}", f"SHARED({parts}) "
                buffer, out = f"{buffer} + {low} * {k}", f"{out} + {low}"
            return [*lines, f"    {shared}packed({m}, {columns}, {k}, {one}, {buffer}, {beta}, {out}, {n});{note}"]
        parts = min(self.products, self.parts(prod(batch) * m * n * k * 0.02, batch[0] if batch else max(m, n) // 32, MOST))
        if batch and parts > 1:
            loops[0] = f"SHARED({parts}) for (long n0 = FROM({batch[0]}, {parts}); n0 < TO({batch[0]}, {parts}); n0++) "
        if m * n * k <= SMALL and not beta:
            one, other = f"{places[0]}, {as_[-2]}, {as_[-1]}", f"{places[1]}, {bs[-2]}, {bs[-1]}"
            return [f"    {''.join(loops)}SMALL_GEMM({m}, {n}, {k}, {t}, {one}, {other}, {places[2]});{note}"]

        def flag(st: Any, sh: Any) -> Any:
            if st[-1] == 1 or sh[-1] == 1:
                return "N", st[-2] if sh[-2] > 1 else max(sh[-1], 1)
            return "T", st[-1]

        (ta, lda), (tb, ldb) = flag(as_, ash), flag(bs, bsh)
        f = "sgemm" if t == "float" else "dgemm"
        self.blas = True

        def call(rows: Any, columns: Any, a: Any, b: Any, c: Any) -> Any:
            return f"{f}(R, {ta}, {tb}, {rows}, {columns}, {k}, 1, {a}, {lda}, {b}, {ldb}, {beta}, {c}, {n});"

        if parts > 1 and not batch:
            by_rows = m >= n or m >= 64 * parts  # as the loops that come next are divided
            size = m if by_rows else n
            low, some = f"FROM({size}, {parts})", f"TO({size}, {parts}) - FROM({size}, {parts})"
            x, y, z = places
            if by_rows:
                line = call(some, n, f"{x} + {low} * {as_[-2]}", y, f"{z} + {low} * {n}")
            else:
                line = call(m, some, x, f"{y} + {low} * {bs[-1]}", f"{z} + {low}")
            return [f"    SHARED({parts}) {line}{note}"]
        return [f"    {''.join(loops)}{call(m, n, *places)}{note}"]

    def second(self, v: Any) -> Any:
        """What two products have in common whose second matrix is the same and can be packed once for both; None for others."""
        if len(v.shape) != 2 or v.dtype != np.float32 or v.size * v.args[0].shape[-1] <= SMALL:
            return None
        base, offset, steps = layout(v.args[1], self.loops.anchors)
        return base.id, offset, tuple(steps), v.args[1].shape

    def convolution(self, v: Any) -> Any:
        self.blas = True
        y, x = {"conv": (v, v.args[0]), "conv_input": (v.args[0], v), "conv_weight": v.args}[v.op]
        (images, h, w, o), (_, H, W, c) = y.shape, x.shape
        (kh, sh, ph, dh), (kw, sw, pw, dw) = v.info[0]
        size = h * w * kh * kw * c  # of the patches of one image; some at a time stay in the cache
        parts = self.parts(images * size * (0.02 * o + 0.3), images, PARTS)
        step = max(1, min(images // parts, 2**18 // (4 * size)))
        out, (a, b) = self.at(v), (self.at(self.loops.base(x)) for x in v.args)
        shape = ", ".join(map(str, (H, W, c, h, w, o, kh, kw, sh, sw, ph, pw, dh, dw)))
        if parts == 1:
            buffer = f"(float *)({self.borrow(4 * step * size)})"
            return [f"    {v.op}({step}, {buffer}, {out}, {a}, {b}, {images}, {shape});"]
        buffer = f"(float *)({self.borrow(4 * step * size * self.threads)} + me * {4 * step * size})"
        begin, after = f" + FROM({images}, {parts}) * ", list[str]()
        image = {id(x): begin + str(H * W * c), id(y): begin + str(h * w * o)}
        if v.op == "conv_weight":
            out, after = self.partly(v, parts)
        out, a, b = (at + image.get(id(x), "") for at, x in zip((out, a, b), (v, *v.args), strict=True))
        some = f"TO({images}, {parts}) - FROM({images}, {parts})"
        return [f"    SHARED({parts}) {v.op}({step}, {buffer}, {out}, {a}, {b}, {some}, {shape});", *after]

    conv = conv_input = conv_weight = convolution

    def zero(self, v: Any) -> Any:
        """Before the first part of an assembled value is there: zeros, where no part will be."""
        before = self.zero(self.where[v.id][1]) if self.where[v.id][0] == "part" else []
        if v.id in self.zeroed or sum(a.size for a in v.args) >= v.size:
            return before
        self.zeroed.add(v.id)
        return [*before, f"    memset({self.at(v)}, 0, {v.size} * sizeof({ctype(v.dtype)}));"]

    def assemble(self, v: Any) -> Any:
        lines = []
        zero = self.zero(v)
        parts = [
            (a, place) for a, place in zip(v.args, v.info[0], strict=False) if self.where.get(a.id, ("",))[:2] != ("part", v)
        ]
        for a, place in parts:
            inner, loops = canonical(a.shape), ""
            dims = long(a.shape)
            shared = self.parts(a.size, dims[0] if dims else 1, PARTS)
            for d, n in enumerate(dims):
                low, high = (f"FROM({n}, {shared})", f"TO({n}, {shared})") if shared > 1 and d == 0 else (0, n)
                loops += f"for (long i{d} = {low}; i{d} < {high}; i{d}++) "
            loops = f"SHARED({shared}) " * (shared > 1) + loops
            source = self.element(a, inner) if a.op == "leaf" or a.id in self.loops.anchors else "0"
            lines.append(f"    {loops}{self.element(v, placed(inner, place))} = {source};")
        return zero + lines

    def addrows(self, v: Any) -> Any:
        g, i = (self.loops.base(a) for a in v.args)
        width, t, out = prod(v.shape[1:]), ctype(v.dtype), self.array(v)
        row = self.position(f"{self.array(i)}[r]", v.shape[0], v)
        add = f"{out}[{row} * {width} + c] += {self.array(g)}[r * {width} + c];"
        if (parts := self.parts(v.size * 0.03 + g.size * 0.15, v.shape[0], PARTS)) > 1:  # each adds to rows of its own
            begin, end = f"FROM({v.shape[0]}, {parts})", f"TO({v.shape[0]}, {parts})"
            return [
                f"    SHARED({parts}) {{",
                f"        memset({out} + {begin} * {width}, 0, ({end} - {begin}) * {width} * sizeof({t}));",
                f"        for (long r = 0; r < {i.size}; r++) {{",
                f"            const long row = {row};",
                f"            if (row >= {begin} && row < {end}) for (long c = 0; c < {width}; c++) {add.replace(row, 'row')}",
                "        }",
                "    }",
            ]
        return [
            f"    memset({out}, 0, {v.size} * sizeof({t}));",
            f"    for (long r = 0; r < {i.size}; r++) for (long c = 0; c < {width}; c++) {add}",
        ]


def together(lines: list[str], pad: str = "    ") -> list[str]:
    """The lines of a step that threads run together: what is not shared, one does; through loops around what is, all walk."""
    out, alone = list[str](), list[str]()

    def end() -> None:
        if alone:
            several = [f"{pad}ALONE {{", *("    " + x for x in alone), f"{pad}}}"]
            out.extend(several if len(alone) > 1 else [f"{pad}ALONE {alone[0].strip()}"])
            alone.clear()

    rest = iter(lines)
    for line in rest:
        statement = [line]
        while statement[0].split("//")[0].rstrip().endswith("{") and not statement[-1].startswith(f"{pad}}}"):
            statement.append(next(rest))
        if line.startswith(f"{pad}SHARED"):
            end()
            out += statement
        elif "(outside) return" in line:
            end()
            out.append(line.replace("(outside)", "(stopped(&walk))"))
        elif any("SHARED" in x for x in statement):
            end()
            out += [line, *together(statement[1:-1], pad + "    "), statement[-1]]
        else:
            alone += statement
    end()
    return out


class Nest:
    """One loop nest as a function. The innermost loop is run once for each phase: sums of a row are there in the next."""

    def __init__(self, emitter: Any, group: Any, k: Any) -> None:
        self.e, self.loops, self.k, self.dims, self.items = emitter, emitter.loops, k, group.dims, group.items
        self.inner = f"i{len(self.dims) - 1}" if self.dims else "none"
        self.mine = {v.id: v for v in self.items}
        self.phase = emitter.loops.phase
        self.params: dict[int, Any] = {}
        self.number: dict[str, int] = {}
        self.pre, self.body, self.stores, self.post, self.clauses = (dict[int, Any]() for _ in range(5))  # lines, by phase
        self.sums: list[
            tuple[Any, bool]
        ] = []  # reductions that are made in memory, and if each turn of the outer loop has its own
        self.slabs: list[tuple[Any, bool]] = []  # those of more than ROWS rows
        self.rows: dict[int, str] = {}
        self.memo: dict[Any, Any] = {}
        self.deep = {self.inner}  # names that mean something within the innermost loop only

    # ------------------------------------------------------------ names
    def new(self, stem: Any) -> Any:
        self.number[stem] = n = self.number.get(stem, -1) + 1
        return f"{stem}{n}"

    def param(self, v: Any) -> Any:
        """The name by which the kernel knows the memory of a value."""
        v = self.e.home(v)
        if v.id not in self.params:
            self.params[v.id] = f"@{len(self.params)}@", v
        return self.params[v.id][0]

    def element(self, v: Any, index: Any) -> Any:
        """An element of a value. Its constant is marked, as the least of all for a parameter is added to the pointer."""
        v, index = self.e.whole(v, index)
        where, param = address(index, v.shape), self.param(v)
        return f"{param}[{Sum(where.terms)} + <{param[1:-1]}:{where.constant}>]"

    def is_row(self, v: Any) -> Any:
        return len(long(self.loops.domain(v))) < len(self.dims)

    # ------------------------------------------------------------ expressions
    def operand(self, a: Any, index: Any, p: Any, dtype: Any, inline: Any) -> Any:
        """An operand of an op whose result has this dtype (None: as it is)."""
        if not isinstance(a, Value):
            return literal(a, dtype)
        s = self.read(a, broadcast(a, index), p, inline)
        if dtype is not None and a.dtype != dtype:
            s = f"({ctype(dtype)})({s})"
        return s if re.fullmatch(r"[\w@.\[\]]+|\(.*\)", s) and s.count("(") < 2 else f"({s})"

    def read(self, v: Any, index: Any, p: Any, inline: Any = False) -> Any:
        """C for the element of `v` at `index`; what it needs is computed before, unless `inline`, under a condition."""
        if v.op == "leaf":
            return self.once(v, index, p, self.element(v, index), inline)
        if v.id in self.mine:
            return self.own(v, index, p)
        if v.id in self.loops.anchors:
            return self.once(v, index, p, self.element(v, index), inline)
        if inline:
            return self.formula(v, index, p, True)
        key = v.id, index
        if found := self.known(key, index, p):
            return found
        return self.once(v, index, p, self.formula(v, index, p), inline)

    def known(self, key: Any, index: Any, p: Any) -> Any:
        for (phase, deep), name in self.memo.get(key, {}).items():
            if phase == p or (not deep and phase < p):
                return name
        return None

    def once(self, v: Any, index: Any, p: Any, text: Any, inline: Any) -> Any:
        """A name for an element, so that it is loaded or computed once in a loop."""
        if inline:
            return text
        key = v.id, index
        if found := self.known(key, index, p):
            return found
        deep = self.is_deep(text)
        name = self.new("x")
        line = f"const {'int' if v.dtype == bool else ctype(v.dtype)} {name} = {text};"
        (self.body if deep else self.pre).setdefault(p, []).append(line)
        self.memo.setdefault(key, {})[p, deep] = name
        self.deep |= {name} if deep else set()
        return name

    def is_deep(self, text: Any) -> Any:
        """Can this be said within the innermost loop only?"""
        return not self.deep.isdisjoint(re.findall(r"\w+", text))

    def own(self, v: Any, index: Any, p: Any) -> Any:
        """The value of another statement of this nest."""
        if self.loops.row_reduction(v) or self.is_row(v) or self.phase[v.id] == p or not self.dims:
            return self.name_of(v)
        if v.id in self.e.where and not self.e.in_pieces(v):
            return self.element(v, index)
        if v.id not in self.rows:  # keep the row for later phases
            self.rows[v.id] = self.new("row")
        return f"{self.rows[v.id]}[{self.inner}]"

    def name_of(self, v: Any) -> Any:
        """The name of a statement's value in the kernel."""
        names = self.memo.setdefault(("name", v.id), {})
        if "" not in names:
            names[""] = self.new("r" if v.op in REDUCE else "v")
        return names[""]

    def formula(self, v: Any, index: Any, p: Any, inline: Any = False) -> Any:
        """C for an element of `v` by its arguments."""
        if v.op in VIEWS:
            x = v.args[0]
            return self.read(x, through(v, index), p, inline) if isinstance(x, Value) else literal(x, v.dtype)
        if v.op in ("pick", "take"):
            x, i = v.args
            axis = v.info[0]
            width = 1 if v.op == "pick" else len(i.shape)
            j = self.read(i, broadcast(i, index) if v.op == "pick" else index[axis : axis + width], p, inline)
            if not inline:  # a name that counts as a loop variable
                deep, n = self.is_deep(j), x.shape[axis]
                key = "position", j, n
                if not (name := self.known(key, (), p)):
                    name = self.new("j" if deep else "k")
                    line = f"const long {name} = {self.e.position(j, n, v)};"
                    (self.body if deep else self.pre).setdefault(p, []).append(line)
                    self.deep |= {name} if deep else set()
                    self.memo.setdefault(key, {})[p, deep] = name
                j = name
            else:
                j = self.e.position(j, x.shape[axis], v)
            return self.read(x, (*index[:axis], variable(j), *index[axis + width :]), p, inline)
        if v.op == "onehot":
            g, i = v.args
            j = self.read(i, broadcast(i, index), p, inline)
            return (
                f"{index[v.info[0]]} == WRAPPED({j}, {v.shape[v.info[0]]}) ? ({self.read(g, broadcast(g, index), p, inline)}) : 0"
            )
        if v.op == "unslice":
            condition, at = unsliced(v, index)
            x = v.args[0]
            return f"({condition}) ? ({self.read(x, at, p, True)}) : 0"
        dtype = None if v.op in TESTS else v.dtype
        common = next((a.dtype for a in v.args if isinstance(a, Value) and v.op in TESTS), v.dtype)
        args = []
        for k, a in enumerate(v.args):
            kind = None if v.op == "where" and k == 0 and isinstance(a, Value) else dtype
            args.append(self.operand(a, index, p, kind if isinstance(a, Value) else common, inline))
        if v.op == "astype" and v.dtype == bool:
            return f"{args[0]} != 0"
        return C[v.op].format(*args).replace("~", "f" * (v.dtype == np.float32))

    # ------------------------------------------------------------ statements
    def write(self) -> Any:
        e = self.e
        for v in self.items:
            domain = self.loops.domain(v)
            index, row = canonical(domain), self.is_row(v) or not self.dims
            p = self.phase[v.id]
            if v.op in REDUCE:
                self.reduction(v, index, p, row)
                continue
            text = self.formula(v, index, p)
            name = self.name_of(v)
            self.deep |= set() if row else {name}
            (self.pre if row else self.body).setdefault(p, []).append(
                f"const {'int' if v.dtype == bool else ctype(v.dtype)} {name} = {text};"
            )
            if v.id in e.where:
                (self.pre if row else self.stores).setdefault(p, []).append(f"{self.element(v, index)} = {name};")
        for i, name in self.rows.items():
            self.stores.setdefault(self.phase[i], []).append(f"{name}[{self.inner}] = {self.name_of(self.mine[i])};")
        wholes = [e.where[v.id][1] for v in self.items if e.where.get(v.id, ("",))[0] == "part"]
        self.parts = self.share()
        return [line for whole in wholes for line in e.zero(whole)] + self.call(self.text())

    def reduction(self, v: Any, index: Any, p: Any, row: Any) -> None:
        text = self.operand(v.args[0], index, p, v.dtype, False)
        out = tuple(ZERO if k in v.info[0] else i for k, i in enumerate(index))
        fold, first, t = FOLD[v.op], first_of(v.op, v.dtype), ctype(v.dtype)
        innermost = not row and not any(self.inner == n for i in out for n, _ in i.terms)
        if innermost:  # in a register along the row
            name = self.name_of(v)
            self.pre.setdefault(p, []).append(f"{t} {name} = {first};")
            self.body.setdefault(p, []).append(fold.format(name, text))
            self.clauses.setdefault(p, []).append((CLAUSE[v.op], name))
            if v.op != "sum" and v.dtype.kind == "f":  # the loop passes NaN over: they are counted beside
                self.pre.setdefault(p, []).append(f"int nan_{name} = 0;")
                self.body.setdefault(p, []).append(f"nan_{name} += {text} != {text};")
                self.clauses.setdefault(p, []).append(("+", f"nan_{name}"))
                self.post.setdefault(p, []).append(f"if (nan_{name}) {name} = NAN;")
        if self.loops.row_reduction(v):
            if v.id in self.e.where:
                self.post.setdefault(p, []).append(f"{self.element(v, out)} = {name};")
            return
        at, kept = self.element(v, out), {n for i in out for n, _ in i.terms}
        self.sums.append((v, "i0" in kept))
        if v.op == "sum" and v.dtype.kind == "f" and prod(n for d, n in enumerate(self.dims[:-1]) if f"i{d}" not in kept) > ROWS:
            self.slabs.append((v, "i0" in kept))
        if innermost:
            self.post.setdefault(p, []).append(KEEP[v.op].format(at, name))
        else:
            (self.pre if row else self.body).setdefault(p, []).append(KEEP[v.op].format(at, text))

    def text(self) -> Any:
        """The kernel, its parameters as @0@, @1@, ..."""
        depth, out, pad = len(self.dims), [], "    "
        for v, own in self.sums:
            low, high = (
                (f"from * {v.size // self.dims[0]}", f"to * {v.size // self.dims[0]}") if self.parts > 1 and own else (0, v.size)
            )
            out.append(f"{pad}for (long k = {low}; k < {high}; k++) {self.param(v)}[k] = {first_of(v.op, v.dtype)};")
        first, each, last = self.by_slabs()
        out += [pad + line for line in first[False]]
        for d in range(depth - 1):
            low, high = self.bounds(d)
            out.append(f"{pad}for (long i{d} = {low}; i{d} < {high}; i{d}++) {{")
            pad += "    "
            out += [pad + line for line in first[True] * (d == 0)]
        out += [f"{pad}{ctype(self.mine[i].dtype)} {name}[{self.dims[-1]}];" for i, name in self.rows.items()]
        for p in range(1 + max([*self.pre, *self.body, *self.post, *self.stores, 0])):
            out += [pad + line for line in self.pre.get(p, ())]
            if lines := self.body.get(p, []) + self.stores.get(p, []):
                if self.dims:
                    out += [pad + x for x in self.innermost(p, lines)]
                else:
                    out += [pad + x for x in lines]
            out += [pad + line for line in self.post.get(p, ())]
        out += [pad + line for line in each]
        for d in reversed(range(depth - 1)):
            out += [pad + line for line in last[True] * (d == 0)]
            pad = pad[4:]
            out.append(pad + "}")
        return "\n".join(out + [pad + line for line in last[False]])

    def by_slabs(self) -> tuple[dict[bool, list[str]], list[str], dict[bool, list[str]]]:
        """Of sums of many rows, so that no small number is added to a large one: what goes before and behind all loops, or
        (True) those in the outermost, and what follows each row."""
        first, each, last = {True: list[str](), False: list[str]()}, list[str](), {True: list[str](), False: list[str]()}
        for j, (v, own) in enumerate(self.slabs):
            n = v.size // self.dims[0] if own else v.size
            if n > LARGEST:
                continue
            at, loop = f"{self.param(v)}[{f'i0 * {n} + ' * own}k]", f"for (long k = 0; k < {n}; k++)"
            first[own].append(f"long rows{j} = 0; {ctype(v.dtype)} whole{j}[{n}] = {{0}};")
            each.append(f"if (++rows{j} % {ROWS} == 0) {loop} {{ whole{j}[k] += {at}; {at} = 0; }}")
            last[own].append(f"{loop} {at} += whole{j}[k];")
        return first, each, last

    def share(self) -> int:
        """In how many parts the outermost loop is taken."""
        lines = sum(len(some) for by_phase in (self.body, self.stores) for some in by_phase.values())
        ns = prod(self.dims) * (0.08 * lines + 0.5 * sum(v.op in COSTLY for v in self.items))
        held = sum(v.size for v, own in self.sums if not own)  # of which each part has its own
        return self.e.parts(ns, min(self.dims[0], prod(self.dims) // (4 * held or 1)), PARTS) if self.dims else 1

    def bounds(self, d: int) -> tuple[Any, Any]:
        """From where to where a loop runs."""
        return ("from", "to") if self.parts > 1 and d == 0 else (0, self.dims[d])

    def innermost(self, p: Any, lines: Any) -> Any:
        """The innermost loop; long sums go by blocks, so that no small number is added to a large one."""
        i, n, sums = self.inner, self.dims[-1], self.clauses.get(p, [])
        low, high = self.bounds(len(self.dims) - 1)
        clauses = "".join(f" reduction({c}:{n})" for c, n in sums)
        if not sums or n <= 4 * BLOCK:
            return [
                f"#pragma omp simd{clauses}",
                f"for (long {i} = {low}; {i} < {high}; {i}++) {{",
                *("    " + x for x in lines),
                "}",
            ]
        inner, after = [], []
        for c, name in sums:
            inner.append(f"typeof({name}) block_{name} = {name}; {name} = {'0' if c == '+' else 'block_' + name};")
            after += [f"{name} += block_{name};"] * (c == "+")
        loop = [f"#pragma omp simd{clauses}", f"for (long {i} = block; {i} < end; {i}++) {{", *("    " + x for x in lines), "}"]
        return [
            f"for (long block = {low}, end; block < {high}; block = end) {{",
            f"    end = {high} - block < {BLOCK} ? {high} : block + {BLOCK};",
            *("    " + x for x in (*inner, *loop, *after)),
            "}",
        ]

    def call(self, text: Any) -> Any:
        e = self.e
        marks = r"(\[0)? \+ <(\d+):(-?\d+)>"
        kinds = ["long from, long to"] * (self.parts > 1)
        kinds += [f"{ctype(v.dtype)} *restrict {n}" for n, v in self.params.values()]
        ops = "_".join(dict.fromkeys(v.op for v in self.items))[:40]
        name = f"kernel{self.k}_{ops}"
        where = sorted({f"{v.line.file.rsplit('/', 1)[-1]}:{v.line.number}" for v in self.items if v.line})
        kind = "KERNEL" if self.dims or len(self.items) < SOME else "STRAIGHT"
        head = f"// {', '.join(where) or 'the same in each step'}\n{kind} void {name}"
        if not self.dims and len(kinds) > MANY:  # it finds them itself; exp2 is a function of C, exp2_ is none
            spots = {n: e.spot(v) for n, v in self.params.values()}
            own = "\n".join(f"    {line}" for line in dict.fromkeys(e.declared(base, "_") for base, _ in spots.values()))
            memory = {n: f"({e.name(base)}_ + {behind})" if behind else f"{e.name(base)}_" for n, (base, behind) in spots.items()}
            body = re.sub(marks, lambda m: constant(m[1], int(m[3])), text)
            body = re.sub(r"@\d+@", lambda m: memory[m[0]], body)
            e.kernels.append(f"{head}(void **leaf, char *arena) {{\n{own}\n{body}\n}}\n")
            return [f"    {name}(leaf, arena);"]
        least: dict[str, int] = {}
        for _, k, n in re.findall(marks, text):
            least[k] = max(0, min(int(n), least.get(k, int(n))))
        text = re.sub(marks, lambda m: constant(m[1], int(m[3]) - least[m[2]]), text)
        key = ", ".join(kinds) + text
        if key not in e.texts:
            e.texts[key] = name
            function = f"{head}({', '.join(kinds)}) {{\n{text}\n}}\n"
            pretty, counts = dict[str, str](), dict[str, int]()
            for n, v in self.params.values():
                stem = e.name(v) if v.name else ("in" if v.op == "leaf" else v.op)
                counts[stem] = counts.get(stem, 0) + 1
                pretty[n] = stem if v.name else f"{stem}{counts[stem]}"
            e.kernels.append(re.sub(r"@\d+@", lambda m: pretty[m[0]], function))
        if self.parts == 1:
            return [f"    {e.texts[key]}({', '.join(e.at(v, least.get(n[1:-1], 0)) for n, v in self.params.values())});"]
        partly = {v.id: e.partly(v, self.parts) for v, own in self.sums if not own}
        args = [partly[v.id][0] if v.id in partly else e.at(v, least.get(n[1:-1], 0)) for n, v in self.params.values()]
        n = f"({self.dims[0]}, {self.parts})"
        call = f"    SHARED({self.parts}) {e.texts[key]}(FROM{n}, TO{n}, {', '.join(args)});"
        return [call, *(line for _, after in partly.values() for line in after)]


def constant(first: str | None, n: int) -> str:
    """What is added to an index; `first`: in place of 0."""
    if first:
        return f"[{n}"
    return f" {'+' if n > 0 else '-'} {abs(n)}" if n else ""
