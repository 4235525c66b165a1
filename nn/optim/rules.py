"""The update rules and their optimizers, in order of growing complexity, from SGD to Muon."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.engine.accumulate import total
from autograd.engine.graph import Array
from autograd.errors import ArgumentError

from .optimizer import Optimizer, declared, rule
from .options import Adjustment, Betas, Etas, FewSteps, Flag, NotNegative, Number, Pair, Share, Triple

New = tuple[Any, ...]  # the new parameter and the new state


# ---------------------------------------------------------------- what the rules share
def decayed(p: Array, grad: Array, maximize: bool, weight_decay: Number, lr: Number = None) -> tuple[Array, Array]:
    """Parameter and gradient, minus it to maximize, with a pull towards 0: in the gradient, or given `lr` in the parameter."""
    g = -grad if maximize else grad
    if weight_decay is None:
        return p, g
    return (p, g + p * weight_decay) if lr is None else (p * (1 - lr * weight_decay), g)


def mean(old: Array, new: Array, beta: Number) -> Array:
    """The decaying mean, with `new` in it."""
    return old + (new - old) * (1 - beta)


def mean_square(old: Array, g: Array, beta: Number) -> Array:
    """The decaying mean of squares, with that of `g` in it."""
    return old * beta + g * g * (1 - beta)


def unbiased(m: Array, v: Array, lr: Number, beta1: Number, beta2: Number, eps: Number, step: Number) -> Array:
    """lr * m' / (sqrt(v') + eps), where m' and v' make up for beginning at 0; the scalars are brought together."""
    root = (1 - beta2**step) ** 0.5
    return m * (lr * root / (1 - beta1**step)) / (np.sqrt(v) + eps * root)


# ---------------------------------------------------------------- the rules, each with its optimizer
@rule
def sgd(
    p: Array, grad: Array, lr: Number, nesterov: bool, maximize: bool, momentum: Number = None, dampening: Number = None,
    weight_decay: Number = None, count: Number = (0.0, "momentum", "dampening"), momentum_buffer: Array = (0.0, "momentum"),
) -> New:  # fmt: skip
    """A step of gradient descent, with momentum (torch.optim.SGD)."""
    p, g = decayed(p, grad, maximize, weight_decay)
    if momentum is None:
        return p - g * lr, None, None
    if dampening is None:
        b = momentum_buffer * momentum + g
    else:
        b = momentum_buffer * momentum + g * (1 - dampening * (count > 0))  # the first gradient counts in full
        count = count + 1
    return p - (g + b * momentum if nesterov else b) * lr, count, b


class SGD(Optimizer, rule=sgd):
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

    @declared
    def __init__(
        self, params: Any, lr: NotNegative = 1e-3, momentum: NotNegative = 0, dampening: Number = 0,
        weight_decay: NotNegative = 0, nesterov: Flag = False, *, maximize: Flag = False, foreach: bool | None = None,
        differentiable: bool = False, fused: bool | None = None,
    ) -> None: ...  # fmt: skip

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        plain = group["momentum"] > 0 and group["dampening"] == 0
        self._need(group, plain or not group["nesterov"], "nesterov", "False without momentum, or with dampening")


@rule
def signsgd(
    p: Array, grad: Array, lr: Number, maximize: bool, momentum: Number = None, weight_decay: Number = None,
    momentum_buffer: Array = (0.0, "momentum"),
) -> New:  # fmt: skip
    """A step by the sign of the gradient, or of a mean of the gradients."""
    p, g = decayed(p, grad, maximize, weight_decay, lr)
    if momentum is not None:
        g = momentum_buffer = mean(momentum_buffer, g, momentum)
    return p - np.sign(g) * lr, momentum_buffer


class SignSGD(Optimizer, rule=signsgd):
    """Steps of one size by the sign of the gradient, or with `momentum` by that of its mean (Bernstein et al. 2018).

        m <- momentum * m + (1 - momentum) * g
        p <- p - lr * (sign(m) + weight_decay * p)

    A good `lr` is about as small as Adam's. With momentum it is the paper's Signum; its state is `momentum_buffer`, the m.
    """

    @declared
    def __init__(
        self, params: Any, lr: NotNegative = 1e-4, momentum: Share = 0, weight_decay: NotNegative = 0, *, maximize: Flag = False,
    ) -> None: ...  # fmt: skip


@rule
def lion(
    p: Array, grad: Array, lr: Number, beta1: Number, beta2: Number, maximize: bool, weight_decay: Number = None,
    exp_avg: Array = 0.0,
) -> New:  # fmt: skip
    """A step by the sign of a mean of the gradients."""
    p, g = decayed(p, grad, maximize, weight_decay, lr)
    return p - np.sign(exp_avg * beta1 + g * (1 - beta1)) * lr, exp_avg * beta2 + g * (1 - beta2)


class Lion(Optimizer, rule=lion):
    """Steps of one size by the sign of a mean of the gradients: what a search among programs found (Chen et al. 2023).

        c <- beta1 * m + (1 - beta1) * g
        p <- p - lr * (sign(c) + weight_decay * p)
        m <- beta2 * m + (1 - beta2) * g

    A good `lr` is 3 to 10 times smaller than Adam's, and a good `weight_decay` as many times larger. State: `exp_avg`, the m.
    """

    @declared
    def __init__(
        self, params: Any, lr: NotNegative = 1e-4, betas: Betas = (0.9, 0.99), weight_decay: NotNegative = 0, *,
        maximize: Flag = False,
    ) -> None: ...  # fmt: skip


@rule
def adagrad(
    p: Array, grad: Array, lr: Number, eps: Number, maximize: bool, lr_decay: Number = None, weight_decay: Number = None,
    step: Number = 0.0, sum: Array = "initial_accumulator_value",
) -> New:  # fmt: skip
    """A step along the gradient over the root of the sum of its squares (torch.optim.Adagrad)."""
    p, g = decayed(p, grad, maximize, weight_decay)
    sum = sum + g * g
    rate = lr if lr_decay is None else lr / (1 + step * lr_decay)
    return p - g * rate / (np.sqrt(sum) + eps), step + 1, sum


class Adagrad(Optimizer, rule=adagrad):
    """Steps along the gradient over the root of the sum of all its squares so far (Duchi et al. 2011; torch.optim.Adagrad).

    g <- gradient (minus it, to maximize) + weight_decay * p
    s <- s + g * g, from initial_accumulator_value
    p <- p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps), at step t
    """

    @declared
    def __init__(
        self, params: Any, lr: NotNegative = 1e-2, lr_decay: NotNegative = 0, weight_decay: NotNegative = 0,
        initial_accumulator_value: NotNegative = 0, eps: NotNegative = 1e-10, foreach: bool | None = None, *,
        maximize: Flag = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None: ...  # fmt: skip


@rule
def rmsprop(
    p: Array, grad: Array, lr: Number, alpha: Number, eps: Number, maximize: bool, weight_decay: Number = None,
    momentum: Number = None, step: Number = 0.0, square_avg: Array = 0.0, momentum_buffer: Array = (0.0, "momentum"),
    grad_avg: Array = (0.0, "centered"),
) -> New:  # fmt: skip
    """A step along the gradient over the root of its mean square (torch.optim.RMSprop)."""
    p, g = decayed(p, grad, maximize, weight_decay)
    square_avg = variance = mean_square(square_avg, g, alpha)
    if grad_avg is not None:
        grad_avg = mean(grad_avg, g, alpha)
        variance = square_avg - grad_avg * grad_avg
    d = g / (np.sqrt(variance) + eps)
    if momentum is not None:
        d = momentum_buffer = momentum_buffer * momentum + d
    return p - d * lr, step + 1, square_avg, momentum_buffer, grad_avg


class RMSprop(Optimizer, rule=rmsprop):
    """Steps along the gradient over the root of its mean square (Hinton's lecture 6e of 2012; torch.optim.RMSprop).

    g <- gradient (minus it, to maximize) + weight_decay * p
    v <- alpha * v + (1 - alpha) * g * g
    m <- alpha * m + (1 - alpha) * g, if centered (Graves 2013)
    d <- g / (sqrt(v) + eps), centered g / (sqrt(v - m * m) + eps)
    b <- momentum * b + d
    p <- p - lr * b
    """

    @declared
    def __init__(
        self, params: Any, lr: NotNegative = 1e-2, alpha: NotNegative = 0.99, eps: NotNegative = 1e-8,
        weight_decay: NotNegative = 0, momentum: NotNegative = 0, centered: Flag = False, capturable: bool = False,
        foreach: bool | None = None, maximize: Flag = False, differentiable: bool = False,
    ) -> None: ...  # fmt: skip


@rule
def adadelta(
    p: Array, grad: Array, lr: Number, rho: Number, eps: Number, maximize: bool, weight_decay: Number = None, step: Number = 0.0,
    square_avg: Array = 0.0, acc_delta: Array = 0.0,
) -> New:  # fmt: skip
    """A step whose size follows from those before (torch.optim.Adadelta)."""
    p, g = decayed(p, grad, maximize, weight_decay)
    square_avg = mean_square(square_avg, g, rho)
    d = np.sqrt(acc_delta + eps) / np.sqrt(square_avg + eps) * g
    return p - d * lr, step + 1, square_avg, mean_square(acc_delta, d, rho)


class Adadelta(Optimizer, rule=adadelta):
    """Steps whose size follows from those before: no learning rate to choose (Zeiler 2012; torch.optim.Adadelta).

    g <- gradient (minus it, to maximize) + weight_decay * p
    v <- rho * v + (1 - rho) * g * g
    d <- sqrt(u + eps) / sqrt(v + eps) * g
    u <- rho * u + (1 - rho) * d * d
    p <- p - lr * d
    """

    @declared
    def __init__(
        self, params: Any, lr: NotNegative = 1.0, rho: Share = 0.9, eps: NotNegative = 1e-6, weight_decay: NotNegative = 0,
        foreach: bool | None = None, *, capturable: bool = False, maximize: Flag = False, differentiable: bool = False,
    ) -> None: ...  # fmt: skip


@rule
def rprop(
    p: Array, grad: Array, eta1: Number, eta2: Number, step_size1: Number, step_size2: Number, maximize: bool, step: Number = 0.0,
    prev: Array = 0.0, step_size: Array = "lr",
) -> New:  # fmt: skip
    """A step by the sign of the gradient, each element with its own size (torch.optim.Rprop)."""
    g = -grad if maximize else grad
    turn = np.sign(g * prev)
    size = step_size * (np.maximum(turn, 0) * (eta2 - 1) + np.minimum(turn, 0) * (1 - eta1) + 1)
    size = np.minimum(np.maximum(size, step_size1), step_size2)
    g = np.where(turn < 0, 0, g)
    return p - np.sign(g) * size, step + 1, g, size


class Rprop(Optimizer, rule=rprop):
    """Steps by the sign of the gradient alone, each element with its own size, for full batches (torch.optim.Rprop).

    Where the sign is that of the step before, the size grows by etas[1]; where it turned, it shrinks by etas[0], and the
    element stays where it is this time. Sizes begin at `lr` and stay between `step_sizes` (Riedmiller and Braun 1993, in
    the form without going back, iRprop-, of Igel and Hüsken 2000).
    """

    @declared
    def __init__(
        self, params: Any, lr: NotNegative = 1e-2, etas: Etas = (0.5, 1.2), step_sizes: Pair = (1e-6, 50), *,
        capturable: bool = False, foreach: bool | None = None, maximize: Flag = False, differentiable: bool = False,
    ) -> None: ...  # fmt: skip


@rule
def asgd(
    p: Array, grad: Array, lr: Number, lambd: Number, alpha: Number, t0: Number, maximize: bool, weight_decay: Number = None,
    step: Number = 0.0, eta: Number = "lr", mu: Number = 1.0, ax: Array = 0.0,
) -> New:  # fmt: skip
    """A step of gradient descent with a falling rate, and the mean of the path (torch.optim.ASGD)."""
    p, g = decayed(p, grad, maximize, weight_decay)
    p = p * (1 - lambd * eta) - g * eta
    ax = ax + (p - ax) * mu
    step = step + 1
    late = step - t0
    return p, step, lr / (1 + lambd * lr * step) ** alpha, 1 / (late * (late > 1) + (late <= 1)), ax


class ASGD(Optimizer, rule=asgd):
    """SGD with a falling rate, which also keeps the mean of its path (Polyak and Juditsky 1992; torch.optim.ASGD).

        g <- gradient (minus it, to maximize) + weight_decay * p
        p <- p - eta * (g + lambd * p), eta from lr on
        ax <- ax + mu * (p - ax), mu from 1 on
        eta <- lr / (1 + lambd * lr * t)^alpha, mu <- 1 / max(1, t - t0), at step t

    The mean, of the steps after `t0`, is `ax` in the state of each parameter.
    """

    @declared
    def __init__(
        self, params: Any, lr: NotNegative = 1e-2, lambd: Number = 1e-4, alpha: NotNegative = 0.75, t0: Number = 1e6,
        weight_decay: NotNegative = 0, foreach: bool | None = None, maximize: Flag = False, differentiable: bool = False,
        capturable: bool = False,
    ) -> None: ...  # fmt: skip


@rule
def adam(
    p: Array, grad: Array, lr: Number, beta1: Number, beta2: Number, eps: Number, decoupled_weight_decay: bool, maximize: bool,
    weight_decay: Number = None, step: Number = 0.0, exp_avg: Array = 0.0, exp_avg_sq: Array = 0.0,
    max_exp_avg_sq: Array = (0.0, "amsgrad"),
) -> New:  # fmt: skip
    """A step along the mean of the gradients over the root of their mean square (torch.optim.Adam)."""
    step = step + 1
    p, g = decayed(p, grad, maximize, weight_decay, lr if decoupled_weight_decay else None)
    m, v = mean(exp_avg, g, beta1), mean_square(exp_avg_sq, g, beta2)
    most = None if max_exp_avg_sq is None else np.maximum(max_exp_avg_sq, v)
    return p - unbiased(m, v if most is None else most, lr, beta1, beta2, eps, step), step, m, v, most


class Adam(Optimizer, rule=adam):
    """Steps along the mean of the gradients over the root of their mean square (Kingma and Ba 2014; torch.optim.Adam).

        g <- gradient (minus it, to maximize) + weight_decay * p
        m <- beta1 * m + (1 - beta1) * g
        v <- beta2 * v + (1 - beta2) * g * g
        p <- p - lr * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps), at step t

    With `amsgrad`, v in the last line is the largest so far (Reddi et al. 2018). With `decoupled_weight_decay`, it is AdamW.
    """

    @declared
    def __init__(
        self, params: Any, lr: NotNegative = 1e-3, betas: Betas = (0.9, 0.999), eps: NotNegative = 1e-8,
        weight_decay: NotNegative = 0, amsgrad: Flag = False, *, foreach: bool | None = None, maximize: Flag = False,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None, decoupled_weight_decay: Flag = False,
    ) -> None: ...  # fmt: skip


class AdamW(Adam):
    """Adam whose weight decay does not pass through the gradient's statistics (Loshchilov and Hutter 2017; torch.optim.AdamW).

    Before Adam's step, p <- p - lr * weight_decay * p.
    """

    def __init__(
        self, params: Any, lr: NotNegative = 1e-3, betas: Betas = (0.9, 0.999), eps: NotNegative = 1e-8,
        weight_decay: NotNegative = 1e-2, amsgrad: Flag = False, *, maximize: Flag = False, foreach: bool | None = None,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip


@rule
def adamax(
    p: Array, grad: Array, lr: Number, beta1: Number, beta2: Number, eps: Number, maximize: bool, weight_decay: Number = None,
    step: Number = 0.0, exp_avg: Array = 0.0, exp_inf: Array = 0.0,
) -> New:  # fmt: skip
    """A step of Adam with a decaying maximum in place of the root mean square (torch.optim.Adamax)."""
    step = step + 1
    p, g = decayed(p, grad, maximize, weight_decay)
    m, u = mean(exp_avg, g, beta1), np.maximum(exp_inf * beta2, np.abs(g) + eps)
    return p - m * (lr / (1 - beta1**step)) / u, step, m, u


class Adamax(Optimizer, rule=adamax):
    """Adam with a decaying maximum in place of the root mean square (Kingma and Ba 2014, section 7; torch.optim.Adamax).

    g <- gradient (minus it, to maximize) + weight_decay * p
    m <- beta1 * m + (1 - beta1) * g
    u <- max(beta2 * u, |g| + eps)
    p <- p - lr / (1 - beta1^t) * m / u, at step t
    """

    @declared
    def __init__(
        self, params: Any, lr: NotNegative = 2e-3, betas: Betas = (0.9, 0.999), eps: NotNegative = 1e-8,
        weight_decay: NotNegative = 0, foreach: bool | None = None, *, maximize: Flag = False, differentiable: bool = False,
        capturable: bool = False,
    ) -> None: ...  # fmt: skip


@rule
def adabelief(
    p: Array, grad: Array, lr: Number, beta1: Number, beta2: Number, eps: Number, decoupled_weight_decay: bool, maximize: bool,
    weight_decay: Number = None, step: Number = 0.0, exp_avg: Array = 0.0, exp_avg_var: Array = 0.0,
    max_exp_avg_var: Array = (0.0, "amsgrad"),
) -> New:  # fmt: skip
    """A step of Adam that is long where the gradient is as expected, short where it surprises."""
    step = step + 1
    p, g = decayed(p, grad, maximize, weight_decay, lr if decoupled_weight_decay else None)
    m = mean(exp_avg, g, beta1)
    s = mean_square(exp_avg_var, g - m, beta2) + eps
    most = None if max_exp_avg_var is None else np.maximum(max_exp_avg_var, s)
    return p - unbiased(m, s if most is None else most, lr, beta1, beta2, eps, step), step, m, s, most


class AdaBelief(Optimizer, rule=adabelief):
    """Adam that takes long steps where the gradient is as expected, short ones where it surprises (Zhuang et al. 2020).

        m <- beta1 * m + (1 - beta1) * g
        s <- beta2 * s + (1 - beta2) * (g - m)^2 + eps
        p <- p - lr * m / (1 - beta1^t) / (sqrt(s / (1 - beta2^t)) + eps), at step t

    With `amsgrad`, s in the last line is the largest so far. `weight_decay` is AdamW's, or Adam's if not
    `decoupled_weight_decay`. State: `exp_avg` (m), `exp_avg_var` (s), `max_exp_avg_var`.
    """

    @declared
    def __init__(
        self, params: Any, lr: NotNegative = 1e-3, betas: Betas = (0.9, 0.999), eps: NotNegative = 1e-8,
        weight_decay: NotNegative = 0, amsgrad: Flag = False, *, decoupled_weight_decay: Flag = True, maximize: Flag = False,
    ) -> None: ...  # fmt: skip


@rule
def sparse_adam(
    p: Array, grad: Array, lr: Number, beta1: Number, beta2: Number, eps: Number, maximize: bool, step: Number = 0.0,
    exp_avg: Array = 0.0, exp_avg_sq: Array = 0.0,
) -> New:  # fmt: skip
    """A step of Adam for the rows that have a gradient (torch.optim.SparseAdam)."""
    g = -grad if maximize else grad
    rows = np.sum(np.abs(g), axis=tuple(range(1, g.ndim)), keepdims=True) != 0 if g.ndim > 1 else g != 0
    m, v, t = mean(exp_avg, g, beta1), mean_square(exp_avg_sq, g, beta2), step + 1
    change = m / (np.sqrt(v) + eps) * (lr * (1 - beta2**t) ** 0.5 / (1 - beta1**t))
    return np.where(rows, p - change, p), t, np.where(rows, m, exp_avg), np.where(rows, v, exp_avg_sq)


class SparseAdam(Optimizer, rule=sparse_adam):
    """Adam that leaves rows without a gradient as they are, and their means too (torch.optim.SparseAdam).

        m <- beta1 * m + (1 - beta1) * g, v <- beta2 * v + (1 - beta2) * g * g, in the rows with a gradient
        p <- p - lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + eps) there, at step t

    For large tables, as `Embedding(sparse=True)`, of which a batch looks up few rows. Gradients are dense here, so a row has one
    if an element of it is not 0; PyTorch also moves rows that were looked up but got 0.

    >>> import autograd, nn
    >>> table = nn.Embedding(4, 2, sparse=True)
    >>> before, opt = table.weight.detach().clone(), SparseAdam(table.parameters(), lr=0.1)
    >>> table(autograd.tensor([1, 3])).sum().backward(); opt.step()
    >>> (table.weight != before).any(1)
    tensor([False,  True, False,  True])
    """

    blocks = False  # rows are not to be cut

    @declared
    def __init__(
        self, params: Any, lr: NotNegative = 1e-3, betas: Betas = (0.9, 0.999), eps: NotNegative = 1e-8, maximize: Flag = False,
    ) -> None: ...  # fmt: skip


@rule
def nadam(
    p: Array, grad: Array, lr: Number, beta1: Number, beta2: Number, eps: Number, momentum_decay: Number,
    decoupled_weight_decay: bool, maximize: bool, weight_decay: Number = None, step: Number = 0.0, mu_product: Number = 1.0,
    exp_avg: Array = 0.0, exp_avg_sq: Array = 0.0,
) -> New:  # fmt: skip
    """A step of Adam that looks ahead as Nesterov's momentum does (torch.optim.NAdam)."""
    step = step + 1
    p, g = decayed(p, grad, maximize, weight_decay, lr if decoupled_weight_decay else None)
    mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay)) for t in (step, step + 1))
    mu_product = mu_product * mu
    m, v = mean(exp_avg, g, beta1), mean_square(exp_avg_sq, g, beta2)
    ahead = g * (lr * (1 - mu) / (1 - mu_product)) + m * (lr * mu_next / (1 - mu_product * mu_next))
    return p - ahead / (np.sqrt(v / (1 - beta2**step)) + eps), step, mu_product, m, v


