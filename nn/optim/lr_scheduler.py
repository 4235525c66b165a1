"""Learning rates that change as training goes on: schedulers, under the names of torch.optim.lr_scheduler."""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import FunctionType
from typing import Any

from autograd.engine.grad_mode import no_grad
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, StateError, UnsupportedError, describe

from .optimizer import Optimizer
from .options import (
    Anneal,
    BelowOne,
    Count,
    CountOrNone,
    CycleMode,
    Epoch,
    Extreme,
    FirstShare,
    Flag,
    FloatShare,
    FunctionOrNone,
    NotNegative,
    Number,
    Numbers,
    PerGroup,
    Positive,
    PositiveOrNone,
    ScaleMode,
    Schedulers,
    Share,
    Threshold,
    check_options,
)

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "InverseSqrt",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]

Rates = list[Any]  # a learning rate for each group: numbers, or tensors where the optimizer was given tensors


# ---------------------------------------------------------------- what the schedulers share
def values_of(optimizer: Optimizer, option: str) -> Rates:
    """An option of each group; tensors are copied, for they change in place."""
    return [v.clone() if isinstance(v := group[option], Tensor) else v for group in optimizer.param_groups]


def put(group: dict[str, Any], option: str, value: Any) -> None:
    """Give a group another number; where it has a tensor, that tensor gets it."""
    if isinstance(group[option], Tensor):
        with no_grad():
            group[option].fill_(value)
    else:
        group[option] = value


def for_each_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """A value for each group: from a list of them, or one for all."""
    if not isinstance(value, (list, tuple)):
        return [value] * len(optimizer.param_groups)
    if len(value) != len(optimizer.param_groups):
        raise ArgumentError(
            f"{name}: there are {len(value)} values for the {len(optimizer.param_groups)} groups of the optimizer"
        )
    return list(value)


def momentums(optimizer: Optimizer, kind: str, base: Any, most: Any, first: bool) -> tuple[list[Any], list[Any], bool]:
    """Momentums for each group, and whether they are called betas; at `first`, they begin at the most."""
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        what = type(optimizer).__name__
        raise ArgumentError(f"{kind}: {what} has neither momentum nor betas that could cycle; pass cycle_momentum=False")
    use_beta1 = "betas" in optimizer.defaults
    bases, mosts = for_each_group("base_momentum", optimizer, base), for_each_group("max_momentum", optimizer, most)
    for group, low, high in zip(optimizer.param_groups, bases, mosts, strict=True):
        if first:
            put_momentum(group, high, use_beta1)
            group.update(max_momentum=high, base_momentum=low)
    return bases, mosts, use_beta1


def put_momentum(group: dict[str, Any], value: Any, use_beta1: bool) -> None:
    """Set the momentum of a group, which Adam and its kin call betas[0]."""
    if use_beta1:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


def anneal(strategy: str, start: Any, end: Any, way: float) -> Any:
    """From `start` to `end`, of which `way`, 0 to 1, is done: along half a cosine or a straight line."""
    return end + (start - end) / 2 * (math.cos(math.pi * way) + 1) if strategy == "cos" else (end - start) * way + start


def saved(value: Any) -> Any:
    """What a state_dict has of schedulers and functions: their state, which of a plain function is None."""
    if isinstance(value, (list, tuple)):
        return [saved(v) for v in value]
    if isinstance(value, LRScheduler):
        return value.state_dict()
    return None if isinstance(value, FunctionType) or not hasattr(value, "__dict__") else dict(vars(value))


def restore(value: Any, state: Any) -> None:
    """Give schedulers and functions the state that `saved` returned."""
    if isinstance(value, (list, tuple)):
        for v, s in zip(value, state, strict=True):
            restore(v, s)
    elif isinstance(value, LRScheduler):
        value.load_state_dict(state)
    elif state is not None:
        vars(value).update(state)


