"""What a primitive does where its function raised: go another way, or raise the error that names the op."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import BatchError, UnsupportedError, explain
from .integers import RING, wrapped_around

FAILURES = (TypeError, ValueError, IndexError, OverflowError, AttributeError, BatchError)


def failed(op: Any, values: list[Any], raws: list[Any], error: Exception) -> Any:
    """What the call gives all the same, by sample or of integers too large for a dtype; or raise an error."""
    if isinstance(error, BatchError):
        return error.again(op, values)
    if isinstance(error, OverflowError) and op.name in RING:
        return op(*wrapped_around(values))
    kinds = {type(a) for a in raws if hasattr(a, "__array_function__") and not isinstance(a, np.generic)}
    if len(kinds) > 1 and isinstance(error, TypeError):
        found = " and ".join(sorted(f"{kind.__module__.partition('.')[0]}'s" for kind in kinds))
        what = "all tensors must be on the same device, but their arrays are"
        raise UnsupportedError(f"{op.name}: {what} {found}; use to()") from error
    raise explain(op.name, op.names, raws, error) from error
