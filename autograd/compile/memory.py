"""Where values live: in the memory of the state that they replace, as a part of a larger one, or in one arena, reused."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any

from .loops import canonical, long
from .program import REDUCE, Value
from .roll import TURNS

LINE = 64  # bytes: nothing shares a cache line
LEAST = 65  # bytes of a value for which another's memory is looked for, as it takes time
MOST = 300  # values, beyond which it would take long to find the best place for each


def padded(n: Any) -> Any:
    return -(-n // LINE) * LINE


class Memory:
    """`where` says for each statement with memory: ("leaf", leaf), ("part", whole, place), ("out", k) or ("arena", offset).

    What a statement computes element by element may lie where it has just read a value that nobody needs any more, be that a
    leaf or a value of this step: `home` says of each such which one had that memory first. Values that repeat lie in memory one
    after the other, or in turn in the same few places: `slots` says of each in which array, that of the first, and how many
    elements behind it.
    """

    def __init__(self, loops: Any) -> None:
        self.loops = loops
        self.where: dict[int, Any] = {}
        self.home: dict[int, Value] = {}
        self.slots: dict[int, tuple[Any, int]] = {}
        self.copies: list[Any] = []
        p, groups, group = loops.p, loops.groups, loops.group
        uses, end = dict[int, set[int]](), len(groups)
        self.readers: dict[int, list[tuple[int, Any]]] = {}  # of a value: which statements, and at which index
        for i, reads in loops.reads.items():
            for x, index in reads:
                uses.setdefault(x.id, set()).add(group[i])
                self.readers.setdefault(x.id, []).append((i, index))
        leaves: dict[int, list[Any]] = {}
        for leaf, v in p.writes:
            leaves.setdefault(v.id, []).append(leaf)
        self.parts = self.parts_of_wholes(uses)
        begun: dict[int, int] = {}
        self.pieces: dict[int, list[int]] = {}
        for i in self.parts:
            for whole in self.wholes(i):
                self.pieces.setdefault(whole.id, []).append(i)
                begun[whole.id] = min(begun.get(whole.id, end), group[i])
                uses.setdefault(whole.id, set()).update(uses.get(i, ()))
        lives = []
        for v in p.values:
            if v.id not in loops.anchors:
                continue
            k, out, away = group[v.id], v.id in loops.outs, {g for g in uses.get(v.id, ()) if g != group[v.id]}
            for leaf in leaves.get(v.id, ()):
                late = groups[k].late and loops.last_read.get(leaf.id, -1) <= k
                if v.id not in self.where and late and self.may_replace(v, leaf, k):
                    self.where[v.id], self.home[v.id] = ("leaf", leaf), leaf
                else:
                    self.copies.append((leaf, v))
            if v.id in self.where:
                continue
            if v.id in self.parts:
                self.where[v.id] = "part", *self.parts[v.id]
                continue
            row = v.op not in REDUCE or loops.row_reduction(v)
            if away or out or groups[k].kind != "loop" or not row:
                lives.append((v, min(k, begun.get(v.id, k)), end if out else max([k, *away])))
        lives = self.inherited(lives)
        self.arena([life[:3] for life in lives if life[3] is None])
        self.where |= {v.id: ("out", k) for v, _, _, k in lives if k is not None}
        for i, first in self.home.items():
            if i not in self.where:
                self.where[i] = self.where[first.id]

    def wholes(self, i: int) -> Iterator[Value]:
        """What a value is a part of, and what that is a part of."""
        while i in self.parts:
            yield (whole := self.parts[i][0])
            i = whole.id

    def may_replace(self, v: Value, x: Value, k: int) -> bool:
        """Does all that reads `x` in loop nest `k` read just the element in whose place `v` is written then, and not later?"""
        loops = self.loops
        g, alike = loops.groups[k], (x.shape, x.dtype) == (v.shape, v.dtype)
        if g.kind != "loop" or loops.group[v.id] != k or v.op in REDUCE or not alike or long(v.shape) != g.dims:
            return False
        here = [(i, index) for i, index in self.readers.get(x.id, ()) if loops.group[i] == k]
        if any(index != canonical(x.shape) or loops.phase[i] > loops.phase[v.id] for i, index in here):
            return False
        return all(loops.group[i] != k for piece in self.pieces.get(x.id, ()) for i, _ in self.readers.get(piece, ()))

    def inherited(self, lives: Any) -> Any:
        """Of values that lie one after the other in the same memory: the first, from when to when, and which of all it is that
        is returned."""
        lives = sorted(lives, key=lambda life: life[1])
        results = {v.id: k for k, v in enumerate(self.loops.p.outputs) if isinstance(v, Value)}
        dying: dict[int, list[Value]] = {}
        for v, a, b in lives:
            if a < b and v.size * v.dtype.itemsize >= LEAST:
                dying.setdefault(b, []).append(v)
        found: dict[int, list[Any]] = {}
        for v, a, b in lives:
            x = self.loops.onto.get(v.id) or next((x for x in reversed(dying.get(a, [])) if self.may_replace(v, x, a)), None)
            if x is None:
                found[v.id] = [v, a, b, results.get(v.id)]
                continue
            if x in dying.get(a, ()):
                dying[a].remove(x)
            self.home[v.id] = first = self.home.get(x.id, x)
            found[first.id][2:] = b, results.get(v.id)
        return [*found.values()]

    def parts_of_wholes(self, uses: Any) -> Any:
        """Values that are computed right where they belong in an assembled one, as all that read them can read them there."""
        loops, found = self.loops, dict[int, Any]()
        kinds = [g.kind for g in loops.groups]
        added = {*loops.onto, *(x.id for x in loops.onto.values())}
        anyhow: dict[int, bool] = {}  # may it lie in pieces?
        for i, reads in loops.reads.items():
            for x, index in reads:
                fits = kinds[loops.group[i]] == "loop" and within(index, x.shape, loops.groups[loops.group[i]].dims)
                anyhow[x.id] = anyhow.get(x.id, True) and (fits or kinds[loops.group[i]] == "assemble")
        for whole in loops.p.values:
            if whole.op == "assemble":
                times = Counter(part.id for part in whole.args)
                for part, place in zip(whole.args, whole.info[0], strict=False):
                    if (k := loops.group.get(part.id)) is None or part.id in found or part.id in loops.outs | added:
                        continue
                    piece = contiguous(place, whole.shape)
                    simple = kinds[k] == "loop" or (piece and kinds[k] in ("matmul", "assemble"))
                    if simple and part.op not in REDUCE and times[part.id] == 1 and (piece or anyhow[part.id]):
                        found[part.id] = whole, place
        return found

    def arena(self, lives: Any) -> None:
        """The largest values first, each in the tightest gap between those that live when it does; beyond MOST of them, just
        those of one size share memory."""
        self.size = 0
        taken: list[tuple[int, int, int, int]] = []  # in order: from where to where, from when to when
        ended: dict[int, list[tuple[int, int]]] = {}  # of those of one size: until when a place is taken, and which
        for n, (need, a, b, each, members) in enumerate(sorted(self.families(lives), key=lambda f: (-f[0], f[1]))):
            if n < MOST:
                o = gap(need, (t for t in taken if t[2] <= b and a <= t[3]))
                insort(taken, (o, o + need, a, b))
            else:
                places = ended.setdefault(need, [])
                o = heappop(places)[1] if places and places[0][0] < a else self.size
                heappush(places, (b, o))
            self.size = max(self.size, o + need)
            for k, v in enumerate(members):
                self.where[v.id] = "arena", o + k * each % need
                if k:
                    self.slots[v.id] = members[0], k * each % need // v.dtype.itemsize

    def families(self, lives: Any) -> Iterator[tuple[int, int, int, int, list[Value]]]:
        """Values that repeat, together: how much memory, from when to when, how much of it for each, which lie there in turn."""
        found: dict[Any, list[Any]] = {}
        for v, a, b in lives:
            run, _, place = self.loops.turn.get(v.id, (0, 0, v.id))
            found.setdefault((run, place), []).append((v, a, b))
        for family in found.values():
            turns = [n for n in TURNS if all(one[2] < two[1] for one, two in zip(family, family[n:], strict=False))]
            count, first = min([*turns[:1], len(family)]), family[0][0]
            each = padded(first.size * first.dtype.itemsize)
            yield count * each, min(a for _, a, _ in family), max(b for _, _, b in family), each, [v for v, _, _ in family]

    def extra(self, n: Any) -> Any:
        """Memory for the machinery, to its end."""
        o, self.size = self.size, self.size + padded(n)
        return o


def within(index: Any, shape: Any, dims: Any) -> bool:
    """Is each index of an element within its dim, while the loops over `dims` run? Not, where one stands for several."""
    ends = {f"i{k}": n - 1 for k, n in enumerate(dims)}
    for i, n in zip(index, shape, strict=True):
        reach = [c * ends.get(name, n) for name, c in i.terms]
        if i.constant + sum(min(r, 0) for r in reach) < 0 or i.constant + sum(max(r, 0) for r in reach) >= n:
            return False
    return True


def contiguous(place: Any, shape: Any) -> bool:
    """Is this part of a value one piece of its memory?"""
    cut = [k for k, (w, n) in enumerate(zip(place, shape, strict=True)) if w != (0, n, 1)]
    alone = [isinstance(w, int) or len(range(*w)) == 1 for w in place]
    return all(alone[: cut[-1]]) and (alone[cut[-1]] or place[cut[-1]][2] == 1) if cut else True


def gap(need: int, taken: Any) -> int:
    """Where the tightest gap between these is that is large enough; behind them all, if none is."""
    at, tightest = 0, list[tuple[int, int]]()
    for begin, end, *_ in taken:
        tightest += [(begin - at, at)] * (begin - at >= need)
        at = max(at, end)
    return min(tightest, default=(0, at))[1]
