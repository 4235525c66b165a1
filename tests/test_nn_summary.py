"""The summary of a model: its table, what it counts and by what, and that it leaves the model as it was."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

import autograd
import nn
from autograd.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from nn import functional as F


class Network(nn.Module):
    """A network with a module in a module, one that is used twice, and products in its own forward."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 16)
        self.body = nn.ModuleList([nn.Sequential(nn.Linear(16, 16), nn.ReLU()), nn.GRUCell(16, 16)])
        self.head = nn.Linear(16, 50)
        self.head.weight = self.embed.weight
        self.act = self.body[0][1]
        self.spare = nn.Linear(1000, 1)
        self.scale = nn.Parameter(autograd.ones(16), requires_grad=False)

    def forward(self, x):
        h = autograd.zeros(x.shape[0], 16)
        for t in range(x.shape[1]):
            h = self.body[1](self.body[0](self.embed(x[:, t])), h)
        h = self.act(h[:1]) @ autograd.ones(16, 16) + h * self.scale
        return {"logits": self.head(h), "states": [h]}


TABLE = """\
layer                               output shape      parameters  trainable  multiply-adds
──────────────────────────────────────────────────────────────────────────────────────────
Network                             (3, 50), (3, 16)          16  no                   256
├─ embed: Embedding                 (3, 16) × 7              800  yes
├─ body: ModuleList
│  ├─ 0: Sequential                 (3, 16) × 7
│  │  ├─ 0: Linear                  (3, 16) × 7              272  yes                5,376
│  │  └─ 1: ReLU                    (3, 16) × 7
│  │                                (1, 16)
│  └─ 1: GRUCell                    (3, 16) × 7            1,632  yes               32,256
├─ head: Linear                     (3, 50)                   50  yes                2,400
├─ act: ReLU, the same as body.0.1
└─ spare: Linear                                           1,001  yes
──────────────────────────────────────────────────────────────────────────────────────────
total                                                      3,771  3,755             40,288
head.weight is embed.weight, and counted there"""


def tokens():
    return autograd.zeros(3, 7, dtype=autograd.int64)


# ---------------------------------------------------------------- the table
def test_the_table():
    found = nn.summary(Network(), tokens())
    assert str(found) == repr(found) == TABLE
    assert (found.parameters, found.trainable, found.multiply_adds) == (3771, 3755, 40288)
    assert found.nbytes == 4 * 3771
    assert found.rows[1] == ("├─ ", "embed", "Embedding", ("(3, 16) × 7",), 800, 800, 0)


def test_the_columns_add_up():
    net = Network()
    found = nn.summary(net, tokens())
    assert sum(row.parameters for row in found.rows) == found.parameters == sum(p.numel() for p in net.parameters())
    assert sum(row.trainable for row in found.rows) == found.trainable
    assert sum(row.multiply_adds for row in found.rows) == found.multiply_adds


@pytest.mark.parametrize("depth", range(5))
def test_what_is_deeper_is_counted_to_what_holds_it(depth):
    whole, found = nn.summary(Network(), tokens()), nn.summary(Network(), tokens(), depth=depth)
    assert [r.name for r in found.rows] == [r.name for r in whole.rows if len(r.branch) <= 3 * depth]
    assert str(found).splitlines()[-2].split()[1:] == ["3,771", "3,755", "40,288"]
    assert found.rows[0].parameters == (3771 if depth == 0 else 16)


def test_what_is_trainable():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5))
    net[0].requires_grad_(False)
    net[1].bias.requires_grad_(False)
    shown = [line.split()[-2] for line in str(nn.summary(net, (1, 2))).splitlines() if "Linear" in line]
    assert shown == ["no", "12", "yes"]
    assert str(nn.summary(net.requires_grad_(False), (1, 2))).splitlines()[-1].split() == ["total", "50", "none", "38"]
    assert str(nn.summary(nn.ReLU(), (1, 2))).splitlines()[-1].split() == ["total", "0", "0"]


