"""The table that explain() returns: a text, which notebooks show as HTML, with the code of each row folded beneath it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

WIDE = 60  # letters of what a row computes
HEADS = "runs in", "size", "computes", "for"


class Explanation(str):
    """The rows as text; `html()` has them as HTML."""

    __slots__ = ("codes", "heading", "rows")
    heading: str
    rows: list[tuple[str, str, str, str]]
    codes: list[str]

    def __new__(cls, heading: str, rows: list[tuple[str, str, str, str]], codes: list[str]) -> Explanation:
        """A table of what runs each part, over how many elements, which ops, for which lines; and the code of each row."""
        short = [HEADS, *((*row[:2], row[2] if len(row[2]) < WIDE else f"{row[2][: WIDE - 3]}...", row[3]) for row in rows)]
        widths = [max(map(len, column)) for column in zip(*short, strict=True)]
        made = super().__new__(
            cls, "\n".join("  ".join(f"{text:{n}}" for text, n in zip(row, widths, strict=True)).rstrip() for row in short)
        )
        made.heading, made.rows, made.codes = heading, rows, codes
        return made

    def html(self, path: Any = None) -> str:
        """The table as HTML, a row a line, which opens to show its code; written to `path` too, if that is given, as a page."""
        widths = [max(map(len, column)) for column in zip(HEADS[:2], *(row[:2] for row in self.rows), strict=True)]
        grid = f"grid-template-columns:{widths[0] + 5}ch {widths[1] + 2}ch minmax(16ch,2fr) 3fr"
        body = "".join(
            f'<details><summary style="{grid}"><span><b class="{escape(row[0])}">{escape(row[0])}</b></span>'
            f"{''.join(f'<span>{escape(cell)}</span>' for cell in row[1:])}</summary><pre>{escape(code)}</pre></details>"
            for row, code in zip(self.rows, self.codes, strict=True)
        )
        head = f'<div class="head" style="{grid}">{"".join(f"<span>{head}</span>" for head in HEADS)}</div>'
        text = f'<div class="compiled"><style>{_STYLE}</style><p>{escape(self.heading)}</p>{head}{body}</div>'
        if path is not None:
            top = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(self.heading)}</title>'
            Path(path).write_text(f"{top}<style>{_PAGE}</style><body>{text}</body></html>", encoding="utf-8")
        return text

    def _repr_html_(self) -> str:
        return self.html()


# Colours of letters are those around it, and the others show through: it is right on light and on dark pages.
_STYLE = (
    ".compiled{font:14px/1.5 system-ui,sans-serif;max-width:1100px}.compiled p{margin:0 0 .5em;font-weight:600}"
    ".compiled .head,.compiled summary{display:grid;column-gap:12px;align-items:baseline;padding:2px 8px 2px 22px;"
    "border-bottom:1px solid #8884;font-family:ui-monospace,monospace;font-size:13px}"
    ".compiled .head{opacity:.7}.compiled summary{cursor:pointer;position:relative;overflow-wrap:anywhere}"
    ".compiled summary:hover{background:#8881}.compiled summary::before{content:'▸';position:absolute;left:6px;opacity:.6}"
    ".compiled [open]>summary::before{content:'▾'}.compiled summary::-webkit-details-marker{display:none}"
    ".compiled b{font-weight:600;padding:0 6px;border-radius:4px;background:#8883}.compiled b.loop{background:#6d79d84d}"
    ".compiled b.BLAS{background:#2bb68d4d}.compiled b.NumPy{background:#d9b44a66}"
    ".compiled pre{margin:0;padding:6px 22px;overflow-x:auto;font:12px/1.45 ui-monospace,monospace;background:#8881;"
    "border-bottom:1px solid #8884;text-align:left;color:inherit}"
)
_PAGE = ":root{color-scheme:light dark}body{margin:24px;background:Canvas;color:CanvasText}"
