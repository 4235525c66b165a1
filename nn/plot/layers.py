"""Weights and gradients layer by layer: how they are distributed as training goes on, and how far gradients get."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.errors import ArgumentError, StateError, UnsupportedError

from ..module import Module
from .common import GREY, PALETTE, numbers, panel, panels, tidy

__all__ = ["Layers", "gradient_flow"]


def gradient_flow(model: Module, ax: Any = None) -> Any:
    """How large the gradients of each parameter are, from the first layer to the last, on a logarithmic axis.

    A bar is the mean of their magnitudes, a dot the largest. Bars that fall to the left by powers of ten say that gradients
    vanish on the way back, bars that rise that they explode. Parameters whose gradients are all 0 or are not there have a cross
    at the bottom. Call it after backward. Returns the Axes. Raises StateError if no parameter has a gradient.

    >>> import autograd, nn
    >>> net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    >>> net(autograd.ones(1, 2)).sum().backward()
    >>> [label.get_text() for label in gradient_flow(net).get_xticklabels()]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """
    if not isinstance(model, Module):
        raise UnsupportedError(f"plot.gradient_flow: model must be a Module, not {type(model).__name__}")
    found = {name: None if p.grad is None else np.abs(numbers(p.grad)) for name, p in model.named_parameters()}
    if all(g is None for g in found.values()):
        raise StateError("plot.gradient_flow: no parameter has a gradient; call backward() first, and zero_grad() after")
    means = np.array([0.0 if g is None or not g.size else float(g.mean()) for g in found.values()])
    largest = np.array([0.0 if g is None or not g.size else float(g.max()) for g in found.values()])
    axis = panel("plot.gradient_flow", ax, (max(4.5, 0.42 * len(found) + 1.5), 3.8))
    flows = (means > 0) & np.isfinite(largest)
    places = np.arange(len(found))
    low = means[flows].min() / 3 if flows.any() else 1e-3
    axis.bar(places[flows], means[flows], color=PALETTE[0], label="mean of |gradient|")
    axis.plot(places[flows], largest[flows], "o", color=PALETTE[1], label="largest")
    if not flows.all():
        axis.plot(
            places[~flows], np.full((~flows).sum(), low * 1.3), "X", color="black", markersize=8, label="none, 0 or not finite"
        )
    tidy(axis, "", "", "|gradient|")
    axis.set_yscale("log")
    axis.set_ylim(bottom=low)
    axis.set_xticks(
        places, found, rotation=60 if len(found) > 3 else 0, ha="right" if len(found) > 3 else "center", rotation_mode="anchor"
    )
    axis.legend(frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    return axis


class Layers:
    """The weights and gradients of a model, parameter by parameter, as they are each time that `record` is called.

    `record` may stand among the callbacks of nn.train.fit, which calls it after each epoch, when the gradients are those of the
    last batch; in a loop of your own call it between backward and zero_grad. Of each array it keeps at most `keep` numbers, its
    quantiles.

    >>> import autograd, nn
    >>> net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    >>> layers = Layers(net)
    >>> for step in range(3):
    ...     net(autograd.ones(1, 2)).sum().backward()
    ...     layers.record()
    >>> [axis.get_title() for axis in layers.histograms("gradient")]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, model: Module, keep: int = 400) -> None:
        if not isinstance(model, Module):
            raise UnsupportedError(f"plot.Layers: model must be a Module, not {type(model).__name__}")
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 2:
            raise ArgumentError(f"plot.Layers: keep is a whole number, 2 or more, got {keep!r}")
        self.model, self.keep, self.records = model, keep, 0
        self.found: dict[str, dict[str, list[tuple[int, Any]]]] = {"weight": {}, "gradient": {}}  # (record, numbers) of each

    def record(self, loop: Any = None) -> None:
        """Take down how weights and gradients are distributed now."""
        for name, p in self.model.named_parameters():
            for what, tensor in (("weight", p), ("gradient", p.grad)):
                values = np.empty(0) if tensor is None else numbers(tensor).ravel().astype(float)
                values = values[np.isfinite(values)]
                if values.size:
                    few = values.copy() if values.size <= self.keep else np.quantile(values, np.linspace(0, 1, self.keep))
                    self.found[what].setdefault(name, []).append((self.records, few))
        self.records += 1

    def histograms(self, what: str = "weight", ax: Any = None) -> Any:
        """How the "weight"s or "gradient"s were distributed over time: a panel for each parameter, a hill for each record.

        The first record stands at the back, above, the last in front; of many, sixteen are shown. Hills are smoothed, and those
        of one panel are as high as they hold numbers. Returns an array of Axes. Raises ArgumentError, StateError.
        """
        if what not in self.found:
            raise ArgumentError(f"plot.Layers: what is 'weight' or 'gradient', got {what!r}")
        if not self.found[what]:
            raise StateError(
                f"plot.Layers: no {what} was recorded yet; call record(){' after backward()' * (what == 'gradient')}"
            )
        axes = panels("plot.Layers", len(self.found[what]), ax, (3, 2.8))
        for axis, (name, found) in zip(axes, self.found[what].items(), strict=True):
            _hills(axis, found)
            tidy(axis, name, what)
            axis.spines["left"].set_visible(False)
        axes[0].set_ylabel("record, the last in front")
        return axes


def _hills(axis: Any, found: list[tuple[int, Any]], most: int = 16) -> None:
    found = [found[i] for i in np.unique(np.linspace(0, len(found) - 1, most).round().astype(int))]
    low, high = (pick([pick(values) for _, values in found]) for pick in (min, max))
    wide = (high - low) or abs(high) or 1.0
    places = np.linspace(low - 0.1 * wide, high + 0.1 * wide, 120)
    bumps = [np.exp(-(((places[:, None] - values) / (0.025 * wide)) ** 2) / 2).mean(1) for _, values in found]
    tallest = max(float(bump.max()) for bump in bumps)
    first, last = np.array([0.80, 0.88, 0.94]), np.array([0, 0.447, 0.698])
    for i, bump in enumerate(bumps):
        base = len(found) - 1 - i
        share = i / max(len(found) - 1, 1)
        shade = tuple(first * (1 - share) + last * share)
        axis.fill_between(places, base, base + 2.5 * bump / tallest, color=shade, edgecolor="white", linewidth=0.8, zorder=i + 2)
    if low < 0 < high:
        axis.axvline(0, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
    shown = sorted({0, len(found) // 2, len(found) - 1})
    axis.set_yticks([len(found) - 1 - i for i in shown], [str(found[i][0] + 1) for i in shown])
    axis.tick_params(axis="y", length=0)
    axis.locator_params(axis="x", nbins=4)