class NAdam(Optimizer, rule=nadam):
    """Adam with Nesterov's look ahead (Dozat 2016; torch.optim.NAdam).

        mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2)
        m, v <- as in Adam
        d <- (1 - mu_t) * g / (1 - mu_1 ... mu_t) + mu_(t+1) * m / (1 - mu_1 ... mu_(t+1))
        p <- p - lr * d / (sqrt(v / (1 - beta2^t)) + eps), at step t

    `weight_decay` is Adam's, or with `decoupled_weight_decay` AdamW's.
    """

    @declared
    def __init__(
        self, params: Any, lr: NotNegative = 2e-3, betas: Betas = (0.9, 0.999), eps: NotNegative = 1e-8,
        weight_decay: NotNegative = 0, momentum_decay: NotNegative = 4e-3, decoupled_weight_decay: Flag = False, *,
        foreach: bool | None = None, maximize: Flag = False, capturable: bool = False, differentiable: bool = False,
    ) -> None: ...  # fmt: skip


@rule
def radam(
    p: Array, grad: Array, lr: Number, beta1: Number, beta2: Number, eps: Number, decoupled_weight_decay: bool, maximize: bool,
    weight_decay: Number = None, step: Number = 0.0, exp_avg: Array = 0.0, exp_avg_sq: Array = 0.0,
) -> New:  # fmt: skip
    """A step of Adam that waits with the division until the mean square is known well enough (torch.optim.RAdam)."""
    step = step + 1
    p, g = decayed(p, grad, maximize, weight_decay, lr if decoupled_weight_decay else None)
    m, v = mean(exp_avg, g, beta1), mean_square(exp_avg_sq, g, beta2)
    whole = 2 / (1 - beta2) - 1  # how many gradients v is the mean of, in the long run
    length = whole - 2 * step * beta2**step / (1 - beta2**step)  # and so far
    enough = length > 5
    below = (whole - 4) * (whole - 2) * length
    square = (length - 4) * (length - 2) * whole / (below + (below == 0)) * (1 - beta2**step)
    scale = (square * enough) ** 0.5 / (np.sqrt(v) + eps) + (length <= 5)
    return p - m * (lr / (1 - beta1**step)) * scale, step, m, v


