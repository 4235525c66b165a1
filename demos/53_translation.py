"""Translation: a network reads a date as people write it, and writes it as computers do, looking where it reads.

Claim: of 500 dates that it has never seen, such as "Fri, 3rd of March 1987", it writes at least 95 % without one wrong character.

An encoder reads the characters, forwards and backwards. A decoder writes, one character after the other; before each it compares
its state with all that was read, and takes a mean of that, weighed by how well they fit: attention. In training it is told what
it should have written so far, afterwards it goes on from what it wrote.
Source: Bahdanau, Cho and Bengio, Neural machine translation by jointly learning to align and translate, 2014.
"""

import datetime

import numpy as np

import nn
import nn.functional as F
from autograd import cat, manual_seed, no_grad, stack, tensor, zeros

from common import arguments, claim, descend, panels, save

FORMS = ("%d %B %Y", "%B %d, %Y", "%d.%m.%Y", "%a, %d of %b %Y", "%d %b %Y", "%A, %B %d, %Y")
START, END = "<", ">"


def dates(n, rng):
    """Pairs of texts, as people write a day and as computers do."""
    pairs = []
    for day, form in zip(rng.integers(0, 36525, n).tolist(), rng.integers(0, len(FORMS), n), strict=True):
        date = datetime.date(1950, 1, 1) + datetime.timedelta(days=day)
        pairs.append((date.strftime(FORMS[form]).lower(), date.isoformat()))
    return pairs


class Alphabet:
    """Texts as rows of numbers, 0 where they have ended."""

    def __init__(self, texts):
        self.characters = ["", *sorted(set("".join(texts)))]

    def numbers(self, texts):
        rows = np.zeros((len(texts), max(map(len, texts))), np.int64)
        for row, text in zip(rows, texts, strict=True):
            row[: len(text)] = [self.characters.index(c) for c in text]
        return tensor(rows)

    def text(self, row):
        return "".join(self.characters[i] for i in row)


class Translator(nn.Module):
    """Scores for each character of the answer, (n, steps, characters), and where it looked, (n, steps, read)."""

    def __init__(self, read, written, hidden=64):
        super().__init__()
        self.reads, self.writes = nn.Embedding(read, 32, padding_idx=0), nn.Embedding(written, 32)
        self.encoder = nn.GRU(32, hidden // 2, batch_first=True, bidirectional=True)
        self.decoder = nn.GRUCell(32 + hidden, hidden)
        self.ask = nn.Linear(hidden, hidden)
        self.head = nn.Linear(2 * hidden, written)

    def forward(self, given, answer=None, start=0, steps=0):
        """With the `answer`, each step is told the character before; without, it goes on from its own, `steps` times."""
        memory, _ = self.encoder(self.reads(given))
        state, context = zeros(len(given), memory.shape[2]), zeros(len(given), memory.shape[2])
        wrote, scores, looks = tensor([start] * len(given)), [], []
        for i in range(steps if answer is None else answer.shape[1] - 1):
            last = wrote if answer is None else answer[:, i]
            state = self.decoder(cat([self.writes(last), context], 1), state)
            fit = (memory @ self.ask(state)[:, :, None])[:, :, 0].masked_fill(given == 0, -1e9)
            looks.append(fit.softmax(1))
            context = (looks[-1][:, None] @ memory)[:, 0]
            scores.append(self.head(cat([state, context], 1)))
            wrote = scores[-1].argmax(1)
        return stack(scores, 1), stack(looks, 1)


def draw(examples, path):
    figure, axes = panels(2, 2, 6, 3.2)
    for ax, (given, wrote, look) in zip(axes, examples, strict=False):
        ax.imshow(look[: len(wrote), : len(given)].numpy(), cmap="Purples", vmin=0, vmax=1, aspect="auto")
        ax.set_xticks(range(len(given)), list(given))
        ax.set_yticks(range(len(wrote)), list(wrote))
        ax.tick_params(length=0)
    axes[0].set_title("from top to bottom what it writes, and where it looks for it", loc="left")
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    steps = 90 if options.quick else 500
    pairs = dates(6000, rng)
    seen = {given for given, _ in pairs}
    unseen = [pair for pair in dates(800, rng) if pair[0] not in seen][:500]
    reads, writes = Alphabet([given for given, _ in pairs]), Alphabet([START, END, "0123456789-"])

    net = Translator(len(reads.characters), len(writes.characters))

    def loss():
        batch = [pairs[i] for i in rng.integers(0, len(pairs), 48)]
        answer = writes.numbers([START + pair[1] + END for pair in batch])
        scores, _ = net(reads.numbers([pair[0] for pair in batch]), answer)
        return F.cross_entropy(scores.flatten(0, 1), answer[:, 1:].flatten())

    descend(net.parameters(), loss, steps, 6e-3, clip=1.0, weight_decay=0.0)
    with no_grad():
        scores, looks = net(reads.numbers([given for given, _ in unseen]), start=writes.characters.index(START), steps=11)
    wrote = [writes.text(row).split(END)[0] for row in scores.argmax(2).tolist()]
    right = sum(w == answer for w, (_, answer) in zip(wrote, unseen, strict=True)) / len(unseen)
    characters = np.mean([w[i : i + 1] == answer[i] for w, (_, answer) in zip(wrote, unseen, strict=True) for i in range(10)])
    draw([(given, w, look) for (given, _), w, look in zip(unseen, wrote, looks, strict=True)], options.out / "translation.png")
    claim(
        characters >= 0.5 if options.quick else right >= 0.95,
        f"{right:.1%} of the unseen dates are written without a fault, and {characters:.1%} of their characters",
    )


if __name__ == "__main__":
    main()
