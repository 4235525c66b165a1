"""What is said where a program asks for a name of PyTorch's that is not here: that PyTorch has it, and what there is instead."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from ..errors import NoAttributeError

_COMPLEX = "there are no complex numbers; keep real and imaginary parts along a dim of 2"
_SPARSE = "all tensors are dense; multiply them by @, and add up what belongs together by index_add"
_INTEGERS = "there are no quantized or packed numbers; use int8 or uint8"
_FACTORS = "use linalg.solve, linalg.inv or linalg.cholesky"
_STORAGE = "a tensor's memory is its NumPy array, t.array"
_MACHINE = "the only device is 'cpu'"
_FUNCTIONAL = "call it in nn.functional"
# What to do without, by name
ADVICE: dict[str, str] = {
    name: advice
    for advice, names in {
        _COMPLEX: "complex polar view_as_complex view_as_real imag angle isreal cdouble cfloat chalf",
        "there is no bfloat16 in NumPy; use float32, which is faster here": "bfloat16 BFloat16Tensor",
        _SPARSE: """sparse_coo_tensor sparse_mask to_sparse to_sparse_csr to_sparse_coo smm hsmm hspmm saddmm sspaddmm indices
            values""",
        _INTEGERS: "dequantize int_repr quantize_per_tensor quantize_per_channel quantization ao",
        _FACTORS: "lu lu_solve lu_unpack lu_factor ldl_factor geqrf orgqr ormqr lobpcg triangular_solve",
        "use linalg.eigh, of symmetric matrices": "eig eigvals symeig",
        "use linalg.lstsq": "lstsq",
        "use linalg.solve": "solve",
        _STORAGE: "storage untyped_storage storage_type Storage FloatStorage UntypedStorage TypedStorage is_set_to",
        _MACHINE: "mtia hpu ipu record_stream Stream Event nvtx CUDAGraph nccl",
        _FUNCTIONAL: """embedding embedding_bag batch_norm instance_norm adaptive_max_pool1d ctc_loss cosine_embedding_loss kl_div
            hinge_embedding_loss margin_ranking_loss triplet_margin_loss poisson_nll_loss binary_cross_entropy_with_logits
            grid_sampler""",
        "use nn.LSTM, nn.GRU and nn.RNN": "lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell",
        "np.gradient works on tensors": "gradient",
        "use arange, which ends before its end": "range",
        "use autograd.draw to see a graph, and a tape to record one": "fx export jagged",
        "pip install what is there, and load a state_dict from its file": "hub model_zoo load_state_dict_from_url",
        "write results down with Python's logging, or give fit a callback": "tensorboard",
        "an op of your own is written in NumPy: see differentiable": "cpp_extension library",
        "use Python's cProfile": "profiler profile schedule tensorboard_trace_handler",
        "processes are started by `python -m autograd.distributed.launch -n 4 train.py`": "spawn TCPStore FileStore",
        "nothing is compiled to a file; save the state_dict": "ScriptModule ScriptFunction",
        "ask is_grad_enabled()": "is_inference_mode_enabled",
        "give func.jvp the function": "forward_ad",
        "nothing looks at what is saved; checkpoint saves less": "graph",
        "use NumPy's memmap and from_numpy": "from_file",
        "use func.vmap, of a function of one": "nested",
        "nothing is traced: there is nothing to set": "_dynamo _inductor _C classes",
    }.items()
    for name in names.split()
}


@cache
def pytorchs() -> dict[str, frozenset[str]]:
    """PyTorch's public names by their place, as `torch` or `torch.Tensor`: what docs/pytorch_list.py wrote down."""
    lines = Path(__file__).with_name("pytorch_names.txt").read_text(encoding="utf-8").splitlines()
    return {place: frozenset(names.split()) for place, _, names in (line.partition(": ") for line in lines)}


def sentence(place: str, name: str, here: Any = ()) -> str:
    """What to say of `name`, of which `place` in PyTorch may know, and `here` nobody: the names that there are.

    >>> sentence("torch", "range")
    'torch.range: PyTorch has it, chainrule does not; use arange, which ends before its end'
    """
    from difflib import get_close_matches  # which takes longer to import than all of this

    near = get_close_matches(name, [n for n in here if n[0] != "_"], 1, 0.75)
    if name in pytorchs().get(place, ()) or name in ADVICE:
        hint = ADVICE.get(name) or "".join(f"close to it is {n!r}" for n in near)
        return f"{place}.{name}: PyTorch has it, chainrule does not" + f"; {hint}" * bool(hint)
    return f"{place} has no attribute {name!r}" + "".join(f"; did you mean {n!r}?" for n in near)


def refuse(place: str, name: str, here: Any = ()) -> NoReturn:
    """Raise NoAttributeError, an AttributeError, with the sentence about `name`."""
    raise NoAttributeError(sentence(place, name, here))


def asked(place: str, here: dict[str, Any]) -> Callable[[str], Any]:
    """The `__getattr__` of a module that is `place` in PyTorch, and has the names in `here`."""

    def missing(name: str) -> NoReturn:
        if name[:2] == "__":  # Python's own questions
            raise AttributeError(f"{place} has no attribute {name!r}")
        refuse(place, name, here)

    return missing


class Place:
    """A module of PyTorch's of which there is little here: what it has, and the sentence for what it has not."""

    def __init__(self, path: str, **names: Any) -> None:
        self.__path = path
        vars(self).update(names)

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__":
            raise AttributeError(name)
        refuse(self.__path, name, vars(self))

    def __repr__(self) -> str:
        return f"<what is here of {self.__path}>"


class Absent:
    """An attribute that PyTorch's Tensor has and ours has not: asked for, it says so."""

    def __init__(self, name: str, here: Callable[[], Any]) -> None:
        self.name, self.here = name, here

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        refuse("torch.Tensor", self.name, self.here())
