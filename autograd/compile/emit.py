"""From loop nests and places in memory to the text of one C file."""

from __future__ import annotations

import re
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CompileError
from .loops import SMALL, ZERO, Sum, address, broadcast, canonical, layout, long, strides, through, unsliced, variable
from .program import REDUCE, VIEWS, Value

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
SOME = 32  # statements of single numbers, beyond which it is not worth a compiler's while to make them quick
MANY = 32  # pointers, beyond which a kernel of single numbers is not handed them one by one
CLAUSE = dict(sum="+", amax="max", amin="min")


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


def literal(x: Any, dtype: Any) -> Any:
    dtype = np.dtype(dtype)
    if isinstance(x, bool):
        return str(int(x))
    if dtype.kind == "f":
        x = float(x)
        text = "NAN" if x != x else ("-INFINITY" if x < 0 else "INFINITY") if abs(x) == float("inf") else repr(x)
        return text + "f" * (dtype == np.float32 and text[-1] not in "NYA")
    return repr(int(x) if dtype.kind in "iu" and float(x).is_integer() else x)


class Emitter:
    def __init__(self, loops: Any, memory: Any) -> None:
        self.loops, self.memory, self.where = loops, memory, memory.where
        self.leaves = [v for v in loops.p.values if v.op == "leaf"]
        self.slots = {v.id: k for k, v in enumerate(self.leaves)}
        self.called: dict[str, int] = {}  # names of values, which belong to one only
        self.texts: dict[str, str] = {}  # of a kernel, its name: equal ones are written once
        self.kernels: list[str] = []
        self.checks: list[Any] = []
        self.zeroed: set[int] = set()
        self.segments: list[Any] = [[]]  # lines of C, a value that NumPy computes, or "checks"
        self.lines: list[list[str]] = []  # of each group
        looking = bool(loops.looked_at_within)
        for k, g in enumerate(loops.groups):
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

    # ------------------------------------------------------------ names and places
    def name(self, v: Any) -> Any:
        if v.name:
            name = "p_" + re.sub(r"\W", "_", v.name)
            return name if self.called.setdefault(name, v.id) == v.id else f"{name}_{v.id}"
        return f"{'in' if v.op == 'leaf' else v.op}{v.id}"

    def home(self, v: Any) -> Any:
        """The value whose memory this one is in."""
        place = self.where.get(v.id)
        return place[1] if place and place[0] == "leaf" else v

    def at(self, v: Any) -> Any:
        return self.name(self.home(v))

    def declared(self, v: Any, end: str = "") -> str:
        """The declaration of the pointer to the memory of a value, its name with this end; "" if it has none."""
        place = self.where.get(v.id, ("",))
        if v.op == "leaf":
            return f"{ctype(v.dtype)} *{self.name(v)}{end} = leaf[{self.slots[v.id]}];  // {v.dtype}{list(v.shape)}"
        if place[0] not in ("arena", "out"):
            return ""
        where = f"(void *)(arena + {place[1]})" if place[0] == "arena" else f"leaf[{len(self.leaves) + place[1]}]"
        note = ", returned" * (place[0] == "out")
        return f"{ctype(v.dtype)} *{self.name(v)}{end} = {where};  // {v.dtype}{list(v.shape)}{note}"

    def source(self) -> Any:
        functions, names = [], {self.name(v): line for v in (*self.leaves, *self.loops.p.values) if (line := self.declared(v))}
        for k, body in enumerate(s for s in self.segments if isinstance(s, list)):
            used = set(re.findall(r"\w+", "\n".join(body)))
            declared = [f"    {line}" for n, line in names.items() if n in used]
            functions.append("\n".join([f"EXPORT void step{k}(void **leaf, char *arena) {{", *declared, "", *body, "}"]))
        runtime = Path(__file__).with_name("runtime.h").read_text(encoding="utf-8")
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

    # ------------------------------------------------------------ statements that are no loop nest of ours
    def matmul(self, v: Any) -> Any:
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
            total = Sum((), offset)
            for i, s in zip(index, st, strict=False):
                total = total + i * s
            return f"{self.at(x)} + {total}"

        places = at(a, ao, pad(as_, ash)), at(b, bo, pad(bs, bsh)), at(v, 0, strides(shape)[:-2])
        loops = [f"for (long n{d} = 0; n{d} < {size}; n{d}++) " for d, size in enumerate(batch)]
        note, t = f"  // {self.name(v)} = ({m} x {k}) @ ({k} x {n})", ctype(v.dtype)
        if m * n * k <= SMALL and not beta:
            one, other = f"{places[0]}, {as_[-2]}, {as_[-1]}", f"{places[1]}, {bs[-2]}, {bs[-1]}"
            return [f"    {''.join(loops)}SMALL_GEMM({m}, {n}, {k}, {t}, {one}, {other}, {places[2]});{note}"]

        def flag(st: Any, sh: Any) -> Any:
            if st[-1] == 1 or sh[-1] == 1:
                return "N", st[-2] if sh[-2] > 1 else max(sh[-1], 1)
            return "T", st[-1]

        (ta, lda), (tb, ldb) = flag(as_, ash), flag(bs, bsh)
        f = "sgemm" if t == "float" else "dgemm"

        def call(rows: Any, columns: Any, a: Any, b: Any, c: Any) -> Any:
            return f"{f}(R, {ta}, {tb}, {rows}, {columns}, {k}, 1, {a}, {lda}, {b}, {ldb}, {beta}, {c}, {n});"

        return [f"    {''.join(loops)}{call(m, n, *places)}{note}"]

    def convolution(self, v: Any) -> Any:
        y, x = {"conv": (v, v.args[0]), "conv_input": (v.args[0], v), "conv_weight": v.args}[v.op]
        (images, h, w, o), (_, H, W, c) = y.shape, x.shape
        (kh, sh, ph, dh), (kw, sw, pw, dw) = v.info[0]
        size = h * w * kh * kw * c  # of the patches of one image; some at a time stay in the cache
        step = max(1, min(images, 2**18 // (4 * size)))
        buffer = f"(float *)(arena + {self.memory.extra(4 * step * size)})"
        a, b = (self.at(self.loops.base(x)) for x in v.args)
        shape = ", ".join(map(str, (images, H, W, c, h, w, o, kh, kw, sh, sw, ph, pw, dh, dw)))
        return [f"    {v.op}({step}, {buffer}, {self.at(v)}, {a}, {b}, {shape});"]

    conv = conv_input = conv_weight = convolution

    def zero(self, v: Any) -> Any:
        """Before the first part of an assembled value is there: zeros, where no part will be."""
        if v.id in self.zeroed or sum(a.size for a in v.args) >= v.size:
            return []
        self.zeroed.add(v.id)
        return [f"    memset({self.at(v)}, 0, {v.size} * sizeof({ctype(v.dtype)}));"]

    def assemble(self, v: Any) -> Any:
        lines = []
        zero = self.zero(v)
        parts = [(a, place) for a, place in zip(v.args, v.info[0], strict=False) if self.where.get(a.id, ("",))[0] != "part"]
        for a, place in parts:
            inner, loops = canonical(a.shape), ""
            for d, n in enumerate(long(a.shape)):
                loops += f"for (long i{d} = 0; i{d} < {n}; i{d}++) "
            source = (
                "0" if a.id not in self.loops.anchors and a.op not in ("leaf",) else f"{self.at(a)}[{address(inner, a.shape)}]"
            )
            lines.append(f"    {loops}{self.at(v)}[{address(placed(inner, place), v.shape)}] = {source};")
        return zero + lines

    def addrows(self, v: Any) -> Any:
        g, i = (self.loops.base(a) for a in v.args)
        width, t, out = prod(v.shape[1:]), ctype(v.dtype), self.at(v)
        row = self.position(f"{self.at(i)}[r]", v.shape[0], v)
        add = f"{out}[{row} * {width} + c] += {self.at(g)}[r * {width} + c];"
        return [
            f"    memset({out}, 0, {v.size} * sizeof({t}));",
            f"    for (long r = 0; r < {i.size}; r++) for (long c = 0; c < {width}; c++) {add}",
        ]


def placed(index: Any, place: Any) -> Any:
    """The index in the whole of an element of a part."""
    it = iter(index)
    return tuple(Sum((), w) if isinstance(w, int) else next(it) * w[2] + Sum((), w[0]) for w in place)


class Nest:
    """One loop nest as a function. The innermost loop is run once for each phase: sums of a row are there in the next."""

    def __init__(self, emitter: Any, group: Any, k: Any) -> None:
        self.e, self.loops, self.k, self.dims, self.items = emitter, emitter.loops, k, group.dims, group.items
        self.inner = f"i{len(self.dims) - 1}" if self.dims else "none"
        self.mine = {v.id: v for v in self.items}
        self.phase: dict[int, int] = {}
        self.params: dict[int, Any] = {}
        self.number: dict[str, int] = {}
        self.pre, self.body, self.stores, self.post, self.clauses = (dict[int, Any]() for _ in range(5))  # lines, by phase
        self.head: list[str] = []
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
        return f"{self.param(v)}[{address(index, v.shape)}]"

    def is_row(self, v: Any) -> Any:
        return len(long(self.loops.domain(v))) < len(self.dims)

    def target(self, v: Any, index: Any) -> Any:
        """Where an element of a statement's value is stored."""
        place = self.e.where[v.id]
        if place[0] == "part":
            return f"{self.param(place[1])}[{address(placed(index, place[2]), place[1].shape)}]"
        return self.element(v, index)

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
        if v.id in self.e.where and self.e.where[v.id][0] != "part":
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
            p = max([self.phase[x.id] + (x.op in REDUCE) for x, _ in self.loops.reads[v.id] if x.id in self.mine], default=0)
            self.phase[v.id] = p
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
                (self.pre if row else self.stores).setdefault(p, []).append(f"{self.target(v, index)} = {name};")
        for i, name in self.rows.items():
            self.stores.setdefault(self.phase[i], []).append(f"{name}[{self.inner}] = {self.name_of(self.mine[i])};")
        wholes = [e.where[v.id][1] for v in self.items if e.where.get(v.id, ("",))[0] == "part"]
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
        at = self.element(v, out)
        self.head.append(f"for (long k = 0; k < {v.size}; k++) {self.param(v)}[k] = {first};")
        if innermost:
            self.post.setdefault(p, []).append(KEEP[v.op].format(at, name))
        else:
            (self.pre if row else self.body).setdefault(p, []).append(KEEP[v.op].format(at, text))

    def text(self) -> Any:
        """The kernel, its parameters as @0@, @1@, ..."""
        depth, out, pad = len(self.dims), [], "    "
        out += [pad + h for h in self.head]
        for d in range(depth - 1):
            out.append(f"{pad}for (long i{d} = 0; i{d} < {self.dims[d]}; i{d}++) {{")
            pad += "    "
        out += [f"{pad}{ctype(self.mine[i].dtype)} {name}[{self.dims[-1]}];" for i, name in self.rows.items()]
        for p in range(1 + max([*self.pre, *self.body, *self.post, *self.stores, 0])):
            out += [pad + line for line in self.pre.get(p, ())]
            if lines := self.body.get(p, []) + self.stores.get(p, []):
                if self.dims:
                    out += [pad + x for x in self.innermost(p, lines)]
                else:
                    out += [pad + x for x in lines]
            out += [pad + line for line in self.post.get(p, ())]
        for _ in range(depth - 1):
            pad = pad[4:]
            out.append(pad + "}")
        return "\n".join(out)

    def innermost(self, p: Any, lines: Any) -> Any:
        """The innermost loop; long sums go by blocks, so that no small number is added to a large one."""
        i, n, sums = self.inner, self.dims[-1], self.clauses.get(p, [])
        clauses = "".join(f" reduction({c}:{n})" for c, n in sums)
        if not sums or n <= 4 * BLOCK:
            return [f"#pragma omp simd{clauses}", f"for (long {i} = 0; {i} < {n}; {i}++) {{", *("    " + x for x in lines), "}"]
        inner, after = [], []
        for c, name in sums:
            inner.append(f"typeof({name}) block_{name} = {name}; {name} = {'0' if c == '+' else 'block_' + name};")
            after += [f"{name} += block_{name};"] * (c == "+")
        loop = [f"#pragma omp simd{clauses}", f"for (long {i} = block; {i} < end; {i}++) {{", *("    " + x for x in lines), "}"]
        return [
            f"for (long block = 0, end; block < {n}; block = end) {{",
            f"    end = {n} - block < {BLOCK} ? {n} : block + {BLOCK};",
            *("    " + x for x in (*inner, *loop, *after)),
            "}",
        ]

    def call(self, text: Any) -> Any:
        e = self.e
        kinds = [f"{ctype(v.dtype)} *restrict {n}" for n, v in self.params.values()]
        ops = "_".join(dict.fromkeys(v.op for v in self.items))[:40]
        name = f"kernel{self.k}_{ops}"
        where = sorted({f"{v.line.file.rsplit('/', 1)[-1]}:{v.line.number}" for v in self.items if v.line})
        kind = "KERNEL" if self.dims or len(self.items) < SOME else "STRAIGHT"
        head = f"// {', '.join(where)}\n{kind} void {name}"
        if not self.dims and len(kinds) > MANY:  # it finds them itself; exp2 is a function of C, exp2_ is none
            own = "\n".join(f"    {e.declared(v, '_')}" for _, v in self.params.values())
            memory = {n: f"{e.name(v)}_" for n, v in self.params.values()}
            body = re.sub(r"@\d+@", lambda m: memory[m[0]], text)
            e.kernels.append(f"{head}(void **leaf, char *arena) {{\n{own}\n{body}\n}}\n")
            return [f"    {name}(leaf, arena);"]
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
        return [f"    {e.texts[key]}({', '.join(e.at(v) for _, v in self.params.values())});"]
