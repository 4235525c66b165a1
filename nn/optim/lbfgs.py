"""LBFGS: a quasi-Newton method, which asks for loss and gradient as often as it needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np

from autograd.engine.accumulate import widened
from autograd.engine.grad_mode import enable_grad
from autograd.engine.graph import Array, write
from autograd.engine.tape import recording
from autograd.engine.tensor import Tensor, wrap
from autograd.engine.warn import seen
from autograd.errors import ArgumentError, ShapeError, UnsupportedError

from ..module import loadable
from .optimizer import Optimizer
from .options import Count, LineSearch, NotNegative, Number, Whole, WholeOrNone


class LBFGS(Optimizer):
    """Newton's method with an inverse Hessian guessed from the last steps, for full batches (torch.optim.LBFGS).

    With s_i the last steps and y_i the changes of the gradient that they made, at most `history_size` of them, the step is

        d <- -H g, H the inverse Hessian that the pairs (s_i, y_i) suggest (Nocedal 1980; Liu and Nocedal 1989)
        p <- p + t * d

    where t is `lr`, at first lr * min(1, 1 / sum|g|), or with line_search_fn="strong_wolfe" found from there by a search
    (Nocedal and Wright 2006, algorithms 3.5 and 3.6).

    A call of `step(closure)` takes up to `max_iter` such steps, and up to `max_eval` calls of the closure (5/4 of max_iter
    if it is None), which zeroes the gradients, computes the loss, calls backward and returns the loss. It ends early when
    no gradient is above `tolerance_grad`, or when parameters and loss change by less than `tolerance_change`. There is one
    group. The program depends on the values, so a step cannot be captured on a tape.

    >>> import autograd, nn
    >>> p = nn.Parameter([-1.0, 2.0])
    >>> opt = LBFGS([p], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     opt.zero_grad()
    ...     loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> for _ in range(3):
    ...     loss = opt.step(closure)
    >>> [round(x, 3) for x in p.tolist()]
    [1.0, 1.0]
    """

    def __init__(
        self, params: Any, lr: NotNegative = 1, max_iter: Whole = 20, max_eval: WholeOrNone = None, tolerance_grad: Number = 1e-7,
        tolerance_change: Number = 1e-9, history_size: Count = 100, line_search_fn: LineSearch = None,
    ) -> None:  # fmt: skip
        max_eval = max_iter * 5 // 4 if max_eval is None else max_eval
        super().__init__(params, dict(
            lr=lr, max_iter=max_iter, max_eval=max_eval, tolerance_grad=tolerance_grad, tolerance_change=tolerance_change,
            history_size=history_size, line_search_fn=line_search_fn,
        ))  # fmt: skip

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """There is one group: raises ArgumentError for a second."""
        if self.param_groups:
            raise ArgumentError("LBFGS: there is only one group, since all parameters take one step together")
        super().add_param_group(param_group)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Minimize what `closure` computes for some steps; return the loss before them.

        If it raises, or is interrupted as by Ctrl-C, parameters and state are as they were.
        """
        if closure is None:
            raise UnsupportedError("LBFGS.step: pass a closure, which zeroes the gradients, calls backward and returns the loss")
        if recording() and not seen("LBFGS.step"):
            raise UnsupportedError("LBFGS.step: what it does depends on the values, so it cannot be captured on a tape")
        self.sync()
        parameters = self.param_groups[0]["params"]
        begin, known = [np.copy(p.array) for p in parameters], self.state.copy()
        try:
            with np.errstate(all="ignore"):
                loss, self.state[parameters[0]] = self._minimize(parameters, closure, **self._known[0])
        except BaseException:
            self.state = known
            _move(parameters, begin)
            raise
        return loss

    def _minimize(
        self, parameters: list[Tensor], closure: Callable[[], Any], *, lr: float, max_iter: int, max_eval: int,
        tolerance_grad: float, tolerance_change: float, history_size: int, line_search_fn: str | None,
    ) -> Any:  # fmt: skip
        state: dict[str, Any] = {"func_evals": 0, "n_iter": 0, "old_dirs": [], "old_stps": [], "H_diag": 1.0} | self.state.get(
            parameters[0], {}
        )
        changes, steps = ([t.array for t in state[name]] for name in ("old_dirs", "old_stps"))  # the y_i and s_i
        d: Any
        d, previous = (state[name].array if name in state else None for name in ("d", "prev_flat_grad"))
        t, scale, total = state.get("t"), state["H_diag"], state["n_iter"]

        def evaluate() -> tuple[Any, float, Array]:
            with enable_grad():
                loss = closure()
            return loss, float(loss.item() if hasattr(loss, "item") else loss), _flat_gradient(parameters)

        first_loss, loss, g = evaluate()
        evals, before = 1, state.get("prev_loss")
        for k in range(1, max_iter + 1) if np.max(np.abs(g)) > tolerance_grad else ():
            total += 1
            if total == 1:
                d, scale = -g, 1.0
            else:
                y, s = g - previous, d * t
                if (ys := float(y @ s)) > 1e-10:  # else the curvature found is not that of a minimum
                    changes, steps = [*changes, y][-history_size:], [*steps, s][-history_size:]
                    scale = ys / float(y @ y)
                d = _direction(g, changes, steps, scale)
            previous, before = g, loss
            t = lr * min(1.0, 1.0 / float(np.sum(np.abs(g)))) if total == 1 else lr
            slope = float(g @ d)
            if slope > -tolerance_change:
                break
            here = [np.copy(p.array) for p in parameters]
            if line_search_fn is None:
                _move(parameters, here, t, d)
                if k < max_iter:  # the last gradient would be of no use
                    _, loss, g = evaluate()
                    evals += 1
            else:

                def look(t: float, here: list[Array] = here, d: Array = d) -> Point:
                    _move(parameters, here, t, d)
                    _, loss, g = evaluate()
                    return Point(t, loss, float(g @ d), g)

                found, calls = strong_wolfe(look, t, Point(0.0, loss, slope, g), float(np.max(np.abs(d))), max_eval - evals)
                t, loss, _, g = found
                evals += calls
                _move(parameters, here, t, d)
            done = np.max(np.abs(g)) <= tolerance_grad or np.max(np.abs(d * t)) <= tolerance_change
            if done or evals >= max_eval or abs(loss - before) < tolerance_change:
                break
        state |= {"func_evals": state["func_evals"] + evals, "n_iter": total, "H_diag": scale}
        if d is not None:
            ro = [1.0 / float(y @ s) for y, s in zip(changes, steps, strict=True)]
            state |= {"d": wrap(d), "t": t, "old_dirs": [*map(wrap, changes)], "old_stps": [*map(wrap, steps)], "ro": ro}
            state |= {"prev_flat_grad": wrap(previous), "prev_loss": before}
        return first_loss, state

    def _loadable(self, i: int, p: Tensor, state: Mapping[str, Any]) -> dict[str, Any]:
        def ours(value: Any) -> Any:
            if isinstance(value, (list, tuple)):
                return [ours(v) for v in value]
            if not hasattr(value, "shape"):
                return value
            t = loadable(value)
            return wrap(np.copy(t.array)) if t.shape else t.item()

        return {name: ours(deepcopy(value)) for name, value in state.items() if name != "al" and value is not None}


def _flat_gradient(parameters: list[Tensor]) -> Array:
    grads = [np.zeros_like(p.array) if p.grad is None else p.grad.array for p in parameters]
    if wrong := [(p.shape, g.shape) for p, g in zip(parameters, grads, strict=True) if p.shape != g.shape]:
        raise ShapeError(f"LBFGS: these must have one shape: parameter {wrong[0][0]}, gradient {wrong[0][1]}")
    return np.concatenate([np.reshape(widened(g), (-1,)) for g in grads])


def _move(parameters: list[Tensor], here: list[Array], t: float = 0.0, d: Array | None = None) -> None:
    """Put the parameters at `here`, or at t * d from there."""
    start = 0
    for p, x in zip(parameters, here, strict=True):
        write(p.array, ..., x if d is None else x + np.reshape(d[start : start + x.size], x.shape) * t)
        start += x.size


def _direction(g: Array, changes: list[Array], steps: list[Array], scale: float) -> Array:
    """-H g in two loops over the pairs, newest first and then back (Nocedal and Wright 2006, algorithm 7.4)."""
    d, alphas = -g, []
    for y, s in zip(reversed(changes), reversed(steps), strict=True):
        alphas.append(float(s @ d) / float(y @ s))
        d = d - y * alphas[-1]
    d = d * scale
    for y, s, alpha in zip(changes, steps, reversed(alphas), strict=True):
        d = d + s * (alpha - float(y @ d) / float(y @ s))
    return d


# ---------------------------------------------------------------- the line search
class Point(NamedTuple):
    """A step along the direction of search: loss, slope and gradient there."""

    t: float
    loss: float
    slope: float
    gradient: Array


def strong_wolfe(
    look: Callable[[float], Point], t: float, start: Point, size: float, most: int, c1: float = 1e-4, c2: float = 0.9,
    tolerance: float = 1e-9,
) -> tuple[Point, int]:  # fmt: skip
    """Look, from step `t` on and `most` times after it, for one after which the loss fell and the slope is flatter.

    Fell: by at least c1 * t * slope; flatter: at most c2 times the slope at the start. Returns the point, or the best
    found, and how often it looked. It grows the step until such a point must lie between two, and then closes in on it;
    `size` is the largest element of the direction, and an interval in which nothing moves by `tolerance` is not cut.
    """

    def too_high(point: Point) -> bool:
        return point.loss > start.loss + c1 * point.t * start.slope

    def flat(point: Point) -> bool:
        return abs(point.slope) <= -c2 * start.slope

    last, now, tries = start, look(t), 0
    while tries < most:
        if too_high(now) or (tries > 1 and now.loss >= last.loss):
            break
        if flat(now):
            return now, tries + 1
        if now.slope >= 0:
            break
        t = _lowest(last, now, now.t + 0.01 * (now.t - last.t), 10 * now.t)
        last, now, tries = now, look(t), tries + 1
    pair = [last, now] if tries < most else [start, now]
    low = int(pair[0].loss > pair[1].loss)
    stuck = False  # did the last guess come close to an end of the interval?
    while tries < most and abs(pair[1].t - pair[0].t) * size >= tolerance:
        left, right = sorted((pair[0].t, pair[1].t))
        t, margin = _lowest(pair[0], pair[1], left, right), 0.1 * (right - left)
        near = min(right - t, t - left) < margin
        if near and (stuck or not left < t < right):
            t, near = (right - margin if abs(t - right) < abs(t - left) else left + margin), False
        stuck = near
        now, tries = look(t), tries + 1
        if too_high(now) or now.loss >= pair[low].loss:
            pair[1 - low] = now
            low = int(pair[0].loss > pair[1].loss)
            continue
        if flat(now):
            return now, tries + 1
        if now.slope * (pair[1 - low].t - pair[low].t) >= 0:
            pair[1 - low] = pair[low]
        pair[low] = now
    return pair[low], tries + 1


def _lowest(a: Point, b: Point, left: float, right: float) -> float:
    """Where between `left` and `right` the cubic through two points is lowest (Nocedal and Wright 2006, equation 3.59)."""
    a, b = sorted((a, b), key=lambda point: point.t)
    middle, width = (left + right) / 2, b.t - a.t
    if not width:
        return middle
    d1 = a.slope + b.slope + 3 * (a.loss - b.loss) / width
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return middle
    above, below = b.slope + square**0.5 - d1, b.slope - a.slope + 2 * square**0.5
    t = b.t - width * (above / below if below else above * math.inf)
    return min(max(t, left), right) if t == t else middle
