"""The doctor: what it finds in broken models and not in mended ones, that it leaves all as it was, and how it tells."""

import random
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers import warned

import autograd
import nn
import nn.functional as F
from autograd import rand, randint, randn, tensor
from autograd.engine.tape import Tape
from autograd.errors import ArgumentError, DetachedWarning, GraphError, MissingError, UnsupportedError
from nn import optim
from nn.datasets import digits
from nn.mode import in_mode
from nn.train import Doctor, Rates, fit, lr_range_test
from nn.train.examination import CHECKS
from nn.utils.data import DataLoader, TensorDataset


# ---------------------------------------------------------------- sound models: no finding at all
def images(n=64):
    x, y = digits()[0].tensors
    return x[:n].reshape(-1, 1, 8, 8), y[:n]


def of_images(*layers, optimizer, loss=F.cross_entropy, **options):
    net = nn.Sequential(*layers)
    return net, images(), loss, optimizer(net.parameters(), **options)


def mlp():
    return of_images(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10), optimizer=optim.AdamW, lr=0.01)


def deep_mlp():
    middle = [layer for _ in range(4) for layer in (nn.ReLU(), nn.Linear(64, 64))]
    layers = nn.Flatten(), nn.Linear(64, 64), *middle, nn.ReLU(), nn.Linear(64, 10)
    return of_images(*layers, optimizer=optim.SGD, lr=0.1, momentum=0.9)


def cnn():
    layers = [nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 10)]
    return of_images(*layers, optimizer=optim.SGD, lr=0.05, momentum=0.9, loss=nn.CrossEntropyLoss())


def normalized():
    first = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten()
    last = nn.Linear(512, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 10)
    return of_images(*first, *last, optimizer=optim.Adam)


class Block(nn.Module):
    """A residual block that is the identity in the beginning."""

    def __init__(self, n):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(n, n, 3, padding=1, bias=False), nn.BatchNorm2d(n)
        self.conv2, self.norm2 = nn.Conv2d(n, n, 3, padding=1, bias=False), nn.BatchNorm2d(n)
        nn.init.zeros_(self.norm2.weight)

    def forward(self, x):
        return F.relu(x + self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))))


def resnet():
    first, last = nn.Conv2d(1, 8, 3, padding=1), [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)]
    return of_images(first, Block(8), Block(8), Block(8), *last, optimizer=optim.SGD, lr=0.1, momentum=0.9, weight_decay=1e-4)


class Characters(nn.Module):
    def __init__(self, body, head):
        super().__init__()
        self.embed, self.body, self.head = nn.Embedding(30, 32), body, head

    def forward(self, x):
        x = self.embed(x)
        if isinstance(self.body, nn.TransformerEncoder):
            return self.head(self.body(x, mask=nn.Transformer.generate_square_subsequent_mask(x.shape[1]))).transpose(1, 2)
        return self.head(self.body(x)[0]).transpose(1, 2)


def characters(body, **options):
    net, x = Characters(body, nn.Linear(32, 30)), randint(0, 30, (16, 13))
    return net, (x[:, :-1], x[:, 1:]), nn.CrossEntropyLoss(), optim.Adam(net.parameters(), **options)


def lstm():
    return characters(nn.LSTM(32, 32, num_layers=2, batch_first=True, dropout=0.2), lr=3e-3)


def transformer():
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True, activation="gelu")
    return characters(nn.TransformerEncoder(layer, 3), lr=3e-4)


def tied():
    net, batch, loss, _ = characters(nn.GRU(32, 32, batch_first=True))
    nn.init.normal_(net.embed.weight, std=0.1)
    net.head.weight = net.embed.weight
    return net, batch, loss, optim.Adam(net.parameters(), lr=3e-3)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.mean, self.logvar = nn.Linear(64, 32), nn.Linear(32, 4), nn.Linear(32, 4)
        self.decoder = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 64))

    def forward(self, x):
        h = F.relu(self.encoder(x))
        mean, logvar = self.mean(h), self.logvar(h)
        return self.decoder(mean + (logvar / 2).exp() * autograd.randn_like(mean)), mean, logvar


def elbo(output, x):
    logits, mean, logvar = output
    divergence = (mean**2 + logvar.exp() - logvar - 1).sum() / 2
    return (F.binary_cross_entropy_with_logits(logits, x, reduction="sum") + divergence) / len(x)