class RAdam(Optimizer, rule=radam):
    """Adam that waits with the division until the mean square is known well enough (Liu et al. 2019; torch.optim.RAdam).

        m, v <- as in Adam
        n = N - 2 * t * beta2^t / (1 - beta2^t), where N = 2 / (1 - beta2) - 1
        r = sqrt((n - 4) * (n - 2) * N / ((N - 4) * (N - 2) * n))
        d <- r * sqrt(1 - beta2^t) / (sqrt(v) + eps) if n > 5, else 1
        p <- p - lr * m / (1 - beta1^t) * d, at step t

    `weight_decay` is Adam's, or with `decoupled_weight_decay` AdamW's.
    """

    @declared
    def __init__(
        self, params: Any, lr: NotNegative = 1e-3, betas: Betas = (0.9, 0.999), eps: NotNegative = 1e-8,
        weight_decay: NotNegative = 0, decoupled_weight_decay: Flag = False, *, foreach: bool | None = None,
        maximize: Flag = False, capturable: bool = False, differentiable: bool = False,
    ) -> None: ...  # fmt: skip


@rule
def lamb(
    p: Array, grad: Array, lr: Number, beta1: Number, beta2: Number, eps: Number, maximize: bool, weight_decay: Number = None,
    step: Number = 0.0, exp_avg: Array = 0.0, exp_avg_sq: Array = 0.0,
) -> New:  # fmt: skip
    """A step of Adam that is as long as the parameter times lr."""
    step = step + 1
    g = -grad if maximize else grad
    m, v = mean(exp_avg, g, beta1), mean_square(exp_avg_sq, g, beta2)
    d = m / (1 - beta1**step) / (np.sqrt(v / (1 - beta2**step)) + eps)
    if weight_decay is not None:
        d = d + p * weight_decay
    size, length = (total(v * v, tuple(range(v.ndim))) for v in (p, d))
    both = (size > 0) & (length > 0)
    trust = np.sqrt(np.where(both, size, 1) / np.where(both, length, 1))
    return p - d * (trust * lr), step, m, v


