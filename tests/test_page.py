"""The page: a recorded pass in one file that needs nothing else, tried in a browser at each of its steps."""

import html
import json
import re
import shutil
import subprocess
import sys
from functools import partial

import helpers
import numpy as np
import pytest
from helpers import BROWSER, needs_browser
from test_draw import needs, needs_one

import autograd
import nn
import nn.functional as F
from autograd.errors import ArgumentError, FreedGraphError
from autograd.see.page import page

leaf = partial(helpers.leaf, dtype=np.float32)
pytestmark = needs_one


# ---------------------------------------------------------------- passes to look at
def scalars():
    a, b = leaf(2.0), leaf(-3.0)
    with autograd.watch() as tape:
        c = a * b
        d = a.tanh() + c
        loss = a * d
        loss.backward()
    return tape


def mlp():
    net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    with autograd.no_grad():
        net[0].bias[1] = -100.0  # a dead unit
    points, target = (
        autograd.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]),
        autograd.tensor([[0.0], [1.0], [1.0], [0.0]]),
    )
    with autograd.watch() as tape:
        loss = F.mse_loss(net(points), target)
        loss.backward()
    return tape


def cnn():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3))
    images, labels = autograd.randn(8, 1, 8, 8), autograd.randint(0, 3, (8,))
    with autograd.watch() as tape:
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
    return tape


def odd():
    """Writes in place, detach, several results, NaN, a second derivative, names that HTML and DOT have to escape."""
    w = leaf([1.0, 2.0, 3.0])
    with autograd.watch({'<i>"w"\\n</i>': w}) as tape:
        h = w * 2
        h[1:].exp_()
        h.add_(1)
        a, _, c = h.unbind(0)
        y = (h * h.detach()).sum() + a * c + (w - 1).log().sum()
        (d,) = autograd.grad(y, w, create_graph=True)
        (d * d).sum().backward()
    return tape


def blocks():
    """Equal blocks, in modules in modules."""
    net = nn.Sequential(*(nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3)) for _ in range(9)))
    with autograd.watch() as tape:
        net(autograd.randn(2, 3)).square().mean().backward()
    return tape


PASSES = {f.__name__: f for f in (scalars, mlp, cnn, odd, blocks)}


@pytest.fixture(params=PASSES)
def tape(request):
    with np.errstate(all="ignore"):
        return PASSES[request.param]()


def text_of(tape):
    return page(tape, sys.modules["autograd.see.layout"].places)


