"""Parametrizations of weights: length and direction apart, the largest singular value as 1, orthogonal matrices."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from autograd import linalg
from autograd.api.common import one_dim
from autograd.api.creation import empty, eye, zeros
from autograd.api.join import cat
from autograd.engine.grad_mode import no_grad
from autograd.engine.tensor import wrap
from autograd.errors import ArgumentError, ShapeError
from autograd.transforms.checkpoint import recomputing

from ..module import Module
from .parametrize import is_parametrized, register_parametrization
from .reparametrize import as_matrix, lengths, need_weight, output_dim, parameter_called, power_method, unit

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


# ---------------------------------------------------------------- length and direction apart
class _WeightNorm(Module):
    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, length: Any, direction: Any) -> Any:
        return direction * (length / lengths(direction, self.dim))

    def right_inverse(self, weight: Any) -> Any:
        return lengths(weight, self.dim), weight


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Learn a weight as length and direction apart: `g * v / |v|` (Salimans and Kingma 2016).

    `g` and `v` are `parametrizations.<name>.original0` and `original1`; a state_dict of `nn.utils.weight_norm`, with
    `<name>_g` and `<name>_v`, may be loaded. There is one length for each slice along `dim`, or one in all if None.
    Returns the module. Raises StateError if there is no such parameter (torch.nn.utils.parametrizations.weight_norm).

    >>> import nn
    >>> sorted(weight_norm(nn.Linear(4, 3)).state_dict())
    ['bias', 'parametrizations.weight.original0', 'parametrizations.weight.original1']
    """
    weight = parameter_called("weight_norm", module, name)
    dim = None if dim is None or dim == -1 else one_dim("weight_norm", dim, weight.ndim)
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)
    module.register_load_state_dict_pre_hook(partial(_renamed, name))
    return module


def _renamed(name: str, module: Module, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
    """A hook: the keys of `nn.utils.weight_norm` become those of the parametrization, if the module has that still."""
    old = [f"{prefix}{name}_g", f"{prefix}{name}_v"]
    if is_parametrized(module, name) and all(key in state_dict for key in old):
        for i, key in enumerate(old):
            state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)


# ---------------------------------------------------------------- the largest singular value as 1
class _SpectralNorm(Module):
    _u: Any
    _v: Any

    def __init__(self, weight: Any, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        self.n_power_iterations, self.dim, self.eps = n_power_iterations, dim, eps
        with no_grad():
            matrix = as_matrix(weight.detach(), dim)
            for name, n in zip(("_u", "_v"), matrix.shape, strict=True):
                self.register_buffer(name, unit(empty(n, dtype=weight.dtype).normal_(), eps))
            power_method(matrix.mT, self._v, self._u, 15, eps)

    def forward(self, weight: Any) -> Any:
        matrix = as_matrix(weight, self.dim)
        if self.training and not recomputing():
            with no_grad():
                power_method(matrix.mT, self._v, self._u, self.n_power_iterations, self.eps)
        u, v = self._u.clone(), self._v.clone()  # which the next call changes in place, while this one's backward is to come
        return weight / (u @ (matrix @ v))

    def right_inverse(self, value: Any) -> Any:
        return value


def spectral_norm(
    module: Any, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Any:
    """Divide a weight by its largest singular value, so that the layer stretches nothing (Miyato et al. 2018).

    `n_power_iterations` steps of the power method follow the singular vectors each time the weight is read in training. `dim`
    is that of the outputs: 0, but 1 for transposed convolutions. Returns the module. Raises StateError, ArgumentError or
    ShapeError (torch.nn.utils.parametrizations.spectral_norm).

    >>> import autograd, nn
    >>> layer = spectral_norm(nn.Linear(4, 3), n_power_iterations=30)
    >>> round(autograd.linalg.matrix_norm(layer.weight, 2).item(), 3)
    1.0
    """
    weight = parameter_called("spectral_norm", module, name)
    need_weight("spectral_norm", weight, n_power_iterations)
    dim = output_dim("spectral_norm", module, weight, dim)
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))


