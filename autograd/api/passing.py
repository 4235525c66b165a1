"""What PyTorch programs say in passing: about threads, precision, devices and compilers, of which a CPU needs none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ContextDecorator, nullcontext
from typing import Any, Final

from ..engine.dtypes import as_dtype, category, set_default_dtype
from ..engine.tensor import Tensor
from ..errors import ArgumentError, UnsupportedError
from .absent import Place
from .creation import TYPED
from .devices import CPU, device_count, is_available, meant
from .random import get_rng_state, initial_seed, manual_seed, seed, set_rng_state

channels_last, channels_last_3d, contiguous_format, preserve_format = (
    f"torch.{name}" for name in ("channels_last", "channels_last_3d", "contiguous_format", "preserve_format")
)  # memory formats, which `to`, `contiguous` and the functions that make tensors take and ignore
strided = "torch.strided"  # the layout of all tensors
layout = memory_format = str  # the types of these, as PyTorch names them


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
    """Accept the CPU, where tensors are made unless a device is said (torch.set_default_device)."""
    if meant("set_default_device", device, CPU) != CPU:
        raise UnsupportedError(f"set_default_device: tensors are made on the CPU; say device={str(device)!r}, or use to()")


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


def set_flush_denormal(mode: bool) -> bool:
    """Nothing is changed: numbers below the least normal one are kept (torch.set_flush_denormal)."""
    return False


def get_default_device() -> Any:
    """The CPU (torch.get_default_device)."""
    return CPU


def get_num_interop_threads() -> int:
    """One (torch.get_num_interop_threads)."""
    return 1


def is_autocast_enabled(device_type: str = "cpu") -> bool:
    """No: nothing is cast unasked (torch.is_autocast_enabled)."""
    return False


def is_storage(obj: Any) -> bool:
    """No: there are no storages (torch.is_storage)."""
    return False


def typename(obj: Any) -> str:
    """What PyTorch calls the type of a tensor, as 'torch.FloatTensor', or where another type is found (torch.typename)."""
    return obj.type() if isinstance(obj, Tensor) else f"{type(obj).__module__}.{type(obj).__qualname__}"


def can_cast(from_: Any, to: Any) -> bool:
    """May numbers of one dtype become those of another without leaving their category (torch.can_cast)?"""
    return bool(category(as_dtype(from_)) <= category(as_dtype(to)))


def are_deterministic_algorithms_enabled() -> bool:
    """They always are (torch.are_deterministic_algorithms_enabled)."""
    return True


def get_float32_matmul_precision() -> str:
    """That of float32 (torch.get_float32_matmul_precision)."""
    return "highest"


# ---------------------------------------------------------------- compilers
def as_it_is(model: Any = None, *inputs: Any, **options: Any) -> Any:
    """`model` itself, of which no other form is made. Without it, a decorator."""
    return model if model is not None else lambda model: model


def _not_saved(*args: Any, **kwargs: Any) -> Any:
    raise UnsupportedError("jit: no code is written to a file or read from one; save and load a state_dict")


def _annotate(the_type: Any, value: Any) -> Any:
    return value


jit = Place(
    "torch.jit", **dict.fromkeys("script trace ignore export unused".split(), as_it_is), optimized_execution=nullcontext,
    is_scripting=lambda: False, is_tracing=lambda: False, annotate=_annotate, Final=Final, save=_not_saved, load=_not_saved,
)  # fmt: skip
compiler = Place(
    "torch.compiler", compile=as_it_is, disable=as_it_is, allow_in_graph=as_it_is, is_compiling=lambda: False,
    is_exporting=lambda: False, is_dynamo_compiling=lambda: False, reset=lambda: None, cudagraph_mark_step_begin=lambda: None,
)  # fmt: skip


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


amp = Place("torch.amp", autocast=autocast, GradScaler=GradScaler, is_autocast_available=lambda device_type: False)


# ---------------------------------------------------------------- devices that are not there
def _no_gpu(*args: Any, **kwargs: Any) -> Any:
    raise UnsupportedError("cuda: there is no GPU here, the only device is 'cpu'; ask torch.cuda.is_available() first")


def _nothing(*args: Any, **kwargs: Any) -> None:
    pass


def _amp(where: str) -> Place:
    return Place(
        f"torch.{where}.amp", autocast=lambda enabled=True, **options: autocast(where), GradScaler=GradScaler,
        custom_fwd=as_it_is, custom_bwd=as_it_is,
    )  # fmt: skip


_GPU = {  # what a program asks of a kind of device that is not there, or says to it
    **dict.fromkeys("is_available is_initialized is_bf16_supported is_built".split(), lambda *args: False),
    **dict.fromkeys("device_count memory_allocated max_memory_allocated memory_reserved".split(), lambda *args: 0),
    **dict.fromkeys("empty_cache synchronize ipc_collect init reset_peak_memory_stats".split(), _nothing),
    **dict.fromkeys("get_rng_state_all get_arch_list".split(), list), "set_rng_state_all": _nothing,
    **dict.fromkeys("manual_seed manual_seed_all".split(), manual_seed), **dict.fromkeys("seed seed_all".split(), seed),
    "initial_seed": initial_seed, "get_rng_state": lambda *args: get_rng_state(),
    "set_rng_state": lambda state, *args: set_rng_state(state),
    **dict.fromkeys("""
        set_device current_device get_device_name get_device_properties get_device_capability mem_get_info Stream Event
        current_stream default_stream stream FloatTensor DoubleTensor HalfTensor LongTensor IntTensor BoolTensor ByteTensor
    """.split(), _no_gpu),
}  # fmt: skip
cuda = Place(
    "torch.cuda", **_GPU | dict(is_available=lambda: is_available("cuda"), device_count=lambda: device_count("cuda")),
    amp=_amp("cuda"), device=lambda *args: nullcontext(),
)  # fmt: skip
mps, xpu = Place("torch.mps", **_GPU), Place("torch.xpu", **_GPU)
accelerator = Place("torch.accelerator", **_GPU, current_accelerator=lambda *args: None)
cpu = Place(
    "torch.cpu", is_available=lambda: True, device_count=lambda: 1, current_device=lambda: "cpu", synchronize=_nothing,
    is_initialized=lambda: True, amp=_amp("cpu"),
)  # fmt: skip


def _library(name: str, **more: Any) -> Place:
    return Place(f"torch.backends.{name}", is_available=lambda: False, is_built=lambda: False, version=lambda: None, **more)


_SDP = "enable_flash_sdp enable_math_sdp enable_mem_efficient_sdp enable_cudnn_sdp".split()
backends = Place(
    "torch.backends", **{name: _library(name, enabled=False) for name in "mps mkldnn openmp mkl opt_einsum".split()},
    cudnn=_library(
        "cudnn", enabled=False, deterministic=True, benchmark=False, allow_tf32=False, flags=lambda **on: nullcontext()
    ),
    cuda=_library(
        "cuda", matmul=Place("torch.backends.cuda.matmul", allow_tf32=False, allow_fp16_reduced_precision_reduction=False),
        **dict.fromkeys(_SDP, _nothing), sdp_kernel=lambda **on: nullcontext(),
    ),
)  # fmt: skip
version = Place("torch.version", cuda=None, hip=None, git_version=None, debug=False)


# ---------------------------------------------------------------- profilers, sparse products
def record_function(name: str, args: str | None = None) -> Any:
    """A block of that name, of which no profiler hears (torch.profiler.record_function)."""
    return nullcontext()


def profile(*args: Any, **kwargs: Any) -> Any:
    """Refused: Python's own profiler sees all (torch.profiler.profile)."""
    raise UnsupportedError("profile: nothing is profiled here; run `python -m cProfile -s cumtime` on the program")


