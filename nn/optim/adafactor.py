"""Adafactor: steps scaled by a root mean square of which, for matrices, only rows and columns are remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autograd.engine.accumulate import widened
from autograd.engine.grad_mode import enable_grad
from autograd.engine.graph import Array, write
from autograd.engine.primitive import as_array
from autograd.engine.tape import recording
from autograd.engine.tensor import Tensor, wrap
from autograd.engine.warn import seen
from autograd.errors import DtypeError, ShapeError, StateError, UnsupportedError, describe

from ..module import loadable
from .optimizer import Optimizer
from .options import Epsilons, Flag, NotNegative, NotPositive, OneOrMore


class Adafactor(Optimizer):
    """Steps of a size that follows the parameter's, in the memory of its rows and columns (torch.optim.Adafactor).

    At step t, with rms(x) = sqrt(mean(x^2)), and b = t^beta2_decay:

        r <- (1 - b) * r + b * mean of g^2 over the columns, c <- the same over the rows, for two dims or more
        v = r c / mean(r), of one dim or none v <- (1 - b) * v + b * g^2
        u = g / sqrt(v), over max(1, rms(u) / d)
        p <- p * (1 - lr * weight_decay) - max(eps[1], rms(p)) * min(lr, 1 / sqrt(t)) * u

    `eps[0]` keeps v from 0, the precision of the dtype if None. It depends on values, so a step cannot be captured on a tape.
    Shazeer and Stern 2018. State: `row_var` and `col_var`, the r and c, or `variance`, the v.

    >>> import autograd, nn
    >>> layer = nn.Linear(3, 2)
    >>> opt = Adafactor(layer.parameters())
    >>> layer(autograd.ones(4, 3)).sum().backward(); opt.step()
    >>> {name: t.shape for name, t in opt.state[layer.weight].items()}
    {'step': (), 'row_var': (2, 1), 'col_var': (1, 3)}
    """

    def __init__(
        self, params: Any, lr: NotNegative = 1e-2, beta2_decay: NotPositive = -0.8, eps: Epsilons = (None, 1e-3),
        d: OneOrMore = 1.0, weight_decay: NotNegative = 0.0, *, foreach: bool | None = None, maximize: Flag = False,
    ) -> None:  # fmt: skip
        options = dict(lr=lr, beta2_decay=beta2_decay, eps=eps, d=d, weight_decay=weight_decay)
        super().__init__(params, options | dict(foreach=foreach, maximize=maximize))

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; return what `closure` returns. If it raises, nothing has changed."""
        if recording() and not seen("Adafactor.step"):
            raise UnsupportedError("Adafactor.step: what it does depends on the values, so it cannot be captured on a tape")
        with enable_grad():
            loss = None if closure is None else closure()
        self.sync()
        done = []
        with np.errstate(all="ignore"):
            for group, options in zip(self.param_groups, self._known, strict=True):
                for p in group["params"]:
                    if (g := p.grad) is not None:
                        if p.shape != g.shape:
                            raise ShapeError(f"Adafactor: these must have one shape: parameter {p.shape}, gradient {g.shape}")
                        if p.dtype.kind != "f":
                            raise DtypeError(f"Adafactor: a parameter holds {describe(p)}, which steps cannot change")
                        done.append((p, *_updated(p.array, g.array, self.state.get(p) or _begun(p), **options)))
        for p, new, state in done:
            write(p.array, ..., new)
            self.state[p] = {name: wrap(as_array(value)) for name, value in state.items()}
        return loss

    def _loadable(self, i: int, p: Tensor, state: Mapping[str, Any]) -> dict[str, Any]:
        given, own = {name: loadable(value) for name, value in state.items()}, _begun(p)
        if given and {n: t.shape for n, t in given.items()} != {n: t.shape for n, t in own.items()}:
            found = ", ".join(f"{name} {t.shape}" for name, t in given.items())
            raise StateError(f"load_state_dict of Adafactor: the state of parameter {i} {p.shape} cannot be {found}")
        return {name: wrap(t.array.astype(own[name].dtype)) for name, t in given.items()}


def _begun(p: Tensor) -> dict[str, Tensor]:
    """The state of a parameter before its first step."""
    like, shape = widened(p.array), p.shape
    sides = dict(row_var=(*shape[:-1], 1), col_var=(*shape[:-2], 1, shape[-1])) if p.ndim > 1 else dict(variance=shape)
    values = {name: wrap(np.zeros_like(like, shape=side)) for name, side in sides.items()}
    return {"step": wrap(np.array(0.0, np.float32))} | values


def _rms(x: Array) -> float:
    return float(np.sqrt(np.mean(x * x))) if x.size else 0.0


def _updated(
    p: Array, g: Array, state: dict[str, Tensor], lr: float, beta2_decay: float, eps: tuple[float | None, float], d: float,
    weight_decay: float, maximize: bool,
) -> tuple[Array, dict[str, Array]]:  # fmt: skip
    """The parameter after a step, and its state."""
    least = float(np.finfo(p.dtype).eps) if eps[0] is None else eps[0]
    p, g = widened((p, g))
    g = -g if maximize else g
    old = {name: t.array for name, t in state.items()}
    t = float(old["step"]) + 1
    share, new = t**beta2_decay, {"step": np.array(t, np.float32)}
    if g.ndim > 1:
        for name, axis in (("row_var", -1), ("col_var", -2)):
            new[name] = old[name] + (np.mean(g * g, axis=axis, keepdims=True) - old[name]) * share
        row, column = new["row_var"], new["col_var"]
        v = row * column / np.maximum(np.mean(row, axis=-2, keepdims=True), least)
    else:
        v = new["variance"] = old["variance"] + (g * g - old["variance"]) * share
    u = g / np.sqrt(np.maximum(v, least * least))
    rate = max(eps[1], _rms(p)) * min(lr, t**-0.5) / max(1.0, _rms(u) / d)
    return p * (1 - lr * weight_decay) - u * rate, new
