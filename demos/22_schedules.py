"""Learning-rate schedules: a constant rate against StepLR, ReduceLROnPlateau, cosine and one-cycle.

Claim: on average over three networks, each schedule ends with at most half the training loss on digits that the constant rate ends with,
and reads at least as many of the test digits, give or take half a point.

The noise of small batches keeps a large rate from settling: it has to fall. One-cycle is Smith, 2018; cosine is Loshchilov and
Hutter, 2017.
"""

import numpy as np

import nn
import nn.functional as F
from autograd import manual_seed, no_grad
from nn import optim
from nn.datasets import digits
from nn.optim import lr_scheduler
from nn.utils.data import DataLoader

from common import arguments, claim, panels, save

RATE, BATCH = 0.08, 16
SCHEDULES = {  # made for an optimizer that goes n steps in each of so many epochs
    "constant": lambda o, epochs, n: lr_scheduler.ConstantLR(o, factor=1.0),
    "StepLR": lambda o, epochs, n: lr_scheduler.StepLR(o, max(1, epochs // 4) * n, gamma=0.3),
    "ReduceLROnPlateau": lambda o, epochs, n: lr_scheduler.ReduceLROnPlateau(o, factor=0.3, patience=0),
    "cosine": lambda o, epochs, n: lr_scheduler.CosineAnnealingLR(o, epochs * n),
    "one-cycle": lambda o, epochs, n: lr_scheduler.OneCycleLR(o, RATE, epochs * n),
}


def train(make_schedule, train_set, epochs):
    """The network, the loss of each batch, and the rate in each step."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = optim.SGD(net.parameters(), lr=RATE, momentum=0.9, weight_decay=1e-4)
    loader = DataLoader(train_set, BATCH, shuffle=True)
    schedule = make_schedule(optimizer, epochs, len(loader))
    losses, rates = [], []
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            rates.append(optimizer.param_groups[0]["lr"])
            if not isinstance(schedule, lr_scheduler.ReduceLROnPlateau):
                schedule.step()
        if isinstance(schedule, lr_scheduler.ReduceLROnPlateau):
            schedule.step(sum(losses[-len(loader) :]) / len(loader))  # it watches the loss, epoch by epoch
    return net, losses, rates


@no_grad()
def loss_and_accuracy(net, data):
    images, labels = data.tensors
    scores = net(images)
    return F.cross_entropy(scores, labels).item(), (scores.argmax(1) == labels).float().mean().item()


def main():
    options = arguments(__doc__)
    train_set, test_set = digits()
    epochs, runs = (8, 2) if options.quick else (12, 3)
    figure, (left, right) = panels(2, width=5)
    ends, shares = {}, {}
    for name, make in SCHEDULES.items():
        found = []
        for run in range(runs):
            manual_seed(10 * options.seed + run)
            net, losses, rates = train(make, train_set, epochs)
            found.append((loss_and_accuracy(net, train_set)[0], loss_and_accuracy(net, test_set)[1]))
        ends[name], shares[name] = (sum(values) / runs for values in zip(*found, strict=True))
        print(f"{name:18} training loss {ends[name]:.5f}, {shares[name]:.2%} of the test digits")
        left.plot(np.arange(len(rates)) / len(rates) * epochs, rates, label=name)
        smooth = np.convolve(losses, np.ones(90) / 90, "valid")
        right.semilogy(np.arange(len(smooth)) / 90 + 1, smooth, label=f"{name}: {shares[name]:.1%}")
    left.set(title="learning rate", xlabel="epoch")
    left.legend(frameon=False, fontsize=8)
    right.set(title="training loss, mean of an epoch", xlabel="epoch")
    right.legend(frameon=False, fontsize=8)
    save(figure, options.out / "schedules.png")
    scheduled = [name for name in SCHEDULES if name != "constant"]
    worst = max(ends[name] for name in scheduled)
    claim(
        worst < ends["constant"] / 2 and min(shares[name] for name in scheduled) > shares["constant"] - 0.005,
        f"training loss {ends['constant']:.4f} at a constant rate, {worst:.4f} or less with a schedule; "
        f"{shares['constant']:.1%} of the test digits, and {min(shares[name] for name in scheduled):.1%} or more",
    )


if __name__ == "__main__":
    main()