def vae():
    net = VAE()
    return net, rand(64, 64), elbo, optim.Adam(net.parameters())


def regression():
    x = randn(128, 5)
    net = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    return net, (x, x.sin().sum(1, keepdim=True)), nn.MSELoss(), optim.Adam(net.parameters(), lr=0.01)


def probabilities():
    x = randn(128, 2)
    net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid(), nn.Flatten(0))
    return net, (x, (x[:, 0] * x[:, 1] > 0).float()), nn.BCELoss(), optim.Adam(net.parameters(), lr=0.01)


def quasi_newton():
    net, x = nn.Linear(3, 1), randn(64, 3)
    return net, (x, x.sum(1, keepdim=True)), F.mse_loss, optim.LBFGS(net.parameters(), lr=1)


def fine_tuned():
    net, batch, loss, _ = mlp()
    net[1].requires_grad_(False)
    return net, batch, loss, optim.SGD(net[3].parameters(), lr=0.1)


def learned():
    net, (x, y), loss, optimizer = mlp()
    for _ in range(200):
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()
    return net, (x, y), loss, optimizer


SOUND = [mlp, deep_mlp, cnn, normalized, resnet, lstm, transformer, tied, vae]
SOUND += [regression, probabilities, quasi_newton, fine_tuned, learned]


@pytest.mark.parametrize("make", SOUND, ids=lambda make: make.__name__)
def test_nothing_is_found_in_a_sound_model(make):
    for seed in range(2):
        autograd.manual_seed(seed)
        net, batch, loss, optimizer = make()
        for given in (optimizer, None):
            report = nn.doctor(net, batch, loss, given)
            assert report.ok, report
            assert str(report).startswith("nothing found in ")


# ---------------------------------------------------------------- broken models, each beside the same mended
def layers(n, of, scale=1.0):
    """A network of n layers with these activations, and the weights `scale` times what they would be."""
    middle = [part for _ in range(n - 2) for part in (of(), nn.Linear(32, 32))]
    net = nn.Sequential(nn.Linear(10, 32), *middle, of(), nn.Linear(32, 3))
    with autograd.no_grad():
        for p in net.parameters():
            p.mul_(scale)
    return net


def classes(net, loss=None, optimizer=optim.Adam, lr=0.01, parameters=None, labels=None):
    """`net` is to tell three classes from ten numbers."""
    x = randn(64, 10)
    y = x[:, :3].argmax(1) if labels is None else labels(x)
    return net, (x, y), loss or nn.CrossEntropyLoss(), optimizer(net.parameters() if parameters is None else parameters, lr=lr)


def shifted(net, layer, by):
    with autograd.no_grad():
        net[layer].bias.add_(by)
    return net


