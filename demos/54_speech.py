"""Speech recognition in small: words spelt in tones become spectrograms, and a network learns to write them down by CTC.

Claim: of 100 noisy recordings that it has never heard, at most 5 % of the characters come out wrong, though nobody ever told it
when a tone begins or ends; searching with a beam makes no more errors than taking the best of each moment.

Each of the letters A to H is a pair of tones, as on a telephone; how long and loud they are, and the silence between, is random.
CTC adds up the probabilities of all ways in which a word can be spread over time, with blanks between.
Source: Graves, Fernandez, Gomez and Schmidhuber, Connectionist temporal classification, 2006.
"""

import itertools

import numpy as np

import nn
import nn.functional as F
from autograd import from_numpy, manual_seed, no_grad, tensor
from nn.audio import AmplitudeToDB, MelSpectrogram
from nn.metrics import char_error_rate
from nn.ops import ctc_beam_search_decoder, ctc_greedy_decoder

from common import arguments, claim, descend, panels, save

RATE, LETTERS = 4000, "ABCDEFGH"  # samples a second; class 0 is the blank, the letters are 1 to 8
TONES = [(low, high) for low in (500, 700) for high in (1000, 1200, 1400, 1650)]  # hertz


def recordings(n, rng, seconds=1.5):
    """Waves (n, samples), and the letters in each, three to six."""
    waves, words = rng.normal(0, 0.5, (n, int(seconds * RATE))), []
    for wave in waves:
        word = rng.integers(0, len(LETTERS), rng.integers(3, 7))
        at = int(rng.uniform(0.02, 0.1) * RATE)
        for letter in word:
            time = np.arange(int(rng.uniform(0.08, 0.16) * RATE)) / RATE
            low, high = TONES[letter]
            tone = np.sin(2 * np.pi * low * time + rng.uniform(0, 6)) + np.sin(2 * np.pi * high * time + rng.uniform(0, 6))
            wave[at : at + len(time)] += rng.uniform(0.5, 1.0) * tone
            at += len(time) + int(rng.uniform(0.03, 0.08) * RATE)
        words.append((word + 1).tolist())
    return from_numpy(waves.astype(np.float32)), words


def text(classes):
    return "".join(LETTERS[c - 1] for c in classes)


class Listener(nn.Module):
    """From log spectrograms (n, 24, frames) to log probabilities (frames, n, 9), as CTC takes them."""

    def __init__(self):
        super().__init__()
        self.front = nn.Sequential(nn.Conv1d(24, 48, 5, padding=2), nn.BatchNorm1d(48), nn.ReLU())
        self.gru = nn.GRU(48, 32, bidirectional=True)
        self.head = nn.Linear(64, 1 + len(LETTERS))

    def forward(self, x):
        hidden, _ = self.gru(self.front(x).permute(2, 0, 1))
        return F.log_softmax(self.head(hidden), dim=-1)


def draw(spectrogram, log_probs, word, losses, path):
    figure, (top, middle, bottom) = panels(1, 3, 9, 2.3)
    top.imshow(spectrogram.numpy(), origin="lower", aspect="auto", cmap="magma")
    top.set(title=f"what it hears: {text(word)}", ylabel="mel band", xlabel="frame")
    for c in range(1 + len(LETTERS)):
        middle.plot(log_probs[:, c].exp().numpy(), color=f"C{c}" if c else "#cbd5e1", linewidth=2)
    for c, run in itertools.groupby(enumerate(log_probs.argmax(1).tolist()), key=lambda pair: pair[1]):
        if c:
            middle.text(np.mean([frame for frame, _ in run]), 1.03, LETTERS[c - 1], color=f"C{c}", ha="center")
    middle.set(
        title="what it says: a peak for each letter, and blank (grey) between",
        ylabel="probability",
        xlabel="frame",
        ylim=(0, 1.15),
    )
    middle.set(xlim=top.get_xlim())
    bottom.plot(losses, color="#4f46e5", linewidth=1)
    bottom.set(title="CTC loss", xlabel="step", ylim=(0, None))
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    hear = nn.Sequential(
        MelSpectrogram(RATE, n_fft=200, hop_length=100, f_min=300, f_max=1900, n_mels=24), AmplitudeToDB(top_db=60)
    )
    n, steps = (300, 120) if options.quick else (1000, 300)
    waves, words = recordings(n + 100, rng)
    with no_grad():
        heard = hear(waves) / 20
    print(f"{len(waves)} recordings become spectrograms of {heard.shape[1]} bands and {heard.shape[2]} frames")

    net = Listener()

    def loss():
        batch = rng.choice(n, 24, replace=False)
        target = [words[i] for i in batch]
        frames, lengths = tensor([heard.shape[2]] * 24), tensor([len(word) for word in target])
        return F.ctc_loss(net(heard[batch]), tensor(list(itertools.chain(*target))), frames, lengths)

    losses = descend(net.parameters(), loss, steps, 1e-2, clip=1.0, weight_decay=0.0)
    net.eval()
    with no_grad():
        log_probs = net(heard[n:])
    truth = [text(word) for word in words[n:]]
    greedy = [text(word) for word in ctc_greedy_decoder(log_probs)]
    beam = [text(paths[0][0]) for paths in ctc_beam_search_decoder(log_probs, beam_width=8)]
    draw(heard[n], log_probs[:, 0], words[n], losses, options.out / "speech.png")
    errors, errors_of_beam = char_error_rate(greedy, truth), char_error_rate(beam, truth)
    claim(
        errors <= (0.5 if options.quick else 0.05) and (options.quick or errors_of_beam <= errors),
        f"{errors:.1%} of the characters are wrong if the best of each moment is taken, {errors_of_beam:.1%} with a beam",
    )


if __name__ == "__main__":
    main()
