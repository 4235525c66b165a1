"""A PyTorch program runs here after changing its imports, and computes the same numbers."""

import importlib
import types

import numpy as np
import pytest

import autograd
from nn.datasets import digits


def libraries(which):
    """What `import torch`, `from torch import nn, optim` and `import torch.nn.functional as F` give in either library."""
    if which == "here":
        torch, names = importlib.import_module("autograd"), ("nn", "nn.functional", "nn.optim", "nn.utils.data")
    else:
        torch = pytest.importorskip("torch", reason="PyTorch is no dependency; where it is installed, it is compared with")
        names = ("torch.nn", "torch.nn.functional", "torch.optim", "torch.utils.data")
    return types.SimpleNamespace(
        torch=torch, **dict(zip(("nn", "F", "optim", "data"), map(importlib.import_module, names), strict=True))
    )


# ---------------------------------------------------------------- the program, as anyone would write it for PyTorch
def program(lib, start, images, labels, make_optimizer):
    torch, nn, F, data = lib.torch, lib.nn, lib.F, lib.data

    class Classifier(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.Tanh())
            self.head = nn.Linear(hidden, 10)

        def forward(self, x):
            x = x.view(x.size(0), -1)
            return self.head(self.body(x) + 0.1)

    model = Classifier(32)
    model.load_state_dict({name: torch.tensor(value) for name, value in start.items()})
    optimizer = make_optimizer(lib.optim, model.parameters())
    loader = data.DataLoader(data.TensorDataset(torch.tensor(images), torch.tensor(labels)), batch_size=50)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
    losses = []
    for _ in range(2):
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            penalty = sum(p.pow(2).sum() for p in model.parameters())
            (loss + 1e-4 * penalty).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
        for group in optimizer.param_groups:
            group["lr"] *= 0.5
    with torch.no_grad():
        model.eval()
        x = torch.tensor(images)
        accuracy = (model(x).argmax(dim=1) == torch.tensor(labels)).float().mean().item()
        confidence = F.softmax(model(x), dim=1).max(dim=1).values.mean().item()
    return losses, accuracy, confidence, {name: p.detach().numpy().copy() for name, p in model.state_dict().items()}


OPTIMIZERS = {
    "SGD": lambda optim, p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "Adam": lambda optim, p: optim.Adam(p, lr=3e-3),
    "AdamW": lambda optim, p: optim.AdamW(p, lr=3e-3, weight_decay=0.1),
}


@pytest.fixture(scope="module")
def task():
    (train, _) = digits()
    images, labels = (t[:300].numpy() for t in train.tensors)
    rng = np.random.default_rng(0)
    shapes = {"body.0": (32, 64), "body.2": (32, 32), "head": (10, 32)}
    start = {}
    for name, shape in shapes.items():
        start[f"{name}.weight"] = rng.normal(0, shape[1] ** -0.5, shape).astype(np.float32)
        start[f"{name}.bias"] = np.zeros(shape[0], np.float32)
    return start, images, labels


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_loop_gives_the_same_losses(task, optimizer):
    here = program(libraries("here"), *task, OPTIMIZERS[optimizer])
    there = program(libraries("torch"), *task, OPTIMIZERS[optimizer])
    np.testing.assert_allclose(here[0], there[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(here[1:3], there[1:3], rtol=1e-4)
    for name, value in there[3].items():
        np.testing.assert_allclose(here[3][name], value, rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_program_runs_without_pytorch_and_learns(task, optimizer):
    losses, accuracy, confidence, state = program(libraries("here"), *task, OPTIMIZERS[optimizer])
    assert losses[-1] < 0.95 * losses[0]
    assert accuracy > 0.5
    assert 0.1 < confidence <= 1
    assert {v.dtype for v in state.values()} == {np.dtype("float32")}


# ---------------------------------------------------------------- other things that people write
def set_all(torch, module):
    """Weights that are the same in both libraries."""
    with torch.no_grad():
        for i, p in enumerate(module.parameters()):
            p.copy_(torch.from_numpy((np.sin(np.arange(p.numel()) * 1.3 + i) * 0.3).reshape(tuple(p.shape)).astype(np.float32)))
    return module


def waves(torch, *shape):
    return torch.from_numpy(np.sin(np.arange(np.prod(shape)) * 1.7).reshape(shape).astype(np.float32))


def residual_network(torch, nn, F, optim):
    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride=1):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
            self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
            self.relu, self.shortcut = nn.ReLU(inplace=True), nn.Sequential()
            if stride != 1:
                self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

        def forward(self, x):
            out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
            out += self.shortcut(x)
            return F.relu(out)

    stem = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(True)]
    net = nn.Sequential(*stem, Block(8, 8), Block(8, 16, 2), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(16, 4))
    set_all(torch, net)
    x, y = waves(torch, 4, 3, 8, 8), torch.arange(4)
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.2, total_steps=10)
    average = optim.swa_utils.AveragedModel(net)
    for _ in range(4):
        optimizer.zero_grad(set_to_none=True)
        loss = nn.CrossEntropyLoss(label_smoothing=0.1)(net(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(net)
        yield loss.item(), optimizer.param_groups[0]["lr"]
    yield net.eval()(x).sum().item(), average.eval()(x).sum().item()


def adversaries(torch, nn, F, optim):
    make, judge = (set_all(torch, nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, n))) for n in (2, 1))
    steps = [optim.Adam(m.parameters(), lr=1e-2, betas=(0.5, 0.999)) for m in (make, judge)]
    criterion, real, noise = nn.BCEWithLogitsLoss(), waves(torch, 8, 2), waves(torch, 8, 2).flip(0)
    for _ in range(4):
        fake = make(noise)
        judged = criterion(judge(real), torch.ones(8, 1)) + criterion(judge(fake.detach()), torch.zeros(8, 1))
        judge.zero_grad()
        judged.backward()
        steps[1].step()
        made = criterion(judge(fake), torch.ones(8, 1))
        make.zero_grad()
        made.backward()
        steps[0].step()
        yield judged.item(), made.item()
    at = real.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(judge(at).sum(), at, create_graph=True)
    penalty = ((slope.norm(2, dim=1) - 1) ** 2).mean()
    judge.zero_grad()
    penalty.backward()
    yield penalty.item(), judge[0].weight.grad.abs().sum().item()


