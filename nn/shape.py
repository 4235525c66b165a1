"""Layers that only rearrange elements: Identity, Flatten, Unflatten, PixelShuffle, PixelUnshuffle, Unfold and Fold."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from autograd.api.common import one_dim
from autograd.errors import ShapeError

from . import functional as F
from .function_module import _FunctionModule
from .module import Module

__all__ = ["Flatten", "Fold", "Identity", "PixelShuffle", "PixelUnshuffle", "Unflatten", "Unfold"]


class Identity(Module):
    """The input itself; any arguments are accepted and ignored (torch.nn.Identity)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input


class Flatten(_FunctionModule, of=partial(F.flatten, start_dim=1), options="start_dim end_dim"):
    """The dims from `start_dim` to `end_dim` as one; the first, of the batch, stays by default (torch.nn.Flatten)."""


class Unflatten(Module):
    """The dim `dim` as several, of the sizes `unflattened_size`, one of which may be -1 (torch.nn.Unflatten)."""

    def __init__(self, dim: int, unflattened_size: tuple[int, ...] | list[int]) -> None:
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, input: Any) -> Any:
        at, sizes, shape = one_dim("Unflatten", self.dim, input.ndim), self.unflattened_size, input.shape or (1,)
        known = math.prod(n for n in sizes if n != -1)
        if shape[at] != known if -1 not in sizes else known == 0 or shape[at] % known:
            raise ShapeError(f"Unflatten({self.dim}, {sizes}) cannot make that of dim {self.dim} of an input of shape {shape}")
        return input.reshape(*shape[:at], *sizes, *shape[at + 1 :])

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class PixelShuffle(_FunctionModule, of=F.pixel_shuffle, options="upscale_factor"):
    """Channels as pixels: (..., C * r * r, H, W) gives (..., C, H * r, W * r) (Shi et al. 2016; torch.nn.PixelShuffle).

    >>> import autograd
    >>> PixelShuffle(2)(autograd.ones(1, 12, 4, 4)).shape
    (1, 3, 8, 8)
    """


class PixelUnshuffle(_FunctionModule, of=F.pixel_unshuffle, options="downscale_factor"):
    """Pixels as channels: (..., C, H * r, W * r) gives (..., C * r * r, H, W) (torch.nn.PixelUnshuffle)."""


class Unfold(_FunctionModule, of=F.unfold, options="kernel_size dilation padding stride"):
    """The elements of each sliding window as a column: (N, C, H, W) gives (N, C * elements, windows) (torch.nn.Unfold).

    >>> import autograd
    >>> Unfold((2, 3))(autograd.ones(1, 4, 5, 6)).shape
    (1, 24, 16)
    """


class Fold(_FunctionModule, of=F.fold, options="output_size kernel_size dilation padding stride"):
    """The adjoint of `Unfold`: columns put back where their windows lie, overlaps added up (torch.nn.Fold).

    Shape: (N, C * elements, windows) gives (N, C, *output_size).
    """
