"""How far numbers are from those they should be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd.errors import ShapeError

from .metric import Mean, Metric, array_of, as_function, ratio

__all__ = ["MAE", "MSE", "R2", "mae", "mse", "r2"]


def _pair(op: str, output: Any, target: Any) -> tuple[Any, Any]:
    out, wanted = array_of(output), array_of(target)
    if out.shape != wanted.shape:
        what = "must have the same shape, as broadcasting would compare every element with many others; reshape one of them"
        raise ShapeError(f"{op}: output {out.shape} and target {wanted.shape} {what}")
    return out.astype(np.float64), wanted.astype(np.float64)


class MSE(Metric):
    """The mean of (output - target)**2 over all elements.

    >>> mse([1.0, 2.0], [1.0, 4.0])
    2.0
    """

    name, best = "mse", "min"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.mean = Mean()

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch of numbers. Raises ShapeError."""
        out, wanted = _pair(type(self).__name__, output, target)
        self.mean.total += float(self._error(out - wanted).sum())
        self.mean.count += out.size

    def compute(self) -> float:
        """The mean over all batches so far; NaN if there are none."""
        return self.mean.compute()

    @staticmethod
    def _error(difference: Any) -> Any:
        return difference * difference


class MAE(MSE):
    """The mean of |output - target| over all elements.

    >>> mae([1.0, 2.0], [1.0, 4.0])
    1.0
    """

    name = "mae"

    @staticmethod
    def _error(difference: Any) -> Any:
        return np.abs(difference)


class R2(Metric):
    """The coefficient of determination: 1 - sum((output - target)**2) / sum((target - mean(target))**2).

    1 is perfect, 0 no better than the mean. Of several columns it is the mean of theirs. Where targets are all the same
    it is 1 if the outputs are right, else 0; with fewer than two examples it is NaN.

    >>> r2([2.5, 0.0, 2.0, 8.0], [3.0, -0.5, 2.0, 7.0])
    0.9486081370449679
    """

    name, best = "r2", "max"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.count = 0
        self.mean: Any = 0.0  # these of each column
        self.spread: Any = 0.0
        self.error: Any = 0.0

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch of numbers, (N,) or (N, ...). Raises ShapeError."""
        out, wanted = _pair("R2", output, target)
        if not out.ndim or (self.count and np.shape(self.mean) != (math.prod(out.shape[1:]),)):
            raise ShapeError(f"R2: batches are (N,) or (N, ...), with the same columns each time; got {out.shape}")
        n = len(out)
        if not n:
            return
        out, wanted = out.reshape(n, -1), wanted.reshape(n, -1)
        first = wanted[0]
        mean = first + (wanted - first).mean(0)  # of equal numbers it is that number, to the bit
        self._take(n, mean, ((wanted - mean) ** 2).sum(0), ((out - wanted) ** 2).sum(0))

    def _take(self, n: int, mean: Any, spread: Any, error: Any) -> None:
        """Two means and spreads make one: Chan, Golub and LeVeque 1979."""
        total = self.count + n
        step = mean - (self.mean if self.count else mean)
        self.spread = self.spread + spread + step * step * (self.count * n / total)
        self.mean, self.count = mean - step * (self.count / total), total
        self.error = self.error + error

    def merge(self, other: Any) -> None:
        """Take in what another metric of the same kind has seen."""
        if other.count:
            self._take(other.count, other.mean, other.spread, other.error)

    def compute(self) -> float:
        """The coefficient for all examples so far."""
        if self.count < 2:
            return math.nan
        error, spread = np.asarray(self.error), np.asarray(self.spread)
        return float(np.where(spread == 0, error == 0, 1 - ratio(error, spread)).mean())


mse = as_function(MSE)
mae = as_function(MAE)
r2 = as_function(R2)