class LRScheduler:
    """The base of all schedulers (torch.optim.lr_scheduler.LRScheduler).

    Made with an optimizer, it sets the learning rate of each group for epoch 0; `step()`, after the steps of the optimizer,
    sets that of the next. An epoch is what lies between two calls: a pass through the data, or a single batch. The
    rates that the optimizer had at first are under 'initial_lr' in its groups. To go on from a saved state, either make the
    scheduler as before and `load_state_dict`, or pass `last_epoch`, with an optimizer that knows its initial_lr.

    A subclass says in `get_lr` what the rates are at `self.last_epoch`.

    >>> import nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> scheduler = StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for epoch in range(5):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     scheduler.get_last_lr()
    [1.0]
    [0.5]
    [0.5]
    [0.25]
    [0.25]
    """

    _inside: tuple[str, ...] = ()  # the attributes of which the state is what is inside: functions and schedulers
    _get_lr_called_within_step = False
    _is_initial = False
    _step_count: int
    _last_lr: Rates

    def __init__(self, optimizer: Optimizer, last_epoch: Epoch = -1) -> None:
        self._attach(optimizer)
        vars(optimizer).setdefault("_opt_called", False)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", values_of(optimizer, "lr")[i])
            elif "initial_lr" not in group:
                what = f"there is no 'initial_lr' in group {i} of the optimizer, from which epoch {last_epoch} could go on"
                raise _MissingRate(f"{type(self).__name__}: {what}; load the state_dict of the optimizer first")
        self.base_lrs = values_of(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._initial_step()

    def __init_subclass__(cls) -> None:
        check_options(cls)

    def _attach(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise UnsupportedError(f"{type(self).__name__}: pass an optimizer, not a {type(optimizer).__name__}")
        self.optimizer = optimizer

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_last_lr(self) -> Rates:
        """The rates that were set last, one for each group."""
        return self._last_lr

    def get_lr(self) -> Rates:
        """The rates for `last_epoch`. For `step` to call: to see the rates, use get_last_lr."""
        if not self._get_lr_called_within_step:
            what = "get_lr computes from the rates as they are now, and is right only inside step(); use get_last_lr()"
            warnings.warn(f"{type(self).__name__}: {what}", UserWarning, stacklevel=2)
        return self._rates()

    def _rates(self) -> Rates:
        raise NotImplementedError(f"{type(self).__name__} does not say which rates: define {type(self).__name__}.get_lr")

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch; to a given one, which PyTorch discourages, by the closed form if there is one."""
        if self._step_count == 1 and not self.optimizer._opt_called:
            what = "scheduler.step() was called before optimizer.step(), so the first learning rate is skipped; swap the two"
            warnings.warn(f"{type(self).__name__}: {what}", UserWarning, stacklevel=2)
        self._step_count += 1
        if epoch is not None:
            _warn_of_epoch(self)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._put(self.get_lr if epoch is None else getattr(self, "_get_closed_form_lr", self.get_lr))

    def _put(self, rates: Callable[[], Rates]) -> None:
        self._get_lr_called_within_step = True
        try:
            for group, lr in zip(self.optimizer.param_groups, rates(), strict=True):
                put(group, "lr", lr)
        finally:
            self._get_lr_called_within_step = False
        self._last_lr = values_of(self.optimizer, "lr")

    def state_dict(self) -> dict[str, Any]:
        """All that a scheduler knows but its optimizer, in the layout of PyTorch."""
        mine = {name: value for name, value in vars(self).items() if name != "optimizer"}
        return mine | {name: saved(mine[name]) for name in self._inside}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of another scheduler of this kind returned."""
        vars(self).update({name: value for name, value in state_dict.items() if name not in self._inside})
        for name in self._inside:
            restore(vars(self)[name], state_dict[name])


check_options(LRScheduler)
_LRScheduler = LRScheduler  # a name that older programs use


class _MissingRate(StateError, KeyError):
    """A KeyError, as PyTorch raises, with a message that is printed as it stands."""

    __str__ = Exception.__str__


def _warn_of_epoch(scheduler: LRScheduler) -> None:
    what = "step(epoch) is deprecated in PyTorch; call step() once an epoch"
    warnings.warn(f"{type(scheduler).__name__}: {what}", UserWarning, stacklevel=3)


# ---------------------------------------------------------------- the last rate times a factor
# These multiply what the rate is now, so several of them, or changes made by hand, work together.
class _Multiplying(LRScheduler):
    """What the rate of each group has above `eta_min` is, where nobody else changes it, the initial times `_product(epoch)`.

    So at each epoch it is multiplied by how much that grew. Some have a `_factor` of their own, where PyTorch's is not that
    to the last bit, or not for what is resumed.
    """

    eta_min: float = 0.0

    def _product(self, epoch: int) -> float:
        raise NotImplementedError

    def _factor(self, epoch: int) -> float:
        """By how much at `epoch`; infinite if it is to rise from 0, from which no factor leads up."""
        if self._is_initial and epoch:  # resumed, with the rate that belongs to this epoch
            return 1
        before = self._product(epoch - 1) if epoch else 1
        return self._product(epoch) / before if before else math.inf

    def _rates(self) -> Rates:
        rates, factor, least = values_of(self.optimizer, "lr"), self._factor(self.last_epoch), self.eta_min
        if factor == 1:
            return rates
        if factor == math.inf:
            closed = self._get_closed_form_lr()
            return [lr - least + new for lr, new in zip(rates, closed, strict=True)]
        return [(lr - least) * factor + least for lr in rates]

    def _get_closed_form_lr(self) -> Rates:
        product = self._product(self.last_epoch)
        return [(lr - self.eta_min) * product + self.eta_min for lr in self.base_lrs]


class ExponentialLR(_Multiplying):
    """Multiplies the rate by `gamma` each epoch."""

    def __init__(self, optimizer: Optimizer, gamma: Number, last_epoch: Epoch = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _product(self, epoch: int) -> float:
        return self.gamma**epoch

    def _factor(self, epoch: int) -> float:
        return 1 if self._is_initial else self.gamma


class StepLR(_Multiplying):
    """Multiplies the rate by `gamma` every `step_size` epochs."""

    def __init__(self, optimizer: Optimizer, step_size: Positive, gamma: Number = 0.1, last_epoch: Epoch = -1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def _product(self, epoch: int) -> float:
        return self.gamma ** (epoch // self.step_size)

    def _factor(self, epoch: int) -> float:
        return self.gamma if epoch and epoch % self.step_size == 0 else 1


class MultiStepLR(_Multiplying):
    """Multiplies the rate by `gamma` at each of the epochs `milestones`; where one is there twice, twice."""

    def __init__(self, optimizer: Optimizer, milestones: Numbers, gamma: Number = 0.1, last_epoch: Epoch = -1) -> None:
        self.milestones, self.gamma = Counter[int](milestones), gamma
        super().__init__(optimizer, last_epoch)

    def _product(self, epoch: int) -> float:
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), epoch)

    def _factor(self, epoch: int) -> float:
        return self.gamma ** self.milestones[epoch]


class ConstantLR(_Multiplying):
    """Multiplies the rate by `factor` at first, and divides by it again at epoch `total_iters`."""

    def __init__(self, optimizer: Optimizer, factor: Share = 1 / 3, total_iters: NotNegative = 5, last_epoch: Epoch = -1) -> None:
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _product(self, epoch: int) -> float:
        return self.factor if epoch < self.total_iters else 1

    def _factor(self, epoch: int) -> float:
        undone = 1 / self.factor if self.factor else math.inf
        return self.factor if epoch == 0 else undone if epoch == self.total_iters else 1


class LinearLR(_Multiplying):
    """Multiplies the initial rate by what goes in a straight line from `start_factor` to `end_factor` in `total_iters` epochs."""

    def __init__(
        self, optimizer: Optimizer, start_factor: FirstShare = 1 / 3, end_factor: Share = 1.0, total_iters: NotNegative = 5,
        last_epoch: Epoch = -1,
    ) -> None:  # fmt: skip
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _product(self, epoch: int) -> float:
        way = min(epoch, self.total_iters) / (self.total_iters or 1)
        return self.start_factor + (self.end_factor - self.start_factor) * way


class PolynomialLR(_Multiplying):
    """Multiplies the initial rate by (1 - epoch / total_iters) ^ power, until it is 0."""

    def __init__(self, optimizer: Optimizer, total_iters: NotNegative = 5, power: Number = 1.0, last_epoch: Epoch = -1) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def _product(self, epoch: int) -> float:
        return (1 - min(epoch, self.total_iters) / (self.total_iters or 1)) ** self.power


class InverseSqrt(_Multiplying):
    """Up to the initial rate in a straight line of `warmup` epochs, then down as 1 / sqrt(epoch) (Vaswani et al. 2017).

    lr = initial * min(t / warmup, sqrt(warmup / t)), t = epoch + 1: the paper counts from 1, and steps each batch.
    """

    def __init__(self, optimizer: Optimizer, warmup: Positive = 4000, last_epoch: Epoch = -1) -> None:
        self.warmup = warmup
        super().__init__(optimizer, last_epoch)

    def _product(self, epoch: int) -> float:
        return min((epoch + 1) / self.warmup, math.sqrt(self.warmup / (epoch + 1)))


class CosineAnnealingLR(_Multiplying):
    """From the initial rate to `eta_min` along half a cosine of `T_max` epochs, then back (Loshchilov and Hutter 2016).

    lr = eta_min + (initial - eta_min) * (1 + cos(pi * epoch / T_max)) / 2, if nobody else changes the rate: each epoch
    goes on from what it is.
    """

    def __init__(self, optimizer: Optimizer, T_max: Positive, eta_min: Number = 0.0, last_epoch: Epoch = -1) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def _product(self, epoch: int) -> float:
        return (1 + math.cos(math.pi * epoch / self.T_max)) / 2


# ---------------------------------------------------------------- any function of the epoch
class LambdaLR(LRScheduler):
    """The initial rate times `lr_lambda(epoch)`, one function, or a list of one for each group.

    Functions are not in the state_dict, but the attributes of other objects that can be called are.
    """

    _inside = ("lr_lambdas",)

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: Epoch = -1) -> None:
        self._attach(optimizer)
        self.lr_lambdas = for_each_group(f"{type(self).__name__}: lr_lambda", optimizer, lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise UnsupportedError(
                    f"{type(self).__name__}: lr_lambda must be a function of the epoch, got {describe(function)}"
                )
        super().__init__(optimizer, last_epoch)

    def _rates(self) -> Rates:
        return [lr * function(self.last_epoch) for lr, function in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class MultiplicativeLR(LambdaLR):
    """The last rate times `lr_lambda(epoch)`, one function, or a list of one for each group."""

    def _rates(self) -> Rates:
        rates = values_of(self.optimizer, "lr")
        if self._is_initial:
            return rates
        return [lr * function(self.last_epoch) for lr, function in zip(rates, self.lr_lambdas, strict=True)]


# ---------------------------------------------------------------- cosines and cycles
class CosineAnnealingWarmRestarts(LRScheduler):
    """From the initial rate to `eta_min` along half a cosine, again and again (SGDR: Loshchilov and Hutter 2016).

    The first time takes `T_0` epochs, each next one `T_mult` times as many. `step` takes fractions of epochs too, such as
    epoch + batch / batches.
    """

    def __init__(
        self, optimizer: Optimizer, T_0: Count, T_mult: Count = 1, eta_min: Number = 0.0, last_epoch: Epoch = -1
    ) -> None:
        self.T_0, self.T_i, self.T_mult, self.eta_min = T_0, T_0, T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def _rates(self) -> Rates:
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go on to the next epoch, or to `epoch`, which may be a fraction."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        elif epoch < 0:
            raise ArgumentError(f"CosineAnnealingWarmRestarts.step: epoch must be 0 or more, got {epoch!r}")
        elif self.T_mult == 1 or epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch % self.T_0
        else:
            n = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))  # how often it began again
            self.T_i = self.T_0 * self.T_mult**n
            self.T_cur = epoch - (self.T_i - self.T_0) / (self.T_mult - 1)
        self.last_epoch = math.floor(epoch)
        self._put(self.get_lr)


class CyclicLR(LRScheduler):
    """Up from `base_lr` to `max_lr` in `step_size_up` steps and down again, in straight lines (Smith 2015); step each batch.

    `mode` "triangular" keeps the height of the cycles, "triangular2" halves it each time, "exp_range" multiplies it by
    `gamma` each step; `scale_fn` is your own height, of the number of the cycle or, with scale_mode="iterations", the step.
    With `cycle_momentum`, momentum, or betas[0], goes the other way, from `max_momentum` to `base_momentum`.
    """

    _inside = ("_scale_fn_custom",)

    def __init__(
        self, optimizer: Optimizer, base_lr: PerGroup, max_lr: PerGroup, step_size_up: Positive = 2000,
        step_size_down: PositiveOrNone = None, mode: CycleMode = "triangular", gamma: Number = 1.0,
        scale_fn: FunctionOrNone = None, scale_mode: ScaleMode = "cycle", cycle_momentum: Flag = True,
        base_momentum: PerGroup = 0.8, max_momentum: PerGroup = 0.9, last_epoch: Epoch = -1,
    ) -> None:  # fmt: skip
        self._attach(optimizer)
        if scale_fn is None and mode not in ("triangular", "triangular2", "exp_range"):
            raise ArgumentError(f"CyclicLR: mode must be 'triangular', 'triangular2' or 'exp_range', got {mode!r}")
        base_lrs = for_each_group("CyclicLR: base_lr", optimizer, base_lr)
        self.max_lrs = for_each_group("CyclicLR: max_lr", optimizer, max_lr)
        down = step_size_up if step_size_down is None else step_size_down
        self.total_size = float(step_size_up) + float(down)
        self.step_ratio = step_size_up / self.total_size
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            found = momentums(optimizer, "CyclicLR", base_momentum, max_momentum, last_epoch == -1)
            self.base_momentums, self.max_momentums, self.use_beta1 = found
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs, strict=True):
                put(group, "lr", lr)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """How high cycle (or step) `x` is, where the full height is 1."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return self.gamma**x if self.mode == "exp_range" else 2.0 ** (1 - x) if self.mode == "triangular2" else 1.0

    def _rates(self) -> Rates:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            pairs = zip(self.base_momentums, self.max_momentums, strict=True)
            for group, (low, high) in zip(self.optimizer.param_groups, pairs, strict=True):
                put_momentum(group, high - (high - low) * height * scale, self.use_beta1)
        return [low + (high - low) * height * scale for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]


class OneCycleLR(LRScheduler):
    """One cycle: up from max_lr / div_factor to `max_lr`, then down to nearly nothing (Smith and Topin 2017); step each batch.

    There are `total_steps` steps, or `epochs` times `steps_per_epoch`, `pct_start` of them upwards. The last rate is
    max_lr / div_factor / final_div_factor. With `three_phase`, the way down first mirrors that up, and goes lower in the
    rest. `anneal_strategy` is "cos" or "linear". With `cycle_momentum`, momentum, or betas[0], goes the other way, between
    `max_momentum` and `base_momentum`.
    """

    def __init__(
        self, optimizer: Optimizer, max_lr: PerGroup, total_steps: CountOrNone = None, epochs: CountOrNone = None,
        steps_per_epoch: CountOrNone = None, pct_start: FloatShare = 0.3, anneal_strategy: Anneal = "cos",
        cycle_momentum: Flag = True, base_momentum: PerGroup = 0.85, max_momentum: PerGroup = 0.95, div_factor: Positive = 25.0,
        final_div_factor: Positive = 1e4, three_phase: Flag = False, last_epoch: Epoch = -1,
    ) -> None:  # fmt: skip
        self._attach(optimizer)
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            raise ArgumentError("OneCycleLR: pass total_steps, or epochs and steps_per_epoch")
        self.total_steps = epochs * steps_per_epoch if total_steps is None else total_steps
        rise, last = float(pct_start * self.total_steps), self.total_steps - 1
        points = [(0.0, "initial_lr", "max_momentum"), (rise - 1, "max_lr", "base_momentum"), (last, "min_lr", "max_momentum")]
        if three_phase:
            points.insert(2, (2 * rise - 2, "initial_lr", "max_momentum"))
        names = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
        self._schedule_phases: list[dict[str, Any]] = [
            dict(zip(names, (end, start_lr, end_lr, start_momentum, end_momentum), strict=True))
            for (_, start_lr, start_momentum), (end, end_lr, end_momentum) in pairwise(points)
        ]
        self._anneal_func_type = anneal_strategy
        max_lrs = for_each_group("OneCycleLR: max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, most in zip(optimizer.param_groups, max_lrs, strict=True):
                first = most / div_factor
                group.update(initial_lr=first, max_lr=most, min_lr=first / final_div_factor)
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = momentums(optimizer, "OneCycleLR", base_momentum, max_momentum, last_epoch == -1)[2]
        super().__init__(optimizer, last_epoch)

    def _rates(self) -> Rates:
        if self.last_epoch > self.total_steps:
            raise ArgumentError(f"OneCycleLR: step {self.last_epoch} is beyond total_steps, {self.total_steps}")
        start = 0.0
        for phase in self._schedule_phases:
            if self.last_epoch <= phase["end_step"] or phase is self._schedule_phases[-1]:
                break
            start = phase["end_step"]
        way = (self.last_epoch - start) / (phase["end_step"] - start)
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(anneal(self._anneal_func_type, group[phase["start_lr"]], group[phase["end_lr"]], way))
            if self.cycle_momentum:
                ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                put_momentum(group, anneal(self._anneal_func_type, *ends, way), self.use_beta1)
        return rates


# ---------------------------------------------------------------- by what is measured
class ReduceLROnPlateau(LRScheduler):
    """Multiplies the rate by `factor` when what `step(metrics)` is given has not become better for `patience` epochs.

    Better is lower, or with mode="max" higher, than the best so far: by `threshold` times the best, or by `threshold`
    itself with threshold_mode="abs". After a reduction, `cooldown` epochs do not count. Rates stay above `min_lr`, a number
    or one for each group, and a change below `eps` is not made.
    """

    def __init__(
        self, optimizer: Optimizer, mode: Extreme = "min", factor: BelowOne = 0.1, patience: NotNegative = 10,
        threshold: Number = 1e-4, threshold_mode: Threshold = "rel", cooldown: NotNegative = 0, min_lr: PerGroup = 0,
        eps: NotNegative = 1e-8,
    ) -> None:  # fmt: skip
        self._attach(optimizer)
        self.factor, self.patience, self.cooldown, self.eps = factor, patience, cooldown, eps
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else min_lr
        self.min_lrs = for_each_group("ReduceLROnPlateau: min_lr", optimizer, min_lr)
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.last_epoch, self._last_lr = 0, values_of(optimizer, "lr")
        self._reset()

    def _reset(self) -> None:
        self.best, self.cooldown_counter, self.num_bad_epochs = self.mode_worse, 0, 0

    @property
    def in_cooldown(self) -> bool:
        """Do epochs not count now?"""
        return self.cooldown_counter > 0

    def _is_better(self, value: float, best: float) -> bool:
        sign = 1 if self.mode == "min" else -1
        bound = best * (1 - sign * self.threshold) if self.threshold_mode == "rel" else best - sign * self.threshold
        return sign * value < sign * bound

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Tell what was measured in this epoch."""
        if epoch is not None:
            _warn_of_epoch(self)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        value = float(metrics.item() if hasattr(metrics, "item") else metrics)
        if self._is_better(value, self.best):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = values_of(self.optimizer, "lr")

    def _reduce_lr(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                found = f"{len(self.min_lrs)} values for the {len(groups)} groups that the optimizer has by now"
                raise StateError(f"ReduceLROnPlateau: min_lr has {found}; add to scheduler.min_lrs when you add a group")
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, least in zip(groups, self.min_lrs, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, least)
            if old - new > self.eps:
                put(group, "lr", new)


# ---------------------------------------------------------------- of other schedulers
class _Combined(LRScheduler):
    """Schedulers of one optimizer."""

    _inside = ("_schedulers",)

    def _combine(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None) -> None:
        kind = type(self).__name__
        if len(schedulers) < 1:
            raise ArgumentError(f"{kind}: pass one scheduler at least")
        optimizer = optimizer or getattr(schedulers[0], "optimizer", None)
        for i, scheduler in enumerate(schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise UnsupportedError(f"{kind}: number {i} is a {type(scheduler).__name__}, and no scheduler")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ArgumentError(f"{kind}: number {i} is a ReduceLROnPlateau, whose step needs a metric; step it by itself")
            if scheduler.optimizer is not optimizer:
                raise ArgumentError(f"{kind}: the schedulers are of one optimizer, but number {i} is of another")
        self._attach(optimizer)  # type: ignore[arg-type]
        self._schedulers = schedulers


class ChainedScheduler(_Combined):
    """Several schedulers at once, each changing what the one before it set.

    >>> import nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> scheduler = ChainedScheduler([ConstantLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, 0.5)])
    >>> for epoch in range(4):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     scheduler.get_last_lr()
    [0.25]
    [0.25]
    [0.125]
    [0.0625]
    """

    def __init__(self, schedulers: Schedulers, optimizer: Optimizer | None = None) -> None:
        self._combine(schedulers, optimizer)
        self._last_lr = values_of(self.optimizer, "lr")

    def step(self) -> None:  # type: ignore[override]
        """Step all of them."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = values_of(self.optimizer, "lr")


class SequentialLR(_Combined):
    """One scheduler after the other: the first until epoch milestones[0], the next until milestones[1], and so on.

    Each begins at its own epoch 0, from the initial rate.

    >>> import nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> warm = LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> scheduler = SequentialLR(optimizer, [warm, ExponentialLR(optimizer, 0.5)], milestones=[3])
    >>> for epoch in range(6):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     scheduler.get_last_lr()
    [0.5]
    [0.75]
    [1.0]
    [0.5]
    [0.25]
    [0.125]
    """

    def __init__(self, optimizer: Optimizer, schedulers: Schedulers, milestones: Numbers, last_epoch: Epoch = -1) -> None:
        self._combine(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            found = f"{len(schedulers)} schedulers and {len(milestones)} milestones"
            raise ArgumentError(f"SequentialLR: between any two schedulers there is one milestone, got {found}")
        for i, scheduler in enumerate(schedulers):
            if i and isinstance(scheduler, _Combined):
                what = f"number {i} is a {type(scheduler).__name__}, which has no rate of its own to begin with"
                raise ArgumentError(f"SequentialLR: {what}; only the first may be one")
        self._milestones, self.last_epoch = milestones, last_epoch + 1
        for group in optimizer.param_groups:  # what making the schedulers did is undone, and done by the first alone
            put(group, "lr", group["initial_lr"])
        self.recursive_undo()
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched: Any = None) -> None:
        """Take back the epoch that schedulers went when they were made, also of those inside others."""
        for scheduler in (sched or self)._schedulers:
            if hasattr(scheduler, "_schedulers"):
                self.recursive_undo(scheduler)
            else:
                scheduler.last_epoch -= 1

    def step(self) -> None:  # type: ignore[override]
        """Step the one whose turn it is."""
        self.last_epoch += 1
        turn = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[turn]
        if turn and self._milestones[turn - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()
