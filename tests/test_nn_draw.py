"""Networks as circles and lines: each circle, line and image against the model's own numbers; films; and what is no chain."""

import io
import re

import numpy as np
import pytest

import autograd
import nn
import nn.functional as F
from autograd.errors import ArgumentError, ShapeError, UnsupportedError
from nn import optim
from nn.plot.common import GREY, short
from nn.train import fit
from nn.utils.data import DataLoader, TensorDataset

BLUE, ORANGE = (0, 114, 178), (213, 94, 0)


@pytest.fixture(autouse=True)
def pyplot(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="pictures need matplotlib, which is an extra")
    yield pyplot
    pyplot.close("all")


def small():
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Dropout(0.5), nn.Linear(3, 2))


X = [[1.0, -0.5]]


def drawn(net=None, **options):
    return nn.draw(net or small(), autograd.tensor(X), autograd.tensor([1]), nn.CrossEntropyLoss(), **options)


def circles(axis):
    from matplotlib.patches import Circle

    return [patch for patch in axis.patches if isinstance(patch, Circle)]


def lines(axis):
    from matplotlib.collections import LineCollection

    return [c for c in axis.collections if isinstance(c, LineCollection)]


def inside(axis):
    """The texts in circles."""
    return [t.get_text() for t in axis.texts if re.fullmatch(r"[−\d.e]+", t.get_text())]


def rgb(colour):
    return tuple(round(255 * c) for c in colour[:3])


def test_circles_hold_activations_and_lines_are_weights():
    net = small()
    axis = drawn(net).plot()
    net.eval()
    hidden = net[:2](autograd.tensor(X))
    values = [*X[0], *hidden[0].tolist(), *net(autograd.tensor(X))[0].tolist()]
    assert inside(axis) == [short(v) for v in values]
    for circle, value in zip(circles(axis), values, strict=True):
        r, g, b = rgb(circle.get_facecolor())
        assert (b >= g >= r) if value > 0 else (r >= g >= b)
    first, second = lines(axis)
    centers = np.array([circle.center for circle in circles(axis)])
    columns = centers[:2], centers[2:5], centers[5:]
    for collection, layer, here, there in zip((first, second), (net[0], net[3]), columns, columns[1:], strict=False):
        w = layer.weight.detach().numpy().ravel()  # by target, then by source
        assert [rgb(c) for c in collection.get_colors()] == [BLUE if v > 0 else ORANGE for v in w]
        assert np.array_equal(np.argsort(collection.get_linewidths()), np.argsort(np.abs(w)))
        ends = [[source, target] for target in there for source in here]
        np.testing.assert_allclose(collection.get_segments(), ends)


def test_gradients_are_those_of_backward_and_the_model_is_left_alone():
    net = small()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = autograd.get_rng_state()
    network = drawn(net)
    assert all(p.grad is None for p in net.parameters())
    assert net.training
    assert net[2].training
    assert not any(module._hooks for module in net.modules())
    assert str(autograd.get_rng_state()) == str(state)
    assert all((before[name] == value).all() for name, value in net.state_dict().items())
    net.eval()
    x = autograd.tensor(X, requires_grad=True)
    hidden = net[:2](x)
    hidden.retain_grad()
    loss = F.cross_entropy(net[3](hidden), autograd.tensor([1]))
    loss.backward()
    (now,) = network.passes
    assert now.loss == pytest.approx(loss.item())
    for column, grad in zip(now.columns, (x.grad, hidden.grad), strict=False):
        np.testing.assert_allclose(column.grad, grad[0].numpy(), rtol=1e-6)
    for gap, layer in zip(now.gaps, (net[0], net[3]), strict=True):
        np.testing.assert_allclose(gap.grad, layer.weight.grad.numpy(), rtol=1e-6)
    axis = network.plot(gradients=True)
    assert inside(axis) == [short(float(v)) for column in now.columns for v in column.grad]
    assert axis.get_title() == f"gradients of the loss: the loss is {loss.item():.4g}"


def test_columns_say_what_they_are():
    axis = drawn(inputs=["left", "right"], outputs=["cat", "dog"]).plot()
    said = [t.get_text() for t in axis.texts]
    assert {"input\n2 units", "1: Tanh\n3 units", "3: Linear\n2 units", "left", "right", "cat", "dog"} <= set(said)
    (bar,) = axis.child_axes
    assert re.fullmatch(r"activation; lines: weight, the widest is 0\.\d\d", bar.get_xlabel())


