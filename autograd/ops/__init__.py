"""The table of differentiable ops, by family: mathematics, a line for each primitive.

What stands here are primitives under NumPy's argument names; PyTorch's names and options for them are in `autograd.api`.
"""

from . import (
    elementwise,
    reduce,
    scan,
    shape,
    join,
    index,
    sort,
    statistics,
    linalg,
    decomposition,
    fused,
    window,
    fourier,
    random,
    communication,
)  # isort: skip

__all__ = [
    "communication", "decomposition", "elementwise", "fourier", "fused", "index", "join", "linalg", "random", "reduce", "scan", "shape", "sort", "statistics",
    "window",
]  # fmt: skip
