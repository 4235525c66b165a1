"""The update rules and their optimizers, in order of growing complexity: SGD, then Adam and AdamW."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.graph import Array
from autograd.primitive import primitive
from autograd.tensor import Tensor

from .optimizer import Optimizer, Recipe


def weak(*scalars: Any) -> list[Any]:
    """Scalars as what takes the dtype of what it meets: Python floats, 0-d Tensors as they are, None as None.

    NumPy's 0-d float64 arrays would make float64 of everything.
    """
    return [s if s is None or isinstance(s, Tensor) else float(s) for s in scalars]


# ---------------------------------------------------------------- SGD
def _sgd(
    p: Array, grad: Array, lr: Any, momentum: Any, dampening: Any, weight_decay: Any, nesterov: bool, maximize: bool,
    step: Any, momentum_buffer: Any = None,
) -> tuple[Array, ...]:  # fmt: skip
    lr, momentum, dampening, weight_decay, step = weak(lr, momentum, dampening, weight_decay, step)
    g = -grad if maximize else grad
    if weight_decay is not None:
        g = g + p * weight_decay
    if momentum is None:
        return (p - g * lr,)
    fresh = g if dampening is None else g * (1 - dampening * (step > 1))  # the first gradient counts in full
    b = momentum_buffer * momentum + fresh
    return p - (g + b * momentum if nesterov else b) * lr, b


sgd = primitive(_sgd, "sgd")


class SGD(Optimizer):
    """Steps against the gradient, or with `momentum` against a decaying sum of gradients (torch.optim.SGD).

        g <- gradient (minus it, to maximize) + weight_decay * p
        b <- momentum * b + (1 - dampening) * g, at first b <- g
        p <- p - lr * b, with nesterov p <- p - lr * (g + momentum * b)

    >>> import autograd, nn
    >>> p = nn.Parameter([1.0, 2.0])
    >>> opt = SGD([p], lr=0.1)
    >>> (p * p).sum().backward(); opt.step(); p
    Parameter containing:
    tensor([0.8000, 1.6000], requires_grad=True)
    """

    def __init__(
        self, params: Any, lr: float = 1e-3, momentum: float = 0, dampening: float = 0, weight_decay: float = 0,
        nesterov: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        options = dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay)
        super().__init__(params, options | dict(nesterov=nesterov, maximize=maximize))

    def check(self, group: dict[str, Any]) -> None:
        for option in ("lr", "momentum", "weight_decay"):
            self._need(group, group[option] >= 0, option, "0 or more")
        plain = group["momentum"] > 0 and group["dampening"] == 0
        self._need(group, plain or not group["nesterov"], "nesterov", "False without momentum, or with dampening")

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        terms = [live[name] if group[name] else None for name in ("momentum", "dampening", "weight_decay")]
        names = ("step",) * bool(group["dampening"]) + ("momentum_buffer",) if group["momentum"] else ()
        return sgd, (live["lr"], *terms, group["nesterov"], group["maximize"]), names


# ---------------------------------------------------------------- Adam and AdamW
def _adam(
    p: Array, grad: Array, lr: Any, beta1: Any, beta2: Any, eps: Any, weight_decay: Any, decoupled: bool, maximize: bool,
    step: Any, exp_avg: Array, exp_avg_sq: Array, max_exp_avg_sq: Any = None,
) -> tuple[Array, ...]:  # fmt: skip
    lr, beta1, beta2, eps, weight_decay, step = weak(lr, beta1, beta2, eps, weight_decay, step)
    g = -grad if maximize else grad
    if weight_decay is not None:
        if decoupled:
            p = p * (1 - lr * weight_decay)
        else:
            g = g + p * weight_decay
    m = exp_avg + (g - exp_avg) * (1 - beta1)
    v = exp_avg_sq * beta2 + g * g * (1 - beta2)
    top = v if max_exp_avg_sq is None else np.maximum(max_exp_avg_sq, v)
    root = (1 - beta2**step) ** 0.5  # lr * m' / (sqrt(v') + eps), with the scalars brought together
    p = p - m * (lr * root / (1 - beta1**step)) / (np.sqrt(top) + eps * root)
    return (p, m, v) if max_exp_avg_sq is None else (p, m, v, top)


adam = primitive(_adam, "adam")


class Adam(Optimizer):
    """Steps along the mean of the gradients over the root of their mean square (Kingma and Ba 2014; torch.optim.Adam).

        g <- gradient (minus it, to maximize) + weight_decay * p
        m <- beta1 * m + (1 - beta1) * g
        v <- beta2 * v + (1 - beta2) * g * g
        p <- p - lr * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps), at step t

    With `amsgrad`, v in the last line is the largest so far (Reddi et al. 2018).
    """

    decoupled = False

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        options = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        super().__init__(params, options | dict(amsgrad=amsgrad, maximize=maximize))

    def check(self, group: dict[str, Any]) -> None:
        for option in ("lr", "eps", "weight_decay"):
            self._need(group, group[option] >= 0, option, "0 or more")
        betas = group["betas"]
        self._need(group, len(betas) == 2 and all(0 <= b < 1 for b in betas), "betas", "two numbers from 0 to below 1")

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        decay = live["weight_decay"] if group["weight_decay"] else None
        options = (live["lr"], *live["betas"], live["eps"], decay, self.decoupled, group["maximize"])
        return adam, options, ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 3 + group["amsgrad"]]


class AdamW(Adam):
    """Adam whose weight decay does not pass through the gradient's statistics (Loshchilov and Hutter 2017; torch.optim.AdamW).

    Before Adam's step, p <- p - lr * weight_decay * p.
    """

    decoupled = True

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
