"""Linear algebra under torch.linalg's names: an index of api/linalg.py and api/decomposition.py.

>>> import autograd
>>> a = autograd.tensor([[4.0, 1.0], [1.0, 3.0]], requires_grad=True)
>>> autograd.linalg.slogdet(a).logabsdet.backward(); a.grad  # the inverse
tensor([[ 0.2727, -0.0909],
        [-0.0909,  0.3636]])
"""

from __future__ import annotations

from typing import Any

from .api import linalg
from .api.absent import asked
from .api.decomposition import (
    cholesky,
    cond,
    det,
    eigh,
    eigvalsh,
    inv,
    lstsq,
    matrix_exp,
    matrix_norm,
    matrix_power,
    matrix_rank,
    norm,
    pinv,
    qr,
    slogdet,
    solve,
    solve_triangular,
    svd,
    svdvals,
)
from .api.linalg import matmul, multi_dot, vecdot, vector_norm
from .api.spelling import publish
from .errors import ArgumentError as LinAlgError  # what a singular matrix raises

__all__ = [
    "LinAlgError", "cholesky", "cond", "cross", "det", "eigh", "eigvalsh", "inv", "lstsq", "matmul", "matrix_exp",
    "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "solve_triangular",
    "svd", "svdvals", "vecdot", "vector_norm",
]  # fmt: skip


def cross(input: Any, other: Any, *, dim: int = -1) -> Any:
    """The cross products of 3-vectors along `dim` (torch.linalg.cross)."""
    return linalg.cross(input, other, dim)


globals().update(publish({name: globals()[name] for name in __all__ if name != "LinAlgError"}, __name__))

__getattr__ = asked("torch.linalg", globals())
