"""Normalization layers: mean 0 and variance 1 over a batch, a layer, groups of channels or single ones; then scale and shift."""

from __future__ import annotations

from typing import Any

from autograd.api.creation import empty, ones, tensor, zeros
from autograd.distributed.group import get_world_size, is_initialized, world
from autograd.engine.dtypes import int64
from autograd.engine.grad_mode import no_grad
from autograd.errors import ArgumentError, ShapeError, describe
from autograd.transforms.checkpoint import recomputing

from . import functional as F
from .function_module import _FunctionModule
from .functional.checks import whole
from .functional.normalization import sync_batch_norm
from .init import ones_, zeros_
from .module import Module, Parameter

__all__ = [
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "LayerNorm",
    "LocalResponseNorm", "RMSNorm", "SyncBatchNorm",
]  # fmt: skip


class _Norm(Module):
    """What they share: `weight` and `bias`, which scale and shift, and begin as ones and zeros; or are None."""

    weight: Any
    bias: Any

    def _set_up(self, shape: Any, affine: bool, bias: bool, dtype: Any) -> None:
        self.register_parameter("weight", Parameter(empty(shape, dtype=dtype)) if affine else None)
        self.register_parameter("bias", Parameter(empty(shape, dtype=dtype)) if affine and bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Begin anew: scale by 1, shift by 0."""
        if self.weight is not None:
            ones_(self.weight)
        if self.bias is not None:
            zeros_(self.bias)


# ---------------------------------------------------------------- with statistics of what was seen so far
class _RunningNorm(_Norm):
    """Normalization of channels, which may remember the mean and variance that it saw in training."""

    sizes: tuple[str, ...]  # the shapes that it takes

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_features = whole(type(self).__name__, "num_features", num_features)
        self.eps, self.momentum, self.affine, self.track_running_stats = eps, momentum, affine, track_running_stats
        running = {"running_mean": zeros, "running_var": ones}
        for name, fill in running.items():
            self.register_buffer(name, fill(num_features, dtype=dtype) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", tensor(0, dtype=int64) if track_running_stats else None)
        self._set_up((num_features,), affine, bias, dtype)

    def reset_running_stats(self) -> None:
        """Forget what was seen."""
        if self.track_running_stats:
            with no_grad():
                self.running_mean.zero_()
                self.running_var.fill_(1)
                self.num_batches_tracked.zero_()

    def _check(self, input: Any) -> bool:
        """Has it one of the shapes, with all the channels? And is it the first of them?"""
        n, shape = self.num_features, getattr(input, "shape", ())
        dims = next((s.split() for s in self.sizes if len(s.split()) == len(shape)), None)
        if dims is None or shape[dims.index("C")] != n:
            expected = " or ".join(f"({', '.join(s.replace('C', str(n)).split())})" for s in self.sizes)
            raise ShapeError(f"{type(self).__name__}({n}) expects {expected}, got {shape or describe(input)}")
        return dims == self.sizes[0].split()

    def extra_repr(self) -> str:
        options = f"eps={self.eps}, momentum={self.momentum}, affine={self.affine}, bias={self.bias is not None}"
        return f"{self.num_features}, {options}, track_running_stats={self.track_running_stats}"


class _BatchNorm(_RunningNorm):
    def forward(self, input: Any) -> Any:
        self._check(input)
        by_batch, momentum = self.training or self.running_mean is None, self.momentum
        if momentum is None:  # the average of all batches, of which this is one more
            momentum = (self.num_batches_tracked + 1).double().reciprocal() if self.track_running_stats else 0.0
        args = (self.running_mean, self.running_var, self.weight, self.bias, by_batch, momentum, self.eps)
        out = self._normalized(input, *args)
        if self.training and self.track_running_stats and not recomputing():
            self.num_batches_tracked.add_(1)
        return out

    def _normalized(self, input: Any, *args: Any) -> Any:
        return F.batch_norm(input, *args)


class BatchNorm1d(_BatchNorm):
    """Each channel with mean 0 and variance 1 over the batch: see `BatchNorm2d`. Shape: (N, C) or (N, C, L)."""

    sizes = ("N C", "N C L")


class BatchNorm2d(_BatchNorm):
    """(input - mean) / sqrt(var + eps) * weight + bias, the mean and variance of each channel over the whole batch.

    While training the batch's own statistics are used, and remembered: running = (1 - momentum) * running + momentum * new (the
    unbiased variance), or with momentum None their average over all batches. In evaluation the remembered ones are used, or the
    batch's if `track_running_stats` is False. Shape: (N, C, H, W). Raises ShapeError.

    Ioffe and Szegedy 2015; PyTorch: torch.nn.BatchNorm2d.

    >>> import autograd
    >>> out = BatchNorm2d(3)(autograd.randn(8, 3, 5, 5) * 4 + 7)
    >>> autograd.allclose(out.mean((0, 2, 3)), autograd.zeros(3), atol=1e-5)
    True
    """

    sizes = ("N C H W",)


class BatchNorm3d(_BatchNorm):
    """Each channel with mean 0 and variance 1 over the batch: see `BatchNorm2d`. Shape: (N, C, D, H, W)."""

    sizes = ("N C D H W",)


class SyncBatchNorm(_BatchNorm):
    """`BatchNorm2d` over the batches of all processes together, of any sizes (torch.nn.SyncBatchNorm). Shape: (N, C, ...).

    Mean and variance are those of the whole batch, and gradients go to all who gave to them. In evaluation, without
    `distributed.init_process_group()`, or in a group of one, it is batch normalization.

    >>> import nn
    >>> SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)))[1]
    SyncBatchNorm(4, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    sizes = ("N C", "N C L", "N C H W", "N C D H W")

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, process_group: Any = None, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _normalized(self, input: Any, *args: Any) -> Any:
        by_batch = args[4]
        if not by_batch or not is_initialized() or get_world_size(self.process_group) == 1:
            return super()._normalized(input, *args)
        return sync_batch_norm(input, *args, group=world("SyncBatchNorm", self.process_group))

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Any:
        """`module` with a SyncBatchNorm of the same parameters and buffers in the place of each batch normalization."""
        if isinstance(module, _BatchNorm):
            options = (module.eps, module.momentum, module.affine, module.track_running_stats, process_group)
            new = cls(module.num_features, *options, bias=module.bias is not None)
            new._parameters, new._buffers, new.training = module._parameters, module._buffers, module.training
            return new
        for name, child in module.named_children():
            if (new := cls.convert_sync_batchnorm(child, process_group)) is not child:
                setattr(module, name, new)
        return module


class _InstanceNorm(_RunningNorm):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
        track_running_stats: bool = False, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Any) -> Any:
        batched = self._check(input)
        x = input if batched else input.unsqueeze(0)
        by_input = self.training or not self.track_running_stats
        out = F.instance_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, by_input, self.momentum or 0.0, self.eps
        )
        return out if batched else out.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """Each channel of each example with mean 0 and variance 1: see `InstanceNorm2d`. Shape: (N, C, L) or (C, L)."""

    sizes = ("N C L", "C L")


