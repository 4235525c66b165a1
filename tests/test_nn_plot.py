"""Pictures of training: what stands in each, against numbers computed by other means, and what cannot be drawn."""

import base64
import io
import json
import math
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from helpers import BROWSER, needs_browser

import autograd
import nn
from autograd.errors import ArgumentError, MissingError, ShapeError, StateError, UnsupportedError
from nn import optim, plot
from nn.optim import lr_scheduler
from nn.plot.common import PALETTE
from nn.train import History, fit
from nn.utils.data import DataLoader, TensorDataset


@pytest.fixture(autouse=True)
def pyplot(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="pictures need matplotlib, which is an extra")
    yield pyplot
    pyplot.close("all")


def curves(axis):
    return {line.get_label(): (np.array(line.get_xdata()).tolist(), list(line.get_ydata())) for line in axis.get_lines()}


def legend(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


def image(axis):
    """The numbers of the one image in a panel."""
    (found,) = axis.get_images()
    return np.asarray(found.get_array())


def texts(axis):
    return [text.get_text() for text in axis.texts]


# ---------------------------------------------------------------- history
HISTORY = History(loss=[3.0, 2.0], accuracy=[0.5, 0.75], val_loss=[4.0, math.nan], lr=[0.1, 0.1], counts=[[1], [2]])


def test_each_measure_has_a_panel():
    loss, accuracy = HISTORY.plot()
    assert (loss.get_title(), accuracy.get_title(), loss.get_xlabel()) == ("loss", "accuracy", "epoch")
    found = curves(loss)
    assert found["training"] == ([1, 2], [3, 2])
    assert found["validation"][1][0] == 4
    assert math.isnan(found["validation"][1][1])
    assert curves(accuracy)["training"] == ([1, 2], [0.5, 0.75])
    assert legend(loss) == ["training", "validation", "lowest validation: 4, epoch 1"]


def test_the_best_epoch_is_marked_in_all_panels_but_that_of_the_rate():
    axes = plot.history({"loss": [3, 2, 1], "val_loss": [3, 1.5, 2.5], "accuracy": [0, 0.5, 1], "lr": [0.1, 0.05, 0.01]})
    marks = [[line.get_xdata() for line in axis.get_lines() if line.get_linestyle() == ":"] for axis in axes]
    assert marks == [[[2, 2]], [[2, 2]], []]
    assert legend(axes[0])[-1] == "lowest validation: 1.5, epoch 2"


def test_the_learning_rate_is_drawn_if_it_changes():
    axes = plot.history({"loss": [1.0, 0.5], "lr": [0.1, 0.05]})
    assert [axis.get_title() for axis in axes] == ["loss", "learning rate"]
    assert axes[1].get_legend() is None


def test_the_loss_goes_into_axes_that_are_there(pyplot):
    _, ax = pyplot.subplots()
    assert plot.history(HISTORY, ax) is ax
    assert curves(ax).keys() >= {"training", "validation"}
    assert len(pyplot.get_fignums()) == 1


def test_one_epoch_can_be_seen():
    (axis,) = plot.history({"loss": [1.0]})
    assert [line.get_marker() for line in axis.get_lines()] == ["o"]
    axis.figure.canvas.draw()


@pytest.mark.parametrize(
    ("h", "says"),
    [({}, "nothing to draw yet among no epochs"), ({"lr": [1, 1]}, "among lr"), ({"loss": [math.nan]}, "among loss")],
)
def test_nothing_to_draw_is_told(h, says):
    with pytest.raises(ArgumentError, match=says):
        plot.history(h)


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingError, match=r"needs matplotlib; pip install 'chainrule\[demo\]'"):
        HISTORY.plot()


# ---------------------------------------------------------------- live
def trained(callback, epochs=5):
    x = autograd.randn(8, 2)
    net = nn.Linear(2, 1)
    data = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), 4)
    return fit(net, nn.MSELoss(), optim.SGD(net.parameters(), 0.1), data, epochs, callbacks=[callback])


