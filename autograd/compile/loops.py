"""Which values get memory and a statement of their own, and which statements share a loop nest.

Everything else is index arithmetic: a view is a map from the indices of its elements to those of its argument, and cheap ops are
computed anew where they are read. An index of an element is a tuple of affine sums of loop variables.
"""

from __future__ import annotations

from itertools import count
from math import prod
from typing import Any

import numpy as np

from ..errors import CompileError
from .program import CHEAP, COSTLY, REDUCE, VIEWS, Value, Values
from .roll import runs

SMALL = 3000  # multiplications: a product of matrices with fewer is a loop of ours, and no call of BLAS
MOST = 200  # statements in a loop nest: what compilers do with a function takes more than so many times as long for more
DEAR = 4  # so many cheap ops that two need are computed once, and kept
LONG = 64  # and so many in any case: formulas do not grow without end
OPERANDS = {"matmul", "conv", "conv_input", "conv_weight", "addrows"}  # which read memory
WHOLE = OPERANDS | {"assemble", "call"}  # statements that are no loop nest of ours


class Sum:
    """An affine sum, `coefficient * name + ... + constant`; names are loop variables or positions that were loaded."""

    __slots__ = ("constant", "terms")

    def __init__(self, terms: Any = (), constant: Any = 0) -> None:
        self.terms, self.constant = tuple(sorted((n, c) for n, c in terms if c)), constant

    def __add__(self, other: Any) -> Any:
        terms = dict(self.terms)
        for n, c in other.terms:
            terms[n] = terms.get(n, 0) + c
        return Sum(terms.items(), self.constant + other.constant)

    def __mul__(self, k: Any) -> Any:
        return Sum([(n, c * k) for n, c in self.terms], self.constant * k)

    def __eq__(self, other: Any) -> bool:
        return self.terms == other.terms and self.constant == other.constant

    def __hash__(self) -> int:
        return hash((self.terms, self.constant))

    def __str__(self) -> str:
        terms = [n if c == 1 else f"{n} * {c}" for n, c in sorted(self.terms, key=lambda t: (-abs(t[1]), t[0]))]
        return " + ".join(terms + [str(self.constant)] * (self.constant != 0 or not terms)).replace("+ -", "- ")


ZERO = Sum()


def variable(name: str) -> Sum:
    """A loop variable, or a position that was loaded."""
    return Sum([(name, 1)])


def long(shape: Any) -> tuple[int, ...]:
    """The lengths that a loop is needed for."""
    return tuple(n for n in shape if n != 1)


def strides(shape: Any) -> Any:
    return [prod(shape[k + 1 :]) for k in range(len(shape))]


def address(index: Any, shape: Any) -> Any:
    total = ZERO
    for i, s, n in zip(index, strides(shape), shape, strict=False):
        total = total + (ZERO if n == 1 else i * s)
    return total


def canonical(shape: Any) -> Any:
    """The index of an element in the loop nest over `shape`; dims of length 1 have no loop."""
    k = count()
    return tuple(ZERO if n == 1 else variable(f"i{next(k)}") for n in shape)


# ---------------------------------------------------------------- views as maps of indices
def regroup(src: Any, dst: Any) -> Any:
    """How a reshape keeps groups of dims together: pairs of dims of the one and of the other with equal products."""
    a, b = [k for k, n in enumerate(src) if n != 1], [k for k, n in enumerate(dst) if n != 1]
    groups = []
    while a:
        s, d = [a.pop(0)], [b.pop(0)]
        while (p := prod(src[k] for k in s)) != (q := prod(dst[k] for k in d)):
            (s if p < q else d).append((a if p < q else b).pop(0))
        groups.append((s, d))
    return groups


def through(v: Any, index: Any) -> Any:
    """The index of the element of a view's argument that is its element at `index`.

    Where a reshape splits a dim that `index` runs over in one, the last of the parts carries all of it and runs beyond its
    length: right for memory, where only the address counts, and for what `carries` allows.
    """
    x = v.args[0]
    if v.op == "permute":
        out: list[Any] = [None] * len(index)
        for i, a in zip(index, v.info[0], strict=False):
            out[a] = i
        return tuple(out)
    if v.op == "expand":
        return broadcast(x, index)
    if v.op == "slice":
        it = iter(index)
        return tuple(Sum((), w) if isinstance(w, int) else next(it) * w[2] + Sum((), w[0]) for w in v.info[0])
    whole = [ZERO] * len(x.shape)
    for s, d in regroup(x.shape, v.shape):
        whole[s[-1]] = address([index[k] for k in d], [v.shape[k] for k in d])
    return tuple(whole)


