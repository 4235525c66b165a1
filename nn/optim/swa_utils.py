"""Averages of weights: of where the steps led (SWA) or with the past fading (EMA), as torch.optim.swa_utils has them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

from autograd.api.creation import zeros
from autograd.engine.dtypes import int64
from autograd.engine.grad_mode import no_grad
from autograd.engine.tensor import Tensor
from autograd.engine.warn import seen
from autograd.errors import ArgumentError, ShapeError

from ..module import Module
from ..norm import _BatchNorm
from .lr_scheduler import LRScheduler, Rates, for_each_group
from .optimizer import Optimizer
from .options import Anneal, Epoch, PerGroup, Whole

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

Average = Callable[[Tensor, Tensor, Any], Tensor]
Averages = Callable[[Any, Any, Any], None]


def get_swa_avg_fn() -> Average:
    """The mean of all weights: what makes a new average of the old, the weights, and how many are in it already."""

    @no_grad
    def swa_update(averaged_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """The exponential moving average: decay * average + (1 - decay) * weights."""
    if not 0 <= decay <= 1:
        raise ArgumentError(f"get_ema_avg_fn: decay must be from 0 to 1, got {decay!r}")

    @no_grad
    def ema_update(ema_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return ema_param * decay + current_param * (1 - decay)

    return ema_update


def _in_place(average: Average) -> Averages:
    @no_grad
    def update(averaged: Iterable[Any], current: Iterable[Any], num_averaged: Any) -> None:
        for old, new in zip(averaged, current, strict=True):
            old.copy_(average(old, new, num_averaged))

    return update


def get_swa_multi_avg_fn() -> Averages:
    """`get_swa_avg_fn` for lists of tensors, in place."""
    return _in_place(get_swa_avg_fn())


def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """`get_ema_avg_fn` for lists of tensors, in place."""
    return _in_place(get_ema_avg_fn(decay))


class AveragedModel(Module):
    """A copy of a model that holds an average of its weights (torch.optim.swa_utils.AveragedModel).

    Each `update_parameters(model)` takes the weights as they are now into the average, the first time alone. The mean of
    all of them counts (stochastic weight averaging: Izmailov et al. 2018), or what `avg_fn(average, weights, n)` returns or
    `multi_avg_fn(averages, weights, n)` writes: see get_ema_multi_avg_fn. Buffers are copied, or with `use_buffers` averaged
    too. After SWA, the statistics of batch norm are to be computed anew: see update_bn.

    >>> import nn
    >>> model = nn.Linear(1, 1)
    >>> mean = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.5))
    >>> for weight in (1.0, 2.0, 4.0):
    ...     _ = nn.init.constant_(model.weight, weight)
    ...     mean.update_parameters(model)
    >>> mean.module.weight.item()
    2.75
    """

    n_averaged: Tensor

    def __init__(
        self, model: Module, device: Any = None, avg_fn: Average | None = None, multi_avg_fn: Averages | None = None,
        use_buffers: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ArgumentError("AveragedModel: pass avg_fn or multi_avg_fn, not both")
        self.module = deepcopy(model)
        self.register_buffer("n_averaged", zeros((), dtype=int64))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    @no_grad
    def update_parameters(self, model: Module) -> None:
        """Take the weights of `model` into the average."""

        def parts(module: Module) -> list[Tensor]:
            return [t.detach() for t in chain(module.parameters(), module.buffers() if self.use_buffers else ())]

        averaged, current = parts(self.module), parts(model)
        if [t.shape for t in averaged] != [t.shape for t in current]:
            raise ShapeError("AveragedModel.update_parameters: the parameters of the model are not like those it was made with")
        if self.n_averaged.array == 0:  # a step that is captured is one after the first
            seen("the first update_parameters")
            _copy(averaged, current)
        elif self.avg_fn is not None:
            _in_place(self.avg_fn)(averaged, current, self.n_averaged)
        else:
            (self.multi_avg_fn or get_swa_multi_avg_fn())(averaged, current, self.n_averaged)
        if not self.use_buffers:
            _copy(self.module.buffers(), model.buffers())
        self.n_averaged.add_(1)


def _copy(to: Iterable[Any], what: Iterable[Any]) -> None:
    for old, new in zip(to, what, strict=True):
        old.copy_(new.detach())


@no_grad
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of all batch norms anew, from the batches of `loader` (of each, its first item).

    After averaging weights, the statistics that were gathered in training fit no longer (torch.optim.swa_utils.update_bn).
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    training, momenta = model.training, [norm.momentum for norm in norms]
    model.train()
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # all batches count the same
        for batch in loader:
            model(batch[0] if isinstance(batch, (list, tuple)) else batch)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        model.train(training)


class SWALR(LRScheduler):
    """From the rate as it is to `swa_lr` in `anneal_epochs` epochs, along a "cos" or "linear", to stay there."""

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: PerGroup,
        anneal_epochs: Whole = 10,
        anneal_strategy: Anneal = "cos",
        last_epoch: Epoch = -1,
    ) -> None:
        self._attach(optimizer)
        for group, lr in zip(optimizer.param_groups, for_each_group("SWALR: swa_lr", optimizer, swa_lr), strict=True):
            group["swa_lr"] = lr
        self.anneal_epochs, self._anneal_strategy = anneal_epochs, anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _done(self, step: int) -> float:
        """How much of the way is behind at `step`."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def _rates(self) -> Rates:
        step = max(self._step_count - 1, int(self.anneal_epochs == 0))
        before, now = self._done(step - 1), self._done(step)
        rates = []
        for group in self.optimizer.param_groups:
            lr, end = group["lr"], group["swa_lr"]
            start = end if before == 1 else (lr - before * end) / (1 - before)  # where it came from, if nobody else changed it
            rates.append(end * now + start * (1 - now))
        return rates