# ---------------------------------------------------------------- orthogonal matrices
class _Orthogonal(Module):
    """A matrix with orthonormal columns, or rows if it has fewer of these, made of one without constraints."""

    base: Any

    def __init__(self, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, weight: Any) -> Any:
        x = weight if weight.shape[-2] >= weight.shape[-1] else weight.mT
        n, k = x.shape[-2:]
        if self.orthogonal_map == "householder":
            below = x.tril(-1)
            q = _reflections(below, 2 / ((below * below).sum(-2) + 1))
            q = q * x.detach().diagonal(dim1=-2, dim2=-1).trunc().unsqueeze(-2)  # of 1 and -1
        else:
            below = x.tril()
            if n != k:
                below = cat([below, zeros(*x.shape[:-1], n - k, dtype=x.dtype)], -1)
            skew, one = below - below.mT, eye(n, dtype=x.dtype)
            q = linalg.matrix_exp(skew) if self.orthogonal_map == "matrix_exp" else linalg.solve(one - skew / 2, one + skew / 2)
            q = q[..., :k]
        if "base" in self._buffers:
            q = self.base @ q
        return q if weight.shape[-2] >= weight.shape[-1] else q.mT

    def right_inverse(self, q: Any) -> Any:
        wide = q.shape[-2] < q.shape[-1]
        x = q.mT if wide else q
        n, k = x.shape[-2:]
        if "base" not in self._buffers:
            if self.orthogonal_map != "householder":
                what = f"the map {self.orthogonal_map!r} has no inverse here"
                raise NotImplementedError(f"orthogonal: {what}; with use_trivialization=True the weight may be assigned")
            found = wrap(_factors(x.array))
            return found.mT if wide else found
        if n != k:
            x = cat([x, empty(*x.shape[:-1], n - k, dtype=x.dtype).normal_()], -1)
        self.base = _nearest_by_columns(x)
        neutral = -eye(n, k, dtype=q.dtype).expand(*q.shape[:-2], n, k)  # of which each map makes the identity
        return neutral.mT if wide else neutral


def _reflections(vectors: Any, factors: Any) -> Any:
    """The first columns of the product of the reflections I - factor * v v^T, v a column with a 1 on the diagonal."""
    n, k = vectors.shape[-2:]
    vectors = vectors + eye(n, k, dtype=vectors.dtype)
    q = eye(n, k, dtype=vectors.dtype)
    for i in reversed(range(k)):
        v = vectors[..., i : i + 1]
        q = q - factors[..., i, None, None] * v @ (v.mT @ q)
    return q


def _factors(q: Any) -> Any:
    """The reflections of which the orthogonal columns of `q` are the product, in the form that the Householder map takes."""
    out = np.empty_like(q)
    for at in np.ndindex(*q.shape[:-2]):
        h, tau = np.linalg.qr(q[at], mode="raw")
        h = h.T.copy()
        np.fill_diagonal(h, np.sign(np.diagonal(h)) * np.where(tau == 0, -1, 1))
        out[at] = h
    return out


def _nearest_by_columns(x: Any) -> Any:
    """`x`, if its columns are orthonormal; else its orthogonal factor, whose triangle has a positive diagonal."""
    one = eye(x.shape[-1], dtype=x.dtype)
    if bool(((x.mT @ x - one).abs() < 10 * x.shape[-1] * np.finfo(x.dtype).eps).all()):
        return x.clone()
    q, r = linalg.qr(x)
    return q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)


def orthogonal(module: Any, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True) -> Any:
    """Keep a weight orthogonal: its columns orthonormal, or its rows if these are fewer.

    `orthogonal_map` makes it of a matrix without constraints: 'matrix_exp', 'cayley' or 'householder'; by default the first for
    square weights, the last for others. With `use_trivialization` that is multiplied by what the weight was when it was
    registered or assigned, made orthogonal, which is easier to learn, and takes the buffer `base`. Returns the module. Raises
    StateError, ArgumentError or ShapeError. Lezcano-Casado 2019 (torch.nn.utils.parametrizations.orthogonal).

    >>> import autograd, nn
    >>> w = orthogonal(nn.Linear(4, 3)).weight
    >>> bool(autograd.allclose(w @ w.mT, autograd.eye(3), atol=1e-5))
    True
    """
    weight = parameter_called("orthogonal", module, name)
    maps = ("matrix_exp", "cayley", "householder")
    if orthogonal_map is not None and orthogonal_map not in maps:
        raise ArgumentError(f"orthogonal: orthogonal_map is 'matrix_exp', 'cayley' or 'householder', got {orthogonal_map!r}")
    if weight.ndim < 2:
        raise ShapeError(f"orthogonal: a weight has at least 2 dims, got shape {weight.shape}")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    return register_parametrization(module, name, _Orthogonal(orthogonal_map, use_trivialization), unsafe=True)