def data_of(text):
    (found,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


# ---------------------------------------------------------------- what is in it
def test_it_needs_nothing_from_anywhere(tape, tmp_path):
    text = tape.html(tmp_path / "page").read_text("utf-8")
    assert (tmp_path / "page.html").exists()
    assert "default-src 'none'" in text
    assert not re.findall(r"""(?:src|href)\s*=|@import|url\((?!#)|https?://(?!www\.w3\.org)|fetch\(|XMLHttpRequest""", text)
    assert "@@" not in text


def test_every_op_and_every_contribution_is_a_step(tape, tmp_path):
    data = data_of(tape.html(tmp_path / "page.html").read_text("utf-8"))
    backward = tape.backwards[-1]
    steps = [s for s in data["steps"] if s["kind"] == "back"]
    assert len(steps) == len(backward.contributions)
    for step, one in zip(steps, backward.contributions, strict=True):
        assert one.to.symbol in step["say"]
        added = data["arrays"][step["added"]]
        if "rows" in added:
            shown = np.array([[float(v) for v in row] for row in added["rows"]])
            np.testing.assert_allclose(shown.ravel(), one.fitted.ravel(), rtol=1e-3)
    last = {step["item"]: step["total"] for step in steps}
    for i, item in enumerate(data["items"]):
        if item["kind"] == "param" and i in last:
            total = backward.gradient(next(v for v in backward.gradients if v.symbol == item["symbol"]))
            assert data["arrays"][last[i]]["n"] == total.size


def test_each_box_is_in_one_group_and_each_use_is_an_edge(tape):
    """Between two boxes there are as many lines as uses; into and out of a group there is one for each value."""
    data = data_of(text_of(tape))
    groups, boxes = {g["id"]: g for g in data["groups"]}, data["boxes"]
    children = [id for g in groups.values() for id, *_ in g["nodes"]]
    assert sorted([*children, data["groups"][0]["id"]]) == sorted([*boxes, *groups])
    assert {b["item"] for b in boxes.values()} == {*range(len(data["items"]))}
    for group in groups.values():
        inside = {*(id for id, *_ in group["nodes"]), *(end for end, *_ in group["ports"])}
        places = {id: (x, y, w, h) for id, x, y, w, h in group["nodes"]}
        for source, target, value, points, keys, _ in group["edges"]:
            assert {source, target} <= inside
            assert source in places or source == f"<{value}"
            assert keys
            assert len(points) % 6 == 2
            x, y, w, h = places.get(target, (points[-2], points[-1], 0, 0))
            assert abs(points[-2] - x) <= w / 2 + 2
            assert abs(points[-1] - y) <= h / 2 + 2
    uses = {key for g in groups.values() for *_, keys, _ in g["edges"] for key in keys}
    steps = [s for s in data["steps"] if s["kind"] == "back"]
    assert {s["edge"] for s in steps} <= uses


def test_sums_are_seen():
    said = [s["say"] for s in data_of(text_of(scalars()))["steps"] if s["kind"] == "back"]
    assert said[0] == "∂loss/∂a = g * d = 1 * (-5.036) = -5.036 (path 1 of 3)"
    assert "∂loss/∂a += g * (1 - v1 * v1) = 2 * (1 - 0.964 * 0.964) = 0.1413; that makes -4.895 (path 2 of 3)" in said


def test_finite_differences_stand_beside_parameters():
    items = data_of(text_of(mlp()))["items"]
    checks = {i["symbol"]: i["check"] for i in items if i["kind"] == "param"}
    assert len(checks) == 4
    assert all(good and "finite differences agree" in said for good, said in checks.values())


def test_what_is_wrong_is_flagged():
    flags = [f for i in data_of(text_of(mlp()))["items"] for f in i["flags"]]
    assert flags == ["1 of 4 units are 0 for the whole batch (dead): no gradient goes through"]
    with np.errstate(all="ignore"):
        items = data_of(text_of(odd()))["items"]
    assert any("holds Inf" in f for i in items for f in i["flags"])
    notes = [n for i in items for n in i.get("notes", ())]
    assert any("written in place" in n for n in notes)
    assert any("is cut off here" in n for n in notes)
    assert any("computed by the backward of" in n for n in notes)


def test_modules_are_closed_where_there_are_too_many_boxes():
    net = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), 3)
    with autograd.watch() as tape:
        net(autograd.randn(2, 3, 8)).pow(2).mean().backward()
    data = data_of(text_of(tape))
    groups = {g["title"]: g for g in data["groups"]}
    shown = sum(len(g["nodes"]) - 1 for g in data["groups"] if g["id"] in data["open"]) + 1
    assert len(data["boxes"]) > 60 >= shown
    assert {"layers.0 · TransformerEncoderLayer", "layers.2.self_attn · MultiheadAttention"} <= {*groups}


def test_what_is_repeated_is_one_box_that_can_be_opened():
    net = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0), 6)
    with autograd.watch() as tape:
        net(autograd.randn(3, 2, 8)).pow(2).mean().backward()
    data = data_of(text_of(tape))
    groups = {g["id"]: g for g in data["groups"]}
    (repeated,) = [g for g in groups.values() if g["repeated"]]
    assert repeated["title"] == "layers.0...5 · × 6"
    assert repeated["id"] not in data["open"]
    assert [groups[id]["title"] for id, *_ in repeated["nodes"]] == [f"layers.{i} · TransformerEncoderLayer" for i in range(6)]
    assert len({str((groups[id]["width"], groups[id]["edges"][0][3])) for id, *_ in repeated["nodes"]}) == 1  # laid out alike
    w = leaf(0.5)
    with autograd.watch() as tape:
        h = leaf(1.0)
        for _ in range(30):
            h = (h * w).tanh() + 1
        h.backward()
    data = data_of(text_of(tape))
    (repeated,) = [g for g in data["groups"] if g["repeated"]]
    turns = [g for g in data["groups"] if re.fullmatch(r"\d+ of \d+", g["title"])]
    assert len(turns) == len(repeated["nodes"]) > 20
    assert [len(g["nodes"]) for g in turns] == [5] + [4] * (len(turns) - 1)  # three ops, w beside them, and the first h


