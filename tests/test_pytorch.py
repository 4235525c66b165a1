"""A PyTorch program runs here after changing its imports, and computes the same numbers."""

import importlib
import types

import numpy as np
import pytest

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