def test_live_curves_go_into_a_file_as_training_goes_on(tmp_path, pyplot):
    path, seen = tmp_path / "live.png", []

    def draw(loop):
        seen.append((loop.epoch, path.exists()))
        return plot.history(loop.history)

    trained(plot.Live(path, every=2, draw=draw))
    assert seen == [(2, False), (4, True), (5, True)]  # and in the end
    assert path.read_bytes().startswith(b"\x89PNG")
    assert pyplot.get_fignums() == []


def test_live_curves_are_shown_in_one_place_of_a_notebook(monkeypatch, pyplot):
    shown, updates = [], []
    place = types.SimpleNamespace(update=updates.append)
    display = types.SimpleNamespace(display=lambda figure, display_id: shown.append(figure) or place)
    shell = types.SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell, display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    live = plot.Live()
    monkeypatch.setattr("nn.train.loop.Progress.on_fit_begin", lambda *_: None)
    trained(live)
    assert (len(shown), len(updates)) == (1, 4)
    assert len(curves(updates[-1].axes[0])["training"][0]) == 5
    trained(live, 1)  # another run, in a place of its own
    assert (len(shown), len(updates)) == (2, 4)
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("every", [0, 1.5, True])
def test_live_wants_a_number_of_epochs(every):
    with pytest.raises(ArgumentError, match="every is a whole number of epochs"):
        plot.Live(every=every)


# ---------------------------------------------------------------- activation functions and schedules
@pytest.mark.parametrize("name", plot.curves.GALLERY)
def test_the_derivative_of_an_activation_is_that_of_finite_differences(name):
    found = curves(plot.activation(name))
    x, y = (np.array(v) for v in found[name])
    slopes = np.array(found["its derivative"][1])
    between = (y[2:] - y[:-2]) / (x[2:] - x[:-2])
    inner = slopes[1:-1]
    smooth = np.isfinite(between) & np.isfinite(inner)
    for d in (-1, 1, 0):  # away from kinks, where the slope jumps or turns
        smooth &= np.abs(np.roll(inner, d) - inner) < 0.05
    assert smooth.mean() > 0.95
    np.testing.assert_allclose(inner[smooth], between[smooth], atol=3e-2)
    np.testing.assert_allclose(np.median(np.abs(inner[smooth] - between[smooth])), 0, atol=1e-4)


def test_a_jump_is_not_joined_by_a_line():
    derivative = np.array(curves(plot.activation("relu"))["its derivative"][1])
    assert np.isnan(derivative).sum() == 1
    assert set(derivative[np.isfinite(derivative)]) == {0, 1}
    steep = np.array(curves(plot.activation(lambda x: (30 * x).sin()))["its derivative"][1])
    assert np.isfinite(steep).all()