def test_too_much_is_refused():
    y = leaf(1.0)
    with autograd.watch() as tape:
        for _ in range(1600):
            y = y * 1.0
        y.backward()
    with pytest.raises(ArgumentError, match="operations and leaves beside each other are more than a page can show"):
        tape.html("page.html")
    with autograd.watch() as tape:
        pass
    with pytest.raises(ArgumentError, match="nothing was computed"):
        tape.html("page.html")


# ---------------------------------------------------------------- where it is shown
def test_a_notebook_shows_it_in_a_frame_of_its_own():
    bundle = scalars()._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    (inner,) = re.findall(r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts"', bundle["text/html"])
    assert html.unescape(inner).startswith("<!doctype html>")
    assert set(autograd.watch()._repr_mimebundle_()) == {"text/plain"}


def test_a_drawing_has_one_too(tmp_path):
    a, b = leaf(2.0), leaf(-3.0)
    loss = (a * b).tanh() * a
    data = data_of(autograd.draw(loss).html(tmp_path / "page.html").read_text("utf-8"))
    assert {i["symbol"] for i in data["items"]} >= {"a", "b", "loss"}
    assert a.grad is None
    loss.backward()
    with pytest.raises(FreedGraphError, match="html: what the graph saved was freed"):
        autograd.draw(loss).html(tmp_path / "page.html")


def test_the_forward_pass_alone(tmp_path):
    layer, x = nn.Linear(2, 3), autograd.ones(1, 2)
    with autograd.watch() as tape, autograd.no_grad():
        layer(x).relu()
    data = data_of(tape.html(tmp_path / "page.html").read_text("utf-8"))
    assert [s["kind"] for s in data["steps"]] == ["start", "forward", "forward"]


# ---------------------------------------------------------------- in a browser
def opened(path, tmp_path, address):
    """What a browser makes of a page."""
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--virtual-time-budget=10000", "--dump-dom", f"{path.as_uri()}#{address}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("name", PASSES)
def test_the_page_passes_its_own_test(name, tmp_path):
    """It opens and closes each group, goes through every step, and through the quiz, and says in its title how that went."""
    with np.errstate(all="ignore"):
        path = PASSES[name]().html(tmp_path / "page.html")
    steps = len(data_of(path.read_text("utf-8"))["steps"])
    assert re.findall("<title>(.*?)</title>", opened(path, tmp_path, "selftest")) == [f"PASS {steps}"]


@pytest.mark.slow
@needs_browser
def test_an_address_says_which_step_and_what_is_open(tmp_path):
    path = blocks().html(tmp_path / "page.html")
    data = data_of(path.read_text("utf-8"))
    ids = {g["title"]: g["id"] for g in data["groups"]}
    dom = opened(path, tmp_path, "step=2")  # the first that is a block
    assert re.search(
        rf'data-id="{ids["0...8 · × 9"]}" tabindex="0" role="button"[^>]* aria-label="open 0...8 · × 9, × 9, 27 ops"', dom
    )
    assert "3 steps in a closed box at once" in dom  # its first repetition
    wanted = [ids[t] for t in ("Sequential", "0...8 · × 9", "3 · Sequential")]
    dom = opened(path, tmp_path, f"step=12&flow&open={'.'.join(['g0', *wanted])}")
    frames = re.findall(r'class="frame" data-id="(\w+)"', dom)
    assert frames == wanted
    assert '<body class="flow">' in dom
    assert f'class="node group now" data-id="{ids["3.1 · Tanh"]}"' in dom


@pytest.mark.slow
@needs["wasi"]
def test_either_engine_makes_the_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    data = data_of(scalars().html(tmp_path / "page.html").read_text("utf-8"))
    assert len(data["groups"]) == 1
