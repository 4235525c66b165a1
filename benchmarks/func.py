"""What derivatives along a direction cost: in time against the function alone, and in memory.

    python benchmarks/func.py [--rounds 5]

`jvp` goes forward through the graph once. "two backwards" is what it is without forward mode: the derivative of a gradient by
its weights. For `hvp`, the Hessian times a direction, the gradient is differentiated forward, or backward. Time is the
quickest of some repetitions, in ratio to the function alone, without a graph, in the same run; memory is the most that was
held at once beyond what was there before, in ratio to what the recorded graph holds. If PyTorch is installed, so is its column.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

import autograd
from autograd import func


def chain(x: Any, tanh: Any, linear: Any = None) -> Any:
    """1,000 ops in a row."""
    for _ in range(250):
        x = tanh((x * 1.1 + 0.1) * 0.9)
    return x


def network(x: Any, tanh: Any, linear: Any) -> Any:
    """Four layers of 256 on a batch of 256."""
    for w in x[1:]:
        x = (tanh(linear(x[0], w)), *x[1:])
    return x[0]


def two_backwards(f: Callable[[Any], Any], x: Any, v: Any) -> Any:
    out, pull = func.vjp(f, x)
    ones = autograd.ones_like(out)
    return func.vjp(lambda u: pull(u)[0], ones)[1](v)[0]


def best(run: Callable[[], object]) -> float:
    """Seconds: the quickest of some runs, at least three and half a second of them."""
    run()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < 0.5 and len(times) < 200):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def peak(run: Callable[[], object]) -> int:
    """Bytes: the most that was held at once."""
    run()
    tracemalloc.start()
    kept = run()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del kept
    return most


def cases(rng: np.random.Generator) -> dict[str, tuple[Callable[..., Any], Any, Any]]:
    few, many = rng.uniform(-1, 1, 4), rng.uniform(-1, 1, 100_000)
    layers = tuple(rng.normal(size=(256, 256)) / 16 for _ in range(5))
    return {
        "1,000 ops on 4 numbers": (chain, few, rng.normal(size=few.shape)),
        "1,000 ops on 100,000 numbers": (chain, many, rng.normal(size=many.shape)),
        "4 layers of 256, batch of 256": (network, layers, tuple(rng.normal(size=w.shape) for w in layers)),
    }


def mapped(f: Callable[[Any], Any], tree: Any) -> Any:
    return tuple(map(f, tree)) if isinstance(tree, tuple) else f(tree)


def measure(f: Callable[..., Any], x: Any, v: Any) -> dict[str, tuple[float, float]]:
    """For each way the time and the memory, as ratios."""
    from nn import functional as F

    def g(t: Any) -> Any:
        return f(t, autograd.tanh, F.linear)

    x, v = (mapped(autograd.from_numpy, a) for a in (x, v))
    leaf = mapped(lambda t: t.detach().requires_grad_(), x)

    def plain() -> Any:
        with autograd.no_grad():
            return g(x)

    def total(t: Any) -> Any:
        return (g(t) ** 2).sum()

    ways: dict[str, Callable[[], Any]] = {
        "f": plain,
        "f with a graph": lambda: g(leaf),
        "gradient": lambda: func.grad(total)(x),
        "jvp": lambda: func.jvp(g, (x,), (v,)),
        "jvp, two backwards": lambda: two_backwards(g, x, v),
        "hvp, forward over backward": lambda: func.jvp(func.grad(total), (x,), (v,)),
        "hvp, backward over backward": lambda: func.vjp(func.grad(total), x)[1](v),
    }
    one, graph = best(plain), peak(ways["f with a graph"])
    return {name: (best(way) / one, peak(way) / graph) for name, way in ways.items()}


def measure_torch(f: Callable[..., Any], x: Any, v: Any) -> dict[str, tuple[float, float]]:
    """As `measure`, the time alone."""
    import torch

    torch.set_num_threads(1)

    def g(t: Any) -> Any:
        return f(t, torch.tanh, torch.nn.functional.linear)

    x, v = (mapped(torch.from_numpy, a) for a in (x, v))
    one = best(lambda: g(x))

    def total(t: Any) -> Any:
        return (g(t) ** 2).sum()

    ways = {
        "f": lambda: g(x),
        "gradient": lambda: torch.func.grad(total)(x),
        "jvp": lambda: torch.func.jvp(g, (x,), (v,)),
        "hvp, forward over backward": lambda: torch.func.jvp(torch.func.grad(total), (x,), (v,)),
        "hvp, backward over backward": lambda: torch.func.vjp(torch.func.grad(total), x)[1](v),
    }
    return {name: (best(way) / one, float("nan")) for name, way in ways.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    measures = {"chainrule": measure}
    try:
        import torch  # noqa: F401

        measures["torch"] = measure_torch
    except ImportError:
        pass
    for title, case in cases(np.random.default_rng(0)).items():
        seen: dict[str, dict[str, list[tuple[float, float]]]] = {}
        for _ in range(rounds):
            for library, run in measures.items():
                for way, found in run(*case).items():
                    seen.setdefault(way, {}).setdefault(library, []).append(found)
        print(f"\n{title:36}" + "".join(f"{library:>12}" for library in measures) + f"{'memory':>12}")
        for way, row in seen.items():
            times = [f"{np.median([t for t, _ in row[name]]):.1f}" if name in row else "-" for name in measures]
            print(f"{way:36}" + "".join(f"{t:>12}" for t in times) + f"{np.median([m for _, m in row['chainrule']]):12.1f}")


if __name__ == "__main__":
    main()
