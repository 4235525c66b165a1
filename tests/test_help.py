"""explain: every public function says what it does, and a primitive also by which rules, in an example that runs."""

import doctest
import inspect
import re

import numpy as np
import pytest
from samples import PRIMITIVES

import autograd
import nn.functional as F
from autograd.see.help import describe, docstrings, session
from autograd.see.symbols import Brief, formulas

MODULES = [autograd, autograd.special, autograd.linalg, autograd.random, autograd.func, F]
PUBLIC = {}  # the public primitives, by the first of their names
for module in MODULES:
    for name, value in vars(module).items():
        if hasattr(value, "rules") and value not in PUBLIC.values():
            PUBLIC[f"{module.__name__}.{name}"] = value
RULED = [name for name, op in PUBLIC.items() if any(op.rules.values())]


def first_sentence(function):
    return re.match(r"\S[^\n]*", inspect.getdoc(function) or "")


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_every_public_function_says_what_it_does(module):
    functions = {n: f for n, f in vars(module).items() if inspect.isfunction(f) and n[0] != "_"}
    assert len(functions) > 3
    silent = [n for n, f in functions.items() if not first_sentence(f)]
    assert not silent, f"no docstring; a primitive has it by `python docs/rules.py`: {', '.join(silent)}"


def test_docstrings_are_up_to_date():
    assert list(docstrings()) == sorted(PUBLIC), "run: python docs/rules.py"
    for name, op in PUBLIC.items():
        assert op.__doc__ == describe(op, name) == docstrings()[name], "run: python docs/rules.py"


@pytest.mark.parametrize("name", PUBLIC)
def test_examples_run(name):
    example = doctest.DocTestParser().get_doctest(PUBLIC[name].__doc__, {}, name, None, None)
    assert len(example.examples) > 2
    assert doctest.DocTestRunner().run(example).failed == 0
    assert ("requires_grad" in PUBLIC[name].__doc__) == (name in RULED)


@pytest.mark.parametrize("name", RULED)
def test_the_gradients_are_those_of_the_rules(name, monkeypatch):
    """What the docstring says of the gradients, worked out by NumPy, is what its example found."""
    monkeypatch.setattr("autograd.see.symbols.short", repr)  # all digits
    doc, arguments = describe(PUBLIC[name], name), list(inspect.signature(PUBLIC[name]).parameters)
    _, found = session(re.findall(r"^>>> (.*)", doc, re.MULTILINE))
    inputs = [found[n] for n in "xy" if n in found]
    scope = PRIMITIVES | vars(np) | {"g": np.ones(3), "out": found["out"].array}
    scope |= {n: x.array for n, x in zip(arguments, inputs, strict=False)}
    lines = re.findall(r"^    (?:d )?(\w+) = (.*)", doc, re.MULTILINE)
    for target, formula in lines:
        with np.errstate(all="ignore"):
            value = eval(formula, scope)
        if target in arguments:
            np.testing.assert_allclose(value, inputs[arguments.index(target)].grad.array, rtol=2e-6)
        else:
            scope[target] = value
    assert [t for t, _ in lines if t in arguments] == arguments[: len(inputs)]


@pytest.mark.parametrize("name", PUBLIC)
def test_shapes_are_as_they_say(name):
    op, operands = PUBLIC[name], [p for p in inspect.signature(PUBLIC[name]).parameters.values() if p.default is p.empty]
    kind = np.int64 if re.search("bitwise|gcd|lcm", name) else np.float64
    said = re.search(r"^Shape: (.*)\.$", op.__doc__, re.MULTILINE)[1]
    inputs = [autograd.ones(*shape, dtype=kind) for shape in [(2, 1), (3,)][: len(operands)]]
    with np.errstate(all="ignore"):
        shape = op(*inputs).shape
    if len(operands) == 1:
        assert (said, shape) == (f"that of `{operands[0].name}`", (2, 1))
    else:
        assert (said, shape) == (f"`{operands[0].name}` and `{operands[1].name}`, broadcast", (2, 3))


def test_of_sessions_the_first_that_tells_most_is_shown():
    assert "[1.5, 2.0, 3.0]" in autograd.arccosh.__doc__  # not defined at the first values
    assert "autograd.nan" in autograd.isnan.__doc__
    assert "[6, 5, 4]" in autograd.bitwise_and.__doc__


def scaled(g):
    return g * 0.123456789


def loop(g, x):
    for _ in range(x.ndim):
        g = g * x
    return g


def test_a_rule_is_worked_out_as_far_as_symbols_can():
    """In short: helpers worked out, arguments by their public names; where a helper loops over what is not known, it is called."""
    op = autograd.primitive(
        lambda x, y: x * y, "worked_out", x=lambda g, x, y: np.reshape(scaled(g), x.shape) * y, y=lambda g, x: loop(g, x) / 3
    )
    lines = [str(f) for f in formulas(op, Brief, {"x": "input", "y": "other"})]
    assert lines == ["dinput = g * 0.1235 * other", "dother = loop(g, input) / 3"]
