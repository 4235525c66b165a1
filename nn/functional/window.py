"""Sliding windows over images: how they lie there, and what they see as columns."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from autograd.engine.tensor import Tensor
from autograd.errors import ShapeError
from autograd.ops import window
from autograd.ops.window import Windows

from .checks import per_dim

Axis = tuple[int, ...]


# ---------------------------------------------------------------- what convolution and pooling share
def batched(op: str, input: Any, n: int) -> Any:
    """`input` with a dim for the images, if it was one without."""
    if input.ndim not in (n + 1, n + 2):
        sizes = ("L", "H, W", "D, H, W")[n - 1]
        raise ShapeError(f"{op}: input must have shape (N, C, {sizes}) or (C, {sizes}), got {input.shape}")
    return input if input.ndim == n + 2 else np.expand_dims(input, 0)


def like(input: Any, result: Any) -> Any:
    """`result` without the dim for the images, if `input` had none."""
    return result if result.ndim == input.ndim else np.squeeze(result, 0)


def windows_over(
    op: str, size: Axis, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool = False
) -> tuple[Windows, Axis]:
    """The windows over images of this size, and how many there are."""
    n, count = len(size), []
    kernel, padding = per_dim(op, "kernel_size", kernel_size, n, 1), per_dim(op, "padding", padding, n, 0)
    stride = kernel if stride is None or stride in ((), []) else per_dim(op, "stride", stride, n, 1)
    dilation = per_dim(op, "dilation", dilation, n, 1)
    for length, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        span, padded = (k - 1) * d + 1, length + 2 * p
        if span > padded:
            raise ShapeError(
                f"{op}: windows of kernel_size {kernel} and dilation {dilation} do not fit into an input of size {size} "
                f"with padding {padding}; use a smaller kernel or more padding"
            )
        m = (padded - span) // s + 1
        if ceil_mode and (padded - span) % s and m * s < length + p:  # one that hangs over the end, but begins inside
            m += 1
        count.append(m)
    return tuple(zip(kernel, stride, padding, dilation, strict=True)), tuple(count)


# ---------------------------------------------------------------- windows as they are
def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The elements of each window as a column: (N, C, H, W) gives (N, C * elements, windows) (torch.nn.functional.unfold).

    >>> import autograd
    >>> x = autograd.arange(6.0).reshape(1, 1, 2, 3)
    >>> unfold(x, (2, 2))
    tensor([[[0., 1.],
             [1., 2.],
             [3., 4.],
             [4., 5.]]])
    """
    x = batched("unfold", input, 2)
    windows, count = windows_over("unfold", x.shape[2:], kernel_size, stride, padding, dilation)
    columns: Any = window.unfold(x, windows, count)
    columns = np.reshape(columns, (x.shape[0], x.shape[1] * columns.shape[2], prod(count)))
    return columns if input.ndim == 4 else np.squeeze(columns, 0)


def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The adjoint of `unfold`: columns put back where their windows lie, and added up where these overlap.

    Shapes: (N, C * elements, windows) gives (N, C, *output_size). Raises ShapeError or ArgumentError
    (torch.nn.functional.fold).
    """
    size = per_dim("fold", "output_size", output_size, 2, 1)
    if input.ndim not in (2, 3):
        raise ShapeError(f"fold: input must have shape (N, C * elements, windows) or (C * elements, windows), got {input.shape}")
    x = input if input.ndim == 3 else np.expand_dims(input, 0)
    windows, count = windows_over("fold", size, kernel_size, stride, padding, dilation)
    elements = prod(k for k, _, _, _ in windows)
    if x.shape[1] % elements or x.shape[2] != prod(count):
        raise ShapeError(
            f"fold: with this kernel_size, stride, padding and dilation output_size {size} takes a multiple of {elements} rows "
            f"and {prod(count)} columns, got shape {input.shape}"
        )
    out = window.fold(np.reshape(x, (x.shape[0], x.shape[1] // elements, elements, *count)), windows, size)
    return out if input.ndim == 3 else np.squeeze(out, 0)
