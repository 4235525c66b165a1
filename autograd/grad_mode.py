"""Switching the recording of graphs on and off: as with-blocks, decorators and calls."""

from __future__ import annotations

from typing import Any

from .graph import ambient, mode


def no_grad(function: Any = None) -> Any:
    """Do not record graphs in a with-block, or in the function that this decorates (torch.no_grad).

    >>> import autograd
    >>> x = autograd.ones(2, requires_grad=True)
    >>> with autograd.no_grad():
    ...     (x * 2).requires_grad
    False
    """
    return ambient(grad=False) if function is None else ambient(grad=False)(function)


def enable_grad(function: Any = None) -> Any:
    """Record graphs in a with-block, or in the function that this decorates, even inside `no_grad` (torch.enable_grad)."""
    return ambient(grad=True) if function is None else ambient(grad=True)(function)


def inference_mode(mode: Any = True) -> Any:
    """As `no_grad` when `mode` is true; a name that PyTorch programs use (torch.inference_mode)."""
    return no_grad(mode) if callable(mode) else ambient(grad=not mode)


class set_grad_enabled(ambient):
    """Record graphs from here on, or not; in a with-block or decorator, until its end (torch.set_grad_enabled)."""

    def __init__(self, mode: bool) -> None:
        super().__init__(grad=mode)
        super().__enter__()

    def __enter__(self) -> None:
        pass  # it holds since it was made

    def __call__(self, function: Any) -> Any:
        self.__exit__()
        return ambient(**self.changes)(function)


def is_grad_enabled() -> bool:
    """Are graphs being recorded here?"""
    return mode().grad