class Net(nn.Module):
    """What differs in some of the cases."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.first, self.last, self.how = nn.Linear(10, 32), nn.Linear(32, 3), forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.how(self, x)


def listed(kind):
    def forward(net, x):
        x = net.first(x)
        for layer in net.middle:
            x = F.relu(layer(x))
        return net.last(x)

    return Net(forward, middle=kind([nn.Linear(32, 32), nn.Linear(32, 32)]))


def dropped(how):
    return Net(lambda net, x: net.last(how(net, F.relu(net.first(x)))))


def unused():
    return Net(lambda net, x: net.last(F.relu(net.first(x))), spare=nn.Linear(7, 7))


def with_mode(training):
    net = nn.Sequential(nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 3))
    return net.train(training)


def column(x):
    return x[:, :1].tanh()


def squared(output, target):
    return ((output - target) ** 2).mean()


def regress(labels, loss=squared):
    return classes(nn.Linear(10, 1), loss, labels=labels)


def binary(*end):
    return nn.Sequential(nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 1), *end)


def ones(x):
    return (x[:, :1] > 0).float()


def logarithm(shift):
    return Net(lambda net, x: net.last((F.relu(net.first(x)) - shift).log()))


def root(eps):
    return Net(lambda net, x: net.last((F.relu(net.first(x)) + eps).sqrt()))


def with_parts_of(net, *parts):
    return classes(net, parameters=[p for part in parts for p in part.parameters()])


BROKEN = {
    "error": ("0 (Linear)", lambda: classes(nn.Sequential(nn.Linear(9, 3))), lambda: classes(nn.Sequential(nn.Linear(10, 3)))),
    "labels out of range": (
        "the target",
        lambda: classes(nn.Linear(10, 3), labels=lambda x: x[:, :3].argmax(1) + 1),
        lambda: classes(nn.Linear(10, 4), labels=lambda x: x[:, :3].argmax(1) + 1),
    ),
    "warning": (
        "the program",
        lambda: classes(Net(lambda net, x: net.last(net.first(x)) * float(net.first.weight.sum()) ** 0)),
        lambda: classes(Net(lambda net, x: net.last(net.first(x)) * net.first.weight.sum().item() ** 0)),
    ),
    "not registered": ("Net.middle", lambda: classes(listed(list)), lambda: classes(listed(nn.ModuleList))),
    "no gradient": ("spare.weight, spare.bias", lambda: classes(unused()), lambda: classes(listed(nn.ModuleList))),
    "not optimized": (
        "0.weight, 0.bias",
        lambda: with_parts_of(net := layers(2, nn.ReLU), net[2]),
        lambda: with_parts_of(net := layers(2, nn.ReLU), net),
    ),
    "foreign parameters": (
        "the optimizer",
        lambda: with_parts_of(net := layers(2, nn.ReLU), net, nn.Linear(3, 3)),
        lambda: with_parts_of(net := layers(2, nn.ReLU), net),
    ),
    "not updated": (
        "weight, bias",
        lambda: classes(nn.Linear(10, 3), optimizer=optim.SGD, lr=0.0),
        lambda: classes(nn.Linear(10, 3), optimizer=optim.SGD, lr=0.1),
    ),
    "in evaluation mode": ("1 (BatchNorm1d), 3 (Dropout)", lambda: classes(with_mode(False)), lambda: classes(with_mode(True))),
    "random in evaluation": (
        "Net",
        lambda: classes(dropped(lambda net, x: F.dropout(x, 0.2))),
        lambda: classes(dropped(lambda net, x: F.dropout(x, 0.2, net.training))),
    ),
    "not logits": (
        "3 (Softmax)",
        lambda: classes(nn.Sequential(*layers(2, nn.ReLU), nn.Softmax(1))),
        lambda: classes(nn.Sequential(*layers(2, nn.ReLU), nn.LogSoftmax(1))),
    ),
    "broadcast labels": ("the loss", lambda: regress(lambda x: column(x)[:, 0]), lambda: regress(column)),
    "initial loss": ("2 (Linear)", lambda: classes(layers(2, nn.ReLU, 6.0)), lambda: classes(layers(2, nn.ReLU))),
    "not finite": ("Net", lambda: classes(logarithm(0.1)), lambda: classes(logarithm(-0.1))),
    "dead units": ("1 (ReLU)", lambda: classes(shifted(layers(2, nn.ReLU), 0, -9)), lambda: classes(layers(2, nn.ReLU))),
    "saturated units": ("1 (Tanh)", lambda: classes(layers(2, nn.Tanh, 9.0)), lambda: classes(layers(2, nn.Tanh))),
    "vanishing gradients": ("0.weight, 2.weight", lambda: classes(layers(9, nn.Sigmoid)), lambda: classes(layers(9, nn.ReLU, 2.0))),
    "exploding gradients": ("0.weight, 2.weight", lambda: classes(layers(9, nn.ReLU, 9.0)), lambda: classes(layers(9, nn.ReLU))),
    "learning rate too high": (
        "the optimizer",
        lambda: classes(layers(2, nn.ReLU), lr=3.0),
        lambda: classes(layers(2, nn.ReLU), lr=0.003),
    ),
    "learning rate too low": (
        "the optimizer",
        lambda: classes(layers(2, nn.ReLU), optimizer=optim.SGD, lr=1e-5),
        lambda: classes(layers(2, nn.ReLU), optimizer=optim.SGD, lr=1e-2),
    ),
}  # fmt: skip
IN_LOOPS = {"gradients not cleared", "in training mode"}  # what the doctor's own steps never do


def problems(report):
    return [finding.problem for finding in report.findings]


def test_every_check_has_a_broken_model():
    assert CHECKS.keys() == BROKEN.keys() | IN_LOOPS


@pytest.mark.parametrize("problem", BROKEN)
def test_a_broken_model_is_found_out_and_the_mended_one_is_sound(problem):
    where, broken, mended = BROKEN[problem]
    report = nn.doctor(*broken())
    (finding,) = [f for f in report.findings if f.problem == problem]
    assert not report.ok
    assert finding.where.startswith(where)
    assert finding.value == finding.value
    assert finding.what
    assert finding.advice
    report = nn.doctor(*mended())
    assert report.ok, report


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: classes(nn.Linear(10, 3), labels=lambda x: x[:, :3].argmax(1) + 1), r"\d+ of 64 labels are not among the 3 classes, 0 to 2: labels go from 1 to 3"),
        (lambda: classes(nn.Linear(10, 3), labels=lambda x: x[:, 0]), "use long"),
        (lambda: classes(nn.Linear(10, 3).requires_grad_(False)), "does not depend on anything that requires grad"),
        (lambda: classes(binary(nn.Sigmoid()), nn.BCEWithLogitsLoss(), labels=ones), "binary_cross_entropy_with_logits was given what comes out of sigmoid at 3"),
        (lambda: classes(nn.Sequential(nn.Linear(10, 3), nn.ReLU())), "cross_entropy was given what comes out of relu at 1 .ReLU.; it takes logits"),
        (lambda: classes(unused()), "2 of 6 parameters have no gradient: their modules were never called"),
        (lambda: classes(Net(lambda net, x: net.last(net.first(x).detach()))), "2 of 4 parameters have no gradient: the loss does not depend on them"),
        (lambda: classes(nn.Linear(10, 3), parameters=nn.Linear(10, 3).parameters()), "2 of its 2 parameters are not the model's"),
        (lambda: classes(logarithm(0.1)), r"log is nan at .* called at .*test_nn_doctor"),
        (lambda: classes(root(0.0)), r"gradient of sqrt with respect to x is -?inf"),
        (lambda: classes(layers(2, nn.ReLU), lr=3.0), r"in 4 steps on one batch the loss went from 1\.\d+ to \d+"),
        (lambda: classes(layers(2, nn.ReLU), optimizer=optim.SGD, lr=1e4), r"the loss went from 1\.\d+ to (nan|inf|\d)"),
    ],
)  # fmt: skip
def test_what_is_said(make, says):
    report = nn.doctor(*make())
    assert any(re.search(says, f.what) for f in report.findings), report


def test_the_units_of_a_convolution_are_its_channels():
    net, batch, loss, optimizer = cnn()
    with autograd.no_grad():
        net[0].bias[:6] = -9
    (finding,) = nn.doctor(net, batch, loss, optimizer).findings
    assert finding[:2] == ("dead units", "1 (ReLU)")
    assert finding.value == 6 / 8
    assert f"6 of 8 units gave 0 in all of {64 * 6 * 6 * 5:,} cases" in finding.what


def test_two_activations_of_one_module_are_told_apart():
    def forward(net, x):
        x = F.relu(net.first(x))
        return net.last(F.relu(net.middle(x)))

    net = Net(forward, middle=nn.Linear(32, 32))
    with autograd.no_grad():
        net.middle.bias.fill_(-9)
    (finding,) = nn.doctor(*classes(net)).findings
    assert finding[:2] == ("dead units", "Net")
    assert "32 of 32 units gave 0 in all of 320 cases" in finding.what


def test_what_a_model_returns_may_be_sure():
    x = randn(64, 10)
    net = binary(nn.Sigmoid())
    with autograd.no_grad():
        net[0].weight.copy_(tensor(np.eye(8, 10, dtype=np.float32)))
        net[2].weight.copy_(tensor(np.eye(1, 8, dtype=np.float32) * 1000))
        net[2].bias.fill_(-100)
    y = (x[:, :1] > 0.1).float()
    report = nn.doctor(net, (x, y), nn.BCELoss(), optim.SGD(net.parameters(), lr=1e-9))
    assert "saturated units" not in problems(report)
    report = nn.doctor(nn.Sequential(*net, nn.Linear(1, 1), nn.Sigmoid()), (x, y), nn.BCELoss())
    assert ("saturated units", "3 (Sigmoid)") in [finding[:2] for finding in report.findings]


# ---------------------------------------------------------------- all is left as it was
class Moody(nn.Module):
    """A model that changes much when it runs."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.drop, self.last = nn.Linear(10, 8), nn.BatchNorm1d(8), nn.Dropout(0.5).eval(), nn.Linear(8, 3)
        self.register_buffer("seen", autograd.zeros(()))
        self.calls, self.hidden = 0, None
        self.loose = [nn.Linear(2, 2)]

    def forward(self, x):
        self.calls += 1
        self.seen = self.seen + 1
        self.hidden = self.first(x)
        noise = np.random.normal() + random.random() + autograd.randn(())
        return self.last(self.drop(self.norm(self.hidden))) + 0.01 * noise + self.loose[0](x[:, :2]).sum()


