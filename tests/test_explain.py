"""explain: each formula is a rule run on symbols, each number was recorded, and finite differences say the same."""

import re
from functools import partial
from unittest import mock

import helpers
import numpy as np
import pytest
from samples import SAMPLES
from strategies import some_calls
from test_record import watched

import autograd
import nn
import nn.functional as F
from autograd.engine.primitive import PRIMITIVES
from autograd.errors import ArgumentError, FreedGraphError, NoGradientError
from autograd.see.differences import difference
from autograd.see.formula import forward, latex, names, numbers, rule, shapes

leaf = partial(helpers.leaf, dtype=np.float32)
BORDER = "enter_batch leave_batch spread_over_batch total_over_batch".split()
AGAIN = {"__setitem__": "a write into a part of memory", "copy_": "a write into a part of memory"}  # are not run again
AGAIN |= dict.fromkeys(BORDER, "what a vmap did, which is over")


def example():
    w = leaf(3.0)
    with autograd.watch() as tape:
        h = w * w
        loss = 2 * h + w
        loss.backward()
    return tape, w, h, loss


# ---------------------------------------------------------------- for every op
@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.smooth], ids=lambda s: s.name)
def test_every_op_can_be_explained_and_differences_agree(sample):
    """In text, LaTeX and HTML."""
    for call in some_calls(sample, 2):
        if (heard := watched(sample, call)) is None:
            continue
        found, tape, loss = heard
        wanted = [t for t in found if t.grad is not None and t.array.size]
        for t in wanted:
            if (d := difference(tape, tape.backwards[0], tape.value(t))) is None:
                assert sample.name in AGAIN or any(hasattr(a, "numpy") for e in tape.events for a in e.arguments.values())
            else:
                assert d.worst < 1e-5, (sample.name, d)
        derivation = autograd.explain(loss, to=wanted)
        assert f"{derivation.of} and its gradients" in str(derivation)
        assert balanced(derivation.latex())
        assert derivation.html().count("<table>") == 3


def balanced(source):
    """Does every brace, \\left and \\begin of LaTeX have its other half?"""
    depth = 0
    for sign in re.findall(r"(?<!\\)[{}]", source):
        depth += 1 if sign == "{" else -1
        assert depth >= 0
    pairs = [(r"\left", r"\right"), (r"\begin", r"\end")]
    return depth == 0 and all(
        source.count(a + "(") == source.count(b + ")") and source.count(a + "{") == source.count(b + "{") for a, b in pairs
    )


@pytest.mark.slow
def test_formulas_are_true():
    """Worked out by NumPy, the formula of a contribution gives what its rule returned."""
    compared = set()
    for sample in (s for s in SAMPLES if s.smooth and s.domains):
        for call in some_calls(sample, 3):
            if (heard := watched(sample, call)) is None:
                continue
            _, tape, _ = heard
            for one in tape.backwards[0].contributions:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr("autograd.see.symbols.short", repr)  # all digits
                    patch.setattr("autograd.see.formula.short", repr)
                    formula = rule(one)
                if formula is None or isinstance(one.g, list):
                    continue
                known = vars(np) | {v.symbol: v.array for v in (*one.event.values, *one.event.results)} | {"g": one.g.array}
                try:
                    with np.errstate(all="ignore"):
                        expected = np.asarray(eval(formula, known))
                except (NameError, AttributeError, SyntaxError):  # it names a primitive of ours
                    continue
                told = np.isfinite(expected) & np.isfinite(one.d.array) if expected.shape == one.d.array.shape else False
                if np.any(told):
                    np.testing.assert_allclose(np.asarray(one.d.array)[told], expected[told], rtol=1e-9, atol=1e-12)
                    compared.add(one.event.name)
    assert len(compared) > 25


