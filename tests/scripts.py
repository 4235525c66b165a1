"""Runs a Python program in a process of its own that need not import first: it is a copy of one where that was done."""

import multiprocessing
import os
import runpy
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

HOW = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"  # Windows cannot copy a process
PROCESSES = multiprocessing.get_context(HOW)
IMPORTED = "autograd.distributed.launch nn.train matplotlib.figure".split()
IMPORTED += "matplotlib.backends.backend_agg matplotlib.backends.backend_svg".split()


class Done(NamedTuple):
    """How a program ended, in subprocess's names."""

    returncode: int
    stdout: str
    stderr: str


def python(*arguments, seconds=300):
    """What `python FILE ...` or `python -m MODULE ...` does with these arguments."""
    PROCESSES.set_forkserver_preload(IMPORTED)
    with tempfile.TemporaryDirectory() as folder:
        printed = Path(folder, "stdout"), Path(folder, "stderr")
        process = PROCESSES.Process(target=_run, args=([*map(str, arguments)], printed, dict(os.environ)))
        process.start()
        process.join(seconds)
        if late := process.is_alive():
            process.kill()
            process.join()
        out, err = (file.read_text(encoding="utf-8") for file in printed)
    assert not late, f"{arguments} still runs after {seconds} s:\n{out}{err}"
    return Done(process.exitcode, out, err)


def _run(arguments, printed, environment):
    for number, file in enumerate(printed, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(environment)
    if arguments[0] == "-m":
        _, module, *rest = arguments
        sys.argv, sys.path = [module, *rest], [os.getcwd(), *sys.path]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path = arguments, [os.path.dirname(arguments[0]), *sys.path]
        runpy.run_path(arguments[0], run_name="__main__")
