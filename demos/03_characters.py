"""Teach an LSTM to spell like Shakespeare, one character after the other, and see where it is surprised.

    python demos/03_characters.py [--seed 0] [--epochs 20] [--temperature 0.7] [--out characters] [--quick]

Claim: on four sonnets that it has never seen, its loss per character is at least 0.4 nats below that of counting pairs of
characters, though that may choose its smoothing on those very sonnets, after about 20 s of training on one core.
Writes characters.png. The same seed gives the same bits.

The text is demos/sonnets.txt, the first 46 of Shakespeare's sonnets (1609), which are in the public domain.
This is a PyTorch program: under `import torch`, `from torch import nn, optim` and so on, the rest runs there as it stands.
"""

from __future__ import annotations

import argparse
import math
import os
import pathlib
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the matrices are small: a second thread would only get in the way

import autograd as torch
import nn
import nn.functional as F
from nn import optim

from common import claim

try:
    from matplotlib.figure import Figure
except ImportError as missing:
    sys.exit(
        f"this demo draws with {missing.name}: pip install 'chainrule[demo]', or `python3 run.py demo` and then .venv/bin/python"
    )

SONNETS = pathlib.Path(__file__).with_name("sonnets.txt")


class CharacterModel(nn.Module):
    """From the characters so far to scores for the next one."""

    def __init__(self, characters, embedding=32, hidden=192):
        super().__init__()
        self.embedding = nn.Embedding(characters, embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        self.dropout = nn.Dropout(0.4)
        self.head = nn.Linear(hidden, characters)

    def forward(self, x, state=None):
        x = self.dropout(self.embedding(x))
        x, state = self.lstm(x, state)
        return self.head(self.dropout(x)), state


def train(model, text, optimizer, steps=48):
    """One epoch of backpropagation through time: `text` holds a part of the text in each row, of which the model reads
    `steps` characters at a time. Its state goes on from one such piece to the next; gradients do not go back. Returns the losses.
    """
    model.train()
    losses, state = [], None
    for start in range(0, text.size(1) - 1, steps):
        piece = text[:, start : start + steps + 1]
        if state is not None:
            state = tuple(part.detach() for part in state)
        optimizer.zero_grad()
        scores, state = model(piece[:, :-1], state)
        loss = F.cross_entropy(scores.flatten(0, 1), piece[:, 1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def surprise(model, text):
    """-log of the probability that the model gave to each character but the first, having read all before it."""
    model.eval()
    scores, _ = model(text[:-1].unsqueeze(0))
    return F.cross_entropy(scores[0], text[1:], reduction="none")


@torch.no_grad()
def sample(model, start, length, temperature):
    """`start` and the `length` characters that the model adds: the lower the temperature, the more it trusts its first choice."""
    model.eval()
    text, state = list(start), None
    x = torch.tensor([text])
    for _ in range(length):
        scores, state = model(x, state)
        probabilities = F.softmax(scores[0, -1] / temperature, dim=0)
        x = torch.multinomial(probabilities, 1).unsqueeze(0)
        text.append(x.item())
    return text


def bigram_loss(train_text, test_text, characters):
    """The loss of a model that counts in the training text what follows each character, with the best smoothing for the test."""
    pairs = train_text[:-1] * characters + train_text[1:]
    counts = torch.bincount(pairs, minlength=characters * characters).reshape(characters, characters).float()
    losses = []
    for smoothing in (0.01, 0.03, 0.1, 0.3, 1.0):
        p = (counts + smoothing) / (counts + smoothing).sum(dim=1, keepdim=True)
        losses.append(F.nll_loss(p.log()[test_text[:-1]], test_text[1:]).item())
    return min(losses)


def draw(curves, bigram, lines, surprises, path):
    """The loss over the epochs; and lines that the model has never seen, each character the darker the less expected it was."""
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 5))
    epochs = range(1, len(curves["test"]) + 1)
    left.plot(epochs, curves["train"], color="#94a3b8", marker=".", linewidth=2, label="LSTM in training, with dropout")
    left.plot(epochs, curves["test"], color="#4f46e5", marker=".", linewidth=2, label="LSTM on unseen sonnets")
    left.axhline(bigram, color="#dc2626", linewidth=1.5, linestyle="--", label="pairs of characters, counted")
    left.set(title="loss per character (nats)", xlabel="epoch")
    left.xaxis.get_major_locator().set_params(integer=True)
    left.grid(alpha=0.3)
    left.legend(frameon=False, loc="upper right")
    left.spines[["top", "right"]].set_visible(False)

    width = max(map(len, lines))
    rows = [row + [math.nan] * (width - len(row)) for row in surprises]
    image = right.imshow(rows, cmap="Oranges", vmin=0, vmax=6, aspect="auto")
    for y, line in enumerate(lines):
        for x, character in enumerate(line):
            colour = "white" if rows[y][x] > 4.5 else "#1e293b"
            right.text(x, y, character, ha="center", va="center_baseline", family="monospace", fontsize=11, color=colour)
    right.set(title="unseen lines, and how unexpected each character was (nats)", xticks=[], yticks=[])
    right.spines[:].set_visible(False)
    figure.colorbar(image, ax=right, shrink=0.8, pad=0.01).outline.set_visible(False)
    figure.savefig(path, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same bits")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--temperature", type=float, default=0.7, help="how freely it writes")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("characters"), help="the folder for the picture")
    parser.add_argument("--quick", action="store_true", help="two epochs, and a claim of 1.5 nats less than by blind guessing")
    options = parser.parse_args()
    epochs = 2 if options.quick else options.epochs
    torch.manual_seed(options.seed)

    sonnets = SONNETS.read_text(encoding="utf-8")
    alphabet = sorted(set(sonnets))
    number = {character: i for i, character in enumerate(alphabet)}
    parts = sonnets.split("\n\n")
    train_text, test_text = (torch.tensor([number[c] for c in "\n\n".join(part)]) for part in (parts[:-4], parts[-4:]))
    print(f"{len(train_text):,} characters to read, {len(test_text):,} to test on, {len(alphabet)} different ones")
    bigram = bigram_loss(train_text, test_text, len(alphabet))

    model = CharacterModel(len(alphabet))
    print(model)
    optimizer = optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.1)
    rows = train_text[: len(train_text) // 16 * 16].reshape(16, -1)
    curves = {"train": [], "test": []}
    start = time.perf_counter()
    for epoch in range(1, epochs + 1):
        losses = train(model, rows, optimizer)
        curves["train"].append(sum(losses) / len(losses))
        curves["test"].append(surprise(model, test_text).mean().item())
        if epoch % 5 == 0 or epoch == epochs:
            print(f"epoch {epoch:2}: " + ", ".join(f"{name} {values[-1]:.3f}" for name, values in curves.items()))
    loss = curves["test"][-1]
    print(f"nats per character after {time.perf_counter() - start:.1f} s of training: {loss:.3f}", end="; ")
    print(f"by counting pairs {bigram:.3f}, by blind guessing {math.log(len(alphabet)):.3f}\n")

    beginning = "Shall I compare thee to a"
    print(f"{beginning} ... at temperature {options.temperature}:\n")
    print("".join(alphabet[i] for i in sample(model, [number[c] for c in beginning], 300, options.temperature)) + "\n")

    lines = parts[-4].split("\n")[:10]
    surprises = iter([math.nan, *surprise(model, test_text).tolist()])
    surprises = [[next(surprises) for _ in line + "\n"][:-1] for line in lines]
    options.out.mkdir(parents=True, exist_ok=True)
    draw(curves, bigram, lines, surprises, options.out / "characters.png")
    print(options.out.resolve() / "characters.png")
    holds = loss < (math.log(len(alphabet)) - 1.5 if options.quick else bigram - 0.4)
    claim(holds, f"{loss:.3f} nats per character that it has never seen; counting pairs of characters costs {bigram:.3f}")


if __name__ == "__main__":
    main()
