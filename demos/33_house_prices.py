"""House prices by a network and by linear regression, in a made-up town; and patients, where lines are enough.

    python demos/33_house_prices.py [--quick] [--seed 0] [--out pictures]

Claim: of 1,000 unseen houses in a town made for it, the network explains at least 85 % of the differences between the
logarithms of prices, linear regression at most 75 %; what the network leaves is at most 1.8 times the noise in the prices,
which nobody can explain. On 442 real patients with diabetes, by five-fold cross-validation, what the two explain differs by
at most 5 %.

In the town a house costs more near the market and at the river that bends through it, large gardens matter only outside, and
both old and new houses are worth more than those between: none of that is a line. The network finds the centre and blurs the
river: that is most of what it leaves. The patients are few, and their numbers noisy: there a network, held back by strong
weight decay, does as well as lines do and no better. Try the lines first.
Needs scikit-learn, for the patients: pip install 'chainrule[data]'.
Source: Rosen, Hedonic prices and implicit markets, 1974; Efron, Hastie, Johnstone and Tibshirani, Least angle regression,
2004.
"""

import nn
import nn.functional as F
from autograd import cat, hypot, linalg, linspace, manual_seed, meshgrid, rand, randn, randperm, tensor
from nn import optim
from nn.datasets import diabetes
from nn.metrics import r2
from nn.train import fit, predict
from nn.utils.data import DataLoader, TensorDataset

from common import arguments, claim, panels, save

NOISE = 0.12  # the deviation of the logarithm of a price from what the house is worth


def worth(x):
    """The logarithm of the price, by area (100 m²), age (100 years), garden (1000 m²), and place, east and north from -1 to 1."""
    area, age, garden, east, north = x.unbind(1)
    centre = hypot(east - 0.2, north + 0.1)
    river = (north - 0.5 * (3 * east).sin()).abs()
    place = 0.9 * (-2 * centre**2).exp() + 0.5 * (-8 * river).exp() + 0.8 * garden * centre
    return 12 + 0.8 * area.log() + 1.6 * (age - 0.5) ** 2 + place


def houses(n):
    x = rand(n, 5)
    x[:, 0] = 0.5 + 1.5 * x[:, 0]
    x[:, 3:] = 2 * x[:, 3:] - 1
    return x, worth(x) + NOISE * randn(n)


def trained(x, y, epochs, decay, width=64):
    """A network of two hidden layers for standardized numbers."""
    net = nn.Sequential(nn.Linear(x.shape[1], width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1))
    optimizer, batches = (
        optim.AdamW(net.parameters(), lr=1e-2, weight_decay=decay),
        DataLoader(TensorDataset(x, y[:, None]), 64, shuffle=True),
    )
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, epochs * len(batches))
    fit(net, F.mse_loss, optimizer, batches, epochs, scheduler=schedule, schedule="step")
    return net


def both(x, y, unseen, epochs, decay):
    """What the lines and the network predict for unseen rows, in the units of y; and the network, as a function."""
    mean, deviation = x.mean(0), x.std(0)
    low, spread = y.mean(), y.std()
    z = (unseen - mean) / deviation
    net = trained((x - mean) / deviation, (y - low) / spread, epochs, decay)
    straight = low + z @ linalg.lstsq((x - mean) / deviation, (y - low)[:, None])[0]  # least squares
    return (
        straight[:, 0],
        low + spread * predict(net, z)[:, 0],
        lambda new: low + spread * predict(net, (new - mean) / deviation)[:, 0],
    )


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    (x, y), (unseen, truth) = houses(1000 if options.quick else 2000), houses(1000)
    straight, found, says = both(x, y, unseen, 30 if options.quick else 60, 0.01)
    town = {"lines": r2(straight, truth), "network": r2(found, truth)}
    left_over = ((found - truth) ** 2).mean().item() / NOISE**2
    print("town:", ", ".join(f"R² {v:.3f} ({k})" for k, v in town.items()), f"at best {r2(worth(unseen), truth):.3f}")

    x, y = diabetes().tensors
    y, order = y[:, 0], randperm(len(x))
    parts, guesses = order.chunk(5), []
    for i, part in enumerate(parts):
        rest = cat([p for j, p in enumerate(parts) if j != i])
        guesses.append(both(x[rest], y[rest], x[part], 15, 1.0)[:2])
    patients = {name: r2(cat(g), y[order]) for name, g in zip(town, zip(*guesses, strict=True), strict=True)}
    print("patients:", ", ".join(f"R² {v:.3f} ({k})" for k, v in patients.items()))

    figure, axes = panels(4, width=2.95, height=3.2)
    east, north = meshgrid(linspace(-1, 1, 60), linspace(-1, 1, 60), indexing="xy")
    plots = cat([tensor([1.0, 0.75, 0.5]).expand(3600, 3), east.reshape(-1, 1), north.reshape(-1, 1)], 1)  # the same house
    maps = {"what a place is worth": worth(plots), "what the network thinks": says(plots)}
    for ax, (title, values) in zip(axes, maps.items(), strict=False):
        ax.imshow(values.reshape(60, 60).numpy(), origin="lower", extent=(-1, 1, -1, 1), cmap="magma", vmin=12, vmax=14)
        ax.set(title=title, xticks=[], yticks=[])
    for name, values, colour in (("lines", straight, "#94a3b8"), ("network", found, "#4f46e5")):
        axes[2].scatter(truth.exp().numpy() / 1000, values.exp().numpy() / 1000, s=5, color=colour, alpha=0.5, label=name)
    axes[2].axline((500, 500), slope=1, color="black", linewidth=1)
    axes[2].set(title="1,000 unseen houses", xlabel="price, in thousands", ylabel="estimate", xlim=(0, 1500), ylim=(0, 1500))
    axes[2].legend(frameon=False, markerscale=3)
    for i, scores in enumerate((town, patients)):
        for j, (score, colour) in enumerate(zip(scores.values(), ("#94a3b8", "#4f46e5"), strict=True)):
            axes[3].bar(i + 0.4 * j - 0.2, score, 0.38, color=colour)
            axes[3].text(i + 0.4 * j - 0.2, score, f"{score:.2f}", ha="center", va="bottom")
    axes[3].set(title="explained of what is unseen", xticks=[0, 1], xticklabels=["town", "patients"], ylim=(0, 1.05))
    save(figure, options.out / "house_prices.png")
    gap = patients["network"] - patients["lines"]
    claim(
        town["network"] >= 0.85 and town["lines"] <= 0.75 and left_over <= (3 if options.quick else 1.8) and abs(gap) <= 0.05,
        f"in the town the network explains {town['network']:.1%}, lines {town['lines']:.1%}, and the network leaves "
        f"{left_over:.2f} times the noise; of the patients {patients['network']:.1%} and {patients['lines']:.1%}",
    )


if __name__ == "__main__":
    main()