def everything(net, optimizer):
    """All that could be different, as bytes and numbers."""
    state = {name: t.array.tobytes() for name, t in net.state_dict().items()}
    grads = {name: p.grad is not None and (id(p.grad), p.grad.array.tobytes()) for name, p in net.named_parameters()}
    loose = [(p.array.tobytes(), p.grad) for p in net.loose[0].parameters()]
    steps = [
        {n: t.array.tobytes() for n, t in s.items()} if (s := optimizer.state.get(p)) else s for p in net.parameters()
    ]  # fmt: skip
    groups = [{n: v for n, v in group.items() if n != "params"} for group in optimizer.param_groups]
    places = [(id(t), id(t.array)) for t in (*net.parameters(), *net.buffers())]
    modes = [m.training for m in net.modules()]
    own = net.calls, net.hidden, [len(m._hooks) for m in net.modules()], [len(p.node.hooks or {}) for p in net.parameters()]
    drawn = str(autograd.get_rng_state()), str(random.getstate()), str(np.random.get_state())
    hooks = len(optimizer._step_pre_hooks), len(optimizer._step_post_hooks), [len(s) for s in optimizer.state.values()]
    return state, grads, loose, steps, groups, places, modes, own, drawn, hooks


@pytest.mark.parametrize("begun", [False, True], ids=["new", "begun"])
@pytest.mark.parametrize("broken", [False, True], ids=["sound", "broken"])
def test_all_is_left_as_it_was(begun, broken):
    net, x, y = Moody(), randn(32, 10), randint(0, 3, (32,))
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    if begun:
        F.cross_entropy(net(x), y).backward()
        warned(optimizer.step)  # of what is in a list
        net.hidden = None
    np.random.normal()  # so that there is a state
    before = everything(net, optimizer)
    if broken:
        with pytest.raises(ZeroDivisionError):
            nn.doctor(net, (x, y), lambda output, target: F.cross_entropy(output, target) / (net.calls < 3 or 1 // 0), optimizer)
    else:
        assert "not registered" in problems(nn.doctor(net, (x, y), F.cross_entropy, optimizer))
        lr_range_test(net, (x, y), F.cross_entropy, optimizer)
    assert everything(net, optimizer) == before


def test_another_model_in_the_loss_is_left_as_it_was():
    net, judge, x = nn.Linear(4, 4), nn.Linear(4, 1), randn(32, 4)
    judge(x).sum().backward()
    judge.bias.grad = None
    before = judge.weight.grad, judge.weight.grad.tolist()

    def loss(output, _):
        return F.binary_cross_entropy_with_logits(judge(output), autograd.ones(32, 1))

    assert nn.doctor(net, x, loss, optim.Adam(net.parameters())).ok
    assert judge.weight.grad is before[0]
    assert judge.weight.grad.tolist() == before[1]
    assert judge.bias.grad is None


def test_examining_changes_no_training():
    def trained(examined):
        autograd.manual_seed(0)
        net, (x, y), loss, optimizer = normalized()
        for _ in range(3):
            if examined:
                nn.doctor(net, (x, y), loss, optimizer)
            optimizer.zero_grad()
            loss(net(x), y).backward()
            optimizer.step()
        return {name: t.array.tobytes() for name, t in net.state_dict().items()}

    assert trained(True) == trained(False)


# ---------------------------------------------------------------- loops of one's own, and fit
def watched(net, loop):
    net, (x, y), loss, optimizer = classes(net)
    with Doctor(net, optimizer) as doctor, np.errstate(invalid="ignore"):
        for _ in range(3):
            loop(net, x, y, loss, optimizer)
    return doctor.report


def step(net, x, y, loss, optimizer, clear=True):
    if clear:
        optimizer.zero_grad()
    loss(net(x), y).backward()
    optimizer.step()


def late(net, x, y, loss, optimizer):
    value = loss(net(x), y)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()


def in_parts(net, x, y, loss, optimizer):
    optimizer.zero_grad()
    for i in (0, 32):
        (loss(net(x[i : i + 32]), y[i : i + 32]) / 2).backward()
    optimizer.step()


def with_evaluation(switch):
    def loop(net, *rest):
        step(net, *rest)
        net.train(not switch)
        with autograd.no_grad():
            net(rest[0])
        net.train()

    return loop


@pytest.mark.parametrize(
    ("net", "loop", "found"),
    [
        (lambda: layers(2, nn.ReLU), step, []),
        (lambda: layers(2, nn.ReLU), late, []),
        (lambda: layers(2, nn.ReLU), in_parts, []),
        (lambda: layers(2, nn.ReLU), lambda *args: step(*args, clear=False), ["gradients not cleared"]),
        (lambda: with_mode(True), with_evaluation(True), []),
        (lambda: with_mode(True), with_evaluation(False), ["in training mode"]),
        (lambda: layers(2, nn.ReLU), with_evaluation(False), []),
        (lambda: with_mode(False), step, ["in evaluation mode"]),
        (unused, step, ["no gradient"]),
        (lambda: logarithm(0.1), step, ["not finite"]),
        (lambda: layers(9, nn.Sigmoid), step, ["vanishing gradients"]),
    ],
)  # fmt: skip
def test_a_loop_of_ones_own(net, loop, found):
    assert problems(watched(net(), loop)) == found


def test_the_doctor_hears_nothing_after_its_context():
    net, (x, y), loss, optimizer = classes(layers(2, nn.ReLU))
    with Doctor(net, optimizer) as doctor:
        step(net, x, y, loss, optimizer)
    step(net, x, y, loss, optimizer, clear=False)
    assert doctor.report.ok
    assert str(doctor.report).startswith("nothing found in 1 step of Sequential")
    assert not any(m._hooks for m in net.modules())


def trained(net, doctor, epochs=2, **options):
    net, (x, y), loss, optimizer = classes(net, **options)
    data = DataLoader(TensorDataset(x, y), 8)
    return warned(lambda: fit(net, loss, optimizer, data, epochs, callbacks=[doctor], validation=data, verbose=False))


def test_fit_is_told_once_of_each_thing():
    history, found = trained(shifted(layers(2, nn.ReLU), 0, -9), Doctor())
    (warning,) = found
    assert str(warning.message).startswith("Doctor: epoch 1: dead units, 1 (ReLU): at 1 (ReLU) 32 of 32 units")
    assert warning.filename == __file__
    assert len(history["loss"]) == 2
    for sound in (layers(2, nn.ReLU), with_mode(True)):
        assert not trained(sound, doctor := Doctor())[1]
        assert str(doctor.report).startswith("nothing found in 5 steps of Sequential")


def test_fit_has_other_rates_looked_at_by_their_steps():
    (warning,) = trained(layers(2, nn.ReLU), Doctor(), optimizer=optim.Adam, lr=10.0)[1][-1:]
    assert "learning rate too high, the optimizer: a step changes" in str(warning.message)
    (warning,) = trained(layers(2, nn.ReLU), Doctor(), optimizer=optim.SGD, lr=1e-7)[1]
    assert "learning rate too low, the optimizer: a step changes no layer by more than" in str(warning.message)


def test_large_steps_that_lead_down_are_good_ones():
    net, batch, loss, optimizer = classes(layers(2, nn.ReLU), optimizer=optim.LBFGS, lr=1)
    assert not warned(lambda: fit(net, loss, optimizer, [batch] * 3, 2, callbacks=[Doctor()], verbose=False))[1]


def test_what_other_callbacks_do_after_a_short_epoch_is_not_heard():
    net, x = nn.Sequential(nn.Linear(10, 16), nn.Dropout(0.1), nn.Linear(16, 3)), randn(64, 10)

    def look(loop):
        with in_mode(net, training=False):
            net(x).sum().backward()

    doctor = Doctor()
    data = DataLoader(TensorDataset(x, x[:, :3].argmax(1)), 32)
    fit(net, nn.CrossEntropyLoss(), optim.Adam(net.parameters(), lr=0.01), data, 2, callbacks=[look, doctor], verbose=False)
    assert doctor.report.ok, doctor.report


def test_an_epoch_shorter_than_the_doctor_wants_is_told_in_its_end():
    _, found = trained(shifted(layers(2, nn.ReLU), 0, -9), Doctor(steps=100), epochs=1)
    assert ["dead units" in str(w.message) for w in found] == [True]


# ---------------------------------------------------------------- how it tells
class Text(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.words, self.tags = [], []
        self.feed(html)

    def handle_data(self, data):
        self.words.append(data)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)


def test_a_report_as_text_and_as_html():
    report = nn.doctor(*classes(nn.Sequential(nn.Linear(10, 3), nn.Softmax(1))))
    says = """1 finding in 5 steps of Sequential

not logits, 1 (Softmax)
    cross_entropy was given what comes out of softmax at 1 (Softmax); it takes logits
    -> leave that out: cross_entropy has softmax in it"""
    assert str(report) == repr(report) == says
    page = Text(report._repr_html_())
    assert page.words[0] == "1 finding in 5 steps of Sequential"
    assert page.words[1:5] == ["problem", "where", "what was seen", "what to do"]
    assert page.words[5:] == list(report.findings[0][:3] + report.findings[0][4:])
    assert page.tags.count("tr") == 2
    assert "<table" not in nn.doctor(*mlp())._repr_html_()


def test_strange_names_do_not_get_into_the_page():
    net = nn.Sequential()
    net.add_module("<b>\x1b[2J", nn.Linear(10, 3))
    net.add_module("end", nn.Softmax(1))
    net.add_module("spare<i>", nn.Linear(2, 2))
    net.forward = lambda x: net.end(next(iter(net))(x))
    report = nn.doctor(*classes(net))
    assert len(report.findings) == 2
    assert "\x1b" not in str(report)
    assert not {"b", "i"} & {*Text(report._repr_html_()).tags}


# ---------------------------------------------------------------- the range test
RATES = Rates([1e-3, 1e-2, 1e-1, 1.0, 10.0], [2.0, 1.9, 1.5, 0.5, 0.7, 9.0], 0.01)


def test_what_a_range_test_says():
    assert (RATES.fastest, RATES.limit, RATES.suggestion) == (0.1, 10.0, 0.1)
    noisy = Rates([1e-3, 1e-2, 1e-1, 1.0], [2.0, 1.5, 2.5, 1.4, 1.4], 0.01)
    assert (noisy.fastest, noisy.limit) == (1e-3, None), "what only makes up for a rise does not count"
    flat = Rates([1e-3, 1e-2], [2.0, 2.0, 2.0], 0.01)
    assert (flat.fastest, flat.limit, flat.suggestion) == (None, None, None)
    steep = Rates([1e-3, 1e-2], [2.0, 1.0, float("nan")], 0.01)
    assert (steep.fastest, steep.limit, steep.suggestion) == (1e-3, 1e-2, 1e-3)


def test_a_quadratic_is_too_steep_from_twice_its_inverse_curvature_on():
    """The loss w**2 / 2 of one weight: a step with lr leaves (1 - lr) w."""
    net = nn.Linear(1, 1, bias=False)
    batch, optimizer = (tensor([[1.0]]), tensor([[0.0]])), optim.SGD(net.parameters(), lr=0.5)
    rates = lr_range_test(net, batch, lambda y, t: (y**2).sum() / 2, optimizer, low=0.01, high=100, steps=21)
    w = 1.0
    for i, (lr, after) in enumerate(zip(rates.lrs, rates.losses[1:], strict=True)):
        w *= 1 - lr
        assert after / rates.losses[0] == pytest.approx(w * w, rel=1e-3, abs=1e-9), i
    assert rates.lrs[:2] == pytest.approx([0.01, 0.01 * 10**0.2])
    assert rates.lr == 0.5


def test_groups_keep_their_ratios():
    net, batch, loss, _ = classes(layers(2, nn.ReLU))
    seen = []
    optimizer = optim.SGD([{"params": net[0].parameters()}, {"params": net[2].parameters(), "lr": 0.03}], lr=0.01)

    def spied(output, target):
        return loss(output, target)

    class Spy(optim.SGD):
        def step(self, closure=None):
            seen.append([group["lr"] for group in self.param_groups])
            return super().step(closure)

    optimizer.__class__ = Spy
    lr_range_test(net, batch, spied, optimizer, steps=5)
    assert all(b == pytest.approx(3 * a) for a, b in seen)
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, 0.03]


@pytest.fixture
def pyplot(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="pictures need matplotlib, which is an extra")
    yield pyplot
    pyplot.close("all")


def test_the_picture_of_a_range_test(pyplot):
    ax = RATES.plot()
    curve, dot, own = ax.get_lines()
    assert (curve.get_xdata().tolist(), list(curve.get_ydata())) == (RATES.lrs, RATES.losses[1:])
    assert (dot.get_xdata()[0], dot.get_ydata()[0], own.get_xdata()[0]) == (0.1, 0.5, 0.01)
    assert ax.get_xscale() == "log"
    says = [text.get_text() for text in ax.get_legend().get_texts()]
    assert says == ["falls fastest at 0.1", "too high from 10 on", "the optimizer's, 0.01"]
    assert ax.get_ylim()[1] < 9, "what is far above the first loss is cut off"
    ax.figure.canvas.draw()
    _, given = pyplot.subplots()
    assert Rates([1e-3, 1e-2], [2.0, 2.0, float("nan")], 0.0).plot(given) is given


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(MissingError, match=r"plot.lr_range needs matplotlib"):
        RATES.plot()


# ---------------------------------------------------------------- what is refused
def lazy():
    return nn.Sequential(nn.LazyLinear(3))


@pytest.mark.parametrize(
    ("error", "says", "call"),
    [
        (UnsupportedError, "doctor: model must be a Module, not function", lambda b, o: nn.doctor(F.relu, b, F.mse_loss)),
        (UnsupportedError, "doctor: optimizer is one of nn.optim, not float", lambda b, o: nn.doctor(nn.Linear(10, 3), b, F.mse_loss, 0.1)),
        (UnsupportedError, "doctor: a batch is .*, not 3", lambda b, o: nn.doctor(nn.Linear(10, 3), 3, F.mse_loss)),
        (ArgumentError, "doctor: steps is a whole number, 1 or more, got 0", lambda b, o: nn.doctor(nn.Linear(10, 3), b, F.mse_loss, steps=0)),
        (ArgumentError, "doctor: 0.weight has no size yet; run the model once", lambda b, o: nn.doctor(lazy(), b, F.mse_loss)),
        (ArgumentError, "Doctor: steps is a whole number, 1 or more, got 1.5", lambda b, o: Doctor(steps=1.5)),
        (ArgumentError, "Doctor: it has seen nothing yet", lambda b, o: Doctor().report),
        (UnsupportedError, "Doctor: model must be a Module, not NoneType", lambda b, o: Doctor().__enter__()),
        (ArgumentError, "lr_range_test: steps is a whole number, 2 or more, got 1", lambda b, o: lr_range_test(nn.Linear(10, 3), b, F.mse_loss, o, steps=1)),
        (ArgumentError, "low and high are rates, 0 < low < high, got 1 and 0.1", lambda b, o: lr_range_test(nn.Linear(10, 3), b, F.mse_loss, o, low=1, high=0.1)),
        (UnsupportedError, "lr_range_test: optimizer is one of nn.optim, not NoneType", lambda b, o: lr_range_test(nn.Linear(10, 3), b, F.mse_loss, None)),
    ],
)  # fmt: skip
def test_what_is_refused(error, says, call):
    _, batch, _, optimizer = classes(nn.Linear(10, 3))
    with pytest.raises(error, match=says):
        call(batch, optimizer)


def test_no_tape_may_record():
    with pytest.raises(GraphError, match="doctor cannot listen while a tape records"), autograd.engine.graph.ambient(tape=Tape()):
        nn.doctor(*mlp())


def test_a_detached_number_is_told_by_its_warning():
    _, broken, _ = BROKEN["warning"]
    (finding,) = nn.doctor(*broken()).findings
    assert "float makes plain numbers" in finding.what
    net, (x, _), _, _ = broken()
    with pytest.warns(DetachedWarning):
        net(x)
