"""Tomorrow's demand for electricity, hour by hour: an LSTM and an MLP against yesterday, last week, and a linear autoregression.

    python demos/34_forecasting.py [--quick] [--seed 0] [--out pictures]

Claim: over a year that none of them has seen, both networks make at most 3/4 of the root mean square error of the linear
autoregression, which sees the same numbers, and at most half of that of repeating yesterday, which is better than to repeat
last week; and none gets below what is left to one who knows how the demand is made.

The demand is a shape of the day, another one at weekends, heating where it is below 15 degrees and cooling where it is above
22, and disturbances that live on for hours. Everyone is told the demand of the day before and a week before, the
temperatures, tomorrow's too, and which days are workdays. A line must take cold and heat for opposites, a network bends.
Source: Hochreiter and Schmidhuber, Long short-term memory, 1997; Hyndman and Athanasopoulos, Forecasting: principles and
practice, 2021.
"""

import itertools

import numpy as np

import nn
import nn.functional as F
from autograd import from_numpy, manual_seed
from nn import optim
from nn.train import fit, predict
from nn.utils.data import DataLoader, TensorDataset

from common import arguments, claim, panels, save

HOURS = np.arange(24)


def lasting(share, shocks):
    """Of each shock a share is left a moment later."""
    return np.array(list(itertools.accumulate(shocks, lambda left, new: share * left + new)))


def demand(days, rng):
    """Demand less its mean, and temperature (days, 24); whether it is weekend; and what can be known at midnight."""
    day = np.arange(days)[:, None]
    weather = lasting(0.8, rng.normal(0, 2.5, days))[:, None]
    temperature = 13 - 11 * np.cos(2 * np.pi * day / 365) + weather + 4 * np.cos(2 * np.pi * (HOURS - 15) / 24)
    weekend = day % 7 >= 5
    work = 0.5 * np.exp(-(((HOURS - 9) / 3) ** 2)) + 0.7 * np.exp(-(((HOURS - 18) / 3) ** 2))
    rest = 0.6 * np.exp(-(((HOURS - 14) / 5) ** 2))
    known = -0.4 + np.where(weekend, rest, work) + 0.05 * np.maximum(15 - temperature, 0) + 0.08 * np.maximum(temperature - 22, 0)
    disturbance = lasting(0.95, rng.normal(0, 0.03, 24 * days + 1))
    best = known + disturbance[:-1:24, None] * 0.95 ** (1 + HOURS)
    return known + disturbance[1:].reshape(days, 24), temperature, weekend, best


def examples(made):
    """What is told, 48 hours with six numbers each, and the demand of the last 24 of them, for each day from the eighth on."""
    load, temperature, weekend, best = made
    yesterday, week_ago = np.arange(6, len(load) - 1), np.arange(len(load) - 7)
    angle = np.tile(2 * np.pi * HOURS / 24, (len(load) - 7, 2))
    told = np.stack([
        np.concatenate([load[yesterday], load[week_ago]], 1),
        np.concatenate([temperature[yesterday], temperature[7:]], 1) / 10 - 1.3,
        np.repeat(np.concatenate([weekend[yesterday], weekend[7:]], 1), 24, 1) - 0.3,
        np.repeat(np.tile([[0.0, 1.0]], (len(load) - 7, 1)), 24, 1) - 0.5, np.sin(angle), np.cos(angle),
    ], 2)  # fmt: skip
    return [from_numpy(a.astype(np.float32)) for a in (told, load[7:], best[7:], load[yesterday], load[week_ago])]


class LSTM(nn.Module):
    """Reads the 48 hours one by one, and says the demand while it reads the last 24."""

    def __init__(self, hidden=32):
        super().__init__()
        self.lstm = nn.LSTM(6, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, told):
        return self.head(self.lstm(told)[0][:, 24:])[..., 0]


def autoregression(told, load, unseen):
    """The linear function of all that is told with the least squares, each weight drawn a little towards 0."""
    x, new = (np.concatenate([t.flatten(1).numpy(), np.ones((len(t), 1))], 1).astype(float) for t in (told, unseen))
    weights = np.linalg.solve(x.T @ x + 0.1 * np.eye(x.shape[1]), x.T @ load.numpy())
    return from_numpy((new @ weights).astype(np.float32))


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    told, load, *_ = examples(demand(2 * 365 if options.quick else 4 * 365, rng))
    unseen, truth, best, yesterday, week_ago = examples(demand(365 + 7, rng))
    said = {"yesterday": yesterday, "last week": week_ago, "linear": autoregression(told, load, unseen)}
    mlp = nn.Sequential(nn.Flatten(), nn.Linear(288, 64), nn.SiLU(), nn.Linear(64, 24))  # sees all 48 hours at once
    for name, net, epochs, lr in (("MLP", mlp, 60, 3e-3), ("LSTM", LSTM(), 30, 1e-2)):
        epochs = epochs // 3 if options.quick else epochs
        optimizer, batches = optim.AdamW(net.parameters(), lr=lr), DataLoader(TensorDataset(told, load), 64, shuffle=True)
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, lr, epochs * len(batches))
        fit(net, F.mse_loss, optimizer, batches, epochs, scheduler=schedule, schedule="step", clip_norm=1.0)
        said[name] = predict(net, unseen)
    said["at best"] = best
    errors = {name: ((p - truth) ** 2).mean().sqrt().item() for name, p in said.items()}

    figure, axes = panels(3, width=3.9, height=3.5)
    colours = dict(zip(said, ("#cbd5e1", "#94a3b8", "#f59e0b", "#16a34a", "#4f46e5", "black"), strict=True))
    for ax, start, season in ((axes[0], 25, "winter"), (axes[1], 200, "summer")):
        ax.plot(truth[start : start + 4].flatten().numpy(), color="black", linewidth=2.5, label="truth")
        for name in ("last week", "linear", "LSTM"):
            ax.plot(said[name][start : start + 4].flatten().numpy(), color=colours[name], label=name)
        ax.set(title=f"four days in {season}", xlabel="hour", ylabel="demand", ylim=(-1.1, 1.6), xticks=[0, 24, 48, 72, 96])
    axes[0].legend(frameon=False, fontsize=9, ncols=2, loc="upper center")
    axes[2].bar_label(axes[2].barh(list(errors), errors.values(), color=colours.values()), fmt="%.2f", padding=3)
    axes[2].set(title="root mean square error of a year", ylim=(5.6, -0.6), xticks=[])
    save(figure, options.out / "forecasting.png")
    most = min((0.95 if options.quick else 0.75) * errors["linear"], (0.7 if options.quick else 0.5) * errors["yesterday"])
    claim(
        max(errors["MLP"], errors["LSTM"]) <= most < errors["last week"] and min(errors.values()) == errors["at best"],
        "root mean square errors: " + ", ".join(f"{error:.3f} {name}" for name, error in errors.items()),
    )


if __name__ == "__main__":
    main()
