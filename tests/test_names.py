"""The public names: public_names.txt lists them with their arguments, and none may go, or change, unnoticed.

After a change that is meant, write the list anew by `python tests/test_names.py`.
"""

import inspect
import sys
from functools import reduce
from pathlib import Path
from types import ModuleType

import pytest

import autograd  # noqa: F401 (it is looked into by name)
import nn  # noqa: F401

LIST = Path(__file__).with_name("public_names.txt")
PLACES = """
    autograd autograd.Tensor autograd.fft autograd.func autograd.functional autograd.linalg autograd.special autograd.random autograd.function autograd.errors
    autograd.testing autograd.distributed autograd.distributed.functional autograd.distributions autograd.distributions.constraints autograd.distributions.transforms
    nn nn.functional nn.init nn.optim nn.optim.lr_scheduler nn.optim.swa_utils nn.utils nn.utils.data nn.utils.data.transforms nn.utils.rnn
    nn.utils.prune nn.audio nn.datasets nn.metrics nn.onnx nn.ops nn.parallel nn.plot nn.train
"""  # what users import, or look into


def arguments(thing):
    """The names of what a function, or a class when it is made, takes; those after * by name only."""
    if str(getattr(thing, "__module__", "")).startswith("numpy"):
        return ""  # as its version has it
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):  # no function
        return ""
    star = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    words, only = [], False
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and not only and not any(w[0] == "*" for w in words):
            words.append("*")
        only = only or p.kind is p.KEYWORD_ONLY
        words.append(star.get(p.kind, "") + p.name)
    return f"({', '.join(words)})"


def public_names():
    """A line for each public name: where it is found, and what it takes."""
    lines = []
    for place in PLACES.split():
        top, *path = place.split(".")
        home = reduce(getattr, path, sys.modules[top])
        listed = getattr(home, "__all__", None)
        for name in listed or [n for n in dir(home) if n[0] != "_" and hasattr(home, n)]:  # Tensor says of some that they are not
            thing = getattr(home, name)
            helper = (
                isinstance(home, ModuleType)
                and not hasattr(home, "__path__")
                and getattr(thing, "__module__", "") not in (place, "autograd")
            )
            if listed or not (helper or isinstance(thing, ModuleType) or type(thing).__module__ == "__future__"):
                lines.append(f"{place}.{name}{arguments(thing) if callable(thing) else ''}")
    return sorted(lines)


@pytest.mark.parametrize("place", PLACES.split())
def test_the_public_names_are_those_of_the_list(place):
    prefix = lambda lines: {line for line in lines if line.partition("(")[0].rpartition(".")[0] == place}  # noqa: E731
    assert prefix(public_names()) == prefix(LIST.read_text(encoding="utf-8").splitlines())


if __name__ == "__main__":
    LIST.write_text("\n".join(public_names()) + "\n", encoding="utf-8")