def test_one_scale_holds_for_all_circles():
    network = nn.draw(small(), autograd.tensor([[1.0, -9.0]]))
    assert network.plot().child_axes[0].get_xlim() == (-9, 9)


def test_large_layers_are_elided():
    net = nn.Sequential(nn.Linear(2, 300), nn.ReLU(), nn.Linear(300, 3))
    axis = drawn(net, most=6).plot()
    assert len(circles(axis)) == 2 + 6 + 3
    assert [t.get_text() for t in axis.texts].count("⋮") == 1
    assert "1: ReLU\n300 units" in [t.get_text() for t in axis.texts]
    weight = net[0].weight.detach().numpy()
    shown = [0, 1, 2, 297, 298, 299]
    widths = np.array(lines(axis)[0].get_linewidths())
    assert np.array_equal(np.argsort(widths), np.argsort(np.abs(weight[shown]).ravel()))
    whole = drawn(net, most=300).plot()
    assert len(circles(whole)) == 305
    assert inside(whole) == []  # too small for numbers
    assert whole.figure.get_size_inches()[1] < 10


def test_maps_are_images_and_kernels_grey_lines():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 4))
    x = autograd.randn(1, 1, 8, 8)
    network = nn.draw(net, x, autograd.tensor([0]), nn.CrossEntropyLoss())
    assert repr(network) == "<Network: 1 → 2 → 4, 1 pass>"
    axis = network.plot()
    shown = [np.asarray(im.get_array()) for im in axis.get_images()]
    pooled = net[:3](x)[0].detach().numpy()
    np.testing.assert_allclose(shown[0], x[0, 0].numpy())
    np.testing.assert_allclose(shown[1:], pooled, rtol=1e-6)
    first, second = lines(axis)
    grey = tuple(int(GREY[i : i + 2], 16) for i in (1, 3, 5))
    assert {rgb(c) for c in [*first.get_colors(), *second.get_colors()]} == {grey}
    norms = np.linalg.norm(net[4].weight.detach().numpy().reshape(4, 2, 9), axis=2)
    np.testing.assert_allclose(network.passes[0].gaps[1].weight, norms, rtol=1e-6)
    assert "grey lines: norms of weights" in axis.child_axes[0].get_xlabel()


