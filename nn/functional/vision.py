"""Images made of others: sampled at the points of a grid, and with channels as pixels."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np

from autograd.api.shape import copied
from autograd.engine.accumulate import single
from autograd.engine.primitive import primitive
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, ShapeError
from autograd.ops import index
from autograd.ops.elementwise import choose, fill
from autograd.ops.linalg import T, same_dtype

from .checks import need_float, per_dim
from .common import constant
from .padding import surround
from .resample import cubic_weights

cell = primitive(
    lambda x, low, high: np.astype(np.fmin(np.fmax(np.floor(x), low), high), np.int64),
    "cell",
    says="x rounded down, from low to high, as positions.",
)


@single
def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Tensor:
    """Where in the input of `grid_sample` each element of its result comes from, under an affine map.

    Shapes: theta (N, 2, 3) and size (N, C, H, W) give (N, H, W, 2); theta (N, 3, 4) and size (N, C, D, H, W) give
    (N, D, H, W, 3). Raises ShapeError or DtypeError (torch.nn.functional.affine_grid).
    """
    size, n = tuple(size), len(size) - 2
    if n not in (2, 3) or theta.shape != (size[0], n, n + 1):
        raise ShapeError(
            f"affine_grid: theta must have shape (N, 2, 3) for size (N, C, H, W), or (N, 3, 4) for (N, C, D, H, W), "
            f"got {theta.shape} for {size}"
        )
    need_float("affine_grid", theta, "theta", arrays=True)
    axes = [np.ones(size[2:])]
    for i, m in enumerate(size[2:]):  # from -1 to 1: between the middles of the outer elements, or their far edges
        at = (np.arange(m) * 2 + 1 - m) / (max(1, m - 1) if align_corners else m)
        axes.insert(0, axes[-1] * np.reshape(at, (m, *(1,) * (n - 1 - i))))
    base = constant(np.reshape(np.stack(axes, -1), (1, prod(size[2:]), n + 1)), theta)
    grid: Any = np.matmul(base, T(theta))
    return grid.reshape(size[0], *size[2:], n)


@single
def grid_sample(
    input: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Tensor:
    """The elements of `input` at the points in `grid`, whose last dim holds x, y (and z) from -1 to 1.

    `mode` is 'bilinear', 'nearest' or 'bicubic'; outside there are 'zeros', the 'border' or the 'reflection'. -1 and 1 are
    the middles of the outer elements if `align_corners`, else their far edges. Shapes: (N, C, H, W) and (N, H', W', 2) give
    (N, C, H', W'); so with a third dim. Raises ShapeError, ArgumentError or DtypeError (torch.nn.functional.grid_sample).
    """
    n = input.ndim - 2
    if n not in (2, 3) or grid.ndim != n + 2 or (grid.shape[0], grid.shape[-1]) != (input.shape[0], n):
        raise ShapeError(
            f"grid_sample: input (N, C, H, W) needs a grid (N, H', W', 2), input (N, C, D, H, W) a grid (N, D', H', W', 3), "
            f"got {input.shape} and {grid.shape}"
        )
    if mode not in ("bilinear", "nearest", "bicubic") or (mode == "bicubic" and n != 2):
        raise ArgumentError(f"grid_sample: mode is 'bilinear', 'nearest' or, for 2 dims, 'bicubic', got {mode!r} for {n} dims")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ArgumentError(f"grid_sample: padding_mode is 'zeros', 'border' or 'reflection', got {padding_mode!r}")
    same_dtype("grid_sample", input=input, grid=grid)
    need_float("grid_sample", input, arrays=True)
    if 0 in input.shape[1:]:
        raise ShapeError(f"grid_sample: there is nothing to sample in an input of shape {input.shape}")
    size, rim = input.shape[2:], int(padding_mode == "zeros")
    if rim:  # what lies outside is looked up in a rim of zeros
        input = surround(input, [(1, 1)] * n, 0)

    def taps(at: Any, m: int) -> list[tuple[Any, Any]]:
        """The elements along a dim of length m that make the value at `at`, and their weights."""
        inside: Any = (lambda v: v) if rim else (lambda v: _within(v, m, padding_mode, align_corners))
        if mode == "nearest":
            return [(cell(np.round(inside(at)), -rim, m - 1 + rim), fill(at, 1.0))]
        at = at if mode == "bicubic" else inside(at)
        low = np.floor(at)
        if mode == "bilinear":
            near = [(0, 1 - (at - low)), (1, at - low)]
        else:
            near = list(zip((-1, 0, 1, 2), cubic_weights(at - low), strict=True))
        return [(cell(inside(low + i) if mode == "bicubic" else low + i, -rim, m - 1 + rim), w) for i, w in near]

    dims = []
    for i, m in enumerate(size):
        x = grid[..., n - 1 - i]
        dims.append(taps((x + 1) * ((m - 1) / 2) if align_corners else ((x + 1) * m - 1) / 2, m))
    rows = np.reshape(np.moveaxis(input, 1, -1), (-1, input.shape[1]))
    images = np.reshape(constant(range(input.shape[0]), input, np.int64), (-1, *(1,) * n))
    total: Any = None
    for corner in product(*dims):
        row, weight = images, 1
        for (at, w), m in zip(corner, size, strict=True):
            row, weight = row * (m + 2 * rim) + (at + rim), w * weight
        part = index.getindex(rows, row) * np.expand_dims(weight, -1)
        total = part if total is None else total + part
    return np.moveaxis(total, -1, 1)


def _within(at: Any, m: int, padding_mode: str, align_corners: bool | None) -> Any:
    """Coordinates outside moved to the border, or mirrored; at the border itself the derivative is 0, as PyTorch has it."""
    if padding_mode == "reflection":
        low, span = (0, max(1, m - 1)) if align_corners else (-0.5, m)
        at = low + span - abs((at - low) % (2 * span) - span)
    return choose((at > 0) & (at < m - 1), at, np.clip(at.detach() if hasattr(at, "detach") else at, 0, m - 1))


def pixel_shuffle(input: Any, upscale_factor: int) -> Tensor:
    """Channels as pixels: (..., C * r * r, H, W) gives (..., C, H * r, W * r) (torch.nn.functional.pixel_shuffle)."""
    (r,) = per_dim("pixel_shuffle", "upscale_factor", upscale_factor, 1, 1)
    if input.ndim < 3 or input.shape[-3] % r**2:
        raise ShapeError(f"pixel_shuffle: input must have shape (..., a multiple of {r**2}, H, W), got {input.shape}")
    *lead, c, h, w = input.shape
    return _rearranged(input, (*lead, c // r**2, r, r, h, w), (0, 3, 1, 4, 2), (*lead, c // r**2, h * r, w * r))


def pixel_unshuffle(input: Any, downscale_factor: int) -> Tensor:
    """Pixels as channels: (..., C, H * r, W * r) gives (..., C * r * r, H, W) (torch.nn.functional.pixel_unshuffle)."""
    (r,) = per_dim("pixel_unshuffle", "downscale_factor", downscale_factor, 1, 1)
    if input.ndim < 3 or input.shape[-2] % r or input.shape[-1] % r:
        raise ShapeError(f"pixel_unshuffle: input must have shape (..., C, multiples of {r}), got {input.shape}")
    *lead, c, h, w = input.shape
    return _rearranged(input, (*lead, c, h // r, r, w // r, r), (0, 2, 4, 1, 3), (*lead, c * r**2, h // r, w // r))


def channel_shuffle(input: Any, groups: int) -> Tensor:
    """The channels of each group apart, one from every group in turn: (N, C, ...) stays so (torch.nn.functional.channel_shuffle).

    Between convolutions in groups it lets all groups learn of one another. Source: Zhang et al. (2018), ShuffleNet.

    >>> import autograd
    >>> channel_shuffle(autograd.arange(6).view(1, 6, 1), 2).flatten()
    tensor([0, 3, 1, 4, 2, 5])
    """
    (g,) = per_dim("channel_shuffle", "groups", groups, 1, 1)
    if input.ndim < 3 or input.shape[1] % g:
        raise ShapeError(f"channel_shuffle: input must have shape (N, a multiple of {g}, ...), got {input.shape}")
    n, c, *rest = input.shape
    out: Any = np.swapaxes(np.reshape(input, (n, g, c // g, *rest)), 1, 2)
    return out.reshape(input.shape)


def _rearranged(input: Any, parts: tuple[int, ...], order: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """`input` as `parts`, the last five in another order, as `shape`."""
    lead = len(parts) - 5
    return copied(np.reshape(np.transpose(np.reshape(input, parts), (*range(lead), *(lead + i for i in order))), shape), input)
