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
    """Record graphs in a with-block, or a decorated function, even inside `no_grad` (torch.enable_grad)."""
    return ambient(grad=True) if function is None else ambient(grad=True)(function)


def inference_mode(mode: Any = True) -> Any:
    """As `no_grad` when `mode` is true; a name that PyTorch programs use (torch.inference_mode)."""
    return no_grad(mode) if callable(mode) else ambient(grad=not mode)


class lasting(ambient):
    """A mode that holds from where it is made on; in a with-statement or a decorator, there only."""

    def __init__(self, **changes: Any) -> None:
        super().__init__(**changes)
        self.made = ambient(**changes)
        self.made.__enter__()

    def __enter__(self) -> None:
        self.made.__exit__()
        super().__enter__()

    def __call__(self, function: Any) -> Any:
        self.made.__exit__()
        return super().__call__(function)


class set_grad_enabled(lasting):
    """Record graphs from here on, or not; in a with-block, until its end (torch.set_grad_enabled)."""

    def __init__(self, mode: bool) -> None:
        super().__init__(grad=mode)


def is_grad_enabled() -> bool:
    """Are graphs being recorded here?"""
    return mode().grad
