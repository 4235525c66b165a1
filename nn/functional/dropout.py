"""Functions that drop elements or whole channels at random."""

from __future__ import annotations

from typing import Any

from autograd import ops
from autograd.api.random import Generator, default_generator
from autograd.engine.tensor import Tensor
from autograd.errors import ShapeError

from .activation import SELU_ALPHA, SELU_SCALE
from .checks import need_probability
from .common import elementwise, in_dims


def dropout(
    input: Any, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Zeros at random, each with probability `p`, and the rest larger by 1 / (1 - p), so that the mean stays.

    Without `training`, the input itself. Srivastava et al. 2014; PyTorch: torch.nn.functional.dropout.
    """
    return _drop("dropout", input, p, training, inplace, generator)


def _drop(op: str, input: Any, p: float, training: bool, inplace: bool, generator: Any, lead: int | None = None) -> Any:
    """Dropout of elements; or of all that have the same index in the first `lead` dims."""
    need_probability(op, p)
    if not training or p == 0:
        return input

    def drop(x: Any) -> Any:
        return x * (_kept(x, p, generator, lead) * (0 if p == 1 else 1 / (1 - p)))

    return elementwise(op, input, drop, inplace)


def _kept(x: Any, p: float, generator: Any, lead: int | None) -> Any:
    """1 where something is kept, else 0."""
    shape = x.shape if lead is None else (*x.shape[:lead], *(1,) * (x.ndim - lead))
    return ops.random.bernoulli(generator or default_generator, 1 - p, shape, x.dtype).to(device=x.device)


def _dropout(n: int, op: str) -> Any:
    def drop(
        input: Any, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator | None = None
    ) -> Any:
        """`dropout` of whole channels of images with {n} sizes (torch.nn.functional.{op}).

        Shape: (N, C, ...) or, for one image but in `dropout2d`, (C, ...). Tompson et al. 2014.
        """
        if input.ndim < 2 or (n == 1 and input.ndim > 3):
            raise ShapeError(f"{op}: input has the shape (N, C, ...) of images with channels to drop, got {input.shape}")
        alone = n != 2 and input.ndim == n + 1  # one image; three dims are N, C and a length for dropout2d, as in PyTorch
        return _drop(op, input, p, training, inplace, generator, 1 if alone else 2)

    return drop


dropout1d, dropout2d, dropout3d = in_dims(_dropout)


def alpha_dropout(
    input: Any, p: float = 0.5, training: bool = False, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Dropout to go with `selu`: what is dropped becomes its lower limit, then all is scaled so that mean and variance stay.

    Klambauer et al. 2017; PyTorch: torch.nn.functional.alpha_dropout.
    """
    return _alpha_dropout("alpha_dropout", input, p, training, inplace, generator)


def feature_alpha_dropout(
    input: Any, p: float = 0.5, training: bool = False, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """`alpha_dropout` of whole channels, (N, C, ...) (torch.nn.functional.feature_alpha_dropout)."""
    if input.ndim < 2 and training and p:
        raise ShapeError(f"feature_alpha_dropout: input has the shape (N, C, ...), got {input.shape}")
    return _alpha_dropout("feature_alpha_dropout", input, p, training, inplace, generator, 2)


def _alpha_dropout(op: str, input: Any, p: float, training: bool, inplace: bool, generator: Any, lead: int | None = None) -> Any:
    need_probability(op, p)
    if not training or p == 0:
        return input
    limit = -SELU_ALPHA * SELU_SCALE
    scale = 0 if p == 1 else ((1 + p * limit * limit) * (1 - p)) ** -0.5

    def drop(x: Any) -> Any:
        kept = _kept(x, p, generator, lead) * scale
        return x * kept + ((scale - kept) * limit - scale * limit * p)

    return elementwise(op, input, drop, inplace)
