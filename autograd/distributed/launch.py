"""Starts a program in several processes: `python -m autograd.distributed.launch -n 4 train.py --epochs 3`.

It runs `mpiexec -n 4 python -m mpi4py ...`, so an exception in one process ends the whole job with its traceback. Each process
gets its share of the cores for BLAS, and finds RANK, LOCAL_RANK and WORLD_SIZE in its environment, as PyTorch's torchrun sets
them. Under an outer mpiexec or srun, which starts the processes itself, leave `-n` out: `srun python -m
autograd.distributed.launch train.py`.
"""

from __future__ import annotations

import argparse
import os
import runpy
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from ..errors import DistributedError, MissingError
from .group import mpi, started_as

THREADS = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"


def main() -> None:
    """Start the processes; or, in one of them, run the program."""
    options = _options()
    if started_as() is not None:
        _run(options.module, options.program, options.arguments)
        return
    sys.exit(start(options.n, [*(["-m"] if options.module else []), options.program, *options.arguments]))


def start(n: int, program: Sequence[str]) -> int:
    """Run the program, a file with its arguments, or "-m" and a module, in `n` processes; the code that they end with."""
    python = [sys.executable, "-m", "mpi4py", "-m", "autograd.distributed.launch"]
    share = str(max(1, len(os.sched_getaffinity(0)) // n)) if hasattr(os, "sched_getaffinity") else "1"
    environment = {**dict.fromkeys(THREADS, share), **os.environ}
    return subprocess.run([*mpiexec(), "-n", str(n), *python, *program], env=environment).returncode


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m autograd.distributed.launch", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "-n", "--nproc-per-node", "--nproc_per_node", dest="n", type=int, default=1, metavar="N", help="how many processes"
    )
    parser.add_argument("-m", "--module", action="store_true", help="the program is a module, as for `python -m`")
    parser.add_argument("program", help="a Python file, or with -m a module")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what it is called with")
    return parser.parse_args()


def mpiexec() -> list[str]:
    """The command that starts processes: of the MPI that pip installed beside this Python, or else of the system's."""
    mpi()
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None:
        raise MissingError("launch: there is no mpiexec: pip install 'chainrule[mpi]'")
    return [found]


def _run(module: bool, program: str, arguments: list[str]) -> None:
    MPI = mpi()
    world = MPI.COMM_WORLD
    local = world.Split_type(MPI.COMM_TYPE_SHARED)
    os.environ |= {
        "RANK": str(world.Get_rank()), "WORLD_SIZE": str(world.Get_size()),
        "LOCAL_RANK": str(local.Get_rank()), "LOCAL_WORLD_SIZE": str(local.Get_size()),
    }  # fmt: skip
    local.Free()
    sys.argv = [program, *arguments]
    try:
        if module:
            sys.path[0] = str(Path.cwd())
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        else:
            if not Path(program).is_file():
                raise DistributedError(f"launch: there is no file {program!r}")
            sys.path[0] = str(Path(program).resolve().parent)
            runpy.run_path(program, run_name="__main__")
    except BaseException as error:
        if isinstance(error, SystemExit) and error.code in (None, 0):
            raise
        _end(error)


def _end(error: BaseException) -> None:
    """Say what went wrong, and in which process, and end all of them: or the others would wait for this one."""
    rank = os.environ["RANK"]
    text = str(error.code) if isinstance(error, SystemExit) else "".join(traceback.format_exception(error))
    sys.stdout.flush()
    print("".join(f"[rank {rank}] {line}\n" for line in text.splitlines()), file=sys.stderr, end="", flush=True)
    time.sleep(0.2)  # until mpiexec has passed it on
    code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1
    mpi().COMM_WORLD.Abort(code)


if __name__ == "__main__":
    main()
