"""Where values live: in the memory of the state that they replace, as a part of a larger one, or in one arena, reused."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .loops import canonical
from .program import REDUCE, Value
from .roll import TURNS

LINE = 64  # bytes: nothing shares a cache line


def padded(n: Any) -> Any:
    return -(-n // LINE) * LINE


class Memory:
    """`where` says for each statement with memory: ("leaf", leaf), ("part", whole, place), ("out", k) or ("arena", offset).

    Values that repeat lie in memory one after the other, or in turn in the same few places: `slots` says of each in which array,
    that of the first, and how many elements behind it.
    """

    def __init__(self, loops: Any) -> None:
        self.loops = loops
        self.where: dict[int, Any] = {}
        self.slots: dict[int, tuple[Any, int]] = {}
        self.copies: list[Any] = []
        p, groups, group = loops.p, loops.groups, loops.group
        uses, end = dict[int, set[int]](), len(groups)
        for i, reads in loops.reads.items():
            for x, _ in reads:
                uses.setdefault(x.id, set()).add(group[i])
        leaves: dict[int, list[Any]] = {}
        for leaf, v in p.writes:
            leaves.setdefault(v.id, []).append(leaf)
        parts = self.parts_of_wholes(uses)
        begun: dict[int, int] = {}
        for i in parts:
            at = i
            while at in parts:
                at = parts[at][0].id
                begun[at] = min(begun.get(at, end), group[i])
                uses.setdefault(at, set()).update(uses.get(i, ()))
        results = {v.id: k for k, v in enumerate(p.outputs) if isinstance(v, Value)}
        spans = []
        for v in p.values:
            if v.id not in loops.anchors:
                continue
            k, out, away = group[v.id], v.id in loops.outs, {g for g in uses.get(v.id, ()) if g != group[v.id]}
            for leaf in leaves.get(v.id, ()):
                if v.id not in self.where and self.may_replace(v, leaf, k):
                    self.where[v.id] = "leaf", leaf
                else:
                    self.copies.append((leaf, v))
            if v.id in self.where:
                continue
            if v.id in parts:
                self.where[v.id] = "part", *parts[v.id]
                continue
            begin = min(k, begun.get(v.id, k))
            if v.id in results:
                self.where[v.id] = "out", results[v.id]
                continue
            row = v.op not in REDUCE or loops.row_reduction(v)
            if away or out or groups[k].kind != "loop" or not row:
                spans.append((v, begin, end if out else max([k, *away])))
        self.arena(spans)

    def may_replace(self, v: Any, leaf: Any, k: Any) -> Any:
        """Is everybody else done with what `leaf` holds, or reads just the element that is replaced?"""
        loops = self.loops
        if (
            not loops.groups[k].late
            or loops.groups[k].kind != "loop"
            or v.op in REDUCE
            or v.shape == ()
            or loops.last_read.get(leaf.id, -1) > k
        ):
            return False
        return all(i == canonical(leaf.shape) for w in loops.groups[k].items for x, i in loops.reads[w.id] if x is leaf)

    def parts_of_wholes(self, uses: Any) -> Any:
        """Values that are computed right where they belong in an assembled one, as all that read them can read them there."""
        loops, found = self.loops, dict[int, Any]()
        kinds = [g.kind for g in loops.groups]
        added = {*loops.onto, *loops.onto.values()}
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

    def arena(self, spans: Any) -> None:
        """Linear scan: each value takes the tightest gap that is free during its life."""

        def root(i: int) -> int:
            return root(self.loops.onto[i]) if i in self.loops.onto else i

        ends: dict[int, int] = {}
        for v, _, b in spans:
            ends[root(v.id)] = max(ends.get(root(v.id), 0), b)
        self.size = 0
        free, live = list[Any](), list[Any]()
        lives = [(v, a, ends[v.id]) for v, a, _ in spans if root(v.id) == v.id and v.id not in self.where]
        for members, count, a, b in sorted(self.families(lives), key=lambda f: f[2]):
            for s in [s for s in live if s[0] < a]:
                live.remove(s)
                free.append(s[1:])
            free = merged(free)
            first = members[0]
            each = padded(first.size * first.dtype.itemsize)
            need = each * count
            fit = min(((n, o) for o, n in free if n >= need), default=None)
            if fit:
                n, o = fit
                free.remove((o, n))
                free += [(o + need, n - need)] * (n > need)
            else:
                o, self.size = self.size, self.size + need
            for k, v in enumerate(members):
                self.where[v.id] = "arena", o + k % count * each
                if k:
                    self.slots[v.id] = first, k % count * (each // v.dtype.itemsize)
            live.append((b, o, need))
        for i in self.loops.onto:
            self.where[i] = self.where[root(i)]

    def families(self, lives: Any) -> Any:
        """Values that repeat, together: in how many places in turn, and from when to when they live."""
        found: dict[Any, list[Any]] = {}
        for v, a, b in lives:
            run, _, place = self.loops.turn.get(v.id, (0, 0, v.id))
            found.setdefault((run, place), []).append((v, a, b))
        for family in found.values():
            turns = [n for n in TURNS if all(one[2] < two[1] for one, two in zip(family, family[n:], strict=False))]
            count = min([*turns[:1], len(family)])
            yield [v for v, _, _ in family], count, min(a for _, a, _ in family), max(b for _, _, b in family)

    def extra(self, n: Any) -> Any:
        """Memory for the machinery: sums in parts, patches of images."""
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


def merged(gaps: Any) -> Any:
    out: list[Any] = []
    for o, n in sorted(gaps):
        if out and sum(out[-1]) == o:
            out[-1] = out[-1][0], out[-1][1] + n
        else:
            out.append((o, n))
    return out
