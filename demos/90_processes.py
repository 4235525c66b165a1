"""Two processes train one network, each on half of every batch, and stay the same to the bit.

    python demos/90_processes.py [--quick] [--seed 0] [--out pictures]

Claim: two processes that average their gradients have the same weights after every step, to the bit, end within 0.0001 of what
one process gets from the whole batches, and read at least 95 % of 360 digits that they have never seen.

Each process has its own copy of the network. After a backward all add up their gradients, and divide by how many they are: the
average of two halves' gradients is the gradient of the whole. What would happen without is shown beside it: two networks that
drift apart, each trained on half of the digits. The program starts its processes itself, as
`python -m autograd.distributed.launch -n 2` would. Source: Li et al., PyTorch Distributed, 2020.
"""

import copy

import nn
import nn.functional as F
from autograd import cat, distributed, manual_seed, randperm, zeros
from nn import optim
from nn.datasets import digits
from nn.metrics import accuracy
from nn.parallel import DistributedDataParallel

from common import arguments, claim, in_processes, panels, save


def weights(net):
    return cat([p.detach().flatten() for p in net.parameters()])


def apart(net):
    """The greatest difference between the weights of the processes."""
    mine = weights(net)
    everyone = [zeros(len(mine)) for _ in range(distributed.get_world_size())]
    distributed.all_gather(everyone, mine)
    return max((other - mine).abs().max().item() for other in everyone)


def main():
    options = arguments(__doc__)
    in_processes(2)
    distributed.init_process_group()
    rank, size = distributed.get_rank(), distributed.get_world_size()
    manual_seed(options.seed)
    (images, labels), (unseen, answers) = (part.tensors for part in digits())

    whole = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))  # what one process would train
    together = DistributedDataParallel(copy.deepcopy(whole))
    without = copy.deepcopy(whole)
    optimizers = [optim.SGD(net.parameters(), lr=0.2, momentum=0.9) for net in (whole, together, without)]
    losses, distances = [], []
    for _ in range(4 if options.quick else 20):
        for batch in randperm(len(images)).split(64)[:-1]:  # the same in both: they have the same seed
            half = batch[rank::size]
            for optimizer in optimizers:
                optimizer.zero_grad()
            steps = [F.cross_entropy(net(images[i]), labels[i]) for net, i in ((whole, batch), (together, half), (without, half))]
            for loss in steps:
                loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            shared = steps[1].detach().clone()
            distributed.all_reduce(shared, "avg")
            losses.append((steps[0].item(), shared.item()))
            distances.append((apart(together), apart(without)))

    error = (weights(together) - weights(whole)).abs().max().item()
    right = accuracy(together(unseen), answers)
    if rank == 0:
        figure, (left, middle) = panels(2, 1, 4.6, 3.4)
        one, two = zip(*losses, strict=True)
        left.plot(one, color="#9ecae1", linewidth=5, label="one process, whole batches")
        left.plot(two, color="#08519c", linewidth=1, label="two processes, halves, averaged")
        left.set(xlabel="step", ylabel="loss", yscale="log", title="They learn as one")
        left.legend(frameon=False)
        joined, alone = zip(*distances, strict=True)
        middle.plot(alone, color="#d95f02", label="each for itself")
        middle.plot(joined, color="#08519c", linewidth=3, label="gradients averaged: 0")
        middle.set(xlabel="step", ylabel="greatest difference of a weight", title="How far apart the two processes are")
        middle.legend(frameon=False)
        save(figure, options.out / "processes.png")
        claim(
            max(joined) == 0 and error < 1e-4 and right >= (0.85 if options.quick else 0.95),
            f"the processes differ by {max(joined):.0f} after each of {len(joined)} steps, from one process by {error:.1e}, and "
            f"read {right:.2%} of {len(answers)} digits",
        )
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
