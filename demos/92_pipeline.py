"""One network in two stages of a pipeline: while the second process works on a part of the batch, the first begins the next.

    python demos/92_pipeline.py [--quick] [--seed 0] [--out pictures]

Claim: the gradients of both stages are those of the whole network on the whole batch to 5 digits, and the first process begins
the next part before the second has finished the one before.

The first process sends what its layers give, and gets back the gradient of it: `backward` takes it as its argument, and goes on
as if the rest of the graph were here. The gradients of the parts add up. What the two do when is recorded, and drawn. Source:
Huang et al., GPipe, 2019.
"""

import time

import nn
import nn.functional as F
from autograd import distributed, empty, manual_seed
from nn.datasets import digits

from common import arguments, claim, in_processes, panels, save

WIDTH, PARTS = 512, 4
COLOURS = {"forward": "#4c78a8", "backward": "#e4572e"}


class Stage:
    """The layers of one process, and a record of when it worked on which part."""

    def __init__(self, layers, rank):
        self.layers, self.rank, self.seen = layers, rank, []

    def work(self, what, part, do):
        begin = time.perf_counter()
        out = do()
        self.seen.append((self.rank, what, part, begin, time.perf_counter()))
        return out

    def first(self, images):
        """Forward through all parts, one after the other; then back, as the gradients come in."""
        parts = []
        for i, x in enumerate(images.chunk(PARTS)):
            units = self.work("forward", i, lambda x=x: self.layers(x))
            parts.append((units, distributed.isend(units.detach(), 1)))
        for i, (units, sent) in enumerate(parts):
            sent.wait()
            gradient = empty(units.shape)
            distributed.recv(gradient, 1)
            self.work("backward", i, lambda u=units, g=gradient: u.backward(g))

    def second(self, labels):
        """Forward and back with each part as it comes."""
        sent = []
        for i, y in enumerate(labels.chunk(PARTS)):
            units = empty(len(y), WIDTH).requires_grad_()
            distributed.recv(units, 0)
            loss = self.work("forward", i, lambda u=units, y=y: F.cross_entropy(self.layers(u), y) / PARTS)
            self.work("backward", i, loss.backward)
            sent.append(distributed.isend(units.grad, 0))
        for work in sent:
            work.wait()


def main():
    options = arguments(__doc__)
    in_processes(2)
    distributed.init_process_group()
    rank = distributed.get_rank()
    manual_seed(options.seed)
    (images, labels), _ = (part.tensors for part in digits())
    images, labels = images[:1024], labels[:1024]
    whole = nn.Sequential(nn.Flatten(), nn.Linear(64, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH), nn.Tanh())
    whole.extend([nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 10)])
    stage = Stage(whole[:5] if rank == 0 else whole[5:], rank)

    runs = []
    for _ in range(5 if options.quick else 30):  # of which the quickest is drawn
        whole.zero_grad()
        stage.seen.clear()
        distributed.barrier()
        stage.first(images) if rank == 0 else stage.second(labels)
        both = [None, None]
        distributed.all_gather_object(both, stage.seen)
        runs.append([event for events in both for event in events])
    found = [p.grad.clone() for p in stage.layers.parameters()]
    whole.zero_grad()
    F.cross_entropy(whole(images), labels).backward()
    wanted = [p.grad for p in stage.layers.parameters()]
    error = max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(found, wanted, strict=True))
    errors = [None, None]
    distributed.all_gather_object(errors, error)

    if rank == 0:
        shortest = min(runs, key=lambda run: max(e[4] for e in run) - min(e[3] for e in run))
        when = {(process, what, part): (begin, end) for process, what, part, begin, end in shortest}
        ahead = when[0, "forward", 1][0] < when[1, "backward", 0][1]
        draw(shortest, options.out / "pipeline.png")
        begins = "begins the second part before the other has finished the first"
        claim(
            max(errors) < 1e-5 and ahead, f"the gradients differ by {max(errors):.0e} of the greatest; the first process {begins}"
        )
    distributed.destroy_process_group()


def draw(events, path):
    figure, (ax,) = panels(1, 1, 8.5, 2.4)
    start = min(e[3] for e in events)
    for process, what, part, begin, end in events:
        ax.barh(process, (end - begin) * 1e3, left=(begin - start) * 1e3, color=COLOURS[what], edgecolor="white", height=0.6)
        ax.text((begin + end - 2 * start) * 500, process, part + 1, ha="center", va="center", color="white", fontsize=9)
    ax.set(yticks=[0, 1], yticklabels=["first stage", "second stage"], xlabel="ms", ylim=(1.4, -0.4))
    ax.set_title(f"A batch in {PARTS} parts: who works on which, and when", pad=22)
    for what, colour in COLOURS.items():
        ax.bar(0, 0, color=colour, label=what)
    ax.legend(frameon=False, loc="lower center", ncols=2, bbox_to_anchor=(0.5, 0.98))
    save(figure, path)


if __name__ == "__main__":
    main()
