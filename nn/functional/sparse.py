"""Functions of integers that stand for things: one-hot vectors and rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.errors import ArgumentError, DtypeError
from autograd.ops.index import one_hot_

from .common import need_tensors

__all__ = ["one_hot"]


def one_hot(tensor: Any, num_classes: int = -1) -> Any:
    """Integers as rows of zeros with a 1 at that place; as many classes as needed by default (torch.nn.functional.one_hot).

    >>> import autograd
    >>> one_hot(autograd.tensor([0, 2]), num_classes=3)
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    need_tensors("one_hot", tensor=tensor)
    if tensor.dtype.kind not in "iu":
        raise DtypeError(f"one_hot needs integers, not {tensor.dtype}; use long()")
    if not tensor.numel() and num_classes < 0:
        raise ArgumentError("one_hot: say num_classes for a tensor without elements")
    low, high = (int(tensor.array.min()), int(tensor.array.max())) if tensor.numel() else (0, -1)
    classes = high + 1 if num_classes == -1 else num_classes
    if low < 0 or high >= classes:
        raise ArgumentError(f"one_hot: values are classes, 0 to {classes - 1}; got {low} to {high}")
    return one_hot_(tensor, classes, np.dtype(np.int64))
