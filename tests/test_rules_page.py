"""docs/rules.md is what the table says: each formula on it computes what its rule computes, each kink is as described."""

import operator
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import leaves
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from samples import PRIMITIVES, SAMPLES
from strategies import some_calls

import autograd
from autograd import grad, ops, primitive, tensor
from autograd.engine.batch import whole
from autograd.engine.graph import ancestors
from autograd.engine.primitive import Plan, Results
from autograd.engine.tensor import Tensor
from autograd.errors import NoGradientError
from autograd.ops import decomposition
from autograd.see.symbols import Symbol, formulas, write
from nn.functional import activation, pool

FORMULAS = {name: formulas(op) for name, op in PRIMITIVES.items()}
DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def page():
    """The page, as a program of its own makes it: no test has added primitives there."""
    if not DOCS.is_dir():
        pytest.skip("there is no docs/ beside the tests: this is not a checkout")
    program = "import runpy, sys; print(runpy.run_path(sys.argv[1])['page'](), end='')"
    command = [sys.executable, "-c", program, DOCS / "rules.py"]
    return subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8").stdout


@pytest.mark.slow
def test_page_is_up_to_date(page):
    assert (DOCS / "rules.md").read_text(encoding="utf-8") == page, "run: python docs/rules.py"


@pytest.mark.slow
def test_page_shows_every_primitive(page):
    blocks = re.findall(r"^(\w+)\(.*\).*$", page, re.MULTILINE)
    bare = [
        name
        for part in page.split("No gradient:\n")[1:]
        for name in re.findall(r"^- `(\w+)`", part.split("\n#")[0], re.MULTILINE)
    ]
    assert set(PRIMITIVES) <= set(blocks + bare)  # and those of nn
    assert len(blocks + bare) == len(set(blocks + bare))


def test_every_primitive_says_what_it_computes():
    silent = [name for name, op in PRIMITIVES.items() if not op.says]
    assert not silent, f"say it in the table, by says='...': {', '.join(silent)}"
    assert [name for name, op in PRIMITIVES.items() if not re.fullmatch(r"\S.*\.", op.says)] == []


# ---------------------------------------------------------------- the formulas are right
def recorded(sample):
    """The nodes of some calls of a record: what rules are run on, as it comes out of the op itself."""
    found = []

    for call in some_calls(sample, 12):  # so that what may be left out is there at least once
        call = call.map(lambda a: autograd.from_numpy(a).requires_grad_(a.dtype.kind == "f"))
        with np.errstate(all="ignore"):
            out = leaves(call.run(sample.op))
        nodes = [t.node for t in out if isinstance(t, Tensor) and t.node is not None]
        found.extend(n for n in ancestors(nodes) if type(n.plan) is Plan)
    return found


def upstream(node):
    """Some gradient of what a node stands for."""
    rng = np.random.default_rng(0)
    if node.dtype == Results.dtype:
        return [rng.uniform(-1, 1, shape) for shape in node.shape]
    return rng.uniform(-1, 1, node.shape)


def evaluate(formula, values):
    """What the lines of a formula compute."""
    scope = {**formula.scope, **values}
    exec("\n".join(formula.lines), scope)
    return [scope[line.partition(" = ")[0]] for line in formula.lines if not re.match(r"t\d+ = ", line)]


def check(node, formula):
    """The formula computes what the rule computes from what the node saved, to the last bit."""
    op = node.plan.op
    values = dict(zip(node.plan.keep, node.saved, strict=True)) | {"g": upstream(node)}
    values["needs"] = tuple(i in node.plan.tracked for i in range(max(len(op.names), node.plan.tracked[-1] + 1)))
    name = "joint" if "joint" in op.rules else next(n for n in op.rules if n.lstrip("*") == formula.arguments[0])
    expected = op.rules[name](values["g"], *(values[w] for w in node.plan.wants[name]))
    found = evaluate(formula, values)
    if name == "joint" and formula.arguments != ("joint",):
        expected = [d for d, n in zip(expected, op.names, strict=False) if n.lstrip("*") in formula.arguments]
    elif name == "joint":
        found = found[0]
    else:
        expected = [expected]
    assert len(found) == len(expected)
    for d, e in zip(found, expected, strict=True):
        assert (d is None) == (e is None)
        if e is not None:
            assert_array_equal(whole(d), whole(e), strict=True)


