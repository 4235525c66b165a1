"""BERT's idea: who has guessed hidden words in many sentences needs only few labels to tell praise from blame.

Claim: fine-tuned on 6 labelled sentences, a Transformer that was pre-trained by masking on sentences without labels names the
sentiment of at least 70 % of unseen ones, at least 10 in 100 more than the same network from scratch: means of five trials.

Sentences come from a grammar of 40 words of praise and blame: "the plot was not dull stale and weak and i loved the cast". Few of
these words are in 6 sentences. From guessing hidden words the network has learnt which ones go together.
Source: Devlin, Chang, Lee and Toutanova, BERT, 2018.
"""

import copy

import numpy as np

import nn
import nn.functional as F
from autograd import arange, linalg, manual_seed, tensor, where
from nn import optim
from nn.metrics import accuracy
from nn.train import predict

from common import arguments, claim, descend, panels, save

WORDS = {  # 0 is blame, 1 praise
    ("adjective", 1): "good great superb lovely funny moving clever brilliant charming fresh fine splendid".split(),
    ("adjective", 0): "bad awful dull boring stupid weak clumsy tedious dreadful stale poor silly".split(),
    ("verb", 1): "loved liked enjoyed admired praised adored cherished savoured".split(),
    ("verb", 0): "hated disliked endured loathed regretted despised mocked cursed".split(),
}
NOUNS = "film plot cast music ending story acting script scenery humour".split()
OTHERS = "the was not and i never".split()
VOCABULARY = ["[pad]", "[mask]", *OTHERS, *NOUNS, *(word for words in WORDS.values() for word in words)]
NUMBER = {word: i for i, word in enumerate(VOCABULARY)}
LENGTH = 15


def sentence(praise, rng):
    """Three adjectives and a verb of that sentiment; sometimes a "not" or a "never" before those of the opposite."""
    denied = (rng.random(2) < 0.2).tolist()
    first, second, third = rng.choice(WORDS["adjective", praise ^ denied[0]], 3, replace=False)
    opinion = ["the", rng.choice(NOUNS), "was", *["not"] * denied[0], first, second, "and", third]
    return [*opinion, "and", "i", *["never"] * denied[1], rng.choice(WORDS["verb", praise ^ denied[1]]), "the", rng.choice(NOUNS)]


def sentences(n, rng):
    """Rows of word numbers (n, 15), and the sentiments."""
    rows, praise = np.zeros((n, LENGTH), np.int64), rng.permutation(n) % 2
    for row, p in zip(rows, praise.tolist(), strict=True):
        words = sentence(p, rng)
        row[: len(words)] = [NUMBER[word] for word in words]
    return tensor(rows), tensor(praise)


class Encoder(nn.Module):
    """Words (n, t) become vectors (n, t, width), each of which has seen all the others."""

    def __init__(self, width=32):
        super().__init__()
        self.words, self.places = nn.Embedding(len(VOCABULARY), width), nn.Embedding(LENGTH, width)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(self, x):
        return self.layers(self.words(x) + self.places(arange(x.shape[1])), src_key_padding_mask=x == 0)


class Classifier(nn.Module):
    """The mean of an encoder's vectors, and a score for blame and one for praise."""

    def __init__(self, encoder, width=32):
        super().__init__()
        self.encoder, self.head = copy.deepcopy(encoder), nn.Linear(width, 2)

    def forward(self, x):
        there = (x != 0)[:, :, None]
        return self.head((self.encoder(x) * there).sum(1) / there.sum(1))


def pretrain(encoder, texts, steps, rng):
    """Hide every sixth word and guess it from the others. Returns the losses."""
    head = nn.Linear(32, len(VOCABULARY))

    def loss():
        x = texts[rng.integers(0, len(texts), 64)]
        hidden = tensor(rng.random(x.shape) < 1 / 6) & (x != 0)
        scores = head(encoder(where(hidden, NUMBER["[mask]"], x)))
        return F.cross_entropy(scores[hidden], x[hidden])

    return descend([*encoder.parameters(), *head.parameters()], loss, steps, 4e-3)


def fine_tuned(encoder, x, praise, steps=60):
    model = Classifier(encoder)
    optimizer = optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(x), praise).backward()
        optimizer.step()
    return model


def draw(encoder, losses, found, path):
    """The loss; the words of praise and blame as the encoder places them; and what it is good for."""
    figure, (left, middle, right) = panels(3, width=4.4, height=4.0)
    left.plot(np.convolve(losses, np.ones(20) / 20, "valid"), color="#4f46e5")
    left.set(title="loss of guessing hidden words", xlabel="step", ylim=(0, None))
    words = [(word, praise) for (_, praise), group in WORDS.items() for word in group]
    vectors = encoder.words.weight.detach()[[NUMBER[word] for word, _ in words]]
    vectors = vectors - vectors.mean(0)
    places = (vectors @ linalg.svd(vectors, full_matrices=False)[2][:2].T).tolist()
    for (word, praise), (x, y) in zip(words, places, strict=True):
        middle.scatter(x, y, s=4, color="white")
        middle.text(x, y, word, ha="center", va="center", fontsize=8, color="#166534" if praise else "#dc2626")
    middle.set(title="words of praise and blame,\nas placed without any label", xticks=[], yticks=[])
    for i, values in enumerate(found.values()):
        right.bar(i, np.mean(values), color=("#4f46e5", "#cbd5e1")[i], width=0.6)
        right.scatter([i] * len(values), values, color="black", s=12, zorder=3)
        right.text(i, 0.03, f"{np.mean(values):.1%}", ha="center", color=("white", "black")[i])
    right.set(title="sentiment right, by 6 labels", xticks=range(2), xticklabels=list(found), ylim=(0, 1))
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    texts, _ = sentences(3000, rng)
    encoder = Encoder()
    losses = pretrain(encoder, texts, 200 if options.quick else 500, rng)

    test, truth = sentences(400, rng)
    found = {"pre-trained": [], "from scratch": []}
    for _ in range(2 if options.quick else 5):
        labelled = sentences(6, rng)
        for values, start in zip(found.values(), (encoder, Encoder()), strict=True):
            values.append(accuracy(predict(fine_tuned(start, *labelled), test), truth))
    draw(encoder, losses, found, options.out / "masking.png")
    pretrained, scratch = (float(np.mean(values)) for values in found.values())
    claim(
        pretrained >= (0.6 if options.quick else 0.7) and pretrained >= scratch + (-0.1 if options.quick else 0.1),
        f"with 6 labels {pretrained:.1%} of unseen sentences are named rightly after masking, {scratch:.1%} from scratch",
    )


if __name__ == "__main__":
    main()