def test_names_that_would_not_be_seen_are_shown_escaped():
    bad = ["\x1b[2J", "line\nbreak", "\ud800", "\u202eback", "n" * 70_000, "naïve"]
    model = nn.Sequential()
    shared = nn.Linear(2, 2)
    for name in bad:
        model.add_module(name, shared if name in bad[:2] else type(name[:9].replace("\ud800", "\x07"), (nn.Linear,), {})(2, 2))
    model[2].weight = model[3].weight
    found = nn.summary(model, (1, 2))
    for text in (str(found), found._repr_html_()):
        assert all(c.isprintable() or c == "\n" for c in text)
        assert all(
            name in text for name in (r"\x1b[2J", r"line\nbreak", r"\ud800", r"\u202eback", r"\x07", "n" * 57 + "...", "naïve")
        )
        assert max(map(len, text.splitlines())) < 10_000
    assert r"the same as \x1b[2J" in str(found)
    assert r"\u202eback.weight is \ud800.weight, and counted there" in str(found)


def test_notebooks_show_the_same_table():
    class Odd(nn.Sequential):
        pass

    Odd.__name__ = "<b>&"
    html = nn.summary(Odd(Network()), tokens())._repr_html_()
    root = ElementTree.fromstring(f"<div>{html}</div>")  # it is well formed
    rows = [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]
    text = str(nn.summary(Odd(Network()), tokens())).splitlines()
    assert [re.split(r" {2,}", " ".join(row).strip()) for row in rows]
    assert [" ".join(" ".join(row).split()) for row in rows] == [" ".join(line.split()) for line in text if line[:1] not in "─0"]
    assert rows[1][0] == "<b>&"
    assert root.find("div").text == text[-1]
    HTMLParser().feed(html)


# ---------------------------------------------------------------- multiply-adds
def conv_by_hand(x, weight, **options):
    """Every product that a convolution adds, counted by convolving ones: each result is how many it took."""
    return int(F.conv2d(autograd.ones(*x), autograd.ones(*weight), **options).sum().item())


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda: autograd.ones(3, 4) @ autograd.ones(4, 5), 60),
        (lambda: autograd.ones(3, 4) @ autograd.ones(4), 12),
        (lambda: autograd.ones(4) @ autograd.ones(4, 5), 20),
        (lambda: autograd.ones(4) @ autograd.ones(4), 4),
        (lambda: autograd.ones(2, 1, 3, 4) @ autograd.ones(7, 4, 5), 2 * 7 * 60),
        (lambda: F.linear(autograd.ones(2, 3, 4), autograd.ones(5, 4), autograd.ones(5)), 2 * 3 * 4 * 5),
        (lambda: F.conv2d(autograd.ones(2, 3, 8, 9), autograd.ones(4, 3, 2, 3)), conv_by_hand((2, 3, 8, 9), (4, 3, 2, 3))),
        (lambda: F.conv2d(autograd.ones(2, 4, 8, 9), autograd.ones(6, 2, 3, 3), stride=2, groups=2),
         conv_by_hand((2, 4, 8, 9), (6, 2, 3, 3), stride=2, groups=2)),
        (lambda: F.conv1d(autograd.ones(2, 4, 8), autograd.ones(4, 1, 3), groups=4), 2 * 4 * 6 * 3),
        (lambda: F.conv_transpose1d(autograd.ones(2, 4, 8), autograd.ones(4, 5, 3)), 2 * 4 * 8 * 5 * 3),
        (lambda: autograd.einsum("ij,jk->ik", autograd.ones(3, 4), autograd.ones(4, 5)), 60),
        (lambda: autograd.einsum("bij,bjk,bkl->bil", autograd.ones(2, 3, 4), autograd.ones(2, 4, 5), autograd.ones(2, 5, 6)),
         2 * 4 * 5 * 6 + 2 * 3 * 4 * 6),  # the last two first: so NumPy does it
        (lambda: autograd.einsum("ij->j", autograd.ones(3, 4)), 0),
        (lambda: F.relu(autograd.ones(3, 4) * 2 + 1).sum(), 0),
        (lambda: F.scaled_dot_product_attention(*[autograd.ones(2, 5, 4)] * 3), 2 * 2 * 5 * 5 * 4),
    ],
)  # fmt: skip
def test_multiply_adds_are_those_of_products(function, expected):
    class Of(nn.Module):
        def forward(self, x):
            function()
            return x

    assert nn.summary(Of(), (1,)).multiply_adds == expected


def test_gradients_within_a_forward_count_too():
    class Slope(nn.Module):
        def forward(self, x):
            with autograd.enable_grad():
                w = autograd.ones(4, 3, 2, 2, requires_grad=True)
                w.sum().backward()
                return autograd.grad(F.conv2d(x, w).sum(), w, create_graph=True)[0]

    assert nn.summary(Slope(), (2, 3, 5, 5)).multiply_adds == 2 * conv_by_hand((2, 3, 5, 5), (4, 3, 2, 2))


