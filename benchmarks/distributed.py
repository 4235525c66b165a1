"""What training in several processes costs: strong and weak scaling, against one process and PyTorch's DDP, and a model of more.

    python benchmarks/distributed.py [--ranks 2] [--seconds 2] [names ...]

Three models train on the same batches, in one process with as many BLAS threads as there are ranks, and in that many processes
with one thread each: "strong" divides the batch among them, "weak" gives each a whole one. PyTorch, if it is installed, does
the same over gloo. Runs follow one another; ms of the clock for a step, the least of some bursts, in ratio to one process of the
same library (for weak scaling 1 would be as good as can be). "hidden" is the share of the time of averaging alone, by
which a step without overlap would be longer, that backward hides. At the end the model of the cost at more ranks.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve()


# ---------------------------------------------------------------- the models, in PyTorch's words
def mlp(nn: Any) -> Any:
    """MLP 784-256-128-10"""
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)), (128, 784)


def cnn(nn: Any) -> Any:
    """CNN of 3x32x32"""
    head = nn.Sequential(nn.Flatten(), nn.Linear(4096, 64), nn.ReLU(), nn.Linear(64, 10))
    first = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    second = nn.Sequential(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    return nn.Sequential(first, second, head), (64, 3, 32, 32)


def transformer(nn: Any) -> Any:
    """Transformer, 2 layers, d 64"""
    layer = nn.TransformerEncoderLayer(64, 4, 256, dropout=0.0, batch_first=True)
    return nn.Sequential(nn.TransformerEncoder(layer, 2), nn.Flatten(), nn.Linear(64 * 64, 10)), (16, 64, 64)


MODELS = {f.__name__: f for f in (mlp, cnn, transformer)}


# ---------------------------------------------------------------- in one of the processes
def measure(library: str, name: str, scaling: str, seconds: float) -> None:
    """Train, and print as JSON what a step takes, and what of it averages gradients."""
    if library == "chainrule":
        sys.path.insert(0, str(HERE.parents[1]))
        import autograd as t
        import nn
        import nn.functional as F
        from autograd import distributed
        from nn import optim
        from nn.parallel import DistributedDataParallel
    else:
        import torch as t
        import torch.distributed as distributed
        import torch.nn.functional as F
        from torch import nn, optim
        from torch.nn.parallel import DistributedDataParallel

        t.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    distributed.init_process_group("gloo")
    rank, size = distributed.get_rank(), distributed.get_world_size()
    net, (n, *shape) = MODELS[name](nn)
    n = n // size if scaling == "strong" else n
    rng = np.random.default_rng(rank)
    x, y = t.from_numpy(rng.normal(size=(n, *shape)).astype(np.float32)), t.from_numpy(rng.integers(0, 10, n))
    net = DistributedDataParallel(net) if size > 1 else net
    optimizer = optim.Adam(net.parameters(), lr=1e-3)

    def step(sync: bool = True) -> None:
        optimizer.zero_grad()
        if sync or size == 1:
            F.cross_entropy(net(x), y).backward()
        else:
            with net.no_sync():
                F.cross_entropy(net(x), y).backward()
        optimizer.step()

    def average() -> None:
        for p in net.parameters():
            distributed.all_reduce(p.grad)

    def took(function: Any) -> float:
        """The least of some bursts, in seconds a call; all processes begin together."""
        function()
        begin = time.perf_counter()
        function()
        times = max(1, int(seconds / 6 / (time.perf_counter() - begin + 1e-9)))
        counts = [None] * size
        distributed.all_gather_object(counts, times)
        found = []
        for _ in range(5):
            distributed.barrier()
            begin = time.perf_counter()
            for _ in range(min(counts)):
                function()
            found.append((time.perf_counter() - begin) / min(counts))
        return min(found)

    out = {"step": took(step)}
    if size > 1:
        out |= {"alone": took(lambda: step(False)), "average": took(average)}
        out["bytes"] = sum(p.numel() for p in net.parameters()) * 4
        for what, length in (("latency", 2), ("long", 25 * 2**18)):
            array = t.zeros(length)
            out[what] = took(lambda a=array: distributed.all_reduce(a))
    if rank == 0:
        print("RESULT", json.dumps(out), flush=True)
    distributed.barrier()
    distributed.destroy_process_group()


# ---------------------------------------------------------------- all of it
def run(library: str, name: str, scaling: str, ranks: int, cores: int, seconds: float) -> dict[str, float]:
    program = [str(HERE), "--measure", library, name, scaling, "--seconds", str(seconds)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(cores // ranks))
    environment = os.environ | threads | {"PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])}
    launcher = ["autograd.distributed.launch", "-n"] if library == "chainrule" else ["torch.distributed.run", "--nproc-per-node"]
    command = [sys.executable, "-m", *launcher, str(ranks), *program]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment)
    lines = [line for line in ended.stdout.splitlines() if line.startswith("RESULT")]
    if not lines:
        sys.exit(f"{' '.join(command)}:\n{ended.stdout}{ended.stderr}")
    return json.loads(lines[0][7:])


def modelled(ranks: int, n_bytes: float, latency: float, bandwidth: float) -> float:
    """Seconds to average that many bytes: halves exchanged and gathered again (Rabenseifner 2004)."""
    rounds = np.log2(ranks)
    return 2 * rounds * latency + 2 * (ranks - 1) / ranks * n_bytes / bandwidth


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", default=list(MODELS), help=", ".join(MODELS))
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each number")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure, options.seconds)
        return
    libraries = ["chainrule"] + ["torch"] * (importlib.util.find_spec("torch") is not None)
    print(f"{options.ranks} ranks; load {os.getloadavg()[0]:.1f}\n")
    print("| model | library | one process, ms | strong | weak | averaging alone, ms | hidden |\n|---|---|---|---|---|---|---|")
    for name in options.names:
        for library in libraries:
            one = run(library, name, "strong", 1, options.ranks, options.seconds)["step"]
            strong, weak = (run(library, name, s, options.ranks, options.ranks, options.seconds) for s in ("strong", "weak"))
            hidden = 1 - (weak["step"] - weak["alone"]) / weak["average"]
            ratios = f"{strong['step'] / one:.2f} | {weak['step'] / one:.2f} | {weak['average'] * 1e3:.2f} | {hidden:.0%}"
            print(f"| {MODELS[name].__doc__} | {library} | {one * 1e3:.2f} | {ratios} |", flush=True)
            if library == "chainrule":
                found = weak
    latency, long = found["latency"] * 1e6, found["long"] * 1e3
    print(f"\nHere 8 bytes take {latency:.0f} us, 25 MB {long:.1f} ms ({25 * 2**20 / long / 1e6:.2f} GB/s).")
    print("\nModelled, ms to average 25 MB, on a network of 2 us and 12.5 GB/s (100 Gbit/s), and of 30 us and 1.25 GB/s:\n")
    print("| ranks | fast | slow |\n|---|---|---|")
    for ranks in (8, 32, 128, 1024):
        fast, slow = (modelled(ranks, 25 * 2**20, *network) * 1e3 for network in ((2e-6, 12.5e9), (3e-5, 1.25e9)))
        print(f"| {ranks} | {fast:.1f} | {slow:.1f} |")


if __name__ == "__main__":
    main()
