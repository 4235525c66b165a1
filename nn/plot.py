"""Pictures of training, drawn by matplotlib, which is imported when the first is asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autograd.errors import ArgumentError, MissingError

__all__ = ["history"]


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
    try:
        from matplotlib import pyplot
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise MissingError("plot.history needs matplotlib; pip install 'chainrule[demo]'") from error
    if ax is None:
        _, axes = pyplot.subplots(1, len(panels), figsize=(4 * len(panels), 3), layout="constrained", squeeze=False)
    for axis, (name, lines) in zip(axes[0] if ax is None else [ax], panels.items(), strict=True):
        for i, (key, values) in enumerate(lines.items()):
            of = "validation" if key.startswith("val_") else "training"
            marker = "o" if len(values) < 2 else None  # a line needs two points
            axis.plot(range(1, len(values) + 1), values, f"C{int(of == 'validation')}", label=of, marker=marker, zorder=3 - i)
        axis.set(title="learning rate" if name == "lr" else name, xlabel="epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.spines[["top", "right"]].set_visible(False)
        if name != "lr":
            axis.legend(frameon=False)
    return axes[0] if ax is None else ax
