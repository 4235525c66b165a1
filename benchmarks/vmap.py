"""What vmap, Jacobians and Hessians cost: ms, and the ratio to torch.func's in the same run.

    python benchmarks/vmap.py [names ...] [--rounds 7]

One process for chainrule and one for PyTorch, if it is installed, each on one thread; they take turns, case by case, and the
medians of all rounds are printed. All is float32, and the parameters are the same. Names select the cases that contain one of
them. The sums of squares of the two results have to agree, or the case is named instead.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

ROWS, SIZE = 1000, 100
Make = Callable[[Any, Any, Any, Any], Callable[[], Any]]  # of t, nn, func and the function that makes arrays


def transformer(nn: Any) -> Any:
    """A layer, then the mean over its tokens, and scores."""

    class Classifier(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
            self.scores = nn.Linear(32, 10)

        def forward(self, x: Any) -> Any:
            return self.scores(self.layer(x).mean(1))

    return Classifier()


NETS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "MLP": (lambda nn: nn.Sequential(nn.Linear(20, 32), nn.Tanh(), nn.Linear(32, 10)), (ROWS, 20)),
    "MLP with LayerNorm": (
        lambda nn: nn.Sequential(nn.Linear(64, 128), nn.LayerNorm(128), nn.ReLU(), nn.Linear(128, 10)),
        (256, 64),
    ),
    "CNN": (
        lambda nn: nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(16 * 16, 10)),
        ),
        (64, 1, 16, 16),
    ),
    "Transformer layer": (transformer, (64, 12, 32)),
}


def by_sample(net: str) -> Make:
    """The gradient of a network's loss by its parameters, for each sample."""
    build, shape = NETS[net]

    def make(t: Any, nn: Any, func: Any, draw: Any) -> Callable[[], Any]:
        module, x, y = build(nn), draw(*shape), t.from_numpy(np.arange(shape[0]) % 10)
        parameters = {name: draw(*p.shape) * 0.2 for name, p in module.named_parameters()}

        def loss(parameters: Any, x: Any, y: Any) -> Any:
            return nn.functional.cross_entropy(func.functional_call(module, parameters, (x[None],)), y[None])

        return lambda: func.vmap(func.grad(loss), in_dims=(None, 0, 0))(parameters, x, y)

    return make


def hessian(t: Any, nn: Any, func: Any, draw: Any) -> Callable[[], Any]:
    a, x = draw(SIZE, SIZE), draw(SIZE)
    return lambda: func.hessian(lambda x: ((a @ x).tanh() ** 2).sum())(x)


def jacobian(t: Any, nn: Any, func: Any, draw: Any) -> Callable[[], Any]:
    a, x = draw(SIZE, SIZE), draw(SIZE)
    return lambda: func.jacrev(lambda x: (a @ x).tanh())(x)


def hessians(t: Any, nn: Any, func: Any, draw: Any) -> Callable[[], Any]:
    a, x = draw(20, 20), draw(50, 20)
    return lambda: func.vmap(func.hessian(lambda x: ((a @ x).tanh() ** 2).sum()))(x)


def jacobians(t: Any, nn: Any, func: Any, draw: Any) -> Callable[[], Any]:
    a, x = draw(20, 20), draw(100, 20)
    return lambda: func.vmap(func.jacrev(lambda x: (a @ x).tanh()))(x)


def ensemble(t: Any, nn: Any, func: Any, draw: Any) -> Callable[[], Any]:
    net, x = nn.Sequential(nn.Linear(20, 32), nn.Tanh(), nn.Linear(32, 10)), draw(256, 20)
    parameters = {name: draw(16, *p.shape) for name, p in net.named_parameters()}
    return lambda: func.vmap(lambda p, x: func.functional_call(net, p, (x,)), in_dims=(0, None))(parameters, x)


def pairs(t: Any, nn: Any, func: Any, draw: Any) -> Callable[[], Any]:
    x, y = draw(60, 8), draw(60, 8)
    return lambda: func.vmap(lambda a: func.vmap(lambda b: ((a - b) ** 2).sum().sqrt())(y))(x)


CASES: dict[str, Make] = {
    **{f"gradients by sample, {net}": by_sample(net) for net in NETS},
    "Hessian, 100 variables": hessian,
    "Jacobian, 100 x 100": jacobian,
    "Hessians at 50 points": hessians,
    "Jacobians at 100 points": jacobians,
    "ensemble of 16 MLPs": ensemble,
    "all pairs of 60 and 60": pairs,
}


def worker(library: str) -> None:
    """For each name that comes in, print how long its case takes, and the sum of squares of what comes out."""
    if library == "torch":
        import torch as t
        from torch import func, nn

        t.set_num_threads(1)
    else:
        import autograd as t
        import nn
        from autograd import func
    made: dict[str, Callable[[], Any]] = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in made:
            rng = np.random.default_rng(0)
            made[name] = CASES[name](t, nn, func, lambda *s, rng=rng: t.from_numpy(rng.standard_normal(s, np.float32)))
            made[name]()
        times = []
        while len(times) < 3 or (sum(times) < 0.2 and len(times) < 50):
            start = time.process_time()
            found = made[name]()
            times.append(time.process_time() - start)
        parts = found.values() if isinstance(found, dict) else [found]
        print(json.dumps([min(times) * 1e3, sum(float((p.double() ** 2).sum()) for p in parts)]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="parts of names of cases")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    libraries = ["chainrule", *(["torch"] if importlib.util.find_spec("torch") else [])]
    environment = os.environ | dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment["PYTHONWARNINGS"] = "ignore"  # PyTorch's, of what it has no rule for
    command = [sys.executable, __file__, "--worker"]
    workers = [
        subprocess.Popen([*command, library], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for library in libraries
    ]
    print(f"ms, one thread, median of {options.rounds} rounds")
    print(f"{'':42}" + "".join(f"{library:>12}" for library in libraries) + f"{'ratio':>8}" * (len(libraries) > 1))
    for name in [n for n in CASES if not options.names or any(part in n for part in options.names)]:
        times: list[list[float]] = [[] for _ in libraries]
        squares = []
        for _ in range(options.rounds):
            for w, seen in zip(workers, times, strict=True):
                assert w.stdin is not None
                assert w.stdout is not None
                w.stdin.write(name + "\n")
                w.stdin.flush()
                if not (answer := w.stdout.readline()):
                    sys.exit(f"a process stopped at {name!r}; what it said is above")
                ms, square = json.loads(answer)
                seen.append(ms)
                squares.append(square)
        if not np.allclose(squares, squares[0], rtol=1e-3):
            print(f"{name:42} the results differ")
            continue
        medians = [statistics.median(seen) for seen in times]
        ratio = f"{medians[0] / medians[-1]:8.2f}" * (len(libraries) > 1)
        print(f"{name:42}" + "".join(f"{ms:12.3f}" for ms in medians) + ratio)
    for w in workers:
        assert w.stdin is not None
        w.stdin.close()
        w.wait()


if __name__ == "__main__":
    main()
