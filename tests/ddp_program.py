"""A training script for several processes in PyTorch's words, which test_distributed.py runs here and on PyTorch."""

import os

import torch
import torch.distributed as dist
import torch.nn as nn
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler


def main():
    dist.init_process_group("gloo")
    rank, size, local = dist.get_rank(), dist.get_world_size(), int(os.environ["LOCAL_RANK"])
    assert local == rank

    grid = torch.arange(40, dtype=torch.float32)
    inputs = torch.stack([torch.sin(grid), torch.cos(grid * 0.7), grid / 40], 1)
    targets = (inputs[:, :1] * 2 - inputs[:, 1:2]).tanh()
    dataset = TensorDataset(inputs, targets)
    sampler = DistributedSampler(dataset, shuffle=False)
    loader = DataLoader(dataset, batch_size=5, sampler=sampler)

    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    with torch.no_grad():  # the same start everywhere, whatever the random numbers are
        for p in net.parameters():
            p.copy_(torch.linspace(-0.5, 0.5, p.numel()).reshape(p.shape) + rank)
    model = DDP(net, device_ids=None, find_unused_parameters=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    loss_function = nn.MSELoss()
    for epoch in range(4):
        sampler.set_epoch(epoch)
        total = torch.zeros(1)
        for x, y in loader:
            optimizer.zero_grad()
            loss = loss_function(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.detach()
        dist.all_reduce(total, op=dist.ReduceOp.SUM)
        if rank == 0:
            print(f"epoch {epoch}: {total.item() / size:.4f}")
    gathered = [torch.zeros(1) for _ in range(size)] if rank == 0 else None
    dist.gather(model.module[0].weight.detach().sum().reshape(1), gathered, dst=0)
    if rank == 0:
        print("weights", " ".join(f"{g.item():.4f}" for g in gathered))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
