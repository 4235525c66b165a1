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
from math import e, inf, nan, pi
from typing import Any as _Any

from numpy import dtype, finfo, iinfo, newaxis

# PyPI has another package that is imported as `autograd`. Installed together, the two overwrite each other's files, and pip
# says nothing: so look for a file of the other one before anything of it can be imported.
for _name in ("tracer.py", "core.py", "numpy"):
    if (_foreign := _pathlib.Path(__file__).with_name(_name)).exists():
        raise ImportError(
            f"{_foreign} belongs to another package called autograd, which cannot share an environment with chainrule; "
            "pip uninstall both, autograd and chainrule, then install chainrule again"
        )

from . import errors, func, function, functional, linalg, ops, random, special
from .api import creation, names
from .api.creation import (
    Size,
    arange,
    as_tensor,
    asarray,
    empty,
    empty_like,
    eye,
    from_numpy,
    frombuffer,
    full,
    full_like,
    linspace,
    logspace,
    ones,
    ones_like,
    scalar_tensor,
    tensor,
    zeros,
    zeros_like,
)
from .api.devices import device
from .api.fourier import bartlett_window, blackman_window, hamming_window, hann_window
from .api.numpy import from_dlpack
from .api.passing import (
    GradScaler,
    Variable,
    amp,
    are_deterministic_algorithms_enabled,
    autocast,
    backends,
    backward,
    channels_last,
    channels_last_3d,
    contiguous_format,
    cuda,
    get_float32_matmul_precision,
    get_num_threads,
    jit,
    mps,
    preserve_format,
    set_default_device,
    set_default_tensor_type,
    set_float32_matmul_precision,
    set_num_interop_threads,
    set_num_threads,
    set_printoptions,
    use_deterministic_algorithms,
)
from .api.random import Generator, bernoulli, default_generator, manual_seed, multinomial, normal
from .api.random import get_rng_state, initial_seed, seed, set_rng_state
from .api.random import rand, rand_like, randint, randint_like, randn, randn_like, randperm
from .check.anomaly import detect_anomaly, set_detect_anomaly
from .check.gradcheck import gradcheck, gradgradcheck
from .compile import compile
from .engine import dtypes
from .engine.dtypes import (
    bool,
    double,
    float,
    float16,
    float32,
    float64,
    half,
    int,
    int8,
    int16,
    int32,
    int64,
    long,
    short,
    uint8,
)
from .engine.dtypes import promote_types, result_type, set_default_dtype
from .engine.grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .engine.graph import touch
from .engine.process import tune_memory
from .engine.primitive import primitive
from .engine.tensor import Tensor, grad
from .files import load, save
from .see import explain, watch
from .see.draw import draw
from .transforms.checkpoint import checkpoint
from .transforms.custom import Function, differentiable
from .transforms.func import vmap

globals().update(names.FUNCTIONS | names.ONLY_FUNCTIONS)  # the ops come from the table, under PyTorch's names
globals().update(creation.TYPED)  # FloatTensor and its like
autograd = _sys.modules[__name__]  # so that after `import autograd as torch` there is torch.autograd.grad
__version__ = "0.1.0"


def __getattr__(name: str) -> _Any:
    """What PyTorch has inside of torch and we elsewhere, as `torch.nn` and `torch.conv2d`, found when asked for; or why not."""
    if name[:2] == "__":  # Python's own questions
        raise AttributeError(f"module 'autograd' has no attribute {name!r}")
    from .api.torch_paths import torch

    return torch(name)


def get_default_dtype() -> _Any:
    """The dtype of floats for which none was said: float32, or what `set_default_dtype` made it (torch.get_default_dtype).

    >>> import autograd
    >>> autograd.get_default_dtype()
    dtype('float32')
    """
    return dtypes.get_default_dtype()


def is_tensor(obj: _Any) -> _Any:
    """Is it a Tensor (torch.is_tensor)?"""
    return isinstance(obj, Tensor)


def numel(input: Tensor) -> _Any:
    """The number of elements (torch.numel)."""
    return input.numel()


def is_floating_point(input: Tensor) -> _Any:
    """Are they floats (torch.is_floating_point)?"""
    return input.is_floating_point()
