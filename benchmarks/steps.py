"""What whole training steps cost in chainrule, NumPy by hand, PyTorch, JAX and MyGrad: ms, ratios to PyTorch's, peak memory.

    python benchmarks/steps.py [names ...] [--threads 1] [--rounds 7] [--page]
    python benchmarks/steps.py [names ...] --compile

The workloads are in workloads.py; names choose among them. Each library that is installed runs in a process of its own, as
threads of two BLAS libraries in one process disturb each other. They begin with the same weights, and a library whose first
five losses are others than chainrule's is named and not listed. What is compiled, steps and kernels, is in those first
steps. Then they take turns; medians and minima of all rounds are
printed: processor time (with several threads, time on the clock). PyTorch is eager, the best of its variants by the median: as
it comes, with fused optimizers, and for images with channels last. JAX is compiled, as nobody uses it otherwise. What a process
takes at its peak is counted from before the workload was made; that of compiled steps is while they are recorded and compiled.
--page writes docs/benchmarks.md, with --compile docs/compilers.md.

--compile is about compilers: autograd.compile with gcc, clang and zig (`pip install ziglang`) and without any, PyTorch as it
comes, torch.compile, and jax.jit. Its tables are the minima of the time of a step; the seconds until it is compiled, which are
those of the first five steps, at first with empty caches, then in a new process that finds them filled; and the memory that this
process takes at its peak.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import workloads
from workloads import WORKLOADS, drawn

Step = Callable[[], float]
TORCH = ("torch", "torch fused", "torch channels_last")
OURS = ("chainrule", "kernels", "compiled")  # the same programs: eager, also with compile.kernels(), and whole steps compiled
LIBRARIES = (*OURS, "NumPy by hand", *TORCH, "jax", "mygrad")
BY = {"gcc": "gcc", "clang": "clang", "zig": f"{sys.executable} -m ziglang cc"}  # with which compiled steps are
PEERS = ("torch", "torch.compile", "jax")
COMPILED = (*(f"compiled {how}" for how in (*BY, "replay")), *PEERS)
HEADINGS = (*OURS, "NumPy by hand", "torch", "jax", "mygrad")
ABSENT = {  # what takes minutes to compile, and what there is not: erf in MyGrad, and second derivatives
    "chain": ("torch.compile",),
    "long_chain": ("torch.compile", "compiled"),
    "transformer": ("mygrad",),
    "scalars": ("jax",),
    "hvp": ("mygrad", "torch.compile"),
}
BURST = 0.3  # seconds in a round


# ---------------------------------------------------------------- a step of a library
def step_of(name: str, library: str) -> Step:
    """The workload as a step of a library."""
    if library == "NumPy by hand":
        return getattr(workloads, f"{name}_by_hand")()
    if library in ("jax", "mygrad"):
        return step_in_arrays(getattr(workloads, f"{name}_in_arrays"), library)
    if library.split()[0] in OURS:
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
        import autograd as t
        import nn
        import nn.functional as F
        from nn import optim

        if library == "kernels":
            t.compile.kernels(background=False)
    else:
        import torch as t
        import torch.nn.functional as F
        from torch import nn, optim

        t.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    fused = {"fused": True} if library in ("torch fused", "torch channels_last") else {}

    def started(net: Any) -> list[Any]:
        parameters = list(net.parameters())
        with t.no_grad():
            for p, value in zip(parameters, drawn([tuple(p.shape) for p in parameters]), strict=True):
                p.copy_(t.from_numpy(value))
        return parameters

    def training(net: Any, optimizer: str, loss: Callable[[], Any], **options: Any) -> Step:
        opt = getattr(optim, optimizer)(started(net), **options, **fused)

        def step() -> Any:
            opt.zero_grad()
            value = loss()
            value.backward()
            opt.step()
            return value

        return alone(step)

    def alone(step: Callable[[], Any]) -> Step:
        if library == "torch.compile":
            step = t.compile(step)
        elif library.startswith("compiled"):
            step = t.compile(step, strict=True, backend="replay" if library.endswith("replay") else "auto")
        return lambda: step().item()

    last = library == "torch channels_last"
    images = (lambda x: x.to(memory_format=t.channels_last)) if last else (lambda x: x)
    return WORKLOADS[name](SimpleNamespace(t=t, nn=nn, F=F, training=training, alone=alone, started=started, images=images))


def step_in_arrays(loss: Any, library: str) -> Step:
    """A step of JAX or MyGrad from a loss of arrays, what these are at first, and how they are optimized."""
    p, optimizer, lr = loss.start
    p = list(p) if optimizer is None else drawn(p)
    state = [[np.zeros_like(a) for a in p] for _ in range({"momentum": 1, "Adam": 2, "AdamW": 2}.get(optimizer, 0))]
    if optimizer == "Hessian-vector product":
        state = p  # the vector

    def updated(p: Any, grads: Any, state: Any, time: Any, sqrt: Any) -> Any:
        if optimizer is None:
            return p, state
        if optimizer == "momentum":
            grads = [0.9 * m + g for m, g in zip(state[0], grads, strict=True)]
            state = [grads]
        if optimizer in ("SGD", "momentum"):
            return [a - lr * g for a, g in zip(p, grads, strict=True)], state
        m = [0.9 * m + 0.1 * g for m, g in zip(state[0], grads, strict=True)]
        v = [0.999 * v + 0.001 * g * g for v, g in zip(state[1], grads, strict=True)]
        root = (1 - 0.999**time) ** 0.5
        rate = lr * root / (1 - 0.9**time)
        kept = 1 - 0.01 * lr if optimizer == "AdamW" else 1
        return [kept * a - rate * x / (sqrt(y) + 1e-8 * root) for a, x, y in zip(p, m, v, strict=True)], [m, v]

    if library == "jax":
        import jax

        lib = in_jax()
        gradients = jax.value_and_grad(lambda p: loss(lib, p))

        @jax.jit
        def compiled(p: Any, state: Any, time: Any) -> Any:
            if optimizer == "Hessian-vector product":
                products = jax.jvp(lambda p: gradients(p)[1], (p,), (state,))[1]
                return sum(jax.numpy.vdot(h, h) for h in products), products, p, state
            value, grads = gradients(p)
            kept = grads if optimizer is None else None  # an optimizer has used them up, as in our compiled steps
            return value, kept, *updated(p, grads, state, time, jax.numpy.sqrt)

        def once(p: Any, state: Any, time: Any) -> Any:
            value, _, p, state = compiled(p, state, np.float32(time))
            return float(value), p, state
    else:
        import mygrad

        lib = in_mygrad()

        def once(p: Any, state: Any, time: Any) -> Any:
            tensors = [mygrad.tensor(a) for a in p]
            value = loss(lib, tensors)
            value.backward()
            return value.item(), *updated(p, [t.grad for t in tensors], state, time, np.sqrt)

    time = 0

    def step() -> float:
        nonlocal p, state, time
        time += 1
        value, p, state = once(p, state, time)
        return value

    return step


def in_jax() -> SimpleNamespace:
    """What losses of arrays are made of, in JAX; convolution and pooling as they are quickest there on a CPU."""
    import jax

    def conv(x: Any, w: Any, padding: int) -> Any:
        return jax.lax.conv_general_dilated(x, w, (1, 1), [(padding, padding)] * 2, dimension_numbers=("NHWC", "OIHW", "NHWC"))

    def pool(x: Any) -> Any:  # the gradient of lax.reduce_window takes twice to four times as long
        n, h, w, c = x.shape
        return x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))

    def gelu(x: Any) -> Any:
        return jax.nn.gelu(x, approximate=False)

    return SimpleNamespace(np=jax.numpy, sigmoid=jax.nn.sigmoid, gelu=gelu, conv=conv, pool=pool, scan=jax.lax.scan)


def in_mygrad() -> SimpleNamespace:
    """The same in MyGrad, which has the channels first."""
    import mygrad
    from mygrad.nnet import activations, layers

    def conv(x: Any, w: Any, padding: int) -> Any:
        return layers.conv_nd(x.transpose(0, 3, 1, 2), w, stride=1, padding=padding).transpose(0, 2, 3, 1)

    def pool(x: Any) -> Any:
        _, h, w, _ = x.shape
        even = x[:, : h // 2 * 2, : w // 2 * 2].transpose(0, 3, 1, 2)
        return layers.max_pool(even, (2, 2), 2).transpose(0, 2, 3, 1)

    def scan(f: Callable[..., Any], state: Any, inputs: Any, length: int | None = None) -> Any:
        for each in inputs if length is None else [None] * length:
            state, _ = f(state, each)
        return state, None

    return SimpleNamespace(np=mygrad, sigmoid=activations.sigmoid, conv=conv, pool=pool, scan=scan)


# ---------------------------------------------------------------- one process of a library
def peak() -> float:
    """The most memory that this process had so far, in MB; NaN where the system does not say."""
    try:
        import resource
    except ImportError:
        return float("nan")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def worker(name: str, library: str) -> None:
    """Print the first losses and their seconds; then, for each line read, the ms of a step and the peak of memory."""
    drawn([(2, 2)])  # NumPy's random numbers are there before memory is counted
    before = [peak()]
    if library != "NumPy by hand":
        importlib.import_module("numpy" if library.split()[0] in OURS else module_of(library))
        before.append(peak())
    step = step_of(name, library)
    clock = time.process_time if os.environ["OMP_NUM_THREADS"] == "1" else time.perf_counter
    begin = time.perf_counter()
    print(json.dumps([[step() for _ in range(5)], time.perf_counter() - begin]), flush=True)
    start = clock()
    step()
    repeats = max(1, round(BURST / (clock() - start)))
    for _ in sys.stdin:
        start = clock()
        for _ in range(repeats):
            step()
        ms = (clock() - start) / repeats * 1000
        print(json.dumps([ms, peak() - before[-1]]), flush=True)


def exists(name: str, library: str) -> bool:
    """Is that library installed, and has it such a workload?"""
    if library == "NumPy by hand":
        return hasattr(workloads, f"{name}_by_hand")
    if library in ("jax", "mygrad") and not hasattr(workloads, f"{name}_in_arrays"):
        return False
    if (library == "torch fused" and "Adam" not in title(name)) or (
        library == "torch channels_last" and "CNN" not in title(name)
    ):
        return False
    if library.startswith(ABSENT.get(name, ())):
        return False
    if (by := BY.get(library.removeprefix("compiled "))) is not None:
        return importlib.util.find_spec("ziglang") is not None if "ziglang" in by else shutil.which(by) is not None
    return library.split()[0] in OURS or importlib.util.find_spec(module_of(library)) is not None


def module_of(library: str) -> str:
    """What is imported of it."""
    return library.split()[0].split(".")[0]


def title(name: str) -> str:
    return WORKLOADS[name].__doc__ or name


# ---------------------------------------------------------------- the table
def begin(name: str, library: str, threads: int, caches: str) -> tuple[Any, list[float], float]:
    """A process of a library, its first losses, and the seconds they took; with no losses if it stopped."""
    limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"), str(threads))
    if by := BY.get(library.removeprefix("compiled ")):
        limits["CC"] = by
    if caches:
        limits |= dict.fromkeys(("CHAINRULE_CACHE", "TORCHINDUCTOR_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR"), caches)
        limits |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}
    pipes: dict[str, Any] = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | limits)
    w = subprocess.Popen([sys.executable, __file__, "--worker", name, library], **pipes)
    return w, *(json.loads(first) if (first := w.stdout.readline()) else ([], float("nan")))


def end(w: Any) -> None:
    w.stdin.close()
    w.wait()


def measure(
    name: str, threads: int, rounds: int, libraries: tuple[str, ...] = LIBRARIES, caches: str = ""
) -> tuple[dict[str, list[list[float]]], list[str], dict[str, list[float]]]:
    """For each library the times and the peaks of all rounds; what went wrong; and the seconds of the first losses.

    With a folder for `caches`, processes begin twice, the first time without what is kept there.
    """
    workers, losses, wrong, seconds = {}, {}, [], {}
    expected: list[float] = []
    for library in (each for each in libraries if exists(name, each)):
        w, losses[library], first = begin(name, library, threads, caches)
        seconds[library] = [first]
        if caches and losses[library]:
            end(w)
            w, losses[library], again = begin(name, library, threads, caches)
            seconds[library].append(again)
        expected = expected or losses[library]  # the first is ours
        if not losses[library]:
            wrong.append(f"{title(name)}: {library} stopped; what it said is above")
        elif not np.allclose(losses[library], expected, rtol=1e-3):
            wrong.append(f"{title(name)}: the losses of {library} are {losses[library]}, of chainrule {expected}")
            w.kill()
        else:
            workers[library] = w
    seen: dict[str, list[list[float]]] = {library: [] for library in workers}
    for _ in range(rounds):
        for library, w in workers.items():
            w.stdin.write("\n")
            w.stdin.flush()
            seen[library].append(json.loads(w.stdout.readline()))
    for w in workers.values():
        end(w)
    return seen, wrong, seconds


def ratio(a: float, b: float) -> str:
    """How many times as much, with two digits that say something."""
    return f"{a / b:.2f}" if a > 0.1 * b else f"{a / b:.2g}"


def compiled_row(
    name: str, seen: dict[str, list[list[float]]], seconds: dict[str, list[float]]
) -> tuple[list[str], list[str], list[str]]:
    """The lines of a workload in the tables of compilers: ms, with how many times as quick ours are; seconds; MB."""
    ms, mb = ({library: f(each[k] for each in rounds) for library, rounds in seen.items()} for k, f in ((0, min), (1, max)))
    ours = next((c for c in COMPILED if c in ms and c not in PEERS), None)
    best = min((c for c in PEERS if c in ms), key=ms.__getitem__, default=None)
    factor = f"**{ratio(ms[best], ms[ours])}**" if ours and best else ""
    times = [f"**{ms[c]:.3g}**" if c == best else f"{ms[c]:.3g}" if c in ms else "" for c in COMPILED]
    until = [", ".join(f"{s:.2g}" for s in seconds[c]) if c in ms else "" for c in COMPILED]
    peaks = [f"{mb[c]:.0f}" if c in ms else "" for c in COMPILED]
    return [title(name), factor, *times], [title(name), *until], [title(name), *peaks]


def compiled_tables(rows: list[tuple[list[str], list[str], list[str]]]) -> dict[str, str]:
    """The three tables of compilers as Markdown, by their names in the page."""
    heads = {"times": ["times as quick", *COMPILED], "seconds": COMPILED, "peaks": COMPILED}
    return {part: markdown(["workload", *heads[part]], lines) for part, lines in zip(heads, zip(*rows, strict=True), strict=True)}


def markdown(head: list[str], lines: Iterable[list[str]]) -> str:
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(cells)} |" for cells in lines)])


def row(name: str, seen: dict[str, list[list[float]]]) -> dict[str, Any]:
    """The line of a workload: for each heading the median, the minimum and the peak; which variant of PyTorch was the best."""
    found = {
        library: (statistics.median(ms), min(ms), max(mb))
        for library, rounds in seen.items()
        for ms, mb in [zip(*rounds, strict=True)]
    }
    best = min((library for library in TORCH if library in found), key=found.__getitem__, default="torch")
    return {"name": title(name), "best": best, **{h: found.get(best if h == "torch" else h) for h in HEADINGS}}


def table(rows: list[dict[str, Any]]) -> str:
    """All rows as Markdown: ms, and in brackets how many times as long as PyTorch, by the medians and by the minima."""
    lines = []
    for line in rows:
        cells, torch = [], line["torch"]
        for heading in HEADINGS:
            if (found := line[heading]) is None:
                cells.append("")
                continue
            text = f"{found[0]:.3g} ms"
            if heading == "torch":
                text += f", {line['best'].split()[-1]}" * (line["best"] != "torch")
            elif torch:
                text += f" ({ratio(found[0], torch[0])}, {ratio(found[1], torch[1])})"
            cells.append(text)
        peaks = [f"{found[2]:.0f}" if found else "-" for found in (line["chainrule"], line["compiled"], torch)]
        lines.append([line["name"], *cells, ", ".join(peaks)])
    return markdown(["workload", *HEADINGS, "peak MB: chainrule, compiled, torch"], lines)


def machine(threads: int) -> str:
    """What was measured where."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        (cpu,) = {line.split(":")[1].strip() for line in lines if line.startswith("model name")}
    except (OSError, ValueError):
        cpu = platform.processor() or platform.machine()
    versions = [f"NumPy {np.__version__}"]
    for library in ("torch", "jax", "mygrad"):
        if importlib.util.find_spec(library):
            versions.append(f"{library} {importlib.import_module(library).__version__}")
    where = f"{os.cpu_count()} cores of {cpu}, {platform.system()}"
    return f"{where}; Python {platform.python_version()}, {', '.join(versions)}; {threads} thread{'s' * (threads > 1)}, float32"


