"""What importing the packages costs over importing NumPy alone: in ms, and as a ratio.

    python benchmarks/imports.py [--rounds 15]

Each import runs in a process of its own, in turn; the time is that of the processor, which other programs disturb least,
and of each the smallest counts. Where the time goes, `python -X importtime -c "import autograd, nn"` tells.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

STATEMENTS = ("import numpy", "import autograd", "import autograd, nn")
MEASURED = "import time; start = time.process_time(); {}; print(time.process_time() - start)"


def cost(statement: str) -> float:
    """The seconds that a statement takes in a fresh Python."""
    command = [sys.executable, "-c", MEASURED.format(statement)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    for statement in STATEMENTS:  # so that all is compiled to bytecode
        cost(statement)
    seen = [[cost(statement) for statement in STATEMENTS] for _ in range(rounds)]
    least = [min(column) for column in zip(*seen, strict=True)]
    for statement, seconds in zip(STATEMENTS, least, strict=True):
        over = f"{seconds * 1e3:6.0f} ms   {(seconds - least[0]) * 1e3:6.0f} ms over NumPy"
        print(f"{statement:22}{over}   {seconds / least[0]:.2f} times as long")


if __name__ == "__main__":
    main()
