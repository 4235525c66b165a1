"""Where a PyTorch program finds things: PyTorch's modules, and which of ours have what they hold."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

# PyTorch's module, without `torch.`: ours; or, where ours has no module, the names that it holds and where they are. Those of
# nn are named here, not imported: autograd knows nothing of it before a program asks.
PATHS: dict[str, str | dict[str, str]] = {
    "nn": "nn", "nn.functional": "nn.functional", "nn.init": "nn.init", "nn.parameter": "nn.module", "nn.modules": "nn",
    "nn.utils": "nn.utils", "nn.utils.rnn": "nn.utils.rnn", "nn.utils.prune": "nn.utils.prune", "nn.utils.clip_grad": "nn.utils",
    "nn.utils.convert_parameters": "nn.utils", "nn.parallel": "nn.parallel",
    **{f"nn.modules.{theirs}": f"nn.{ours}" for theirs, ours in dict(
        module="module", activation="activation", batchnorm="norm", container="containers", conv="conv",
        distance="distance", dropout="dropout", flatten="shape", fold="shape", instancenorm="norm", linear="linear", loss="loss",
        normalization="norm", padding="padding", pixelshuffle="shape", pooling="pool", rnn="recurrent", sparse="sparse",
        transformer="attention", upsampling="upsample").items()},
    "optim": "nn.optim", "optim.lr_scheduler": "nn.optim.lr_scheduler", "optim.swa_utils": "nn.optim.swa_utils",
    "optim.optimizer": "nn.optim.optimizer", "optim.sgd": "nn.optim", "optim.adam": "nn.optim", "optim.adamw": "nn.optim",
    "utils": {}, "utils.checkpoint": {"checkpoint": "autograd"}, "utils.data": "nn.utils.data",
    "utils.data.dataset": "nn.utils.data.dataset", "utils.data.dataloader": "nn.utils.data",
    "utils.data.sampler": "nn.utils.data.sampler",
    "autograd": "autograd", "autograd.function": "autograd.function", "autograd.functional": "autograd.functional",
    "autograd.variable": {"Variable": "autograd"}, "autograd.grad_mode": "autograd.engine.grad_mode",
    "autograd.gradcheck": "autograd.check.gradcheck", "autograd.anomaly_mode": "autograd.check.anomaly",
    "fft": "autograd.fft",
    "func": "autograd.func", "linalg": "autograd.linalg", "special": "autograd.special", "random": "autograd.random",
    "onnx": "nn.onnx", "amp": {"autocast": "autograd", "GradScaler": "autograd"}, "cuda": {}, "cuda.amp": {}, "backends": {},
    "backends.cudnn": {}, "jit": {}, "types": {"Number": "numbers", "Tensor": "autograd"},
}  # fmt: skip


@cache
def find(path: str) -> Any:
    """What `torch.<path>` is here; None if there is nothing of the kind."""
    if path not in PATHS:
        return None
    entry = PATHS[path]
    if isinstance(entry, str):
        return import_module(entry)
    made = ModuleType(f"torch.{path}", "A place in PyTorch's tree, with what stands elsewhere here.")
    value: Any = import_module("autograd")
    for part in path.split("."):  # what autograd has under this name already, as `cuda` and what it knows
        value = getattr(value, part, None) if part in vars(value or made) else None
    vars(made).update(vars(value) if value is not None else {})
    vars(made).update({name: getattr(import_module(home), name) for name, home in entry.items()})
    vars(made).update({inner.rpartition(".")[2]: find(inner) for inner in PATHS if inner.rpartition(".")[0] == path})
    return made