PAGE = """\
# What training steps cost

`python3 run.py bench` measures these on your machine, and prints the same table. Here it is for {machine}. Other programs
ran meanwhile (load {load:.1f}): ratios within one row say something, times alone do not.

Times are {clock}, medians of {rounds} rounds, all libraries in turn, each in a process of its own. In brackets is how many times
as long as PyTorch's best variant (eager; as it comes, with fused optimizers or with channels last) a step takes, by the medians,
and by the minima, which other programs disturb less: below 1 it is quicker. Ratios within 15 % are ties. By hand means NumPy
with derivatives written out and memory kept, without a graph: about the least that can be had op by op. JAX is compiled. All
had the same losses. Memory is the peak over that before the workload was made; compiled steps are recorded and compiled in it.

{table}
"""


COMPILERS = """\
# What compiled steps cost

`python benchmarks/steps.py --compile --threads {threads}` measures these on your machine, and prints the same tables. Here they
are for {machine}. Other programs ran meanwhile (load {load:.1f}).

All had the same losses. An empty place is a library that cannot compile that step, or a compiler that is not there. Replay is
autograd.compile without a C compiler. PyTorch as it comes is eager; JAX is jax.jit of the whole step.

## Milliseconds of a step

How many times as quick a step in C is as the best of PyTorch, torch.compile and JAX, in bold, stands first; the C is compiled by
the first of the compilers that are there. Then the ms of all, the shortest of {rounds} rounds, {clock}; in bold the best of
the three.

{times}

## Seconds until it is compiled

Those of the first five steps, in which all is compiled: with empty caches, then in a new process that finds them filled.

{seconds}

## Memory

What the process takes at its peak, in MB, over that when the library (for chainrule, NumPy) was imported. Caches are full.
Other processes that compile, as gcc, are not in it.

{peaks}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], epilog=f"the workloads: {', '.join(WORKLOADS)}")
    parser.add_argument("names", nargs="*", help="parts of names of workloads")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks.md, or docs/compilers.md")
    parser.add_argument("--compile", action="store_true", help="the table of compilers")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(*options.worker)
        return
    chosen = [name for name in WORKLOADS if not options.names or any(part in name for part in options.names)]
    if not chosen:
        sys.exit(f"no workload has such a name; they are {', '.join(WORKLOADS)}")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    rows: list[Any] = []
    wrong: list[str] = []
    for name in chosen:
        print(title(name), "...", file=sys.stderr, flush=True)
        if options.compile:
            with tempfile.TemporaryDirectory() as caches:
                seen, problems, seconds = measure(name, options.threads, options.rounds, COMPILED, caches)
            rows.append(compiled_row(name, seen, seconds))
        else:
            seen, problems, _ = measure(name, options.threads, options.rounds)
            rows.append(row(name, seen))
        wrong += problems
    made = compiled_tables(rows) if options.compile else {"table": table(rows)}
    here = machine(options.threads)
    print("\n\n".join(made.values()), *wrong, here, sep="\n")
    if options.page:
        name, text = ("compilers.md", COMPILERS) if options.compile else ("benchmarks.md", PAGE)
        clock = "processor time" if options.threads == 1 else "time on the clock"
        told = dict(machine=here, load=load, clock=clock, rounds=options.rounds, threads=options.threads)
        (Path(__file__).resolve().parent.parent / "docs" / name).write_text(text.format(**told, **made), encoding="utf-8")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
