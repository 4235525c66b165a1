"""The update rules and their optimizers, in order of growing complexity, from SGD to Muon."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.engine.accumulate import total
from autograd.engine.graph import Array
from autograd.engine.primitive import primitive
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError

from .optimizer import Optimizer, Recipe
from .options import Adjustment, Betas, Etas, FewSteps, Flag, NotNegative, Number, Pair, Share, Triple


# ---------------------------------------------------------------- what the rules share
def weak(*scalars: Any) -> list[Any]:
    """Scalars as what takes the dtype of what it meets: Python floats, 0-d Tensors as they are, None as None.

    NumPy's 0-d float64 arrays would make float64 of everything.
    """
    return [s if type(s) is float or s is None or isinstance(s, Tensor) else float(s) for s in scalars]


def decayed(p: Array, grad: Array, maximize: bool, weight_decay: Any, lr: Any = None) -> tuple[Array, Array]:
    """Parameter and gradient, minus it to maximize, with a pull towards 0: in the gradient, or given `lr` in the parameter."""
    g = -grad if maximize else grad
    if weight_decay is None:
        return p, g
    return (p, g + p * weight_decay) if lr is None else (p * (1 - lr * weight_decay), g)


def moments(g: Array, exp_avg: Array, exp_avg_sq: Array, beta1: Any, beta2: Any) -> tuple[Array, Array]:
    """Decaying means of the gradient and of its square."""
    return exp_avg + (g - exp_avg) * (1 - beta1), exp_avg_sq * beta2 + g * g * (1 - beta2)


def arguments(scope: dict[str, Any]) -> dict[str, Any]:
    """The options among the arguments of an __init__, all of which its `locals()` are."""
    return {name: value for name, value in scope.items() if name not in ("self", "params", "__class__")}


def terms(group: dict[str, Any], live: dict[str, Any], *names: str) -> list[Any]:
    """The numbers among the options, None for those that are 0: their terms are left out."""
    return [live[name] if group[name] else None for name in names]


# ---------------------------------------------------------------- SGD
def _sgd(
    p: Array, grad: Array, lr: Any, momentum: Any, dampening: Any, weight_decay: Any, nesterov: bool, maximize: bool, *state: Any,
) -> tuple[Array, ...]:  # fmt: skip
    lr, momentum, dampening, weight_decay = weak(lr, momentum, dampening, weight_decay)
    p, g = decayed(p, grad, maximize, weight_decay)
    if momentum is None:
        return (p - g * lr,)
    *step, b = state
    if dampening is None:
        b = b * momentum + g
    else:
        step = [weak(*step)[0] + 1]
        b = b * momentum + g * (1 - dampening * (step[0] > 1))  # the first gradient counts in full
    return p - (g + b * momentum if nesterov else b) * lr, *step, b


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
        self, params: Any, lr: NotNegative = 1e-3, momentum: NotNegative = 0, dampening: Number = 0,
        weight_decay: NotNegative = 0, nesterov: Flag = False, *, maximize: Flag = False, foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(params, arguments(locals()))

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        plain = group["momentum"] > 0 and group["dampening"] == 0
        self._need(group, plain or not group["nesterov"], "nesterov", "False without momentum, or with dampening")

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        options = live["lr"], *terms(group, live, "momentum", "dampening", "weight_decay"), group["nesterov"], group["maximize"]
        count = {"_step": 0.0} if group["dampening"] else {}
        return sgd, options, count | {"momentum_buffer": 0.0} if group["momentum"] else {}


# ---------------------------------------------------------------- Lion
def _lion(
    p: Array, grad: Array, lr: Any, beta1: Any, beta2: Any, weight_decay: Any, maximize: bool, exp_avg: Array
) -> tuple[Array, ...]:
    lr, beta1, beta2, weight_decay = weak(lr, beta1, beta2, weight_decay)
    p, g = decayed(p, grad, maximize, weight_decay, lr)
    return p - np.sign(exp_avg * beta1 + g * (1 - beta1)) * lr, exp_avg * beta2 + g * (1 - beta2)


lion = primitive(_lion, "lion")


class Lion(Optimizer):
    """Steps of one size by the sign of a mean of the gradients: what a search among programs found (Chen et al. 2023).

        c <- beta1 * m + (1 - beta1) * g
        p <- p - lr * (sign(c) + weight_decay * p)
        m <- beta2 * m + (1 - beta2) * g

    A good `lr` is 3 to 10 times smaller than Adam's, and a good `weight_decay` as many times larger. State: `exp_avg`, the m.
    """

    def __init__(
        self, params: Any, lr: NotNegative = 1e-4, betas: Betas = (0.9, 0.99), weight_decay: NotNegative = 0, *,
        maximize: Flag = False,
    ) -> None:  # fmt: skip
        super().__init__(params, arguments(locals()))

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        return lion, (live["lr"], *live["betas"], *terms(group, live, "weight_decay"), group["maximize"]), {"exp_avg": 0.0}


# ---------------------------------------------------------------- Adagrad
def _adagrad(
    p: Array, grad: Array, lr: Any, lr_decay: Any, eps: Any, weight_decay: Any, maximize: bool, step: Any, total: Array
) -> tuple[Any, ...]:
    lr, lr_decay, eps, weight_decay, step = weak(lr, lr_decay, eps, weight_decay, step)
    p, g = decayed(p, grad, maximize, weight_decay)
    total = total + g * g
    rate = lr if lr_decay is None else lr / (1 + step * lr_decay)
    return p - g * rate / (np.sqrt(total) + eps), step + 1, total


adagrad = primitive(_adagrad, "adagrad")


class Adagrad(Optimizer):
    """Steps along the gradient over the root of the sum of all its squares so far (Duchi et al. 2011; torch.optim.Adagrad).

    g <- gradient (minus it, to maximize) + weight_decay * p
    s <- s + g * g, from initial_accumulator_value
    p <- p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps), at step t
    """

    def __init__(
        self, params: Any, lr: NotNegative = 1e-2, lr_decay: NotNegative = 0, weight_decay: NotNegative = 0,
        initial_accumulator_value: NotNegative = 0, eps: NotNegative = 1e-10, foreach: bool | None = None, *,
        maximize: Flag = False, differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(params, arguments(locals()))

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        lr_decay, weight_decay = terms(group, live, "lr_decay", "weight_decay")
        options = live["lr"], lr_decay, live["eps"], weight_decay, group["maximize"]
        return adagrad, options, {"step": 0.0, "sum": group["initial_accumulator_value"]}


# ---------------------------------------------------------------- RMSprop
def _rmsprop(
    p: Array, grad: Array, lr: Any, alpha: Any, eps: Any, weight_decay: Any, momentum: Any, centered: bool, maximize: bool,
    step: Any, square_avg: Array, *state: Any,
) -> tuple[Any, ...]:  # fmt: skip
    lr, alpha, eps, weight_decay, momentum, step = weak(lr, alpha, eps, weight_decay, momentum, step)
    p, g = decayed(p, grad, maximize, weight_decay)
    square_avg = variance = square_avg * alpha + g * g * (1 - alpha)
    kept: tuple[Array, ...] = ()
    if centered:
        mean = state[-1] + (g - state[-1]) * (1 - alpha)
        variance, kept = square_avg - mean * mean, (mean,)
    d = g / (np.sqrt(variance) + eps)
    if momentum is not None:
        d = state[0] * momentum + d
        kept = (d, *kept)
    return p - d * lr, step + 1, square_avg, *kept


rmsprop = primitive(_rmsprop, "rmsprop")


class RMSprop(Optimizer):
    """Steps along the gradient over the root of its mean square (Hinton's lecture 6e of 2012; torch.optim.RMSprop).

    g <- gradient (minus it, to maximize) + weight_decay * p
    v <- alpha * v + (1 - alpha) * g * g
    m <- alpha * m + (1 - alpha) * g, if centered (Graves 2013)
    d <- g / (sqrt(v) + eps), centered g / (sqrt(v - m * m) + eps)
    b <- momentum * b + d
    p <- p - lr * b
    """

    def __init__(
        self, params: Any, lr: NotNegative = 1e-2, alpha: NotNegative = 0.99, eps: NotNegative = 1e-8,
        weight_decay: NotNegative = 0, momentum: NotNegative = 0, centered: Flag = False, capturable: bool = False,
        foreach: bool | None = None, maximize: Flag = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, arguments(locals()))

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        numbers = live["lr"], live["alpha"], live["eps"], *terms(group, live, "weight_decay", "momentum")
        names = ["step", "square_avg", *["momentum_buffer"] * (group["momentum"] > 0), *["grad_avg"] * group["centered"]]
        return rmsprop, (*numbers, group["centered"], group["maximize"]), dict.fromkeys(names, 0.0)


# ---------------------------------------------------------------- Adadelta
def _adadelta(
    p: Array, grad: Array, lr: Any, rho: Any, eps: Any, weight_decay: Any, maximize: bool,
    step: Any, square_avg: Array, acc_delta: Array,
) -> tuple[Any, ...]:  # fmt: skip
    lr, rho, eps, weight_decay, step = weak(lr, rho, eps, weight_decay, step)
    p, g = decayed(p, grad, maximize, weight_decay)
    square_avg = square_avg * rho + g * g * (1 - rho)
    d = np.sqrt(acc_delta + eps) / np.sqrt(square_avg + eps) * g
    return p - d * lr, step + 1, square_avg, acc_delta * rho + d * d * (1 - rho)


adadelta = primitive(_adadelta, "adadelta")


class Adadelta(Optimizer):
    """Steps whose size follows from those before: no learning rate to choose (Zeiler 2012; torch.optim.Adadelta).

    g <- gradient (minus it, to maximize) + weight_decay * p
    v <- rho * v + (1 - rho) * g * g
    d <- sqrt(u + eps) / sqrt(v + eps) * g
    u <- rho * u + (1 - rho) * d * d
    p <- p - lr * d
    """

    def __init__(
        self, params: Any, lr: NotNegative = 1.0, rho: Share = 0.9, eps: NotNegative = 1e-6, weight_decay: NotNegative = 0,
        foreach: bool | None = None, *, capturable: bool = False, maximize: Flag = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, arguments(locals()))

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        options = live["lr"], live["rho"], live["eps"], *terms(group, live, "weight_decay"), group["maximize"]
        return adadelta, options, dict.fromkeys(("step", "square_avg", "acc_delta"), 0.0)


# ---------------------------------------------------------------- Rprop
def _rprop(
    p: Array, grad: Array, eta_minus: Any, eta_plus: Any, least: Any, most: Any, maximize: bool,
    step: Any, prev: Array, step_size: Array,
) -> tuple[Any, ...]:  # fmt: skip
    eta_minus, eta_plus, least, most, step = weak(eta_minus, eta_plus, least, most, step)
    g = -grad if maximize else grad
    turn = np.sign(g * prev)
    size = step_size * (np.maximum(turn, 0) * (eta_plus - 1) + np.minimum(turn, 0) * (1 - eta_minus) + 1)
    size = np.minimum(np.maximum(size, least), most)
    g = np.where(turn < 0, 0, g)
    return p - np.sign(g) * size, step + 1, g, size


rprop = primitive(_rprop, "rprop")


class Rprop(Optimizer):
    """Steps by the sign of the gradient alone, each element with its own size, for full batches (torch.optim.Rprop).

    Where the sign is that of the step before, the size grows by etas[1]; where it turned, it shrinks by etas[0], and the
    element stays where it is this time. Sizes begin at `lr` and stay between `step_sizes` (Riedmiller and Braun 1993, in
    the form without going back, iRprop-, of Igel and Hüsken 2000).
    """

    def __init__(
        self, params: Any, lr: NotNegative = 1e-2, etas: Etas = (0.5, 1.2),
        step_sizes: Pair = (1e-6, 50), *, capturable: bool = False, foreach: bool | None = None,
        maximize: Flag = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, arguments(locals()))

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        return (
            rprop,
            (*live["etas"], *live["step_sizes"], group["maximize"]),
            {"step": 0.0, "prev": 0.0, "step_size": group["lr"]},
        )


# ---------------------------------------------------------------- ASGD
def _asgd(
    p: Array, grad: Array, lr: Any, lambd: Any, alpha: Any, t0: Any, weight_decay: Any, maximize: bool,
    step: Any, eta: Any, mu: Any, ax: Array,
) -> tuple[Any, ...]:  # fmt: skip
    lr, lambd, alpha, t0, weight_decay, step, eta, mu = weak(lr, lambd, alpha, t0, weight_decay, step, eta, mu)
    p, g = decayed(p, grad, maximize, weight_decay)
    p = p * (1 - lambd * eta) - g * eta
    ax = ax + (p - ax) * mu
    step = step + 1
    late = step - t0
    return p, step, lr / (1 + lambd * lr * step) ** alpha, 1 / (late * (late > 1) + (late <= 1)), ax


asgd = primitive(_asgd, "asgd")


class ASGD(Optimizer):
    """SGD with a falling rate, which also keeps the mean of its path (Polyak and Juditsky 1992; torch.optim.ASGD).

        g <- gradient (minus it, to maximize) + weight_decay * p
        p <- p - eta * (g + lambd * p), eta from lr on
        ax <- ax + mu * (p - ax), mu from 1 on
        eta <- lr / (1 + lambd * lr * t)^alpha, mu <- 1 / max(1, t - t0), at step t

    The mean, of the steps after `t0`, is `ax` in the state of each parameter.
    """

    def __init__(
        self, params: Any, lr: NotNegative = 1e-2, lambd: Number = 1e-4, alpha: NotNegative = 0.75, t0: Number = 1e6,
        weight_decay: NotNegative = 0, foreach: bool | None = None, maximize: Flag = False, differentiable: bool = False,
        capturable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, arguments(locals()))

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        numbers = (live[name] for name in ("lr", "lambd", "alpha", "t0"))
        options = *numbers, *terms(group, live, "weight_decay"), group["maximize"]
        return asgd, options, {"step": 0.0, "eta": group["lr"], "mu": 1.0, "ax": 0.0}


# ---------------------------------------------------------------- Adam and AdamW
def _adam(
    p: Array, grad: Array, lr: Any, beta1: Any, beta2: Any, eps: Any, weight_decay: Any, decoupled: bool, maximize: bool,
    step: Any, exp_avg: Array, exp_avg_sq: Array, *largest: Array,
) -> tuple[Any, ...]:  # fmt: skip
    lr, beta1, beta2, eps, weight_decay, step = weak(lr, beta1, beta2, eps, weight_decay, step)
    step = step + 1
    p, g = decayed(p, grad, maximize, weight_decay, lr if decoupled else None)
    m, v = moments(g, exp_avg, exp_avg_sq, beta1, beta2)
    largest = tuple(np.maximum(old, v) for old in largest)
    root = (1 - beta2**step) ** 0.5  # lr * m' / (sqrt(v') + eps), with the scalars brought together
    p = p - m * (lr * root / (1 - beta1**step)) / (np.sqrt(largest[0] if largest else v) + eps * root)
    return p, step, m, v, *largest


adam = primitive(_adam, "adam")


class Adam(Optimizer):
    """Steps along the mean of the gradients over the root of their mean square (Kingma and Ba 2014; torch.optim.Adam).

        g <- gradient (minus it, to maximize) + weight_decay * p
        m <- beta1 * m + (1 - beta1) * g
        v <- beta2 * v + (1 - beta2) * g * g
        p <- p - lr * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps), at step t

    With `amsgrad`, v in the last line is the largest so far (Reddi et al. 2018). With `decoupled_weight_decay`, it is AdamW.
    """

    def __init__(
        self, params: Any, lr: NotNegative = 1e-3, betas: Betas = (0.9, 0.999), eps: NotNegative = 1e-8,
        weight_decay: NotNegative = 0, amsgrad: Flag = False, *, foreach: bool | None = None, maximize: Flag = False,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None, decoupled_weight_decay: Flag = False,
    ) -> None:  # fmt: skip
        super().__init__(params, arguments(locals()))

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        numbers = live["lr"], *live["betas"], live["eps"], *terms(group, live, "weight_decay")
        names = ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 3 + group["amsgrad"]]
        return adam, (*numbers, group["decoupled_weight_decay"], group["maximize"]), dict.fromkeys(names, 0.0)


class AdamW(Adam):
    """Adam whose weight decay does not pass through the gradient's statistics (Loshchilov and Hutter 2017; torch.optim.AdamW).

    Before Adam's step, p <- p - lr * weight_decay * p.
    """

    def __init__(
        self, params: Any, lr: NotNegative = 1e-3, betas: Betas = (0.9, 0.999), eps: NotNegative = 1e-8,
        weight_decay: NotNegative = 1e-2, amsgrad: Flag = False, *, maximize: Flag = False, foreach: bool | None = None,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(**arguments(locals()), params=params, decoupled_weight_decay=True)


# ---------------------------------------------------------------- Adamax
def _adamax(
    p: Array, grad: Array, lr: Any, beta1: Any, beta2: Any, eps: Any, weight_decay: Any, maximize: bool,
    step: Any, exp_avg: Array, exp_inf: Array,
) -> tuple[Any, ...]:  # fmt: skip
    lr, beta1, beta2, eps, weight_decay, step = weak(lr, beta1, beta2, eps, weight_decay, step)
    step = step + 1
    p, g = decayed(p, grad, maximize, weight_decay)
    m = exp_avg + (g - exp_avg) * (1 - beta1)
    u = np.maximum(exp_inf * beta2, np.abs(g) + eps)
    return p - m * (lr / (1 - beta1**step)) / u, step, m, u


adamax = primitive(_adamax, "adamax")


class Adamax(Optimizer):
    """Adam with a decaying maximum in place of the root mean square (Kingma and Ba 2014, section 7; torch.optim.Adamax).

    g <- gradient (minus it, to maximize) + weight_decay * p
    m <- beta1 * m + (1 - beta1) * g
    u <- max(beta2 * u, |g| + eps)
    p <- p - lr / (1 - beta1^t) * m / u, at step t
    """

    def __init__(
        self, params: Any, lr: NotNegative = 2e-3, betas: Betas = (0.9, 0.999), eps: NotNegative = 1e-8,
        weight_decay: NotNegative = 0, foreach: bool | None = None, *, maximize: Flag = False, differentiable: bool = False,
        capturable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, arguments(locals()))

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        options = live["lr"], *live["betas"], live["eps"], *terms(group, live, "weight_decay"), group["maximize"]
        return adamax, options, dict.fromkeys(("step", "exp_avg", "exp_inf"), 0.0)


# ---------------------------------------------------------------- AdaBelief
def _adabelief(
    p: Array, grad: Array, lr: Any, beta1: Any, beta2: Any, eps: Any, weight_decay: Any, decoupled: bool, maximize: bool,
    step: Any, exp_avg: Array, exp_avg_var: Array, *largest: Array,
) -> tuple[Any, ...]:  # fmt: skip
    lr, beta1, beta2, eps, weight_decay, step = weak(lr, beta1, beta2, eps, weight_decay, step)
    step = step + 1
    p, g = decayed(p, grad, maximize, weight_decay, lr if decoupled else None)
    m = exp_avg + (g - exp_avg) * (1 - beta1)
    surprise = g - m
    s = exp_avg_var * beta2 + surprise * surprise * (1 - beta2) + eps
    largest = tuple(np.maximum(old, s) for old in largest)
    root = (1 - beta2**step) ** 0.5
    p = p - m * (lr * root / (1 - beta1**step)) / (np.sqrt(largest[0] if largest else s) + eps * root)
    return p, step, m, s, *largest


adabelief = primitive(_adabelief, "adabelief")


class AdaBelief(Optimizer):
    """Adam that takes long steps where the gradient is as expected, short ones where it surprises (Zhuang et al. 2020).

        m <- beta1 * m + (1 - beta1) * g
        s <- beta2 * s + (1 - beta2) * (g - m)^2 + eps
        p <- p - lr * m / (1 - beta1^t) / (sqrt(s / (1 - beta2^t)) + eps), at step t

    With `amsgrad`, s in the last line is the largest so far. `weight_decay` is AdamW's, or Adam's if not
    `decoupled_weight_decay`. State: `exp_avg` (m), `exp_avg_var` (s), `max_exp_avg_var`.
    """

    def __init__(
        self, params: Any, lr: NotNegative = 1e-3, betas: Betas = (0.9, 0.999), eps: NotNegative = 1e-8,
        weight_decay: NotNegative = 0, amsgrad: Flag = False, *, decoupled_weight_decay: Flag = True, maximize: Flag = False,
    ) -> None:  # fmt: skip
        super().__init__(params, arguments(locals()))

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        numbers = live["lr"], *live["betas"], live["eps"], *terms(group, live, "weight_decay")
        names = ("step", "exp_avg", "exp_avg_var", "max_exp_avg_var")[: 3 + group["amsgrad"]]
        return adabelief, (*numbers, group["decoupled_weight_decay"], group["maximize"]), dict.fromkeys(names, 0.0)


# ---------------------------------------------------------------- NAdam
def _nadam(
    p: Array, grad: Array, lr: Any, beta1: Any, beta2: Any, eps: Any, momentum_decay: Any, weight_decay: Any,
    decoupled: bool, maximize: bool, step: Any, mu_product: Any, exp_avg: Array, exp_avg_sq: Array,
) -> tuple[Any, ...]:  # fmt: skip
    lr, beta1, beta2, eps, momentum_decay, weight_decay = weak(lr, beta1, beta2, eps, momentum_decay, weight_decay)
    step, mu_product = weak(step, mu_product)
    step = step + 1
    p, g = decayed(p, grad, maximize, weight_decay, lr if decoupled else None)
    mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay)) for t in (step, step + 1))
    mu_product = mu_product * mu
    m, v = moments(g, exp_avg, exp_avg_sq, beta1, beta2)
    ahead = g * (lr * (1 - mu) / (1 - mu_product)) + m * (lr * mu_next / (1 - mu_product * mu_next))
    return p - ahead / (np.sqrt(v / (1 - beta2**step)) + eps), step, mu_product, m, v


nadam = primitive(_nadam, "nadam")


class NAdam(Optimizer):
    """Adam with Nesterov's look ahead (Dozat 2016; torch.optim.NAdam).

        mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2)
        m, v <- as in Adam
        d <- (1 - mu_t) * g / (1 - mu_1 ... mu_t) + mu_(t+1) * m / (1 - mu_1 ... mu_(t+1))
        p <- p - lr * d / (sqrt(v / (1 - beta2^t)) + eps), at step t

    `weight_decay` is Adam's, or with `decoupled_weight_decay` AdamW's.
    """

    def __init__(
        self, params: Any, lr: NotNegative = 2e-3, betas: Betas = (0.9, 0.999), eps: NotNegative = 1e-8,
        weight_decay: NotNegative = 0, momentum_decay: NotNegative = 4e-3, decoupled_weight_decay: Flag = False, *,
        foreach: bool | None = None,
        maximize: Flag = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, arguments(locals()))

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        numbers = live["lr"], *live["betas"], live["eps"], live["momentum_decay"], *terms(group, live, "weight_decay")
        first = {"step": 0.0, "mu_product": 1.0, "exp_avg": 0.0, "exp_avg_sq": 0.0}
        return nadam, (*numbers, group["decoupled_weight_decay"], group["maximize"]), first


# ---------------------------------------------------------------- RAdam
def _radam(
    p: Array, grad: Array, lr: Any, beta1: Any, beta2: Any, eps: Any, weight_decay: Any, decoupled: bool, maximize: bool,
    step: Any, exp_avg: Array, exp_avg_sq: Array,
) -> tuple[Any, ...]:  # fmt: skip
    lr, beta1, beta2, eps, weight_decay, step = weak(lr, beta1, beta2, eps, weight_decay, step)
    step = step + 1
    p, g = decayed(p, grad, maximize, weight_decay, lr if decoupled else None)
    m, v = moments(g, exp_avg, exp_avg_sq, beta1, beta2)
    whole = 2 / (1 - beta2) - 1  # how many gradients v is the mean of, in the long run
    length = whole - 2 * step * beta2**step / (1 - beta2**step)  # and so far
    enough = length > 5
    below = (whole - 4) * (whole - 2) * length
    square = (length - 4) * (length - 2) * whole / (below + (below == 0)) * (1 - beta2**step)
    scale = (square * enough) ** 0.5 / (np.sqrt(v) + eps) + (length <= 5)
    return p - m * (lr / (1 - beta1**step)) * scale, step, m, v


radam = primitive(_radam, "radam")


class RAdam(Optimizer):
    """Adam that waits with the division until the mean square is known well enough (Liu et al. 2019; torch.optim.RAdam).

        m, v <- as in Adam
        n = N - 2 * t * beta2^t / (1 - beta2^t), where N = 2 / (1 - beta2) - 1
        r = sqrt((n - 4) * (n - 2) * N / ((N - 4) * (N - 2) * n))
        d <- r * sqrt(1 - beta2^t) / (sqrt(v) + eps) if n > 5, else 1
        p <- p - lr * m / (1 - beta1^t) * d, at step t

    `weight_decay` is Adam's, or with `decoupled_weight_decay` AdamW's.
    """

    def __init__(
        self, params: Any, lr: NotNegative = 1e-3, betas: Betas = (0.9, 0.999), eps: NotNegative = 1e-8,
        weight_decay: NotNegative = 0, decoupled_weight_decay: Flag = False, *, foreach: bool | None = None,
        maximize: Flag = False, capturable: bool = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, arguments(locals()))

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        numbers = live["lr"], *live["betas"], live["eps"], *terms(group, live, "weight_decay")
        options = *numbers, group["decoupled_weight_decay"], group["maximize"]
        return radam, options, dict.fromkeys(("step", "exp_avg", "exp_avg_sq"), 0.0)


# ---------------------------------------------------------------- LAMB
def _lamb(
    p: Array, grad: Array, lr: Any, beta1: Any, beta2: Any, eps: Any, weight_decay: Any, maximize: bool,
    step: Any, exp_avg: Array, exp_avg_sq: Array,
) -> tuple[Any, ...]:  # fmt: skip
    lr, beta1, beta2, eps, weight_decay, step = weak(lr, beta1, beta2, eps, weight_decay, step)
    step = step + 1
    m, v = moments(-grad if maximize else grad, exp_avg, exp_avg_sq, beta1, beta2)
    d = m / (1 - beta1**step) / (np.sqrt(v / (1 - beta2**step)) + eps)
    if weight_decay is not None:
        d = d + p * weight_decay
    size, length = (total(v * v, tuple(range(v.ndim))) for v in (p, d))
    both = (size > 0) & (length > 0)
    trust = np.sqrt(np.where(both, size, 1) / np.where(both, length, 1))
    return p - d * (trust * lr), step, m, v


lamb = primitive(_lamb, "lamb")


class LAMB(Optimizer):
    """Adam whose step is, in each parameter, as long as that parameter times `lr`: for large batches (You et al. 2020).

        m, v <- as in Adam
        d <- m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay * p, at step t
        p <- p - lr * |p| / |d| * d, where |p| / |d| is 1 if either is 0

    State: `step`, `exp_avg`, `exp_avg_sq`. The default of `weight_decay` is what the paper trains BERT with.
    """

    blocks = False  # the lengths are those of whole parameters

    def __init__(
        self, params: Any, lr: NotNegative = 1e-3, betas: Betas = (0.9, 0.999), eps: NotNegative = 1e-6,
        weight_decay: NotNegative = 1e-2, *, maximize: Flag = False,
    ) -> None:  # fmt: skip
        super().__init__(params, arguments(locals()))

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        options = live["lr"], *live["betas"], live["eps"], *terms(group, live, "weight_decay"), group["maximize"]
        return lamb, options, dict.fromkeys(("step", "exp_avg", "exp_avg_sq"), 0.0)


# ---------------------------------------------------------------- Muon
def _muon(
    p: Array, grad: Array, lr: Any, momentum: Any, weight_decay: Any, a: Any, b: Any, c: Any, eps: Any, ns_steps: int,
    adjust_lr_fn: str | None, nesterov: bool, momentum_buffer: Array,
) -> tuple[Array, ...]:  # fmt: skip
    lr, momentum, weight_decay, a, b, c, eps = weak(lr, momentum, weight_decay, a, b, c, eps)
    p, g = decayed(p, grad, False, weight_decay, lr)
    m = momentum_buffer + (g - momentum_buffer) * (1 - momentum)
    x = g + (m - g) * momentum if nesterov else m
    rows, columns = p.shape
    x = np.swapaxes(x, 0, 1) if rows > columns else x
    x = x / np.maximum(np.sqrt(total(x * x, (0, 1))), eps)
    for _ in range(ns_steps):
        gram = np.matmul(x, np.swapaxes(x, 0, 1))
        x = x * a + np.matmul(gram * b + np.matmul(gram, gram) * c, x)
    x = np.swapaxes(x, 0, 1) if rows > columns else x
    scale = 0.2 * max(rows, columns) ** 0.5 if adjust_lr_fn == "match_rms_adamw" else max(1, rows / columns) ** 0.5
    return p - x * (lr * scale), m


muon = primitive(_muon, "muon")


class Muon(Optimizer):
    """Steps along a mean of the gradients, made nearly orthogonal, for the matrices of hidden layers (Jordan et al. 2024).

        m <- momentum * m + (1 - momentum) * g
        x <- m, with nesterov momentum * m + (1 - momentum) * g; then x <- x / |x|
        x <- a * x + (b * G + c * G^2) x, where G = x x^T, ns_steps times: the singular values of x all come near 1
        p <- p - lr * weight_decay * p - lr * s * x

    For a matrix of A rows and B columns, s is sqrt(max(1, A / B)) if `adjust_lr_fn` is None or "original", and
    0.2 * sqrt(max(A, B)) if it is "match_rms_adamw" (Liu et al. 2025): then AdamW's `lr` and `weight_decay` serve.
    Other parameters than matrices are an error: give those to AdamW, and also embeddings and the last layer.

    torch.optim.Muon, but for x, which PyTorch computes in bfloat16 and this in the dtype of the parameter.
    """

    blocks = False  # a matrix is not orthogonal in parts

    def __init__(
        self, params: Any, lr: NotNegative = 1e-3, weight_decay: NotNegative = 0.1, momentum: NotNegative = 0.95,
        nesterov: Flag = True, ns_coefficients: Triple = (3.4445, -4.775, 2.0315), eps: NotNegative = 1e-7,
        ns_steps: FewSteps = 5,
        adjust_lr_fn: Adjustment = None,
    ) -> None:  # fmt: skip
        super().__init__(params, arguments(locals()))

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        for p in group["params"]:
            if p.ndim != 2:
                raise ArgumentError(f"Muon: parameters must have 2 dims, got one of shape {p.shape}; give it to AdamW instead")

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        numbers = live["lr"], live["momentum"], *terms(group, live, "weight_decay"), *live["ns_coefficients"], live["eps"]
        options = *numbers, group["ns_steps"], group["adjust_lr_fn"], group["nesterov"]
        return muon, options, {"momentum_buffer": 0.0}
