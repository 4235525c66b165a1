"""What ops and layers cost on large arrays, forward + backward: ms, and the ratios to PyTorch's in the same run.

    python benchmarks/ops.py [names ...] [--threads 1] [--rounds 7] [--tune-memory]

One process for chainrule, one for chainrule with `compile.kernels()`, where there is a C compiler, and one for PyTorch, if it is
installed: threads of two BLAS libraries in one process disturb each other. They take turns, op by op, so that whatever else the
machine is doing meets all; the medians of all rounds are printed, the worst ratio last. Time is processor time of one process
(with several threads: time on the clock). All is float32. The gradients of all have to agree, or the op is not listed but named.
Names select the ops that contain one of them.
--tune-memory lets glibc keep memory for all libraries; chainrule asks for that itself, PyTorch does not.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

# An op is a function of t (`autograd` or `torch`), F (nn.functional) and tensors, given by shapes; i holds integers below 50.
M, ROWS, IMAGES = (1000, 1000), (4096, 64), (32, 64, 28, 28)
OPS: dict[str, tuple[Callable[..., Any], Any]] = {
    "add": (lambda t, F, x, y: x + y, (M, M)),
    "add a row": (lambda t, F, x, y: x + y, (M, M[1:])),
    "mul": (lambda t, F, x, y: x * y, (M, M)),
    "div": (lambda t, F, x, y: x / (y * y + 1), (M, M)),
    "pow 2": (lambda t, F, x: x**2, (M,)),
    "sqrt": (lambda t, F, x: (x * x + 1).sqrt(), (M,)),
    "exp": (lambda t, F, x: x.exp(), (M,)),
    "log": (lambda t, F, x: (x * x + 1).log(), (M,)),
    "sin": (lambda t, F, x: x.sin(), (M,)),
    "tanh": (lambda t, F, x: x.tanh(), (M,)),
    "sigmoid": (lambda t, F, x: x.sigmoid(), (M,)),
    "abs": (lambda t, F, x: x.abs(), (M,)),
    "maximum": (lambda t, F, x, y: t.maximum(x, y), (M, M)),
    "clamp": (lambda t, F, x: x.clamp(-1, 1), (M,)),
    "where": (lambda t, F, x, y: t.where(x > 0, x, y), (M, M)),
    "erf": (lambda t, F, x: x.erf(), (M,)),
    "erfc": (lambda t, F, x: x.erfc(), (M,)),
    "relu": (lambda t, F, x: F.relu(x), (M,)),
    "leaky_relu": (lambda t, F, x: F.leaky_relu(x), (M,)),
    "elu": (lambda t, F, x: F.elu(x), (M,)),
    "hardtanh": (lambda t, F, x: F.hardtanh(x), (M,)),
    "hardswish": (lambda t, F, x: F.hardswish(x), (M,)),
    "silu": (lambda t, F, x: F.silu(x), (M,)),
    "softplus": (lambda t, F, x: F.softplus(x), (M,)),
    "mish": (lambda t, F, x: F.mish(x), (M,)),
    "gelu": (lambda t, F, x: F.gelu(x), (M,)),
    "gelu tanh": (lambda t, F, x: F.gelu(x, approximate="tanh"), (M,)),
    "sum": (lambda t, F, x: x.sum(), (M,)),
    "sum of rows": (lambda t, F, x: x.sum(-1), (ROWS,)),
    "sum of columns": (lambda t, F, x: x.sum(0), (ROWS,)),
    "sum of long columns": (lambda t, F, x: x.sum(0), ((1_000_000, 2),)),
    "add a row to many": (lambda t, F, x, y: x + y, ((1_000_000, 2), (2,))),
    "mean": (lambda t, F, x: x.mean(), (M,)),
    "var of rows": (lambda t, F, x: x.var(-1), (ROWS,)),
    "var of long columns": (lambda t, F, x: x.var(0), ((1_000_000, 2),)),
    "max of rows": (lambda t, F, x: x.max(-1)[0], (ROWS,)),
    "amax of rows": (lambda t, F, x: x.amax(-1), (ROWS,)),
    "norm of rows": (lambda t, F, x: x.norm(dim=-1), (ROWS,)),
    "logsumexp": (lambda t, F, x: x.logsumexp(-1), (ROWS,)),
    "cumsum": (lambda t, F, x: x.cumsum(-1), (ROWS,)),
    "cumprod, long": (lambda t, F, x: (x * 0.001 + 1).cumprod(0), ((100_000,),)),
    "sort": (lambda t, F, x: x.sort(-1)[0], (ROWS,)),
    "topk": (lambda t, F, x: x.topk(8, -1)[0], (ROWS,)),
    "matmul": (lambda t, F, x, y: x @ y, ((512, 512), (512, 512))),
    "bmm": (lambda t, F, x, y: x @ y, ((64, 64, 32), (64, 32, 64))),
    "einsum": (lambda t, F, x, y: t.einsum("bhid,bhjd->bhij", x, y), ((8, 8, 64, 32), (8, 8, 64, 32))),
    "transpose": (lambda t, F, x: x.T.contiguous(), (M,)),
    "cat": (lambda t, F, x, y: t.cat([x, y], 1), (M, M)),
    "split": (lambda t, F, x: sum(p * k for k, p in enumerate(x.chunk(4, 1), 1)), (M,)),
    "take rows": (lambda t, F, x, i: x[i], (ROWS, (8192,))),
    "gather": (lambda t, F, x, i: x.gather(1, i), (ROWS, (4096, 8))),
    "embedding": (lambda t, F, x, i: F.embedding(i * 1000, x), ((50_000, 64), (8192,))),
    "linear": (lambda t, F, x, w, b: F.linear(x, w, b), ((1024, 256), (256, 256), (256,))),
    "softmax": (lambda t, F, x: F.softmax(x, -1), (ROWS,)),
    "log_softmax": (lambda t, F, x: F.log_softmax(x, -1), (ROWS,)),
    "cross_entropy": (lambda t, F, x, i: F.cross_entropy(x, i), (ROWS, (4096,))),
    "mse_loss": (lambda t, F, x, y: F.mse_loss(x, y), (M, M)),
    "smooth_l1_loss": (lambda t, F, x, y: F.smooth_l1_loss(x, y), (M, M)),
    "bce with logits": (lambda t, F, x, y: F.binary_cross_entropy_with_logits(x, y.sigmoid()), (M, M)),
    "layer_norm": (lambda t, F, x, w, b: F.layer_norm(x, (512,), w, b), ((4096, 512), (512,), (512,))),
    "rms_norm": (lambda t, F, x, w: F.rms_norm(x, (512,), w), ((4096, 512), (512,))),
    "group_norm": (lambda t, F, x, w, b: F.group_norm(x, 8, w, b), (IMAGES, (64,), (64,))),
    "batch_norm": (lambda t, F, x, w, b: F.batch_norm(x, None, None, w, b, training=True), (IMAGES, (64,), (64,))),
    "conv2d": (lambda t, F, x, w, b: F.conv2d(x, w, b, padding=1), ((32, 16, 28, 28), (32, 16, 3, 3), (32,))),
    "max_pool2d": (lambda t, F, x: F.max_pool2d(x, 2), (IMAGES,)),
    "avg_pool2d": (lambda t, F, x: F.avg_pool2d(x, 2), (IMAGES,)),
    "max_pool2d, channels last": (lambda t, F, x: F.max_pool2d(x.permute(0, 3, 1, 2), 2), ((64, 30, 30, 32),)),
    "conv2d, 3 channels": (lambda t, F, x, w, b: F.conv2d(x, w, b), ((64, 3, 32, 32), (32, 3, 3, 3), (32,))),
    "conv2d, 32 channels": (lambda t, F, x, w, b: F.conv2d(x, w, b), ((64, 32, 15, 15), (64, 32, 3, 3), (64,))),
    "layer_norm, short": (lambda t, F, x, w, b: F.layer_norm(x, (64,), w, b), ((1024, 64), (64,), (64,))),
    "causal attention": (lambda t, F, q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), ((16, 4, 64, 16),) * 3),
    "RNN": (lambda t, F, x, w, u, b: recurrent(t, "RNN", x, w, u, b), ((50, 32, 32), (128, 32), (128, 128), (128,))),
    "LSTM": (lambda t, F, x, w, u, b: recurrent(t, "LSTM", x, w, u, b), ((50, 32, 32), (512, 32), (512, 128), (512,))),
    "GRU": (lambda t, F, x, w, u, b: recurrent(t, "GRU", x, w, u, b), ((50, 32, 32), (384, 32), (384, 128), (384,))),
    "attention": (lambda t, F, q, k, v: F.scaled_dot_product_attention(q, k, v), ((8, 8, 64, 32),) * 3),
}


@cache
def network(t: Any, kind: str, *sizes: int) -> Any:
    """A layer of this kind and these sizes; weights are given to it with each call."""
    return getattr(importlib.import_module("torch.nn" if t.__name__ == "torch" else "nn"), kind)(*sizes)


def recurrent(t: Any, kind: str, x: Any, w: Any, u: Any, b: Any) -> Any:
    """The output of a recurrent layer with these weights, smaller ones than are drawn, so that it does not saturate."""
    weights = dict(weight_ih_l0=w * 0.1, weight_hh_l0=u * 0.1, bias_ih_l0=b, bias_hh_l0=b)
    return t.func.functional_call(network(t, kind, x.shape[-1], u.shape[-1]), weights, (x,))[0]


def worker(library: str, threads: int) -> None:
    """For each line read, the name of an op: time it, and print ms and the sizes of its gradients."""
    if library == "torch":
        import torch as t
        import torch.nn.functional as F

        t.set_num_threads(threads)
    else:
        sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        import autograd as t
        import nn.functional as F

        if library == "kernels":
            t.compile.kernels(background=False)
    clock = time.process_time if threads == 1 else time.perf_counter
    known: dict[str, tuple[Callable[[], Any], int]] = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in known:
            known.clear()
            known[name] = run, repeats = prepare(t, F, name), 1
            for _ in range(3):  # the third call compiles kernels
                run()
            start = clock()
            run()
            known[name] = run, max(1, int(0.03 / (clock() - start + 1e-9)))
        run, repeats = known[name]
        start = clock()
        for _ in range(repeats):
            grads = run()
        ms = (clock() - start) / repeats * 1000
        print(json.dumps([ms, [float(np.sqrt((g.numpy().astype(float) ** 2).sum())) for g in grads]]), flush=True)


def prepare(t: Any, F: Any, name: str) -> Callable[[], Any]:
    """The op's forward and backward from a fixed gradient, as a function that returns the gradients."""
    op, shapes = OPS[name]
    rng = np.random.default_rng(0)
    arguments = op.__code__.co_varnames[2 : op.__code__.co_argcount]
    inputs = [
        t.from_numpy(rng.integers(0, 50, s) if a == "i" else rng.standard_normal(s, np.float32))
        for a, s in zip(arguments, shapes, strict=True)
    ]
    tracked = [x.requires_grad_() for a, x in zip(arguments, inputs, strict=True) if a != "i"]
    g = t.from_numpy(rng.standard_normal(tuple(op(t, F, *inputs).shape), np.float32))
    grad = getattr(t, "autograd", t).grad
    return lambda: grad(op(t, F, *inputs), tracked, g)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="parts of names of ops")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tune-memory", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.threads)
        return
    libraries = ["chainrule", "kernels", *(["torch"] if importlib.util.find_spec("torch") else [])]
    kept = {"MALLOC_TRIM_THRESHOLD_": str(2**28), "MALLOC_MMAP_THRESHOLD_": str(2**25)} if options.tune_memory else {}
    environment = (
        os.environ | kept | dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(options.threads))
    )
    command = [sys.executable, __file__, "--threads", str(options.threads), "--worker"]
    workers = [
        subprocess.Popen([*command, library], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for library in libraries
    ]
    table, differ = [], []
    for name in [n for n in OPS if not options.names or any(part in n for part in options.names)]:
        times: list[list[float]] = [[] for _ in libraries]
        sizes = []
        for _ in range(options.rounds):
            for w, seen in zip(workers, times, strict=True):
                w.stdin.write(name + "\n")
                w.stdin.flush()
                if not (answer := w.stdout.readline()):
                    sys.exit(f"a process stopped at {name!r}; what it said is above")
                ms, grads = json.loads(answer)
                seen.append(ms)
                sizes.append(grads)
        if not all(np.allclose(s, sizes[0], rtol=1e-3) for s in sizes):
            differ.append(name)
            continue
        medians = [statistics.median(seen) for seen in times]
        table.append(([ms / medians[-1] for ms in medians[:2]], name, medians))
    for w in workers:
        w.stdin.close()
        w.wait()
    tuned = ", memory tuned" * options.tune_memory
    print(f"ms, forward + backward, {options.threads} thread(s), median of {options.rounds} rounds{tuned}")
    compared = len(libraries) > 2
    print(f"{'':20}" + "".join(f"{library:>12}" for library in libraries) + f"{'ratio':>8}{'kernels':>8}" * compared)
    for ratios, name, medians in sorted(table):
        print(f"{name:20}" + "".join(f"{v:12.3f}" for v in medians) + "".join(f"{r:8.2f}" for r in ratios) * compared)
    if compared:
        for k, what in enumerate(("ratio", "kernels")):
            low, half, high = statistics.quantiles([ratios[k] for ratios, *_ in table], n=4)
            print(f"{what}: a quarter up to {low:.2f}, half up to {half:.2f}, three quarters up to {high:.2f}")
    for name in differ:
        print(f"{name}: the gradients differ")


if __name__ == "__main__":
    main()
