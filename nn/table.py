"""A table of cells that are text already, as lines of text and as HTML: what summaries and histories look like."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

__all__ = ["as_html", "as_text"]

Cells = Sequence[str]


def as_text(header: Cells, rows: Sequence[Cells], right: Sequence[bool], totals: Cells | None = None) -> str:
    """Columns that are as wide as need be, those of `right` flush right, under a rule; the totals under another.

    >>> print(as_text(("name", "n"), [("a", "1"), ("bb", "20")], (False, True)))
    name   n
    ────────
    a      1
    bb    20
    """
    table = [header, *rows, *([totals] if totals else [])]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(c.rjust(n) if flush else c.ljust(n) for c, n, flush in zip(cells, widths, right, strict=True)).rstrip()
        for cells in table
    ]
    rule = "─" * max(map(len, lines))
    lines.insert(1, rule)
    if totals:
        lines.insert(-1, rule)
    return "\n".join(lines)


def as_html(
    header: Cells, rows: Sequence[Cells], right: Sequence[bool], totals: Cells | None = None, monospace: int = 0
) -> str:  # fmt: skip
    """The same as a table of HTML, in the colours and fonts of the page; the first `monospace` columns keep their spaces."""

    def line(cells: Cells, tag: str = "td", style: str = "") -> str:
        shown = []
        for i, (cell, flush) in enumerate(zip(cells, right, strict=True)):
            font = ";font-family:monospace;white-space:pre" if i < monospace and tag == "td" else ""
            align = "right" if flush else "left"
            shown.append(f'<{tag} style="text-align:{align};padding:0 1em 0 0;border:0{font}">{escape(cell)}</{tag}>')
        return f'<tr style="{style}">{"".join(shown)}</tr>'

    edge = "1px solid #8888"
    head = line(header, "th", f"border-bottom:{edge}")
    foot = f"<tfoot>{line(totals, 'th', f'border-top:{edge}')}</tfoot>" if totals else ""
    body = "".join(map(line, rows))
    style = "border-collapse:collapse;line-height:1.35"
    return f'<table style="{style}"><thead>{head}</thead><tbody>{body}</tbody>{foot}</table>'
