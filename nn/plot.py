"""Pictures of training, drawn by matplotlib, which is imported when the first is asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autograd.errors import ArgumentError, MissingError

__all__ = ["history", "lr_range"]


def history(h: Mapping[str, Sequence[Any]], ax: Any = None) -> Any:
    """What was measured in each epoch as curves: the loss, each metric, and the learning rate if it changed, each in a panel.

    `h` is the History that nn.train.fit returns, or a dict of lists; what was measured in validation stands in the panel
    of its name without "val_". With `ax`, one Axes of matplotlib, only the loss is drawn, there. Returns the Axes: that
    one, or an array of them. Raises ArgumentError if there is nothing to draw, MissingError without matplotlib.
    """
    panels: dict[str, dict[str, Sequence[Any]]] = {}
    for name, values in h.items():
        if name == "lr" and len(set(values)) == 1:
            continue
        if all(isinstance(v, (int, float)) for v in values) and not all(map(math.isnan, values)):
            panels.setdefault(name.removeprefix("val_"), {})[name] = values
    if ax is not None:
        panels = {name: lines for name, lines in panels.items() if name == "loss"}
    if not panels:
        raise ArgumentError(f"plot.history: there is nothing to draw yet among {', '.join(h) or 'no epochs'}")
    pyplot, ticker = _matplotlib("history")
    if ax is None:
        _, axes = pyplot.subplots(1, len(panels), figsize=(4 * len(panels), 3), layout="constrained", squeeze=False)
    for axis, (name, lines) in zip(axes[0] if ax is None else [ax], panels.items(), strict=True):
        for i, (key, values) in enumerate(lines.items()):
            of = "validation" if key.startswith("val_") else "training"
            marker = "o" if len(values) < 2 else None  # a line needs two points
            axis.plot(range(1, len(values) + 1), values, f"C{int(of == 'validation')}", label=of, marker=marker, zorder=3 - i)
        axis.set(title="learning rate" if name == "lr" else name, xlabel="epoch")
        axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        axis.spines[["top", "right"]].set_visible(False)
        if name != "lr":
            axis.legend(frameon=False)
    return axes[0] if ax is None else ax


def lr_range(rates: Any, ax: Any = None) -> Any:
    """The loss over the learning rate, of what nn.train.lr_range_test returned: where it fell fastest, and what was too high.

    The optimizer's own rate is marked. Losses far above the first are cut off. Returns the Axes; raises MissingError without
    matplotlib.
    """
    pyplot, _ = _matplotlib("lr_range")
    if ax is None:
        _, ax = pyplot.subplots(figsize=(5.5, 3.2), layout="constrained")
    lrs, losses = rates.lrs, rates.losses[1 : len(rates.lrs) + 1]  # each after the step
    ax.plot(lrs, losses, "C0", lw=2, zorder=3)
    least, right = min(filter(math.isfinite, rates.losses)), 2 * lrs[-1]
    height = max(rates.losses[0] - least, 0.02 * abs(least), 1e-12)
    ax.set(xscale="log", xlabel="learning rate", ylabel="loss after the step")
    ax.set_ylim(least - 0.1 * height, rates.losses[0] + 0.6 * height)
    if rates.fastest is not None:
        at = lrs.index(rates.fastest)
        ax.plot(rates.fastest, losses[at], "C2o", ms=8, zorder=4, label=f"falls fastest at {rates.fastest:.2g}")
    if rates.limit is not None:
        ax.axvspan(rates.limit, right, color="C3", alpha=0.12, lw=0, label=f"too high from {rates.limit:.2g} on")
    if rates.lr > 0:
        ax.axvline(rates.lr, color="0.35", ls="--", lw=1.2, label=f"the optimizer's, {rates.lr:.2g}")
    ax.set_xlim(lrs[0], right)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, loc="lower left")
    return ax


def _matplotlib(who: str) -> tuple[Any, Any]:
    try:
        from matplotlib import pyplot, ticker
    except ImportError as error:
        raise MissingError(f"plot.{who} needs matplotlib; pip install 'chainrule[demo]'") from error
    return pyplot, ticker