def broadcast(x: Any, index: Any) -> Any:
    return tuple(ZERO if n == 1 else i for n, i in zip(x.shape, index[len(index) - len(x.shape) :], strict=False))


class Loops:
    def __init__(self, program: Values) -> None:
        self.p = program
        self.fresh = max([v.id for v in program.values], default=0)
        self.anchors: set[int] = set()
        self.own_memory()
        self.outs = {v.id for v in program.outputs if isinstance(v, Value)} | {v.id for _, v in program.writes}
        self.look()
        self.sum_products()
        self.find_anchors()
        self.uncopied()
        self.look()  # a view that was given memory is looked at there
        self.place_all()

    def insert(self, op: Any, args: Any, info: Any, like: Any, shape: Any = None) -> Any:
        self.fresh += 1
        return Value(op, args, info, like.shape if shape is None else shape, like.dtype, self.fresh, like.line)

    def look(self) -> None:
        """What checks look at keeps its memory until then; but what is there before the step can be looked at before."""
        looked_at = [self.base(v) for _, args in self.p.checks for v in args if isinstance(v, Value)]
        self.looked_at_within = [v for v in looked_at if v.op != "leaf"]
        self.outs |= {v.id for v in self.looked_at_within}

    def own_memory(self) -> Any:
        """What is written or returned has memory of its own; operands of products lie in memory as these need them."""
        values, copies = [], {}

        def copied(v: Any) -> Any:
            if v.id not in copies:
                copies[v.id] = self.insert("copy", (v,), (), v)
                values.append(copies[v.id])
            return copies[v.id]

        for v in self.p.values:
            if v.op in OPERANDS:
                v.args = tuple(a if self.lies(a, v) else copied(a) for a in v.args)
            values.append(v)
        self.p.writes = [(leaf, copied(v) if v.op == "leaf" else v) for leaf, v in self.p.writes]
        self.p.outputs = [copied(v) if isinstance(v, Value) and v.op == "leaf" else v for v in self.p.outputs]
        self.p.values = values

    def lies(self, a: Any, v: Value) -> bool:
        """Does an operand lie in memory as a statement needs it: as BLAS can read it for a product, in one piece for others?"""
        if v.op == "matmul":
            try:
                layout(a, self.anchors)
            except CompileError:
                return False
            return True
        while a.op == "reshape" and a.id not in self.anchors:
            a = a.args[0]
        return a.op not in VIEWS or a.id in self.anchors

    def uncopied(self) -> None:
        """A view of a view that was given memory of its own may be read there, and needs no other copy."""
        if not any(v.op == "copy" for v in self.p.values):
            return
        for v in self.p.values:
            if v.op in OPERANDS:
                v.args = tuple(a.args[0] if a.op == "copy" and self.lies(a.args[0], v) else a for a in v.args)
        self.p.prune()

    def sum_products(self) -> None:
        """A sum of products is one product added to another in place."""
        users: dict[int, int] = {}
        for v in self.p.values:
            for a in v.args:
                if isinstance(a, Value):
                    users[a.id] = users.get(a.id, 0) + 1
        self.onto: dict[int, Value] = {}  # product -> the product that it is added to, in its memory
        for v in self.p.values:
            if v.op == "add" and all(
                isinstance(a, Value)
                and a.op == "matmul"
                and len(a.shape) == 2
                and a.shape == v.shape
                and users[a.id] == 1
                and a.id not in self.outs
                for a in v.args
            ):
                x, y = v.args if len(v.args[1].args) == 2 else v.args[::-1]
                if len(y.args) == 2 and y.size * y.args[0].shape[-1] > SMALL:
                    v.op, v.args = "matmul", (*y.args, x)
                    self.onto[v.id] = x
        self.p.prune()

    # ------------------------------------------------------------ what gets a statement of its own
    def base(self, v: Any) -> Any:
        while v.op in VIEWS and v.id not in self.anchors and isinstance(v.args[0], Value):
            v = v.args[0]
        return v

    def find_anchors(self) -> None:
        self.anchors = set()
        users, cost = dict[int, int](), dict[int, int]()
        for v in self.p.values:
            for a in {a.id for a in v.args if isinstance(a, Value)}:
                users[a] = users.get(a, 0) + 1
        for v in self.p.values:
            if (
                v.op in COSTLY | REDUCE | WHOLE
                or v.op == "copy"
                or (v.id in self.outs and v.op != "leaf")
                or (v.shape == () and v.op not in VIEWS | {"leaf"})
            ):
                self.anchors.add(v.id)
            if v.op in WHOLE:
                for a in v.args:
                    b = self.base(a) if v.op in OPERANDS else a
                    if b.op != "leaf":
                        self.anchors.add(b.id)
            if v.op == "reshape" and any(
                len(s) > 1 and not self.carries(v.args[0], s) for s, _ in regroup(v.args[0].shape, v.shape)
            ):
                self.anchors.add(v.args[0].id)
            cost[v.id] = (
                0
                if v.op == "leaf" or v.id in self.anchors
                else (v.op in CHEAP) + sum(cost[a.id] for a in v.args if isinstance(a, Value))
            )
            if v.op in CHEAP and cost[v.id] >= (DEAR if users.get(v.id, 0) > 1 else LONG):  # shared, and dear to compute again
                self.anchors.add(v.id)
                cost[v.id] = 0

    def carries(self, v: Any, dims: Any) -> Any:
        """May the index of the last of `dims` run on beyond its length, in place of the others?"""
        if v.op == "leaf" or v.id in self.anchors:
            return True
        if v.op == "reshape":
            inner = [k for s, d in regroup(v.args[0].shape, v.shape) if set(d) & set(dims) for k in s]
            return len(inner) < 2 or self.carries(v.args[0], inner)
        if v.op in ("permute", "expand", "slice", "unslice", "take", "pick", "onehot"):
            return False
        for a in v.args:
            if isinstance(a, Value):
                own = [k - (len(v.shape) - len(a.shape)) for k in dims]
                lengths = [a.shape[k] if k >= 0 else 1 for k in own]
                if any(n != 1 for n in lengths) and (lengths != [v.shape[k] for k in dims] or not self.carries(a, own)):
                    return False
        return True

    # ------------------------------------------------------------ what a statement reads, and at which index
    def needs(self, v: Any, index: Any, found: Any) -> None:
        if not isinstance(v, Value):
            return
        if v.op == "leaf" or v.id in self.anchors:
            found.append((v, index))
        else:
            self.needs_of(v, index, found)

    def needs_of(self, v: Any, index: Any, found: Any) -> None:
        if v.op in VIEWS:
            self.needs(v.args[0], through(v, index) if isinstance(v.args[0], Value) else (), found)
        elif v.op in ("pick", "take"):
            x, i = v.args
            axis = v.info[0]
            width = 1 if v.op == "pick" else len(i.shape)
            self.needs(i, broadcast(i, index) if v.op == "pick" else index[axis : axis + width], found)
            self.needs(x, (*index[:axis], variable("?"), *index[axis + width :]), found)
        elif v.op == "onehot":
            for a in v.args:
                self.needs(a, broadcast(a, index), found)
        elif v.op == "unslice":
            self.needs(v.args[0], unsliced(v, index)[1], found)
        else:
            for a in v.args:
                if isinstance(a, Value):
                    self.needs(a, broadcast(a, index), found)

    def statement_needs(self, v: Any) -> Any:
        found: list[Any] = []
        if v.op in WHOLE:
            return [(self.base(a) if v.op != "assemble" and v.op != "call" else a, None) for a in v.args]
        if v.op in REDUCE:
            self.needs(v.args[0], canonical(v.args[0].shape), found)
        else:
            self.needs_of(v, canonical(v.shape), found)
        return found

    @staticmethod
    def domain(v: Any) -> Any:
        return v.args[0].shape if v.op in REDUCE else v.shape

    def row_reduction(self, v: Any) -> Any:
        """Is it a reduction over just the innermost loop, whose result the rest of the row may use?"""
        dims = [k for k, n in enumerate(self.domain(v)) if n != 1]
        return v.op in REDUCE and len(dims) > 1 and v.info[0] == (dims[-1],)

    def given_at(self, v: Any) -> Any:
        """The index at which the value is there for the same loop nest; None if only after it."""
        index = canonical(self.domain(v))
        if v.op not in REDUCE:
            return index
        return tuple(ZERO if k in v.info[0] else i for k, i in enumerate(index)) if self.row_reduction(v) else None

    # ------------------------------------------------------------ loop nests
    def place_all(self) -> None:
        """Each statement joins the first loop nest of its shape where all it reads is there; nests run in the order of the list.

        What only feeds writes, as an optimizer's rule does, comes last, so that it can write in place.
        """
        self.groups: list[Group] = []
        self.group: dict[int, int] = {}
        self.phase: dict[int, int] = {}  # in which run of the innermost loop: sums of a row are there in the next
        self.last_read: dict[int, int] = {}
        statements = [v for v in self.p.values if v.id in self.anchors]
        self.turn = self.turns(statements)
        self.reads = {v.id: self.statement_needs(v) for v in statements}
        written = {v.id: leaf for leaf, v in self.p.writes}
        used, late = set(), set()
        for v in reversed(statements):
            if v.id in written and v.id not in used and v.shape != ():
                late.add(v.id)
            else:
                used |= {x.id for x, _ in self.reads[v.id]}
        for v in sorted(statements, key=lambda v: v.id in late):
            first = max([self.group[x.id] for x, _ in self.reads[v.id] if x.op != "leaf"], default=0)
            if v.id in late:
                first = max(first, self.last_read.get(written[v.id].id, 0))
            k = self.group[v.id] = self.place(v, first, v.id in late)
            for x, _ in self.reads[v.id]:
                self.last_read[x.id] = max(self.last_read.get(x.id, 0), k)
        self.postpone(statements)
        for k, g in enumerate(self.groups):
            for n, v in enumerate(g.items):  # without a loop, one after the other
                before = [x for x, _ in self.reads[v.id] if self.group.get(x.id) == k]
                self.phase[v.id] = max([self.phase[x.id] + (x.op in REDUCE) for x in before], default=0) if g.dims else n

    def place(self, v: Any, first: Any, late: Any) -> Any:
        dims, turn = self.nest(v)
        for k in range(first, len(self.groups)) if v.op not in WHOLE else ():
            if self.fits(v, dims, turn, self.groups[k], late) and all(
                x.op == "leaf" or self.group[x.id] < k or self.given_at(x) == i for x, i in self.reads[v.id]
            ):
                self.groups[k].items.append(v)
                return k
        self.groups.append(Group(v.op if v.op in WHOLE else "loop", dims, v, late, turn))
        return len(self.groups) - 1

    def nest(self, v: Value) -> tuple[Any, Any]:
        """The loops that a statement needs, and of which repetition it is."""
        return () if v.op in WHOLE else long(self.domain(v)), self.turn.get(v.id, (0, 0, 0))[:2]

    def fits(self, v: Value, dims: Any, turn: Any, g: Group, late: bool) -> bool:
        """Has that loop nest these loops, and room?"""
        if g.kind != "loop" or g.late != late or g.turn != turn or len(g.items) == MOST:
            return False
        return dims == g.dims or (len(g.dims) > 1 and dims == g.dims[:-1] and not late and not self.row_reduction(v))

    def postpone(self, statements: Any) -> None:
        """What only later loop nests read, as what backward needs of forward, is computed in the first of them, and need not lie
        in memory until then, if all that it reads is there still for others, and is no more than to write and read it is."""
        readers: dict[int, list[tuple[Value, Any]]] = {}
        for v in statements:
            for x, index in self.reads[v.id]:
                readers.setdefault(x.id, []).append((v, index))
        for v in reversed(statements):
            k = self.group[v.id]
            then = min([self.group[w.id] for w, _ in readers.get(v.id, ())], default=k)
            g, given = self.groups[then], self.given_at(v)
            if then == k or v.op in WHOLE or self.groups[k].late or not self.fits(v, *self.nest(v), g, False):
                continue
            read = {x.id: x for x, _ in self.reads[v.id]}.values()
            less = sum(x.size * x.dtype.itemsize for x in read) <= 2 * v.size * v.dtype.itemsize
            same = all(index == given for w, index in readers[v.id] if self.group[w.id] == then)
            if less and same and all(x.op == "leaf" or self.last_read[x.id] >= then for x in read):
                self.groups[k].items.remove(v)
                g.items.insert(0, v)  # before what reads it
                self.group[v.id] = then
                self.last_read |= {x.id: max(self.last_read[x.id], then) for x in read}
        kept = [k for k, g in enumerate(self.groups) if g.items]
        if len(kept) < len(self.groups):
            number = {k: n for n, k in enumerate(kept)}
            self.groups = [self.groups[k] for k in kept]
            self.group = {i: number[k] for i, k in self.group.items()}
            self.last_read = {i: number[k] for i, k in self.last_read.items()}

    # ------------------------------------------------------------ what repeats, as the steps of a sequence do
    def turns(self, statements: Any) -> Any:
        """Of each statement that repeats: which run it is in, at which repetition of it and at which place there.

        Only those of one repetition share a loop nest, so that all repetitions are alike and can be rolled into one loop.
        """
        kinds, numbers = dict[Any, int](), dict[int, int]()

        def number(x: Any) -> Any:
            return numbers[x.id] if isinstance(x, Value) else x

        for v in self.p.values:  # alike but for which values they read, and where in these
            of = [kinds.setdefault(("read", a.shape, a.dtype), len(kinds)) if self.stored(a) else number(a) for a in v.args]
            fixed = [lengths_only(w) for w in v.info[0]] if v.op in ("slice", "unslice") else v.info if v.op != "leaf" else ()
            kind = v.op, v.shape, v.dtype, repr(fixed), *map(repr, of)
            numbers[v.id] = kinds.setdefault(kind, len(kinds))
        found: dict[int, tuple[int, int, int]] = {}
        for r, (start, period, length) in enumerate(runs([numbers[v.id] for v in statements]), 1):
            first = max(range(period), key=lambda k: self.begins(statements, start + k))
            for k in range((length - first) // period * period):
                found[statements[start + first + k].id] = r, k // period, k % period
        return found

    def stored(self, v: Any) -> bool:
        return isinstance(v, Value) and (v.op == "leaf" or v.id in self.anchors)

    def begins(self, statements: Any, k: int) -> int:
        """How good a place it is for a repetition to begin, as nothing is shared over it: a product is best."""
        v, last = statements[k], statements[k - 1]
        return 2 * (v.op in WHOLE) + (v.op in WHOLE or last.op in WHOLE or long(self.domain(v)) != long(self.domain(last)))


def placed(index: Any, place: Any) -> Any:
    """The index in the whole of an element of a part."""
    it = iter(index)
    return tuple(Sum((), w) if isinstance(w, int) else next(it) * w[2] + Sum((), w[0]) for w in place)


class Group:
    """A loop nest over `dims` and the statements in it, or one statement that is no loop nest of ours."""

    def __init__(self, kind: Any, dims: Any, item: Any, late: Any, turn: Any) -> None:
        self.kind, self.dims, self.items, self.late, self.turn = kind, dims, [item], late, turn


def lengths_only(where: Any) -> Any:
    """A slice without where it begins."""
    return "one" if isinstance(where, int) else (len(range(*where)), where[2])


def unsliced(v: Any, index: Any) -> Any:
    """The condition under which an element of a zero-padded copy is one of its argument's, and which."""
    conditions, inner = [], []
    for i, w, n in zip(index, v.info[0], v.shape, strict=False):
        if isinstance(w, int):
            conditions.append(f"{i} == {w}")
            continue
        a, b, step = w
        if step != 1:
            raise CompileError("the gradient of a slice with steps")
        conditions += [f"{i} >= {a}"] * (a > 0) + [f"{i} < {b}"] * (b < n)
        inner.append(i + Sum((), -a))
    return " && ".join(conditions) or "1", tuple(inner)


def along(a: Any, k: int, other: int) -> bool:
    """Do the elements along dim k lie side by side, and those along the other dim further apart, or as if?"""
    return (a.shape[k] == 1 or a.strides[k] == 1) and (a.shape[other] == 1 or a.strides[other] >= a.shape[k])


def layout(v: Any, anchors: Any) -> Any:
    """A view as its memory, an offset and strides: what BLAS can read in place. CompileError if it is no such thing."""
    chain = []
    while v.op in VIEWS and v.id not in anchors and isinstance(v.args[0], Value):
        chain.append(v)
        v = v.args[0]
    if not chain:
        return v, 0, strides(v.shape)
    a = memory = np.empty(v.shape, np.int8)
    for w in reversed(chain):
        if w.op == "reshape":
            a = a.reshape(w.shape)
        elif w.op == "permute":
            a = a.transpose(w.info[0])
        elif w.op == "slice":
            a = a[(*(s if isinstance(s, int) else slice(s[0], None if s[1] < 0 else s[1], s[2]) for s in w.info[0]), ...)]
        else:
            a = np.broadcast_to(a, w.shape)
    if not np.may_share_memory(a, memory):
        raise CompileError("a product of a reshape that needs a copy")
    if len(a.shape) > 1 and not any(along(a, k, -3 - k) for k in (-1, -2)):
        raise CompileError("a product of a matrix that neither lies by rows nor by columns")
    return v, a.__array_interface__["data"][0] - memory.__array_interface__["data"][0], list(a.strides)
