"""A graph network sorts the people of a network into circles, from a few names and who knows whom.

Claim: of 400 people in four circles, 5 of each circle are labelled. By what is known of each person alone, a network sorts at
most 75 % of the others rightly; by the same numbers, averaged twice along the graph, at least 85 %: means over five graphs. In
a graph whose edges say nothing, averaging does harm: at least 10 in 100 less than by the numbers alone.

One layer of a graph network is a linear layer, then a mean over neighbours: A @ (x @ W), where A has a 1 for each pair that know
each other, divided by the roots of both their numbers of acquaintances. With eight such layers everybody
becomes the mean of all, and nobody is told apart.
Source: Kipf and Welling, Semi-supervised classification with graph convolutional networks, 2016; Holland, Laskey and Leinhardt,
Stochastic blockmodels, 1983; Li, Han and Wu, Deeper insights into graph convolutional networks, 2018.
"""

import itertools

import nn
import nn.functional as F
from autograd import arange, cat, eye, linalg, manual_seed, no_grad, rand, randn, randperm
from nn import optim
from nn.metrics import accuracy

from common import arguments, claim, panels, save

PEOPLE, CIRCLES, LABELLED = 400, 4, 5


def world(within, across):
    """Who knows whom (n, n), 16 weak hints about each (n, 16), and the circles (n): a stochastic block model."""
    circles = randperm(PEOPLE) % CIRCLES
    odds = (circles[:, None] == circles).float() * (within - across) + across
    upper = (rand(PEOPLE, PEOPLE) < odds).float().triu(1)
    return upper + upper.T, 0.5 * randn(CIRCLES, 16)[circles] + randn(PEOPLE, 16), circles


class GraphNetwork(nn.Module):
    """Linear layers, and after each a mean over neighbours; without a graph, an ordinary network."""

    def __init__(self, depth=2, width=32):
        super().__init__()
        sizes = [16] + [width] * (depth - 1) + [CIRCLES]
        self.layers = nn.ModuleList([nn.Linear(m, n) for m, n in itertools.pairwise(sizes)])
        self.dropout = nn.Dropout(0.5)

    def forward(self, x, means=None):
        for i, layer in enumerate(self.layers):
            x = layer(self.dropout(x.relu() if i else x))
            x = x if means is None else means @ x
        return x


def neighbourhood(graph):
    """The matrix that takes means over neighbours and oneself."""
    graph = graph + eye(len(graph))
    roots = graph.sum(1).sqrt()
    return graph / (roots[:, None] * roots)


def sorted_rightly(x, circles, means, steps, depth=2):
    """Learn from the labelled, the first of each circle; return how many of the others are sorted rightly, and all answers."""
    labelled = cat([(circles == c).nonzero()[:LABELLED, 0] for c in range(CIRCLES)])
    others = (arange(PEOPLE)[:, None] != labelled).all(1)
    net = GraphNetwork(depth)
    optimizer = optim.Adam(net.parameters(), lr=0.01, weight_decay=5e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(net(x, means)[labelled], circles[labelled]).backward()
        optimizer.step()
    net.eval()
    with no_grad():
        scores = net(x, means)
    return accuracy(scores[others], circles[others]), scores


def draw(graph, x, scores, circles, layers, alone, path):
    figure, axes = panels(3, 1, 3.9, 3.6)
    pairs = graph.triu(1).nonzero()[::4].numpy()
    for ax, title, places in ((axes[0], "people, by their numbers", x), (axes[1], "after two means over neighbours", scores)):
        places = places - places.mean(0)
        places = (places @ linalg.svd(places, full_matrices=False)[2][:2].T).numpy()  # the directions in which they differ most
        ax.plot(*places[pairs].T, color="#cbd5e1", linewidth=0.3, zorder=0)
        for c in range(CIRCLES):
            ax.scatter(*places[(circles == c).numpy()].T, s=10, color=f"C{c}")
        ax.set(title=title, xticks=[], yticks=[])
    axes[2].plot(list(layers), list(layers.values()), color="#4f46e5", marker="o")
    axes[2].axhline(alone, color="#94a3b8", linestyle="--")
    axes[2].text(max(layers), alone + 0.02, "without the graph", color="#64748b", ha="right")
    axes[2].set(title="sorted rightly", xlabel="layers", ylim=(0, 1), xticks=list(layers))
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    worlds, steps = (2, 60) if options.quick else (5, 150)
    depths = (2, 4, 8) if options.quick else (1, 2, 3, 4, 6, 8)
    found = {"numbers alone": [], "with the graph": [], "with a graph that says nothing": []}
    deep, hidden = {depth: [] for depth in depths}, None
    for _ in range(worlds):
        (graph, x, circles), (noise, _, _) = world(0.06, 0.01), world(0.0225, 0.0225)
        for values, means in zip(found.values(), (None, neighbourhood(graph), neighbourhood(noise)), strict=True):
            values.append(sorted_rightly(x, circles, means, steps)[0])
        for depth, values in deep.items():
            share, scores = sorted_rightly(x, circles, neighbourhood(graph), steps, depth)
            values.append(share)
            hidden = scores if depth == 2 else hidden
    alone, graphs, nothing = (sum(values) / worlds for values in found.values())
    layers = {depth: sum(values) / worlds for depth, values in deep.items()}
    draw(graph, x, hidden, circles, layers, alone, options.out / "graph.png")
    claim(
        graphs >= (0.8 if options.quick else 0.85) and alone <= 0.75 and nothing <= alone - 0.1,
        f"{graphs:.1%} of the people are sorted rightly with the graph, {alone:.1%} without, and {nothing:.1%} with one"
        " that says nothing",
    )


if __name__ == "__main__":
    main()
