"""A Siamese network: a data set of pairs, a contrastive and a triplet loss, an optimizer of one's own."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset, RandomSampler, SubsetRandomSampler

torch.manual_seed(1)
centers = torch.randn(5, 6)


class Pairs(Dataset):
    def __init__(self, transform=None):
        self.labels = torch.arange(60) % 5
        self.data = centers[self.labels] + 0.3 * torch.randn(60, 6)
        self.transform = transform

    def __getitem__(self, index):
        same = index % 2
        other = (index + 5) % 60 if same else (index + 7) % 60
        pair = self.data[index], self.data[other]
        if self.transform is not None:
            pair = tuple(map(self.transform, pair))
        return pair, torch.tensor([float(same)])

    def __len__(self):
        return len(self.data)


class ContrastiveLoss(torch.nn.Module):
    def __init__(self, margin=2.0):
        super(ContrastiveLoss, self).__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        distance = F.pairwise_distance(output1, output2, keepdim=True)
        return torch.mean(
            label * torch.pow(distance, 2) + (1 - label) * torch.pow(torch.clamp(self.margin - distance, min=0.0), 2)
        )


class Lookahead(Optimizer):
    def __init__(self, params, lr=1e-2, k=5, alpha=0.5, momentum=0.9):
        if lr < 0.0:
            raise ValueError("Invalid learning rate: {}".format(lr))
        defaults = dict(lr=lr, k=k, alpha=alpha, momentum=momentum)
        super(Lookahead, self).__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if len(state) == 0:
                    state["step"] = 0
                    state["slow"] = torch.clone(p, memory_format=torch.preserve_format).detach()
                    state["velocity"] = torch.zeros_like(p, memory_format=torch.preserve_format)
                state["step"] += 1
                state["velocity"].mul_(group["momentum"]).add_(p.grad)
                p.add_(state["velocity"], alpha=-group["lr"])
                if state["step"] % group["k"] == 0:
                    state["slow"].lerp_(p, group["alpha"])
                    p.copy_(state["slow"])
        return loss


net = nn.Sequential(nn.Linear(6, 16), nn.PReLU(), nn.Linear(16, 2))
optimizer = Lookahead(net.parameters())
criterion, triplet = ContrastiveLoss(), nn.TripletMarginLoss(margin=1.0)
data = Pairs(transform=lambda x: x + 0.05 * torch.randn_like(x))
losses = []
for epoch in range(15):
    for (a, b), label in DataLoader(data, batch_size=20, sampler=RandomSampler(data)):

        def closure():
            optimizer.zero_grad()
            anchor, other = net(a), net(b)
            loss = criterion(anchor, other, label) + 0.1 * triplet(anchor, other, anchor.flip(0))
            loss.backward()
            return loss

        losses.append(optimizer.step(closure).item())
loader = DataLoader(data, batch_size=60, sampler=SubsetRandomSampler(range(60)))
(a, b), label = next(iter(loader))
distance = F.pairwise_distance(net(a), net(b))
same = label.squeeze(1) == 1
print("near if the same:", bool(distance[same].mean() < 0.5 * distance[~same].mean()), "learns:", losses[-1] < losses[0])
