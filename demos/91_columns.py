"""One layer divided between two processes, by its columns and rows: communication that gradients flow through.

    python demos/91_columns.py [--quick] [--seed 0] [--out pictures]

Claim: the gradients of the divided network, put together, are those of the whole one to 5 digits, and after training both read
unseen digits equally well, to 1 %.

Each process computes half of the hidden units, from all inputs, and what these give to the outputs. A sum over the processes
makes the outputs whole, and the gradient flows back through it to both: its rule is a sum again, by one line of the table. All
have the same loss, so each takes its share of it: what backward finds are the gradients of the sum over the processes.
Source: Shoeybi et al., Megatron-LM, 2019.
"""

import nn
import nn.functional as F
from autograd import cat, distributed, empty, manual_seed, no_grad
from autograd.distributed import functional
from nn import optim
from nn.datasets import digits
from nn.metrics import accuracy

from common import arguments, claim, in_processes, panels, save

HIDDEN = 128


class Divided(nn.Module):
    """Two layers of which this process has its share: of the first by columns of the units, of the second by rows."""

    def __init__(self, whole, rank, size):
        super().__init__()
        first, second = whole[1], whole[3]
        mine = slice(rank * HIDDEN // size, (rank + 1) * HIDDEN // size)
        self.w1, self.b1 = (nn.Parameter(p.detach()[mine].clone()) for p in (first.weight, first.bias))
        self.w2 = nn.Parameter(second.weight.detach()[:, mine].clone())
        self.b2 = nn.Parameter(second.bias.detach() / size)  # each adds its part

    def forward(self, x):
        units = F.linear(x.flatten(1), self.w1, self.b1).tanh()
        return functional.all_reduce(F.linear(units, self.w2, self.b2))


def put_together(mine, dim):
    """What the processes have, along a dim."""
    parts = [empty(mine.shape) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, mine)
    return cat(parts, dim)


def main():
    options = arguments(__doc__)
    in_processes(2)
    distributed.init_process_group()
    rank, size = distributed.get_rank(), distributed.get_world_size()
    manual_seed(options.seed)
    (images, labels), (unseen, answers) = (part.tensors for part in digits())
    whole = nn.Sequential(nn.Flatten(), nn.Linear(64, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 10))
    divided = Divided(whole, rank, size)

    optimizers, losses, errors = [optim.Adam(net.parameters(), lr=0.01) for net in (whole, divided)], [], []
    for step in range(10 if options.quick else 60):
        both = []
        for net, optimizer, share in zip((whole, divided), optimizers, (1, size), strict=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(images), labels)
            (loss / share).backward()
            both.append(loss.item())
        losses.append(both)
        if step == 0:
            for dim, mine, wanted in ((0, divided.w1, whole[1].weight), (1, divided.w2, whole[3].weight)):
                found = put_together(mine.grad, dim)
                errors.append(((found - wanted.grad).abs().max() / wanted.grad.abs().max()).item())
                shown = found if dim == 1 else None
        for optimizer in optimizers:
            optimizer.step()
    with no_grad():
        right = [accuracy(net(unseen), answers) for net in (whole, divided)]

    if rank == 0:
        figure, (above, below) = panels(1, 2, 6.5, 2.4)
        greatest = shown.abs().max().item()
        above.imshow(shown.numpy(), cmap="RdBu_r", vmin=-greatest, vmax=greatest, aspect="auto")
        above.axvline(HIDDEN / size - 0.5, color="black", linewidth=2)
        above.set(xlabel="hidden unit", ylabel="digit", yticks=[0, 9], xticks=[0, HIDDEN // 2, HIDDEN - 1])
        above.set_title("The gradient of the second layer: left of the line process 0, right of it process 1", fontsize=10)
        one, two = zip(*losses, strict=True)
        below.plot(one, color="#9ecae1", linewidth=5, label="the whole network, in one process")
        below.plot(two, color="#08519c", linewidth=1.5, label="divided between two")
        below.set(xlabel="step", ylabel="loss", yscale="log")
        below.legend(frameon=False)
        save(figure, options.out / "columns.png")
        claim(
            max(errors) < 1e-5 and abs(right[0] - right[1]) < 0.01 and right[0] > 0.85,
            f"the gradients differ by {max(errors):.0e} of the greatest; the whole network reads {right[0]:.2%}, the divided one "
            f"{right[1]:.2%} of {len(answers)} digits",
        )
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
