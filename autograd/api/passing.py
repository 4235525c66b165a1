"""What PyTorch programs say in passing: about threads, precision, devices and compilers, of which a CPU needs none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ContextDecorator
from types import SimpleNamespace
from typing import Any

from ..engine.dtypes import as_dtype, set_default_dtype
from ..engine.tensor import Tensor
from ..errors import ArgumentError, UnsupportedError
from .creation import TYPED
from .devices import check_device
from .random import initial_seed, manual_seed

channels_last, channels_last_3d, contiguous_format, preserve_format = (
    f"torch.{name}" for name in ("channels_last", "channels_last_3d", "contiguous_format", "preserve_format")
)  # memory formats, which `to` and `contiguous` take and ignore


# ---------------------------------------------------------------- threads and precision
def set_num_threads(n: int) -> None:
    """Let the BLAS that NumPy calls use `n` threads (torch.set_num_threads). Needs threadpoolctl; without it nothing changes."""
    if not hasattr(n, "__index__") or n < 1:
        raise ArgumentError(f"set_num_threads: n is a positive integer, got {n!r}")
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return
    threadpool_limits(int(n), "blas")


def get_num_threads() -> int:
    """How many threads NumPy's BLAS may use; 1 if that cannot be told (torch.get_num_threads). Needs threadpoolctl."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return 1
    return max([pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"], default=1)


def set_default_tensor_type(t: Any) -> None:
    """Make floats of the dtype of this type, as FloatTensor or its name, by default (torch.set_default_tensor_type)."""
    kind: Any = TYPED.get(t.removeprefix("torch.")) if isinstance(t, str) else t
    if not hasattr(kind, "dtype"):
        raise ArgumentError(f"set_default_tensor_type: give a type, as torch.DoubleTensor, got {t!r}")
    set_default_dtype(as_dtype(kind.dtype))


def set_default_device(device: Any) -> None:
    """Accept the CPU, where all tensors are (torch.set_default_device)."""
    check_device("set_default_device", device)


def _accepted(name: str) -> Callable[..., None]:
    def accepted(*args: Any, **kwargs: Any) -> None:
        pass

    accepted.__name__ = accepted.__qualname__ = name
    accepted.__doc__ = f"""Accepted, and changes nothing here (torch.{name})."""
    return accepted


set_printoptions = _accepted("set_printoptions")
use_deterministic_algorithms = _accepted("use_deterministic_algorithms")  # everything is
set_float32_matmul_precision = _accepted("set_float32_matmul_precision")
set_num_interop_threads = _accepted("set_num_interop_threads")


def are_deterministic_algorithms_enabled() -> bool:
    """They always are (torch.are_deterministic_algorithms_enabled)."""
    return True


def get_float32_matmul_precision() -> str:
    """That of float32 (torch.get_float32_matmul_precision)."""
    return "highest"


# ---------------------------------------------------------------- compilers
def compile(model: Any = None, *inputs: Any, **options: Any) -> Any:
    """`model` as it is: here nothing has to be compiled (torch.compile). Without it, a decorator."""
    return model if model is not None else lambda model: model


jit = SimpleNamespace(script=compile, trace=compile, ignore=compile, export=compile, unused=compile)


# ---------------------------------------------------------------- mixed precision
class autocast(ContextDecorator):
    """A block in which PyTorch may compute in half precision; here it computes in the dtypes that there are (torch.autocast)."""

    def __init__(self, device_type: str = "cpu", dtype: Any = None, enabled: bool = True, cache_enabled: bool = True) -> None:
        self.device_type, self.enabled = device_type, False

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


class GradScaler:
    """What scales losses so that half precision holds their gradients; here by 1, as if it was off (torch.amp.GradScaler)."""

    def __init__(self, device: str = "cpu", **options: Any) -> None:
        self.device = device

    def scale(self, outputs: Any) -> Any:
        """The outputs as they are."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Gradients are as they are."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """The optimizer's step."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: float | None = None) -> None:
        """The scale stays 1."""

    def get_scale(self) -> float:
        """1."""
        return 1.0

    def is_enabled(self) -> bool:
        """No."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Accepts what another scaler had to say."""


amp = SimpleNamespace(autocast=autocast, GradScaler=GradScaler)


# ---------------------------------------------------------------- devices that are not there
def _no_gpu(*args: Any, **kwargs: Any) -> Any:
    raise UnsupportedError("cuda: there is no GPU here, the only device is 'cpu'; ask torch.cuda.is_available() first")


def _nothing(*args: Any, **kwargs: Any) -> None:
    pass


cuda = SimpleNamespace(
    is_available=lambda: False, device_count=lambda: 0, is_initialized=lambda: False, is_bf16_supported=lambda: False,
    manual_seed=manual_seed, manual_seed_all=manual_seed, empty_cache=_nothing, synchronize=_nothing,
    reset_peak_memory_stats=_nothing, memory_allocated=lambda *args: 0, max_memory_allocated=lambda *args: 0,
    set_device=_no_gpu, current_device=_no_gpu, get_device_name=_no_gpu, get_device_properties=_no_gpu, Stream=_no_gpu,
    Event=_no_gpu, amp=SimpleNamespace(autocast=lambda enabled=True, **options: autocast("cuda"), GradScaler=GradScaler),
)  # fmt: skip
_off = SimpleNamespace(is_available=lambda: False, is_built=lambda: False)
backends = SimpleNamespace(
    mps=_off, mkldnn=_off, openmp=_off, mkl=_off,
    cudnn=SimpleNamespace(is_available=lambda: False, enabled=False, deterministic=True, benchmark=False, allow_tf32=False),
    cuda=SimpleNamespace(is_built=lambda: False, matmul=SimpleNamespace(allow_tf32=False)),
)  # fmt: skip
mps = SimpleNamespace(is_available=lambda: False, manual_seed=manual_seed, empty_cache=_nothing)


# ---------------------------------------------------------------- names of former times
def Variable(data: Tensor, requires_grad: bool = False) -> Tensor:
    """`data` itself: since PyTorch 0.4 a Tensor is its own Variable (torch.autograd.Variable)."""
    return data.requires_grad_(requires_grad) if requires_grad else data


def backward(
    tensors: Any, grad_tensors: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
) -> None:
    """Add to `.grad` of the leaves the gradient of all `tensors`, each weighted by its `grad_tensors` (torch.autograd.backward).

    >>> import autograd
    >>> x = autograd.tensor(3.0, requires_grad=True)
    >>> autograd.backward([x * x, 2 * x]); x.grad
    tensor(8.)
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    given = [grad_tensors] if isinstance(grad_tensors, Tensor) else list(grad_tensors or [None] * len(tensors))
    if len(given) != len(tensors):
        raise ArgumentError(f"backward: there are {len(given)} grad_tensors for {len(tensors)} tensors")
    for i, (t, g) in enumerate(zip(tensors, given, strict=True)):
        keep = True if i + 1 < len(tensors) else retain_graph  # they may share what is behind them
        t.backward(g, keep, create_graph, inputs)


# ---------------------------------------------------------------- methods of Tensors
def to_gpu(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Refused: there is no GPU here (torch.Tensor.cuda)."""
    raise UnsupportedError("cuda: the only device here is 'cpu'; leave .cuda() out, or use to(device)")


def same(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """This Tensor: all memory is the CPU's (torch.Tensor.pin_memory, share_memory_)."""
    return self


def _address(self: Tensor) -> int:
    """Where in memory its first element lies (torch.Tensor.data_ptr)."""
    return int(self.array.ctypes.data)


def _no(self: Tensor) -> bool:
    """No: there are no complex numbers here, no quantized ones, no memory but the CPU's."""
    return False


METHODS = {
    "cuda": to_gpu, "data_ptr": _address, "get_device": lambda self: -1,
    **dict.fromkeys("cpu pin_memory share_memory_ to_dense coalesce conj conj_physical resolve_conj resolve_neg".split(), same),
    **dict.fromkeys("is_pinned is_shared is_complex is_conj is_neg is_inference is_distributed".split(), _no),
    "is_signed": lambda self: self.dtype.kind in "fi", "is_nonzero": lambda self: bool(self),
    "is_same_size": lambda self, other: self.shape == other.shape,
}  # fmt: skip
