"""What a primitive does where its function raised: go another way, or raise the error that names the op."""

from __future__ import annotations

from typing import Any

from ..errors import BatchError, explain
from .integers import RING, wrapped_around

FAILURES = (TypeError, ValueError, IndexError, OverflowError, AttributeError, BatchError)


def failed(op: Any, values: list[Any], raws: list[Any], error: Exception) -> Any:
    """What the call gives all the same, by sample or of integers too large for a dtype; or raise an error."""
    if isinstance(error, BatchError):
        return error.again(op, values)
    if isinstance(error, OverflowError) and op.name in RING:
        return op(*wrapped_around(values))
    raise explain(op.name, op.names, raws, error) from error
