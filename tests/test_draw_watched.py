"""draw of what was watched: every value and gradient in its box, modules, repetitions, boundaries, in-place writes, flags."""

import gc
import re
import time
import warnings
from functools import partial

import helpers
import numpy as np
import pytest
from test_draw import boxes, edges, ids, lines, needs_one

import autograd
import nn
import nn.functional as F
from autograd import draw, tensor
from autograd.see.layout import THEMES

leaf = partial(helpers.leaf, dtype=np.float32)


def watched(model, x, loss=lambda out: out.square().mean()):
    """A recording of a forward and a backward pass."""
    with autograd.watch() as tape:
        loss(model(x)).backward()
    return tape


def neuron():
    """The picture that micrograd made popular."""
    x1, x2 = tensor(2.0), tensor(0.0)
    w1, w2, b = leaf(-3.0), leaf(1.0), leaf(6.8813735870195432)
    with autograd.watch() as tape:
        n = x1 * w1 + x2 * w2 + b
        o = n.tanh()
        o.backward()
    return tape


def clusters(source):
    """The titles of the boxes around others."""
    return [a or b for a, b in re.findall(r'subgraph cluster_\w+ \{[^\[]*?\blabel=(?:"([^"]+)"|(\S+))', source)]


# ---------------------------------------------------------------- data and grad in each box
def test_each_box_has_data_and_grad():
    assert lines(draw(neuron())) == [
        "x1 float32 (); = 2",
        "w1 float32 (); = -3; grad = 1",
        "v1 = x1 * w1 multiply · float32 (); = -6; grad = 0.5; saved x1 (), 4 bytes; dw1 = g * x1",
        "x2 float32 (); = 0",
        "w2 float32 (); = 1; grad = 0",
        "v2 = x2 * w2 multiply · float32 (); = 0; grad = 0.5; saved x2 (), 4 bytes; dw2 = g * x2",
        "v3 = v1 + v2 add · float32 (); = -6; grad = 0.5; dv1 = g; dv2 = g",
        "b float32 (); = 6.881; grad = 0.5",
        "n = v3 + b add · float32 (); = 0.8814; grad = 0.5; dv3 = g; db = g",
        "o = tanh(n) tanh · float32 (); = 0.7071; grad = 1; saved o (), 4 bytes; dn = g * (1 - o * o)",
    ]


@needs_one
def test_the_picture_shows_what_the_text_says():
    picture = draw(neuron())
    found = boxes(picture)
    assert found["op5"] == [
        "o = tanh(n)",
        "tanh · float32 ()",
        "= 0.7071",
        "grad = 1",
        "saved o (), 4 bytes",
        "dn = g * (1 - o * o)",
    ]
    svg = picture.svg()
    assert svg.count(f'fill="{THEMES["light"]["parameter"][0]}"') == 3
    assert svg.count(f'fill="{THEMES["light"]["data"][0]}"') == 2
    assert svg.count(f'fill="{THEMES["light"]["output"][0]}"') == 1
    assert "yellow: parameters · grey: data · blue: operations · orange: gradients" in svg


def test_a_tensor_finds_its_recording():
    w = leaf([1.0, 2.0])
    with autograd.watch() as tape:
        h = w * 3 - 1
        loss = (h * h).sum()
        loss.backward()
    assert str(draw(loss)) == str(draw(tape)) == str(draw([loss]))
    assert "h = v1 - 1" in str(draw(loss))  # no rule of subtract keeps the 1
    assert "v1 = w * 3 multiply · float32 (2,); = [3, 6]; grad = [4, 10], norm 10.77" in " ".join(lines(draw(h)))

    def forgotten():
        with autograd.watch():
            h = w * 3 - 1
        return h

    h = forgotten()
    gc.collect()
    assert "h = v1 - ?" in str(draw(h))


@pytest.mark.parametrize("after", [False, True])
def test_one_call_runs_backward(after):
    """What it finds is what the recording would have had, where the graph remembers enough; retain_grad stays as it was."""
    x, w, b = tensor([[1.0, 2.0], [3.0, 4.0]]), leaf([0.5, -0.25]), leaf(0.1)
    y = ((x @ w + b).tanh() ** 2).mean()
    if after:
        y.backward(retain_graph=True)
        w.grad, b.grad = None, None
    text = " ".join(lines(draw(y, watch=True)))
    for part in (
        "v1 = x @ w matvec · float32 (2,); = [0, 0.5]; grad = [0.09868, 0.3822], norm 0.3947", "db = sum(g)",
        "v2 = v1 + b add · float32 (2,); = [0.1, 0.6]; grad = [0.09868, 0.3822]", "w float32 (2,); = [0.5, -0.25]; grad = [1.245, 1.726]",
        "v4 = v3**2 power · float32 (2,); = [0.009934, 0.2884]; grad = [0.5, 0.5]", "Backward has run" if after else "",
    ):  # fmt: skip
        assert part in text or part in str(draw(y)), part
    np.testing.assert_allclose(w.grad.array, [1.2451, 1.7260], rtol=1e-4)
    y.backward()
    assert not any(n.grad is not None for n in y.node.parents)


