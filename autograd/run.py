"""Runs a PyTorch program on this library, as it stands: `python -m autograd.run train.py --epochs 3`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def main() -> None:
    """Run the script that the arguments begin with, or the module after `-m`, where `import torch` finds this library."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help") or arguments == ["-m"]:
        sys.exit("usage: python -m autograd.run SCRIPT [ARGUMENTS], or -m MODULE [ARGUMENTS]; import torch finds autograd there")
    from . import as_torch  # noqa: F401 (it lets `torch` mean this library)

    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path[0] = str(Path.cwd())
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return
    script = Path(arguments[0])
    if not script.is_file():
        sys.exit(f"there is no file {str(script)!r}")
    sys.argv = arguments
    sys.path[0] = str(script.resolve().parent)
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
