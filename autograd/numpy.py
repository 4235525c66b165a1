"""NumPy, where programs for HIPS autograd look for it: NumPy's own functions, which take Tensors; and `array`, of Tensors too."""

import sys as _sys
from typing import Any as _Any

import numpy as _numpy

from .api.join import stack as _stack
from .api.tree import tree_leaves as _leaves
from .engine.tensor import Tensor as _Tensor
from .engine.tensor import wrap as _wrap

for _name in ("random", "linalg", "fft"):  # for `import autograd.numpy.random as npr`
    _sys.modules[f"{__name__}.{_name}"] = getattr(_numpy, _name)


def array(object: _Any, *args: _Any, **kwargs: _Any) -> _Any:
    """As numpy.array; but lists with Tensors in them are stacked, and their gradients kept.

    >>> import autograd.numpy as np
    >>> from autograd.func import grad
    >>> grad(lambda x: np.prod(np.array([x[0], 2.0, x[1]])))(np.array([3.0, 5.0]))
    array([10.,  6.])
    """
    if not any(isinstance(leaf, _Tensor) for leaf in _leaves(object)):
        return _numpy.array(object, *args, **kwargs)
    made = _made(object)
    return _numpy.astype(made, *args, **kwargs) if args or kwargs else made


def _made(value: _Any) -> _Any:
    if isinstance(value, (list, tuple)):
        return _stack([_made(v) for v in value])
    return value if isinstance(value, _Tensor) else _wrap(_numpy.asarray(value))


def __getattr__(name: str) -> _Any:
    return getattr(_numpy, name)


def __dir__() -> list[str]:
    return dir(_numpy)