def test_the_graph_of_a_second_derivative():
    x = leaf(0.5)
    with autograd.watch() as tape:
        y = x.sin() * x
        (dy,) = autograd.grad(y, x, create_graph=True)
        dy.backward()
    text = str(draw(dy))
    for formula in ("v1 = sin(x)", "seed", "v2 = seed * x", "v4 = cos(x)", "dx += -g * sin(x)", "dy = v3 + v5"):
        assert formula in text
    assert f"grad = {tape.gradient(x):.4g}" in text
    np.testing.assert_allclose(tape.gradient(x), 2 * np.cos(0.5) - 0.5 * np.sin(0.5), rtol=1e-6)
    assert str(draw(tape)) == text


# ---------------------------------------------------------------- what gradients do not go through
@needs_one
def test_boundaries_writes_and_nans_are_marked():
    x = leaf([1.0, -2.0])
    with autograd.watch() as tape, warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        h = x.exp()
        with autograd.no_grad():
            mask = (h > 1).float()
        v = h * mask
        v[0] = 5.0
        v.mul_(2)
        y = (v * h.detach()).sum() + (x - x).log().sum()
        y.backward()
    picture = draw(tape)
    text = " ".join(lines(picture))
    assert "v1 = h > 1 greater · bool (2,); = [True, False]; no gradient, as under no_grad()" in text
    assert "v_2 = v with v[0] = 5 write · float32 (2,); = [5, 0]; in place" in text
    assert "v_3 = v_2 * 2 multiply · float32 (2,); = [10, 0]; in place" in text
    assert re.search(r"v5 = log\(v4\) Inf in 2 of 2; log", text)
    assert text.startswith("x grad: NaN in 2 of 2; float32")
    dashed = re.findall(r"(\w+) -> (\w+) \[[^\n]*style=dashed", picture.source)
    of = {lines_[0]: id for id, lines_ in boxes(picture).items()}
    assert (of["h = exp(x)"], of["v1 = h > 1"]) in dashed  # into no_grad()
    assert (of["h = exp(x)"], of["v2 = v_3 * h"]) in dashed  # detach()
    assert (of["mask = astype(v1)"], of["v = h * mask"]) in dashed
    assert len(dashed) == 4
    assert re.findall(r'label="  \(2,\) (\w+)  "', picture.source) == ["no_grad", "detached"]
    assert picture.source.count("odd") == 5  # x, v4 and what comes of it
    assert sum(f'color="{THEMES["light"]["flag"]}"' in line for line in picture.source.splitlines()) == 5


def test_numbers_without_a_name_are_written_where_they_are_used():
    x = leaf(2.0)
    with autograd.watch() as tape:
        y = x * tensor(3.0) + 1
        y.backward()
    assert "v1 = x * 3" in str(draw(tape))
    assert "data" not in str(draw(tape))


# ---------------------------------------------------------------- modules
def mlp():
    autograd.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))


def test_modules_are_boxes_around_their_ops():
    x, target = autograd.ones(4, 2), autograd.zeros(4, 1)
    picture = draw(watched(mlp(), x, loss=lambda out: F.mse_loss(out, target)))
    assert clusters(picture.source) == ["Sequential", "0 · Linear", "1 · Tanh", "2 · Linear"]
    said = [line.strip() for line in str(picture).splitlines()]
    assert [line for line in said if line.endswith(":")] == ["Sequential:", "0 · Linear:", "1 · Tanh:", "2 · Linear:"]
    text = " ".join(lines(picture))
    assert "v1 = linear(x, weight, bias)" in text
    assert "dweight = g.T @ x; dbias = sum(g, axis=0)" in text
    assert "2.weight float32 (1, 3); = [[" in text
    assert re.search(r'"?data1"? -> op1 \[label="  \(4, 2\)  "\]', picture.source)


@needs_one
def test_depth_closes_modules_and_expand_opens_them():
    tape = watched(mlp(), autograd.ones(4, 2))
    one = draw(tape, depth=0)
    assert re.search(r"Sequential +out: float32 \(4, 1\); 3 ops, 13 parameters; grad norm [\d.]+", str(one))
    assert len([i for i in ids(one.source) if i.startswith("module")]) == 1
    layers = draw(tape, depth=1)
    assert [lines[0] for id, lines in boxes(layers).items() if id.startswith("module")] == [
        "0 · Linear",
        "1 · Tanh",
        "2 · Linear",
    ]
    assert edges(layers.source) == [
        ("data1", "module1"),
        ("module1", "module2"),
        ("module2", "module3"),
        ("module3", "op4"),
        ("op4", "op5"),
    ]
    assert "0 · Linear" in clusters(draw(tape, depth=0, expand="0").source)
    assert "Sequential" in clusters(draw(tape, depth=0, expand=["0"]).source)
    opened = clusters(draw(tape, depth=1, expand="Linear").source)
    assert opened == ["Sequential", "0 · Linear", "2 · Linear"]
    norm = np.sqrt(sum(np.sum(tape.gradient(n) ** 2) for n in ("0.weight", "0.bias")))
    assert f"grad norm {norm:.4g}" in " ".join(lines(layers))