# ---------------------------------------------------------------- formulas
@pytest.mark.parametrize(("times", "expected"), [(1, "x + x"), (2, "x + x + (x + x)"), (64, "doubled(x)")])
def test_a_formula_is_written_out_where_that_is_short(times, expected):
    """And no longer one is made up on the way: doubled 64 times it would have 10**20 letters."""
    steps = [...] * times

    def doubled(x):
        for _ in steps:
            x = x + x
        return x

    x = leaf(1.0)
    with mock.patch.dict(PRIMITIVES), autograd.watch() as tape:
        autograd.primitive(doubled, x=lambda g: 2**times * g)(x)
    assert forward(tape.events[-1]) == expected


def test_one_rule_in_names_numbers_and_shapes():
    x, w = autograd.ones(4, 3), leaf(np.ones((3, 2)))
    a, b = leaf(2.0), leaf(-3.0)
    with autograd.watch() as tape:
        loss = (x @ w).sum() + a / b
        loss.backward()
    contributions = {(c.event.name, c.argument): c for c in tape.backwards[0].contributions}
    product, quotient = contributions["matmul", "y"], contributions["divide", "y"]
    assert (rule(product, names), rule(product, shapes)) == ("x.T @ g", "(4×3).T @ (4×2)")
    assert (rule(quotient, names), rule(quotient, numbers)) == ("-g * (a / b) / b", "-1 * (2 / (-3)) / (-3)")
    assert forward(quotient.event, numbers) == "2 / (-3)"
    assert rule(quotient, latex) == r"\frac{-g \cdot \frac{a}{b}}{b}"


def test_one_rule_for_all_arguments_gives_a_formula_for_each():
    a, b = leaf([[2.0, 1.0], [0.0, 1.0]]), leaf([[1.0], [2.0]])
    with autograd.watch() as tape:
        out = autograd.linalg.solve(a, b)
        out.sum().backward()
    formulas = {c.to.symbol: rule(c) for c in tape.backwards[0].contributions if c.event.name == "solve"}
    assert formulas == {"a": "-solve(a.T, g) @ out.T", "b": "solve(a.T, g)"}


def test_a_rule_that_is_no_formula_is_named():
    x = leaf(np.arange(16.0).reshape(1, 1, 4, 4))
    with autograd.watch() as tape:
        F.max_pool2d(x, 2).sum().backward()
    assert "∂L" not in str(autograd.explain(tape))
    assert "= rule of window_max = " in str(autograd.explain(tape))


# ---------------------------------------------------------------- the derivation
def test_a_gradient_is_the_sum_over_its_paths():
    tape, *_ = example()
    text = str(autograd.explain(tape))
    assert "∂loss/∂w += g * w = 2 * 3 = 6" in text
    assert "∂loss/∂w = 1 + 6 + 6 = 13" in text
    assert "finite differences: 13 (agree" in text


def test_in_latex():
    tape, *_ = example()
    source = autograd.explain(tape).latex()
    assert source.startswith("\\begin{aligned}\n")
    assert (
        r"\frac{\partial \mathrm{loss}}{\partial w} &\mathrel{+}= \frac{\partial \mathrm{loss}}{\partial h} \cdot w = 2 \cdot 3 = 6"
        in source
    )
    assert r"&= 1 + 6 + 6 = 13" in source
    assert autograd.explain(tape)._repr_latex_() == f"$$\n{source}\n$$"


def test_in_html(tmp_path):
    x = leaf(np.ones((2, 3)))
    with autograd.watch({"<b>": x}) as tape:
        (x * 2).sum().backward()
    text = autograd.explain(tape).html(tmp_path / "page.html")
    assert "<b>" not in text
    assert "∂v2/∂&lt;b&gt;" in text
    assert text in (tmp_path / "page.html").read_text("utf-8")


def test_only_what_leads_there():
    a, b = leaf(2.0), leaf(3.0)
    with autograd.watch() as tape:
        loss = a.tanh() + b.exp()
        loss.backward()
    text = str(autograd.explain(tape, to=b))
    assert "exp(b)" in text
    assert "tanh" not in text
    assert autograd.explain(tape, to=["a", "b"]).targets == [tape.value("a"), tape.value("b")]


