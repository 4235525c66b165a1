"""Pruning: weights kept at zero by masks, chosen by size or at random, under the names of torch.nn.utils.prune.

>>> import nn
>>> layer = nn.utils.prune.l1_unstructured(nn.Linear(4, 3), "weight", amount=0.5)
>>> int(layer.weight_mask.sum()), sorted(layer.state_dict())
(6, ['bias', 'weight_mask', 'weight_orig'])
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autograd import random
from autograd.api.common import one_dim
from autograd.api.creation import ones_like
from autograd.api.join import cat
from autograd.api.sort import argsort
from autograd.engine.grad_mode import no_grad
from autograd.errors import ArgumentError, ShapeError, StateError
from autograd.linalg import vector_norm

from ..module import Module
from .reparametrize import Recomputed, hook_of, parameter_called

__all__ = [
    "BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured", "LnStructured", "RandomStructured", "RandomUnstructured",
    "custom_from_mask", "global_unstructured", "identity", "is_pruned", "l1_unstructured", "ln_structured", "random_structured",
    "random_unstructured", "remove",
]  # fmt: skip


class Masked(Recomputed):
    """weight = orig * mask."""

    parts = ("orig", "mask")

    def compute(self, module: Module) -> Any:
        return self.part(module, "orig") * self.part(module, "mask")


# ---------------------------------------------------------------- what to prune
class BasePruningMethod:
    """How to choose what to prune. A subclass of yours defines `compute_mask` and, if need be, `PRUNING_TYPE`.

    `compute_mask(t, default_mask)` gets the importance of what is left of a weight, by default the weight itself, and a mask
    of ones; it returns a mask with zeros for what is to go too. What is left is a vector of the elements that are not pruned
    yet if the type is "unstructured", the slices along `self.dim` that are not if "structured", and all if "global".
    """

    PRUNING_TYPE = "unstructured"
    dim = 0

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """A mask like `default_mask`, with more zeros."""
        raise NotImplementedError

    @classmethod
    def apply(cls, module: Any, name: str, *args: Any, importance_scores: Any = None, **kwargs: Any) -> Any:
        """Prune the parameter `name` of `module`, which then has the parameter `name_orig` and the buffer `name_mask`.

        Prunes on if it was pruned before. Arguments go to the method. Returns the module.
        """
        pruned = hook_of(module, name, Masked)
        weight = pruned.part(module, "orig") if pruned else parameter_called("prune", module, name)
        mask = pruned.part(module, "mask") if pruned else ones_like(weight.detach())
        scores = weight.detach() if importance_scores is None else importance_scores.detach()
        if scores.shape != weight.shape:
            raise ShapeError(f"prune: importance_scores are of the shape of {name}, {weight.shape}; got {scores.shape}")
        with no_grad():
            new = cls(*args, **kwargs).extend(scores, mask)
        if pruned:
            mask.copy_(new)
            pruned(module)
        else:
            Masked(name).install(module, orig=weight, mask=new)
        return module

    def extend(self, t: Any, mask: Any) -> Any:
        """`mask` with more zeros."""
        if self.PRUNING_TYPE == "global":
            return mask * self.compute_mask(t, mask)
        kept = mask != 0
        if self.PRUNING_TYPE == "structured":
            dim = one_dim("prune", self.dim, t.ndim)
            kept = kept.any(tuple(d for d in range(t.ndim) if d != dim))
            place: Any = (slice(None),) * dim + (kept,)
        else:
            place = kept
        part = t[place]
        new = mask.clone()
        new[place] = mask[place] * self.compute_mask(part, ones_like(part))
        return new


class Identity(BasePruningMethod):
    """Prunes nothing, but puts the mask in place."""

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        return default_mask


class CustomFromMask(BasePruningMethod):
    """Prunes what is zero in a mask."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Any) -> None:
        self.mask = mask

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        if self.mask.shape != t.shape:
            raise ShapeError(f"custom_from_mask: the mask has shape {self.mask.shape}, the parameter {t.shape}")
        return self.mask.to(default_mask.dtype)


class _ByRank(BasePruningMethod):
    """Prunes an `amount`, a share from 0.0 to 1.0 or a number, of those that come first in the order of `rank`."""

    def __init__(self, amount: Any) -> None:
        if isinstance(amount, (bool, str)) or amount < 0 or (isinstance(amount, float) and amount > 1):
            raise ArgumentError(f"prune: amount is a share from 0.0 to 1.0, or a whole number, 0 or more; got {amount!r}")
        self.amount = amount

    def rank(self, t: Any) -> Any:
        """Numbers, the lowest for what goes first."""
        raise NotImplementedError

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        rank = self.rank(t)
        n = rank.shape[0]
        if not isinstance(self.amount, float) and self.amount > n:
            raise ArgumentError(f"prune: {self.amount} were to be pruned, but {n} are left")
        goes = argsort(rank)[: round(self.amount * n) if isinstance(self.amount, float) else self.amount]
        kept = ones_like(rank, dtype=default_mask.dtype)
        kept[goes] = 0
        if self.PRUNING_TYPE == "structured":
            kept = kept.reshape([n if d == one_dim("prune", self.dim, t.ndim) else 1 for d in range(t.ndim)])
        return default_mask * kept


