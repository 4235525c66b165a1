"""Weights computed anew before each forward, from other tensors: weight_norm, spectral_norm, and what prune builds on."""

from __future__ import annotations

from typing import Any

from autograd.api.common import one_dim
from autograd.api.creation import empty
from autograd.engine.grad_mode import no_grad
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, ShapeError, StateError
from autograd.linalg import vector_norm
from autograd.transforms.checkpoint import recomputing

from ..module import Module, Parameter


class Recomputed:
    """A hook before forward that sets the attribute `name` of a module to what `compute` makes of other tensors in it.

    `name` was a parameter. Now it is an ordinary attribute, with a node in the graph; what it is computed from is registered.
    """

    parts: tuple[str, ...] = ()  # the endings of the names of the tensors that it is computed from

    def __init__(self, name: str) -> None:
        self.name = self.recomputes = name  # the second for Module, whose copies hold it as values

    def compute(self, module: Module) -> Any:
        """The weight, from the parts that are registered."""
        raise NotImplementedError

    def __call__(self, module: Module, args: Any = ()) -> None:
        setattr(module, self.name, self.compute(module))

    def part(self, module: Module, ending: str) -> Any:
        """The tensor of that ending."""
        return getattr(module, f"{self.name}_{ending}")

    def install(self, module: Module, **parts: Tensor) -> None:
        """Put `parts`, Parameters and buffers, in the place of the parameter; from now on it is computed from them."""
        delattr(module, self.name)
        for ending, value in parts.items():
            put: Any = module.register_parameter if isinstance(value, Parameter) else module.register_buffer
            put(f"{self.name}_{ending}", value)
        with no_grad():
            self(module)
        module.register_forward_pre_hook(self)

    def remove(self, module: Module) -> None:
        """Make the weight, as it is now, the parameter that it was: the same object, if that was kept as a part."""
        with no_grad():
            weight = self.compute(module)
            weight = self.part(module, "orig").copy_(weight) if "orig" in self.parts else Parameter(weight.clone())
        for key in [k for k, hook in module._hooks.items() if hook.call is self]:
            del module._hooks[key]
        delattr(module, self.name)
        for ending in self.parts:
            delattr(module, f"{self.name}_{ending}")
        module.register_parameter(self.name, weight)


def hook_of(module: Module, name: str, kind: type[Any]) -> Any:
    """The hook of this kind that computes `name`, or None."""
    calls = (hook.call for hook in module._hooks.values())
    return next((call for call in calls if isinstance(call, kind) and call.name == name), None)


def parameter_called(op: str, module: Module, name: str) -> Any:
    """The parameter `name` of `module`. Raises StateError if it is none."""
    if not isinstance(found := module._parameters.get(name), Parameter):
        names = ", ".join(n for n, p in module._parameters.items() if p is not None) or "none"
        raise StateError(f"{op}: {type(module).__name__} has no parameter {name!r}; it has {names}")
    return found


def _remove(op: str, module: Any, name: str, kind: type[Recomputed]) -> Any:
    if (hook := hook_of(module, name, kind)) is None:
        raise StateError(f"remove_{op}: {type(module).__name__}.{name} has no {op}")
    hook.remove(module)
    return module


# ---------------------------------------------------------------- length and direction apart
def lengths(v: Any, dim: int | None) -> Any:
    """The norms of the slices along `dim`, of a shape that broadcasts to that of `v`; or with None the norm of all."""
    others = tuple(d for d in range(v.ndim) if dim is None or d != dim)
    return vector_norm(v, 2, others, dim is not None)


