"""The tensors that a Module registers when they are assigned, parameters and buffers; and those whose shape is not known yet."""

from __future__ import annotations

from typing import Any, NoReturn, TypeGuard

from autograd.api.creation import as_tensor, empty
from autograd.engine.dtypes import get_default_dtype
from autograd.engine.tensor import Tensor
from autograd.errors import StateError

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]


class Parameter(Tensor):
    """A Tensor that a Module finds when it is assigned to an attribute, and that requires grad (torch.nn.Parameter).

    A Tensor or array given as `data` shares its memory; numbers are copied to the default dtype. A parameter keeps its
    array for life: optimizers and `load_state_dict` write into it.

    >>> Parameter([1.0, 2.0])
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    def __init__(self, data: Any = (), requires_grad: bool = True) -> None:
        self.array, self.node = _array(data), None
        self.requires_grad = requires_grad

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """A Tensor that a Module registers as a buffer when it is assigned to an attribute (torch.nn.Buffer).

    It is part of the module's state, but not trained; `state_dict` has it unless not `persistent`. `data` is as that of a
    `Parameter`.

    >>> import nn
    >>> module = nn.Module()
    >>> module.steps = Buffer([0.0])
    >>> module.state_dict()
    {'steps': tensor([0.])}
    """

    persistent = True

    def __init__(self, data: Any = (), *, persistent: bool = True) -> None:
        self.array, self.node, self.persistent = _array(data), None, persistent


def _array(data: Any) -> Any:
    data = () if data is None else data
    return as_tensor(data, None if hasattr(data, "dtype") else get_default_dtype()).array


# ---------------------------------------------------------------- not known yet
class _Uninitialized(Tensor):
    """Mixed in: there is no array yet. What asks for it, or for its shape, is told what to do."""

    _becomes: type[Tensor]
    _dtype: Any
    _tracked: bool

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        self.node, self._tracked = None, requires_grad
        self._dtype = empty(0, dtype=dtype).dtype

    @property
    def array(self) -> NoReturn:
        """There is none."""
        kind = self._becomes.__name__.lower()
        what = f"this {kind} of a lazy module has no shape yet, nor values"
        raise StateError(f"{what}; call the module once, on an example, or load a state_dict: then it has")

    dtype = property(lambda self: self._dtype)

    @property
    def requires_grad(self) -> bool:
        """Will gradients flow here? May be set."""
        return self._tracked

    @requires_grad.setter
    def requires_grad(self, on: bool) -> None:
        self._tracked = on

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Get this shape, and whatever was in memory; from now on this is an ordinary one."""
        self.become(empty(shape, dtype=self._dtype if dtype is None else dtype))

    def become(self, t: Tensor) -> None:
        """Become an ordinary one with the array of `t` and, if that has one, its node: gradients of it come here."""
        tracked = self._tracked
        self.__class__ = self._becomes  # type: ignore[assignment]
        now: Any = self
        now.array, now.node = t.array, t.node
        now.requires_grad = tracked

    def detach(self) -> Any:
        """This, which is in no graph."""
        return self

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """One that will be of another dtype."""
        return type(self)(self._tracked, dtype=empty(0, dtype=self._dtype).to(*args, **kwargs).dtype)

    def recast(self, dtype: Any) -> None:
        """Be of another dtype."""
        self._dtype = dtype

    def __copy__(self) -> Any:
        return type(self)(self._tracked, dtype=self._dtype)

    def __deepcopy__(self, memo: Any) -> Any:
        return memo.setdefault(id(self), self.__copy__())

    def __reduce__(self) -> Any:
        return type(self), (self._tracked, None, self._dtype)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(_Uninitialized, Parameter):
    """A Parameter of a lazy module, which learns its shape when that is first called (torch.nn.UninitializedParameter).

    `materialize(shape)` makes an ordinary one of it. Optimizers may be given it before.
    """

    _becomes = Parameter


class UninitializedBuffer(_Uninitialized, Buffer):
    """A buffer of a lazy module, which learns its shape when that is first called (torch.nn.UninitializedBuffer)."""

    _becomes = Buffer

    def __init__(self, requires_grad: bool = False, device: Any = None, dtype: Any = None) -> None:
        super().__init__(requires_grad, device, dtype)


def is_lazy(param: Any) -> TypeGuard[_Uninitialized]:
    """Is it a parameter or buffer whose shape is not known yet?"""
    return isinstance(param, _Uninitialized)
