"""Formulas as books have them: LaTeX, set by matplotlib's mathtext, as shapes in SVG."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import cache, lru_cache
from html import escape
from typing import Any, NamedTuple

from ..errors import MissingError

SIZE = 12.5  # of letters, which then look as large as those around them
LINE = 13.2  # so far are lines of text apart in the pictures that Graphviz makes
_EM = 9.1  # and so wide is an m, or wider
_WIDEST = 300.0  # what is wider stays text
_COMMANDS = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}  # of matplotlib's paths, as SVG calls them


class Formula(NamedTuple):
    """A formula that was set: how much room it takes, and what shapes are where in it."""

    text: str
    width: float
    height: float  # above the line it stands on
    depth: float  # below that
    shapes: tuple[tuple[str, float, float, float], ...]  # of letters: which, where, and how large
    bars: str  # of fractions and roots

    @property
    def room(self) -> list[str]:
        """Lines of text that take as much room."""
        return ["m" * math.ceil(self.width / _EM)] + ["\xa0"] * math.ceil((self.height + self.depth - LINE - 3) / LINE)

    def svg(self, x: float, y: float, anchor: str, style: str) -> str:
        """Its shapes, in place of lines of text of which the first is anchored there."""
        x -= self.width / 2 * (anchor == "middle")
        more, lower = len(self.room) - 1, (self.height - self.depth) / 2 - 0.3 * SIZE  # so that it is in the middle of them
        y += more * LINE / 2 + (lower if more else max(lower, 0))
        used = "".join(f'<use xlink:href="#{g}" transform="translate({u:g} {v:g}) scale({s:g})"/>' for g, u, v, s in self.shapes)
        scale = SIZE / _setter()[0].FONT_SCALE
        lead = f'<g class="formula" role="img" aria-label="{escape(self.text)}" style="{style}"'
        return f'{lead} transform="translate({x:.2f} {y:.2f}) scale({scale:g} {-scale:g})">{used}<path d="{self.bars}"/></g>'


@lru_cache(2000)
def typeset(latex: str, text: str) -> Formula | None:
    """A formula, set in one line; None if it is too wide, or mathtext has not all of its signs. `text` says it in words."""
    paths, font = _setter()
    if not latex.isascii():
        return None
    signs = {
        r"\textstyle\sum": r"{\sum}",
        r"\mathrel{+}=": r"\;{+}{=}\;",
        r"\top": r"\mathsf{T}",
    }  # which it has not, or not as well
    for sign, instead in signs.items():
        latex = latex.replace(sign, instead)
    try:
        width, height, depth, *_ = paths.mathtext_parser.parse(f"${_large(latex)}$", 72, font)
        placed, outlines, bars = paths.get_glyphs_mathtext(font, f"${_large(latex)}$")
    except ValueError:
        return None
    _shapes.update((name, _path(*outline)) for name, outline in outlines.items())
    shapes = tuple((name, round(float(x), 1), round(float(y), 1), round(float(s), 3)) for name, x, y, s in placed)
    scale = SIZE / paths.FONT_SCALE
    found = Formula(text, width * scale, (height - depth) * scale, depth * scale, shapes, " ".join(_path(*bar) for bar in bars))
    return found if found.width <= _WIDEST else None


def _large(latex: str) -> str:
    """With fractions as large as where formulas stand alone, but those in others."""
    parts, depth = [], 0
    for part in re.split(r"(\\frac|[{}])", latex):
        depth += (part == "{") - (part == "}")
        parts.append(r"\dfrac" if part == r"\frac" and not depth else part)
    return "".join(parts)


def definitions(formulas: Iterable[Formula]) -> str:
    """The shapes that formulas use, for the head of a picture."""
    names = sorted({name for formula in formulas for name, *_ in formula.shapes})
    return "<defs>" + "".join(f'<path id="{name}" d="{_shapes[name]}"/>' for name in names) + "</defs>" if names else ""


_shapes: dict[str, str] = {}  # of letters, by name


@cache
def _setter() -> tuple[Any, Any]:
    """What sets formulas, and the font. Raises MissingError where there is no matplotlib."""
    try:
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import text_to_path
    except ImportError as error:
        raise MissingError("draw: formulas='latex' needs matplotlib, which sets them; pip install 'chainrule[demo]'") from error
    return text_to_path, FontProperties(size=text_to_path.FONT_SCALE, math_fontfamily="cm")


def _path(points: Any, codes: Any) -> str:
    """A path of matplotlib as SVG writes it."""
    parts, last = [], 0
    for (x, y), code in zip(points, codes, strict=True):
        parts.append((_COMMANDS[code] if code != last or code == 1 else "") + (f"{x:.1f} {y:.1f}" if code != 79 else ""))
        last = code
    return " ".join(parts)
