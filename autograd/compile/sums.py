"""Long sums of products, as the gradient of a weight that each step uses, and sums of rows: as one, over the rows of all steps.

g1.T @ h1 + g2.T @ h2 + ... = [g1; g2; ...].T @ [h1; h2; ...],    g1.sum(0) + g2.sum(0) + ... = [g1; g2; ...].sum(0)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from .program import Value, Values

MANY = 4  # so many at least are worth it


def gather(p: Values) -> None:
    """Change the long sums of a program."""
    users = Counter(a.id for v in p.values for a in v.args if isinstance(a, Value))
    ends = {v.id for v in (*p.outputs, *(v for _, v in p.writes)) if isinstance(v, Value)}
    inner = {a.id for v in p.values if v.op == "add" for a in v.args if is_sum(a, v, users, ends)}
    values, p.values = p.values, []
    for v in values:
        if v.op == "add" and v.id not in inner and v.dtype.kind == "f":
            terms = list(terms_of(v, users, ends))
            for rows_of in (rows_of_product, rows_of_sum):
                found = [t for t in terms if users[t.id] == 1 and t.id not in ends and rows_of(t)]
                if len(found) >= MANY:
                    p.line = v.line
                    terms = [*(t for t in terms if t not in found), one(p, found, rows_of)]
                    replace(p, v, terms)
        p.values.append(v)
    p.prune()


def is_sum(a: Any, whole: Value, users: Counter[int], ends: set[int]) -> bool:
    """Is it a sum that only a larger one of the same shape needs?"""
    return isinstance(a, Value) and a.op == "add" and a.shape == whole.shape and users[a.id] == 1 and a.id not in ends


def terms_of(v: Value, users: Counter[int], ends: set[int]) -> Iterator[Any]:
    """What is added, in the order of the program; shapes are those of the sum, or it is no such sum."""
    found, stack = list[Value](), [v]
    while stack:
        for a in stack.pop().args:
            if not isinstance(a, Value) or a.shape != v.shape:
                return iter(())
            (stack if is_sum(a, v, users, ends) else found).append(a)
    return iter(sorted(found, key=lambda a: a.id))


def rows_of_product(v: Value) -> Any:
    """g and h of a product g.T @ h of matrices."""
    if v.op == "matmul" and len(v.shape) == 2 and v.args[0].op == "permute":
        return v.args[0].args[0], v.args[1]
    return None


def rows_of_sum(v: Value) -> Any:
    """g of a sum of its rows."""
    while v.op == "reshape":
        v = v.args[0]
    return v.args if v.op == "sum" and v.info == ((0,),) and len(v.args[0].shape) == 2 else None


def one(p: Values, terms: list[Value], rows_of: Any) -> Value:
    """All these terms as one."""
    joined = []
    for parts in zip(*map(rows_of, terms), strict=True):
        ends, at = [], 0
        for part in parts:
            ends.append(((at, at + part.shape[0], 1), (0, part.shape[1], 1)))
            at += part.shape[0]
        joined.append(p.assemble(parts, ends, (at, parts[0].shape[1]), parts[0].dtype))
    if len(joined) == 2:
        return p.matmul(p.permute(joined[0], (1, 0)), joined[1])
    return p.reshape(p.reduce("sum", joined[0], (0,), False), terms[0].shape)


def replace(p: Values, v: Value, terms: list[Value]) -> None:
    """Make of `v` the sum of these."""
    *rest, last = terms
    for t in rest[1:]:
        rest[0] = p.elementwise("add", rest[0], t, dtype=v.dtype)
    v.op, v.args, v.info = ("add", (rest[0], last), ()) if rest else (last.op, last.args, last.info)