def test_layers_of_many_ops_are_one_box_until_they_are_opened():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3))
    labels = tensor([0, 2])
    tape = watched(net, autograd.randn(2, 1, 8, 8), loss=lambda out: F.cross_entropy(out, labels))
    text = " ".join(lines(draw(tape)))
    assert "1 · BatchNorm2d v9: float32 (2, 4, 6, 6); 8 ops, 8 parameters" in text
    assert "v10 = relu(v9)" in text
    assert "rms(" not in text
    assert "rms(" in str(draw(tape, expand="BatchNorm2d"))
    assert "rms(" in str(draw(tape, depth=2))


def test_a_module_says_where_something_is_nan():
    net = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    with autograd.no_grad():
        net[0].bias.fill_(float("nan"))
    assert "NaN or Inf in 1 op, first in linear" in str(draw(watched(net, autograd.ones(3, 2)), depth=1))


def transformer():
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32), 12)
    return watched(model, autograd.randn(5, 1, 16))


def test_a_large_model_is_one_page_with_its_blocks_drawn_once():
    tape = transformer()
    start = time.perf_counter()
    picture = draw(tape)
    assert time.perf_counter() - start < 10  # a tenth of a second on a machine that has nothing else to do
    assert str(picture).startswith("338 operations, 144 parameters.")
    assert len(ids(picture.source)) <= 30
    assert clusters(picture.source) == ["TransformerEncoder", "× 12", "layers.0 · TransformerEncoderLayer"]
    text = " ".join(lines(picture))
    assert "layers.0...11.self_attn · MultiheadAttention" in text
    norms = [np.sqrt(sum(np.sum(tape.gradient(f"layers.{i}.norm2.{n}") ** 2) for n in ("weight", "bias"))) for i in (0, 11)]
    assert "grad norm {:.4g} ... {:.4g}".format(*norms) in text
    assert picture.source.count("class=next") == 2  # into the attention, and around it
    one = draw(tape, depth=1)
    assert "layers.0...11 · TransformerEncoderLayer" in str(one)
    assert len([i for i in ids(draw(tape, depth=1, fold=False).source) if i.startswith("module")]) == 12
    opened = draw(tape, expand="layers.3.self_attn")
    assert "layers.3.self_attn · MultiheadAttention" in clusters(opened.source)
    assert "attention(" in str(opened)


def test_200_steps_of_an_lstm_are_drawn_as_a_loop():
    class Steps(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(4, 8)

        def forward(self, x):
            state = None
            for row in x:
                state = self.cell(row, state)
            return state

    tape = watched(Steps(), autograd.randn(200, 1, 4), loss=lambda out: out[0].square().mean())
    picture = draw(tape)
    assert clusters(picture.source) == ["Steps", "× 198"]  # all but the first and the last, of which only h goes on
    assert len(ids(picture.source)) <= 30
    assert "cell · LSTMCell" in " ".join(lines(picture))
    assert re.search(r"(module\d+) -> \1 \[[^\n]*class=next", picture.source)  # the cell goes from step to step


def test_what_lies_side_by_side_is_not_a_repetition():
    x = leaf(np.ones(3))
    y = autograd.stack([(x * x).exp() for _ in range(40)]).sum()
    assert "×" not in str(draw(y))
    assert "× " not in str(draw(y, fold=False))


# ---------------------------------------------------------------- looks
def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return sum(
        w * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
        for w, c in zip((0.2126, 0.7152, 0.0722), parts, strict=True)
    )


@pytest.mark.parametrize("theme", THEMES)
def test_all_that_is_written_can_be_read(theme):
    """The contrast that WCAG asks for text, 4.5, on every ground."""
    colours = THEMES[theme]
    grounds = [colours["paper"], colours["group"], *(c[0] for c in colours.values() if isinstance(c, tuple))]
    for ink in ("ink", "grad", "flag"):
        for ground in grounds:
            dark, light = sorted([luminance(colours[ink]), luminance(ground)])
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


@needs_one
def test_a_dark_picture_is_dark():
    svg = draw(neuron(), theme="dark").svg()
    assert THEMES["dark"]["paper"] in svg
    assert not any(c in svg for c in (THEMES["light"]["paper"], THEMES["light"]["op"][0], THEMES["light"]["grad"]))
    assert THEMES["dark"]["grad"] in svg


def test_mermaid_has_the_same_boxes_and_edges():
    picture = draw(watched(mlp(), autograd.ones(4, 2)))
    nodes = re.findall(r"^ *(\w+)\[\"<b>", picture.mermaid, re.M)
    arrows = re.findall(r"^ *(\w+) (?:-->|-\.->)(?:\|[^|]*\|)? (\w+)$", picture.mermaid, re.M)
    assert sorted(nodes) == sorted(ids(picture.source))
    assert sorted(arrows) == sorted(edges(picture.source))
    assert picture.mermaid.count("subgraph") == picture.mermaid.count("end\n") == 4
    assert not re.search(r'\["[^"]*["&*_`][^"]*"\]', picture.mermaid.replace("<b>", "").replace("</b>", ""))
    assert "classDef parameter" in picture.mermaid
