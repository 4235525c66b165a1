"""The derivation: the chain rule of a recorded backward, step by step, in the user's names and in numbers."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ArgumentError
from .differences import Difference, difference
from .formula import Latex, forward, in_latex, in_short, latex, latex_numbers, matrix, numbers, rule, shapes
from .record import Backward, Contribution, Event, Recording, Value
from .symbols import short


class Term(NamedTuple):
    """A contribution as a line: what is added to which gradient, as a formula, with numbers or shapes, and what that makes."""

    to: str
    plus: bool  # is there something that it is added to?
    formula: str
    numeric: str  # "" if that would say nothing more
    fitted: str  # what the engine does to it: "summed over axis 0"
    result: str

    def __str__(self) -> str:
        return " = ".join(part for part in (self.formula, self.numeric, self.result) if part) + f"  ({self.fitted})" * bool(
            self.fitted
        )


def term(one: Contribution) -> Term:
    """The line for a contribution."""
    formula = rule(one)
    text = formula or f"rule of {one.event.name}"
    numbered = "" if formula is None else rule(one, numbers) or ""
    if "@" in text:
        numbered = rule(one, shapes) or ""
    result = in_short(one.fitted)
    again = numbered in (text, result) or (one.d.array.size != 1 and "@" not in text)
    return Term(one.to.symbol, one.total is not None, text, "" if again else numbered, fitting(one), result)


def fitting(one: Contribution) -> str:
    """What the engine does to what a rule returned, to make it look like what it is the gradient of."""
    axes = one.summed
    parts = [
        f"summed over {'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))}, as {one.to.symbol} was broadcast"
    ] * bool(axes)
    return "; ".join(parts + [f"cast to {one.cast}"] * (one.cast is not None))


class Derivation:
    """The chain rule of one backward, as text (`str`), LaTeX and HTML; see `autograd.explain`."""

    def __init__(self, tape: Recording, backward: Backward, to: Iterable[Value] = (), limit: int = 100) -> None:
        self.tape, self.backward, self.limit = tape, backward, limit
        self.targets = list(to) or [v for v in backward.gradients if v.made is None]
        self.roots = [root for root, _ in backward.roots]
        plain = len(self.roots) == 1 and not self.roots[0].shape and float(backward.roots[0][1].array) == 1
        self.of = self.roots[0].symbol if plain else "L"
        self.pulls = [(p, [c for c in p.contributions if c.to in self._reached]) for p in backward.pulls]
        self.pulls = [(p, cs) for p, cs in self.pulls if cs]
        events = {p.event for p, _ in self.pulls}
        self.events = sorted(events, key=lambda e: e.number)

    @property
    def _reached(self) -> set[Value]:
        """Everything between the roots and the targets."""
        found = getattr(self, "_between", None)
        if found is None:
            found = self._between = set(self.targets)
            for event in sorted({c.event for c in self.backward.contributions}, key=lambda e: e.number):
                if not found.isdisjoint(event.tracked.values()):
                    found.update(event.results)
        return found

    # ------------------------------------------------------------ what it consists of
    def differences(self) -> dict[Value, Difference | None]:
        """The finite differences beside the gradients of the targets; None where the ops cannot be run again."""
        found = getattr(self, "_differences", None)
        if found is None:
            found = self._differences = {v: difference(self.tape, self.backward, v) for v in self.targets}
        return found

    def _headline(self) -> str:
        if self.of != "L" or (len(self.roots) == 1 and self.roots[0].symbol == "L"):
            return f"{self.of} and its gradients, by the chain rule"
        parts = " + ".join(f"sum({in_short(seed.array)} * {root.symbol})" for root, seed in self.backward.roots)
        return f"L = {parts} and its gradients, by the chain rule"

    def _sum(self, value: Value) -> str:
        """A gradient as the sum of what came to it."""
        parts, total = [in_short(c.fitted) for c in self.backward.to(value)], in_short(self.backward.gradient(value))
        if len(parts) > 1 and len(", ".join(parts)) <= 100 and "norm" not in total:
            return " + ".join(f"({p})" if p[0] == "-" and i else p for i, p in enumerate(parts)) + f" = {total}"
        return total + f", the sum of {len(parts)}" * (len(parts) > 1)

    def _compared(self, value: Value) -> str:
        d = self.differences()[value]
        if d is None:
            return "not compared with finite differences"
        shown = f"{', '.join(short(float(v)) for v in d.numeric[:3])}{', ...' * (len(d.numeric) > 3)}"
        return f"finite differences: {shown} ({'agree' if d.agrees else 'DISAGREE'}, relative difference {d.worst:.1g})"

    def _d(self, symbol: str) -> str:
        return f"∂{self.of}/∂{symbol}"

    # ------------------------------------------------------------ as text
    def __str__(self) -> str:
        lines = [self._headline(), "", "Forward:"]
        rows = [(e.results[0].symbol if len(e.results) == 1 else ", ".join(r.symbol for r in e.results), e) for e in self.events]
        shown = rows[: self.limit]
        width = max((len(s) for s, _ in shown), default=0)
        for symbol, event in shown:
            lines.append(f"  {symbol:<{width}} = {_forward_text(event)}")
        more = len(rows) - len(shown)
        lines += [f"  ... and {more:,} more"] * (more > 0)
        lines += ["", "Backward, where g is the gradient that has come to the result of the line:"]
        for pull, terms in self.pulls[: self.limit]:
            result = ", ".join(r.symbol for r in pull.event.results)
            g = ", ".join("none" if v is None else in_short(v.array) for v in (pull.g if isinstance(pull.g, list) else [pull.g]))
            hooked = ", after its hooks" * pull.hooked
            lines.append(f"  {result} = {forward(pull.event)}:  g = {self._d(result)} = {g}{hooked}")
            for t in map(term, terms):
                lines.append(f"    {self._d(t.to)} {'+=' if t.plus else ' ='} {t}")
        lines += [f"  ... and {more:,} more"] * (more > 0)
        lines += ["", "Gradients:"]
        for value in self.targets:
            lines += [f"  {self._d(value.symbol)} = {self._sum(value)}", f"    {self._compared(value)}"]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Derivation of {self.of}: {len(self.events)} operations, {len(self.targets)} gradients>"

    # ------------------------------------------------------------ in LaTeX
    def _partial(self, value: str) -> str:
        return rf"\frac{{\partial {in_latex(self.of)}}}{{\partial {in_latex(value)}}}"

    def latex(self) -> str:
        """The derivation as a LaTeX `aligned` environment."""
        rows = []
        for event in self.events[: self.limit]:
            result = ", ".join(in_latex(r.symbol) for r in event.results)
            parts = [forward(event, latex), *_number_of(event, forward(event, latex_numbers))]
            rows.append(f"{result} &= " + " = ".join(dict.fromkeys(parts)))
        for pull, terms in self.pulls[: self.limit]:
            for one in terms:
                rows.append(self._latex_term(pull.event, one))
        for value in self.targets:
            if len(added := self.backward.to(value)) > 1:
                total = " + ".join(matrix(c.fitted) for c in added) if value.shape == () else rf"\text{{{len(added)} terms}}"
                rows.append(f"{self._partial(value.symbol)} &= {total} = {matrix(self.backward.gradient(value))}")
        body = " \\\\\n".join(rows)
        return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"

    def _latex_term(self, event: Event, one: Contribution) -> str:
        incoming = self._partial(event.results[0].symbol)

        def write(name: str, array: Any) -> Latex:
            return Latex(incoming, like=array) if name == "g" else latex(name, array)

        formula = rule(one, write) or rf"\text{{rule of {event.name}}}"
        over = rf"\textstyle\sum_{{{','.join(map(str, one.summed))}}} " if one.summed else ""
        number = rule(one, latex_numbers) if one.d.array.size == 1 else None
        sign = r"\mathrel{+}=" if one.total is not None else "="
        parts = [over + formula, *([number] if number else []), matrix(one.fitted)]
        return f"{self._partial(one.to.symbol)} &{sign} " + " = ".join(dict.fromkeys(parts))

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    # ------------------------------------------------------------ as HTML
    def html(self, path: Any = None) -> str:
        """The derivation as HTML, three tables; written to `path` too, if that is given, as a page."""
        tables = [
            _table("Forward", ("value", "is", "line"), [
                (", ".join(r.symbol for r in e.results), _forward_text(e), _line(e)) for e in self.events[: self.limit]
            ]),
            _table("Backward: g is the gradient that has come to the result", ("of", "adds to", "rule", "numbers"), [
                (p.event.results[0].symbol, self._d(t.to), f"{'+=' if t.plus else '='} {t.formula}", _numbers_of(t))
                for p, terms in self.pulls[: self.limit] for t in map(term, terms)
            ]),
            _table("Gradients", ("of", "is", "beside it"), [
                (self._d(v.symbol), self._sum(v), self._compared(v)) for v in self.targets
            ]),
        ]  # fmt: skip
        text = f'<div class="derivation"><style>{_STYLE}</style><p>{escape(self._headline())}</p>{"".join(tables)}</div>'
        if path is not None:
            head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(self._headline())}</title>'
            Path(path).write_text(f"{head}<body>{text}</body></html>", encoding="utf-8")
        return text

    def _repr_html_(self) -> str:
        return self.html()


_STYLE = (
    ".derivation{font:14px/1.5 system-ui,sans-serif;color-scheme:light dark}"
    ".derivation table{border-collapse:collapse;margin:0 0 1em}"
    ".derivation caption{text-align:left;font-weight:600}.derivation th{text-align:left;font-weight:400;opacity:.7}"
    ".derivation td{font-family:ui-monospace,monospace;text-align:left}"
    ".derivation td,.derivation th{padding:1px 12px 1px 0;border-bottom:1px solid #8884}"
)


def _table(title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><caption>{escape(title)}</caption><tr>{head}</tr>{body}</table>"


def _number_of(event: Event, numeric: str) -> list[str]:
    """The right sides that numbers add to a formula: what goes in, if it is numbers, and what comes out."""
    scalars = all(v.array is not None and v.array.size == 1 for v in (*event.values, *event.results))
    return [numeric] * scalars + [matrix(r.array) for r in event.results if r.array is not None]


def _forward_text(event: Event) -> str:
    scalars = all(v.array is not None and v.array.size == 1 for v in (*event.values, *event.results))
    results = ", ".join(in_short(r.array) for r in event.results)
    parts = [forward(event), *([forward(event, numbers)] if scalars else []), *([results] if results != "?" else [])]
    return " = ".join(dict.fromkeys(parts))


def _numbers_of(t: Term) -> str:
    return " = ".join(part for part in (t.numeric, t.result) if part) + f" ({t.fitted})" * bool(t.fitted)


def _line(event: Event) -> str:
    return f"{Path(event.line.file).name}:{event.line.number}" if event.line.file else ""


def derive(tape: Recording, to: Any, backward: int, limit: int, what: str) -> Derivation:
    """The Derivation of a backward of a recording. Raises ArgumentError if there is none."""
    if not tape.backwards:
        raise ArgumentError(f"{what}: no backward was recorded; call backward() inside of the with-block")
    wanted = [] if to is None else [to] if isinstance(to, str) or hasattr(to, "array") else list(to)
    return Derivation(tape, tape.backwards[backward], [tape.value(t) for t in wanted], limit)