def test_attention_and_recurrence():
    attention = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    own = {row.name: row.multiply_adds for row in nn.summary(attention, (2, 5, 16)).rows}
    assert own["self_attn"] + own["out_proj"] == 2 * 5 * 16 * 16 * 4 + 2 * (2 * 5 * 5 * 16)
    assert (own["linear1"], own["linear2"]) == (5120, 5120)
    assert nn.summary(nn.LSTM(3, 5), (7, 4, 3)).multiply_adds == 7 * 4 * 4 * 5 * (3 + 5)


# ---------------------------------------------------------------- input
def test_inputs_are_tensors_or_shapes():
    two = nn.Bilinear(3, 4, 5).double()
    shapes = {str(nn.summary(two, given)) for given in (
        ((2, 3), (2, 4)),
        [[2, 3], [2, 4]],
        (autograd.ones(2, 3, dtype=autograd.float64), np.ones((2, 4))),
    )}  # fmt: skip
    assert len(shapes) == 1
    assert "(2, 5)" in shapes.pop()
    assert nn.summary(nn.Embedding(5, 3), (2, 4), dtype=autograd.int64).rows[0].shapes == ("(2, 4, 3)",)
    assert nn.summary(nn.ReLU(), ()).rows[0].shapes == ("()",)


@pytest.mark.parametrize(
    ("error", "says", "call"),
    [
        (UnsupportedError, "model must be a Module, not function", lambda: nn.summary(lambda x: x, (1,))),
        (ArgumentError, "input must be a tensor, a tuple of tensors, a shape or a tuple of shapes, got 'x'", lambda: nn.summary(nn.ReLU(), "x")),
        (ArgumentError, "depth is a whole number, 0 or more, or None, got -1", lambda: nn.summary(nn.ReLU(), (1,), depth=-1)),
        (ShapeError, r"Linear\(3, 4\) expects \(..., 3\), got \(2, 5\)", lambda: nn.summary(nn.Linear(3, 4), (2, 5))),
        (DtypeError, "Embedding", lambda: nn.summary(nn.Embedding(3, 4), (2, 5))),
    ],
)  # fmt: skip
def test_bad_input_is_refused(error, says, call):
    with pytest.raises(error, match=says):
        call()


# ---------------------------------------------------------------- what it leaves behind
class Fails(nn.Module):
    def forward(self, x):
        raise RuntimeError("here")


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was(fails):
    calls = []
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Dropout().eval(), *[Fails()] * fails)
    net[0].register_forward_hook(lambda *_: calls.append("user's"))
    hooks = [dict(m._hooks) for m in net.modules()]
    state = {k: v.array.copy() for k, v in net.state_dict().items()}
    random = autograd.get_rng_state()
    net[0].weight.grad = autograd.ones(4, 4)
    if fails:
        with pytest.raises(RuntimeError, match="here"):
            nn.summary(net, (3, 4))
    else:
        nn.summary(net, (3, 4))
    assert calls == ["user's"]
    assert [dict(m._hooks) for m in net.modules()] == hooks
    assert [m.training for m in net.modules()][:5] == [True, True, True, True, False]
    assert all((v.array == state[k]).all() for k, v in net.state_dict().items())
    assert autograd.get_rng_state() == random
    assert net[0].weight.grad.sum().item() == 16
    assert autograd.is_grad_enabled()


def test_random_numbers_of_the_model_are_taken_back():
    class Noisy(nn.Module):
        def forward(self, x):
            return F.dropout(x, 0.5, training=True) + autograd.randn(3)

    random = autograd.get_rng_state()
    nn.summary(Noisy(), (3,))
    assert autograd.get_rng_state() == random


def test_a_failure_that_the_model_catches():
    class Careful(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = Fails(), nn.Linear(2, 3)

        def forward(self, x):
            try:
                return self.first(x)
            except RuntimeError:
                return self.second(x) @ autograd.ones(3, 1)

    found = nn.summary(Careful(), (5, 2))
    assert found.multiply_adds == 30 + 15
    assert [row.shapes for row in found.rows] == [("(5, 1)",), (), ("(5, 3)",)]
