"""Seeing: graphs drawn, recordings of what a program does, the chain rule explained, rules as formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .derivation import Derivation
    from .watched import Watched


def watch(names: Any = None) -> Watched:
    """Record what is computed, written in place and sent backward in a with-block; the graph is not changed by it.

    The recording knows what no graph keeps: the value of every result, the gradient that came to it and what
    each path added to it, constants, names, the lines of the program and the modules that were being called. It can be drawn
    (`autograd.draw`), stepped through in a page (`.html(path)`) and explained (`autograd.explain`).

    Values are called by the variables that hold them, parameters by their full names in the outermost module that is
    called; `names`, a dict of names and Tensors or a Module, goes before. Several values of one variable are h, h_2, h_3.

    What is computed outside of the block is a leaf in it, and gradients are heard of until its end: so call backward() in it.
    Raises GraphError while a tape records.

    >>> import autograd
    >>> w = autograd.tensor(3.0, requires_grad=True)
    >>> with autograd.watch() as tape:
    ...     h = w * w
    ...     loss = 2 * h + w
    ...     loss.backward()
    >>> [(e.name, e.results[0].name, float(e.results[0].array)) for e in tape.events]
    [('multiply', 'h', 9.0), ('multiply', '', 18.0), ('add', 'loss', 21.0)]
    >>> float(tape.gradient(h)), float(tape.gradient(w))  # also of what is no leaf
    (2.0, 13.0)
    >>> [(c.event.name, c.argument, float(c.d.array)) for c in tape.backwards[0].to(tape.value(w))]
    [('add', 'y', 1.0), ('multiply', 'x', 6.0), ('multiply', 'y', 6.0)]
    """
    from .watched import Watched  # here, as most programs watch nothing

    return Watched(names)


def explain(tensor: Any, names: Any = None, *, to: Any = None, backward: int = -1, limit: int = 100) -> Derivation:
    """The chain rule of this very graph, step by step: formulas in the names of the program, numbers, and finite differences.

    `tensor` is a Tensor, several, or a recording (`autograd.watch`). Of each op it says what it computed and, going back, the
    gradient g that has come to its result, what its rules make of that for each argument, and what these add up to. The
    formulas are the rules themselves, run on symbols. Beside the gradients stand finite differences: the recorded ops run
    again in double precision, with one number changed.

    `to`, Tensors or names, leaves out what does not lead to these. `backward` says which of the backwards that a recording
    heard, `limit` how many ops are written out. `names` are as for `draw`. The result is text (`print` it), `.latex()`,
    and `.html(path)`; notebooks show it as tables. A graph that was not recorded lacks constants that no rule needs, `?`.
    Raises NoGradientError without a graph, FreedGraphError after a backward that nobody recorded.

    >>> import autograd
    >>> w = autograd.tensor(3.0, requires_grad=True)
    >>> with autograd.watch() as tape:
    ...     h = w * w
    ...     loss = 2 * h + w
    ...     loss.backward()
    >>> print(autograd.explain(loss))  # doctest: +ELLIPSIS
    loss and its gradients, by the chain rule
    <BLANKLINE>
    Forward:
      h    = w * w = 3 * 3 = 9
      v1   = 2 * h = 2 * 9 = 18
      loss = v1 + w = 18 + 3 = 21
    <BLANKLINE>
    Backward, where g is the gradient that has come to the result of the line:
      loss = v1 + w:  g = ∂loss/∂loss = 1
        ∂loss/∂v1  = g = 1
        ∂loss/∂w  = g = 1
      v1 = 2 * h:  g = ∂loss/∂v1 = 1
        ∂loss/∂h  = g * 2 = 1 * 2 = 2
      h = w * w:  g = ∂loss/∂h = 2
        ∂loss/∂w += g * w = 2 * 3 = 6
        ∂loss/∂w += g * w = 2 * 3 = 6
    <BLANKLINE>
    Gradients:
      ∂loss/∂w = 1 + 6 + 6 = 13
        finite differences: 13 (agree, relative difference ...)
    """
    from .derivation import derive
    from .trace import recorded

    return derive(recorded(tensor, names, "explain"), to, backward, limit, "explain")
