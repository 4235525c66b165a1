"""The table of differentiable ops by family: mathematics, a line for each primitive.

The families build on one another in the order of LAYERS in tests/test_project.py.
"""

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
    loss,
    recurrent,
    resample,
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
    "loss",
    "recurrent",
    "reduce",
    "resample",
    "scan",
    "scatter",
    "shape",
    "sort",
    "statistics",
    "window",
]
