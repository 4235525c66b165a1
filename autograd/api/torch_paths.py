"""Where a PyTorch program finds things: PyTorch's modules, and which of ours have what they hold."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from .absent import ADVICE, Absent, asked, pytorchs, refuse
from .passing import NO_DTYPES

# PyTorch's module, without `torch.`: ours; or, where ours has no module, the names that it holds and where they are. Those of
# nn are named here, not imported: autograd knows nothing of it before a program asks.
PATHS: dict[str, str | dict[str, str]] = {
    "nn": "nn", "nn.functional": "nn.functional", "nn.init": "nn.init", "nn.parameter": "nn.parameter", "nn.modules": "nn",
    "nn.utils": "nn.utils", "nn.utils.rnn": "nn.utils.rnn", "nn.utils.prune": "nn.utils.prune",
    "nn.utils.parametrize": "nn.utils.parametrize", "nn.utils.parametrizations": "nn.utils.parametrizations",
    "nn.utils.clip_grad": "nn.utils",
    "nn.utils.convert_parameters": "nn.utils", "nn.parallel": "nn.parallel", "nn.parallel.distributed": "nn.parallel",
    **{f"nn.modules.{theirs}": f"nn.{ours}" for theirs, ours in dict(
        module="module", lazy="lazy", activation="activation", adaptive="adaptive",
        batchnorm="norm", container="containers", conv="conv",
        distance="distance", dropout="dropout", flatten="shape", fold="shape", instancenorm="norm", linear="linear", loss="loss",
        normalization="norm", padding="padding", pixelshuffle="shape", pooling="pool", rnn="recurrent", sparse="sparse",
        transformer="attention", upsampling="upsample").items()},
    "optim": "nn.optim", "optim.lr_scheduler": "nn.optim.lr_scheduler", "optim.swa_utils": "nn.optim.swa_utils",
    "optim.optimizer": "nn.optim.optimizer", "optim.sgd": "nn.optim", "optim.adam": "nn.optim", "optim.adamw": "nn.optim",
    "distributions": "autograd.distributions", "distributions.distribution": "autograd.distributions.base",
    **{f"distributions.{name}": f"autograd.distributions.{name}" for name in ("constraints", "kl", "transforms")},
    **{f"distributions.{theirs}": "autograd.distributions" for theirs in (
        "bernoulli beta binomial categorical cauchy chi2 dirichlet exponential gamma geometric gumbel half_normal independent "
        "laplace log_normal mixture_same_family multinomial multivariate_normal normal one_hot_categorical poisson studentT "
        "transformed_distribution uniform").split()},
    "utils": {}, "utils.checkpoint": {"checkpoint": "autograd"}, "utils.data": "nn.utils.data",
    "utils.data.dataset": "nn.utils.data.dataset", "utils.data.dataloader": "nn.utils.data",
    "utils.data.sampler": "nn.utils.data.sampler", "utils.data.distributed": "nn.utils.data.sampler",
    "distributed": "autograd.distributed", "distributed.nn": {}, "distributed.nn.functional": "autograd.distributed.functional",
    "autograd": "autograd", "autograd.function": "autograd.function", "autograd.functional": "autograd.functional",
    "autograd.variable": {"Variable": "autograd"}, "autograd.grad_mode": "autograd.engine.grad_mode",
    "autograd.profiler": dict.fromkeys(("record_function", "profile"), "autograd.api.passing"),
    "autograd.gradcheck": "autograd.check.gradcheck", "autograd.anomaly_mode": "autograd.check.anomaly",
    "fft": "autograd.fft",
    "func": "autograd.func", "linalg": "autograd.linalg", "special": "autograd.special", "random": "autograd.random",
    "testing": "autograd.testing", "onnx": "nn.onnx", "multiprocessing": dict.fromkeys(
        "Pool Process Queue Event Lock Manager cpu_count get_context set_start_method".split(), "multiprocessing"),
    "amp": {"autocast": "autograd", "GradScaler": "autograd"}, "sparse": {"mm": "autograd"},
    **{said: {} for said in """
        cuda cuda.amp backends backends.cudnn backends.cuda backends.mps cpu cpu.amp mps xpu accelerator compiler jit
        profiler
    """.split()},  # of which passing.py says what there is
    "version": {"__version__": "autograd"}, "types": {"Number": "numbers", "Tensor": "autograd"},
}  # fmt: skip


@cache
def find(path: str) -> Any:
    """What `torch.<path>` is here; None if there is nothing of the kind."""
    if path not in PATHS:
        return None
    entry = PATHS[path]
    if isinstance(entry, str):
        return import_module(entry)
    made, names = ModuleType(f"torch.{path}", "A place in PyTorch's tree, with what stands elsewhere here."), _said()
    for part in path.split("."):  # what is known under this name already, as `cuda` and what it knows
        names = vars(names[part]) if part in names else {}
    vars(made).update({name: thing for name, thing in names.items() if name[0] != "_"})
    vars(made).update({name: getattr(import_module(home), name) for name, home in entry.items()})
    vars(made).update({inner.rpartition(".")[2]: find(inner) for inner in PATHS if inner.rpartition(".")[0] == path})
    vars(made)["__getattr__"] = asked(f"torch.{path}", vars(made))
    return made


def _said() -> dict[str, Any]:
    return vars(import_module("autograd.api.passing")) | vars(import_module("autograd"))


# What PyTorch has in `torch` as well as in `torch.nn.functional`, and takes the same arguments in both.
FUNCTIONAL = set("""
    alpha_dropout avg_pool1d adaptive_avg_pool1d bilinear celu channel_shuffle conv1d conv2d conv3d conv_tbc conv_transpose1d
    conv_transpose2d conv_transpose3d cosine_similarity dropout feature_alpha_dropout group_norm hardshrink layer_norm max_pool1d
    max_pool2d max_pool3d pairwise_distance pdist pixel_shuffle pixel_unshuffle prelu rms_norm rrelu selu threshold
""".split())  # fmt: skip


def torch(name: str) -> Any:
    """What `torch.<name>` is here, if autograd itself does not know it: a module, a function of F, a method as a function.

    Raises NoAttributeError, which says whether PyTorch has it, and what to do without.
    """
    if (found := find(name)) is not None:
        return found
    home: Any = import_module("autograd")
    if name in FUNCTIONAL and (found := vars(find("nn.functional")).get(name)) is not None:
        return found
    if name in pytorchs()["torch"] and (method := vars(home.Tensor).get(name)) is not None and not isinstance(method, Absent):
        return getattr(method, "fget", method)
    if (found := NO_DTYPES.get(name)) is not None:
        return found
    if name in pytorchs()["torch"] and (found := _said().get(name)) is not None:
        return found
    refuse("torch" if name in pytorchs()["torch"] or name in ADVICE else "module 'autograd'", name, vars(home))