def test_broadcasting_is_told():
    x, b = autograd.ones(4, 3), leaf(np.zeros(3))
    with autograd.watch() as tape:
        (x + b).sum().backward()
    assert "∂v2/∂b  = g = [4, 4, 4]  (summed over axis 0, as b was broadcast)" in str(autograd.explain(tape))


def test_a_wrong_rule_is_found_out():
    @autograd.differentiable(x=lambda g, x: g * np.sin(x))
    def wrong(x):
        return np.sin(x)

    with autograd.watch() as tape:
        wrong(leaf(1.0)).backward()
    assert "DISAGREE" in str(autograd.explain(tape))


def test_several_outputs_are_weighted():
    x = leaf([1.0, 2.0])
    with autograd.watch() as tape:
        y = x * 3
        y.backward(autograd.tensor([1.0, 10.0]))
    text = str(autograd.explain(tape))
    assert "L = sum([1, 10] * y) and its gradients" in text
    assert "finite differences: 3, 30 (agree" in text


def test_second_derivatives():
    w = leaf(2.0)
    with autograd.watch() as tape:
        (d,) = autograd.grad(w**3, w, create_graph=True)
        d.backward()
    text = str(autograd.explain(tape))
    assert "∂d/∂w = 12" in text
    assert "DISAGREE" not in text
    assert "∂v2/∂w" not in text
    assert "12" in str(autograd.explain(tape, backward=0))


# ---------------------------------------------------------------- without a recording
def test_a_graph_that_nobody_watched():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    x = autograd.randn(4, 2)
    loss = (net(x) - 1.0).pow(2).mean()
    text = str(autograd.explain(loss))
    assert "v1   = linear(x, 0.weight, 0.bias)" in text
    assert "v4   = v3 - ?" in text or "v3 - ?" in text
    assert text.count("agree") == 4
    loss.backward()
    for name, p in net.named_parameters():
        np.testing.assert_allclose(autograd.explain((net(x) - 1.0).pow(2).mean()).tape.gradient(name), p.grad.array, rtol=1e-5)


def test_explaining_leaves_the_graph_as_it_was():
    w = leaf(2.0)
    y = (w * w).exp()
    before = [(n.plan, n.saved, n.hooks) for n in autograd.engine.graph.ancestors([y.node])]
    str(autograd.explain(y))
    after = [(n.plan, n.saved, n.hooks) for n in autograd.engine.graph.ancestors([y.node])]
    assert all(a is b for old, new in zip(before, after, strict=True) for a, b in zip(old, new, strict=True))
    assert w.grad is None


def test_a_recording_without_a_backward_gets_one():
    w = leaf(3.0)
    with autograd.watch():
        y = w * w
    assert "∂y/∂w = 3 + 3 = 6" in str(autograd.explain(y))


def test_random_numbers_stay_as_they_are():
    w = leaf([1.0, 2.0])
    with autograd.watch() as tape:
        F.dropout(w * 2, 0.5).sum().backward()
    state = autograd.get_rng_state()
    assert "DISAGREE" not in str(autograd.explain(tape))
    assert str(state) == str(autograd.get_rng_state())


def test_refusals():
    w = leaf(3.0)
    with pytest.raises(NoGradientError, match="explain: no graph leads to this tensor"):
        autograd.explain(autograd.ones(2))
    with pytest.raises(NoGradientError, match="explain: this tensor is a leaf"):
        autograd.explain(w)
    y = w * w
    y.backward()
    with pytest.raises(FreedGraphError, match="ask before backward"):
        autograd.explain(y)
    with autograd.watch() as tape:
        _ = w * w
    with pytest.raises(ArgumentError, match="no backward was recorded"):
        autograd.explain(tape)


def test_a_long_graph_is_cut():
    y = w = leaf(1.0)
    with autograd.watch() as tape:
        for _ in range(150):
            y = y * 1.01
        y.backward()
    text = str(autograd.explain(tape, limit=10))
    assert "... and 140 more" in text
    assert len(text.splitlines()) < 50
    assert w.grad is not None