def packed_sequences(torch, nn, F, optim):
    rnn = nn.utils.rnn
    embed, network = nn.Embedding(10, 6, padding_idx=0), nn.LSTM(6, 5, 2, batch_first=True, bidirectional=True)
    head = nn.Linear(10, 3)
    for module in (embed, network, head):
        set_all(torch, module)
    padded = rnn.pad_sequence([torch.tensor([1, 2, 3]), torch.tensor([4, 5]), torch.tensor([6, 7, 8, 9])], batch_first=True)
    packed = rnn.pack_padded_sequence(embed(padded), torch.tensor([3, 2, 4]), batch_first=True, enforce_sorted=False)
    out, lengths = rnn.pad_packed_sequence(network(packed)[0], batch_first=True)
    loss = F.cross_entropy(head(out.mean(dim=1)), torch.arange(3))
    loss.backward()
    yield lengths.tolist()
    yield loss.item(), embed.weight.grad.abs().sum().item(), network.weight_hh_l1_reverse.grad.norm().item()


def a_function_of_ones_own(torch, nn, F, optim):
    class Swish(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * torch.sigmoid(x)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            s = torch.sigmoid(x)
            return g * (s * (1 + x * (1 - s)))

    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    x = torch.linspace(-2, 2, 5, device=device, requires_grad=True)
    Swish.apply(x).sum().backward()
    yield x.grad.tolist()


PROGRAMS = [residual_network, adversaries, packed_sequences, a_function_of_ones_own]


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_compute_the_same_numbers(program):
    numbers = []
    for which in ("torch", "here"):
        lib = libraries(which)
        importlib.import_module(lib.optim.__name__ + ".swa_utils")
        numbers.append(list(program(lib.torch, lib.nn, lib.F, lib.optim)))
    for expected, found in zip(*numbers, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-5)


def test_the_small_names_of_pytorch():
    """What programs ask of torch itself, beside its ops."""
    x = autograd.ones(2, 3)
    assert autograd.is_tensor(x)
    assert not autograd.is_tensor(x.array)
    assert autograd.numel(x) == 6
    assert autograd.is_floating_point(x)
    assert not autograd.is_floating_point(x.long())
    assert isinstance(x.shape, autograd.Size)
    assert autograd.finfo(autograd.float32).eps == np.finfo(np.float32).eps
    assert autograd.iinfo(autograd.int8).max == 127
    assert (autograd.inf, round(autograd.pi, 5), round(autograd.e, 5)) == (float("inf"), 3.14159, 2.71828)
    assert autograd.nan != autograd.nan
