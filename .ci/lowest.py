"""Prints the lowest version of each requirement in pyproject.toml, extras included, as constraints for pip."""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
for line in sum(project["optional-dependencies"].values(), project["dependencies"]):
    name, lowest = re.match(r"([\w.-]+)(?:\[.*\])?(?:>=([\w.]+))?", line).groups()
    if lowest:
        print(f"{name}=={lowest}")
    elif name != project["name"]:
        sys.exit(f"pyproject.toml gives no lowest version of {name}: {line}")
