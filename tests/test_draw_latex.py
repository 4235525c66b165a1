"""Formulas in LaTeX: each formula of a picture is set, in its place; and what cannot be set stays text."""

import re
import sys
import xml.etree.ElementTree as ET

import pytest
from samples import SAMPLES
from strategies import some_calls
from test_draw import engine, leaf, network, results_of  # noqa: F401

import autograd
from autograd import draw
from autograd.errors import ArgumentError, MissingError
from autograd.see import typeset
from autograd.see.layout import THEMES

pytest.importorskip("matplotlib", reason="matplotlib is not installed, which sets formulas")
SVG = "{http://www.w3.org/2000/svg}"


def said(picture):
    """By box: its lines, and which of them are formulas that were set."""
    found = {}
    for group in ET.fromstring(picture.svg()).iter(f"{SVG}g"):
        if group.get("class").startswith("node"):
            texts = ["".join(t.itertext()) for t in group.iter(f"{SVG}text")]
            found[group.get("id")] = texts, [g for g in group.iter(f"{SVG}g") if g.get("class") == "formula"]
    return found


def test_each_formula_is_set_in_its_place(engine):  # noqa: F811
    """Title and rules, within their box, and nothing of what kept their places is left."""
    loss, params = network()
    loss.backward(retain_graph=True)
    picture, plain = draw(loss, params, formulas="latex"), draw(loss, params)
    svg = picture.svg()
    plain_lines, set_lines = (
        {n: {*t, *(f.get("aria-label") for f in fs)} for n, (t, fs) in said(p).items()} for p in (plain, picture)
    )
    assert {n: {t for t in texts if t} for n, texts in plain_lines.items()} == set_lines
    formulas = [f.get("aria-label") for _, fs in said(picture).values() for f in fs]
    assert {"loss = mean(v7)", "v3 = tanh(v2)", "dv2 = g * (1 - v3 * v3)", "data1"} <= {*formulas}
    assert not re.search("mmm", svg)
    used, shapes = {*re.findall(r'href="#([^"]+)"', svg)}, re.findall(r'<path id="([^"]+)" d="M', svg)
    assert len(shapes) == len({*shapes}) > 10
    assert used == {*shapes}


@pytest.mark.slow
def test_formulas_are_inside_of_their_boxes(engine):  # noqa: F811
    roots = [r for s in SAMPLES if s.smooth for call in some_calls(s, 1) for r in results_of(s, call)][::6]
    picture, compared = draw(roots, fold=False, formulas="latex"), 0
    for group in ET.fromstring(picture.svg()).iter(f"{SVG}g"):
        formulas = [f for _, f in picture.typeset[1].get(group.get("id"), {}).values() if f is not None]
        for formula, drawn in zip(formulas, group.findall(f"{SVG}g[@class='formula']"), strict=True):
            points = re.findall(r"(-?[\d.]+),(-?[\d.]+)", group.find(f"{SVG}path").get("d"))
            xs, ys = ([float(p[i]) for p in points] for i in range(2))
            x, y = map(float, re.match(r"translate\((\S+) (\S+)\)", drawn.get("transform")).groups())
            assert min(xs) <= x
            assert x + formula.width <= max(xs)
            assert min(ys) <= y - formula.height
            assert y + formula.depth <= max(ys)
            compared += 1
    assert compared > 100


def test_what_is_text_is_as_without():
    loss, params = network()
    picture, plain = draw(loss, params, formulas="latex"), draw(loss, params)
    assert (str(picture), picture.source, picture.mermaid) == (str(plain), plain.source, plain.mermaid)


def test_what_cannot_be_set_stays_text(engine):  # noqa: F811
    """A name that the fonts of mathematics lack, and what is wider than a box should be."""
    w, x = leaf(1.0), leaf(2.0)
    found = said(draw(w.exp().tanh() * x, {"重み": w, "x" * 60: x}, formulas="latex"))
    texts = [t for lines, _ in found.values() for t in lines]
    assert "重み" in texts
    assert "x" * 60 in texts
    assert "v1 = exp(重み)" in texts
    assert [f.get("aria-label") for f in found["op2"][1]] == ["v2 = tanh(v1)", "dv1 = g * (1 - v2 * v2)"]


@pytest.mark.parametrize("theme", THEMES)
def test_formulas_have_the_ink_of_the_theme(engine, theme):  # noqa: F811
    svg = draw(leaf(1.0).exp(), formulas="latex", theme=theme).svg()
    assert {*re.findall(r'class="formula" [^>]*style="([^"]*)"', svg)} == {f"fill:{THEMES[theme]['ink']}"}


def test_fractions_are_large_but_those_in_others():
    assert typeset._large(r"\frac{-g \cdot \frac{a}{b}}{b} + \frac{1}{2}") == r"\dfrac{-g \cdot \frac{a}{b}}{b} + \dfrac{1}{2}"
    small, large = typeset.typeset("a", "a"), typeset.typeset(r"\frac{a}{b}", "a / b")
    assert len(small.room) == 1
    assert len(large.room) == 2


def test_without_matplotlib_an_error_says_what_to_install(monkeypatch):
    typeset._setter.cache_clear()
    typeset.typeset.cache_clear()
    monkeypatch.setitem(sys.modules, "matplotlib.textpath", None)
    with pytest.raises(
        MissingError, match=r"formulas='latex' needs matplotlib, which sets them; pip install 'chainrule\[demo\]'"
    ):
        draw(leaf(1.0).exp(), formulas="latex")
    assert "exp" in str(draw(leaf(1.0).exp()))


def test_other_ways_are_refused():
    with pytest.raises(ArgumentError, match="draw: formulas is 'text' or 'latex', got 'tex'"):
        autograd.draw(leaf(1.0), formulas="tex")
