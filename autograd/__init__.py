"""chainrule's engine: tensors that remember how they were computed, and gradients by the chain rule.

>>> import autograd
>>> x = autograd.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> (x**2).sum().backward()
>>> x.grad
tensor([2., 4., 6.])
"""

from __future__ import annotations

import pathlib as _pathlib
import sys as _sys
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

# PyPI has another package that is imported as `autograd` (HIPS/autograd); if both are installed, one has overwritten the other.
_foreign = [p for name in ("tracer.py", "numpy", "core.py") if (p := _pathlib.Path(__file__).with_name(name)).exists()]
if _foreign:
    raise ImportError(
        f"{_foreign[0]} belongs to another package called autograd, which cannot share an environment with chainrule; "
        "pip uninstall autograd chainrule, then install chainrule again"
    )

from . import creation, dtypes, errors, graph, methods, ops, random  # noqa: E402  # noqa: E402
from .dtypes import (  # noqa: E402
    bool,
    double,
    float,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    int,
    int8,
    int16,
    int32,
    int64,
    long,
    promote_types,
    result_type,
    set_default_dtype,
    short,
    uint8,
)
from .grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled  # noqa: E402
from .graph import touch  # noqa: E402
from .primitive import primitive  # noqa: E402
from .random import Generator, default_generator, manual_seed  # noqa: E402
from .tensor import Tensor, grad  # noqa: E402

_CREATION = [
    "tensor",
    "as_tensor",
    "from_numpy",
    "FloatTensor",
    "DoubleTensor",
    "LongTensor",
    "BoolTensor",
    "zeros",
    "ones",
    "empty",
    "full",
    "eye",
    "arange",
    "linspace",
    "zeros_like",
    "ones_like",
    "empty_like",
    "full_like",
]
_RANDOM = [
    "rand",
    "randn",
    "randint",
    "randperm",
    "normal",
    "bernoulli",
    "multinomial",
    "rand_like",
    "randn_like",
    "randint_like",
]

# The ops come from the table in methods.py, under PyTorch's names.
globals().update(methods.FUNCTIONS | methods.ONLY_FUNCTIONS)
globals().update({name: getattr(creation, name) for name in _CREATION} | {name: getattr(random, name) for name in _RANDOM})
autograd = _sys.modules[__name__]  # so that `import autograd as torch` has torch.autograd.grad
__version__ = "0.1.0"

if _TYPE_CHECKING:

    def __getattr__(name: str) -> _Any: ...