class InstanceNorm2d(_InstanceNorm):
    """(input - mean) / sqrt(var + eps), the mean and variance of each channel of each example; then `weight` and `bias`.

    Without these by default, and without running statistics, which work as those of `BatchNorm2d`. Shape: (N, C, H, W) or
    (C, H, W). Raises ShapeError. Ulyanov et al. 2016; PyTorch: torch.nn.InstanceNorm2d.

    >>> import autograd
    >>> out = InstanceNorm2d(3)(autograd.randn(8, 3, 5, 5) * 4 + 7)
    >>> autograd.allclose(out.mean((2, 3)), autograd.zeros(8, 3), atol=1e-5)
    True
    """

    sizes = ("N C H W", "C H W")


class InstanceNorm3d(_InstanceNorm):
    """Each channel of each example with mean 0 and variance 1: see `InstanceNorm2d`. Shape: (N, C, D, H, W) or (C, D, H, W)."""

    sizes = ("N C D H W", "C D H W")


# ---------------------------------------------------------------- of each example by itself
class LayerNorm(_Norm):
    """(input - mean) / sqrt(var + eps) * weight + bias, the mean and variance over the last dims, `normalized_shape`.

    `weight` and `bias` have that shape. Shape: (..., *normalized_shape), as it is. Raises ShapeError.
    Ba et al. 2016; PyTorch: torch.nn.LayerNorm.

    >>> import autograd
    >>> LayerNorm(2)(autograd.tensor([[1.0, 3.0], [5.0, 5.0]]))
    tensor([[-1.0000,  1.0000],
            [ 0.0000,  0.0000]], grad_fn=<LayerNormBackward>)
    """

    def __init__(
        self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._set_up(self.normalized_shape, elementwise_affine, bias, dtype)

    def forward(self, input: Any) -> Any:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        affine = f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        return f"{self.normalized_shape}, eps={self.eps}, {affine}"


class RMSNorm(_Norm):
    """input / sqrt(mean(input ** 2) + eps) * weight, the mean over the last dims, `normalized_shape`.

    `eps` is that of the dtype if None. Shape: (..., *normalized_shape), as it is. Raises ShapeError.
    Zhang and Sennrich 2019; PyTorch: torch.nn.RMSNorm.

    >>> import autograd
    >>> RMSNorm(2, elementwise_affine=False)(autograd.tensor([1.0, 7.0]))
    tensor([0.2000, 1.4000])
    """

    def __init__(
        self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._set_up(self.normalized_shape, elementwise_affine, False, dtype)

    def forward(self, input: Any) -> Any:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


def _shape(shape: Any) -> tuple[int, ...]:
    return (int(shape),) if hasattr(shape, "__index__") else tuple(shape)


class GroupNorm(_Norm):
    """(input - mean) / sqrt(var + eps) * weight + bias, the mean and variance over each of `num_groups` groups of channels.

    Each channel has a weight and a bias. Shape: (N, num_channels, ...), as it is. Raises ShapeError or ArgumentError.
    Wu and He 2018; PyTorch: torch.nn.GroupNorm.

    >>> import autograd
    >>> GroupNorm(2, 6)(autograd.ones(4, 6, 5)).shape
    (4, 6, 5)
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, device: Any = None, dtype: Any = None,
        *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ArgumentError(f"GroupNorm: num_channels={num_channels} cannot be divided into num_groups={num_groups}")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self._set_up((num_channels,), affine, bias, dtype)

    def forward(self, input: Any) -> Any:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={self.bias is not None}"


# ---------------------------------------------------------------- of neighbouring channels
class LocalResponseNorm(_FunctionModule, of=F.local_response_norm, options="size alpha beta k"):
    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