def test_a_gallery_has_a_panel_for_each_function(pyplot):
    axes = plot.activations()
    assert [axis.get_title() for axis in axes] == list(plot.curves.GALLERY)
    assert legend(axes[0]) == ["the function", "its derivative"]
    assert all(axis.get_legend() is None for axis in axes[1:])
    _, own = pyplot.subplots(1, 2)
    assert list(plot.activations([nn.ELU(), nn.functional.silu], own)) == list(own)
    assert [axis.get_title() for axis in own] == ["ELU(alpha=1.0)", "silu"]


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: plot.activation("rleu"), ArgumentError, "has no 'rleu'; it has relu"),
        (lambda: plot.activation(3), UnsupportedError, "a Module or a name, not 3"),
        (lambda: plot.activation(lambda x: x.sum()), ShapeError, "is one of the same shape"),
        (lambda: plot.activation("relu", between=(1, 1)), ArgumentError, r"between is \(low, high\)"),
        (lambda: plot.activations(["relu", "elu"], ["no axes"]), ArgumentError, "2 panels to draw, and ax has 1"),
        (lambda: plot.activation("relu", "no axes"), UnsupportedError, "ax is Axes of matplotlib"),
    ],
)
def test_what_is_no_activation_is_told(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_schedules_are_those_that_an_optimizer_sees():
    def make(optimizer):
        return lr_scheduler.CosineAnnealingLR(optimizer, 20)

    found = curves(plot.schedules({"cosine": make, "step": lambda o: lr_scheduler.StepLR(o, 5)}, 20, lr=0.4))
    np.testing.assert_allclose(found["cosine"][1], 0.2 * (1 + np.cos(np.pi * np.arange(20) / 20)))
    np.testing.assert_allclose(found["step"][1], 0.4 * 0.1 ** (np.arange(20) // 5))
    assert list(curves(plot.schedules(make, 3))) == ["CosineAnnealingLR"]
    with pytest.raises(ArgumentError, match="depend on how training goes"):
        plot.schedules(lr_scheduler.ReduceLROnPlateau, 3)
    with pytest.raises(ArgumentError, match="steps is a whole number"):
        plot.schedules(make, 0)


# ---------------------------------------------------------------- classifiers
class Diagonal(nn.Module):
    """Class 1 above the line x + y = 1; and it says in which mode it was asked."""

    def forward(self, x):
        assert not self.training
        return x.sum(1) - 1


def test_the_boundary_is_where_the_model_has_it(pyplot):
    x, y = autograd.tensor([[0.0, 0.0], [1.0, 1.0], [0.2, 0.1]]), autograd.tensor([0, 1, 0])
    model = Diagonal()
    axis = plot.boundary(model, x, y, names=["low", "high"])
    assert model.training
    assert legend(axis) == ["low", "high"]
    dots = [
        collection
        for collection in axis.collections
        if len(collection.get_offsets()) and collection.get_label() in ("low", "high")
    ]
    np.testing.assert_allclose([np.asarray(d.get_offsets()).shape for d in dots], [(2, 2), (1, 2)])
    np.testing.assert_allclose(dots[1].get_offsets(), [[1, 1]])
    np.testing.assert_allclose(border(axis).sum(1), 1, atol=1e-6)


def border(axis):
    """The points of the lines between the regions."""
    lines = [c for c in axis.collections if getattr(c, "filled", None) is False]
    return np.concatenate([path.vertices for c in lines for path in c.get_paths()])


def test_each_class_has_the_region_where_its_score_is_the_largest():
    x = np.array([[0.0, 0.0], [1.0, 1.0]])
    axis = plot.boundary(lambda grid: autograd.stack([grid[:, 0], grid[:, 1], 1 - grid.sum(1)], 1), x)
    a, b = border(axis).T
    scores = np.sort([a, b, 1 - a - b], axis=0)
    np.testing.assert_allclose(scores[1], scores[2], atol=0.01)  # two are the largest; they are corners at one point only
    fills = [c for c in axis.collections if getattr(c, "filled", None)]
    assert [rgb(c.get_facecolor()[0]) for c in fills] == [rgb_of(colour) for colour in PALETTE[:3]]
    (alone,) = plot.boundary(
        lambda grid: autograd.stack([grid[:, 0] * 0, grid[:, 0] * 0 - 1], 1), x
    ).collections  # one wins everywhere
    assert alone.filled


def rgb(colour):
    return tuple(round(255 * c) for c in colour[:3])


def rgb_of(code):
    return tuple(int(code[i : i + 2], 16) for i in (1, 3, 5))


def test_a_threshold_moves_the_boundary():
    x = autograd.tensor([[0.0, 0.0], [1.0, 1.0]])
    axis = plot.boundary(Diagonal(), x, threshold=0.5)
    np.testing.assert_allclose(border(axis).sum(1), 1.5, atol=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "options", "says"),
    [
        (np.zeros((3, 3)), None, {}, r"x must be \(n, 2\), got \(3, 3\)"),
        (np.zeros((3, 2)), [0, 1], {}, "there are 3 points and 2 classes"),
        (np.zeros((2, 2)), [0, 8], {}, "colours for 8 classes"),
        (np.zeros((2, 2)), [0, 2], {"names": ["a", "b"]}, "3 classes and 2 names"),
    ],
)
def test_what_has_no_boundary_is_told(x, y, options, says):
    with pytest.raises((ShapeError, ArgumentError), match=says):
        plot.boundary(Diagonal(), x, y, **options)


def test_a_confusion_matrix_shows_counts_and_shades_shares():
    counts = np.array([[8, 2], [0, 0]])
    axis = plot.confusion(counts, names=["cat", "dog"])
    np.testing.assert_allclose(image(axis), [[0.8, 0.2], [0, 0]])
    assert texts(axis) == ["8", "2", "0", "0"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["cat", "dog"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("taken for", "class")
    assert texts(plot.confusion(counts / 10)) == ["0.80", "0.20", "0.00", "0.00"]
    with pytest.raises(ShapeError, match=r"must be square, got \(2, 3\)"):
        plot.confusion(np.zeros((2, 3)))
    with pytest.raises(ArgumentError, match="2 classes and 1 names"):
        plot.confusion(counts, names=["cat"])


def test_predictions_show_mistakes_first():
    pictures = np.arange(4 * 4).reshape(4, 2, 2) / 16
    axes = plot.predictions(pictures, autograd.tensor([0, 1, 1, 0]), [0, 1, 0, 0], names=["cat", "dog"], most=3)
    assert [axis.get_title() for axis in axes] == ["dog, is cat", "cat", "dog"]
    np.testing.assert_array_equal(image(axes[0]), pictures[2])
    framed = [axis.spines["left"].get_visible() for axis in axes]
    assert framed == [True, False, False]
    assert "3 of 4 right (75.0%)" in axes[0].figure.get_suptitle()
    assert [axis.get_title() for axis in plot.predictions(pictures, np.eye(4))] == ["0", "1", "2", "3"]
    with pytest.raises(ShapeError, match="4 images, 3 outputs, 2 targets"):
        plot.predictions(pictures, [0, 1, 2], [0, 1])


# ---------------------------------------------------------------- images
def test_images_share_a_scale():
    batch = np.arange(2 * 1 * 2 * 3).reshape(2, 1, 2, 3).astype(float)
    axes = plot.images(batch, ["a"])
    assert [axis.get_title() for axis in axes] == ["a", ""]
    np.testing.assert_array_equal(image(axes[1]), batch[1, 0])
    assert [axis.get_images()[0].get_clim() for axis in axes] == [(0, 11)] * 2
    colours = image(plot.images(batch.reshape(1, 3, 2, 2))[0])
    np.testing.assert_allclose(colours, np.moveaxis(batch.reshape(3, 2, 2), 0, -1) / 11)
    for wrong in (np.zeros((2, 2)), np.zeros((1, 5, 2, 2)), np.zeros((0, 2, 2))):
        with pytest.raises(ShapeError, match=re.escape(str(wrong.shape))):
            plot.images(wrong)


def test_filters_show_the_kernels_in_rows_and_columns():
    layer = nn.Conv2d(2, 3, 24)
    axis = plot.filters(layer)
    weight, shown = layer.weight.detach().numpy(), image(axis)
    assert axis.get_title() == "3 filters of 2 channels"
    np.testing.assert_allclose(shown[26:50, 26:50], weight[1, 1])  # between kernels there are two pixels
    assert np.isnan(shown[24:26]).all()
    low, high = axis.get_images()[0].get_clim()
    assert -low == high == np.abs(weight).max()
    assert "(the first 2 x 2)" in plot.filters(layer, most=2).get_title()
    with pytest.raises(ShapeError, match="weight of a Conv2d"):
        plot.filters(nn.Linear(2, 3))


def test_feature_maps_are_what_the_layers_return():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 3, 3))
    x = autograd.randn(1, 1, 28, 28)
    first, second = plot.feature_maps(net, x)
    assert (first.get_title(), second.get_title()) == ("0: Conv2d\n2 maps, 26 x 26", "3: Conv2d\n3 maps, 24 x 24")
    net.eval()
    np.testing.assert_allclose(image(first)[28:54], net[0](x)[0, 1].detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(image(second)[:24], net(x)[0, 0].detach().numpy(), rtol=1e-5)
    (chosen,) = plot.feature_maps(net, x, layers=["2"])
    assert image(chosen)[:26].min() == 0  # ReLU's
    assert not net[0]._hooks
    with pytest.raises(ArgumentError, match="no module 'conv'; it has 0, 1, 2, 3"):
        plot.feature_maps(net, x, layers=["conv"])
    with pytest.raises(ArgumentError, match="Linear has no convolution"):
        plot.feature_maps(nn.Linear(1, 1), x)
    with pytest.raises(ShapeError, match="feature maps of one input"):
        plot.feature_maps(net, autograd.randn(2, 1, 28, 28))


def test_attention_is_a_panel_for_each_head():
    weights = autograd.tensor([[[0.9, 0.1, 0.0]], [[0.2, 0.3, 0.5]]])
    axes = plot.attention(weights, queries=["q"], keys=["a", "b", "c"])
    assert [axis.get_title() for axis in axes] == ["head 0", "head 1"]
    np.testing.assert_allclose(image(axes[1]), [[0.2, 0.3, 0.5]])
    assert [label.get_text() for label in axes[0].get_xticklabels()] == ["a", "b", "c"]
    assert {axis.get_images()[0].get_clim() for axis in axes} == {(0.0, float(np.float32(0.9)))}
    with pytest.raises(ShapeError, match="3 keys and 1 words"):
        plot.attention(weights, keys=["a"])
    with pytest.raises(ShapeError, match="weights must be"):
        plot.attention([0.5, 0.5])


# ---------------------------------------------------------------- weights and gradients
def test_gradient_flow_shows_mean_and_largest():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    net(autograd.randn(4, 2)).sum().backward()
    net[0].bias.grad = None
    axis = plot.gradient_flow(net)
    sizes = [np.abs(p.grad.numpy()) for p in (net[0].weight, net[1].weight, net[1].bias)]
    np.testing.assert_allclose([bar.get_height() for bar in axis.patches], [s.mean() for s in sizes], rtol=1e-6)
    largest, none = axis.get_lines()
    np.testing.assert_allclose(largest.get_ydata(), [s.max() for s in sizes], rtol=1e-6)
    assert none.get_xdata().tolist() == [1]
    assert axis.get_yscale() == "log"
    assert axis.get_ylim()[0] < min(s.mean() for s in sizes)
    with pytest.raises(StateError, match="no parameter has a gradient"):
        plot.gradient_flow(nn.Linear(1, 1))
    with pytest.raises(UnsupportedError, match="must be a Module, not int"):
        plot.gradient_flow(1)


def test_hills_stand_where_the_weights_are():
    net = nn.Linear(2, 2, bias=False)
    layers = plot.Layers(net)
    for center in (-1.0, 3.0):
        with autograd.no_grad():
            net.weight.fill_(center)
        layers.record()
    (axis,) = layers.histograms()
    assert axis.get_title() == "weight"
    tops = [c.get_paths()[0].vertices[c.get_paths()[0].vertices[:, 1].argmax()] for c in axis.collections]
    np.testing.assert_allclose([top[0] for top in tops], [-1, 3], atol=0.05)
    assert tops[0][1] > tops[1][1]  # the first stands above
    assert dict(zip(axis.get_yticks(), [t.get_text() for t in axis.get_yticklabels()], strict=True)) == {1: "1", 0: "2"}
    with pytest.raises(StateError, match=r"no gradient was recorded yet; call record\(\) after backward"):
        layers.histograms("gradient")
    with pytest.raises(ArgumentError, match="what is 'weight' or 'gradient'"):
        layers.histograms("bias")


def test_layers_are_recorded_after_each_epoch_of_fit():
    net = nn.Linear(2, 1)
    layers = plot.Layers(net, keep=3)
    x = autograd.randn(8, 2)
    data = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), 4)
    fit(net, nn.MSELoss(), optim.SGD(net.parameters(), 0.1), data, 20, callbacks=[layers.record])
    assert layers.records == 20
    assert [axis.get_title() for axis in layers.histograms("gradient")] == ["weight", "bias"]
    assert len(layers.histograms()[0].collections) == 16  # of twenty
    np.testing.assert_allclose(layers.found["weight"]["weight"][-1][1], net.weight.detach().numpy().ravel())


def test_what_is_not_finite_is_left_out_of_the_hills():
    net = nn.Linear(2, 1, bias=False)
    net.weight.grad = autograd.tensor([[math.nan, 2.0]])
    layers = plot.Layers(net)
    layers.record()
    assert layers.found["gradient"]["weight"][0][1].tolist() == [2.0]


# ---------------------------------------------------------------- surfaces
def test_paths_are_the_steps_of_the_optimizers():
    bowl = lambda x, y: x**2 + 4 * y**2  # noqa: E731
    makers = {"SGD": lambda p: optim.SGD(p, lr=0.1), "LBFGS": lambda p: optim.LBFGS(p, lr=1, max_iter=20)}
    paths = plot.descend(bowl, (1.0, 1.0), makers, steps=3)
    np.testing.assert_allclose(paths["SGD"], np.array([0.8, 0.2]) ** np.arange(4)[:, None])
    np.testing.assert_allclose(paths["LBFGS"][-1], 0, atol=1e-5)
    axis = plot.surface(bowl, paths, until=2, minima=[(0, 0)])
    assert legend(axis) == ["SGD", "LBFGS", "minimum"]
    np.testing.assert_allclose(np.stack(axis.get_lines()[0].get_data(), 1), paths["SGD"][:3])
    assert axis.get_xlim()[0] < 0 < 1 < axis.get_xlim()[1]
    levels = axis.collections[1]
    for path, level in zip(levels.get_paths(), levels.levels, strict=True):
        if len(path.vertices):
            np.testing.assert_allclose(bowl(*path.vertices.T) - 0, level, rtol=0.1, atol=0.01)


def test_what_is_no_surface_is_told():
    with pytest.raises(ShapeError, match="element by element"):
        plot.surface(lambda x, y: (x + y).sum(), {}, x=(0, 1), y=(0, 1))
    with pytest.raises(ArgumentError, match="without paths, pass the sides"):
        plot.surface(lambda x, y: x + y, {})
    with pytest.raises(ShapeError, match=r"'a' must be \(steps \+ 1, 2\)"):
        plot.surface(lambda x, y: x + y, {"a": [1, 2, 3]})
    with pytest.raises(ArgumentError, match=r"start is a point \(x, y\)"):
        plot.descend(lambda x, y: x + y, (1,), {})


# ---------------------------------------------------------------- films
def three_pictures():
    film = plot.Film(fps=4, dpi=50)
    for i in range(3):
        film.add(plot.activation("relu", between=(-1 - i, 1 + i)), f"picture <{i}>")
    return film


def test_a_gif_holds_all_pictures(tmp_path, pyplot):
    from PIL import Image

    film = three_pictures()
    assert pyplot.get_fignums() == []
    gif = Image.open(io.BytesIO(film.render(tmp_path / "film.gif").read_bytes()))
    assert (gif.n_frames, gif.info["duration"], gif.info["loop"]) == (3, 250, 0)
    assert gif.size == (200, 150)
    for i, png in enumerate(film.pictures):
        gif.seek(i)
        given, found = (np.asarray(im.convert("RGB")).astype(int) for im in (Image.open(io.BytesIO(png)), gif))
        assert (found[0, 0] == 255).all()  # white stays white
        assert np.abs(given - found).mean() < 1.5
    assert film.render(tmp_path / "film.png").read_bytes() == film.pictures[-1]


def test_pictures_of_a_film_have_one_size(pyplot):
    film = three_pictures()
    with pytest.raises(ArgumentError, match="one size, this is 250 x 180, not 200 x 150"):
        film.add(plot.schedules(lambda o: lr_scheduler.StepLR(o, 1), 2, pyplot.subplots(figsize=(5, 3.6))[1]))
    assert len(film) == 3
    with pytest.raises(UnsupportedError, match="a picture is a Figure or Axes"):
        film.add("picture.png")


@pytest.mark.parametrize(("name", "says"), [("film.mp4", "ends in .gif, .html or .png"), ("film.gif", "no pictures yet")])
def test_a_film_that_cannot_be_written_is_told(name, says, tmp_path):
    with pytest.raises(ArgumentError, match=says):
        plot.Film().render(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_page_needs_nothing_else():
    film = three_pictures()
    page = film.html()
    assert not re.findall(r"""(?:src|href)=["']|https?://|@import|url\(""", page)
    data = json.loads(re.search(r"const film = (\{.*\});", page)[1])
    assert [base64.b64decode(picture.split(",")[1]) for picture in data["pictures"]] == film.pictures
    assert data["captions"] == ["picture <0>", "picture <1>", "picture <2>"]
    assert data["fps"] == 4
    assert film._repr_html_().startswith("<iframe srcdoc=")
    assert 'sandbox="allow-scripts"' in film._repr_html_()


CLICKS = """
<script>
  const said = [];
  const say = () => said.push(`${caption.textContent}|${place.textContent}|${slider.value}|${play.textContent}|${picture.src.length}`);
  const press = (key) => document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  say();
  press("ArrowRight"); say();
  forward.click(); forward.click(); say();
  back.click(); say();
  press("ArrowLeft"); press("ArrowRight"); say();
  slider.value = 0; slider.dispatchEvent(new Event("input")); say();
  play.click(); say();
  setTimeout(() => { say(); document.body.innerHTML = `<pre id="said">${said.join("\\n").replaceAll("<", "&lt;")}</pre>`; }, 2000);
</script>
"""


@pytest.mark.slow
@needs_browser
def test_the_player_plays_and_steps(tmp_path):
    film = three_pictures()
    page = tmp_path / "film.html"
    page.write_text(film.html().replace("</html>", CLICKS + "</html>"), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [BROWSER, *options, "--virtual-time-budget=5000", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    lines = re.search(r'<pre id="said">(.*?)</pre>', done.stdout, re.DOTALL)
    assert lines, done.stderr
    sizes = [len(f"data:image/png;base64,{base64.b64encode(png).decode()}") for png in film.pictures]
    expected = [(i, "Play") for i in (0, 1, 2, 1, 1, 0)] + [(0, "Pause"), (2, "Play")]  # it rests in the end
    told = [f"picture &lt;{i}&gt;|{i + 1} / 3|{i}|{button}|{sizes[i]}" for i, button in expected]
    assert lines[1].splitlines() == told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "browser"), [({"CI": "1"}, "chromium"), ({"CI": "1", "CHAINRULE_NO_BROWSER": "1"}, None), ({}, None)]
)
def test_in_ci_a_browser_is_taken_for_granted(said, browser):
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {"PATH": "", "PYTHONPATH": path, **said} | {k: v for k, v in os.environ.items() if k in ("SYSTEMROOT", "HOME")}
    command = [sys.executable, "-c", "import helpers; print(helpers.BROWSER)"]
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout == f"{browser}\n"


# ---------------------------------------------------------------- all of them
GALLERY = Path(__file__).parents[1] / "docs" / "gallery.py"


def test_colours_can_be_told_apart_by_all():
    """For a dichromat too, as Machado, Oliveira and Fernandes 2009 compute what one sees, and in print by their lightness."""
    blind = [[[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
             [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]]  # fmt: skip
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in PALETTE])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    for matrix in (np.eye(3), *map(np.array, blind)):
        seen = np.clip(linear @ matrix.T, 0, 1) ** (1 / 2.4)
        apart = np.linalg.norm(seen[:, None] - seen, axis=-1) + 9 * np.eye(len(seen))
        assert apart.min() > 0.13


@pytest.mark.slow
def test_the_gallery_makes_one_of_each(tmp_path):
    if not GALLERY.exists():
        pytest.skip("docs/ is not here, as when the tests are copied away to try an installed package")
    command = [sys.executable, "-W", "error::RuntimeWarning", str(GALLERY), "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    made = {path.name for path in tmp_path.iterdir()}
    assert made >= {"network.png", "network.svg", "backprop.gif", "backprop.html", "training.gif", "boundary.gif", "surface.gif"}
    assert all(f"{name}  " in done.stdout for name in made)
    source = GALLERY.read_text(encoding="utf-8")
    names = [name for name, thing in vars(plot).items() if callable(thing) and name[0] != "_"]
    missing = [name for name in names if f"plot.{name}(" not in source and name not in ("Live", "Network", "draw")]
    assert not missing, "the gallery has one of each"
