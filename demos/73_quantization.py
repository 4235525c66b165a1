"""Weights and activations in 8 bits, added up as whole numbers; and in 2 bits, after training that knew of it.

Claim: a network that reads digits, its numbers rounded to 8 bits and multiplied as integers only, reads as many of 360 test
digits as before, give or take 1 in 100, in a quarter of the memory. With weights of 2 bits, of which there are only three,
it loses at least 8 in 100; trained on with fake quantisation it is within 3 in 100 of what it was.

Fake quantisation rounds on the way forward and passes the gradient on as if it had not (a straight-through estimator): the
derivative of rounding is 0 nearly everywhere, and nothing would be learnt. So the weights learn to be useful after rounding.
Source: Bengio, Leonard and Courville, Estimating or propagating gradients through stochastic neurons, 2013; Jacob et al.,
Quantization and training of neural networks for efficient integer-arithmetic-only inference, 2018.
"""

import copy

import numpy as np

import nn
import nn.functional as F
from autograd import manual_seed, no_grad
from nn.datasets import digits
from nn.metrics import accuracy
from nn.train import predict

from common import arguments, bars, claim, learn, panels, save


def rounded(x, bits, scale=None):
    """x as a whole number of steps, `scale`, from -(2^(bits-1) - 1) to 2^(bits-1) - 1; what it is then worth, and the step."""
    most = 2 ** (bits - 1) - 1
    if scale is None:
        scale = x.detach().abs().amax(-1, keepdim=True) / most  # each row its own
    return (x / scale).round().clip(-most, most) * scale, scale


def fake(x, bits, scale=None):
    """The rounded x; its gradient is that of x."""
    return x + (rounded(x, bits, scale)[0] - x).detach()


class Layer(nn.Linear):
    """A linear layer that can be told to round its weights, and what it is given, of which it then has to know the largest."""

    bits, largest = None, 0.0

    def forward(self, x):
        if self.bits is None:
            self.largest = max(self.largest, x.detach().abs().max().item())
            return super().forward(x)
        return F.linear(fake(x, 8, self.largest / 127), fake(self.weight, self.bits), self.bias)


def network():
    return nn.Sequential(nn.Flatten(), Layer(64, 128), nn.ReLU(), Layer(128, 128), nn.ReLU(), Layer(128, 10))


def with_bits(net, bits):
    net = copy.deepcopy(net)
    for layer in net[1::2]:
        layer.bits = bits
    return net


@no_grad()
def integers_only(net, images):
    """The same in NumPy: int8 times int8, added up as int32; a product of two scales brings it back, once in each layer."""
    x, size = images.numpy().reshape(len(images), -1), 0
    for layer in net[1::2]:
        step = np.float32(layer.largest / 127)
        weight, scale = rounded(layer.weight, 8)
        scale = scale[:, 0].numpy()
        small = np.rint(np.maximum(x, 0) / step).clip(-127, 127).astype(np.int8)
        w = np.rint(weight.numpy() / scale[:, None]).astype(np.int8)
        b = np.rint(layer.bias.detach().numpy() / (step * scale)).astype(np.int32)
        sums = small.astype(np.int32) @ w.T.astype(np.int32) + b
        x = sums * (step * scale)
        size += w.nbytes + b.nbytes + scale.nbytes
    return x, size


def draw(found, net, aware, path):
    figure, axes = panels(3, 1, 3.9, 3.4)
    bars(axes[0], found, ["#94a3b8", "#4f46e5", "#dc2626", "#4f46e5"], title="share of test digits read right")
    for ax, title, model in ((axes[1], "weights of the middle layer", net), (axes[2], "the same, trained to be rounded", aware)):
        weight = model[3].weight.detach()
        ax.hist((weight / rounded(weight, 2)[1]).flatten().numpy(), 80, color="#94a3b8", log=True)
        for level in (-1, 0, 1):
            ax.axvline(level, color="#dc2626", linewidth=2)
        ax.set(title=title, xlabel="red: all that 2 bits can say", yticks=[])
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    data, test = digits()
    images, labels = test.tensors
    epochs, more, lost = (8, 8, 0.04) if options.quick else (25, 40, 0.08)
    net = learn(network(), F.cross_entropy, *data.tensors, epochs, 6e-3)
    predict(net, data.tensors[0])  # calibration: each layer sees how large its inputs get
    aware = learn(with_bits(net, 2), F.cross_entropy, *data.tensors, more, 6e-3)
    scores, size = integers_only(net, images)
    faked = predict(with_bits(net, 8), images).numpy()
    whole = sum(p.numel() * p.itemsize for p in net.parameters())
    found = {
        "32 bits": accuracy(predict(net, images), labels), "8 bits, integers": accuracy(scores, labels),
        "2 bits": accuracy(predict(with_bits(net, 2), images), labels),
        "2 bits, trained so": accuracy(predict(aware, images), labels),
    }  # fmt: skip
    print(f"{whole:,} bytes become {size:,}; fake and true integers differ by {np.abs(scores - faked).max():.4f} at most")
    draw(found, net, aware, options.out / "quantization.png")
    full, eight, two, trained = found.values()
    claim(
        abs(eight - full) <= 0.01 and size < whole / 3.4 and two <= full - lost and trained >= full - 0.03,
        f"{full:.1%} of the digits are read right by 32 bits, {eight:.1%} by 8 bits in {size / whole:.0%} of the bytes,"
        f" {two:.1%} by 2 bits, and {trained:.1%} by 2 bits after training that knew of it",
    )


if __name__ == "__main__":
    main()
