"""Train a variational autoencoder on handwritten digits, and walk through the plane into which it orders them.

    python demos/04_vae.py [--seed 0] [--epochs 60] [--out vae] [--quick]

Claim: on 360 digits that it has never seen, its bound on the log likelihood (the ELBO) is better by at least 1 nat per image
than that of the same model without hidden layers, whose code is linear as in PCA, and than that of the mean image.
Writes reconstructions.png and plane.png. The same seed gives the same bits.

This is a PyTorch program: under `import torch`, `from torch import nn, optim` and so on, the rest runs there as it stands.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the matrices are small: a second thread would only get in the way

import autograd as torch
import nn
import nn.functional as F
from nn import optim
from nn.datasets import digits
from nn.utils.data import DataLoader, TensorDataset

from common import claim

try:
    from matplotlib.figure import Figure
except ImportError as missing:
    sys.exit(
        f"this demo draws with {missing.name}: pip install 'chainrule[demo]', or `python3 run.py demo` and then .venv/bin/python"
    )


class VAE(nn.Module):
    """Kingma and Welling's autoencoder: an image becomes a normal distribution of codes, a code becomes the ink of each pixel.

    Without `hidden` units both ways are linear, up to the sigmoid of the pixels, which the loss applies.
    """

    def __init__(self, hidden=256, code=2):
        super().__init__()
        if hidden:
            self.encoder = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
            self.decoder = nn.Sequential(
                nn.Linear(code, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 64)
            )
        else:
            self.encoder, self.decoder = nn.Identity(), nn.Linear(code, 64)
        self.mean = nn.Linear(hidden or 64, code)
        self.log_variance = nn.Linear(hidden or 64, code)

    def encode(self, x):
        h = self.encoder(x)
        return self.mean(h), self.log_variance(h)

    def reparametrize(self, mean, log_variance):
        """A code drawn from that distribution, as a function of noise, so that gradients reach the mean and the variance."""
        return mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)

    def forward(self, x):
        mean, log_variance = self.encode(x)
        return self.decoder(self.reparametrize(mean, log_variance)), mean, log_variance


def negative_elbo(model, x):
    """What drawing the images from their codes loses, and how far the codes are from the standard normal distribution: both
    in nats, per image. As the pixels are grey, the first is never 0, but at least their entropy.
    """
    logits, mean, log_variance = model(x)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    divergence = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
    return (reconstruction + divergence) / len(x)


def train(model, loader, optimizer):
    """One epoch; returns the loss of each batch."""
    model.train()
    losses = []
    for (x,) in loader:
        optimizer.zero_grad()
        loss = negative_elbo(model, x)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def evaluate(model, x, draws=20):
    """The loss, averaged over several codes drawn for each image."""
    model.eval()
    return sum(negative_elbo(model, x).item() for _ in range(draws)) / draws


def fit(name, model, loader, x, epochs, lr):
    """Train a model; the loss on the images x, which it does not see, is printed and returned."""
    optimizer = optim.Adam(model.parameters(), lr=lr)
    start = time.perf_counter()
    for epoch in range(1, epochs + 1):
        losses = train(model, loader, optimizer)
        if epoch % 20 == 0 or epoch == epochs:
            print(f"{name}, epoch {epoch:2}: -ELBO train {sum(losses) / len(losses):.2f}, test {evaluate(model, x):.2f}")
    print(f"{name}: {time.perf_counter() - start:.1f} s of training")
    return evaluate(model, x)


def load():
    """The images to train with and those to test on, as vectors of 64 pixels, and the latter's labels."""
    train_set, test_set = digits()
    images, (test_images, labels) = train_set.tensors[0], test_set.tensors
    return *(torch.from_numpy(t.numpy()).flatten(1) for t in (images, test_images)), labels.tolist()


@torch.no_grad()
def draw_reconstructions(models, x, labels, path):
    """A digit of each kind, and what is left of it when it has gone through the two numbers of its code."""
    picked = x[[labels.index(digit) for digit in range(10)]]
    rows = {"digit": picked} | {name: torch.sigmoid(model.decoder(model.encode(picked)[0])) for name, model in models.items()}
    figure = Figure(figsize=(11, 3.9), layout="constrained")
    figure.suptitle("Test digits, and what each model draws from two numbers")
    grid = figure.subplots(len(rows), 10)
    for line, (name, images) in zip(grid, rows.items(), strict=True):
        line[0].set_ylabel(name)
        for axes, image in zip(line, images, strict=True):
            axes.imshow(image.reshape(8, 8).numpy(), cmap="gray_r", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_color("#cbd5e1")
    figure.savefig(path, dpi=130)


@torch.no_grad()
def draw_plane(model, x, labels, path, n=15, reach=2.8):
    """Where the codes of the test digits lie, and what the decoder draws for codes on a grid over the same plane."""
    codes, _ = model.encode(x)
    places = torch.linspace(-reach, reach, n)
    grid = torch.cartesian_prod(places.flip(0), places).flip(1)  # from the top left, line by line
    images = F.pad(torch.sigmoid(model.decoder(grid)).reshape(n, n, 8, 8), (1, 1, 1, 1))
    figure = Figure(figsize=(13, 6.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for digit in range(10):
        here = codes[[i for i, label in enumerate(labels) if label == digit]]
        left.scatter(*here.T.numpy(), s=50, marker=f"${digit}$", color=f"C{digit}", linewidth=0.3)
    edge = reach * n / (n - 1)
    right.imshow(images.permute(0, 2, 1, 3).reshape(n * 10, n * 10).numpy(), cmap="gray_r", extent=(-edge, edge, -edge, edge))
    left.set(title="the codes of the test digits", xlim=(-edge, edge), ylim=(-edge, edge), aspect="equal")
    right.set_title("what the decoder draws for each code")
    for axes in (left, right):
        axes.set(xlabel="first number", ylabel="second number")
        axes.spines[:].set_color("#cbd5e1")
    figure.savefig(path, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same bits")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("vae"), help="the folder that the pictures go to")
    parser.add_argument("--quick", action="store_true", help="ten epochs, and a claim of 0.3 nats")
    options = parser.parse_args()
    epochs = 10 if options.quick else options.epochs
    torch.manual_seed(options.seed)

    images, x, labels = load()
    loader = DataLoader(TensorDataset(images), batch_size=64, shuffle=True)
    mean = images.mean(dim=0).clamp(1e-6, 1 - 1e-6)  # a model that knows one image only, and needs no code
    losses = {"mean image": F.binary_cross_entropy(mean.expand_as(x), x, reduction="sum").item() / len(x)}
    models = {"linear": VAE(hidden=0), "VAE": VAE()}
    print(models["VAE"])
    for name, lr in (("linear", 3e-2), ("VAE", 4e-3)):
        losses[name] = fit(name, models[name], loader, x, epochs, lr)
    print("-ELBO per test image: " + ", ".join(f"{name} {loss:.2f}" for name, loss in losses.items()))

    options.out.mkdir(parents=True, exist_ok=True)
    draw_reconstructions(models, x, labels, options.out / "reconstructions.png")
    draw_plane(models["VAE"], x, labels, options.out / "plane.png")
    for name in ("reconstructions.png", "plane.png"):
        print(options.out.resolve() / name)
    better = min(losses["linear"], losses["mean image"]) - losses["VAE"]
    claim(better > (0.3 if options.quick else 1), f"the bound is {losses['VAE']:.2f} nats per image, better by {better:.2f}")


if __name__ == "__main__":
    main()