@pytest.mark.slow
def test_formulas_compute_what_the_rules_compute():
    """For every rule of every primitive, on the values that calls of the records save."""
    checked = set()
    for sample in SAMPLES:
        for node in recorded(sample):
            name = node.plan.name
            for formula in FORMULAS[name] if node.plan.op is PRIMITIVES.get(name) else ():
                if formula.arguments == ("joint",) or set(formula.arguments) & {n.lstrip("*") for n in node.plan.arguments}:
                    with np.errstate(all="ignore"):
                        check(node, formula)
                    checked.add((name, formula.arguments))
    assert {(name, f.arguments) for name, fs in FORMULAS.items() for f in fs} - checked == set()


# ---------------------------------------------------------------- symbols
UNARY = [operator.neg, np.cos, np.square, lambda x: x[1:3], lambda x: x[..., None], lambda x: x[::-1].T, lambda x: x.shape[0] * x]
BINARY = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.lt, operator.eq, operator.ne, operator.ge,
    operator.floordiv, operator.mod, np.hypot,
    lambda x, y: np.where(x > y, x, y), lambda x, y: np.sum(x * y, axis=0, keepdims=True),
    lambda x, y: (x > 0) | (y > 0) & (x < y), lambda x, y: np.concatenate([x, y], 0), lambda x, y: np.add.reduce(x, 0) - y,
]  # fmt: skip
NUMBERS = st.sampled_from([2, -1, 0.5, -2.5, np.inf, -np.inf, np.nan, np.float64(1.5), np.float32(-3)])
EXPRESSIONS = st.recursive(
    st.sampled_from([lambda s: s["x"], lambda s: s["y"], lambda s: s["z"]]) | NUMBERS.map(lambda n: lambda s: n * s["x"]),
    lambda inner: (
        st.builds(lambda f, a: lambda s: f(a(s)), st.sampled_from(UNARY), inner)
        | st.builds(lambda f, a, b: lambda s: f(a(s), b(s)), st.sampled_from(BINARY), inner, inner)
        | st.builds(lambda f, a, n: lambda s: f(a(s), n), st.sampled_from(BINARY[:11]), inner, NUMBERS)
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
def test_what_symbols_write_is_what_was_done(expression):
    """Evaluated, the text computes what the expression computes, parentheses, slices, shared steps and all."""
    names = {n: Symbol(n) for n in "xyz"}
    [*lines], scope = write([Symbol((expression(names), 0))], ["result"])
    arrays = dict(zip("xyz", np.random.default_rng(0).uniform(0.5, 2, (3, 4, 4)), strict=True))
    with np.errstate(all="ignore"):
        try:
            expected = expression(arrays)
        except (ValueError, IndexError, TypeError):  # shapes that do not fit, minus of booleans
            return
        values = {**scope, **arrays}
        exec("\n".join(lines), values)
    assert_array_equal(values["result"], expected)


def test_symbols_write_as_a_person_would():
    x, y = Symbol("x"), Symbol("y")
    written = {
        "-x**2": -(x**2), "(-x)**2": (-x) ** 2, "x**-y": x**-y, "(x**2)**y": (x**2) ** y,
        "x - (y - x)": x - (y - x), "x - y - x": x - y - x,
        "x * y / x": x * y / x, "x / (y * x)": x / (y * x), "(x + 1) @ y.T": (x + 1) @ y.T, "2 * x": 2 * x, "x * -2": x * -2,
        "(x > y) * x": (x > y) * x, "(x == y) == x": (x == y) == x, "x[1:, ..., ::2]": x[1:, ..., ::2], "x[()]": x[()],
        "x[:-y.ndim]": x[: -y.ndim], "reshape(x, (2, -1))": np.reshape(x, (2, -1)),
        "astype(x, float32)": np.astype(x, np.float32),
        "linalg.inv(x)": np.linalg.inv(x), "add.reduce(x, axis=0)": np.add.reduce(x, 0),
        "sum(x, axis=(1,))": np.sum(x, axis=(1,)),
        "x.argmax(axis=y)": x.argmax(axis=y), "~(x > y)": ~(x > y),
    }  # fmt: skip
    for text, symbol in written.items():
        assert repr(symbol) == text


@pytest.mark.parametrize(
    "misuse",
    [
        bool, list, np.asarray, len, float, lambda x: 1 in x, lambda x: x[object()],
        lambda x: np.add(x, 1, out=x), lambda x: np.add.at(x, 0, 1),
    ],
)  # fmt: skip
def test_symbols_do_nothing_that_cannot_be_written(misuse):
    with pytest.raises(TypeError):
        misuse(Symbol("x"))


def test_a_step_used_twice_is_written_once():
    x = Symbol("x")
    once = np.expand_dims(np.exp(x), 0)
    lines, scope = write([once * once, once + 1], ["a", "b"])
    assert lines == ["t1 = expand_dims(exp(x), 0)", "a = t1 * t1", "b = t1 + 1"]
    assert scope == {"expand_dims": np.expand_dims, "exp": np.exp}


def helper(x):
    """Looks at values."""
    return x if x.sum() > 0 else -x


def program(g, x):
    for _ in range(2):
        g = g * x if x.ndim else g
    return g


def test_origins():
    """A rule that symbols can run writes itself; of a lambda that they cannot, the source is shown; else its name."""
    op = primitive(
        lambda x, y, z, w: x,
        "origins",
        x=lambda g, x: helper(g * x) / 2,
        y=lambda g, y_shape: np.reshape(
            g, tuple(n for n in y_shape)
        ),
        z=program,
        w=None,
    )  # fmt: skip
    symbols, source, name = formulas(op)
    assert (str(symbols), symbols.origin, symbols.saves) == ("dx = helper(g * x) / 2", "symbols", ("x",))
    assert (str(source), source.origin) == ("dy = np.reshape( g, tuple(n for n in y_shape) )", "source")
    assert (str(name), name.origin) == ("dz = program(g, x)", "program")
    assert symbols.scope == {"helper": helper}
    assert evaluate(source, {"g": np.ones(4), "y_shape": (2, 2)})[0].shape == (2, 2)
    assert evaluate(name, {"g": np.ones(1), "x": np.full(1, 3)})[0] == 9


def test_joint_rule_has_a_line_for_each_gradient():
    op = primitive(lambda x, y: x * y, "joint_rule", joint=lambda g, x, y, needs: [g * y if needs[0] else None, g * x])
    (formula,) = formulas(op)
    assert (formula.lines, formula.arguments) == (("dx = g * y", "dy = g * x"), ("x", "y"))


# ---------------------------------------------------------------- kinks
AT_KINKS = {  # an op: calls of it, where, and the gradients of their sum there
    "power": [(lambda x: x**0, [0.0], [0.0]), (lambda y: 0.0**y, [0.0, 2.0], [0.0, 0.0])],
    "absolute": [(autograd.abs, [0.0], [0.0])],
    "remainder": [(lambda x: x % 2, [4.0], [1.0]), (lambda y: 4 % y, [2.0], [-2.0])],
    "floor_divide": [(lambda x: x // 2, [4.0], [0.0]), (lambda y: 4 // y, [2.0], [0.0])],
    "relu": [(autograd.relu, [0.0], [0.0])],
    "fmod": [
        (lambda x: autograd.fmod(x, 2.0), [4.0, -5.0], [1.0, 1.0]),
        (lambda y: autograd.fmod(tensor(-5.0), y), [2.0, 5.0], [2.0, 1.0]),
    ],
    "mantissa": [(lambda x: autograd.frexp(x).mantissa, [2.0, -1.0, 0.0], [0.25, 0.5, 1.0])],
    "hypot": [
        (lambda x: autograd.hypot(x, tensor(0.0)), [0.0, -2.0], [0.0, -1.0]),
        (lambda y: autograd.hypot(tensor(0.0), y), [0.0], [0.0]),
    ],
    "arctan2": [(lambda x: autograd.atan2(x, 0 * x), [0.0], [0.0]), (lambda y: autograd.atan2(0 * y, y), [0.0], [0.0])],
    "copysign": [
        (lambda x: autograd.copysign(x, -1.0), [0.0, 2.0], [0.0, -1.0]),
        (lambda y: autograd.copysign(tensor(2.0), y), [0.0, 1.0], [0.0, 0.0]),
    ],
    "logit": [(np.errstate(all="ignore")(autograd.logit), [0.0, 0.5], [np.inf, 4.0])],
    "xlogy": [
        (lambda x: autograd.xlogy(x, tensor([0.0, -1.0, 1.0])), [0.0] * 3, [0.0] * 3),
        (lambda y: autograd.xlogy(0.0, y), [0.0, 1.0], [0.0, 0.0]),
    ],
    "logaddexp": [
        (lambda x: autograd.logaddexp(x, np.inf), [np.inf], [0.5]),
        (lambda y: autograd.logaddexp(-np.inf, y), [-np.inf, 1.0], [0.5, 1.0]),
    ],
    "logaddexp2": [
        (lambda x: autograd.logaddexp2(x, np.inf), [np.inf], [0.5]),
        (lambda y: autograd.logaddexp2(-np.inf, y), [-np.inf, 1.0], [0.5, 1.0]),
    ],
    "maximum": [(lambda x: autograd.maximum(x, 2), [2.0], [0.5]), (lambda y: autograd.maximum(2.0, y), [2.0], [0.5])],
    "minimum": [(lambda x: autograd.minimum(x, 2), [2.0], [0.5]), (lambda y: autograd.minimum(2.0, y), [2.0], [0.5])],
    "fmax": [
        (lambda x: autograd.fmax(x, 2.0), [2.0, np.nan], [1.0, 0.0]),
        (lambda y: autograd.fmax(tensor(2.0), y), [2.0, np.nan], [0.0, 0.0]),
    ],
    "fmin": [
        (lambda x: autograd.fmin(x, 2.0), [2.0, np.nan], [1.0, 0.0]),
        (lambda y: autograd.fmin(tensor(2.0), y), [2.0, np.nan], [0.0, 0.0]),
    ],
    "nan_to_num": [(autograd.nan_to_num, [np.nan, np.inf, -np.inf, 2.0], [0.0, 0.0, 0.0, 1.0])],
    "heaviside": [
        (lambda x: autograd.heaviside(x, 0.5), [0.0, 1.0], [0.0, 0.0]),
        (lambda v: autograd.heaviside(tensor(0.0), v), [0.5], [1.0]),
    ],
    "clip_min": [(lambda x: x.clamp(min=2), [2.0], [1.0]), (lambda low: tensor(2.0).clamp(min=low), [2.0], [0.0])],
    "clip_max": [(lambda x: x.clamp(max=2), [2.0], [1.0]), (lambda high: tensor(2.0).clamp(max=high), [2.0], [0.0])],
    "sign": [(autograd.sign, [0.0], [0.0])],
    "floor": [(autograd.floor, [2.0], [0.0])],
    "ceil": [(autograd.ceil, [2.0], [0.0])],
    "trunc": [(autograd.trunc, [2.0], [0.0])],
    "round": [(autograd.round, [2.5], [0.0])],
    "amax": [(autograd.amax, [3.0, 1.0, 3.0], [0.5, 0.0, 0.5])],
    "amin": [(autograd.amin, [3.0, 1.0, 1.0], [0.0, 0.5, 0.5])],
    "logsumexp": [(lambda x: x.logsumexp(0), [-np.inf, -np.inf], [0.0, 0.0])],
    "logcumsumexp": [(lambda x: x.logcumsumexp(0), [-np.inf, -np.inf, 1.0], [0.0, 0.0, 1.0])],
    "median": [(autograd.median, [2.0, 1.0, 2.0], [0.5, 0.0, 0.5])],
    "scatter_extreme": [
        (lambda x: ops.index.scatter_extreme(x, tensor([3.0, 1.0]), tensor([0, 0]), 0, True), [3.0, 1.0], [0.5, 1.0]),
        (
            lambda src: ops.index.scatter_extreme(tensor([3.0, 4.0]), src, tensor([0, 0, 1]), 0, False),
            [2.0, 2.0, 4.0],
            [0.5, 0.5, 0.5],
        ),
    ],
    "root": [(ops.reduce.root, [0.0], [0.0])],
    "vector_norm": [
        (lambda x: ops.linalg.vector_norm(x, 1, (0,), False), [0.0, 2.0], [0.0, 1.0]),
        (lambda x: ops.linalg.vector_norm(x, 2, (0,), False), [0.0, 0.0], [0.0, 0.0]),
    ],
    "slogdet": [(lambda x: decomposition.slogdet(x.reshape(1, 1))[1], [0.0], NoGradientError)],
    "qr": [(lambda x: decomposition.qr(x.reshape(2, 2), "reduced")[0], [1.0, 1.0, 1.0, 1.0], NoGradientError)],
    "eigh": [
        (lambda x: decomposition.eigh(x.reshape(2, 2))[1] * tensor([1.0, 2.0]), [1.0, 0.0, 0.0, 1.0], NoGradientError),
        (lambda x: decomposition.eigh(x.reshape(2, 2))[0], [1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]),
    ],
    "svd": [
        (lambda x: decomposition.svd(x.reshape(2, 2), False)[0] * tensor([1.0, 2.0]), [1.0, 0.0, 0.0, 1.0], NoGradientError),
        (lambda x: decomposition.svd(x.reshape(2, 2), False)[1], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]),
    ],
    "svdvals": [(lambda x: decomposition.svdvals(x.reshape(2, 2)), [2.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0])],
    "hardtanh": [(lambda x: activation.hard_tanh(x, -1, 2), [-1.0, 2.0], [0.0, 0.0])],
    "hardswish": [(activation.hard_swish, [-3.0, 3.0], [0.0, 1.0])],
    "window_max": [(lambda x: pool.window_max(x, ((2, 2, 0, 1),), (1,)), [3.0, 3.0], [1.0, 0.0])],
}


def test_every_kink_is_described_and_shown():
    """A rule that compares, or is a step, has a kink; the page says what it does there, and it does so here."""
    step = re.compile(r" [<>]=? | [=!]= |\bsign\(|zeros_like\(|\bties\(")
    kinked = {name for name, rules in FORMULAS.items() if any(step.search(str(f)) for f in rules)}
    assert kinked - {"fill", "bernoulli", "matrix_exp"} <= {name for name, op in PRIMITIVES.items() if op.kink} == AT_KINKS.keys()


@pytest.mark.parametrize("name", AT_KINKS)
def test_subgradient(name):
    for call, points, slopes in AT_KINKS[name]:
        x = tensor(points, requires_grad=True)
        y = call(x)
        assert name in {n.plan.name for n in ancestors([y.node]) if n.plan is not None}
        if slopes is NoGradientError:
            with pytest.raises(NoGradientError):
                y.sum().backward()
        else:
            assert grad(y.sum(), x)[0].tolist() == slopes