class RandomUnstructured(_ByRank):
    """Prunes elements at random."""

    def rank(self, t: Any) -> Any:
        return random.rand(t.shape[0])


class L1Unstructured(_ByRank):
    """Prunes the elements closest to zero."""

    def rank(self, t: Any) -> Any:
        return t.abs()


class RandomStructured(_ByRank):
    """Prunes slices along `dim` at random."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: Any, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def rank(self, t: Any) -> Any:
        return random.rand(t.shape[self.dim])


class LnStructured(RandomStructured):
    """Prunes the slices along `dim` with the smallest n-norms."""

    def __init__(self, amount: Any, n: float, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def rank(self, t: Any) -> Any:
        dim = one_dim("prune", self.dim, t.ndim)
        return vector_norm(t, self.n, tuple(d for d in range(t.ndim) if d != dim))


# ---------------------------------------------------------------- PyTorch's functions
def identity(module: Any, name: str) -> Any:
    """Put a mask of ones in place (torch.nn.utils.prune.identity)."""
    return Identity.apply(module, name)


def random_unstructured(module: Any, name: str, amount: Any) -> Any:
    """Prune an `amount`, a share or a number, of the elements, at random (torch.nn.utils.prune.random_unstructured)."""
    return RandomUnstructured.apply(module, name, amount)


def l1_unstructured(module: Any, name: str, amount: Any, importance_scores: Any = None) -> Any:
    """Prune an `amount` of the elements, those closest to zero (torch.nn.utils.prune.l1_unstructured)."""
    return L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)


def random_structured(module: Any, name: str, amount: Any, dim: int) -> Any:
    """Prune an `amount` of the slices along `dim`, at random (torch.nn.utils.prune.random_structured)."""
    return RandomStructured.apply(module, name, amount, dim)


def ln_structured(module: Any, name: str, amount: Any, n: float, dim: int, importance_scores: Any = None) -> Any:
    """Prune an `amount` of the slices along `dim`, those with the smallest n-norms (torch.nn.utils.prune.ln_structured)."""
    return LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)


def custom_from_mask(module: Any, name: str, mask: Any) -> Any:
    """Prune what is zero in `mask` (torch.nn.utils.prune.custom_from_mask)."""
    return CustomFromMask.apply(module, name, mask)


def global_unstructured(
    parameters: Iterable[tuple[Any, str]], pruning_method: type[Any], importance_scores: Any = None, **kwargs: Any
) -> None:
    """Prune elements of several parameters, given as (module, name), as if they were one (torch's of the same name).

    `pruning_method` is an unstructured one, such as L1Unstructured; `importance_scores` a dict from (module, name).
    """
    parameters = list(parameters)
    if not parameters or pruning_method.PRUNING_TYPE != "unstructured":
        raise ArgumentError(f"global_unstructured prunes some parameters by an unstructured method, not {pruning_method!r}")
    scores, masks = [], []
    for module, name in parameters:
        pruned = hook_of(module, name, Masked)
        weight = pruned.part(module, "orig") if pruned else parameter_called("global_unstructured", module, name)
        masks.append(pruned.part(module, "mask") if pruned else ones_like(weight.detach()))
        scores.append((importance_scores or {}).get((module, name), weight).detach())
    with no_grad():
        whole = pruning_method(**kwargs).extend(cat([s.flatten() for s in scores]), cat([m.flatten() for m in masks]))
    for (module, name), mask, part in zip(parameters, masks, whole.split([m.numel() for m in masks]), strict=True):
        custom_from_mask(module, name, part.reshape(mask.shape))


def remove(module: Any, name: str) -> Any:
    """Make pruning permanent: the parameter again, with zeros in it (torch.nn.utils.prune.remove)."""
    if (pruned := hook_of(module, name, Masked)) is None:
        raise StateError(f"prune.remove: {type(module).__name__}.{name} was not pruned")
    pruned.remove(module)
    return module


def is_pruned(module: Module) -> bool:
    """Is a parameter of `module`, or of a module in it, pruned (torch.nn.utils.prune.is_pruned)?"""
    return any(isinstance(hook.call, Masked) for m in module.modules() for hook in m._hooks.values())
