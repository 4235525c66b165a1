"""Lazy layers: they learn from their first input what others are told, and then are the ordinary ones."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from autograd.errors import ShapeError, StateError, describe

from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear
from .module import Module
from .norm import BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from .parameter import UninitializedBuffer, UninitializedParameter, is_lazy

__all__ = [
    "LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d", "LazyConv1d", "LazyConv2d", "LazyConv3d", "LazyConvTranspose1d",
    "LazyConvTranspose2d", "LazyConvTranspose3d", "LazyInstanceNorm1d", "LazyInstanceNorm2d", "LazyInstanceNorm3d", "LazyLinear",
]  # fmt: skip


class _Lazy(Module):
    """Mixed in before an ordinary layer: without its first argument, the length of a dim of its input, it waits to see that.

    `class LazyLinear(_Lazy, Linear, dim=-1): ...` is all there is to write. At the first call the ordinary layer is made and
    called; if that takes the input, its parameters and buffers become those of this one, which is an ordinary one from then on.
    """

    _becomes: ClassVar[Any]
    _size: ClassVar[str]  # the argument that it waits for
    _dim: ClassVar[int]  # where in the shape of the input that stands
    _made_with: tuple[tuple[Any, ...], dict[str, Any]]

    def __init_subclass__(cls, dim: int | None = None, **defaults: Any) -> None:
        super().__init_subclass__()
        if dim is None:
            return
        cls._becomes, cls._dim = cls.__bases__[1], dim
        own, size, *options = inspect.signature(cls._becomes.__init__).parameters.values()
        cls._size, name = size.name, cls._becomes.__name__
        taken = inspect.Signature([own, *(o.replace(default=defaults.get(o.name, o.default)) for o in options)])

        def __init__(self: _Lazy, *args: Any, **kwargs: Any) -> None:
            given = taken.bind(self, *args, **kwargs)
            given.apply_defaults()
            _Lazy.__init__(*given.args, **given.kwargs)

        __init__.__signature__ = taken  # type: ignore[attr-defined]
        cls.__init__ = __init__  # type: ignore[method-assign]
        about = f"`{name}` that learns `{size.name}` from its first input (torch.nn.Lazy{name}): see `LazyLinear`."
        cls.__doc__ = cls.__doc__ or about

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(0, *args, **kwargs)  # type: ignore[call-arg]
        self._made_with = args, kwargs
        for name, p in self._parameters.items():
            self._parameters[name] = p if p is None else UninitializedParameter(dtype=p.dtype)
        for name, b in self._buffers.items():  # a number, as of the batches seen, has a shape already
            self._buffers[name] = b if b is None or not b.ndim else UninitializedBuffer(dtype=b.dtype)

    def reset_parameters(self) -> None:
        """Nothing, as there are none yet."""

    def has_uninitialized_params(self) -> bool:
        """Are there parameters or buffers whose shape is not known yet?"""
        return any(map(is_lazy, (*self._parameters.values(), *self._buffers.values())))

    def forward(self, input: Any, *others: Any, **named: Any) -> Any:
        shape, dim = getattr(input, "shape", None), self._dim
        if shape is None or not -len(shape) <= dim < len(shape):
            found = describe(input) if shape is None else shape
            raise ShapeError(f"{type(self).__name__}: {self._size} is dim {dim} of the first input, got {found}")
        args, kwargs = self._made_with
        made = self._becomes(shape[dim], *args, **kwargs).train(self.training)
        for own, new in ((self._parameters, made._parameters), (self._buffers, made._buffers)):
            for name, t in own.items():
                if t is not None and not is_lazy(t):  # a state_dict was loaded
                    if t.shape != new[name].shape:
                        what = f"{name} was loaded with shape {t.shape}, but an input of shape {shape} needs {new[name].shape}"
                        raise StateError(f"{type(self).__name__}: {what}")
                    new[name] = t
                elif t is not None and t.dtype != new[name].dtype:
                    new[name] = type(new[name])(new[name].detach().to(t.dtype))
        out = made.forward(input, *others, **named)
        for own, new in ((self._parameters, made._parameters), (self._buffers, made._buffers)):
            for name, t in own.items():
                if is_lazy(t):
                    t.become(new[name])
        setattr(self, self._size, shape[dim])
        del self._made_with
        self.__class__ = self._becomes
        return out


class LazyLinear(_Lazy, Linear, dim=-1):
    """`Linear` that learns `in_features` from its first input (torch.nn.LazyLinear).

    Until then its parameters have neither shape nor values: what asks for them raises StateError, but they may be moved to
    another dtype, loaded, and given to an optimizer. From the first call on it is a `Linear`.

    >>> import autograd, nn
    >>> net = nn.Sequential(LazyLinear(4), nn.ReLU(), LazyLinear(1))
    >>> net[0].weight
    <UninitializedParameter>
    >>> net(autograd.ones(5, 3)).shape
    (5, 1)
    >>> net
    Sequential(
      (0): Linear(in_features=3, out_features=4, bias=True)
      (1): ReLU()
      (2): Linear(in_features=4, out_features=1, bias=True)
    )
    """


# fmt: off
class LazyConv1d(_Lazy, Conv1d, dim=-2): ...
class LazyConv2d(_Lazy, Conv2d, dim=-3): ...
class LazyConv3d(_Lazy, Conv3d, dim=-4): ...
class LazyConvTranspose1d(_Lazy, ConvTranspose1d, dim=-2): ...
class LazyConvTranspose2d(_Lazy, ConvTranspose2d, dim=-3): ...
class LazyConvTranspose3d(_Lazy, ConvTranspose3d, dim=-4): ...
class LazyBatchNorm1d(_Lazy, BatchNorm1d, dim=1): ...
class LazyBatchNorm2d(_Lazy, BatchNorm2d, dim=1): ...
class LazyBatchNorm3d(_Lazy, BatchNorm3d, dim=1): ...
class LazyInstanceNorm1d(_Lazy, InstanceNorm1d, dim=-2, affine=True, track_running_stats=True): ...  # as PyTorch's
class LazyInstanceNorm2d(_Lazy, InstanceNorm2d, dim=-3, affine=True, track_running_stats=True): ...  # as PyTorch's
class LazyInstanceNorm3d(_Lazy, InstanceNorm3d, dim=-4, affine=True, track_running_stats=True): ...  # as PyTorch's
