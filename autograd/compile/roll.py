"""What repeats in a sequence, and lines of C that repeat, with numbers that move by constant steps, as a loop.

Rolling loses nothing: the loop, written out, is the lines that it stands for, letter by letter but for names in comments.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

LEAST = 8  # so many times at least must something repeat
TURNS = 1, 2, 4  # memory that is used in turn: so many repetitions may be the body of one loop
AHEAD = 8  # so many places where a token comes again are tried as the period
NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")


class Run(NamedTuple):
    """`length` tokens from `start` on, each the same as the one `period` before it."""

    start: int
    period: int
    length: int


def runs(tokens: Sequence[Hashable]) -> Iterator[Run]:
    """What repeats at least LEAST times, from left to right, of the shortest period that does."""
    places: dict[Hashable, list[int]] = {}
    rank = []  # of each place among those of its token
    for i, token in enumerate(tokens):
        found = places.setdefault(token, [])
        rank.append(len(found))
        found.append(i)
    differs: dict[int, int] = {}  # of a period: the first place that was found where it breaks
    i, n = 0, len(tokens)
    while i < n:
        for j in places[tokens[i]][rank[i] + 1 : rank[i] + 1 + AHEAD]:
            p = j - i
            if (end := differs.get(p, -1)) < i:
                end = i
                while end + p < n and tokens[end] == tokens[end + p]:
                    end += 1
                differs[p] = end
            if end + p - i >= LEAST * p:
                yield Run(i, p, end + p - i)
                i = end + p - 1
                break
        i += 1


def rolled(lines: Sequence[str], depth: int = 0) -> list[str]:
    """The lines, with loops in the place of those that repeat; loops of loops as well."""
    code = [line.split("  //")[0] for line in lines]
    numbers = [list(map(int, NUMBER.findall(line))) for line in code]
    out, done = list[str](), 0
    for run in runs([NUMBER.sub("#", line) for line in code]):
        i, end = run.start, run.start + run.length
        out += lines[done:i]
        while i < end:
            size, count = max((loop_at(numbers, i, end, run.period * k) for k in TURNS), key=lambda found: found[0] * found[1])
            if count < 3 or size * count < LEAST * run.period:
                out.append(lines[i])
                i += 1
                continue
            body = [moving(lines[k], numbers[k], numbers[k + size], f"t{depth}") for k in range(i, i + size)]
            inside = [f"    {line}" for text in body for line in text.split("\n")]
            head = f"    for (long t{depth} = 0; t{depth} < {count}; t{depth}++) {{"
            out.append("\n".join([head, *inside, "    }"]))
            i += size * count
        done = end
    out += lines[done:]
    return rolled(out, depth + 1) if len(out) < len(lines) else [plainer(line) for line in out]


def plainer(line: str) -> str:
    """Without zeros that are added."""
    return re.sub(r"\((\w+)\)\[", r"\1[", re.sub(r"\(0 \+ ", "(", re.sub(r" \+ 0(?=[,)])", "", line)))


def loop_at(numbers: Sequence[list[int]], start: int, end: int, size: int) -> tuple[int, int]:
    """How many times `size` lines from `start` on repeat with numbers that move by constant steps: size and count."""
    count = min(2, (end - start) // size)
    while start + (count + 1) * size <= end and all(
        c - b == b - a
        for k in range(start + (count - 2) * size, start + (count - 1) * size)
        for a, b, c in zip(numbers[k], numbers[k + size], numbers[k + 2 * size], strict=True)
    ):
        count += 1
    return size, count


def moving(line: str, first: list[int], second: list[int], name: str) -> str:
    """A line in which each number that moves is said by the loop's variable."""
    code, note = (line.split("  //") + [""])[:2]
    steps = zip(first, second, strict=True)

    def at(match: re.Match[str]) -> str:
        a, b = next(steps)
        return match[0] if a == b else f"({a} {'+' if b > a else '-'} {name} * {abs(b - a)})"

    code = NUMBER.sub(at, code)
    return f"{code}  //{note}" if note else code