class Functional(nn.Module):
    """A network that says all between its layers by functions."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 3, 3), nn.Linear(27, 2)

    def forward(self, x):
        return self.head(F.max_pool2d(F.relu(self.conv(x)), 2).flatten(1))


def test_functions_between_layers_are_seen_through():
    x = autograd.randn(1, 1, 8, 8)
    net = Functional()
    network = nn.draw(net, x)
    pooled = F.max_pool2d(F.relu(net.conv(x)), 2)[0].detach().numpy()
    np.testing.assert_allclose(network.passes[0].columns[1].value, pooled, rtol=1e-6)


def test_an_image_for_a_linear_layer_is_one_image():
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    network = nn.draw(net, autograd.randn(1, 8, 8))
    assert network.passes[0].columns[0].value.shape == (1, 8, 8)
    assert nn.draw(nn.Sequential(nn.Conv1d(2, 3, 2)), autograd.randn(1, 2, 5)).passes[0].columns[1].value.shape == (3, 1, 4)


def test_a_frozen_layer_has_no_gradient_and_pale_lines():
    net = small()
    net[0].requires_grad_(False)
    network = drawn(net)
    assert network.passes[0].gaps[0].grad is None
    assert network.passes[0].gaps[1].grad is not None
    network.plot(gradients=True).figure.canvas.draw()


def test_what_is_not_a_number_is_black():
    net = small()
    with autograd.no_grad():
        net[0].weight[0, 0] = float("nan")
    axis = drawn(net).plot()
    axis.figure.canvas.draw()
    assert rgb(circles(axis)[2].get_facecolor()) == (0, 0, 0)
    assert "nan" in [t.get_text() for t in axis.texts]


# ---------------------------------------------------------------- films
def titles(network, monkeypatch, **options):
    """The titles of the pictures of a film, and what stands in the circles of each."""
    said = []

    def add(film, axis, caption=""):
        said.append((axis.get_title(), len(inside(axis)), caption))

    monkeypatch.setattr(nn.plot.Film, "add", add)
    network.film(**options)
    return said


def test_a_pass_goes_forward_and_back(monkeypatch):
    said = titles(drawn(), monkeypatch)
    assert [title for title, _, _ in said] == [
        "forward: the input",
        "forward: times the weights of layer 1",
        "forward: what comes out of layer 1",
        "forward: times the weights of layer 2",
        "forward: what comes out of layer 2",
        f"the loss is {drawn_loss():.4g}",
        "backward: the gradient of the loss by the output",
        "backward: the gradients by the weights of layer 2",
        "backward: the gradient by the input of layer 2",
        "backward: the gradients by the weights of layer 1",
        "backward: the gradient by the input of layer 1",
    ]
    assert [numbers for _, numbers, _ in said] == [2, 2, 5, 5, 7, 7, 7, 7, 7, 7, 7]


def drawn_loss():
    autograd.manual_seed(0)
    return drawn().passes[0].loss


def test_without_a_loss_it_goes_forward_only(monkeypatch):
    network = nn.draw(small(), autograd.tensor(X))
    assert len(titles(network, monkeypatch)) == 5
    with pytest.raises(ArgumentError, match="gradients only with a loss"):
        network.plot(gradients=True)


def test_training_is_a_picture_for_each_pass(monkeypatch):
    net = small()
    network = drawn(net)
    data = DataLoader(TensorDataset(autograd.randn(8, 2), autograd.zeros(8, dtype=autograd.int64)), 4)
    fit(net, nn.CrossEntropyLoss(), optim.SGD(net.parameters(), 0.5), data, 3, callbacks=[network.record])
    assert repr(network) == "<Network: 2 → 3 → 2, 4 passes>"
    np.testing.assert_allclose(network.passes[-1].gaps[0].weight, net[0].weight.detach().numpy())
    assert not np.array_equal(network.passes[0].gaps[0].weight, network.passes[-1].gaps[0].weight)
    said = [title for title, _, _ in titles(network, monkeypatch)]
    assert [title.split(":")[0] for title in said] == ["start", "epoch 1", "epoch 2", "epoch 3"]
    assert said[-1] == f"epoch 3: loss {network.passes[-1].loss:.4g}"
    most = max(np.abs(column.value).max() for now in network.passes for column in now.columns)
    for which in (0, -1):  # one scale for all
        assert network.plot(which=which).child_axes[0].get_xlim() == pytest.approx((-most, most))
    with pytest.raises(ArgumentError, match="'pass' or 'training'"):
        network.film("epoch")


def test_pictures_of_all_kinds(tmp_path, pyplot):
    from PIL import Image

    network = nn.draw(nn.Linear(1, 1), autograd.tensor([[2.0]]))
    png, svg, pdf, gif, page = (
        network.render(tmp_path / f"net.{kind}").read_bytes() for kind in ("png", "svg", "pdf", "gif", "html")
    )
    assert (png[:4], pdf[:4], gif[:6]) == (b"\x89PNG", b"%PDF", b"GIF89a")
    assert svg.count(b"<path") > 3
    assert Image.open(io.BytesIO(gif)).n_frames == 3
    assert page.count(b"data:image/png;base64,") == 3
    assert network._repr_png_().startswith(b"\x89PNG")
    assert pyplot.get_fignums() == []
    with pytest.raises(ArgumentError, match=r"path ends in \.png, \.svg"):
        network.render(tmp_path / "net.mp4")


# ---------------------------------------------------------------- branches
class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.inner, self.outer, self.head = (nn.Linear(*n) for n in ((2, 3), (3, 5), (5, 3), (3, 1)))

    def forward(self, x):
        x = self.first(x).tanh()
        return self.head(F.relu(x + self.outer(F.tanhshrink(self.inner(x)))))


class Towers(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right, self.head = nn.Sequential(nn.Linear(2, 3), nn.Tanh()), nn.Linear(2, 2), nn.Linear(5, 1)

    def forward(self, x, y=None):
        return self.head(autograd.cat([self.left(x), self.right(x if y is None else y)], 1))


class Fork(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, x):
        unused = nn.Linear(2, 2)(self.q(x) + 1)
        assert unused.shape == (1, 2)
        return self.q(x) * self.k(x)


class ByHand(nn.Module):
    def __init__(self):
        super().__init__()
        self.w, self.v = nn.Parameter(autograd.randn(2, 3)), nn.Parameter(autograd.randn(3, 1))

    def forward(self, x):
        return (x @ self.w + 1).tanh() @ self.v


def titles_of(axis):
    """Of columns, without their sizes."""
    return [t.get_text().split("\n")[0] for t in axis.texts if re.search(r"\n\d+ (unit|map)", t.get_text())]


def dotted(axis):
    return [c for c in lines(axis) if c.get_linestyle()[0][1] is not None]


def test_a_residual_block_shows_what_is_added_and_what_skips():
    net, x = Residual(), autograd.tensor(X)
    network = nn.draw(net, x, loss=lambda out: out.sum())
    assert repr(network) == "<Network: 2 → 3 → 5 → 3 → 3 → 1, 1 pass>"
    axis = network.plot()
    assert titles_of(axis) == ["input", "tanh", "after inner: Linear", "outer: Linear", "relu", "head: Linear"]
    h = net.first(x).tanh()
    h.retain_grad()
    added = net.outer(F.tanhshrink(net.inner(h)))
    net.head(F.relu(h + added)).sum().backward()
    now = network.passes[0]
    for i, value in ((1, h), (3, added), (4, F.relu(h + added))):
        np.testing.assert_allclose(now.columns[i].value, value[0].detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(now.columns[1].grad, h.grad[0].numpy(), rtol=1e-6)  # of both ways
    (joined,) = dotted(axis)
    centers = np.array([circle.center for circle in circles(axis)])
    np.testing.assert_allclose(joined.get_segments(), np.stack([centers[10:13], centers[13:16]], 1))
    said = [t.get_text() for t in axis.texts]
    assert [said.count(what) for what in ("added", "skip: added")] == [1, 1]
    from matplotlib.patches import PathPatch

    (skip,) = (patch for patch in axis.patches if isinstance(patch, PathPatch))
    way = skip.get_path().vertices
    assert way[:, 1].min() < centers[:, 1].min() - 0.23  # below all that it passes by
    np.testing.assert_allclose(way[[0, -1], 0], [centers[2, 0], centers[13, 0]])


@pytest.mark.parametrize("two", [False, True])
def test_two_towers_stand_above_each_other(two):
    net, x = Towers(), autograd.tensor(X)
    given = (x, autograd.tensor([[3.0, 4.0]])) if two else x
    names = "abcd"[: 4 if two else 2]
    network = nn.draw(net, given, inputs=names)
    assert repr(network) == f"<Network: {'2 + 2' if two else '2'} → 3 + 2 → 5 → 1, 1 pass>"
    axis = network.plot()
    assert titles_of(axis) == ["input"] * (1 + two) + ["left.1: Tanh", "right: Linear", "concatenate", "head: Linear"]
    left, right, both = (
        np.array([c.center for c in circles(axis)[2 + 2 * two :]])[i : i + n] for i, n in ((0, 3), (3, 2), (5, 5))
    )
    assert left[0, 0] == right[0, 0]
    assert left[:, 1].min() > right[:, 1].max() + 0.5
    ends = [segment for c in dotted(axis) for segment in c.get_segments()]
    np.testing.assert_allclose(ends, np.stack([np.concatenate([left, right]), both], 1))
    assert set(names) <= {t.get_text() for t in axis.texts}
    with pytest.raises(ArgumentError, match=f"{len(names)} inputs and 1 names"):
        nn.draw(net, given, inputs=["a"])


def test_branches_light_up_together(monkeypatch):
    said = [title for title, _, _ in titles(nn.draw(Fork(), autograd.tensor(X), loss=lambda out: out.sum()), monkeypatch)]
    assert said[:5] + said[6:] == [
        "forward: the input",
        "forward: times the weights of layers 1 and 2",
        "forward: what comes out of layers 1 and 2",
        "forward: on, as it is",
        "forward: what comes out of multiply",
        "backward: the gradient of the loss by the output",
        "backward: on, as it is",
        "backward: the gradient by q: Linear, k: Linear",
        "backward: the gradients by the weights of layers 1 and 2",
        "backward: the gradient by the input of layers 1 and 2",
    ]


def test_weights_need_no_layer():
    net = ByHand()
    network = nn.draw(net, autograd.tensor(X), loss=lambda out: out.sum())
    assert titles_of(network.plot()) == ["input", "tanh", "matmul"]
    net(autograd.tensor(X)).sum().backward()
    np.testing.assert_allclose(network.passes[0].gaps[0].weight, net.w.detach().numpy().T)
    np.testing.assert_allclose(network.passes[0].gaps[0].grad, net.w.grad.numpy().T, rtol=1e-6)


def test_units_that_are_gated_are_one_arrow():
    network = nn.draw(nn.Sequential(nn.Linear(2, 4), nn.GLU(), nn.Linear(2, 1)), autograd.tensor(X))
    assert repr(network) == "<Network: 2 → 4 → 2 → 1, 1 pass>"
    axis = network.plot()
    assert titles_of(axis) == ["input", "0: Linear", "1: GLU", "2: Linear"]
    assert len(dotted(axis)) == 0
    assert network.passes[0].gaps[1].pairs is None


def test_groups_are_not_joined():
    net = nn.Conv2d(2, 4, 3, groups=2)
    (gap,) = nn.draw(net, autograd.randn(1, 2, 5, 5)).passes[0].gaps
    norms = np.linalg.norm(net.weight.detach().numpy().reshape(4, 9), axis=1)
    np.testing.assert_allclose(gap.weight, [[norms[0], 0], [norms[1], 0], [0, norms[2]], [0, norms[3]]], rtol=1e-6)


class InPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.act, self.c = nn.Linear(2, 3), nn.Linear(2, 3), nn.ReLU(inplace=True), nn.Linear(3, 1)

    def forward(self, x):
        h = self.a(x)
        h += self.b(x)
        h[:, 0] = 5
        return self.c(self.act(h))


def test_what_is_written_in_place_is_followed():
    net = InPlace()
    network = nn.draw(net, autograd.tensor(X))
    assert repr(network) == "<Network: 2 → 3 + 3 → 3 → 1, 1 pass>"
    h = (net.a(autograd.tensor(X)) + net.b(autograd.tensor(X)))[0].detach().numpy()
    np.testing.assert_allclose(network.passes[0].columns[1].value, net.a(autograd.tensor(X))[0].detach().numpy())
    np.testing.assert_allclose(network.passes[0].columns[3].value, [5, *np.maximum(h[1:], 0)], rtol=1e-6)


def test_kernels_of_transposed_convolutions_lead_the_other_way():
    net = nn.ConvTranspose2d(4, 2, 3, groups=2)
    (gap,) = nn.draw(net, autograd.randn(1, 4, 5, 5)).passes[0].gaps
    norms = np.linalg.norm(net.weight.detach().numpy().reshape(4, 9), axis=1)
    np.testing.assert_allclose(gap.weight, [[norms[0], norms[1], 0, 0], [0, 0, norms[2], norms[3]]], rtol=1e-6)


def test_what_comes_before_the_first_layer_is_a_column_of_its_own():
    net = nn.Sequential(nn.LayerNorm(2), nn.Linear(2, 1))
    first, second = nn.draw(net, autograd.tensor(X)).passes[0].columns[:2]
    assert (first.title, second.title) == ("input", "0: LayerNorm")
    np.testing.assert_allclose(first.value, X[0])


# ---------------------------------------------------------------- what cannot be drawn
class Alone(nn.Module):
    def forward(self, x):
        return autograd.ones(1, 2)


@pytest.mark.parametrize(
    ("net", "x", "options", "error", "says"),
    [
        (small(), autograd.randn(4, 2), {}, ShapeError, r"one example, of shape \(1, ...\), got \(4, 2\); pass input\[:1\]"),
        (small(), autograd.tensor([[1, 2]]), {}, UnsupportedError, "input must be floating-point, got int64"),
        (small(), autograd.randn(1, 2), {"target": 1}, ArgumentError, "a target is for a loss"),
        (small(), autograd.randn(1, 2), {"most": 1}, ArgumentError, "most is a whole number of circles"),
        (small(), autograd.randn(1, 2), {"outputs": ["a"]}, ArgumentError, "2 outputs and 1 names"),
        (nn.Tanh(), autograd.randn(1, 2), {}, UnsupportedError, "Tanh has multiplied its input by no weights"),
        (lambda x: x, autograd.randn(1, 2), {}, UnsupportedError, "model must be a Module"),
        (
            nn.Linear(4, 3),
            autograd.randn(1, 3, 4),
            {},
            UnsupportedError,
            r"Linear multiplies a tensor of shape \(1, 3, 4\) by a weight",
        ),
    ],
)
def test_what_cannot_be_drawn_is_told(net, x, options, error, says):
    with pytest.raises(error, match=says):
        nn.draw(net, x, **options)
