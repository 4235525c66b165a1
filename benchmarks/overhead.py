"""What one op, one view and one write in place cost on small arrays, where all the time is overhead: in ns.

    python benchmarks/overhead.py [--rounds 5]

Runs NumPy alone, chainrule, and PyTorch and MyGrad if they are installed: each in a process of its own on one thread, in
turn, several rounds; prints the medians and their ratio to PyTorch's. The chain is x = tanh((x * c + c) / c), 200 ops of
four numbers. What is filled is `out`, (64, 1000), column by column, as a recurrent network does: `out[:, t] = x * 2`. The step on
XOR is forward, backward and SGD of a network with 13 parameters, in one call of what `autograd.compile` makes of it.
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

OPS = 200
STEPS = 1000
ROWS = (
    *("forward", "forward, no_grad", "forward + backward, x tracked", "forward + backward, both", "with create_graph"),
    *("y[0]", "y.reshape(4)", "y[0], no_grad", "y.mul_(2)"),
    *("out[:, t] = x", "out[:, t] = x, backward", "out[:, t] += x", "out[:, t] += x, backward"),
    "a step on XOR, compiled",
)


def best(run: Callable[[], object], ops: int = OPS, runs: int = 20) -> float:
    """Nanoseconds per op: the quickest of nine repetitions of so many runs."""
    run()
    times = []
    for _ in range(9):
        start = time.perf_counter_ns()
        for _ in range(runs):
            run()
        times.append((time.perf_counter_ns() - start) / runs / ops)
    return min(times)


def fill(out, x):
    for t in range(STEPS):
        out[:, t] = x * 2
    return out


def add(out, x):
    for t in range(STEPS):
        out[:, t] += x
    return out


def chain(x, c, tanh):
    for _ in range(OPS // 4):
        x = tanh((x * c + c) / c)
    return x


def xor() -> Callable[[], object]:
    """A compiled step, ready to be called."""
    import autograd
    import nn

    net = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Sigmoid())
    optimizer = nn.optim.SGD(net.parameters(), lr=0.5)
    x, y = autograd.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), autograd.tensor([[0.0], [1.0], [1.0], [0.0]])

    @autograd.compile
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(3):
        step(x, y)
    return lambda: step(x, y)


def measure(library: str) -> dict[str, float]:
    """The rows of the table for one library."""
    import numpy as np

    a, b = np.random.default_rng(0).uniform(0.5, 1, (2, 4))
    if library == "numpy":
        column, filled, added = np.ones(64, np.float32), "out[:, t] = x", "out[:, t] += x"
        found = {
            name: best(lambda f=f: f(np.zeros((64, STEPS), np.float32), column), STEPS, 1)
            for name, f in ((filled, fill), (added, add))
        }
        return found | {
            "forward": best(lambda: chain(a, b, np.tanh)),
            "y[0]": best(lambda: a[0], 1, 5000),
            "y.reshape(4)": best(lambda: a.reshape(4), 1, 5000),
        }
    if library == "mygrad":
        import mygrad

        x, c, both = mygrad.tensor(a), mygrad.tensor(b, constant=True), mygrad.tensor(b)
        found = {"forward": best(lambda: chain(x, c, mygrad.tanh))}
        with mygrad.no_autodiff:
            found["forward, no_grad"] = best(lambda: chain(x, c, mygrad.tanh))
        found["forward + backward, x tracked"] = best(lambda: chain(x, c, mygrad.tanh).sum().backward())
        found["forward + backward, both"] = best(lambda: chain(x, both, mygrad.tanh).sum().backward())
        return found
    if library == "torch":
        import torch

        torch.set_num_threads(1)
        engine, grad = torch, torch.autograd.grad
    else:
        import autograd as engine

        grad = engine.grad
    x, c = engine.tensor(a, requires_grad=True), engine.tensor(b)
    both, tanh = engine.tensor(b, requires_grad=True), engine.tanh
    found = {"forward": best(lambda: chain(x, c, tanh))}
    with engine.no_grad():
        found["forward, no_grad"] = best(lambda: chain(x, c, tanh))
    found["forward + backward, x tracked"] = best(lambda: chain(x, c, tanh).sum().backward())
    found["forward + backward, both"] = best(lambda: chain(x, both, tanh).sum().backward())
    found["with create_graph"] = best(lambda: grad(chain(x, c, tanh).sum(), [x], create_graph=True))
    y = x * 1
    found["y[0]"] = best(lambda: y[0], 1, 5000)
    found["y.reshape(4)"] = best(lambda: y.reshape(4), 1, 5000)
    with engine.no_grad():
        found["y[0], no_grad"] = best(lambda: y[0], 1, 5000)
    writes = [x * 1 for _ in range(100)]
    found["y.mul_(2)"] = best(lambda: [w.mul_(2) for w in writes], 100, 5)
    column = engine.ones(64, requires_grad=True)
    for name, function in (("out[:, t] = x", fill), ("out[:, t] += x", add)):
        found[name] = best(lambda f=function: f(engine.zeros(64, STEPS), column), STEPS, 1)
        found[f"{name}, backward"] = best(lambda f=function: f(engine.zeros(64, STEPS), column).sum().backward(), STEPS, 1)
    if library == "chainrule":
        found["a step on XOR, compiled"] = best(xor(), 1, 2000)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    libraries = ["numpy", "chainrule", *(name for name in ("torch", "mygrad") if importlib.util.find_spec(name))]
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    seen: dict[tuple[str, str], list[float]] = {}
    for _ in range(options.rounds):
        for library in libraries:
            command = [sys.executable, __file__, "--one", library]
            printed = subprocess.run(command, env=os.environ | threads, capture_output=True, text=True, check=True).stdout
            for row, ns in json.loads(printed).items():
                seen.setdefault((library, row), []).append(ns)
    print(f"ns per op, median of {options.rounds} rounds; in brackets the ratio to torch")
    print(f"{'':32}" + "".join(f"{library:>18}" for library in libraries))
    for row in ROWS:
        cells = []
        for library in libraries:
            if (library, row) not in seen:
                cells.append("-")
                continue
            ns = statistics.median(seen[library, row])
            ratio = f" ({ns / statistics.median(seen['torch', row]):.2f})" if ("torch", row) in seen else ""
            cells.append(f"{ns:.0f}{ratio}")
        print(f"{row:32}" + "".join(f"{cell:>18}" for cell in cells))


if __name__ == "__main__":
    main()
