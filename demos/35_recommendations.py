"""Recommendations: from a third of the ratings, the tastes of people and the kinds of films, by factorising a matrix.

    python demos/35_recommendations.py [--quick] [--seed 0] [--out pictures]

Claim: of 300 people and 200 films, whose ratings are made of three hidden tastes and noise, it predicts those that were never
given with a root mean square error of at most 1.1 times the noise, where means by person and film leave at least twice as
much; and the number of tastes that does best on ratings held out is three, the true one.

A person and a film are each a vector, and the rating is a mean for each and the product of the two: nobody says what the
numbers are about. With more than three it fits the ratings that it knows ever better, and the others worse.
Source: Koren, Bell and Volinsky, Matrix factorization techniques for recommender systems, 2009.
"""

import nn
import nn.functional as F
from autograd import full, manual_seed, rand, randn
from nn import optim

from common import arguments, claim, panels, save

PEOPLE, FILMS, TASTES, NOISE = 300, 200, 3, 0.5


class Factors(nn.Module):
    """A rating as the sum of three means and the product of what a person likes and what a film is."""

    def __init__(self, rank, mean):
        super().__init__()
        self.mean, self.rank = mean, rank
        self.person, self.film = nn.Embedding(PEOPLE, 1 + rank), nn.Embedding(FILMS, 1 + rank)
        for table in (self.person, self.film):
            nn.init.normal_(table.weight, 0, 0.1)

    def forward(self, person, film):
        person, film = self.person(person), self.film(film)
        return self.mean + person[:, 0] + film[:, 0] + (person[:, 1:] * film[:, 1:]).sum(1)


def train(rank, ratings, known, steps):
    """Fit the known ones, each vector drawn a little towards 0: who has rated little is taken for the average."""
    person, film = known.nonzero(as_tuple=True)
    wanted = ratings[person, film]
    net = Factors(rank, wanted.mean())
    optimizer = optim.Adam(net.parameters(), lr=0.05)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        size = sum((table.weight**2).sum() for table in (net.person, net.film))
        (F.mse_loss(net(person, film), wanted) + 1e-5 * size).backward()
        optimizer.step()
        schedule.step()
    return net


def all_ratings(net):
    person, film = full((PEOPLE, FILMS), True).nonzero(as_tuple=True)
    return net(person, film).detach().reshape(PEOPLE, FILMS)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    means = 3 + 0.5 * randn(PEOPLE, 1) + 0.5 * randn(1, FILMS)
    ratings = means + 0.6 * randn(PEOPLE, TASTES) @ randn(TASTES, FILMS) + NOISE * randn(PEOPLE, FILMS)
    draw = rand(PEOPLE, FILMS)
    known, held_out, never = draw < 0.3, (draw >= 0.3) & (draw < 0.35), draw >= 0.35
    found, errors = {}, {"known": [], "held out": [], "never given": []}
    ranks = range(5) if options.quick else range(8)
    for rank in ranks:
        found[rank] = all_ratings(train(rank, ratings, known, 120 if options.quick else 300))
        for part, cells in zip(errors, (known, held_out, never), strict=True):
            errors[part].append(((found[rank] - ratings)[cells] ** 2).mean().sqrt().item())
        print(f"{rank} tastes: error", ", ".join(f"{values[-1]:.3f} ({part})" for part, values in errors.items()), flush=True)
    best = min(ranks, key=errors["held out"].__getitem__)

    figure, (left, given, guessed, true) = panels(4, width=2.95, height=3.3)
    for (part, values), colour in zip(errors.items(), ("#94a3b8", "#f59e0b", "#4f46e5"), strict=True):
        left.plot(ranks, values, color=colour, marker="o", label=part)
    left.axhline(NOISE, color="black", linestyle=":", linewidth=1)
    left.set(title="error, by number of tastes", xlabel="tastes", ylim=(0, None))
    left.legend(frameon=False, loc="lower left", title="ratings (dotted: the noise)", fontsize=9)
    holes = ratings.where(known, float("nan"))
    shown = {"ratings that are known": holes, f"predicted, {best} tastes": found[best], "all ratings": ratings}
    for ax, (title, matrix) in zip((given, guessed, true), shown.items(), strict=True):
        ax.imshow(matrix[:40, :40].numpy(), cmap="RdYlBu", vmin=0.5, vmax=5.5)
        ax.set(title=title, xticks=[], yticks=[], xlabel="film", ylabel="person")
    save(figure, options.out / "recommendations.png")
    plain, factors = errors["never given"][0], errors["never given"][best]
    claim(
        factors <= (1.15 if options.quick else 1.1) * NOISE and plain >= 2 * NOISE and best == TASTES,
        f"ratings never given: error {factors:.3f}, by means {plain:.3f}, and the noise is {NOISE}; {best} tastes do best",
    )


if __name__ == "__main__":
    main()
