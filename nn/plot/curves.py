"""Curves: of a training run, while it runs or when it is over, of learning rates, and of activation functions."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autograd.api.creation import from_numpy
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, ShapeError, UnsupportedError, describe

from .. import functional as F
from ..module import Module
from ..optim import SGD
from ..optim.lr_scheduler import ReduceLROnPlateau
from ..parameter import Parameter
from .common import GREY, PALETTE, figure_of, numbers, panel, panels, pyplot_for, tidy

__all__ = ["Live", "activation", "activations", "history", "lr_range", "schedules"]


# ---------------------------------------------------------------- training
def history(h: Mapping[str, Sequence[Any]], ax: Any = None) -> Any:
    """What was measured in each epoch as curves: the loss, each metric, and the learning rate if it changed, each in a panel.

    `h` is the History that nn.train.fit returns, or a dict of lists; what was measured in validation stands in the panel
    of its name without "val_", and a line marks the epoch with the lowest validation loss. With `ax`, one Axes of
    matplotlib, only the loss is drawn, there. Returns the Axes: that one, or an array of them. Raises ArgumentError if
    there is nothing to draw, MissingError without matplotlib.

    >>> axes = history({"loss": [1.0, 0.5, 0.3], "val_loss": [1.1, 0.7, 0.8], "accuracy": [0.5, 0.8, 0.9]})
    >>> [axis.get_title() for axis in axes]
    ['loss', 'accuracy']
    >>> [text.get_text() for text in axes[0].get_legend().get_texts()]
    ['training', 'validation', 'lowest validation: 0.7, epoch 2']
    """
    found: dict[str, dict[str, Sequence[Any]]] = {}
    for name, values in h.items():
        if name == "lr" and len(set(values)) == 1:
            continue
        if all(isinstance(v, (int, float)) for v in values) and not all(map(math.isnan, values)):
            found.setdefault(name.removeprefix("val_"), {})[name] = values
    if ax is not None:
        found = {name: lines for name, lines in found.items() if name == "loss"}
    if not found:
        raise ArgumentError(f"plot.history: there is nothing to draw yet among {', '.join(h) or 'no epochs'}")
    axes = panels("plot.history", len(found), ax)
    from matplotlib.ticker import MaxNLocator

    validation = found.get("loss", {}).get("val_loss", ())
    best = min((v, i) for i, v in enumerate(validation, 1) if math.isfinite(v)) if any(map(math.isfinite, validation)) else None
    for axis, (name, lines) in zip(axes, found.items(), strict=True):
        for key, values in lines.items():
            of = "validation" if key.startswith("val_") else "training"
            style = {"color": PALETTE[of == "validation"], "linestyle": "-" if of == "training" else "--"}
            marker = "o" if len(values) < 2 else None  # a line needs two points
            axis.plot(range(1, len(values) + 1), values, label=of, marker=marker, linewidth=2, **style)
        if best is not None and len(validation) > 1 and name != "lr":
            label = f"lowest validation: {best[0]:.3g}, epoch {best[1]}" if name == "loss" else None
            axis.axvline(best[1], color=GREY, linestyle=":", label=label)
        tidy(axis, "learning rate" if name == "lr" else name, "epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        if name != "lr":
            axis.legend(fontsize="small", edgecolor="none")
    return axes if ax is None else ax


def lr_range(rates: Any, ax: Any = None) -> Any:
    """The loss over the learning rate, of what nn.train.lr_range_test returned: where it fell fastest, and what was too high.

    The optimizer's own rate is marked. Losses far above the first are cut off. Returns the Axes; raises MissingError without
    matplotlib.
    """
    ax = panel("plot.lr_range", ax, (5.5, 3.2))
    lrs, losses = rates.lrs, rates.losses[1 : len(rates.lrs) + 1]  # each after the step
    ax.plot(lrs, losses, PALETTE[0], linewidth=2, zorder=3)
    least, right = min(filter(math.isfinite, rates.losses)), 2 * lrs[-1]
    height = max(rates.losses[0] - least, 0.02 * abs(least), 1e-12)
    tidy(ax, "", "learning rate", "loss after the step")
    ax.set(xscale="log", xlim=(lrs[0], right), ylim=(least - 0.1 * height, rates.losses[0] + 0.6 * height))
    if rates.fastest is not None:
        label = f"falls fastest at {rates.fastest:.2g}"
        ax.plot(rates.fastest, losses[lrs.index(rates.fastest)], "o", color=PALETTE[2], ms=8, zorder=4, label=label)
    if rates.limit is not None:
        ax.axvspan(rates.limit, right, color=PALETTE[1], alpha=0.15, lw=0, label=f"too high from {rates.limit:.2g} on")
    if rates.lr > 0:
        ax.axvline(rates.lr, color=GREY, linestyle="--", label=f"the optimizer's, {rates.lr:.2g}")
    ax.legend(fontsize="small", edgecolor="none", loc="lower left")
    return ax


class Live:
    """The curves of a run while it runs, drawn anew after each epoch: a callback for nn.train.fit.

    In a notebook they stand below the cell. Elsewhere `path` names an image file to write them to, which many editors show
    anew when it changes; without it, a window shows them if matplotlib has one. `every` is how many epochs lie between two
    drawings; `draw(loop)`, if given, draws something else instead: it returns Axes or a Figure, as all functions of nn.plot do.

    >>> from nn.train import fit
    >>> live = Live(every=5)  # fit(net, loss, optimizer, batches, epochs=50, callbacks=[live])
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, every: int = 1, draw: Callable[[Any], Any] | None = None
    ) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ArgumentError(f"plot.Live: every is a whole number of epochs, 1 or more, got {every!r}")
        self.path, self.every, self.draw = path, every, draw
        self.figure: Any = None
        self.place: Any = None  # in the notebook

    def __call__(self, loop: Any) -> None:
        """Draw what there is by now."""
        if loop.epoch % self.every and loop.epoch != loop.epochs:
            return
        pyplot = pyplot_for("plot.Live")
        if self.figure is not None:
            pyplot.close(self.figure)
        drawn = history(loop.history) if self.draw is None else self.draw(loop)
        self.figure = figure_of(drawn)
        if self.path is not None:
            self.figure.savefig(self.path, dpi=130)
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        if "IPKernelApp" in getattr(shell, "config", ()):
            from IPython.display import display

            if self.place is None or loop.epoch <= self.every:
                self.place = display(self.figure, display_id=True)
            else:
                self.place.update(self.figure)
            pyplot.close(self.figure)  # or the cell would show it once more in the end
        elif self.path is None and pyplot.isinteractive():
            pyplot.pause(0.001)
        else:
            pyplot.close(self.figure)


