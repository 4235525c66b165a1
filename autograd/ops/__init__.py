"""The table of differentiable ops, by family; each family imports only those above it in this list."""

from . import common, elementwise, reduce, shape, index, linalg, decomposition, fused, loss, resample, window  # isort: skip

__all__ = ["common", "decomposition", "elementwise", "fused", "index", "linalg", "loss", "reduce", "resample", "shape", "window"]
