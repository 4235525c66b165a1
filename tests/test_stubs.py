"""What type checkers and editors are told: the stubs are those of the tables, and functions return what they say."""

import importlib.util
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import calls
from test_ops import records, tensors

import autograd
from autograd.api import common, decomposition, elementwise, names, reduce, statistics

GENERATOR = Path(__file__).parents[1] / "docs" / "stubs.py"
PACKAGE = Path(autograd.__file__).parent
TABLE = names.FUNCTIONS | names.ONLY_FUNCTIONS | names.ONLY_METHODS
KINDS = {
    "Tensor": autograd.Tensor, "ValuesIndices": common.ValuesIndices, "MinMax": reduce.MinMax, "Histogram": statistics.Histogram,
    "SlogdetResult": decomposition.SlogdetResult, "QRResult": decomposition.QRResult, "SVDResultV": decomposition.SVDResultV,
    "Frexp": elementwise.Frexp, "builtins.bool": bool, "builtins.int": int, "Any": object,
}  # fmt: skip


def declared():
    """What each function and method is said to return: the kinds."""
    text = "".join((PACKAGE / file).read_text(encoding="utf-8") for file in ("__init__.pyi", "api/methods.pyi"))
    found = {}
    for name, kind in re.findall(r"^ *def (\w+)\(.*\) -> (.*): \.\.\.", text, re.MULTILINE):
        found.setdefault(name, set()).add(kind)
    return found


def is_a(result, kind):
    if kind == "builtins.tuple[Tensor, ...]":
        return isinstance(result, tuple) and all(isinstance(r, autograd.Tensor) for r in result)
    if kind.startswith("builtins.tuple[builtins.int"):
        return isinstance(result, tuple) and all(isinstance(r, int) for r in result)
    return isinstance(result, KINDS[kind])


def test_the_stubs_are_what_the_tables_say():
    if not GENERATOR.exists():
        pytest.skip("docs/stubs.py is not beside the tests: this is not a checkout")
    spec = importlib.util.spec_from_file_location("stubs", GENERATOR)
    stubs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stubs)
    for file, write in stubs.FILES.items():
        assert file.read_text(encoding="utf-8") == write(), "run: python docs/stubs.py"


@records(where=lambda sample: any(op is sample.op for op in TABLE.values()))
@given(st.data())
def test_a_function_returns_what_its_stub_says(sample, data):
    call, _ = tensors(data.draw(calls(sample)), sample.smooth)
    with np.errstate(all="ignore"):
        result = call.run(sample.op)
    said = declared()
    for name in [name for name, op in TABLE.items() if op is sample.op]:
        assert any(is_a(result, kind) for kind in said[name]), (name, said[name], type(result))


def test_what_is_said_can_be_wrong():
    assert not is_a((1,), "Tensor")
    assert not is_a(autograd.ones(2), "builtins.bool")
    assert {name for name in TABLE if name not in declared()} == set()


def test_the_page_of_a_user_runs():
    """What mypy reads of it is among the checks."""
    runpy.run_path(str(Path(__file__).with_name("typed_page.py")))
