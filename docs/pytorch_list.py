"""Writes autograd/api/pytorch_names.txt, PyTorch's public names by their place.

    python docs/pytorch_list.py

where PyTorch is installed; a test compares it then. The names that are not here, with what to do without, are told by
autograd/api/absent.py.
"""

import importlib
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

FILE = Path(__file__).resolve().parents[1] / "autograd" / "api" / "pytorch_names.txt"
PLACES = """
    torch torch.Tensor torch.accelerator torch.amp torch.autograd torch.autograd.functional torch.backends torch.backends.cuda
    torch.backends.cudnn torch.compiler torch.cpu torch.cuda torch.distributed torch.distributions torch.fft torch.func torch.jit
    torch.linalg torch.mps torch.multiprocessing torch.nn torch.nn.functional torch.nn.init torch.nn.utils
    torch.nn.utils.parametrizations torch.nn.utils.parametrize torch.nn.utils.prune torch.nn.utils.rnn torch.onnx torch.optim
    torch.optim.lr_scheduler torch.optim.swa_utils torch.profiler torch.random torch.sparse torch.special torch.testing
    torch.utils torch.utils.checkpoint
    torch.utils.data torch.version torch.xpu
""".split()
VERSION = torch.__version__.partition("+")[0]
# Names for machines, compilers and PyTorch's own parts, which no program says; and more of these in torch itself
INNER = re.compile(
    r"cudnn_|miopen_|mkldnn|fbgemm|quantized_|q_|qscheme|fake_quantize|fused_|native_|sym_|batch_norm_|autocast_|per_(tensor|channel)_|"
    r"import_ir|parse_|merge_type|unify_type|choose_qparams|prepare_multi|profiler_|init_num|wait$|fork$|classproperty|has_torch_func|"
    r"handle_torch|boolean_dispatch|assert_int|Broadcasting|(u?int|bits)\d+(x\d)?$|.*_copy$|.*_notes$|common_args|multi_dim_common|"
    r"(I|i)pu|maia|mtia|vulkan|is_(ipu|maia|mtia|vulkan|xla|mkldnn)|reinforce|grad_dtype|module_load|hash_tensor|TYPE_CHECKING|"
    r"sparse_(bs|cs|compressed)|thread_safe|slice_inverse|.*_deprecated"
)
OF_TORCH = re.compile(
    r"[A-Z_]+$|.*(Type|Storage|Guard|Logger|Dict|Error|Stack|Capsule|Unit|Memo|Report|Check|Schema|Module|Info|Tag|State|Use|Value)$|"
    r"(Scripts?|C?(Complete)?Argument|Concrete|Graph|DispatchKey|Execution|PyTorchFile|Static|Throughput|Alias|Benchmark|Block|Code|"
    r"DeepCopy|Deserial|Serial|Call|IODesc|Lite|Node|Operator|Sym|Future|Gradient|JIT)(?!Tensor)|(get|set)_autocast|get_file_path|"
    r"compiled_with|norm_except|has_(lapack|mkl|openmp|spectral)|empty_quantized|legacy_|float\d+_|(set|is)_warn_always|"
    r"(get|set)_deterministic_debug|bit$"
)


def names(place: str) -> list[str]:
    """The names that programs find there; of torch itself also those that it does not list."""
    home = torch.Tensor if place == "torch.Tensor" else importlib.import_module(place)
    inside = [n for n in dir(home) if isinstance(vars(home).get(n), ModuleType)]
    listed = dir(home) if home is torch else [*getattr(home, "__all__", dir(home)), *inside]
    return sorted(name for name in set(listed) if public(name, getattr(home, name, None), home))


def public(name: str, thing: Any, home: Any) -> bool:
    """Is it a name of PyTorch's own that a program may use?"""
    if name.startswith("_") or INNER.match(name) or (home is torch and OF_TORCH.match(name)):
        return False
    if isinstance(thing, ModuleType):
        return thing.__name__ == f"{home.__name__}.{name}"
    made = str(getattr(thing, "__module__", ""))
    foreign = made.startswith(("typing", "collections", "functools", "enum", "warnings", "dataclasses"))
    return not foreign and not (isinstance(thing, type) and made.startswith("torch._C"))


def text() -> str:
    """The whole file: of which PyTorch it is, and a line for each place."""
    return f"version: {VERSION}\n" + "".join(f"{place}: {' '.join(names(place))}\n" for place in PLACES)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
