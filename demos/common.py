"""What all demos share: their options, the picture they save, and the claim that they state and check."""

from __future__ import annotations

import argparse
import pathlib
import sys

try:
    from matplotlib.figure import Figure
except ImportError as missing:
    sys.exit(f"the demos draw with {missing.name}: pip install 'chainrule[demo]', or run them with `python3 run.py demo`")


def arguments(doc: str, **more: str) -> argparse.Namespace:
    """The options of every demo, helped by the first line of its docstring; `more` are numbers or words: name="default, help"."""
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="seconds instead of a minute, on less data or for fewer epochs")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same bits")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("pictures"), help="the folder that pictures go to")
    for name, text in more.items():
        default, _, meaning = text.partition(", ")
        kind = int if default.isdecimal() else str
        parser.add_argument(f"--{name}", type=kind, default=kind(default), help=meaning)
    return parser.parse_args()


def in_processes(n: int) -> None:
    """Run this program in `n` processes: it comes back in each of these; the one that was called waits for them, and ends."""
    from autograd.distributed.launch import start, started_as

    if started_as() is None:
        sys.exit(start(n, sys.argv))


def panels(columns=1, rows=1, width=4.0, height=3.2, **options):
    """A figure and its axes in a row-major list, without the frames that say nothing."""
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False, **options).flat)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save(figure: Figure, path: pathlib.Path) -> None:
    """Write the picture, the same bytes for the same figure, and say where it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    print(path.resolve())


def claim(holds: object, sentence: str) -> None:
    """State what was measured; the demo fails if that is not what it promises."""
    if not holds:
        sys.exit(f"The claim does NOT hold: {sentence}")
    print(f"The claim holds: {sentence}")
