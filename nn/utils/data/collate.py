"""From examples to tensors: `default_collate` makes a batch of several, `default_convert` takes one as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograd.api.creation import as_tensor, tensor
from autograd.api.join import stack
from autograd.engine.tensor import Tensor
from autograd.errors import ShapeError

__all__ = ["default_collate", "default_convert"]


def _is_array(value: Any) -> bool:
    return isinstance(value, Tensor) or (hasattr(value, "dtype") and hasattr(value, "shape"))


def default_collate(batch: Sequence[Any]) -> Any:
    """Make one batch of a list of examples: tensors and arrays are stacked, numbers become a tensor, and tuples, lists and
    dicts of these become lists and dicts of batches; all else stays as it is.

    >>> default_collate([(1, 0.5), (2, 1.5)])
    [tensor([1, 2]), tensor([0.5000, 1.5000], dtype=float64)]
    """
    first = batch[0]
    if _is_array(first):
        try:
            return stack([as_tensor(example) for example in batch])
        except ShapeError as error:
            shapes = ", ".join(sorted({str(example.shape) for example in batch}))
            raise ShapeError(f"DataLoader: examples of shapes {shapes} do not stack to a batch; give a collate_fn") from error
    if isinstance(first, (bool, int, float)):
        return tensor(np.array(batch))
    if isinstance(first, Mapping):
        return {key: default_collate([example[key] for example in batch]) for key in first}
    if isinstance(first, (tuple, list)):
        if any(len(example) != len(first) for example in batch):
            raise ShapeError("DataLoader: the examples of a batch have different numbers of parts; give a collate_fn")
        parts = [default_collate(part) for part in zip(*batch, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else parts
    return batch


def default_convert(data: Any) -> Any:
    """Make tensors of the arrays in one example; all else stays as it is (torch.utils.data.default_convert).

    >>> import numpy as np
    >>> default_convert({"x": np.ones(2), "y": 1})
    {'x': tensor([1., 1.], dtype=float64), 'y': 1}
    """
    if _is_array(data):
        return as_tensor(data)
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    if isinstance(data, (tuple, list)):
        parts = [default_convert(part) for part in data]
        return type(data)(*parts) if hasattr(data, "_fields") else parts
    return data