profiler = Place("torch.profiler", record_function=record_function, profile=profile)


# ---------------------------------------------------------------- dtypes that NumPy has not
class NoDtype:
    """A dtype of PyTorch's that no tensor here can have: a name to compare with, refused where it is to be used."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


NO_DTYPES = {
    name: NoDtype(name)
    for name in "bfloat16 complex32 complex64 complex128 cfloat cdouble chalf uint16 uint32 uint64 quint8 qint8 qint32".split()
}


# ---------------------------------------------------------------- names of former times
def Variable(data: Tensor, requires_grad: bool = False, volatile: bool = False) -> Tensor:
    """`data` itself: since PyTorch 0.4 a Tensor is its own Variable, and nothing is volatile (torch.autograd.Variable)."""
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
def same(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """This Tensor: all tensors are dense and real, no memory is pinned (torch.Tensor.pin_memory, to_dense, conj)."""
    return self


def _address(self: Tensor) -> int:
    """Where in memory its first element lies (torch.Tensor.data_ptr)."""
    return int(self.array.ctypes.data)


def _no(self: Tensor) -> bool:
    """No: there are no complex numbers here, no quantized ones, no memory but the CPU's."""
    return False


METHODS = {
    "data_ptr": _address, "get_device": lambda self: -1 if self.device.index is None else self.device.index,
    **dict.fromkeys("pin_memory share_memory_ to_dense coalesce conj conj_physical resolve_conj resolve_neg".split(), same),
    **dict.fromkeys("is_pinned is_shared is_complex is_conj is_neg is_inference is_distributed".split(), _no),
    "is_signed": lambda self: self.dtype.kind in "fi", "is_nonzero": lambda self: bool(self),
    "is_same_size": lambda self, other: self.shape == other.shape,
}  # fmt: skip
