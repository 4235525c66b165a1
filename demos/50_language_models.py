"""Four ways to read a text: an RNN, an LSTM, a GRU and a Transformer learn to spell like Shakespeare, all trained alike.

Claim: on four sonnets that they have never seen, each of the four needs at least 0.2 nats per character less than counting pairs
of characters, though that may choose its smoothing on those very sonnets.

The first three carry a state from character to character, the LSTM and the GRU through gates. The decoder-only Transformer keeps
all characters and looks back at them; a mask hides what comes later. Each reads 64 characters and names, at each, the next one.
Source: Elman, 1990; Hochreiter and Schmidhuber, 1997; Cho et al., 2014; Vaswani et al., Attention is all you need, 2017.
"""

import pathlib

import nn
import nn.functional as F
from autograd import arange, bincount, cat, manual_seed, multinomial, no_grad, randint, tensor

from common import arguments, claim, descend, panels, save

CONTEXT = 64


class Recurrent(nn.Module):
    """Characters (n, t) become scores for the next ones (n, t, characters), by a layer that carries a state."""

    def __init__(self, kind, characters, width):
        super().__init__()
        self.embedding = nn.Embedding(characters, 32)
        self.layer = kind(32, width, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(width, characters))

    def forward(self, x):
        return self.head(self.layer(self.embedding(x))[0])


class Transformer(nn.Module):
    """The same by attention: what a character is and where it stands is added up, and two layers look back."""

    def __init__(self, characters, width=64):
        super().__init__()
        self.embedding, self.position = nn.Embedding(characters, width), nn.Embedding(CONTEXT, width)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.1, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, characters)

    def forward(self, x):
        later = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        seen = self.embedding(x) + self.position(arange(x.shape[1]))
        return self.head(self.layers(seen, mask=later, is_causal=True))


def loss_of(model, windows):
    return F.cross_entropy(model(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())


def train(model, text, test, steps, batch=16):
    """Steps on random windows of the text; returns what the test costs, now and then."""
    costs = []

    def loss():
        return loss_of(model, text[randint(0, len(text) - CONTEXT, (batch, 1)) + arange(CONTEXT + 1)])

    def tell(step):
        model.eval()
        with no_grad():
            costs.append((step, loss_of(model, test).item()))
        model.train()

    descend(model.parameters(), loss, steps, 4e-3, clip=1.0, weight_decay=0.1, tell=tell)
    return costs


@no_grad()
def write(model, start, length, temperature=0.7):
    model.eval()
    x = tensor([start])
    for _ in range(length):
        chances = (model(x[:, -CONTEXT:])[0, -1] / temperature).softmax(0)
        x = cat([x, multinomial(chances, 1)[None]], 1)
    return x[0].tolist()


def counting_pairs(text, test, n):
    """What the test costs if one counts in the text what follows each character, with the best smoothing for the test."""
    counts = bincount(text[:-1] * n + text[1:], minlength=n * n).reshape(n, n).float()
    chances = ((counts + smoothing) / (counts + smoothing).sum(1, keepdim=True) for smoothing in (0.01, 0.03, 0.1, 0.3, 1.0))
    return min(F.nll_loss(p.log()[test[:, :-1].flatten()], test[:, 1:].flatten()).item() for p in chances)


def draw(costs, pairs, texts, path):
    figure, (left, right) = panels(2, width=6.5, height=4.2)
    for name, points in costs.items():
        left.plot(*zip(*points, strict=True), marker=".", label=name)
    left.axhline(pairs, color="#94a3b8", linestyle="--", label="pairs, counted")
    left.set(title="nats per character of unseen sonnets", xlabel="step")
    left.legend(frameon=False)
    right.axis("off")
    for i, (name, text) in enumerate(texts.items()):
        lines = "\n".join(line[:64] for line in text.split("\n")[:4])
        right.text(0, 1 - i / 4, f"{name}:\n{lines}", va="top", fontsize=8, family="monospace", color=f"C{i}")
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    sonnets = pathlib.Path(__file__).with_name("sonnets.txt").read_text(encoding="utf-8")
    alphabet = sorted(set(sonnets))
    parts = ["\n\n".join(part) for part in (sonnets.split("\n\n")[:-4], sonnets.split("\n\n")[-4:])]
    text, test = (tensor([alphabet.index(c) for c in part]) for part in parts)
    test = test[: (len(test) - 1) // CONTEXT * CONTEXT + 1].unfold(0, CONTEXT + 1, CONTEXT)
    pairs = counting_pairs(text, test, len(alphabet))

    n, steps = len(alphabet), 60 if options.quick else 600
    models = {
        "RNN": Recurrent(nn.RNN, n, 192), "LSTM": Recurrent(nn.LSTM, n, 96), "GRU": Recurrent(nn.GRU, n, 112),
        "Transformer": Transformer(n),
    }  # fmt: skip
    costs, texts = {}, {}
    for name, model in models.items():
        costs[name] = train(model, text, test, steps)
        texts[name] = "".join(
            alphabet[i] for i in write(model, [alphabet.index(c) for c in "Shall I"], 40 if options.quick else 160)
        )
        weights = sum(p.numel() for p in model.parameters())
        print(f"{name}, {weights:,} weights: {costs[name][-1][1]:.3f} nats per character\n\n{texts[name]}\n")
    draw(costs, pairs, texts, options.out / "language_models.png")
    ends = {name: points[-1][1] for name, points in costs.items()}
    measured = ", ".join(f"{name} {end:.3f}" for name, end in ends.items())
    claim(
        max(ends.values()) <= pairs + (0.4 if options.quick else -0.2),
        f"nats per character that they have never seen: {measured}; counting pairs costs {pairs:.3f}",
    )


if __name__ == "__main__":
    main()