# ---------------------------------------------------------------- learning rates
def schedules(given: Any, steps: int, ax: Any = None, *, lr: float = 0.1) -> Any:
    """The learning rate of each step under schedules of nn.optim.lr_scheduler, as curves.

    `given` makes a scheduler of an optimizer, or is a dict of such functions by name; the optimizer they get has one parameter
    and the rate `lr`. Returns the Axes. Raises ArgumentError for ReduceLROnPlateau, whose rates depend on how training goes.

    >>> from nn.optim.lr_scheduler import CosineAnnealingLR, StepLR
    >>> ax = schedules({"step": lambda o: StepLR(o, 10), "cosine": lambda o: CosineAnnealingLR(o, 30)}, 30)
    >>> [(line.get_label(), round(float(line.get_ydata()[15]), 4)) for line in ax.get_lines()]
    [('step', 0.01), ('cosine', 0.05)]
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ArgumentError(f"plot.schedules: steps is a whole number, 1 or more, got {steps!r}")
    rates: dict[str, list[float]] = {}
    for name, make in (given if isinstance(given, Mapping) else {"": given}).items():
        optimizer = SGD([Parameter(from_numpy(np.zeros(1)))], lr=lr, momentum=0.9)
        scheduler = make(optimizer)
        if isinstance(scheduler, ReduceLROnPlateau):
            raise ArgumentError("plot.schedules: the rates of ReduceLROnPlateau depend on how training goes; draw a History")
        rates[name or type(scheduler).__name__] = found = []
        for _ in range(steps):
            found.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            scheduler.step()
    axis = panel("plot.schedules", ax, (6, 3.6))
    for (name, values), colour, style in zip(
        rates.items(), PALETTE * len(rates), ("-", "--", "-.", ":") * len(rates), strict=False
    ):
        axis.plot(range(steps), values, color=colour, linestyle=style, linewidth=2, label=name)
    tidy(axis, "learning rate", "step of the schedule")
    axis.set_ylim(bottom=0)
    axis.legend(frameon=False, fontsize="small")
    return axis


# ---------------------------------------------------------------- functions of one number
GALLERY = (
    "relu", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "sigmoid", "tanh", "softsign",
    "relu6", "hardtanh", "hardsigmoid", "hardswish", "hardshrink", "softshrink", "tanhshrink", "logsigmoid",
)  # fmt: skip


def activation(function: Any, ax: Any = None, *, between: tuple[float, float] = (-4.0, 4.0)) -> Any:
    """A function of one number and its derivative, which the engine computes, as curves.

    `function` is a function of a tensor, element by element, a Module, or the name of a function of nn.functional. Where the
    function or the derivative jumps, its curve is interrupted. Returns the Axes. Raises ArgumentError, ShapeError.

    >>> ax = activation("relu")
    >>> [float(line.get_ydata()[-1]) for line in ax.get_lines()[:2]]  # at 4
    [4.0, 1.0]
    """
    name, f = _named(function)
    low, high = between
    if not low < high:
        raise ArgumentError(f"plot.activation: between is (low, high), got {between!r}")
    x = from_numpy(np.linspace(low, high, 801)).requires_grad_()
    y = f(x)
    if not isinstance(y, Tensor) or y.shape != x.shape:
        raise ShapeError(f"plot.activation: {name} of a tensor of shape (801,) is one of the same shape, got {describe(y)}")
    y.sum().backward()
    axis = panel("plot.activation", ax, (4, 3))
    for values, label, style in ((y, name, "-"), (x.grad, "its derivative", "--")):
        colour = PALETTE[style == "--"]
        axis.plot(numbers(x), _interrupted(numbers(values)), style, color=colour, linewidth=2, label=label)
    axis.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    axis.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    tidy(axis, name, "x")
    axis.legend(frameon=False, fontsize="small")
    return axis


def activations(functions: Sequence[Any] = GALLERY, ax: Any = None, *, between: tuple[float, float] = (-4.0, 4.0)) -> Any:
    """Several functions with their derivatives, each in a panel, as `activation` draws them: two by two, or a gallery.

    Returns an array of Axes; `ax` may be as many of them as there are functions.

    >>> axes = activations(["relu", "sigmoid", "tanh", "gelu"])
    >>> [axis.get_title() for axis in axes]
    ['relu', 'sigmoid', 'tanh', 'gelu']
    """
    axes = panels("plot.activations", len(functions), ax, (3.2, 2.4), columns=2 if len(functions) <= 4 else 5)
    for axis, function in zip(axes, functions, strict=True):
        activation(function, axis, between=between)
        if len(functions) > 4:  # one legend for all of them
            axis.get_legend().remove()
            axis.set_xlabel("")
    if len(functions) > 4:
        lines = axes[0].get_lines()[:2]
        axes[0].legend(lines, ["the function", "its derivative"], frameon=False, fontsize="small")
    return axes


def _named(function: Any) -> tuple[str, Callable[[Any], Any]]:
    if isinstance(function, str):
        if not callable(found := getattr(F, function, None)):
            raise ArgumentError(f"plot.activation: nn.functional has no {function!r}; it has {', '.join(GALLERY)} ...")
        return function, found
    if not callable(function):
        what = f"a function of a tensor, a Module or a name, not {describe(function)}"
        raise UnsupportedError(f"plot.activation: function is {what}")
    return (repr(function) if isinstance(function, Module) else getattr(function, "__name__", repr(function))), function


def _interrupted(y: Any) -> Any:
    """`y` with NaN, which is not drawn, where it jumps: from one point to the next much further than just before and after."""
    y = np.array(y, dtype=float)
    steps = np.abs(np.diff(y, prepend=y[0], append=y[-1]))  # to each point, and from the last
    jumps = steps[1:-1] > 10 * np.maximum(steps[:-2], steps[2:]) + 0.01 * np.ptp(y)
    y[1:][jumps] = math.nan
    return y