class LAMB(Optimizer, rule=lamb):
    """Adam whose step is, in each parameter, as long as that parameter times `lr`: for large batches (You et al. 2020).

        m, v <- as in Adam
        d <- m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay * p, at step t
        p <- p - lr * |p| / |d| * d, where |p| / |d| is 1 if either is 0

    State: `step`, `exp_avg`, `exp_avg_sq`. The default of `weight_decay` is what the paper trains BERT with.
    """

    blocks = False  # the lengths are those of whole parameters

    @declared
    def __init__(
        self, params: Any, lr: NotNegative = 1e-3, betas: Betas = (0.9, 0.999), eps: NotNegative = 1e-6,
        weight_decay: NotNegative = 1e-2, *, maximize: Flag = False,
    ) -> None: ...  # fmt: skip


@rule
def muon(
    p: Array, grad: Array, lr: Number, momentum: Number, nesterov: bool, ns_coefficient1: Number, ns_coefficient2: Number,
    ns_coefficient3: Number, eps: Number, ns_steps: int, adjust_lr_fn: str, weight_decay: Number = None,
    momentum_buffer: Array = 0.0,
) -> New:  # fmt: skip
    """A step along a mean of the gradients, made nearly orthogonal (torch.optim.Muon)."""
    p, g = decayed(p, grad, False, weight_decay, lr)
    m = mean(momentum_buffer, g, momentum)
    x = g + (m - g) * momentum if nesterov else m
    rows, columns = p.shape
    x = np.swapaxes(x, 0, 1) if rows > columns else x
    x = x / np.maximum(np.sqrt(total(x * x, (0, 1))), eps)
    for _ in range(ns_steps):
        gram = np.matmul(x, np.swapaxes(x, 0, 1))
        x = x * ns_coefficient1 + np.matmul(gram * ns_coefficient2 + np.matmul(gram, gram) * ns_coefficient3, x)
    x = np.swapaxes(x, 0, 1) if rows > columns else x
    scale = 0.2 * max(rows, columns) ** 0.5 if adjust_lr_fn == "match_rms_adamw" else max(1, rows / columns) ** 0.5
    return p - x * (lr * scale), m


class Muon(Optimizer, rule=muon):
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

    @declared
    def __init__(
        self, params: Any, lr: NotNegative = 1e-3, weight_decay: NotNegative = 0.1, momentum: NotNegative = 0.95,
        nesterov: Flag = True, ns_coefficients: Triple = (3.4445, -4.775, 2.0315), eps: NotNegative = 1e-7,
        ns_steps: FewSteps = 5, adjust_lr_fn: Adjustment = None,
    ) -> None: ...  # fmt: skip

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        for p in group["params"]:
            if p.ndim != 2:
                raise ArgumentError(f"Muon: parameters must have 2 dims, got one of shape {p.shape}; give it to AdamW instead")
