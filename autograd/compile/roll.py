"""What repeats in a sequence, and lines of C that repeat, with numbers that move by constant steps, as a loop.

Rolling loses nothing: the loop, written out, is the lines that it stands for, letter by letter but for comments.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import NamedTuple

LEAST = 8  # so many times at least must something repeat
TURNS = 1, 2, 4  # memory that is used in turn: so many repetitions may be the body of one loop
PERIODS = 16, 256, 10**9  # what repeats after so many tokens at most is looked for first
AHEAD = 8  # so many places where a token comes again are tried as the period
NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")


class Run(NamedTuple):
    """`length` tokens from `start` on, each the same as the one `period` before it."""

    start: int
    period: int
    length: int


def runs(tokens: Sequence[Hashable]) -> list[Run]:
    """What repeats at least LEAST times, from left to right: short periods first, so that a loop within a loop is found."""
    places: dict[Hashable, list[int]] = {}
    rank = []  # of each place among those of its token
    for i, token in enumerate(tokens):
        found = places.setdefault(token, [])
        rank.append(len(found))
        found.append(i)
    n, taken, all_found = len(tokens), bytearray(len(tokens) + 1), list[Run]()
    for longest in PERIODS:
        differs: dict[int, int] = {}  # of a period: the first place that was found where it breaks
        i = 0
        while i < n:
            for j in () if taken[i] else places[tokens[i]][rank[i] + 1 : rank[i] + 1 + AHEAD]:
                if (p := j - i) > longest:
                    break
                if (end := differs.get(p, -1)) < i:
                    end = i
                    while end + p < n and tokens[end] == tokens[end + p] and not taken[end] and not taken[end + p]:
                        end += 1
                    differs[p] = end
                if end + p - i >= LEAST * p:
                    all_found.append(Run(i, p, end + p - i))
                    taken[i : end + p] = b"\1" * (end + p - i)
                    i = end + p - 1
                    break
            i += 1
    return sorted(all_found)


def rolled(lines: Sequence[str]) -> list[str]:
    """The lines, with loops in the place of those that repeat; loops of loops as well."""
    found, depth = list(lines), 0
    while len(shorter := once_rolled(found, f"t{depth}")) < len(found):
        found, depth = shorter, depth + 1
    return [plainer(line) for text in found for line in text.split("\n")]


def once_rolled(lines: Sequence[str], name: str) -> list[str]:
    """The lines with loops over a variable, each as one text."""
    code = [line.split("  //")[0] if "\n" not in line else line for line in lines]
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
            body = [moving(code[k], numbers[k], numbers[k + size], name) for k in range(i, i + size)]
            inside = [f"    {line}" for text in body for line in text.split("\n")]
            out.append("\n".join([f"    for (long {name} = 0; {name} < {count}; {name}++) {{", *inside, "    }"]))
            i += size * count
        done = end
    return out + list(lines[done:])


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
    steps = zip(first, second, strict=True)

    def at(match: re.Match[str]) -> str:
        a, b = next(steps)
        return match[0] if a == b else f"({a} {'+' if b > a else '-'} {name} * {abs(b - a)})"

    return NUMBER.sub(at, line)
