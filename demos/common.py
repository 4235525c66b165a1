"""What all demos share: their options, a usual training, the picture they save, and the claim that they state and check."""

from __future__ import annotations

import argparse
import math
import pathlib
import sys

from nn import optim
from nn.train import fit
from nn.utils import clip_grad_norm_
from nn.utils.data import DataLoader, TensorDataset

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


def learn(net, loss, x, y, epochs, lr, batch=64, **options):
    """Train by AdamW, at a rate that rises to `lr` and falls again; return the network."""
    optimizer = optim.AdamW(net.parameters(), lr=lr)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, lr, epochs * math.ceil(len(x) / batch))
    batches = DataLoader(TensorDataset(x, y), batch, shuffle=True)
    fit(net, loss, optimizer, batches, epochs, scheduler=schedule, schedule="step", **options)
    return net


def descend(parameters, loss, steps, lr, clip=None, weight_decay=0.01, tell=None):
    """As `learn`, but so many steps, each down what `loss()` gives at that time; return the losses.

    `clip` is the largest norm of a gradient. Ten times on the way `tell(step)` is called, or the loss is printed.
    """
    parameters, losses = list(parameters), []
    optimizer = optim.AdamW(parameters, lr=lr, weight_decay=weight_decay)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, lr, steps)
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        if clip:
            clip_grad_norm_(parameters, clip)
        optimizer.step()
        schedule.step()
        losses.append(value.item())
        if step % (steps // 10) == 0:
            (tell or (lambda step: print(f"step {step}: loss {losses[-1]:.3f}")))(step)
    return losses


def panels(columns=1, rows=1, width=4.0, height=3.2, **options):
    """A figure and its axes in a row-major list, without the frames that say nothing."""
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False, **options).flat)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def joined(axes):
    """One large Axes in the place of some of `panels`, which fill a rectangle."""
    places = [ax.get_subplotspec() for ax in axes]
    grid, figure = axes[0].get_gridspec(), axes[0].figure
    for ax in axes:
        ax.remove()
    large = figure.add_subplot(
        grid[places[0].rowspan.start : places[-1].rowspan.stop, places[0].colspan.start : places[-1].colspan.stop]
    )
    large.spines[["top", "right"]].set_visible(False)
    return large


def bars(ax, found, colours, **options):
    """Shares by name, from top to bottom, each with its number."""
    ax.bar_label(
        ax.barh(list(found), list(found.values()), color=colours), [f"{share:.1%}" for share in found.values()], padding=3
    )
    ax.set(xlim=(0, 1.25), xticks=[0, 0.5, 1], **options)
    ax.invert_yaxis()


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
