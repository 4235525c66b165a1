"""Sorting and searching: elements in order, where they stand, and where others would stand among them."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..engine.graph import Array
from ..engine.primitive import primitive


# ---------------------------------------------------------------- the table
def _searchsorted(x: Array, v: Array, side: Any) -> Array:
    if x.ndim == 1:
        return np.searchsorted(x, v, side)
    n = prod(v.shape[:-1])
    rows = zip(np.reshape(x, (n, x.shape[-1])), np.reshape(v, (n, v.shape[-1])), strict=True)
    found = [np.searchsorted(a, b, side) for a, b in rows]
    return np.reshape(np.stack(found), v.shape) if found else np.zeros_like(v, dtype=np.int64)


# fmt: off
argwhere     = primitive(lambda x: np.argwhere(x), "argwhere",
            says="The positions of the elements of x that are not 0, one in each row (torch.argwhere).")
searchsorted = primitive(_searchsorted, "searchsorted",
            says="Where in the sorted x the elements of v would have to stand (torch.searchsorted).")
isin         = primitive(lambda x, y, invert: np.isin(x, y, invert=invert), "isin",
            says="Whether each element of x is among those of y (torch.isin).")
# fmt: on
