"""What training scripts do around the model: seeds, mixup, gradient accumulation, schedulers in a row, resuming, freezing."""

import os
import random
import tempfile
from collections import OrderedDict

import numpy as np
import torch
import torch.nn as nn
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingWarmRestarts, LambdaLR, OneCycleLR, SequentialLR
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset, WeightedRandomSampler


def set_seed(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def mixup_data(x, y, alpha=1.0):
    lam = np.random.beta(alpha, alpha) if alpha > 0 else 1
    index = torch.randperm(x.size()[0])
    return lam * x + (1 - lam) * x[index, :], y, y[index], lam


class AverageMeter(object):
    def __init__(self):
        self.reset()

    def reset(self):
        self.val = self.avg = self.sum = self.count = 0

    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count


set_seed(7)
model = nn.Sequential(OrderedDict([("backbone", nn.Sequential(nn.Linear(4, 16), nn.ReLU())), ("head", nn.Linear(16, 3))]))
for p in model.backbone.parameters():
    p.requires_grad = False
assert [n for n, p in model.named_parameters() if p.requires_grad] == ["head.weight", "head.bias"]
model.backbone.requires_grad_(True)
model.train(mode=True)
x = torch.randn(90, 4)
y = x[:, :3].argmax(1)
whole = ConcatDataset([Subset(TensorDataset(x, y), range(50)), TensorDataset(x[50:], y[50:])])
counts = torch.bincount(y)
sampler = WeightedRandomSampler((1.0 / counts.float())[y].tolist(), num_samples=90, replacement=True)
loader = DataLoader(whole, batch_size=16, sampler=sampler, drop_last=False, worker_init_fn=lambda i: np.random.seed(i))
no_decay = ["bias"]
groups = [
    {"params": [p for n, p in model.named_parameters() if not any(nd in n for nd in no_decay)], "weight_decay": 0.01},
    {"params": [p for n, p in model.named_parameters() if any(nd in n for nd in no_decay)], "weight_decay": 0.0},
]
optimizer = torch.optim.AdamW(groups, lr=3e-2)
scheduler = SequentialLR(
    optimizer,
    [ConstantLR(optimizer, 0.5, 2), CosineAnnealingWarmRestarts(optimizer, 5), LambdaLR(optimizer, lambda e: 0.9**e)],
    [2, 12],
)
criterion = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 1.0, 1.0]), reduction="mean")
losses, path = AverageMeter(), os.path.join(tempfile.mkdtemp(), "checkpoint.pth.tar")
for epoch in range(20):
    losses.reset()
    for i, (images, target) in enumerate(loader):
        mixed, a, b, lam = mixup_data(images, target, 0.2)
        output = model(mixed)
        loss = lam * criterion(output, a) + (1 - lam) * criterion(output, b)
        losses.update(loss.item(), images.size(0))
        (loss / 2).backward()
        if (i + 1) % 2 == 0 or i + 1 == len(loader):
            nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0, norm_type=2)
            optimizer.step()
            optimizer.zero_grad()
    scheduler.step()
    state = {
        "epoch": epoch + 1,
        "state_dict": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
    }
    torch.save(state, path)
checkpoint = torch.load(path, map_location="cpu", weights_only=False)
again = nn.Sequential(OrderedDict([("backbone", nn.Sequential(nn.Linear(4, 16), nn.ReLU())), ("head", nn.Linear(16, 3))]))
missing, unexpected = again.load_state_dict(checkpoint["state_dict"], strict=False)
other = torch.optim.AdamW(again.parameters(), lr=1.0)
one_cycle = OneCycleLR(other, max_lr=0.1, total_steps=10)
other.step(), one_cycle.step()
model.eval()
with torch.no_grad():
    right = (model(x).softmax(-1).argmax(-1) == y).float().mean().item()
print(
    "learned:",
    right > 0.85,
    len(missing),
    len(unexpected),
    f"{scheduler.get_last_lr()[0]:.5f}",
    round(one_cycle.get_last_lr()[0], 5),
    checkpoint["epoch"],
)