class WeightNorm(Recomputed):
    """weight = g * v / |v|, each slice along `dim` with a norm of its own, or with dim None one for all."""

    parts = ("g", "v")

    def __init__(self, name: str, dim: int | None) -> None:
        super().__init__(name)
        self.dim = dim

    def compute(self, module: Module) -> Any:
        v = self.part(module, "v")
        return v * (self.part(module, "g") / lengths(v, self.dim))


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Learn a weight as length and direction apart: `g * v / |v|` (Salimans and Kingma 2016; torch.nn.utils.weight_norm).

    The parameter `name` gives way to `name_g` and `name_v`. There is one length for each slice along `dim`, 0 being the
    outputs of a layer, or one in all if None. Returns the module. Raises StateError if there is no such parameter.

    >>> import nn
    >>> sorted(weight_norm(nn.Linear(4, 3)).state_dict())
    ['bias', 'weight_g', 'weight_v']
    """
    weight = parameter_called("weight_norm", module, name)
    norm = WeightNorm(name, None if dim is None or dim == -1 else one_dim("weight_norm", dim, weight.ndim))
    norm.install(module, g=Parameter(lengths(weight.detach(), norm.dim)), v=Parameter(weight.detach()))
    return module


def remove_weight_norm(module: Any, name: str = "weight") -> Any:
    """Make the weight one parameter again, with the values it has now (torch.nn.utils.remove_weight_norm)."""
    return _remove("weight_norm", module, name, WeightNorm)


# ---------------------------------------------------------------- the largest singular value as 1
def as_matrix(weight: Any, dim: int) -> Any:
    """The weight as a matrix whose rows are the slices along `dim`."""
    weight = weight.movedim(dim, 0)
    return weight.reshape(weight.shape[0], -1)


def unit(vector: Any, eps: float) -> Any:
    """`vector` with length 1."""
    return vector / vector_norm(vector).clamp(min=eps)


def power_method(matrix: Any, u: Any, v: Any, steps: int, eps: float) -> None:
    """Bring `v`, and then `u`, nearer to the singular vectors of the largest singular value, in place."""
    for _ in range(steps):
        v.copy_(unit(matrix.mT @ u, eps))
        u.copy_(unit(matrix @ v, eps))


def need_weight(op: str, weight: Any, n_power_iterations: int) -> None:
    """Raise ArgumentError or ShapeError if there is nothing to find by this number of steps."""
    if n_power_iterations <= 0:
        raise ArgumentError(f"{op}: n_power_iterations is 1 or more, got {n_power_iterations}")
    if weight.ndim < 2 or not weight.numel():
        raise ShapeError(f"{op}: a weight has at least 2 dims and an element, got shape {weight.shape}")


def output_dim(op: str, module: Module, weight: Any, dim: int | None) -> int:
    """The dim of the outputs of a layer: `dim`, or if None 0, but 1 for transposed convolutions."""
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    return one_dim(op, dim, weight.ndim)


class SpectralNorm(Recomputed):
    """weight = orig / sigma, its largest singular value, which a few steps of the power method follow as it changes."""

    parts = ("orig", "u", "v")

    def __init__(self, name: str, steps: int, eps: float, dim: int) -> None:
        super().__init__(name)
        self.steps, self.eps, self.dim = steps, eps, dim

    def compute(self, module: Module) -> Any:
        weight, u, v = (self.part(module, ending) for ending in self.parts)
        matrix = as_matrix(weight, self.dim)
        if module.training and not recomputing():
            with no_grad():
                power_method(matrix, u, v, self.steps, self.eps)
        u, v = u.clone(), v.clone()  # which the next forward changes in place, while this one's backward is to come
        return weight / (u @ (matrix @ v))


def spectral_norm(
    module: Any, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Any:
    """Divide a weight by its largest singular value, so that the layer stretches nothing (torch.nn.utils.spectral_norm).

    Miyato et al. 2018. The parameter `name` gives way to `name_orig`, and to buffers for the singular vectors, which
    `n_power_iterations` steps of the power method improve in each forward while training. `dim` is that of the outputs: 0, but
    1 for transposed convolutions. Returns the module. Raises StateError if there is no such parameter.

    >>> import nn
    >>> sorted(spectral_norm(nn.Linear(4, 3)).state_dict())
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    weight = parameter_called("spectral_norm", module, name)
    need_weight("spectral_norm", weight, n_power_iterations)
    norm = SpectralNorm(name, n_power_iterations, eps, output_dim("spectral_norm", module, weight, dim))
    with no_grad():
        matrix = as_matrix(weight.detach(), norm.dim)
        u, v = (unit(empty(n, dtype=weight.dtype).normal_(), eps) for n in matrix.shape)
        power_method(matrix, u, v, 15, eps)  # so that it is about right from the start
    norm.install(module, orig=weight, u=u, v=v)
    return module


def remove_spectral_norm(module: Any, name: str = "weight") -> Any:
    """Make the weight one parameter again, with the values it has now (torch.nn.utils.remove_spectral_norm)."""
    return _remove("spectral_norm", module, name, SpectralNorm)
