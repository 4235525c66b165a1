"""What it takes to record a step for `autograd.compile`, beside an eager one: memory at its peak, and time.

    python benchmarks/recording.py [names ...]

The workloads are those of steps.py. Each runs twice in a process of its own, eager or recorded, on one thread. MB are what NumPy
and Python have at most, as tracemalloc counts them, with data and parameters; `resident` is what the process takes more than
before, in another run without tracemalloc. Times are of the second step.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import tracemalloc

from steps import WORKLOADS, peak, step_of, title

HOW = {"eager": "chainrule", "recorded": "compiled replay"}


def worker(name: str, how: str, counted: bool) -> None:
    """Print the MB of two steps at their peak, and the ms of the second."""
    step_of("xor_sgd", HOW[how])()  # what is imported late
    before = peak()
    if counted:
        tracemalloc.start()
    step = step_of(name, HOW[how])
    step()
    start = time.perf_counter()
    step()
    ms = (time.perf_counter() - start) * 1000
    print(json.dumps([tracemalloc.get_traced_memory()[1] / 2**20 if counted else peak() - before, ms]))


def measured(name: str, how: str, counted: bool) -> list[float]:
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, __file__, "--worker", name, how, "counted" if counted else ""]
    return json.loads(subprocess.run(command, env=os.environ | threads, stdout=subprocess.PIPE, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], epilog=f"the workloads: {', '.join(WORKLOADS)}")
    parser.add_argument("names", nargs="*", help="parts of names of workloads")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(*options.worker[:2], bool(options.worker[2]))
        return
    print(f"{'eager, recorded':52}{'MB':>14}{'resident MB':>16}{'ms':>18}")
    for name in [name for name in WORKLOADS if not options.names or any(part in name for part in options.names)]:
        (counted, _), (resident, ms) = ([*zip(*[measured(name, how, c) for how in HOW], strict=True)] for c in (True, False))
        cells = [(counted, ".1f", 14), (resident, ".0f", 16), (ms, ".3g", 18)]
        print(f"{title(name):52}" + "".join(f"{', '.join(f'{x:{form}}' for x in both):>{width}}" for both, form, width in cells))


if __name__ == "__main__":
    main()
