"""The table of differentiable ops, by family; each family imports only those above it in this list."""

from . import (
    common,
    elementwise,
    reduce,
    scan,
    shape,
    join,
    index,
    scatter,
    sort,
    statistics,
    linalg,
    decomposition,
    fused,
    window,
)  # isort: skip

__all__ = [
    "common",
    "decomposition",
    "elementwise",
    "fused",
    "index",
    "join",
    "linalg",
    "reduce",
    "scan",
    "scatter",
    "shape",
    "sort",
    "statistics",
    "window",
]
